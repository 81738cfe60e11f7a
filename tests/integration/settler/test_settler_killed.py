"""The real settler is killed from outside while the chain reorganises; each intent is paid once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import journal_samples as make
import pytest

from dmm.adapters.evm.client import EvmChain
from dmm.adapters.evm.events import EvmLog
from dmm.adapters.postgres.store import PostgresStore
from dmm.ledger.account import AccountKind
from dmm.market.instrument import Asset
from dmm.ports import Answer, Deployment
from dmm.sandbox.evm.actors import Actors
from dmm.sandbox.evm.deploy import deploy
from dmm.sandbox.evm.install import ensure_npm
from dmm.sandbox.evm.node import CHAIN_ID, FINALITY_BLOCKS, EvmNode
from dmm.sandbox.evm.signers import signer_command
from dmm.settlement.batch import account, reserve
from dmm.settlement.epoch import EpochPlan, Job
from dmm.settlement.intent import Intent, IntentKind, IntentState
from dmm.units.amount import Atoms
from dmm.units.time import Nanos

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "contracts" / "evm" / "build"
SEED = int(os.environ.get("DMM_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
INTENTS_A_ROUND = 6
END_S_MAX = 120.0
FUNDING = 10**12


@dataclass
class Desk:
    """A local chain, a signer, a journal; the settler comes and goes."""

    folder: Path
    node: EvmNode
    store: PostgresStore
    url: str
    actors: Actors
    deployments: dict[str, Deployment]
    rng: random.Random
    intents: list[Intent] = field(default_factory=list)
    rounds: int = 0

    def chain(self) -> EvmChain:
        return EvmChain(
            rpc_urls=(self.node.url,),
            chain_id=CHAIN_ID,
            deployments=self.deployments,
            artefact_dir=BUILD,
            fee_gwei_max=200,
            tip_gwei=1,
        )

    def plan(self) -> None:
        head_s = self.chain().snapshot().head_time_s
        intents = tuple(
            Intent(
                kind=IntentKind.REWARD,
                chain="evm",
                contract="treasury",
                vault="treasury",
                scope="kill/liquidity",
                epoch=self.rounds,
                ordinal=ordinal,
                asset="DCT",
                recipient=self.actors.providers[ordinal % 3].address,
                amount=Atoms(1_000 + 97 * self.rounds + ordinal),
                deadline_s=head_s + 10**6,
                inputs={},
            )
            for ordinal in range(INTENTS_A_ROUND)
        )
        claim = self.store.open_epoch(
            run_id=make.RUN,
            job=Job.LIQUIDITY_REWARDS,
            scope="kill/liquidity",
            epoch=self.rounds,
            now_ns=Nanos(5),
            chain_time_s=head_s,
        )
        self.store.record_epoch(
            claim,
            EpochPlan(intents=intents, postings=tuple(reserve(i, at_ns=5) for i in intents)),
        )
        self.intents += intents
        self.rounds += 1

    def settler(self) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "DMM_DATABASE_URL": self.url,
            "DMM_EVM_RPC_URLS": f'["{self.node.url}"]',
            "DMM_EVM_CHAIN_ID": str(CHAIN_ID),
            "DMM_SIGNER_SOCKET": str(self.folder / "s"),
            "DMM_STATE_DIR": str(self.folder),
            "DMM_LEASE_S": "1",
            "DMM_LOG_LEVEL": "ERROR",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "dmm.entrypoints.settler"],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def moved(self) -> int:
        """Return how many intents are past READY."""
        return sum(state is not IntentState.READY for _, state in self.store.intents())

    def round_with_a_kill(self) -> None:
        """Plan, let the settler begin with it, fork the chain, kill the settler somewhere."""
        self.plan()
        process = self.settler()
        try:
            before, until = self.moved(), time.monotonic() + END_S_MAX
            while self.moved() == before and process.poll() is None:
                assert time.monotonic() < until, "the settler did nothing"
                time.sleep(0.005)
            time.sleep(self.rng.uniform(0.0, 0.25))
            if self.rng.random() < 0.7:
                self.node.reorg(self.rng.randint(1, FINALITY_BLOCKS - 1))
                time.sleep(self.rng.uniform(0.0, 0.2))
            assert process.poll() is None, "the settler ended by itself"
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def finish(self) -> None:
        process = self.settler()
        try:
            until = time.monotonic() + END_S_MAX
            while any(state.is_open for _, state in self.store.intents()):
                assert time.monotonic() < until, self.store.intents()
                assert process.poll() is None, "the settler ended by itself"
                time.sleep(0.05)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)

    def check(self) -> None:
        chain = self.chain()
        at = chain.snapshot()
        assert {state for _, state in self.store.intents()} == {IntentState.FINAL}
        treasury = self.deployments["treasury"].address.lower()
        events = EvmLog(
            rpc_urls=(self.node.url,),
            chain_id=CHAIN_ID,
            deployments=self.deployments,
            artefact_dir=BUILD,
        ).events(from_height=0, to_height=at.finalized_height)
        paid = [
            event
            for event in events
            if event.source == "token:DCT" and event.text("sender") == treasury
        ]
        wanted = sorted((i.recipient.lower(), i.amount) for i in self.intents)
        assert sorted((e.text("recipient"), e.number("amount")) for e in paid) == wanted
        for intent in self.intents:
            assert chain.key_state(intent, at=at) is Answer.FOUND
        total = sum(intent.amount for intent in self.intents)
        held = {kind: self.store.balance(account("treasury", "DCT", kind)) for kind in AccountKind}
        assert held[AccountKind.PENDING] == 0
        assert held[AccountKind.PAID] == total
        assert held[AccountKind.AVAILABLE] == FUNDING - total


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    ensure_npm(ROOT, cache_dir=ROOT / ".dmm" / "npm-cache")
    folder = Path(tempfile.mkdtemp(prefix="dmm-settler-"))
    signer: subprocess.Popen[bytes] | None = None
    try:
        with (
            EvmNode(root=ROOT, folder=folder / "evm", tick_ms=25, idle_ms=100) as node,
            PostgresStore(database_url) as store,
        ):
            actors = Actors.of(folder / "evm")
            deployed = deploy(
                node=node,
                artefact_dir=BUILD,
                actors=actors,
                position=Asset(symbol="BTC", decimals=8),
                cash=Asset(symbol="USDT", decimals=6),
            )
            store.open_run(make.run())
            store.record_deployments(deployed)
            store.post([make.funding(FUNDING)])
            signer = subprocess.Popen(
                signer_command(
                    "settlement",
                    folder=folder / "signer",
                    socket=folder / "s",
                    actors=actors,
                    deployments=deployed,
                    database_url=database_url,
                ),
                stderr=subprocess.DEVNULL,
            )
            yield Desk(
                folder=folder,
                node=node,
                store=store,
                url=database_url,
                actors=actors,
                deployments={one.name: one for one in deployed},
                rng=random.Random(SEED),  # noqa: S311 - printed, so that a failure replays
            )
    finally:
        if signer is not None:
            signer.kill()
            signer.wait()
        shutil.rmtree(folder)


def kill_and_check(desk: Desk, kills: int) -> None:
    print(f"DMM_KILL_SEED={SEED}")  # noqa: T201 - replays the failure
    for _ in range(kills):
        desk.round_with_a_kill()
    desk.finish()
    desk.check()


@pytest.mark.timeout(300)
def test_three_kills_of_the_settler_in_a_forking_chain_pay_each_intent_once(desk: Desk) -> None:
    kill_and_check(desk, 3)


@pytest.mark.deep
@pytest.mark.timeout(7_200)
def test_two_hundred_kills_of_the_settler_pay_each_intent_once(desk: Desk) -> None:
    kill_and_check(desk, 200)
