"""Batch hedges: recorded first, booked exactly once, a reason when there is none."""

from __future__ import annotations

import pytest
from desk_memory import INSTRUMENT, RUN, Desk, a_slice

from dmm.ledger.account import AccountKind
from dmm.ledger.fills import paper_vault
from dmm.settlement.epoch import JobOutcome, JobStatus, RowTable
from dmm.units.errors import Retryable
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
