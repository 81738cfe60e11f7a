"""The audit of many events, and how many points a second the simulator passes."""

from __future__ import annotations

import importlib
import sys
import time
from typing import Any

from dmm import observe
from dmm.settings import PROJECT_ROOT
from dmm.settlement.batch import reserve
from dmm.settlement.epoch import EpochPlan, Job
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.time import Nanos
from dmm.usecases.audit import audit_all, record_funding

EVENTS_A_PAYMENT = 2
"""The token's transfer and the treasury's own event."""

RECIPIENT = "0x" + "f1" * 20
FUNDING = 10**12


def _of_tests(name: str) -> Any:
    """Return a module of the tests: simulator and journal in memory are theirs."""
    folder = str(PROJECT_ROOT / "tests")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(name)


def measure_audit(*, events: int) -> dict[str, object]:
    """Return the seconds of an audit of so many events, with the journal and the log in memory."""
    memory, chain = _of_tests("desk_memory"), _of_tests("chain_memory")
    observe.configure_logging("CRITICAL")
    desk, log, treasury = memory.Desk(), chain.NodeLog(final=100, head=100), memory.TREASURY
    log.move(chain.NOBODY, treasury, "DCT", FUNDING, height=30)
    record_funding(store=desk.store, log=log, clock=desk.clock, height=30, wait_s_max=1)
    intents = tuple(_reward(ordinal) for ordinal in range(events // EVENTS_A_PAYMENT))
    claim = desk.store.open_epoch(
        run_id="r1",
        job=Job.LIQUIDITY_REWARDS,
        scope="r1:x",
        epoch=0,
        now_ns=Nanos(0),
        chain_time_s=0,
    )
    postings = tuple(reserve(intent, at_ns=0) for intent in intents)
    desk.store.record_epoch(claim, EpochPlan(intents=intents, postings=postings))
    for place, intent in enumerate(intents):
        _pay(log, intent, treasury=treasury, height=40 + place // 500)
    log.final = log.head
    started = time.perf_counter()
    result = audit_all(store=desk.store, log=log)
    took_s = time.perf_counter() - started
    if not result.is_clean or len(result.paid) != len(intents):
        raise SystemExit("settle: the audit of the made-up books is not clean")
    return {"audited_events": len(result.events), "audit_100k_s": round(took_s, 2)}


def _reward(ordinal: int) -> Intent:
    return Intent(
        kind=IntentKind.REWARD,
        chain="evm",
        contract="treasury",
        vault="treasury",
        scope="r1:x",
        epoch=0,
        ordinal=ordinal,
        asset="DCT",
        recipient=RECIPIENT,
        amount=Atoms(1_000 + ordinal % 7),
        deadline_s=2_000_000_000,
        inputs={},
    )


def _pay(log: Any, intent: Intent, *, treasury: str, height: int) -> None:
    tx_id = log.move(treasury, RECIPIENT, "DCT", intent.amount, height=height)
    log.write(
        "treasury",
        "Paid",
        height=height,
        tx_id=tx_id,
        key=intent.intent_id.hex(),
        token="0xd0",  # noqa: S106 - a token's address
        to=RECIPIENT,
        amount=intent.amount,
    )


def measure_simulator(*, seeds: int) -> dict[str, object]:
    """Return the points a second at which the simulator may crash the driver, and did not break."""
    world = _of_tests("simulation.world").World
    observe.configure_logging("CRITICAL")
    started, points = time.perf_counter(), 0
    for seed in range(seeds):
        points += world(seed, guard=seed % 2 == 0, netted=seed % 4 >= 2).run().boundaries
    return {"simulator_points_per_s": round(points / (time.perf_counter() - started))}
