"""What a replay of a set came to: totals, fills, time blocks, and the figures made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from dmm.simulation.replay.layout import (
    B_PNL,
    Floats,
    Longs,
)
from dmm.simulation.replay.prepare import PreparedTape
from dmm.simulation.replay.schedule import Plan
from dmm.simulation.replay.set_layout import (
    A_CASH,
    A_COLUMNS,
    A_FEES,
    A_FUNDING,
    A_INVENTORY,
    A_MARKOUT_1S,
    A_MARKOUT_5S,
    A_MARKOUT_30S,
    A_PLACED,
    A_TURNOVER,
    A_VOLUME,
    S_ACCOUNTS,
    S_DECISIONS,
    S_DRAWDOWN_MAX,
    S_FILLS,
    S_POSTURE,
    S_REFUSED,
    S_REJECTED,
    S_SENT,
    X_HELD,
    X_HELD_SQUARED,
    X_VENUE_COLUMNS,
)
from dmm.simulation.replay.sets import ParameterSet
from dmm.units.time import NS_PER_S

YEAR_S = 365 * 86_400
"""Seconds in a year of markets that never close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSummary:
    """A set's figures: money in atoms of the cash asset, sizes in lots.

    `pnl` is cash plus inventory marked at the last mid, fees and funding paid. `sharpe` is that of
    the profit of time blocks, annualised; 0 without variation. `max_drawdown` is the deepest fall
    of the profit that the desk knew at its decisions, and of the true one at the ends of blocks.
    `inventory_variance` is over time, lots². `realized_spread` is twice the profit of all fills
    against the mid 5 s later, in bps of the turnover. `fill_ratio` is lots filled of lots accepted.
    """

    params: Mapping[str, object]
    fills: int
    volume: int
    pnl: int
    fees: int
    sharpe: float
    max_drawdown: int
    inventory_variance: float
    realized_spread: float
    fill_ratio: float

    def to_json(self) -> dict[str, object]:
        """Return the figures by name."""
        return {name: getattr(self, name) for name in type(self).__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueTotals:
    """The truth at one venue at the end of the tape."""

    inventory_lots: int
    cash_atoms: int
    fees_atoms: int
    funding_atoms: int
    volume_lots: int
    turnover_atoms: int
    markout_atoms: tuple[int, int, int]
    """Profit of all fills against the mid 1, 5 and 30 s later, before fees."""
    placed_lots: int = 0
    """Lots of the orders that the venue accepted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SetOutcome:
    """Everything about one set.

    `fills` holds the first fills (columns `F_…` of `layout`), `fills_dropped` how many more there
    were; `blocks` running totals at the end of each time block (`B_…`). `orders_refused` found no
    place among 64, `orders_rejected` would have taken or replaced what was over.
    """

    summary: SetSummary
    venues: tuple[VenueTotals, ...]
    fills: Longs
    fills_dropped: int
    blocks: Longs
    decisions: int
    orders_sent: int
    orders_refused: int
    orders_rejected: int
    posture: int


class Outcomes(Sequence[SetOutcome]):
    """The outcomes of a replay, each worked out when it is asked for."""

    def __init__(
        self,
        tape: PreparedTape,
        sets: Sequence[ParameterSet],
        table: Longs,
        reals: Floats,
        notes: Longs,
        fills: Longs,
        plan: Plan,
    ) -> None:
        self._tape, self._sets, self._plan = tape, sets, plan
        self._table, self._reals, self._notes, self._fills = table, reals, notes, fills

    def __len__(self) -> int:
        return len(self._sets)

    @overload
    def __getitem__(self, index: int) -> SetOutcome: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[SetOutcome]: ...

    def __getitem__(self, index: int | slice) -> SetOutcome | Sequence[SetOutcome]:
        """Return the outcome of a set, or of several."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return _outcome(
            self._tape,
            self._sets[index],
            self._table[index],
            self._reals[index],
            self._notes[index],
            self._fills[index],
            self._plan,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReplayResult:
    """Outcomes in the order of the sets; `events` are the rows of depth and trades in the tape.

    `notes` is the array of all sets' blocks (set, block, ``B_…``), `block_ends_ns` their ends.
    """

    outcomes: Outcomes
    events: int
    block_ends_ns: Longs
    notes: Longs


def _outcome(
    tape: PreparedTape,
    one: ParameterSet,
    row: Longs,
    real: Floats,
    blocks: Longs,
    fills: Longs,
    plan: Plan,
) -> SetOutcome:
    kept = min(int(row[S_FILLS]), len(fills))
    return SetOutcome(
        summary=_summary(tape, one, row, real, blocks, plan),
        venues=tuple(_totals(row, venue) for venue in range(tape.venues)),
        fills=fills[:kept],
        fills_dropped=int(row[S_FILLS]) - kept,
        blocks=blocks,
        decisions=int(row[S_DECISIONS]),
        orders_sent=int(row[S_SENT]),
        orders_refused=int(row[S_REFUSED]),
        orders_rejected=int(row[S_REJECTED]),
        posture=int(row[S_POSTURE]),
    )


def _totals(row: Longs, venue: int) -> VenueTotals:
    account = row[S_ACCOUNTS + venue * A_COLUMNS : S_ACCOUNTS + (venue + 1) * A_COLUMNS].tolist()
    return VenueTotals(
        inventory_lots=account[A_INVENTORY],
        cash_atoms=account[A_CASH],
        fees_atoms=account[A_FEES],
        funding_atoms=account[A_FUNDING],
        volume_lots=account[A_VOLUME],
        turnover_atoms=account[A_TURNOVER],
        markout_atoms=(
            account[A_MARKOUT_1S], account[A_MARKOUT_5S], account[A_MARKOUT_30S],
        ),
        placed_lots=account[A_PLACED],
    )  # fmt: skip


def _summary(
    tape: PreparedTape,
    one: ParameterSet,
    row: Longs,
    real: Floats,
    blocks: Longs,
    plan: Plan,
) -> SetSummary:
    venues = tape.venues
    accounts = row[S_ACCOUNTS : S_ACCOUNTS + venues * A_COLUMNS].reshape(venues, A_COLUMNS)
    volume, turnover, markout, fees, placed = (
        int(accounts[:, column].sum())
        for column in (A_VOLUME, A_TURNOVER, A_MARKOUT_5S, A_FEES, A_PLACED)
    )
    equity = blocks[:, B_PNL]
    peaks = np.maximum.accumulate(np.maximum(equity, 0))
    return SetSummary(
        params=one.params,
        fills=int(row[S_FILLS]),
        volume=volume,
        pnl=int(equity[-1]),
        fees=fees,
        sharpe=_sharpe(equity, plan),
        max_drawdown=max(int(row[S_DRAWDOWN_MAX]), int((peaks - equity).max())),
        inventory_variance=_variance(real, venues, tape, plan),
        realized_spread=2e4 * markout / turnover if turnover else 0.0,
        fill_ratio=volume / placed if placed else 0.0,
    )


def _sharpe(equity: Longs, plan: Plan) -> float:
    if len(equity) < 2:
        return 0.0
    profits = np.diff(equity, prepend=0).astype(np.float64)
    deviation = float(profits.std(ddof=1))
    if deviation == 0.0:
        return 0.0
    span_s = float(plan.block_ends_ns[-1] - plan.block_ends_ns[0]) / NS_PER_S
    block_s = span_s / (len(equity) - 1)
    return float(profits.mean()) / deviation * math.sqrt(YEAR_S / block_s)


def _variance(real: Floats, venues: int, tape: PreparedTape, plan: Plan) -> float:
    start_ns = min(int(view.at_ns[0]) for view in tape.views)
    span_ns = float(plan.block_ends_ns[-1] - start_ns)
    if span_ns <= 0:
        return 0.0
    held = real[: venues * X_VENUE_COLUMNS].reshape(venues, X_VENUE_COLUMNS)
    means = held[:, X_HELD] / span_ns
    return float((held[:, X_HELD_SQUARED] / span_ns - means * means).clip(min=0.0).sum())
