"""What a stolen quote key can lose: the float, and nothing beyond it."""

from __future__ import annotations

from typing import Any

import pytest

from dmm.units.amount import Atoms

FLOAT = 1_000


@pytest.mark.parametrize("asks", [[FLOAT + 1], [600, 401], [400, 400, 400]])
def test_invariant_37_a_stolen_hot_key_loses_at_most_the_float(world: Any, asks: list[int]) -> None:
    desk, settlement = world.actors.desk, world.at("settlement")
    token = world.book.token("BTC")
    world.call(desk, token, "approve(address,uint256)", settlement, FLOAT)

    def held() -> int:
        return int(world.rpc("eth_call", _balance_of(token, desk.address), "latest"), 16)

    before = held()
    for nonce, ask in enumerate(asks):
        quote = world.quote(maker_amount=Atoms(ask), taker_amount=Atoms(1), nonce=9_000 + nonce)
        data = world.fill_data(quote)
        if before - held() + ask <= FLOAT:
            receipt = world.send(world.actors.deployer, settlement, data)
            assert int(receipt["status"], 16) == 1
        else:
            refusal = world.refusal(world.actors.deployer, settlement, data)
            assert refusal.name == "ERC20InsufficientAllowance"
    assert 0 <= before - held() <= FLOAT


def _balance_of(token: str, holder: str) -> dict[str, str]:
    word = holder.lower().removeprefix("0x").rjust(64, "0")
    return {"to": token, "data": "0x70a08231" + word}
