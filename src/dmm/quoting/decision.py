"""The worker's decisions, hash-chained, and what a slice of the tape left behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from dmm.market.instrument import Side
from dmm.market.order import Order
from dmm.market.tape import Level
from dmm.quoting.decision_inputs import DecisionInputs, Working, decision_bytes
from dmm.risk.breaker import Posture
from dmm.units.amount import Atoms, HalfTicks, Lots, Ticks
from dmm.units.fast_init import fast_init
from dmm.units.ids import Hash32, Json
from dmm.units.time import Nanos


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class RestingQuote:
    """One order of ours that rests after a decision."""

    side: Side
    price: Ticks
    size: Lots


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One quoting decision: its inputs and every output, in integers.

    Scales: `sigma_microticks` is σ over one second in 1e-6 ticks, `kappa_nano` κ per tick times
    1e9, `gamma_nano` γ per tick times 1e9 before the ladder; all three as put inside the policy's
    bands, 0 without a mid. `fair_microticks`, `reservation_microticks`, `shift_microticks` and
    `half_spread_microticks` are in 1e-6 ticks; the last three are 0 when nothing could be priced.

    `cancel` holds client ids, `keep` the orders left alone, `place` the orders to send now: the
    gate has accepted them in this order. `refused` holds why there is no price, and the gate's
    reasons. `signals` names the breakers that are on, `toxic_run` and `toxic_cycles_left` are the
    toxicity's state after this cycle, `refresh_ms` is the time until the next decision.
    """

    inputs: DecisionInputs
    posture: Posture
    signals: tuple[str, ...]
    toxic_run: int
    toxic_cycles_left: int
    fair_microticks: int
    confidence_bps: int
    sigma_microticks: int
    kappa_nano: int
    gamma_nano: int
    reservation_microticks: int
    shift_microticks: int
    half_spread_microticks: int
    cancel: tuple[str, ...]
    keep: tuple[Working, ...]
    place: tuple[Order, ...]
    refused: tuple[str, ...]
    refresh_ms: int

    @property
    def quotes(self) -> tuple[RestingQuote, ...]:
        """Return what rests after the decision: the orders kept, then the orders placed."""
        kept = [
            RestingQuote(side=order.side, price=order.price, size=order.remaining)
            for order in self.keep
        ]
        placed = [
            RestingQuote(side=order.side, price=order.price, size=order.size)
            for order in self.place
        ]
        return (*kept, *placed)

    @property
    def outputs(self) -> dict[str, Json]:
        """Return every output by its name, as journalled."""
        kept = [[order.side.value, order.price, order.remaining] for order in self.keep]
        placed = [[order.side.value, order.price, order.size] for order in self.place]
        return {
            "posture": self.posture.value,
            "signals": list(self.signals),
            "toxic_run": self.toxic_run,
            "toxic_cycles_left": self.toxic_cycles_left,
            "fair_microticks": self.fair_microticks,
            "confidence_bps": self.confidence_bps,
            "sigma_microticks": self.sigma_microticks,
            "kappa_nano": self.kappa_nano,
            "gamma_nano": self.gamma_nano,
            "reservation_microticks": self.reservation_microticks,
            "shift_microticks": self.shift_microticks,
            "half_spread_microticks": self.half_spread_microticks,
            "cancel": list(self.cancel),
            "keep": [order.client_id for order in self.keep],
            "place": [order.client_id for order in self.place],
            "quotes": cast("list[Json]", kept + placed),
            "refused": list(self.refused),
            "refresh_ms": self.refresh_ms,
        }

    @property
    def canonical_bytes(self) -> bytes:
        """Return the one byte form that the hash chain covers: inputs and outputs side by side."""
        return decision_bytes(self.inputs.body | self.outputs)


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """A decision as journalled: its bytes and its link in the run's hash chain."""

    run_id: str
    seq: int
    epoch: int
    decided_at_ns: Nanos
    body: bytes
    previous_hash: Hash32
    link_hash: Hash32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarketSlice:
    """What the market did in one epoch, for the estimators.

    `mid_half_ticks` is the mid on a 1 s grid from the slice's first second; trade arrays hold one
    element per trade: time, signed depth in half ticks from the mid of the last book state strictly
    before it (positive: beyond the mid on the aggressor's side), size in lots, aggressor is buyer.
    """

    mid_half_ticks: NDArray[np.int64]
    trade_at_ns: NDArray[np.int64]
    trade_depth_half_ticks: NDArray[np.int64]
    trade_size_lots: NDArray[np.int64]
    trade_is_buy: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SliceSummary:
    """One epoch as the worker closed it. `bids`, `asks`: top of book at the end, best first.

    `spread_captured_atoms` = Σ |fill price − mid at fill| · size, signed against us when we paid.
    """

    run_id: str
    epoch: int
    started_at_ns: Nanos
    ended_at_ns: Nanos
    events: int
    decisions: int
    quotes: int
    fills: int
    position: Lots
    mid: HalfTicks
    spread_captured_atoms: Atoms
    fees_atoms: Atoms
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    market: MarketSlice
