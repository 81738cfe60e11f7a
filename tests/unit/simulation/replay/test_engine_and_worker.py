"""The engine's desk beside the worker on the paper venue: the same orders and fills, one by one.

Nothing is left out on either side: the worker decides anew on a fill, watches its fills, pulls old
orders, spends its budget of requests and widens on toxic flow, and the engine must do the same. The
recorder's clock is the only one, for the paper venue knows no other.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from simulation_reference.beside_worker import (
    BUSY,
    CASES,
    TIGHT,
    Case,
    Told,
    engine_outcome,
    engine_told,
    simulated,
    worker_told,
)
from trading_values import policy_record

from dmm.adapters.feeds import open_tape
from dmm.adapters.venues.paper import RATE_WINDOWS
from dmm.market.tape import DepthUpdate, FeedEvent
from dmm.quoting.presets import paper_cex_policy, scale_of
from dmm.units.time import NS_PER_MS, NS_PER_S

TESTS = Path(__file__).resolve().parents[3]
DATA = TESTS.parents[1] / "shared" / "data" / "binance_ws_l2"
EVENTS = 2_000
SECONDS = 12
"""Of silence cut into a tape: the feed goes stale, and the venue's dead man's switch fires."""


@functools.cache
def worker_of(name: str) -> Told:
    return worker_told(*simulated(7, EVENTS), CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_the_engine_trades_as_the_worker_does_on_the_paper_venue(name: str) -> None:
    worker, outcome = worker_of(name), engine_outcome(*simulated(7, EVENTS), CASES[name])
    engine = engine_told(outcome)
    assert engine.fills == worker.fills
    assert engine.cash == worker.cash
    assert engine.decisions == worker.decisions
    assert outcome.orders_sent == len(worker.sent)
    assert np.isfinite(outcome.summary.sharpe)


def test_the_cases_reach_what_they_are_named_after() -> None:
    busy = {name for name in CASES if CASES[name].changes.get("refresh_ms") == BUSY["refresh_ms"]}
    plain = worker_told(*simulated(7, EVENTS), Case(latency_ns=0, changes=BUSY))
    late = worker_told(*simulated(7, EVENTS), Case(latency_ns=5 * NS_PER_MS, changes=BUSY))
    assert len(plain.fills) > 100
    for name in busy:
        other = late if CASES[name].latency_ns else plain
        assert worker_of(name).fills != other.fills, f"{name} changes nothing: it proves nothing"


def test_every_order_and_cancel_is_the_worker_s_at_the_same_instant() -> None:
    told = _uncompiled()
    for name in CASES:
        worker = worker_of(name)
        assert told[name]["sent"] == [list(row) for row in worker.sent], name
        # One message may cancel several: in which order is told by their fills and budgets.
        cancelled = sorted(list(row) for row in worker.cancelled)
        assert sorted(told[name]["cancelled"]) == cancelled, name
        assert told[name]["fills"] == [list(row) for row in worker.fills], name


def _uncompiled() -> dict[str, dict[str, list[list[int]]]]:
    """Return what the engine sends where nothing is compiled, so that a test can listen."""
    done = subprocess.run(
        [sys.executable, "-m", "simulation_reference.beside_worker", str(EVENTS)],
        cwd=TESTS,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    told: dict[str, dict[str, list[list[int]]]] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_a_silence_cancels_in_both_and_trust_returns_in_both() -> None:
    events, instrument = simulated(11, EVENTS)
    for latency_ns in (5 * NS_PER_MS, 4 * NS_PER_S):
        case = replace(TIGHT, latency_ns=latency_ns)
        gapped = [
            *events[:600],
            *_later(events[600:1_200], 4),
            *_later(events[1_200:], 4 + SECONDS),
        ]
        worker = worker_told(gapped, instrument, case)
        engine = engine_told(engine_outcome(gapped, instrument, case))
        assert engine.fills == worker.fills
        assert engine.decisions == worker.decisions
    assert len(worker.fills) > 0


def _later(events: Sequence[FeedEvent], seconds: int) -> list[FeedEvent]:
    ns = seconds * NS_PER_S
    return [
        replace(
            event,
            received_at_ns=event.received_at_ns + ns,
            exchange_at_ns=event.exchange_at_ns + ns,
        )
        for event in events
    ]


@pytest.mark.realdata
@pytest.mark.parametrize("tape", ["usdm_btcusdt_20240808.gz", "cm_btcusd_perp_20240808.gz"])
def test_the_engine_trades_as_the_worker_does_on_a_recording(tape: str) -> None:
    path = DATA / tape
    if not path.is_file():
        if os.environ.get("CI") == "true":
            pytest.fail(f"no recording at {path}")
        pytest.skip(f"no recording at {path}")
    opened = open_tape([path])
    events, instrument = list(islice(opened.events(), 20_000)), opened.instrument
    book = next(e for e in events if isinstance(e, DepthUpdate) and e.is_snapshot)
    preset = paper_cex_policy(
        instrument, scale_of(book), reward_budget_atoms=1, buyback_budget_atoms_max=1
    )
    for policy in (preset, replace(preset, **TIGHT.changes)):
        case = Case(
            latency_ns=5 * NS_PER_MS,
            windows=RATE_WINDOWS,
            policy=replace(policy_record(), policy=policy),
        )
        worker = worker_told(events, instrument, case)
        engine = engine_told(engine_outcome(events, instrument, case))
        assert len(worker.fills) > 10
        assert engine.fills == worker.fills
        assert engine.cash == worker.cash
        assert engine.decisions == worker.decisions
