"""The pool for local comparison: the published table of a constant product with a fee of 30 bps."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dmm.adapters.evm.codec import calldata

TRUTH = Path(__file__).resolve().parents[2].parent / "shared" / "truth" / "uniswap_v2_swaps.json"
AMOUNT_OUT = "amountOut(uint256,uint256,uint256)"
SWAP = "swap(address,uint256,uint256)"


@pytest.fixture
def pool(world: Any) -> str:
    tokens = [world.book.token("BTC"), world.book.token("USDT")]
    found: str = world.create("Pool", ["address", "address"], tokens)
    for token, amount in zip(tokens, (50 * 10**8, 3_000_000 * 10**6), strict=True):
        world.call(world.actors.deployer, token, "mint(address,uint256)", found, amount)
        world.call(world.actors.takers[0], token, "approve(address,uint256)", found, 2**255)
    return found


def test_what_comes_out_is_as_published(world: Any, pool: str) -> None:
    if not TRUTH.is_file() and not os.environ.get("CI"):
        pytest.skip(f"{TRUTH} is missing")
    table = json.loads(TRUTH.read_text(encoding="utf-8"))["data"]["get_input_price"]
    for row in table:
        values = [int(row[name]) for name in ("amount_in", "reserve_in", "reserve_out")]
        assert world.read(pool, AMOUNT_OUT, *values) == int(row["amount_out"])


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(amount=st.integers(1, 10**11), symbol=st.sampled_from(["BTC", "USDT"]))
def test_a_swap_never_lowers_the_product_and_gives_the_most_it_can(
    world: Any, pool: str, amount: int, symbol: str
) -> None:
    with world.undone():
        other = "USDT" if symbol == "BTC" else "BTC"
        before = world.balance(symbol, pool), world.balance(other, pool)
        receipt = world.send(
            world.actors.takers[0], pool, calldata(SWAP, world.book.token(symbol), amount, 0)
        )
        assert int(receipt["status"], 16) == 1
        after = world.balance(symbol, pool), world.balance(other, pool)
        assert after[0] - before[0] == amount
        kept = before[0] * 10_000 + amount * 9_970
        assert kept * after[1] >= before[0] * before[1] * 10_000
        assert kept * (after[1] - 1) < before[0] * before[1] * 10_000


def test_a_swap_below_its_minimum_of_nothing_or_of_a_foreign_token_is_refused(
    world: Any, pool: str
) -> None:
    taker, btc = world.actors.takers[0], world.book.token("BTC")
    most = world.read(pool, AMOUNT_OUT, 10**8, 50 * 10**8, 3_000_000 * 10**6)
    for values, error in (
        ((btc, 10**8, most + 1), "OutputTooLow"),
        ((btc, 0, 0), "ZeroAmount"),
        ((world.book.token("DCT"), 1, 0), "NoSuchToken"),
    ):
        assert world.refusal(taker, pool, calldata(SWAP, *values)).name == error
