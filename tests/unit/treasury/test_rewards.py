"""Scores and shares, against numbers worked out by hand."""

from __future__ import annotations

import pytest

from dmm.treasury.budget import Cap, allow
from dmm.treasury.buyback import net_out, profit_share
from dmm.treasury.rewards import Standing, liquidity_score, share_tables, split_budget
from dmm.units.amount import Atoms
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.time import NS_PER_MS


def standing(at_ms: int, *, bids: tuple[tuple[int, int], ...], ask: int = 1_004) -> Standing:
    return Standing(
        decided_at_ns=at_ms * NS_PER_MS,
        mid_half_ticks=2_000,
        bids=bids,
        asks=((ask, 9), (ask + 1, 2)),
    )


def test_the_score_is_time_by_smaller_depth_by_tightness() -> None:
    # Spread 1004 − 997 = 7 ticks of a mid of 1000: 7,000 hundredths of a bp, 3,000 below the cap.
    standings = [standing(0, bids=((997, 3), (996, 2))), standing(40, bids=())]
    assert liquidity_score(standings, ended_at_ns=100 * NS_PER_MS) == 40 * 5 * 3_000


def test_a_spread_beyond_the_cap_scores_nothing() -> None:
    assert standing(0, bids=((900, 3),)).weight == 0


def test_time_that_runs_backwards_is_refused() -> None:
    standings = [standing(9, bids=()), standing(8, bids=())]
    with pytest.raises(InvariantBroken, match="is followed by"):
        liquidity_score(standings, ended_at_ns=10 * NS_PER_MS)


def test_a_body_that_is_no_decision_is_refused() -> None:
    with pytest.raises(InvariantBroken, match="cannot be read"):
        Standing.from_decision(b'{"quotes":[["buy"]]}')


def test_leftover_atoms_go_to_the_largest_remainders_then_to_the_smaller_address() -> None:
    # 100 · (7, 7, 5)/19 = 36.84, 36.84, 26.32: two leftovers, both to the two larger remainders.
    assert split_budget(Atoms(100), {"c": 7, "b": 7, "a": 5}) == {"a": 26, "b": 37, "c": 37}
    assert split_budget(Atoms(3), {"b": 5, "a": 5}) == {"a": 2, "b": 1}


def test_nothing_is_paid_without_a_score() -> None:
    assert split_budget(Atoms(100), {"a": 0}) == {}


@pytest.mark.parametrize("table", [None, [1], {"0x1": 0}, {"0x1": True}, {"0x1": "7"}])
def test_a_table_that_is_no_table_of_shares_is_refused(table: object) -> None:
    with pytest.raises(UsageFault, match="lp_shares"):
        share_tables({"evm": table})
    with pytest.raises(UsageFault, match="lp_shares"):
        share_tables(table)


def test_two_spellings_of_one_address_are_one_but_base58_keeps_its_case() -> None:
    with pytest.raises(UsageFault, match="0xab twice on evm"):
        share_tables({"evm": {"0xAB": 7, "0xab": 5}})
    shares = {"9aE": 7, "9Ae": 5}
    assert share_tables({"solana": shares}) == {"solana": shares}


def test_a_loss_buys_nothing_back_and_the_share_is_rounded_down() -> None:
    assert profit_share(spread_captured=90, fees=91, share_bps=2_500) == 0
    assert profit_share(spread_captured=107, fees=4, share_bps=2_500) == 25
    assert profit_share(spread_captured=100, fees=-7, share_bps=2_500) == 26


def test_the_fee_of_a_quote_is_rounded_up() -> None:
    assert net_out(maker_amount=1_001, fee_bps=30) == 997


@pytest.mark.parametrize(
    ("wanted", "policy_max", "available", "amount", "cap"),
    [
        (50, 70, 60, 50, Cap.NOTHING),
        (50, 30, 40, 30, Cap.POLICY),
        (50, 70, 20, 20, Cap.CASH),
        (-5, 70, 60, 0, Cap.NOTHING),
        (50, 70, 0, 0, Cap.CASH),
    ],
)
def test_a_budget_is_the_least_of_wish_policy_and_cash(
    wanted: int, policy_max: int, available: int, amount: int, cap: Cap
) -> None:
    allowance = allow(wanted=wanted, policy_max=policy_max, available=available)
    assert (allowance.amount, allowance.cap) == (amount, cap)
