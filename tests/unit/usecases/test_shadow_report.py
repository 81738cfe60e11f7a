"""The figures of a shadow run, worked out by hand and beside the live run of the same time."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import takewhile

import numpy as np
import pytest
from ports_memory import MemoryStore
from trading_values import MEASURED, policy_record

from dmm.adapters.shadow_journal import ShadowJournal
from dmm.adapters.venues.paper import PaperVenue
from dmm.adapters.venues.shadow import ShadowVenue
from dmm.entrypoints.shadow import lines, shadow_run
from dmm.ports import SHADOW, Run
from dmm.sandbox.market import SimulatedMarket
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.quote import QuotingWorker
from dmm.usecases.shadow import MARKOUT_NS, shadow_report
from dmm.usecases.situation import EpochInputs

SPAN_NS = 40 * NS_PER_S


def play(store: MemoryStore, run_id: str, *, kind: str, seed: int = 3, from_s: int = 0) -> Run:
    """Quote the first part of a simulated market in two epochs, as a live run or a shadow."""
    market = SimulatedMarket(np.random.default_rng(seed), duration_s=60)
    instrument = market.instrument
    everything = list(market.events())
    begin_ns = everything[0].received_at_ns + from_s * NS_PER_S
    end_ns = everything[0].received_at_ns + SPAN_NS
    run = store.open_run(
        Run(
            run_id=run_id,
            kind=kind,
            symbol=instrument.symbol,
            epochs=0,
            spec={"instrument": instrument.to_json()},
            started_at_ns=Nanos(begin_ns),
        )
    )
    paper = PaperVenue(instrument)
    worker = QuotingWorker(
        run_id=run_id,
        instrument=instrument,
        venue=ShadowVenue.of(paper, instrument) if kind == SHADOW else paper,
        store=ShadowJournal(store) if kind == SHADOW else store,  # type: ignore[arg-type]
    )
    inputs = EpochInputs(policy=policy_record(refresh_ms=200), estimates=MEASURED)
    worker.begin_epoch(0, started_at_ns=Nanos(begin_ns), inputs=inputs)
    half_ns = (begin_ns + end_ns) // 2
    epoch = 0
    for event in takewhile(lambda one: one.received_at_ns < end_ns, everything):
        if event.received_at_ns >= half_ns and not epoch:
            worker.end_epoch(Nanos(half_ns))
            epoch = 1
            worker.begin_epoch(1, started_at_ns=Nanos(half_ns), inputs=inputs)
        worker.on_event(event)
    worker.shutdown()
    return run


@pytest.fixture(scope="module")
def watched() -> MemoryStore:
    """A live run and a shadow on the same market at the same time."""
    store = MemoryStore()
    play(store, "live-run", kind="up")
    play(store, "watching", kind=SHADOW)
    return store


def test_a_live_run_and_one_that_is_not_there_are_refused(watched: MemoryStore) -> None:
    with pytest.raises(UsageFault, match="kind up"):
        shadow_report(store=watched, run_id="live-run")  # type: ignore[arg-type]
    with pytest.raises(UsageFault, match="nobody"):
        shadow_report(store=watched, run_id="nobody")  # type: ignore[arg-type]
    with pytest.raises(UsageFault, match="no live run"):
        shadow_report(store=watched, run_id="watching", against="watching")  # type: ignore[arg-type]


def test_a_live_run_of_another_time_is_no_comparison() -> None:
    store = MemoryStore()
    play(store, "watching", kind=SHADOW)
    early = store.run("watching").started_at_ns - 3_600 * NS_PER_S
    store.open_run(
        replace(store.run("watching"), run_id="earlier", kind="up", started_at_ns=Nanos(early))
    )
    found = shadow_report(store=store, run_id="watching")  # type: ignore[arg-type]
    assert (found.live_run_id, found.live) == (None, None)
    with pytest.raises(UsageFault, match="same time"):
        shadow_report(store=store, run_id="watching", against="earlier")  # type: ignore[arg-type]


def test_a_shadow_of_the_same_market_and_policy_trades_as_the_live_run_did(
    watched: MemoryStore,
) -> None:
    found = shadow_report(store=watched, run_id="watching")  # type: ignore[arg-type]
    assert found.live_run_id == "live-run"
    assert found.shadow.fills > 10
    assert found.shadow == found.live


def test_the_figures_are_those_of_the_journalled_fills_and_mids(watched: MemoryStore) -> None:
    found = shadow_report(store=watched, run_id="watching").shadow  # type: ignore[arg-type]
    fills = watched.fills("watching")
    instrument = SimulatedMarket(np.random.default_rng(3)).instrument
    atoms = instrument.cash_atoms(price=1, size=1, rounded_up=False)  # type: ignore[arg-type]
    decided = [(r.decided_at_ns, json.loads(r.body)) for r in watched.decisions("watching")]
    turnover = sum(f.price * f.size for f in fills)
    assert found.turnover_atoms == turnover * atoms
    assert found.volume_lots == sum(f.size for f in fills)
    inventory = sum(f.side.sign * f.size for f in fills)
    cash = -sum(f.side.sign * f.price * f.size for f in fills)
    last = decided[-1][1]["mid"]
    assert found.inventory_lots == inventory
    assert found.pnl_atoms == (2 * cash + inventory * last) * atoms // 2
    captured = sum(f.side.sign * (f.mid - 2 * f.price) * f.size for f in fills) / 2
    assert found.spread_bps == pytest.approx(2e4 * captured / turnover, rel=1e-9)
    gained = traded = 0.0
    for fill in fills:
        later = [b["mid"] for at, b in decided if at >= fill.filled_at_ns + MARKOUT_NS]
        if later:
            gained += fill.side.sign * (later[0] / 2 - fill.price) * fill.size
            traded += fill.price * fill.size
    assert found.markout_bps_5s == pytest.approx(1e4 * gained / traded, rel=1e-9)
    spreads = [2e4 * b["half_spread_microticks"] / b["fair_microticks"] for _, b in decided]
    priced = [bps for bps in spreads if bps > 0]
    assert found.quoted_spread_bps == pytest.approx(sum(priced) / len(priced), rel=1e-9)
    assert found.decisions == len(decided)


def test_both_are_measured_within_the_time_both_ran() -> None:
    store = MemoryStore()
    play(store, "live-run", kind="up")
    late = play(store, "watching", kind=SHADOW, from_s=10)
    found = shadow_report(store=store, run_id="watching")  # type: ignore[arg-type]
    assert found.live is not None
    assert found.window_ns[0] == late.started_at_ns
    before = [f for f in store.fills("live-run") if f.filled_at_ns < late.started_at_ns]
    assert before
    assert found.live.fills == len(store.fills("live-run")) - len(before)


def test_a_shadow_without_fills_has_figures_of_nothing() -> None:
    store = MemoryStore()
    instrument = SimulatedMarket(np.random.default_rng(3)).instrument
    store.open_run(
        Run(
            run_id="idle",
            kind=SHADOW,
            symbol=instrument.symbol,
            epochs=0,
            spec={"instrument": instrument.to_json()},
            started_at_ns=Nanos(100),
        )
    )
    found = shadow_report(store=store, run_id="idle")  # type: ignore[arg-type]
    assert found.shadow.fills == found.shadow.pnl_atoms == found.shadow.decisions == 0
    assert found.shadow.spread_bps is None
    assert json.loads(json.dumps(found.to_json()))["live"] is None
    assert any("hypothetical" in line for line in lines(found, instrument))


def test_latest_means_the_latest_shadow(watched: MemoryStore) -> None:
    assert shadow_run(watched, "latest") == "watching"  # type: ignore[arg-type]
    assert shadow_run(watched, "watching") == "watching"  # type: ignore[arg-type]
    with pytest.raises(UsageFault, match="no shadow run"):
        shadow_run(MemoryStore(), "latest")  # type: ignore[arg-type]
