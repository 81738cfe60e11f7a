"""The real settler is killed from outside while Solana forks and slots expire; each intent is paid
once."""

from __future__ import annotations

import json
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

from dmm.adapters.clock import SystemClock
from dmm.adapters.postgres.store import PostgresStore
from dmm.adapters.solana.client import SolanaChain
from dmm.adapters.solana.events import SolanaLog
from dmm.adapters.solana.nonce_accounts import NONCE_BYTES, make_nonce, nonce_address
from dmm.adapters.solana.slots import BLOCKHASH_BLOCKS
from dmm.ledger.account import AccountKind
from dmm.market.instrument import Asset
from dmm.ports import Answer, Deployment
from dmm.sandbox.signers import signer_command
from dmm.sandbox.solana.chain import Pace
from dmm.sandbox.solana.local import SolanaLocalChain
from dmm.sandbox.solana.transact import Sender
from dmm.settlement.batch import account, reserve
from dmm.settlement.chain_event import legs_of
from dmm.settlement.epoch import EpochPlan, Job
from dmm.settlement.intent import Intent, IntentKind, IntentState
from dmm.units.amount import Atoms
from dmm.units.ids import ZERO_HASH
from dmm.units.time import Nanos
from dmm.usecases.audit import audit_all, record_funding

ROOT = Path(__file__).resolve().parents[3]
SEED = int(os.environ.get("DMM_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
INTENTS_A_ROUND = 6
BACKLOG_MAX = 24
"""Open intents above which a round plans no more: kills come faster than a slow machine settles."""
END_S_MAX = 240.0
NONCES = 4
VAULT = "treasury@solana"
PACE = Pace(slot_ms=25)
"""Finality after 0.8 s; a blockhash named there lives 3 s longer."""


@dataclass
class Desk:
    """A local chain, a signer, a journal; the settler comes and goes."""

    folder: Path
    local: SolanaLocalChain
    store: PostgresStore
    url: str
    deployments: dict[str, Deployment]
    funding: int
    rng: random.Random
    intents: list[Intent] = field(default_factory=list)
    rounds: int = 0
    nonce_accounts: tuple[str, ...] = ()
    """Send slots are their values; without them the reach of blockhashes."""

    def chain(self) -> SolanaChain:
        return SolanaChain(
            rpc_urls=(self.local.node.url,),
            genesis_hash=self.local.genesis_hash,
            deployments=self.deployments,
            unit_fee_max=1_000_000,
            unit_tip=1_000,
            nonce_accounts=self.nonce_accounts,
        )

    def log(self) -> SolanaLog:
        return SolanaLog(
            rpc_urls=(self.local.node.url,),
            genesis_hash=self.local.genesis_hash,
            deployments=self.deployments,
        )

    def plan(self) -> None:
        head_s = self.chain().snapshot().head_time_s
        intents = tuple(
            Intent(
                kind=IntentKind.REWARD,
                chain="solana",
                contract="treasury",
                vault=VAULT,
                scope="kill/liquidity",
                epoch=self.rounds,
                ordinal=ordinal,
                asset="DCT",
                recipient=self.local.actors.providers[ordinal % 3].address,
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
            "DMM_CHAINS": '["evm", "solana"]',
            # Nobody answers there: a chain that is down holds up nobody else.
            "DMM_EVM_RPC_URLS": '["http://127.0.0.1:9"]',
            "DMM_SOLANA_RPC_URLS": f'["{self.local.node.url}"]',
            "DMM_SOLANA_GENESIS_HASH": self.local.genesis_hash,
            "DMM_SOLANA_NONCE_ACCOUNTS": json.dumps(self.nonce_accounts),
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

    def disturb(self) -> None:
        """Take blocks back, let slots expire, or lose what is sent."""
        call = self.local.node.call
        match self.rng.choice(("fork", "fork", "expire", "drop", "lose", "nothing")):
            case "fork":
                call("dmm_fork", self.rng.randint(1, PACE.finalized_slots - 1))
            case "expire":
                call("dmm_advance", self.rng.randint(100, BLOCKHASH_BLOCKS + 10))
            case "drop":
                call("dmm_inject", {"kind": "drop", "method": "sendTransaction", "times": 3})
            case "lose":
                call("dmm_inject", {"kind": "lose_reply", "method": "sendTransaction", "times": 2})

    def round_with_a_kill(self) -> None:
        """Plan, let the settler go on, disturb the chain, kill the settler somewhere."""
        if sum(state.is_open for _, state in self.store.intents()) < BACKLOG_MAX:
            self.plan()
        if self.rng.random() < 0.5:
            self.disturb()
        process = self.settler()
        try:
            before, until = self.moved(), time.monotonic() + END_S_MAX
            while self.moved() == before and process.poll() is None:
                assert time.monotonic() < until, "the settler did nothing"
                time.sleep(0.005)
            time.sleep(self.rng.uniform(0.0, 0.25))
            self.disturb()
            time.sleep(self.rng.uniform(0.0, 0.2))
            assert process.poll() is None, "the settler ended by itself"
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def finish(self) -> None:
        self.local.node.call("dmm_clearFaults")
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
        chain, log = self.chain(), self.log()
        at = chain.snapshot()
        assert {state for _, state in self.store.intents()} == {IntentState.FINAL}
        treasury = self.deployments["treasury"].address
        funded = self.deployments["vault:treasury"].height
        events = log.events(from_height=funded + 1, to_height=at.finalized_height)
        paid = [leg for event in events for leg in legs_of(event, {treasury: VAULT})]
        amounts = sorted(-leg.change for leg in paid)
        assert amounts == sorted(intent.amount for intent in self.intents)
        for intent in self.intents:
            assert chain.key_state(intent, at=at) is Answer.FOUND
        total = sum(amounts)
        held = {kind: self.store.balance(account(VAULT, "DCT", kind)) for kind in AccountKind}
        assert held[AccountKind.PENDING] == 0
        assert held[AccountKind.PAID] == total
        assert held[AccountKind.AVAILABLE] == self.funding - total
        result = audit_all(store=self.store, log=log)
        assert (result.difference, result.alarms) == (0, ())


def make_nonces(local: SolanaLocalChain, count: int) -> tuple[str, ...]:
    payer, operator = local.actors.deployer, local.actors.operator.public
    lamports = int(local.node.call("getMinimumBalanceForRentExemption", NONCE_BYTES))
    for number in range(count):
        calls = make_nonce(payer.public, operator, number, lamports=lamports)
        Sender(local.node.call, payer).run(calls)
    local.node.call("dmm_advance", PACE.finalized_slots + 1)
    return tuple(str(nonce_address(payer.public, operator, number)) for number in range(count))


@pytest.fixture
def nonces() -> int:
    """Return how many nonce accounts the desk has."""
    return 0


@pytest.fixture
def desk(database_url: str, nonces: int) -> Iterator[Desk]:
    folder = Path(tempfile.mkdtemp(prefix="dmm-settler-"))
    local = SolanaLocalChain(root=ROOT, folder=folder / "solana", pace=PACE)
    signer: subprocess.Popen[bytes] | None = None
    try:
        local.start()
        deployed = local.deploy(
            position=Asset(symbol="BTC", decimals=8),
            cash=Asset(symbol="USDT", decimals=6),
            genesis_head=ZERO_HASH,
        )
        with PostgresStore(database_url) as store:
            store.open_run(make.run())
            store.record_deployments(deployed)
            by_name = {one.name: one for one in deployed}
            made = Desk(
                folder=folder,
                local=local,
                store=store,
                url=database_url,
                deployments=by_name,
                funding=0,
                rng=random.Random(SEED),  # noqa: S311 - printed, so that a failure replays
                nonce_accounts=make_nonces(local, nonces),
            )
            record_funding(
                store=store,
                log=made.log(),
                clock=SystemClock(),
                height=by_name["vault:treasury"].height,
                wait_s_max=20.0,
            )
            made.funding = store.balance(account(VAULT, "DCT", AccountKind.AVAILABLE))
            signer = subprocess.Popen(
                signer_command(
                    "settlement",
                    folder=folder / "signer",
                    socket=folder / "s-solana",
                    secret=local.signer_secret("settlement"),
                    policy=local.signer_policy(by_name),
                    database_url=database_url,
                ),
                stderr=subprocess.DEVNULL,
            )
            yield made
    finally:
        if signer is not None:
            signer.kill()
            signer.wait()
        local.stop()
        shutil.rmtree(folder)


def kill_and_check(desk: Desk, kills: int) -> None:
    print(f"DMM_KILL_SEED={SEED}")  # noqa: T201 - replays the failure
    for _ in range(kills):
        desk.round_with_a_kill()
    desk.finish()
    desk.check()


over_nonces = pytest.mark.parametrize("nonces", [NONCES], ids=["nonces"])


@pytest.mark.timeout(300)
def test_three_kills_of_the_settler_on_a_forking_solana_pay_each_intent_once(desk: Desk) -> None:
    kill_and_check(desk, 3)


@over_nonces
@pytest.mark.timeout(300)
def test_three_kills_of_the_settler_over_durable_nonces_pay_each_intent_once(desk: Desk) -> None:
    kill_and_check(desk, 3)


@pytest.mark.deep
@pytest.mark.timeout(7_200)
def test_two_hundred_kills_of_the_settler_on_solana_pay_each_intent_once(desk: Desk) -> None:
    kill_and_check(desk, 200)


@over_nonces
@pytest.mark.deep
@pytest.mark.timeout(7_200)
def test_two_hundred_kills_of_the_settler_over_nonces_pay_each_intent_once(desk: Desk) -> None:
    kill_and_check(desk, 200)
