"""A replay: prepared tapes and parameter sets in, results out, however it is cut into blocks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dmm.market.instrument import ContractKind, Instrument
from dmm.simulation.replay.engine import compiled_pass
from dmm.simulation.replay.latency import INSTANT
from dmm.simulation.replay.layout import (
    A_CHANGED_AT,
    A_COLUMNS,
    ACT_COLUMNS,
    B_COLUMNS,
    E_COLUMNS,
    ENTRY_AT,
    ENTRY_FRESH,
    ENTRY_GROUP,
    ENTRY_KAPPA,
    ENTRY_SAME,
    ENTRY_SIGMA,
    ENTRY_STALE,
    ENTRY_VENUES,
    F_COLUMNS,
    FUND_COLUMNS,
    L_COLUMNS,
    L_HEAD,
    L_TAIL,
    M_AT,
    M_HEARD,
    M_VENUE,
    NONE,
    O_COLUMNS,
    ORDERS_MAX,
    POWER,
    RISK_AVERSE,
    S_ACCOUNTS,
    S_ACTION,
    S_ACTION_LAST,
    S_FREE,
    S_GROUP,
    S_LEFT_OF,
    S_NEXT_AT,
    S_NUMBER,
    S_ORDERS,
    S_POLICY,
    S_REPORTS_LOST,
    S_WHOLE,
    SAME_IN_ALL,
    SAME_PRICES,
    SEEN_ASK,
    SEEN_ASK_SIZE,
    SEEN_BID,
    SEEN_BID_SIZE,
    SEEN_STRIDE,
    SET_COLUMNS,
    TIER_COLUMNS,
    V_ATOMS,
    V_BEST_ASK,
    V_BEST_BID,
    V_COLUMNS,
    V_DENOMINATOR,
    V_INVERSE,
    V_NUMERATOR,
    V_QUEUE,
    V_TIER,
    V_TIER_LAST,
    V_VIEW_FIRST,
    V_VIEW_LAST,
    X_COLUMNS,
    X_REAL,
    Floats,
    Longs,
)
from dmm.simulation.replay.prepare import PreparedTape
from dmm.simulation.replay.result import Outcomes, ReplayResult
from dmm.simulation.replay.schedule import BLOCK_NS, Cadence, OrderLatency, Plan, plan_of
from dmm.simulation.replay.sets import POLICIES, ParameterSet
from dmm.simulation.replay.signals import online_estimates, other_estimates
from dmm.units.amount import Lots, Ticks
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.time import Nanos

SETS_MAX = 100_000
FILLS_MAX = 1_000_000
WHOLE_LIMIT = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueModel:
    """How the queue ahead moves: ``risk_averse``, ``power`` with its exponent n > 0, or ``fifo``.

    FIFO needs a tape that names orders, which none of the formats read here does.
    """

    name: str = "risk_averse"
    power: float = 2.0

    @property
    def code(self) -> int:
        """Return the engine's number of the model.

        Raises
        ------
        UsageFault
            If there is no such model for these tapes, by name.
        """
        if self.name == "fifo":
            raise UsageFault(
                "queue model fifo needs the id of every order, and the tape has prices and sizes "
                "only: choose risk_averse or power"
            )
        if self.name not in {"risk_averse", "power"} or not self.power > 0:
            raise UsageFault(f"no queue model {self}: choose risk_averse, or power with n > 0")
        return POWER if self.name == "power" else RISK_AVERSE


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeTerms:
    """Fees in 1e-6 bps of the cash value from an instant on; a rebate is negative."""

    from_ns: int = 0
    maker_ubps: int = 0
    taker_ubps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Funding:
    """One funding: who is long pays rate (1e-6 bps of worth at the mark; 0: the mid then)."""

    at_ns: Nanos
    rate_ubps: int
    venue: int = 0
    mark_half_ticks: int = 0


AT_ONCE = OrderLatency(entry=INSTANT, response=INSTANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueTerms:
    """What holds at a venue: latency, queue model, fee tiers by time (the first from the start)."""

    delays: OrderLatency = AT_ONCE
    queue: QueueModel = QueueModel()
    fees: tuple[FeeTerms, ...] = (FeeTerms(),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """Bounds and cuts of a replay: fills kept a set, length of a time block in ns."""

    fills_max: int = 10_000
    block_ns: int = BLOCK_NS


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
    blocks : into how many pieces the sets are cut, > 0
    mapper : runs the blocks; the caller's threads, for the core starts none

    Raises
    ------
    UsageFault
        If what is asked for cannot be replayed: it says what.
    InvariantBroken
        If more reports were under way to a set than it can hold.
    """
    _require(tape, sets, terms, funding, settings, blocks)
    cadences = list(dict.fromkeys(one.pace for one in sets))
    plan = plan_of(
        tape,
        cadences,
        [one.delays for one in terms],
        funding_at_ns=np.array([one.at_ns for one in funding], dtype=np.int64),
        block_ns=settings.block_ns,
    )
    estimates = _estimates(tape, plan, sets)
    _mark_same(tape, plan)
    shared = _Shared(tape, terms, funding, plan)
    names = {pace: number for number, pace in enumerate(cadences)}
    longs, reals, actions = _blank(sets, names, plan, tape)
    notes = np.zeros((len(sets), plan.blocks, B_COLUMNS), dtype=np.int64)
    fills = np.zeros((len(sets), settings.fills_max, F_COLUMNS), dtype=np.int64)
    play = compiled_pass()

    def run(piece: tuple[int, int]) -> None:
        first, last = piece
        m = longs[first * SET_COLUMNS : last * SET_COLUMNS]
        play(
            m, reals[first * X_COLUMNS : last * X_COLUMNS], shared.levels(), shared.venues.copy(),
            shared.messages, tape.rows, tape.prices, tape.rank, shared.views, shared.tiers,
            shared.funding, shared.powers, plan.stops, plan.entries, estimates, actions,
            notes[first:last], fills[first:last],
        )  # fmt: skip

    cuts = np.linspace(0, len(sets), min(blocks, len(sets)) + 1).astype(int).tolist()
    pieces = list(itertools.pairwise(cuts))
    _place(longs, pieces)
    for _ in mapper(run, pieces):
        pass
    table = longs.reshape(len(sets), SET_COLUMNS)
    lost = np.flatnonzero(table[:, S_REPORTS_LOST])
    if len(lost):
        raise InvariantBroken(
            f"set {lost[0]} had more reports under way than fit: answer faster or fill less"
        )
    return ReplayResult(
        outcomes=Outcomes(tape, sets, table, reals.reshape(-1, X_COLUMNS), notes, fills, plan),
        events=tape.book_rows,
        block_ends_ns=plan.block_ends_ns,
        notes=notes,
    )


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
    for view in tape.views:
        _require_range(view.instrument, int(tape.rows[:, 1].max(initial=0)), int(view.mid.max()))


HEDGED = ("symmetric", "hummingbot", "glft_grid")


def _require_range(instrument: Instrument, size: int, mid: int) -> None:
    """Refuse what would not fit into 64 bits: a trade of the largest size shown, a thousandfold."""
    contract = _contract(instrument)
    largest = 1_000 * size * max(1, mid) * contract[1]
    if contract[0]:
        largest = 1_000 * size * contract[2]
    if largest > WHOLE_LIMIT or size * 1_000_000 > WHOLE_LIMIT:
        raise UsageFault(
            f"{instrument.symbol}: sizes of {size} lots at {mid // 2} ticks need more than 63 bits "
            "of cash: give the cash asset fewer decimals"
        )


def _contract(instrument: Instrument) -> tuple[int, int, int, int]:
    """Return whether it is inverse, and its atoms a tick and lot or a lot at one tick."""
    if instrument.kind is not ContractKind.INVERSE:
        return 0, instrument.cash_atoms(price=Ticks(1), size=Lots(1), rounded_up=False), 0, 1
    coins = Fraction(instrument.lot_size * instrument.contract_size)
    coins *= 10**instrument.cash.decimals
    numerator, denominator = (coins / Fraction(instrument.tick_size)).as_integer_ratio()
    return 1, 0, numerator, denominator


class _Shared:
    """What every block reads, and what each gets its own copy of."""

    def __init__(
        self,
        tape: PreparedTape,
        terms: Sequence[VenueTerms],
        funding: Sequence[Funding],
        plan: Plan,
    ) -> None:
        self.messages = tape.messages.copy()
        for venue, one in enumerate(terms):
            own = self.messages[:, M_VENUE] == venue
            self.messages[own, M_HEARD] = one.delays.response.arrivals(self.messages[own, M_AT])
        self.views = np.concatenate(
            [np.stack((view.at_ns, view.mid), axis=1) for view in tape.views]
        )
        self.powers = np.array([one.queue.power for one in terms], dtype=np.float64)
        self.tiers = np.array(
            [[f.from_ns, f.maker_ubps, f.taker_ubps] for one in terms for f in one.fees],
            dtype=np.int64,
        ).reshape(-1, TIER_COLUMNS)
        self.funding = np.array(
            [[f.venue, f.rate_ubps, f.mark_half_ticks] for f in funding], dtype=np.int64
        ).reshape(-1, FUND_COLUMNS)
        self.venues = _venues(tape, terms)
        self._levels = 2 * len(tape.prices)

    def levels(self) -> Longs:
        """Return empty levels."""
        levels = np.zeros((self._levels, L_COLUMNS), dtype=np.int64)
        levels[:, L_HEAD] = levels[:, L_TAIL] = NONE
        return levels


def _venues(tape: PreparedTape, terms: Sequence[VenueTerms]) -> Longs:
    table = np.zeros((tape.venues, V_COLUMNS), dtype=np.int64)
    tier = view_from = 0
    for venue, one in enumerate(terms):
        if not one.fees:
            raise UsageFault("a venue needs fee terms, if only of zero")
        row = table[venue]
        row[:5] = tape.ranges[venue]
        count = len(tape.views[venue].at_ns)
        row[V_VIEW_FIRST], row[V_VIEW_LAST] = view_from, view_from + count
        row[[V_INVERSE, V_ATOMS, V_NUMERATOR, V_DENOMINATOR]] = _contract(
            tape.views[venue].instrument
        )
        row[V_TIER], row[V_TIER_LAST] = tier, tier + len(one.fees)
        row[V_QUEUE] = one.queue.code
        row[V_BEST_BID], row[V_BEST_ASK] = row[0] - 1, row[1]
        tier += len(one.fees)
        view_from += count
    return table


def _blank(
    sets: Sequence[ParameterSet],
    names: dict[Cadence, int],
    plan: Plan,
    tape: PreparedTape,
) -> tuple[Longs, Floats, Longs]:
    """Return the sets' numbers before the first message, their real ones, and all actions."""
    longs = np.zeros(len(sets) * SET_COLUMNS, dtype=np.int64)
    table = longs.reshape(len(sets), SET_COLUMNS)
    reals = np.zeros(len(sets) * X_COLUMNS, dtype=np.float64)
    real = reals.reshape(len(sets), X_COLUMNS)
    start_ns = min(int(view.at_ns[0]) for view in tape.views)
    table[:, S_LEFT_OF] = NONE
    for venue in range(tape.venues):
        table[:, S_ACCOUNTS + venue * A_COLUMNS + A_CHANGED_AT] = start_ns
    actions: list[tuple[int, ...]] = []
    for number, one in enumerate(sets):
        row = table[number]
        row[S_POLICY] = POLICIES[one.policy]
        row[S_GROUP] = names[one.pace]
        row[S_WHOLE : S_WHOLE + len(one.whole)] = one.whole
        real[number, X_REAL : X_REAL + len(one.real)] = one.real
        row[S_ACTION], row[S_ACTION_LAST] = len(actions), len(actions) + len(one.actions)
        actions += one.actions
    table[:, S_NEXT_AT] = plan.opens_ns[table[:, S_GROUP]]
    return longs, reals, np.array(actions, dtype=np.int64).reshape(-1, ACT_COLUMNS)


def _place(longs: Longs, pieces: Sequence[tuple[int, int]]) -> None:
    """Tell each set its number in its block, and where its order places are."""
    table = longs.reshape(-1, SET_COLUMNS)
    places = S_ORDERS + O_COLUMNS * np.arange(ORDERS_MAX - 1, -1, -1)
    for first, last in pieces:
        numbers = np.arange(last - first)
        table[first:last, S_NUMBER] = numbers
        table[first:last, S_FREE : S_FREE + ORDERS_MAX] = (
            numbers[:, None] * SET_COLUMNS + places[None, :]
        )


def _mark_same(tape: PreparedTape, plan: Plan) -> None:
    """Note which decisions see what the one before of their cadence saw."""
    prices = [ENTRY_GROUP, ENTRY_STALE, ENTRY_FRESH]
    others = [ENTRY_SIGMA, ENTRY_KAPPA]
    for venue in range(tape.venues):
        first = ENTRY_VENUES + venue * SEEN_STRIDE
        prices += [first + SEEN_BID, first + SEEN_ASK]
        others += [first + SEEN_BID_SIZE, first + SEEN_ASK_SIZE]
    same_prices, same_others = (
        (plan.entries[1:, columns] == plan.entries[:-1, columns]).all(axis=1)
        for columns in (prices, others)
    )
    plan.entries[1:, ENTRY_SAME] = np.where(
        same_prices, np.where(same_others, SAME_IN_ALL, SAME_PRICES), 0
    )


def _estimates(tape: PreparedTape, plan: Plan, sets: Sequence[ParameterSet]) -> Floats:
    """Put σ and κ into the entries, where any set reads them; return the other estimates."""
    view, columns = tape.views[0], tape.tapes[0].columns
    used = {one.policy for one in sets}
    if used & {"desk", "hummingbot"}:
        online = online_estimates(columns, view.heard_message, view.local_ns, view.book_mid)
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
