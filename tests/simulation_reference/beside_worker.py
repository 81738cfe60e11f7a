"""The live worker on the paper venue and the engine's desk on the same tape, told side by side.

As a script it plays the engine uncompiled (NUMBA_DISABLE_JIT=1) and writes every order and cancel
it sends as JSON: compiled code keeps no list of them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
from ports_memory import MemoryStore
from simulation_reference.tapes import prepared
from trading_values import policy_record

from dmm.adapters.venues.paper import PaperVenue
from dmm.market.instrument import Instrument
from dmm.market.order import Order
from dmm.market.tape import FeedEvent, TapeReport
from dmm.ports import PolicyRecord
from dmm.risk.rate import RateWindow
from dmm.sandbox.market import SimulatedMarket
from dmm.simulation.replay.latency import Latency
from dmm.simulation.replay.layout import F_AT, F_FEE, F_PRICE, F_SIDE, F_SIZE
from dmm.simulation.replay.result import SetOutcome
from dmm.simulation.replay.run import FeeTerms, VenueTerms, replay
from dmm.simulation.replay.schedule import OrderLatency
from dmm.simulation.replay.sets import desk_set
from dmm.units.time import NS_PER_MS, NS_PER_S, Nanos
from dmm.usecases.play import play
from dmm.usecases.quote import EpochInputs, QuotingWorker

FILL = [F_AT, F_SIDE, F_PRICE, F_SIZE, F_FEE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What both are told."""

    latency_ns: int
    fee_ubps: int = 150_000
    windows: tuple[RateWindow, ...] = ()
    changes: dict[str, object] = field(default_factory=dict)
    policy: PolicyRecord | None = None

    @property
    def record(self) -> PolicyRecord:
        return self.policy or policy_record(**self.changes)  # type: ignore[arg-type]


@dataclass(slots=True)
class Told:
    """What one of them did, in the order it did it."""

    sent: list[tuple[int, ...]] = field(default_factory=list)
    cancelled: list[tuple[int, ...]] = field(default_factory=list)
    fills: list[tuple[int, ...]] = field(default_factory=list)
    cash: int = 0
    decisions: int = 0


FEW = (RateWindow(length_ns=10 * NS_PER_S, weight_max=60, cancel_reserve=20),)
"""So few requests that orders and cancels must wait."""

TIGHT = Case(latency_ns=0, changes={"refresh_ms": 100, "skew_beta_ubps": 0, "spread_floor_ubps": 0})
BUSY = {"refresh_ms": 200, "spread_floor_ubps": 0}
CASES = {
    "as it stands": Case(latency_ns=5 * NS_PER_MS),
    "tight and often": TIGHT,
    "few requests": replace(TIGHT, latency_ns=5 * NS_PER_MS, windows=FEW),
    "few requests in two windows": Case(
        latency_ns=0,
        windows=(*FEW, RateWindow(length_ns=NS_PER_S, weight_max=9, cancel_reserve=3)),
        changes=BUSY,
    ),
    "toxic flow widens": Case(
        latency_ns=5 * NS_PER_MS,
        changes={
            **BUSY, "toxicity_threshold_ubps": 1, "toxicity_tau_bps": 5_000,
            "toxicity_cycles": 10, "toxicity_sustained": 2,
        },
    ),
    "spread not realised cuts the size": Case(
        latency_ns=0, changes={**BUSY, "realised_spread_bps_min": 500_000, "size_cut_bps": 3_000}
    ),
    "old orders are pulled": Case(
        latency_ns=5 * NS_PER_MS, changes={**BUSY, "quote_age_percentile_bps": 5_000}
    ),
    "fills off their reference pause": Case(
        latency_ns=0, changes={**BUSY, "fill_deviation_ubps_max": 100_000}
    ),
    "small limits": Case(
        latency_ns=0,
        changes={"inventory_soft_lots": 3, "inventory_hard_lots": 12, "refresh_ms": 200},
    ),
    "tanh skew, micro-price": Case(
        latency_ns=5 * NS_PER_MS,
        changes={"skew": "tanh", "fair_value": "micro", "refresh_ms": 300},
    ),
    "ladder of risk aversion": Case(
        latency_ns=0,
        changes={
            "gamma_nano_per_bp": 50_000_000, "gamma_calm_bps": 5_000, "gamma_hard_bps": 20_000,
            "skew_near_spread_bps": 3_000, "refresh_ms": 250,
        },
    ),
    "halts on its drawdown": Case(
        latency_ns=0, changes={"drawdown_atoms_max": 20_000, "refresh_ms": 200}
    ),
    "volatility above its band": Case(
        latency_ns=5 * NS_PER_MS,
        changes={
            "sigma_ubps_1s_min": 1, "sigma_ubps_1s_max": 2_000, "spike_pause_bps": 30_000,
        },
    ),
}  # fmt: skip
"""One for each thing that bends a quote."""


class ListFeed:
    """A feed of given events."""

    def __init__(self, events: Sequence[FeedEvent], instrument: Instrument) -> None:
        self._events = events
        self.instrument = instrument
        self.report = TapeReport()

    def events(self) -> Iterator[FeedEvent]:
        return iter(self._events)


class Listening(PaperVenue):
    """The paper venue, noting what it is sent."""

    told: Told

    def submit(self, order: Order) -> None:
        self.told.sent.append((order.created_at_ns, order.side.sign, order.price, order.size))
        super().submit(order)

    def cancel(self, client_id: str, *, now_ns: Nanos) -> None:
        order = next((one for one in self.open_orders if one.client_id == client_id), None)
        if order is not None:
            self.told.cancelled.append((now_ns, order.side.sign, order.price))
        super().cancel(client_id, now_ns=now_ns)


def worker_told(events: Sequence[FeedEvent], instrument: Instrument, case: Case) -> Told:
    """Return what the worker does on the paper venue."""
    told, store = Told(), MemoryStore()
    venue = Listening(
        instrument, latency_ns=case.latency_ns, maker_fee_ubps=case.fee_ubps,
        rate_windows=case.windows,
    )  # fmt: skip
    venue.told = told
    worker = QuotingWorker(run_id="run", instrument=instrument, venue=venue, store=store)
    inputs = EpochInputs(policy=case.record)
    seen: list[int] = []

    def closed(*_: object) -> EpochInputs:
        seen.append(worker.decisions)
        told.cash = worker.position.cash_atoms
        return inputs

    end_ns = Nanos(events[-1].received_at_ns + 1)
    play(
        ListFeed(events, instrument), worker, first=inputs, boundaries=[end_ns], on_boundary=closed
    )
    told.decisions = seen[0]
    told.fills = [
        (fill.filled_at_ns, fill.side.sign, fill.price, fill.size, fill.fee_atoms)
        for fill in store.fills("run")
    ]
    return told


def engine_outcome(events: Sequence[FeedEvent], instrument: Instrument, case: Case) -> SetOutcome:
    """Return what the engine's desk does."""
    terms = VenueTerms(
        delays=OrderLatency(entry=Latency(constant_ns=case.latency_ns)),
        fees=(FeeTerms(maker_ubps=case.fee_ubps),),
        rate_windows=case.windows,
    )
    tape = prepared(events, instrument=instrument, clock="received")
    return replay(tape, [desk_set(case.record.policy)], terms=[terms]).outcomes[0]


def engine_told(outcome: SetOutcome) -> Told:
    """Return an outcome's fills, cash and decisions."""
    return Told(
        fills=[tuple(row) for row in outcome.fills[:, FILL].tolist()],
        cash=outcome.venues[0].cash_atoms,
        decisions=outcome.decisions,
    )


def simulated(seed: int, count: int) -> tuple[list[FeedEvent], Instrument]:
    """Return so many events of a simulated market."""
    market = SimulatedMarket(np.random.default_rng(seed))
    return list(islice(market.events(), count)), market.instrument


def listened(events: Sequence[FeedEvent], instrument: Instrument, case: Case) -> Told:
    """Return what the uncompiled engine does, orders and cancels one by one."""
    from dmm.simulation.replay import desk_orders, set_layout  # noqa: PLC0415

    told = Told()
    send, cancel = desk_orders.send, desk_orders.cancel

    def noting_send(*told_of: int) -> int:
        m, base, _, _, side, price, size, *_ = told_of
        told.sent.append((int(m[base + set_layout.S_NOW]), int(side), int(price), int(size)))
        return send(*told_of)

    def noting_cancel(m: object, base: int, order: int, batch: int) -> None:
        if not m[order + set_layout.O_LEAVING]:
            at_ns = int(m[base + set_layout.S_NOW])
            told.cancelled.append(
                (at_ns, int(m[order + set_layout.O_SIDE]), int(m[order + set_layout.O_PRICE]))
            )
        cancel(m, base, order, batch)

    desk_orders.send, desk_orders.cancel = noting_send, noting_cancel
    outcome = engine_outcome(events, instrument, case)
    desk_orders.send, desk_orders.cancel = send, cancel
    rest = engine_told(outcome)
    told.fills, told.cash, told.decisions = rest.fills, rest.cash, rest.decisions
    return told


def main() -> None:
    """Write what the uncompiled engine does in every case."""
    events, instrument = simulated(7, int(sys.argv[1]))
    told = {name: listened(events, instrument, case) for name, case in CASES.items()}
    rows = {
        name: {"sent": one.sent, "cancelled": one.cancelled, "fills": one.fills}
        for name, one in told.items()
    }
    sys.stdout.write("\n" + json.dumps(rows) + "\n")


if __name__ == "__main__":
    main()
