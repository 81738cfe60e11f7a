"""When each set decides, when what it sends arrives, and all of it merged with the tape.

Whether a decision is due depends on the tape and on the cadence alone, never on what a set did. So
decisions, their arrivals and what each of them sees are laid out before the pass, once for all sets
of one cadence.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dmm.simulation.replay.cadence import (
    AtTimes,
    Cadence,
    EveryInterval,
    EveryRefresh,
    OrderLatency,
    event_schedule,
)
from dmm.simulation.replay.layout import (
    ARRIVE,
    BLOCK_END,
    DECIDE,
    ENTRY_AT,
    ENTRY_FRESH,
    ENTRY_GROUP,
    ENTRY_NEXT_AT,
    ENTRY_STALE,
    ENTRY_VENUES,
    FUND,
    NEVER_NS,
    SEEN_ARRIVES,
    SEEN_HEARD,
    SEEN_STRIDE,
    STOP_ASK,
    STOP_AT,
    STOP_BID,
    STOP_ENTRY,
    STOP_KIND,
    STOP_MESSAGE,
    STOP_MID,
    STOP_STRIDE,
    STOP_VENUE,
    STOP_VENUES,
    Longs,
)
from dmm.simulation.replay.prepare import PreparedTape
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S

__all__ = (
    "AtTimes",
    "Cadence",
    "EveryInterval",
    "EveryRefresh",
    "OrderLatency",
    "Plan",
    "plan_of",
)

ENTRIES_MAX = 50_000_000
"""Decisions of all cadences together; a tape cut in pieces needs fewer at once."""

BLOCK_NS = 10 * NS_PER_S
"""Results are noted this often."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """Stops in the order they happen, and the decisions they speak of.

    `heard_at` has for each entry the message of the first venue after which it was taken, −1 for
    none; `opens_ns` the first entry of each cadence.
    """

    stops: Longs
    entries: Longs
    heard_at: Longs
    opens_ns: Longs
    blocks: int
    block_ends_ns: Longs


def plan_of(
    tape: PreparedTape,
    cadences: Sequence[Cadence],
    latencies: Sequence[OrderLatency],
    *,
    funding_at_ns: Longs,
    block_ns: int = BLOCK_NS,
) -> Plan:
    """Lay out a replay.

    Parameters
    ----------
    cadences : distinct ones; a set names one by its number
    latencies : of each venue
    funding_at_ns : rising

    Raises
    ------
    UsageFault
        If a cadence is not what it may be, or there are too many decisions.
    """
    groups = [_group(tape, number, pace) for number, pace in enumerate(cadences)]
    none = np.zeros(0, dtype=np.int64)
    wide = np.zeros((0, ENTRY_VENUES + SEEN_STRIDE * tape.venues), dtype=np.int64)
    entries = np.concatenate([wide, *(group.entries for group in groups)])
    heard_at = np.concatenate([none, *(group.heard_at for group in groups)])
    position = np.concatenate([none, *(group.position for group in groups)])
    if len(entries) > ENTRIES_MAX:
        raise UsageFault(f"{len(entries)} decisions, at most {ENTRIES_MAX}: replay a piece at once")
    _see(tape, entries, heard_at)
    stops = [_decisions(entries, position, len(latencies))]
    begins = np.cumsum([0, *(len(group.entries) for group in groups)])
    for venue, latency in enumerate(latencies):
        column = ENTRY_VENUES + venue * SEEN_STRIDE
        for begin, end in itertools.pairwise(begins):
            arrives_ns = latency.entry.arrivals(entries[begin:end, ENTRY_AT])
            entries[begin:end, column + SEEN_ARRIVES] = arrives_ns
            heard_ns = latency.response.arrivals(arrives_ns)
            entries[begin:end, column + SEEN_HEARD] = heard_ns
        arrives_ns = entries[:, column + SEEN_ARRIVES]
        stops.append(_arrivals(tape, entries, heard_at, position, venue, arrives_ns))
    stops.append(_plain(tape, FUND, funding_at_ns))
    end_ns = max(int(view.at_ns[-1]) for view in tape.views)
    start_ns = min(int(view.at_ns[0]) for view in tape.views)
    count = max(1, -(-(end_ns - start_ns) // block_ns))
    block_ends_ns = start_ns + block_ns * np.arange(1, count + 1)
    block_ends_ns[-1] = end_ns
    last = _plain(tape, BLOCK_END, block_ends_ns)
    last[-1, STOP_MESSAGE] = len(tape.messages)
    for venue, view in enumerate(tape.views):
        _show(last[-1:], venue, view.seen[-1:], view.mid[-1:])
    # The last note comes after all that is still under way when the tape ends.
    merged = np.concatenate([_merged([*stops, last[:-1]]), last[-1:]])
    return Plan(
        stops=merged,
        entries=entries,
        heard_at=heard_at,
        opens_ns=np.array(
            [group.entries[0, ENTRY_AT] if len(group.entries) else NEVER_NS for group in groups],
            dtype=np.int64,
        ),
        blocks=int(count),
        block_ends_ns=block_ends_ns,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Group:
    entries: Longs
    heard_at: Longs
    position: Longs


def _group(tape: PreparedTape, number: int, pace: Cadence) -> _Group:
    view = tape.views[0]
    if isinstance(pace, EveryRefresh):
        if pace.refresh_ns <= 0 or pace.stale_ns <= 0 or pace.fresh_ticks <= 0:
            raise UsageFault(f"a cadence needs numbers above 0, got {pace}")
        table = event_schedule()(view.local_ns, pace.refresh_ns, pace.stale_ns, pace.fresh_ticks)
        times_ns, heard_at, stale, fresh = np.ascontiguousarray(table.T)
    else:
        times_ns = _times(tape, pace)
        heard_at = np.searchsorted(view.local_ns, times_ns, side="right") - 1
        stale, fresh = np.zeros_like(times_ns), np.ones_like(times_ns)
    entries = np.zeros((len(times_ns), ENTRY_VENUES + SEEN_STRIDE * tape.venues), dtype=np.int64)
    entries[:, ENTRY_AT] = times_ns
    entries[:, ENTRY_GROUP] = number
    entries[:, ENTRY_STALE] = stale
    entries[:, ENTRY_FRESH] = fresh
    entries[:, ENTRY_NEXT_AT] = np.append(times_ns[1:], NEVER_NS)[: len(times_ns)]
    if tape.one_clock and isinstance(pace, EveryRefresh):
        played = view.played
        position = np.where(heard_at >= 0, played[np.maximum(heard_at, 0)], 0)
        for other in tape.views[1:]:
            before = np.searchsorted(other.at_ns, times_ns, side="left")
            position = position + _played(other.played, before)
    else:
        position = position_of(tape, times_ns, side="right")
    return _Group(entries=entries, heard_at=heard_at, position=position)


def _times(tape: PreparedTape, pace: EveryInterval | AtTimes) -> Longs:
    view = tape.views[0]
    if isinstance(pace, EveryInterval):
        if pace.interval_ns <= 0:
            raise UsageFault(f"an interval must be above 0, got {pace.interval_ns} ns")
        first, last = int(view.local_ns[0]), int(view.local_ns[-1])
        first = first if pace.start_ns is None else pace.start_ns
        return np.arange(first + pace.interval_ns, last + 1, pace.interval_ns)
    times_ns = np.array(pace.times_ns, dtype=np.int64)
    if (np.diff(times_ns) <= 0).any():
        raise UsageFault("the instants of a script must rise")
    return times_ns


def _played(played: Longs, messages: Longs) -> Longs:
    """Return how many of the first so many messages of a venue the engine plays."""
    return np.where(messages > 0, played[np.maximum(messages - 1, 0)], 0)


def position_of(tape: PreparedTape, times_ns: Longs, *, side: str) -> Longs:
    """Return before which message of the engine's an instant lies."""
    position = np.zeros(len(times_ns), dtype=np.int64)
    for view in tape.views:
        before = np.searchsorted(view.at_ns, times_ns, side=side)  # type: ignore[call-overload]
        position += _played(view.played, before)
    return position


def _see(tape: PreparedTape, entries: Longs, heard_at: Longs) -> None:
    """Note what each decision sees of every venue."""
    for venue, view in enumerate(tape.views):
        last = heard_at
        if venue:
            side = "left" if tape.one_clock else "right"
            last = np.searchsorted(view.local_ns, entries[:, ENTRY_AT], side=side) - 1  # type: ignore[call-overload]
        seen = np.where((last >= 0)[:, None], view.heard[np.maximum(last, 0)], 0)
        column = ENTRY_VENUES + venue * SEEN_STRIDE
        entries[:, column : column + seen.shape[1]] = seen


def _decisions(entries: Longs, position: Longs, venues: int) -> Longs:
    stops = np.zeros((len(entries), STOP_VENUES + STOP_STRIDE * venues), dtype=np.int64)
    stops[:, STOP_MESSAGE] = position
    stops[:, STOP_KIND] = DECIDE
    stops[:, STOP_ENTRY] = np.arange(len(entries))
    stops[:, STOP_AT] = entries[:, ENTRY_AT]
    return stops


def _arrivals(
    tape: PreparedTape,
    entries: Longs,
    heard_at: Longs,
    position: Longs,
    venue: int,
    arrives_ns: Longs,
) -> Longs:
    stops = _plain(tape, ARRIVE, arrives_ns)
    stops[:, STOP_ENTRY] = np.arange(len(entries))
    stops[:, STOP_VENUE] = venue
    stops[:, STOP_MESSAGE] = np.maximum(stops[:, STOP_MESSAGE], position)
    view = tape.views[venue]
    last = np.searchsorted(view.at_ns, arrives_ns, side="left") - 1
    if tape.one_clock and venue == 0:
        last = np.maximum(last, heard_at)
    # What arrives at once finds the very market it was decided on.
    after = np.searchsorted(view.at_ns, arrives_ns, side="right") - 1
    at_once = (arrives_ns == entries[:, ENTRY_AT]) & (not tape.one_clock)
    last = np.where(at_once, after, last)
    known = last >= 0
    seen = np.where(known[:, None], view.seen[np.maximum(last, 0)], 0)
    _show(stops, venue, seen, np.where(known, view.mid[np.maximum(last, 0)], 0))
    return stops


def _plain(tape: PreparedTape, kind: int, times_ns: Longs) -> Longs:
    """Return stops at given instants, each before what happens at that very instant."""
    stops = np.zeros((len(times_ns), STOP_VENUES + STOP_STRIDE * tape.venues), dtype=np.int64)
    stops[:, STOP_MESSAGE] = position_of(tape, times_ns, side="left")
    stops[:, STOP_KIND] = kind
    stops[:, STOP_ENTRY] = np.arange(len(times_ns))
    stops[:, STOP_AT] = times_ns
    for venue, view in enumerate(tape.views):
        last = np.searchsorted(view.at_ns, times_ns, side="left") - 1
        known = last >= 0
        seen = np.where(known[:, None], view.seen[np.maximum(last, 0)], 0)
        _show(stops, venue, seen, np.where(known, view.mid[np.maximum(last, 0)], 0))
    return stops


def _show(stops: Longs, venue: int, seen: Longs, mid: Longs) -> None:
    column = STOP_VENUES + venue * STOP_STRIDE
    stops[:, column + STOP_BID] = seen[:, 0]
    stops[:, column + STOP_ASK] = seen[:, 2]
    stops[:, column + STOP_MID] = mid


def _merged(parts: Sequence[Longs]) -> Longs:
    """Return stops by message, then time; what arrives at an instant comes before who decides then.

    Funding comes first at its instant and the end of a block last. An arrival never comes before
    its own decision.
    """
    stops = np.concatenate(parts)
    kind, entry = stops[:, STOP_KIND], stops[:, STOP_ENTRY]
    rank = np.where(kind == FUND, 0, np.where(kind == BLOCK_END, 2, 1))
    order = np.lexsort((kind, entry, rank, stops[:, STOP_AT], stops[:, STOP_MESSAGE]))
    return np.ascontiguousarray(stops[order])
