"""The stretch of a market that an estimate is measured on: closed epochs, put end to end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dmm.calibration.depth import Depths, positive_depths
from dmm.ports import QuoteStore
from dmm.quoting.decision import MarketSlice, SliceSummary
from dmm.units.time import NS_PER_S, Nanos

SLICES_MAX = 20_160
"""Slices of a window at the most: a week of half minutes."""

DEPTHS_MAX = 2_000_000
"""Depths of a window at the most, some 50 MB; older slices than those that hold them are left."""

WANTED_S = "window_wanted_s"
TO_NS = "window_to_ns"
"""Where the evidence keeps how long a window was to be, and when it ended."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarketWindow:
    """Closed slices of one market, put end to end; what lies between them was not observed.

    `mid_half_ticks` is the mid of each second, `heard` tells by change whether it spans one second
    of one grid; a change across a gap or a seam does not count. `depths` are those beyond the mid,
    their times on one clock from which the gaps are cut. The window reaches from `from_ns` to
    `to_ns`, was asked to be `wanted_ns` long, and `is_cut` where a bound left older slices out.
    """

    mid_half_ticks: NDArray[np.int64]
    heard: NDArray[np.bool_]
    depths: Depths
    slices: int
    runs: int
    from_ns: int
    to_ns: int
    wanted_ns: int
    is_cut: bool

    @property
    def changes_half_ticks(self) -> NDArray[np.int64]:
        """Return the changes of the mid over one second that count."""
        return np.diff(self.mid_half_ticks)[self.heard]

    @property
    def evidence(self) -> dict[str, int]:
        """Return how much was read, for the estimate's row and its artifact."""
        return {
            WANTED_S: self.wanted_ns // NS_PER_S,
            "window_observed_s": self.depths.duration_ns // NS_PER_S,
            "window_slices": self.slices,
            "window_runs": self.runs,
            "window_cut": int(self.is_cut),
            "window_from_ns": self.from_ns,
            TO_NS: self.to_ns,
        }


def read_window(store: QuoteStore, last: SliceSummary, *, wanted_ns: int) -> MarketWindow:
    """Read the slices of a market that end with one, as far back as wanted or as there are any.

    Slices without a mid saw no market and are left out, as are those that overlap a newer one: two
    plays of one recording are not two observations.

    Parameters
    ----------
    last : the closed slice that the window ends with
    wanted_ns : length, > 0; the slice in which it begins is read whole
    """
    taken: list[SliceSummary] = []
    depths = 0
    is_cut = False
    for summary in _without_overlap(store, last, wanted_ns):
        found = int(np.count_nonzero(summary.market.trade_depth_half_ticks > 0))
        if len(taken) == SLICES_MAX or (taken and depths + found > DEPTHS_MAX):
            is_cut = True
            break
        taken.append(_needed(summary))
        depths += found
    taken.reverse()
    return _joined(taken, last, wanted_ns, is_cut=is_cut)


def _needed(summary: SliceSummary) -> SliceSummary:
    """Return a slice without what no estimate reads: a week of whole ones would not fit."""
    market = summary.market
    kept = market.trade_depth_half_ticks > 0
    return replace(
        summary,
        bids=(),
        asks=(),
        market=MarketSlice(
            mid_half_ticks=market.mid_half_ticks,
            trade_at_ns=market.trade_at_ns[kept],
            trade_depth_half_ticks=market.trade_depth_half_ticks[kept],
            trade_size_lots=market.trade_size_lots[:0],
            trade_is_buy=market.trade_is_buy[kept],
        ),
    )


def _without_overlap(
    store: QuoteStore, last: SliceSummary, wanted_ns: int
) -> Iterator[SliceSummary]:
    until_ns: int = last.ended_at_ns
    found = store.recent_slices(
        last.run_id,
        epoch=last.epoch,
        from_ns=Nanos(last.ended_at_ns - wanted_ns),
        limit=SLICES_MAX + 1,
    )
    for summary in found:
        if summary.ended_at_ns <= until_ns and summary.market.mid_half_ticks.size:
            yield summary
            until_ns = summary.started_at_ns


def _joined(
    slices: list[SliceSummary], last: SliceSummary, wanted_ns: int, *, is_cut: bool
) -> MarketWindow:
    """Put slices end to end, the oldest first."""
    lengths_ns = [max(1, part.ended_at_ns - part.started_at_ns) for part in slices]
    starts_ns = np.cumsum([0, *lengths_ns])
    markets = [part.market for part in slices]
    at_ns = [
        start_ns + np.clip(part.market.trade_at_ns - part.started_at_ns, 0, length_ns - 1)
        for part, start_ns, length_ns in zip(slices, starts_ns, lengths_ns, strict=False)
    ]
    return MarketWindow(
        mid_half_ticks=_end_to_end([market.mid_half_ticks for market in markets]),
        heard=_heard(slices),
        depths=positive_depths(
            depth_half_ticks=_end_to_end([market.trade_depth_half_ticks for market in markets]),
            at_ns=_end_to_end(at_ns),
            is_buy=_end_to_end([market.trade_is_buy for market in markets]).astype(np.bool_),
            started_at_ns=0,
            duration_ns=max(1, int(starts_ns[-1])),
        ),
        slices=len(slices),
        runs=len({part.run_id for part in slices}),
        from_ns=slices[0].started_at_ns if slices else last.started_at_ns,
        to_ns=last.ended_at_ns,
        wanted_ns=wanted_ns,
        is_cut=is_cut,
    )


def _end_to_end(parts: list[NDArray[np.int64]] | list[NDArray[np.bool_]]) -> NDArray[np.int64]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def _heard(slices: list[SliceSummary]) -> NDArray[np.bool_]:
    """Tell by change of the joined grid whether it is one second long."""
    sizes = [part.market.mid_half_ticks.size for part in slices]
    heard = np.ones(max(0, sum(sizes) - 1), dtype=np.bool_)
    for seam, before, after in zip(np.cumsum(sizes), slices, slices[1:], strict=False):
        heard[seam - 1] = _follows(before, after)
    return heard


def _follows(before: SliceSummary, after: SliceSummary) -> bool:
    """Tell whether a slice's grid goes on one second after the last point of the one before.

    A grid begins with its slice unless no mid was known then; its last point lies within a second
    of the slice's end, on it less one second when the slice is whole seconds long.
    """
    length_ns = after.ended_at_ns - after.started_at_ns
    return (
        before.run_id == after.run_id
        and before.ended_at_ns == after.started_at_ns
        and (before.ended_at_ns - before.started_at_ns) % NS_PER_S == 0
        and after.market.mid_half_ticks.size == -(-length_ns // NS_PER_S)
    )
