"""``dmm gov policy``: a preset, or a proposal's bytes, comes into force by an executed order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk_memory import Desk as Memory
from desk_memory import order
from journal_memory import MemoryJournal
from typer.testing import CliRunner, Result

from dmm.adapters.venues.paper import PaperVenue
from dmm.bootstrap import Desk
from dmm.entrypoints import gov
from dmm.entrypoints.cli import app
from dmm.entrypoints.worker import open_run
from dmm.governance.policy import Policy
from dmm.quoting.presets import Preset, VenueKind
from dmm.sandbox import demo_governance
from dmm.sandbox.demo_program import demo_policy, opening_book
from dmm.sandbox.market import SimulatedMarket
from dmm.settings import Settings
from dmm.units.errors import ServiceFault
from dmm.usecases.control import apply_order, record_genesis
from dmm.usecases.epoch_inputs import epoch_inputs
from dmm.usecases.quote import QuotingWorker

SEED = 5
MARKET = SimulatedMarket(np.random.default_rng(SEED), duration_s=20)


def preset(name: Preset, venue: VenueKind = VenueKind.PAPER_CEX) -> Policy:
    return demo_policy(MARKET.instrument, opening_book(MARKET), preset=name, venue=venue)


class Scene:
    """A desk in memory whose owners sign at once, and whose scheduler applies what it hears of."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.store, self.chain = MemoryJournal(), self.memory.chain
        record_genesis(
            store=self.store, clock=self.memory.clock, chain="evm", policy=preset(Preset.STEADY)
        )
        self.run = open_run(self.store, self.memory.clock, MARKET, seed=SEED)
        self.hints: list[int] = []
        self.is_deaf = False
        desk = self.desk = Desk(Settings())
        desk.__dict__ |= {
            "store": self.store,
            "clock": self.memory.clock,
            "scheduler": self,
            "chain": lambda: self.chain,
        }

    def emit(self, event: str, *, resource: str, payload: dict[str, Any]) -> None:
        assert (event, resource) == (
            demo_governance.EVENT,
            f"dmm.governance.evm.{payload['sequence']}",
        )
        self.hints.append(payload["sequence"])
        if self.is_deaf:
            return
        apply_order(
            store=self.store,
            chain=self.chain,
            clock=self.memory.clock,
            run_id=self.run.run_id,
            sequence=payload["sequence"],
            wait_s_max=1,
        )

    def execute(self, *, family: str, body: bytes, **_: object) -> tuple[int, str]:
        orders = self.chain.orders
        previous = orders[-1].head if orders else b"\x07" * 32
        orders.append(order(len(orders) + 1, family, body, previous=previous))
        return orders[-1].sequence, orders[-1].tx_id

    @property
    def in_force(self) -> tuple[int, Policy]:
        head = self.store.policy_head()
        assert head is not None
        return head.sequence, head.policy


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene()

    @contextmanager
    def running(_state: Path | None) -> Iterator[Desk]:
        yield made.desk

    monkeypatch.setattr(gov, "running_desk", running)
    monkeypatch.setattr(demo_governance, "execute_order", made.execute)
    return made


def called(tmp_path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["gov", "policy", *arguments, "--state", str(tmp_path)])


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "no policy is named: --preset NAME, or --body FILE"),
        (("--preset", "bold"), "no preset is named 'bold': there are bootstrap, steady, defensive"),
        (
            ("--preset", "steady", "--venue", "moon"),
            "no venue is named 'moon': there are paper-cex, ton-dex",
        ),
        (("--preset", "steady", "--body", "b"), "--preset and --body name two policies"),
        (("--body", "b", "--venue", "ton-dex"), "--venue goes with --preset"),
        (("--body", "/nowhere/b"), "/nowhere/b cannot be read (No such file or directory)"),
        (("--preset", "steady"), "policy steady/paper-cex is in force already, by order 0"),
    ],
)
def test_a_call_that_names_no_other_policy_is_refused_and_executes_nothing(
    arguments: tuple[str, ...], why: str, scene: Scene, tmp_path: Path
) -> None:
    done = called(tmp_path, *arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"dmm: {why}")
    assert scene.chain.orders == []


UNSOUND = replace(preset(Preset.STEADY), gamma_nano_per_bp=10**11)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"{}", "policy fields differ"),
        (preset(Preset.DEFENSIVE).canonical_bytes + b"\n", "not in canonical form"),
        (preset(Preset.DEFENSIVE).canonical_bytes + b" " * 4_096, "bytes, at most 4096"),
        (UNSOUND.canonical_bytes, "are per basis point of mid"),
        (preset(Preset.STEADY).canonical_bytes, "is in force already"),
    ],
)
def test_bytes_that_adoption_would_refuse_are_never_executed(
    body: bytes, why: str, scene: Scene, tmp_path: Path
) -> None:
    path = tmp_path / "body"
    path.write_bytes(body)
    done = called(tmp_path, "--body", str(path))
    assert done.exit_code == 2
    assert why in done.stderr
    assert scene.chain.orders == []


@pytest.mark.parametrize("name", [Preset.BOOTSTRAP, Preset.DEFENSIVE])
def test_a_preset_is_executed_adopted_and_told_field_by_field(
    name: Preset, scene: Scene, tmp_path: Path
) -> None:
    before, wanted = preset(Preset.STEADY), preset(name)
    done = called(tmp_path, "--preset", name.value)
    assert done.exit_code == 0, done.output
    assert scene.in_force == (1, wanted)
    lines = done.stdout.splitlines()
    assert lines[0] == f"policy {name.value}/paper-cex for steady/paper-cex of order 0"
    assert lines[-2] == "order 1 executed on evm by transaction 0xorder1"
    told = dict(line.strip().split(": ", 1) for line in lines[1:-2])
    differing = {key for key, value in before.body.items() if wanted.body[key] != value}
    assert set(told) == differing
    assert told["spread_floor_ubps"] == f"{before.spread_floor_ubps} → {wanted.spread_floor_ubps}"


def test_json_names_order_transaction_and_changes(scene: Scene, tmp_path: Path) -> None:
    done = called(tmp_path, "--preset", "defensive", "--json")
    told = json.loads(done.stdout)
    assert (told["sequence"], told["tx_id"]) == (1, "0xorder1")
    assert told["preset"] == "defensive/paper-cex"
    assert told["policy_hash"] == scene.in_force[1].policy_hash.hex()
    assert told["changes"]["preset"] == ["steady/paper-cex", "defensive/paper-cex"]


def test_a_preset_keeps_the_venue_of_the_policy_in_force_unless_one_is_named(
    scene: Scene, tmp_path: Path
) -> None:
    assert called(tmp_path, "--preset", "steady", "--venue", "ton-dex").exit_code == 0
    assert called(tmp_path, "--preset", "defensive").exit_code == 0
    assert scene.in_force == (2, preset(Preset.DEFENSIVE, VenueKind.TON_DEX))


def test_the_bytes_of_a_proposal_are_executed_as_they_are(scene: Scene, tmp_path: Path) -> None:
    winner = replace(preset(Preset.STEADY), refresh_ms=750)
    (tmp_path / "body").write_bytes(winner.canonical_bytes)
    done = called(tmp_path, "--body", str(tmp_path / "body"))
    assert "refresh_ms: 500 → 750" in done.stdout
    assert scene.in_force == (1, winner)
    assert scene.chain.orders[0].body == winner.canonical_bytes


def test_an_executed_policy_that_nobody_adopted_is_announced_again_and_executed_once(
    scene: Scene, tmp_path: Path
) -> None:
    scene.is_deaf = True
    lost = called(tmp_path, "--preset", "defensive")
    assert lost.exit_code == 1
    assert "order 1 is final but was not adopted within 90 s" in lost.stderr
    assert scene.in_force[0] == 0
    scene.is_deaf = False
    assert called(tmp_path, "--preset", "defensive").exit_code == 0
    assert scene.in_force == (1, preset(Preset.DEFENSIVE))
    assert (len(scene.chain.orders), scene.hints) == (1, [1, 1])


def test_the_worker_decides_by_the_switched_preset_from_its_next_epoch(
    scene: Scene, tmp_path: Path
) -> None:
    run_id = scene.run.run_id
    worker = QuotingWorker(
        run_id=run_id,
        instrument=MARKET.instrument,
        venue=PaperVenue(MARKET.instrument),
        store=scene.store,
    )
    events = list(MARKET.events())
    half = len(events) // 2
    turn_ns = events[half].received_at_ns
    first = epoch_inputs(scene.store, run_id, 0)
    worker.begin_epoch(0, started_at_ns=events[0].received_at_ns, inputs=first)
    for event in events[: half // 2]:
        worker.on_event(event)
    assert called(tmp_path, "--preset", "defensive").exit_code == 0
    for event in events[half // 2 : half]:
        worker.on_event(event)
    worker.end_epoch(turn_ns)
    worker.begin_epoch(1, started_at_ns=turn_ns, inputs=epoch_inputs(scene.store, run_id, 1))
    for event in events[half:]:
        worker.on_event(event)
    worker.shutdown()
    bodies = [json.loads(record.body) for record in scene.store.decisions(run_id)]
    assert {(body["epoch"], body["policy_sequence"]) for body in bodies} == {(0, 0), (1, 1)}


def test_a_desk_without_a_run_has_no_market_to_scale_to(scene: Scene, tmp_path: Path) -> None:
    scene.store._runs.clear()
    done = called(tmp_path, "--preset", "defensive")
    assert (done.exit_code, "has no run yet" in done.stderr) == (1, True), done.stderr


def test_an_order_that_the_chain_refuses_leaves_the_policy_in_force(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> tuple[int, str]:
        raise ServiceFault("the chain refuses the order: BadSequence")

    monkeypatch.setattr(demo_governance, "execute_order", refuse)
    done = called(tmp_path, "--preset", "defensive")
    assert (done.exit_code, done.stderr) == (1, "dmm: the chain refuses the order: BadSequence\n")
    assert scene.in_force[0] == 0
