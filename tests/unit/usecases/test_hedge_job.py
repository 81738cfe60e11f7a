"""Batch hedges: recorded first, booked exactly once, a reason when there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from desk_memory import INSTRUMENT, POLICY, RUN, Desk, a_slice

from dmm.ledger.account import AccountKind
from dmm.ledger.fills import paper_vault
from dmm.settlement.epoch import JobOutcome, JobStatus, RowTable
from dmm.units.errors import Retryable
from dmm.units.time import Nanos
from dmm.usecases.hedge import hedge_batch


def run(desk: Desk) -> JobOutcome:
    return hedge_batch(
        store=desk.store,
        chain=desk.chain,
        clock=desk.clock,
        instrument=INSTRUMENT,
        run_id=RUN,
        epoch=0,
    )


def desk_at(position: int) -> Desk:
    desk = Desk()
    desk.close_slice(a_slice(position=position))
    return desk


@pytest.mark.parametrize("position", [0, 20, -20])
def test_a_position_within_the_threshold_is_left_alone(position: int) -> None:
    desk = desk_at(position)
    outcome = run(desk)
    assert outcome.rows == {}
    assert outcome.note == f"no hedge: position {position} lots is within 20 of its target 0"
    assert desk.store.fills(RUN) == []


def test_a_long_position_sells_level_by_level_within_the_slippage_bound() -> None:
    desk = desk_at(21)
    assert run(desk).rows == {"hedge_order": 2}
    fills = desk.store.fills(RUN, 0)
    assert [(f.side, f.price, f.size, f.is_hedge) for f in fills] == [
        ("sell", 99_990, 15, True),
        ("sell", 99_980, 6, True),
    ]
    # 15 lots · 0.001 · 9,999.0 USDT in atoms, 5 bps, rounded up.
    assert fills[0].fee_atoms == -(-15 * 99_990 * 100 * 5 // 10_000)


def test_depth_beyond_the_bound_is_left_for_the_next_epoch() -> None:
    desk = desk_at(-60)
    run(desk)
    rows = [row.body for row in desk.store.epoch_rows(RUN, RowTable.HEDGE_ORDER)]
    assert [(b["size"], b["filled"]) for b in rows] == [(60, 7), (53, 9)]
    assert "filled 16 of 60" in str(rows[0]["reason"])


def test_running_again_books_nothing_new() -> None:
    desk = desk_at(33)
    run(desk)
    before = desk.store.balances()
    assert run(desk).status is JobStatus.ALREADY
    assert desk.store.balances() == before
    assert sum(f.size for f in desk.store.fills(RUN)) == 33


def test_a_crash_between_record_and_booking_is_completed_by_the_next_run() -> None:
    desk = desk_at(33)
    booking = desk.store.append_fills

    def cut(*_: object) -> int:
        raise Retryable("the database went away")

    desk.store.append_fills = cut  # type: ignore[method-assign]
    with pytest.raises(Retryable):
        run(desk)
    desk.store.append_fills = booking  # type: ignore[method-assign]
    assert run(desk).status is JobStatus.ALREADY
    assert sum(f.size for f in desk.store.fills(RUN)) == 33
    assert desk.held(paper_vault(RUN), "BTC", AccountKind.POSITION) == -33 * 100_000


def test_an_open_slice_is_waited_for() -> None:
    assert run(Desk()).status is JobStatus.WAITING


# -- the gate


@pytest.mark.parametrize("posture", ["paused", "cancel_only", "halted", "killed"])
def test_a_posture_that_allows_no_orders_allows_no_hedge_and_the_note_says_so(
    posture: str,
) -> None:
    desk = Desk()
    desk.close_slice(a_slice(position=33), posture=posture)
    outcome = run(desk)
    assert outcome.rows == {}
    assert outcome.note == f"no hedge: the gate refuses it for posture, posture is {posture}"
    assert desk.store.fills(RUN) == []


@pytest.mark.parametrize("posture", ["widened", "one_sided"])
def test_a_hedge_reduces_the_inventory_and_so_passes_a_posture_that_asks_for_it(
    posture: str,
) -> None:
    desk = Desk()
    desk.close_slice(a_slice(position=33), posture=posture)
    assert run(desk).rows == {"hedge_order": 2}


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"unknown_orders": 2}, "order_state_unknown"),
        ({"clock_offset_ns": 300_000_000}, "clock_offset"),
        ({"feed_is_fresh": False}, "stale_feed"),
    ],
)
def test_a_hedge_passes_the_gate_with_what_the_worker_last_knew(
    inputs: dict[str, Any], reason: str
) -> None:
    desk = Desk()
    desk.close_slice(a_slice(position=33), **inputs)
    assert f"the gate refuses it for {reason}" in run(desk).note


def test_a_hedge_may_be_larger_than_a_quote_and_than_limits_that_came_later() -> None:
    desk = desk_at(90)
    desk.adopt(replace(POLICY, inventory_soft_lots=15, inventory_hard_lots=30))
    assert run(desk).rows["hedge_order"] > 0


def test_a_market_with_one_side_is_not_hedged_in() -> None:
    desk = Desk()
    desk.close_slice(replace(a_slice(position=33), asks=()))
    assert "the gate refuses it for price_not_sane" in run(desk).note


def test_a_slice_without_a_decision_tells_no_posture_and_is_not_hedged() -> None:
    desk = Desk()
    desk.store.close_slice(a_slice(position=33))
    assert "no decision that tells the desk's posture" in run(desk).note


def test_nothing_is_hedged_while_killed_and_what_was_recorded_is_still_booked() -> None:
    desk = desk_at(33)
    desk.store.kill(reason="drill", operator="ann", now_ns=Nanos(1))
    outcome = run(desk)
    assert outcome.status is JobStatus.WAITING
    assert outcome.note == "the kill switch holds (drill)"
    desk.store.release_kill(kill_id=1, order_sequence=1, operator="bob", now_ns=Nanos(2))
    booking = desk.store.append_fills
    desk.store.append_fills = lambda *_: 0  # type: ignore[method-assign]
    assert run(desk).status is JobStatus.RECORDED
    desk.store.append_fills = booking  # type: ignore[method-assign]
    desk.store.kill(reason="again", operator="ann", now_ns=Nanos(3))
    assert run(desk).status is JobStatus.WAITING
    assert sum(f.size for f in desk.store.fills(RUN)) == 33
