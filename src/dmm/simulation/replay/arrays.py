"""The arrays a replay works on: what blocks share, and each set's numbers before the tape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction

import numpy as np

from dmm.market.instrument import ContractKind, Instrument
from dmm.simulation.replay.layout import (
    ACT_COLUMNS,
    ENTRY_FRESH,
    ENTRY_GROUP,
    ENTRY_KAPPA,
    ENTRY_SAME,
    ENTRY_SIGMA,
    ENTRY_STALE,
    ENTRY_VENUES,
    FUND_COLUMNS,
    M_AT,
    M_HEARD,
    M_VENUE,
    NONE,
    ORDERS_MAX,
    SAME_IN_ALL,
    SAME_PRICES,
    SEEN_ASK,
    SEEN_ASK_SIZE,
    SEEN_BID,
    SEEN_BID_SIZE,
    SEEN_STRIDE,
    TIER_COLUMNS,
    V_ATOMS,
    V_BEST_ASK,
    V_BEST_BID,
    V_BUSY,
    V_COLUMNS,
    V_DENOMINATOR,
    V_INVERSE,
    V_NUMERATOR,
    V_QUEUE,
    V_STIRRED,
    V_STRIDE,
    V_TIER,
    V_TIER_LAST,
    V_VIEW_FIRST,
    V_VIEW_LAST,
    Floats,
    Longs,
)
from dmm.simulation.replay.parameter_set import POLICIES, ParameterSet
from dmm.simulation.replay.prepare import PreparedTape
from dmm.simulation.replay.schedule import Plan
from dmm.simulation.replay.set_layout import (
    A_CHANGED_AT,
    A_COLUMNS,
    DESK,
    LINE,
    O_COLUMNS,
    S_ACCOUNTS,
    S_ACTION,
    S_ACTION_LAST,
    S_DECISIONS,
    S_FREE,
    S_GROUP,
    S_LEFT_OF,
    S_NUMBER,
    S_ORDERS,
    S_POLICY,
    S_WHOLE,
    X_COLUMNS,
    X_REAL,
)
from dmm.simulation.replay.terms import Funding, VenueTerms
from dmm.units.amount import Lots, Ticks
from dmm.units.errors import UsageFault


def contract_of(instrument: Instrument) -> tuple[int, int, int, int]:
    """Return whether it is inverse, and its atoms a tick and lot or a lot at one tick."""
    if instrument.kind is not ContractKind.INVERSE:
        return 0, instrument.cash_atoms(price=Ticks(1), size=Lots(1), rounded_up=False), 0, 1
    coins = Fraction(instrument.lot_size * instrument.contract_size)
    coins *= 10**instrument.cash.decimals
    numerator, denominator = (coins / Fraction(instrument.tick_size)).as_integer_ratio()
    return 1, 0, numerator, denominator


class Shared:
    """What every block reads, and what each gets its own copy of."""

    def __init__(
        self,
        tape: PreparedTape,
        terms: Sequence[VenueTerms],
        funding: Sequence[Funding],
        plan: Plan,
        stride: int,
    ) -> None:
        self.messages = tape.messages.copy()
        for venue, one in enumerate(terms):
            own = self.messages[:, M_VENUE] == venue
            happened_ns = self.messages[own, M_AT]
            # An answer never overtakes another to the same set; each set sees to that itself.
            self.messages[own, M_HEARD] = happened_ns + one.delays.response.at(happened_ns)
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
        self.venues = _venues(tape, terms, plan.opens_ns)
        self.venues[0, V_STRIDE] = stride
        self.venues[0, V_STIRRED] = self.venues[0, V_BUSY] = NONE
        self._empty = tape.levels
        self._spare: list[Longs] = []

    @contextmanager
    def levels(self) -> Iterator[Longs]:
        """Lend empty levels; those of a block that is done serve the next one."""
        try:
            levels = self._spare.pop()
        except IndexError:
            levels = np.empty_like(self._empty)
        np.copyto(levels, self._empty)
        yield levels
        self._spare.append(levels)


def _venues(tape: PreparedTape, terms: Sequence[VenueTerms], opens_ns: Longs) -> Longs:
    table = np.zeros((tape.venues, V_COLUMNS + len(opens_ns)), dtype=np.int64)
    table[0, V_COLUMNS:] = opens_ns
    tier = view_from = 0
    for venue, one in enumerate(terms):
        if not one.fees:
            raise UsageFault("a venue needs fee terms, if only of zero")
        row = table[venue]
        row[:5] = tape.ranges[venue]
        count = len(tape.views[venue].at_ns)
        row[V_VIEW_FIRST], row[V_VIEW_LAST] = view_from, view_from + count
        row[[V_INVERSE, V_ATOMS, V_NUMERATOR, V_DENOMINATOR]] = contract_of(
            tape.views[venue].instrument
        )
        row[V_TIER], row[V_TIER_LAST] = tier, tier + len(one.fees)
        row[V_QUEUE] = one.queue.code
        row[V_BEST_BID], row[V_BEST_ASK] = row[0] - 1, row[1]
        tier += len(one.fees)
        view_from += count
    return table


def blank_sets(
    sets: Sequence[ParameterSet],
    groups: Longs,
    plan: Plan,
    tape: PreparedTape,
    stride: int,
) -> tuple[Longs, Floats, Longs]:
    """Return the sets' numbers before the first message, their real ones, and all actions.

    Parameters
    ----------
    groups : number of each set's cadence, `NONE` for a desk's
    """
    longs = _in_lines(len(sets) * stride)
    table = longs.reshape(len(sets), stride)
    reals = np.zeros(len(sets) * X_COLUMNS, dtype=np.float64)
    real = reals.reshape(len(sets), X_COLUMNS)
    start_ns = min(int(view.at_ns[0]) for view in tape.views)
    table[:, S_LEFT_OF] = NONE
    for venue in range(tape.venues):
        table[:, S_ACCOUNTS + venue * A_COLUMNS + A_CHANGED_AT] = start_ns
    policies = np.array([POLICIES[one.policy] for one in sets], dtype=np.int64)
    stale = plan.entries[:, ENTRY_STALE] != 0
    turns = np.bincount(plan.entries[~stale, ENTRY_GROUP], minlength=len(plan.opens_ns) + 1)
    table[:, S_POLICY], table[:, S_GROUP] = policies, groups
    # When they decide is laid out, and so is how often; a desk counts for itself.
    table[:, S_DECISIONS] = np.where(policies == DESK, 0, turns[groups])
    ends = np.cumsum([len(one.actions) for one in sets])
    table[:, S_ACTION_LAST] = ends
    table[1:, S_ACTION] = ends[:-1]
    whole = _side_by_side([one.whole for one in sets], np.int64)
    table[:, S_WHOLE : S_WHOLE + whole.shape[1]] = whole
    parameters = _side_by_side([one.real for one in sets], np.float64)
    real[:, X_REAL : X_REAL + parameters.shape[1]] = parameters
    actions = [action for one in sets for action in one.actions]
    return longs, reals, np.array(actions, dtype=np.int64).reshape(-1, ACT_COLUMNS)


def _side_by_side(rows: Sequence[tuple[float, ...]], kind: type) -> np.ndarray:
    """Return rows of parameters as a table as wide as the longest, zeros behind the others."""
    width = max(len(row) for row in rows)
    return np.array([row + (0,) * (width - len(row)) for row in rows], dtype=kind)


def _in_lines(count: int) -> Longs:
    """Return zeros that begin with a line of the cache."""
    longs = np.zeros(count + LINE, dtype=np.int64)
    begin = -longs.ctypes.data // longs.itemsize % LINE
    return longs[begin : begin + count]


def place_sets(longs: Longs, pieces: Sequence[tuple[int, int]], stride: int) -> None:
    """Tell each set its number in its block, and where its order places are."""
    table = longs.reshape(-1, stride)
    places = S_ORDERS + O_COLUMNS * np.arange(ORDERS_MAX - 1, -1, -1)
    for first, last in pieces:
        numbers = np.arange(last - first)
        table[first:last, S_NUMBER] = numbers
        table[first:last, S_FREE : S_FREE + ORDERS_MAX] = (
            numbers[:, None] * stride + places[None, :]
        )


def mark_same(tape: PreparedTape, plan: Plan) -> None:
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
