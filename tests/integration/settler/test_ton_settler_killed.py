"""The real settler is killed from outside while TON loses, holds back and bounces messages; each
intent is paid once or proven dead, never both."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import journal_samples as make
import pytest

from dmm.adapters.clock import SystemClock
from dmm.adapters.postgres.store import PostgresStore
from dmm.adapters.ton.cells import op
from dmm.adapters.ton.client import TonChain
from dmm.adapters.ton.log import TonLog
from dmm.adapters.ton.wallet import Wallet, outgoing, query_id_of
from dmm.ledger.account import AccountKind
from dmm.market.instrument import Asset
from dmm.ports import Deployment
from dmm.sandbox.signers import signer_command
from dmm.sandbox.ton.cells import OP_BRAKE, at
from dmm.sandbox.ton.local import TonLocalChain
from dmm.sandbox.ton.node import GLOBAL_ID
from dmm.settlement.batch import account, reserve
from dmm.settlement.epoch import EpochPlan, Job
from dmm.settlement.intent import Intent, IntentKind, IntentState
from dmm.units.amount import Atoms
from dmm.units.ids import ZERO_HASH
from dmm.units.time import Nanos
from dmm.usecases.audit import audit_all, record_funding

ROOT = Path(__file__).resolve().parents[3]
SEED = int(os.environ.get("DMM_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
END_S_MAX = 120.0
VAULT = "treasury@ton"
PAID_A_ROUND = 4
CAP_DCT = 1_000_000 * 10**9
LIFE_S = 10**5
LOCKED_OUT = 1
KILLS_A_CHECK = 10
"""Fewer than the times the clock may be moved before a payment's deadline has passed."""


@dataclass
class Desk:
    """A local chain, a signer, a journal; the settler comes and goes."""

    folder: Path
    local: TonLocalChain
    store: PostgresStore
    url: str
    deployments: dict[str, Deployment]
    rng: random.Random
    wallet: Wallet
    funding: dict[str, int] = field(default_factory=dict)
    intents: list[Intent] = field(default_factory=list)
    rounds: int = 0

    def chain(self) -> TonChain:
        return TonChain(
            configs=(self.local.node.config_path,),
            global_id=GLOBAL_ID,
            deployments=self.deployments,
            message_nanoton_max=10**9,
            wallet=self.wallet,
        )

    def log(self) -> TonLog:
        return TonLog(
            configs=(self.local.node.config_path,),
            global_id=GLOBAL_ID,
            deployments=self.deployments,
        )

    def plan(self) -> None:
        """Plan payments that go through, one that bounces, and one that the contract refuses."""
        head_s = self.local.node.status()["time_s"]
        terms = [("DCT", 1_000 + 97 * self.rounds + n) for n in range(PAID_A_ROUND)]
        terms.append(("BTC", 55))
        if self.store.balance(account(VAULT, "DCT", AccountKind.AVAILABLE)) > 2 * CAP_DCT:
            # What the contract refuses stays reserved until its deadline: only so much fits.
            terms.append(("DCT", CAP_DCT + 1))
        intents = tuple(
            Intent(
                kind=IntentKind.REWARD,
                chain="ton",
                contract="treasury",
                vault=VAULT,
                scope="kill/liquidity",
                epoch=self.rounds,
                ordinal=ordinal,
                asset=asset,
                recipient=self.local.actors.providers[ordinal % 3].address,
                amount=Atoms(amount),
                deadline_s=head_s + LIFE_S,
                inputs={},
            )
            for ordinal, (asset, amount) in enumerate(terms)
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
            "DMM_CHAINS": '["evm", "ton"]',
            # Nobody answers there: a chain that is down holds up nobody else.
            "DMM_EVM_RPC_URLS": '["http://127.0.0.1:9"]',
            "DMM_TON_CONFIGS": f'["{self.local.node.config_path}"]',
            "DMM_TON_GLOBAL_ID": str(GLOBAL_ID),
            "DMM_TON_WALLET": self.wallet.value,
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
        """Lose what is sent, hold messages back, stand still, answer nobody, or let time pass."""
        node = self.local.node
        match self.rng.choice(("lose", "hold", "stall", "deaf", "later", "nothing")):
            case "lose":
                node.set_faults(lost_per_mille=500)
            case "hold":
                node.set_faults(held_per_mille=500)
            case "stall":
                node.pause(paused=True)
                time.sleep(self.rng.uniform(0.1, 0.5))
                node.pause(paused=False)
            case "deaf":
                node.set_server(0, is_deaf=True)
                time.sleep(self.rng.uniform(0.1, 0.5))
                node.set_server(0)
            case "later":
                # Longer than every pause, lease and retry of ours, shorter than a deadline.
                node.advance(LIFE_S // 10)

    def round_with_a_kill(self) -> None:
        """Plan, let the settler begin with it, disturb the chain, kill the settler somewhere."""
        self.plan()
        if self.rng.random() < 0.5:
            self.disturb()
        process = self.settler()
        try:
            before, until = self.moved(), time.monotonic() + END_S_MAX
            while self.moved() == before and process.poll() is None:
                assert time.monotonic() < until, "the settler did nothing"
                time.sleep(0.005)
            time.sleep(self.rng.uniform(0.0, 0.5))
            self.disturb()
            time.sleep(self.rng.uniform(0.0, 0.3))
            assert process.poll() is None, "the settler ended by itself"
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            self.local.node.set_faults()

    def finish(self) -> None:
        """Let the settler pay all that can be paid, then the deadlines pass, then the rest."""
        process = self.settler()
        try:
            self._until_closed(_is_payable, process)
            self.local.node.advance(LIFE_S + 1)
            self._until_closed(lambda intent: True, process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(END_S_MAX)

    def _until_closed(
        self, counts: Callable[[Intent], bool], process: subprocess.Popen[bytes]
    ) -> None:
        until, left = time.monotonic() + END_S_MAX, len(self.intents)
        while open_ones := [
            (intent, state)
            for intent, state in self.store.intents()
            if state.is_open and counts(intent)
        ]:
            if len(open_ones) < left:
                # On a busy machine many take long; only standing still is a fault.
                until, left = time.monotonic() + END_S_MAX, len(open_ones)
            assert time.monotonic() < until, open_ones
            assert process.poll() is None, "the settler ended by itself"
            time.sleep(0.05)

    def idle(self) -> int:
        self.local.node.seal()
        while not self.local.node.status()["is_idle"]:
            time.sleep(0.02)
        return int(self.local.node.status()["seqno"])

    def check(self, *, all_paid: bool) -> None:
        """Hold the journal against what the contract's messages say."""
        log = self.log()
        funded = self.deployments["vault:treasury"].height
        events = log.events(from_height=funded + 1, to_height=self.idle())
        paid = Counter(event.text("key") for event in events if event.name == "Paid")
        assert set(paid.values()) <= {1}
        states = {intent.intent_id.hex(): state for intent, state in self.store.intents()}
        assert set(states.values()) <= {IntentState.FINAL, IntentState.FAILED}
        final = {key for key, state in states.items() if state is IntentState.FINAL}
        assert final == set(paid)
        payable = {_key(intent) for intent in self.intents if _is_payable(intent)}
        assert final <= payable
        assert final == payable or not all_paid, states
        for asset, funding in self.funding.items():
            total = sum(i.amount for i in self.intents if i.asset == asset and _key(i) in final)
            held = {kind: self.store.balance(account(VAULT, asset, kind)) for kind in AccountKind}
            assert held[AccountKind.PENDING] == 0
            assert held[AccountKind.PAID] == total
            assert held[AccountKind.AVAILABLE] == funding - total
        result = audit_all(store=self.store, log=log)
        assert (result.difference, result.alarms) == (0, ())


def _is_payable(intent: Intent) -> bool:
    """Neither does the jetton bounce nor is the amount above the treasury's cap."""
    return intent.asset == "DCT" and intent.amount <= CAP_DCT


def _key(intent: Intent) -> str:
    return intent.intent_id.hex()


def lock_out(local: TonLocalChain) -> None:
    """Have the DEMO issuer lock the treasury's wallet of BTC: its payments bounce."""
    deployer, treasury = local.actors.deployer, local.book.account("treasury")
    body = op(OP_BRAKE, write=lambda b: b.store_address(at(treasury)).store_uint(LOCKED_OUT, 4))
    _, content = deployer.send_on(
        outgoing(to=local.book.minter("BTC"), nanoton=10**8, body=body),
        query_id=query_id_of(7_000_000),
        created_at_s=local.node.status()["time_s"],
    )
    chain = TonChain(
        configs=(local.node.config_path,),
        global_id=GLOBAL_ID,
        deployments={},
        message_nanoton_max=1,
    )
    chain.send(content)


@pytest.fixture
def wallet() -> Wallet:
    return Wallet.HIGHLOAD_V3


@pytest.fixture
def desk(database_url: str, wallet: Wallet) -> Iterator[Desk]:
    folder = Path(tempfile.mkdtemp(prefix="dmm-settler-"))
    local = TonLocalChain(
        root=ROOT,
        folder=folder / "ton",
        cache_dir=ROOT / ".dmm" / "npm-cache",
        wallet=wallet,
    )
    signer: subprocess.Popen[bytes] | None = None
    try:
        local.start()
        deployed = local.deploy(
            position=Asset(symbol="BTC", decimals=8),
            cash=Asset(symbol="USDT", decimals=6),
            genesis_head=ZERO_HASH,
        )
        lock_out(local)
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
                rng=random.Random(SEED),  # noqa: S311 - printed, so that a failure replays
                wallet=wallet,
            )
            made.idle()
            record_funding(
                store=store,
                log=made.log(),
                clock=SystemClock(),
                height=by_name["vault:treasury"].height,
                wait_s_max=20.0,
            )
            made.funding = {
                asset: store.balance(account(VAULT, asset, AccountKind.AVAILABLE))
                for asset in ("DCT", "BTC")
            }
            signer = subprocess.Popen(
                signer_command(
                    "settlement",
                    folder=folder / "signer",
                    socket=folder / "s-ton",
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


both_wallets = pytest.mark.parametrize("wallet", list(Wallet))


def kill_and_check(desk: Desk, kills: int) -> None:
    print(f"DMM_KILL_SEED={SEED}")  # noqa: T201 - replays the failure
    for begun in range(0, kills, KILLS_A_CHECK):
        for kill in range(begun, min(begun + KILLS_A_CHECK, kills)):
            desk.round_with_a_kill()
            print(f"kill {kill + 1} of {kills}")  # noqa: T201 - tells how far a campaign is
        desk.finish()
        desk.check(all_paid=True)


@both_wallets
@pytest.mark.timeout(300)
def test_three_kills_of_the_settler_on_ton_pay_each_intent_once_or_prove_it_dead(
    desk: Desk,
) -> None:
    kill_and_check(desk, 3)


@pytest.mark.timeout(300)
def test_a_desk_that_was_down_past_every_deadline_finds_out_what_was_paid(desk: Desk) -> None:
    desk.round_with_a_kill()
    desk.local.node.advance(LIFE_S + 1)
    desk.finish()
    desk.check(all_paid=False)


@both_wallets
@pytest.mark.deep
@pytest.mark.timeout(7_200)
def test_two_hundred_kills_of_the_settler_on_ton_pay_each_intent_once(desk: Desk) -> None:
    kill_and_check(desk, 200)
