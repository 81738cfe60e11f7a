"""A replay: prepared tapes and parameter sets in, results out, however it is cut into blocks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from dmm.market.instrument import Instrument
from dmm.simulation.replay.arrays import (
    Shared,
    blank_sets,
    contract_of,
    mark_same,
    place_sets,
)
from dmm.simulation.replay.compile import compiled_pass
from dmm.simulation.replay.desk_feed import NO_FEED, desk_feed
from dmm.simulation.replay.desk_layout import (
    D_HARD_LONG,
    D_HARD_SHORT,
    D_SIZE,
)
from dmm.simulation.replay.layout import (
    ACT_SIZE,
    B_COLUMNS,
    E_COLUMNS,
    ENTRY_AT,
    ENTRY_KAPPA,
    ENTRY_SIGMA,
    F_COLUMNS,
    NONE,
    Floats,
    Longs,
)
from dmm.simulation.replay.parameter_set import ParameterSet
from dmm.simulation.replay.prepare import PreparedTape
from dmm.simulation.replay.result import Outcomes, ReplayResult
from dmm.simulation.replay.schedule import Cadence, Plan, plan_of
from dmm.simulation.replay.set_layout import (
    DESK_SET_COLUMNS,
    S_REPORTS_LOST,
    SET_COLUMNS,
    X_COLUMNS,
)
from dmm.simulation.replay.signals import online_estimates, other_estimates
from dmm.simulation.replay.terms import (
    AT_ONCE,
    FeeTerms,
    Funding,
    QueueModel,
    ReplaySettings,
    VenueTerms,
)
from dmm.units.errors import InvariantBroken, UsageFault

__all__ = (
    "AT_ONCE",
    "FeeTerms",
    "Funding",
    "QueueModel",
    "ReplaySettings",
    "VenueTerms",
    "replay",
)

SETS_MAX = 100_000
FILLS_MAX = 1_000_000
WHOLE_LIMIT = 2**62

SETS_AT_ONCE, DESKS_AT_ONCE = 256, 128
"""Sets of a block at the most: a message meets what few sets hold near the processor, and reading
the tape once more costs less than fetching what many hold."""

DEFAULT_SETTINGS = ReplaySettings()

Mapper = Callable[[Callable[[tuple[int, int]], None], Iterable[tuple[int, int]]], Iterable[None]]
"""`map`, or an executor's: blocks need no order, and the engine holds no interpreter lock."""


def replay(
    tape: PreparedTape,
    sets: Sequence[ParameterSet],
    *,
    terms: Sequence[VenueTerms] = (VenueTerms(),),
    funding: Sequence[Funding] = (),
    settings: ReplaySettings = DEFAULT_SETTINGS,
    blocks: int = 1,
    mapper: Mapper = map,
) -> ReplayResult:
    """Replay a tape for every parameter set, in one pass a block.

    The result has the same bits for any number of blocks, on any number of threads.

    Parameters
    ----------
    tape : from `prepare`
    sets : at least one
    terms : one for each venue
    funding : in the order of their times
    blocks : into how many pieces the sets are cut at the least, > 0
    mapper : runs the blocks; the caller's threads, for the core starts none

    Raises
    ------
    UsageFault
        If what is asked for cannot be replayed: it says what.
    InvariantBroken
        If more reports were under way to a set than it can hold.
    """
    _require(tape, sets, terms, funding, settings, blocks)
    groups, cadences = _cadences(sets)
    plan = plan_of(
        tape,
        cadences,
        [one.delays for one in terms],
        funding_at_ns=np.array([one.at_ns for one in funding], dtype=np.int64),
        block_ns=settings.block_ns,
    )
    online = _online(tape, sets)
    estimates = _estimates(tape, plan, sets, online)
    mark_same(tape, plan)
    desks = [one for one in sets if one.policy == "desk"]
    stride = DESK_SET_COLUMNS if desks else SET_COLUMNS
    shared = Shared(tape, terms, funding, plan, stride)
    heard = desk_feed(tape, desks, terms[0], online, shared.messages) if desks else NO_FEED
    longs, reals, actions = blank_sets(sets, groups, plan, tape, stride)
    notes = np.zeros((len(sets), plan.blocks, B_COLUMNS), dtype=np.int64)
    fills = np.zeros((len(sets), settings.fills_max, F_COLUMNS), dtype=np.int64)
    play = compiled_pass()
    nobody = np.full(len(tape.messages) + 1, NONE, dtype=np.int64)

    def run(piece: tuple[int, int]) -> None:
        first, last = piece
        m = longs[first * stride : last * stride]
        agenda = nobody.copy() if desks else nobody
        with shared.levels() as levels:
            play(
                m, reals[first * X_COLUMNS : last * X_COLUMNS], levels, shared.venues.copy(),
                shared.messages, tape.shown, tape.prices, tape.rank, shared.views, shared.tiers,
                shared.funding, shared.powers, plan.stops, plan.entries, estimates, actions,
                notes[first:last], fills[first:last], agenda, heard.feed, heard.market,
                heard.told, heard.breaks, heard.way,
            )  # fmt: skip

    count = max(blocks, -(-len(sets) // (DESKS_AT_ONCE if desks else SETS_AT_ONCE)))
    cuts = np.linspace(0, len(sets), min(count, len(sets)) + 1).astype(int).tolist()
    pieces = list(itertools.pairwise(cuts))
    place_sets(longs, pieces, stride)
    for _ in mapper(run, pieces):
        pass
    table = longs.reshape(len(sets), stride)
    lost = np.flatnonzero(table[:, S_REPORTS_LOST])
    if len(lost):
        raise InvariantBroken(
            f"set {lost[0]} had more reports under way, or fills to be judged, than fit: answer "
            "faster or fill less"
        )
    return ReplayResult(
        outcomes=Outcomes(tape, sets, table, reals.reshape(-1, X_COLUMNS), notes, fills, plan),
        events=tape.book_rows,
        block_ends_ns=plan.block_ends_ns,
        notes=notes,
    )


def _cadences(sets: Sequence[ParameterSet]) -> tuple[Longs, list[Cadence]]:
    """Return the number of each set's cadence, none for a desk's, and the cadences."""
    names: dict[Cadence, int] = {}
    groups = [
        NONE if one.policy == "desk" else names.setdefault(one.pace, len(names)) for one in sets
    ]
    return np.array(groups, dtype=np.int64), list(names)


def _require(
    tape: PreparedTape,
    sets: Sequence[ParameterSet],
    terms: Sequence[VenueTerms],
    funding: Sequence[Funding],
    settings: ReplaySettings,
    blocks: int,
) -> None:
    if not 0 < len(sets) <= SETS_MAX or blocks <= 0:
        raise UsageFault(f"a replay takes 1 to {SETS_MAX} sets and blocks, got {len(sets)}")
    if len(terms) != tape.venues:
        raise UsageFault(f"{tape.venues} venues need as many terms, got {len(terms)}")
    if not 0 <= settings.fills_max <= FILLS_MAX or settings.block_ns <= 0:
        raise UsageFault(f"fills_max must be 0 to {FILLS_MAX} and block_ns above 0")
    times_ns = [one.at_ns for one in funding]
    if times_ns != sorted(times_ns) or any(not 0 <= one.venue < tape.venues for one in funding):
        raise UsageFault("fundings must stand in the order of their times, at venues there are")
    for one in sets:
        venues = [action[3] for action in one.actions] + [
            one.whole[3] if one.policy in HEDGED else 0
        ]
        if any(not 0 <= venue < tape.venues for venue in venues):
            raise UsageFault(f"a set trades at a venue that is not replayed: {one.params}")
    size = tape.size_max
    own = min(1_000 * size, max(_lots_max(one) for one in sets))
    for view in tape.views:
        _require_range(view.instrument, size, int(view.mid.max()), own=own)


HEDGED = ("symmetric", "hummingbot", "glft_grid")


def _lots_max(one: ParameterSet) -> int:
    """Return how many lots a set may hold or send at the most."""
    if one.policy == "desk":
        return max(one.whole[D_HARD_LONG], one.whole[D_HARD_SHORT], one.whole[D_SIZE])
    if one.policy == "script":
        return sum(action[ACT_SIZE] for action in one.actions)
    return max(one.whole[:2])


def _require_range(instrument: Instrument, size: int, mid: int, *, own: int) -> None:
    """Refuse what would not fit into 64 bits: all that a set may turn over in a tape.

    That is a thousand times the largest size shown, or a hundred thousand times the most lots it
    may hold, `own`, whichever is less. Of an inverse contract a single execution or position is the
    largest number, in atoms at one tick; four leave room for the doubled size that marks it.
    """
    contract = contract_of(instrument)
    largest = min(1_000 * size, 100_000 * own) * max(1, mid) * contract[1]
    if contract[0]:
        largest = 4 * own * contract[2]
    if largest > WHOLE_LIMIT or size * 1_000_000 > WHOLE_LIMIT:
        raise UsageFault(
            f"{instrument.symbol}: sizes of {size} lots at {mid // 2} ticks need more than 63 bits "
            "of cash: give the cash asset fewer decimals"
        )


def _online(tape: PreparedTape, sets: Sequence[ParameterSet]) -> Longs:
    """Return the worker's own estimates after each message heard, where any set reads them."""
    view = tape.views[0]
    if not {one.policy for one in sets} & {"desk", "hummingbot"}:
        return np.zeros((0, 3), dtype=np.int64)
    return online_estimates(tape.tapes[0].columns, view.heard_message, view.local_ns, view.book_mid)


def _estimates(
    tape: PreparedTape, plan: Plan, sets: Sequence[ParameterSet], online: Longs
) -> Floats:
    """Put σ and κ into the entries, where any set reads them; return the other estimates."""
    view, columns = tape.views[0], tape.tapes[0].columns
    used = {one.policy for one in sets}
    if "hummingbot" in used:
        known = plan.heard_at >= 0
        at = np.maximum(plan.heard_at, 0)
        plan.entries[:, ENTRY_SIGMA] = np.where(known, online[at, 0], 0)
        plan.entries[:, ENTRY_KAPPA] = np.where(known, online[at, 1], 0)
    if not used & {"hummingbot", "glft_grid"}:
        return np.zeros((1, E_COLUMNS))
    bid, ask = view.heard[:, 0], view.heard[:, 2]
    mids = np.where((bid > 0) & (bid < ask), bid + ask, 0)
    when_ns = plan.entries[:, ENTRY_AT]
    order = np.argsort(when_ns, kind="stable")
    sorted_estimates = other_estimates(
        columns, view.heard_message, view.local_ns, mids, np.ascontiguousarray(when_ns[order])
    )
    estimates = np.empty_like(sorted_estimates)
    estimates[order] = sorted_estimates
    return estimates
