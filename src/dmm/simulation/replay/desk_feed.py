"""What sets of the desk's own rule hear and meet, laid out once a replay.

Their decisions follow from their fills, so every message may be the one they decide with: what each
shows is laid out beforehand, and also what is known when a fill by it is heard of.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from dmm.market.fair_value import MICROTICKS_PER_HALF
from dmm.quoting.fill_watch import JUDGED_MAX
from dmm.simulation.replay.cadence import EveryRefresh
from dmm.simulation.replay.desk_layout import (
    D_SIZE,
    D_TOXIC_THRESHOLD,
)
from dmm.simulation.replay.latency import Latency
from dmm.simulation.replay.layout import (
    BREAK_AT,
    BREAK_COLUMNS,
    BREAK_INDEX,
    BREAK_KIND,
    BREAK_POSITION,
    BREAK_RESUME,
    BREAK_RESUMES,
    BREAK_STALE,
    H_ASK_SIZE,
    H_AT,
    H_BID,
    H_COLUMNS,
    H_FRESH,
    H_KAPPA,
    H_POSITION,
    H_SIGMA,
    K_ENTRY,
    K_LENGTH,
    K_MOST,
    K_ONE_CLOCK,
    K_RESERVE,
    K_RESPONSE,
    K_SAMPLES,
    K_WINDOW,
    K_WINDOW_COLUMNS,
    K_WINDOWS,
    M_AT,
    M_HEARD,
    M_VENUE,
    NEVER_NS,
    NONE,
    P_ASK,
    P_AT,
    P_BID,
    P_COLUMNS,
    P_STAND,
    RATE_WINDOWS_MAX,
    TOLD_COLUMNS,
    TOLD_INDEX,
    TOLD_MID,
    TOLD_TWAP,
    Longs,
)
from dmm.simulation.replay.parameter_set import ParameterSet
from dmm.simulation.replay.prepare import PreparedTape
from dmm.simulation.replay.schedule import position_of
from dmm.simulation.replay.terms import VenueTerms
from dmm.units.errors import UsageFault

WHOLE_LIMIT = 2**62


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeskFeed:
    """Messages as heard, as the venue has them, what is known of fills, breaks, and the way."""

    feed: Longs
    market: Longs
    told: Longs
    breaks: Longs
    way: Longs


NO_FEED = DeskFeed(
    feed=np.zeros((1, H_COLUMNS), dtype=np.int64),
    market=np.zeros((1, P_COLUMNS), dtype=np.int64),
    told=np.zeros((1, TOLD_COLUMNS), dtype=np.int64),
    breaks=np.full((1, BREAK_COLUMNS), NONE, dtype=np.int64),
    way=np.zeros(K_SAMPLES, dtype=np.int64),
)
"""Where no set follows the desk's own rule."""


def desk_feed(
    tape: PreparedTape,
    desks: Sequence[ParameterSet],
    terms: VenueTerms,
    online: Longs,
    messages: Longs,
) -> DeskFeed:
    """Lay out what the sets of the desk's own rule hear of the first venue.

    Parameters
    ----------
    desks : those sets, at least one
    terms : of the first venue
    online : σ, κ and TWAP after each message heard
    messages : what the engine plays, with the times at which fills by them are heard of

    Raises
    ------
    UsageFault
        If they do not agree on when a feed is stale, or the venue counts in too many windows.
    """
    paces = {(pace.stale_ns, pace.fresh_ticks) for pace in (_pace(one) for one in desks)}
    if len(paces) > 1:
        raise UsageFault("sets of the desk must agree on when a feed is stale and fresh again")
    stale_ns, fresh_ticks = paces.pop()
    view = tape.views[0]
    for one in desks:
        _require_range(one, view.mid)
    feed = np.zeros((len(view.local_ns), H_COLUMNS), dtype=np.int64)
    feed[:, H_AT] = view.local_ns
    feed[:, H_POSITION] = _positions(tape, view.local_ns, view.played)
    feed[:, H_BID : H_ASK_SIZE + 1] = view.heard
    feed[:, H_SIGMA], feed[:, H_KAPPA] = online[:, 0], online[:, 1]
    table = _break_pass()(view.local_ns, stale_ns, fresh_ticks, feed)
    return DeskFeed(
        feed=feed,
        market=_market(tape),
        told=_told(tape, online[:, 2], messages),
        breaks=_breaks(tape, table, feed[:, H_POSITION]),
        way=_way(tape, terms),
    )


def _pace(one: ParameterSet) -> EveryRefresh:
    if not isinstance(one.pace, EveryRefresh):
        raise UsageFault("the desk decides every refresh and on its fills: no other cadence fits")
    if one.pace.refresh_ns <= 0 or one.pace.stale_ns <= 0 or one.pace.fresh_ticks <= 0:
        raise UsageFault(f"a cadence needs numbers above 0, got {one.pace}")
    return one.pace


def _require_range(one: ParameterSet, mids: Longs) -> None:
    """Refuse what the judgement of fills could not hold in 64 bits."""
    highest = int(mids.max())
    toxic = (one.whole[D_TOXIC_THRESHOLD] + 1) * highest
    judged = JUDGED_MAX * 10 * highest * one.whole[D_SIZE]
    if max(toxic, judged, 16 * MICROTICKS_PER_HALF * highest) > WHOLE_LIMIT:
        raise UsageFault(
            f"fills of {one.whole[D_SIZE]} lots at {highest // 2} ticks need more than 63 bits to "
            "be judged: quote less, or in larger ticks or lots"
        )


def _positions(tape: PreparedTape, local_ns: Longs, played: Longs) -> Longs:
    """Return before which message the exchange stands once each message is heard."""
    if not tape.one_clock:
        return position_of(tape, local_ns, side="right")
    position = played.copy()
    for other in tape.views[1:]:
        before = np.searchsorted(other.at_ns, local_ns, side="left")
        position += np.where(before > 0, other.played[np.maximum(before - 1, 0)], 0)
    return position


def _market(tape: PreparedTape) -> Longs:
    view = tape.views[0]
    market = np.zeros((len(view.at_ns) + 1, P_COLUMNS), dtype=np.int64)
    market[:-1, P_AT], market[-1, P_AT] = view.at_ns, NEVER_NS
    market[:-1, P_BID], market[:-1, P_ASK] = view.seen[:, 0], view.seen[:, 2]
    own = np.flatnonzero(tape.messages[:, M_VENUE] == 0)
    # A message of the tape counts as played from itself on: before it, one less.
    is_played = np.diff(view.played, prepend=0)
    stands = np.append(own, len(tape.messages))
    market[:-1, P_STAND] = stands[view.played - is_played]
    market[-1, P_STAND] = len(tape.messages)
    return market


def _told(tape: PreparedTape, twaps: Longs, messages: Longs) -> Longs:
    """Return what is known when a fill by each message is heard of; of other venues nothing."""
    view = tape.views[0]
    told = np.zeros((len(messages), TOLD_COLUMNS), dtype=np.int64)
    own = np.flatnonzero(messages[:, M_VENUE] == 0)
    heard_ns = messages[own, M_HEARD]
    first = np.searchsorted(view.local_ns, heard_ns, side="left")
    last = np.searchsorted(view.local_ns, heard_ns, side="right") - 1
    if tape.one_clock:
        # With the message itself, not with others of the same instant.
        number = np.flatnonzero(np.diff(view.played, prepend=0))
        at_once = heard_ns == messages[own, M_AT]
        first = np.where(at_once, number, np.maximum(first, number))
        last = np.where(at_once, number, last)
    bid, ask = view.heard[:, 0], view.heard[:, 2]
    mids = np.where((bid > 0) & (bid < ask), bid + ask, 0)
    told[own, TOLD_INDEX] = first
    told[own, TOLD_MID] = np.where(last >= 0, mids[np.maximum(last, 0)], 0)
    told[own, TOLD_TWAP] = np.where(last >= 0, twaps[np.maximum(last, 0)], 0)
    return told


def _way(tape: PreparedTape, terms: VenueTerms) -> Longs:
    if len(terms.rate_windows) > RATE_WINDOWS_MAX:
        raise UsageFault(
            f"a replay counts requests in {RATE_WINDOWS_MAX} windows, got {terms.rate_windows}"
        )
    way = np.zeros(K_SAMPLES, dtype=np.int64)
    way[K_ONE_CLOCK] = tape.one_clock
    samples: tuple[int, ...] = ()
    for first, latency in ((K_ENTRY, terms.delays.entry), (K_RESPONSE, terms.delays.response)):
        way[first : first + 4] = _delay(latency, K_SAMPLES + len(samples))
        samples += latency.samples_ns
    way[K_WINDOWS] = len(terms.rate_windows)
    for number, window in enumerate(terms.rate_windows):
        at = K_WINDOW + number * K_WINDOW_COLUMNS
        way[at + K_LENGTH], way[at + K_MOST] = window.length_ns, window.weight_max
        way[at + K_RESERVE] = window.cancel_reserve
    return np.concatenate([way, np.array(samples, dtype=np.int64)])


def _delay(terms: Latency, first: int) -> tuple[int, int, int, int]:
    # The seed's 64 bits as they lie: the draw takes them without a sign.
    seed = terms.seed % 2**64
    signed = seed - 2**64 if seed >= 2**63 else seed
    return terms.constant_ns, signed, first, len(terms.samples_ns)


def _breaks(tape: PreparedTape, table: Longs, positions: Longs) -> Longs:
    """Return the breaks with their places among the messages, and a last row that is none."""
    breaks = np.full((len(table) + 1, BREAK_COLUMNS), NONE, dtype=np.int64)
    breaks[:, BREAK_RESUMES] = NEVER_NS
    breaks[:-1, [BREAK_KIND, BREAK_AT, BREAK_INDEX]] = table
    if tape.one_clock:
        breaks[:-1, BREAK_POSITION] = positions[np.maximum(table[:, 2] - 1, 0)]
    else:
        breaks[:-1, BREAK_POSITION] = position_of(tape, table[:, 1].copy(), side="right")
    resumes = np.where(table[:, 0] == BREAK_RESUME, table[:, 2], NEVER_NS)
    breaks[:-1, BREAK_RESUMES] = np.minimum.accumulate(resumes[::-1])[::-1]
    return breaks


def _find_breaks(local_ns: Longs, stale_ns: int, fresh_ticks: int, feed: Longs) -> Longs:
    """Return (kind, time, message heard) of each break, and mark where the feed is trusted."""
    table = np.empty((2 * local_ns.size + 1, 3), dtype=np.int64)
    size, needed = 0, fresh_ticks
    for index in range(local_ns.size):
        if index and local_ns[index] - local_ns[index - 1] > stale_ns:
            table[size, 0] = BREAK_STALE
            table[size, 1] = local_ns[index - 1] + stale_ns
            table[size, 2] = index
            size += 1
            needed = fresh_ticks
        if needed:
            needed -= 1
            if not needed:
                table[size, 0] = BREAK_RESUME
                table[size, 1] = local_ns[index]
                table[size, 2] = index
                size += 1
        feed[index, H_FRESH] = 0 if needed else 1
    return table[:size].copy()


@functools.cache
def _break_pass() -> Callable[[Longs, int, int, Longs], Longs]:
    signature = "int64[:, ::1](int64[::1], int64, int64, int64[:, ::1])"
    ready: Callable[[Longs, int, int, Longs], Longs] = njit(signature, cache=True)(_find_breaks)
    return ready
