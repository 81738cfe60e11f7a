"""The stretch an estimate reads: closed epochs end to end, gaps cut out, bounds told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from desk_memory import RUN, START_NS, Desk, a_slice

from dmm.ports import Run
from dmm.quoting.decision import MarketSlice, SliceSummary
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases import market_window
from dmm.usecases.market_window import read_window

WEEK_NS = 7 * 24 * 3_600 * NS_PER_S


def observed(
    *, epoch: int, run_id: str = RUN, first_s: int | None = None, seconds: int = 60, trades: int = 3
) -> SliceSummary:
    """A slice whose mids count its seconds from 1,000 · epoch, with trades in its first ones."""
    started_ns = START_NS + (60 * epoch if first_s is None else first_s) * NS_PER_S
    market = MarketSlice(
        mid_half_ticks=np.arange(seconds, dtype=np.int64) + 1_000 * epoch,
        trade_at_ns=started_ns + np.arange(trades, dtype=np.int64) * NS_PER_S,
        trade_depth_half_ticks=np.arange(1, trades + 1, dtype=np.int64),
        trade_size_lots=np.ones(trades, dtype=np.int64),
        trade_is_buy=np.arange(trades) % 2 == 0,
    )
    return replace(
        a_slice(epoch=epoch, market=market),
        run_id=run_id,
        started_at_ns=Nanos(started_ns),
        ended_at_ns=Nanos(started_ns + seconds * NS_PER_S),
    )


def earlier(desk: Desk, run_id: str, *, kind: str = "demo", symbol: str = "BTCUSDT") -> None:
    desk.store.open_run(
        Run(
            run_id=run_id,
            kind=kind,
            symbol=symbol,
            epochs=3,
            spec={},
            started_at_ns=Nanos(START_NS - 10),
        )
    )


def test_whole_minutes_follow_one_another_second_by_second() -> None:
    desk = Desk()
    slices = [observed(epoch=epoch) for epoch in range(3)]
    for summary in slices:
        desk.store.close_slice(summary)
    window = read_window(desk.store, slices[2], wanted_ns=WEEK_NS)
    assert window.mid_half_ticks.tolist() == [
        1_000 * epoch + second for epoch in range(3) for second in range(60)
    ]
    assert window.heard.all()
    assert window.depths.duration_ns == 180 * NS_PER_S
    assert window.depths.at_ns.tolist() == [
        (60 * epoch + second) * NS_PER_S for epoch in range(3) for second in range(3)
    ]
    assert (window.from_ns, window.to_ns) == (START_NS, START_NS + 180 * NS_PER_S)
    assert (window.slices, window.runs, window.is_cut) == (3, 1, False)


def test_later_epochs_are_not_read() -> None:
    desk = Desk()
    slices = [observed(epoch=epoch) for epoch in range(3)]
    for summary in slices:
        desk.store.close_slice(summary)
    assert read_window(desk.store, slices[1], wanted_ns=WEEK_NS).slices == 2


def test_no_more_than_was_wanted_is_read() -> None:
    desk = Desk()
    slices = [observed(epoch=epoch) for epoch in range(9)]
    for summary in slices:
        desk.store.close_slice(summary)
    window = read_window(desk.store, slices[8], wanted_ns=300 * NS_PER_S)
    assert (window.slices, window.evidence["window_observed_s"]) == (5, 300)


def test_a_gap_between_epochs_is_cut_out_of_time_and_its_change_counts_for_nothing() -> None:
    desk = Desk()
    before, after = observed(epoch=0), observed(epoch=1, first_s=4_000)
    desk.store.close_slice(before)
    desk.store.close_slice(after)
    window = read_window(desk.store, after, wanted_ns=WEEK_NS)
    assert window.depths.duration_ns == 120 * NS_PER_S
    assert window.depths.at_ns.max() == 62 * NS_PER_S
    assert np.flatnonzero(~window.heard).tolist() == [59]
    assert set(window.changes_half_ticks.tolist()) == {1}


def test_the_seam_after_an_epoch_of_broken_seconds_does_not_count() -> None:
    desk = Desk()
    before = observed(epoch=0)
    before = replace(before, ended_at_ns=Nanos(before.ended_at_ns - NS_PER_S // 2))
    after = replace(observed(epoch=1), started_at_ns=before.ended_at_ns)
    desk.store.close_slice(before)
    desk.store.close_slice(after)
    window = read_window(desk.store, after, wanted_ns=WEEK_NS)
    assert np.flatnonzero(~window.heard).tolist() == [59]


def test_an_epoch_without_a_mid_was_not_observed() -> None:
    desk = Desk()
    slices = [observed(epoch=0), a_slice(epoch=1), observed(epoch=2)]
    for summary in slices:
        desk.store.close_slice(summary)
    window = read_window(desk.store, slices[2], wanted_ns=WEEK_NS)
    assert (window.slices, window.depths.duration_ns) == (2, 120 * NS_PER_S)
    assert not window.heard[59]


def test_a_window_of_nothing_is_empty() -> None:
    desk = Desk()
    only = a_slice(epoch=0)
    desk.store.close_slice(only)
    window = read_window(desk.store, only, wanted_ns=WEEK_NS)
    assert (window.slices, window.heard.size, window.changes_half_ticks.size) == (0, 0, 0)
    assert window.depths.depth_half_ticks.size == 0


def test_the_epochs_of_an_earlier_run_of_the_market_are_read_too() -> None:
    desk = Desk()
    earlier(desk, "r0")
    old = observed(epoch=0, run_id="r0", first_s=-600)
    new = observed(epoch=0)
    desk.store.close_slice(old)
    desk.store.close_slice(new)
    window = read_window(desk.store, new, wanted_ns=WEEK_NS)
    assert (window.slices, window.runs) == (2, 2)
    assert window.depths.duration_ns == 120 * NS_PER_S
    assert not window.heard[59]


@pytest.mark.parametrize(("kind", "symbol"), [("up", "BTCUSDT"), ("demo", "ETHUSDT")])
def test_another_market_or_another_kind_of_run_is_not_read(kind: str, symbol: str) -> None:
    desk = Desk()
    earlier(desk, "r0", kind=kind, symbol=symbol)
    desk.store.close_slice(observed(epoch=0, run_id="r0", first_s=-600))
    new = observed(epoch=0)
    desk.store.close_slice(new)
    assert read_window(desk.store, new, wanted_ns=WEEK_NS).slices == 1


def test_one_recording_played_twice_is_observed_once() -> None:
    desk = Desk()
    earlier(desk, "r0")
    for epoch in range(3):
        desk.store.close_slice(observed(epoch=epoch, run_id="r0"))
    new = observed(epoch=0)
    desk.store.close_slice(new)
    window = read_window(desk.store, new, wanted_ns=WEEK_NS)
    assert (window.slices, window.runs) == (1, 1)


def test_a_bound_on_depths_leaves_older_epochs_out_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(market_window, "DEPTHS_MAX", 7)
    desk = Desk()
    slices = [observed(epoch=epoch) for epoch in range(3)]
    for summary in slices:
        desk.store.close_slice(summary)
    window = read_window(desk.store, slices[2], wanted_ns=WEEK_NS)
    assert (window.slices, window.is_cut, window.evidence["window_cut"]) == (2, True, 1)
    assert window.from_ns == slices[1].started_at_ns


def test_a_bound_on_slices_leaves_older_epochs_out_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(market_window, "SLICES_MAX", 2)
    desk = Desk()
    slices = [observed(epoch=epoch) for epoch in range(3)]
    for summary in slices:
        desk.store.close_slice(summary)
    window = read_window(desk.store, slices[2], wanted_ns=WEEK_NS)
    assert (window.slices, window.is_cut) == (2, True)
    assert not read_window(desk.store, slices[1], wanted_ns=WEEK_NS).is_cut
