"""Intents through a real journal, a signer process and a node; a kill, and the way back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dmm.adapters.clock import SystemClock
from dmm.adapters.evm.client import EvmChain
from dmm.adapters.evm.events import EvmLog
from dmm.adapters.postgres.migrate import migrate
from dmm.adapters.postgres.store import PostgresStore
from dmm.adapters.signers.socket import SocketSigner
from dmm.entrypoints.settler import HANDS
from dmm.market.instrument import Asset
from dmm.ports import Deployment, Run
from dmm.sandbox.evm.local import EvmLocalChain, open_chain
from dmm.sandbox.evm.node import CHAIN_ID
from dmm.sandbox.postgres import EmbeddedPostgres
from dmm.sandbox.signers import signer_command
from dmm.settings import PROJECT_ROOT
from dmm.settlement.batch import reserve
from dmm.settlement.epoch import EpochPlan, Job
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.chain import HOME_CHAIN
from dmm.units.errors import Retryable
from dmm.units.ids import ZERO_HASH
from dmm.units.time import Nanos
from dmm.usecases.audit import audit_all, record_funding
from dmm.usecases.dispatch import SweepCounts, open_intents, sweep

RUN = "bench"
WAIT_S_MAX = 300.0
LOOK_S = 0.02
LEASE_S = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A funded desk on one local chain, with its signer in a process of its own."""

    folder: Path
    store: PostgresStore
    url: str
    local: EvmLocalChain
    deployments: dict[str, Deployment]

    def chain(self) -> EvmChain:
        """Return the desk's connection."""
        return EvmChain(
            rpc_urls=(self.local.node.url,),
            chain_id=CHAIN_ID,
            deployments=self.deployments,
            artefact_dir=PROJECT_ROOT / "contracts" / "evm" / "build",
            fee_gwei_max=200,
            tip_gwei=1,
        )

    def log(self) -> EvmLog:
        """Return the auditor's connection."""
        return EvmLog(
            rpc_urls=(self.local.node.url,),
            chain_id=CHAIN_ID,
            deployments=self.deployments,
            artefact_dir=PROJECT_ROOT / "contracts" / "evm" / "build",
        )

    def plan(self, count: int, *, epoch: int) -> float:
        """Record a plan of rewards; return the seconds it took."""
        head_s = self.chain().snapshot().head_time_s
        providers = self.local.actors.providers
        started = time.perf_counter()
        intents = tuple(
            Intent(
                kind=IntentKind.REWARD,
                chain="evm",
                contract="treasury",
                vault="treasury",
                scope=f"{RUN}/liquidity",
                epoch=epoch,
                ordinal=ordinal,
                asset="DCT",
                recipient=providers[ordinal % len(providers)].address,
                amount=Atoms(1_000 + ordinal),
                deadline_s=head_s + 10**6,
                inputs={},
            )
            for ordinal in range(count)
        )
        claim = self.store.open_epoch(
            run_id=RUN,
            job=Job.LIQUIDITY_REWARDS,
            scope=f"{RUN}/liquidity",
            epoch=epoch,
            now_ns=Nanos(5),
            chain_time_s=head_s,
        )
        postings = tuple(reserve(intent, at_ns=5) for intent in intents)
        self.store.record_epoch(claim, EpochPlan(intents=intents, postings=postings))
        return time.perf_counter() - started

    def settle(self) -> None:
        """Drive until every intent is final and booked, with as many hands as the settler has."""
        hands = HANDS[HOME_CHAIN]
        with ThreadPoolExecutor(max_workers=hands) as pool:
            swept = list(pool.map(self._sweep, range(hands)))
        if still_open := min(counts.still_open for counts in swept):
            raise SystemExit(f"settle: {still_open} intents are open after {WAIT_S_MAX} s")

    def _sweep(self, hand: int) -> SweepCounts:
        with PostgresStore(self.url) as store:
            return sweep(
                store=store,
                chain=self.chain(),
                signer=SocketSigner(self.folder / "s"),
                clock=SystemClock(),
                owner=f"bench-{hand}",
                wait_s_max=WAIT_S_MAX,
            )

    def settler(self) -> subprocess.Popen[bytes]:
        """Start the daemon that drives the outbox."""
        environment = {
            "PATH": os.defpath,
            "HOME": str(self.folder),
            "DMM_DATABASE_URL": self.url,
            "DMM_EVM_RPC_URLS": f'["{self.local.node.url}"]',
            "DMM_EVM_CHAIN_ID": str(CHAIN_ID),
            "DMM_SIGNER_SOCKET": str(self.folder / "s"),
            "DMM_STATE_DIR": str(self.folder),
            "DMM_LEASE_S": str(LEASE_S),
            "DMM_LOG_LEVEL": "ERROR",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "dmm.entrypoints.settler"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def is_reconciled(self) -> bool:
        """Tell whether nothing is open and the ledger is what the chain says."""
        if open_intents(self.store, "evm"):
            return False
        try:
            return audit_all(store=self.store, log=self.log()).is_clean
        except Retryable:
            return False


def measure_desk(*, intents: int, planned: int) -> dict[str, object]:
    """Return intents a second, the time of a plan, and of the way back after a kill.

    Parameters
    ----------
    intents : how many are settled, and how many are on their way at the kill, > 0
    planned : how many rewards one plan holds, > 0
    """
    with bench() as made:
        made.plan(intents, epoch=0)
        started = time.perf_counter()
        made.settle()
        settled_s = time.perf_counter() - started
        made.plan(intents, epoch=1)
        restart_s = _restarted(made, intents)
        plan_s = made.plan(planned, epoch=2)
    return {
        "intents": intents,
        "intents_per_s": round(intents / settled_s, 1),
        "restart_s": round(restart_s, 2),
        "planned": planned,
        "plan_10k_s": round(plan_s, 2),
    }


def _restarted(made: Bench, count: int) -> float:
    """Kill the settler with half of its work done; return the seconds from its start to order."""
    process = made.settler()
    try:
        _wait(lambda: open_intents(made.store, "evm") <= count // 2)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    started = time.perf_counter()
    process = made.settler()
    try:
        _wait(made.is_reconciled)
        return time.perf_counter() - started
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _wait(is_done: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S_MAX
    while not is_done():
        if time.monotonic() > until:
            raise SystemExit(f"settle: nothing came of it in {WAIT_S_MAX} s")
        time.sleep(LOOK_S)


@contextmanager
def bench() -> Iterator[Bench]:
    """Start database, chain and signer; everything ends and goes with the context."""
    folder = Path(tempfile.mkdtemp(prefix="dmm-bench-"))
    folder.chmod(0o755)
    local = open_chain(
        root=PROJECT_ROOT, folder=folder / "evm", cache_dir=PROJECT_ROOT / ".dmm" / "npm-cache"
    )
    server = EmbeddedPostgres(folder / "postgres")
    signer: subprocess.Popen[bytes] | None = None
    try:
        server.start()
        migrate(server.url())
        local.start()
        deployed = local.deploy(
            position=Asset(symbol="BTC", decimals=8),
            cash=Asset(symbol="USDT", decimals=6),
            genesis_head=ZERO_HASH,
        )
        by_name = {one.name: one for one in deployed}
        signer = subprocess.Popen(  # noqa: S603 - our own command
            signer_command(
                "settlement",
                folder=folder / "signer",
                socket=folder / "s",
                secret=local.signer_secret("settlement"),
                policy=local.signer_policy(by_name),
                database_url=server.url(),
            ),
            stderr=subprocess.DEVNULL,
        )
        with PostgresStore(server.url()) as store:
            made = Bench(
                folder=folder, store=store, url=server.url(), local=local, deployments=by_name
            )
            _open(made)
            _wait((folder / "s").exists)
            yield made
    finally:
        if signer is not None:
            signer.kill()
            signer.wait()
        local.stop()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _open(made: Bench) -> None:
    made.store.open_run(
        Run(run_id=RUN, kind="demo", symbol="BTCUSDT", epochs=3, spec={}, started_at_ns=Nanos(5))
    )
    made.store.record_deployments(list(made.deployments.values()))
    record_funding(
        store=made.store,
        log=made.log(),
        clock=SystemClock(),
        height=max(one.height for one in made.deployments.values()),
        wait_s_max=WAIT_S_MAX,
    )
