"""The worker's decisions, hash-chained, and what a slice of the tape left behind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmm.market.instrument import Side
from dmm.market.tape import Level
from dmm.units.amount import Atoms, HalfTicks, Lots, Ticks
from dmm.units.ids import Hash32, Json, canonical_json
from dmm.units.time import Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class RestingQuote:
    """One order of ours that rests after a decision."""

    side: Side
    price: Ticks
    size: Lots


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One quoting decision: every input, scaled to integers, and every output.

    Scales: `sigma_microticks` is σ over one second in 1e-6 ticks, `kappa_nano` κ per tick times
    1e9, `gamma_nano` γ per tick times 1e9, `reservation_microticks` and `half_spread_microticks` in
    1e-6 ticks. `refused` holds the gate's reasons.
    """

    run_id: str
    seq: int
    epoch: int
    decided_at_ns: Nanos
    posture: str
    best_bid: Ticks
    best_bid_size: Lots
    best_ask: Ticks
    best_ask_size: Lots
    inventory: Lots
    sigma_microticks: int
    kappa_nano: int
    gamma_nano: int
    policy_sequence: int
    estimate_version: int
    reservation_microticks: int
    half_spread_microticks: int
    quotes: tuple[RestingQuote, ...]
    refused: tuple[str, ...]

    @property
    def canonical_bytes(self) -> bytes:
        """Return the one byte form that the hash chain covers."""
        body: dict[str, Json] = {
            "run_id": self.run_id,
            "seq": self.seq,
            "epoch": self.epoch,
            "decided_at_ns": self.decided_at_ns,
            "posture": self.posture,
            "best_bid": self.best_bid,
            "best_bid_size": self.best_bid_size,
            "best_ask": self.best_ask,
            "best_ask_size": self.best_ask_size,
            "inventory": self.inventory,
            "sigma_microticks": self.sigma_microticks,
            "kappa_nano": self.kappa_nano,
            "gamma_nano": self.gamma_nano,
            "policy_sequence": self.policy_sequence,
            "estimate_version": self.estimate_version,
            "reservation_microticks": self.reservation_microticks,
            "half_spread_microticks": self.half_spread_microticks,
            "quotes": [[q.side.value, q.price, q.size] for q in self.quotes],
            "refused": list(self.refused),
        }
        return canonical_json(body)


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
