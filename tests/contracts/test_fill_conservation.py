"""Whatever is quoted, money is only moved: nothing appears, nothing is lost, nothing sticks."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dmm.units.amount import Atoms, ceil_div

HELD_BTC = 1_000_000 * 10**8
HELD_USDT = 1_000_000 * 10**6


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    maker_amount=st.integers(1, HELD_BTC),
    taker_amount=st.integers(1, HELD_USDT),
    fee_bps=st.integers(0, 500),
    nonce=st.integers(0, 2**256 - 1),
)
def test_a_fill_conserves_every_balance(
    world: Any, maker_amount: int, taker_amount: int, fee_bps: int, nonce: int
) -> None:
    with world.undone():
        quote = world.quote(
            maker_amount=Atoms(maker_amount),
            taker_amount=Atoms(taker_amount),
            fee_bps=fee_bps,
            nonce=nonce,
        )
        desk, taker = world.actors.desk.address, world.actors.takers[0].address
        before = world.balances()
        receipt = world.send(world.actors.deployer, world.at("settlement"), world.fill_data(quote))
        assert int(receipt["status"], 16) == 1
        after = world.balances()
        fee = ceil_div(maker_amount * fee_bps, 10_000)
        moved = {key: after[key] - before[key] for key in after if after[key] != before[key]}
        expected = {
            ("BTC", desk): -maker_amount,
            ("BTC", taker): maker_amount - fee,
            ("BTC", quote.fee_recipient): fee,
            ("USDT", desk): taker_amount,
            ("USDT", taker): -taker_amount,
        }
        assert moved == {key: change for key, change in expected.items() if change}
        assert sum(moved.values()) == 0
