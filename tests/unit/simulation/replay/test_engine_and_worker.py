"""The engine's desk beside the worker with the paper venue: the same fills from the same tape.

Left out on the worker's side is how it reacts to its own fills (it decides anew at once, and lets
their quality, age and place bend the next quote), and the venue's budget of requests: the engine
decides on the clock alone and knows no budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from ports_memory import MemoryStore
from simulation_reference.tapes import prepared
from trading_values import policy_record

from dmm.adapters.venues.paper import PaperVenue
from dmm.market.instrument import Instrument
from dmm.market.order import OrderReport
from dmm.market.tape import FeedEvent, TapeReport
from dmm.quoting.fill_watch import FillWatch
from dmm.sandbox.market import SimulatedMarket
from dmm.simulation.replay.latency import Latency
from dmm.simulation.replay.layout import F_AT, F_FEE, F_PRICE, F_SIDE, F_SIZE
from dmm.simulation.replay.run import FeeTerms, VenueTerms, replay
from dmm.simulation.replay.schedule import OrderLatency
from dmm.simulation.replay.sets import desk_set
from dmm.units.time import NS_PER_MS, NS_PER_S, Nanos
from dmm.usecases.play import play
from dmm.usecases.quote import EpochInputs, QuotingWorker


class ListFeed:
    """A feed of given events."""

    def __init__(self, events: Sequence[FeedEvent], instrument: Instrument) -> None:
        self._events = events
        self.instrument = instrument
        self.report = TapeReport()

    def events(self) -> Iterator[FeedEvent]:
        return iter(self._events)


class Unmoved(FillWatch):
    """Looks at no fill, so that nothing a fill says bends a quote."""

    def take_fill(self, *_: object, **__: object) -> None: ...

    def take_decision(self, *_: object, **__: object) -> None: ...

    def take_end(self, *_: object, **__: object) -> None: ...


class ClockedWorker(QuotingWorker):
    """The worker, deciding on the clock alone."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self._fills = Unmoved()

    def _take(self, reports: Sequence[OrderReport]) -> None:
        due_at_ns = self._refresh_at_ns
        super()._take(reports)
        self._refresh_at_ns = due_at_ns


def worker_fills(
    events: Sequence[FeedEvent], instrument: Instrument, *, latency_ns: int, fee_ubps: int,
    **changes: object,
) -> tuple[list[tuple[int, ...]], int]:  # fmt: skip
    store = MemoryStore()
    worker = ClockedWorker(
        run_id="run",
        instrument=instrument,
        venue=PaperVenue(
            instrument, latency_ns=latency_ns, maker_fee_ubps=fee_ubps, rate_windows=()
        ),
        store=store,
    )
    inputs = EpochInputs(policy=policy_record(**changes))  # type: ignore[arg-type]
    end_ns = Nanos(events[-1].received_at_ns + 1)
    play(
        ListFeed(events, instrument), worker, first=inputs, boundaries=[end_ns],
        on_boundary=lambda *_: inputs,
    )  # fmt: skip
    rows = [
        (fill.filled_at_ns, fill.side.sign, fill.price, fill.size, fill.fee_atoms)
        for fill in store.fills("run")
    ]
    return rows, worker.position.cash_atoms


SPAN_NS = 50 * NS_PER_S

CASES = {
    "as it stands": {},
    "tight and often": {"refresh_ms": 100, "spread_floor_ubps": 0, "skew_beta_ubps": 0},
    "small limits": {"inventory_soft_lots": 3, "inventory_hard_lots": 12, "refresh_ms": 200},
    "tanh skew, micro-price": {"skew": "tanh", "fair_value": "micro", "refresh_ms": 300},
    "ladder of risk aversion": {
        "gamma_nano_per_bp": 50_000_000,
        "gamma_calm_bps": 5_000,
        "gamma_hard_bps": 20_000,
        "skew_near_spread_bps": 3_000,
        "refresh_ms": 250,
    },
    "halts on its drawdown": {"drawdown_atoms_max": 20_000, "refresh_ms": 200},
    "volatility above its band": {
        "sigma_ubps_1s_min": 1,
        "sigma_ubps_1s_max": 2_000,
        "spike_pause_bps": 30_000,
    },
}


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("latency_ms", [0, 5])
def test_the_engine_trades_as_the_worker_does_on_the_paper_venue(
    changes: dict[str, object], latency_ms: int
) -> None:
    market = SimulatedMarket(np.random.default_rng(7))
    events = list(take(market.events()))
    instrument = market.instrument
    expected, cash = worker_fills(
        events, instrument, latency_ns=latency_ms * NS_PER_MS, fee_ubps=150_000, **changes
    )
    terms = VenueTerms(
        delays=OrderLatency(entry=Latency(constant_ns=latency_ms * NS_PER_MS)),
        fees=(FeeTerms(maker_ubps=150_000),),
    )
    one = desk_set(policy_record(**changes).policy)  # type: ignore[arg-type]
    outcome = replay(
        prepared(events, instrument=instrument, clock="received"), [one], terms=[terms]
    ).outcomes[0]
    columns = [F_AT, F_SIDE, F_PRICE, F_SIZE, F_FEE]
    assert [tuple(row) for row in outcome.fills[:, columns].tolist()] == expected
    assert outcome.venues[0].cash_atoms == cash
    assert np.isfinite(outcome.summary.sharpe)


def take(events: Iterator[FeedEvent]) -> Iterator[FeedEvent]:
    """Yield less than a minute of events: then the worker compares its books with the venue's."""
    first_ns: int | None = None
    for event in events:
        first_ns = event.received_at_ns if first_ns is None else first_ns
        if event.received_at_ns - first_ns > SPAN_NS:
            return
        yield event
