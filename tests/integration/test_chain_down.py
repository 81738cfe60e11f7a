"""A desk on two real local chains of which one goes down and comes back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk_memory import BOTH_SIDES, INSTRUMENT, POLICY, RUN, Desk, a_slice

from dmm import bootstrap
from dmm.adapters.clock import SystemClock
from dmm.adapters.evm import codec as evm_codec
from dmm.adapters.evm import sign as evm_sign
from dmm.adapters.postgres.migrate import migrate
from dmm.adapters.solana import codec as solana_codec
from dmm.adapters.solana import sign as solana_sign
from dmm.ledger.account import AccountKind
from dmm.ports import Run, SignedTx, SignRequest, Store
from dmm.sandbox.chains import LocalChain, open_chain
from dmm.sandbox.demo_program import program_spec
from dmm.sandbox.postgres import EmbeddedPostgres
from dmm.sandbox.wiring import Wiring
from dmm.settings import PROJECT_ROOT, Settings
from dmm.settlement.batch import account
from dmm.settlement.epoch import JobOutcome, JobStatus
from dmm.settlement.intent import IntentState
from dmm.units.time import Nanos
from dmm.usecases.audit import audit_all, record_funding
from dmm.usecases.control import record_genesis

CHAINS = ("evm", "solana")
WAIT_S_MAX = 30.0


class InProcess:
    """A settlement signer without a process: what it signs is not what this is about."""

    def __init__(self, wired: bootstrap.Desk, chain: LocalChain) -> None:
        codec, sign = {
            "evm": (evm_codec, evm_sign),
            "solana": (solana_codec, solana_sign),
        }[chain.name]
        deployments = wired.store.deployments(chain.name)
        self._key = sign.Key(chain.signer_secret("settlement"))
        self._book = codec.Book(chain_id=wired.network_id(chain.name), deployments=deployments)
        self._sign = sign.sign_settlement

    def address(self, chain: str, lane: str = "") -> str:
        del chain, lane
        return self._key.address

    def sign(self, request: SignRequest) -> SignedTx:
        return self._sign(request, key=self._key, book=self._book)  # type: ignore[arg-type]


class World:
    """Both chains with the desk's contracts, its journal, and the desk itself."""

    def __init__(self, root: Path, database_url: str) -> None:
        self.chains = {
            name: open_chain(
                name,
                root=PROJECT_ROOT,
                folder=root / name,
                cache_dir=PROJECT_ROOT / ".dmm" / "npm-cache",
            )
            for name in CHAINS
        }
        self._root, self._database_url = root, database_url
        self.desk = bootstrap.Desk(Settings())

    def stop(self) -> None:
        self.desk.close()
        for chain in self.chains.values():
            chain.stop()

    def start(self) -> None:
        for chain in self.chains.values():
            chain.start()
        self.wire()
        for name, chain in self.chains.items():
            deployments = chain.deploy(
                position=INSTRUMENT.position,
                cash=INSTRUMENT.cash,
                genesis_head=POLICY.policy_hash,
            )
            self.desk.store.record_deployments(deployments)
            record_funding(
                store=self.desk.store,
                log=self.desk.chain_log(name),
                clock=SystemClock(),
                height=max(deployed.height for deployed in deployments),
                wait_s_max=WAIT_S_MAX,
            )
        self.wire()

    def wire(self) -> None:
        """Make the desk anew, as a process that starts now would."""
        wiring = Wiring(
            database_url=self._database_url,
            prefect_api_url="http://127.0.0.1:1/api",
            prefect_api_auth="",
            signer_socket=str(self._root / "none.sock"),
            quote_signer_socket=str(self._root / "none.sock"),
            kill_socket=str(self._root / "kill.sock"),
            buyback_maker_url="",
            state_dir=str(self._root),
            chains={name: chain.settings() for name, chain in self.chains.items()},
        )
        self.desk.close()
        self.desk = bootstrap.Desk(wiring.settings())
        for name, chain in self.chains.items():
            if self.desk.store.deployments(name):
                self.desk.put("signer", name, InProcess(self.desk, chain))


def close_epoch(store: Store, epoch: int) -> None:
    """Journal an epoch in which both sides stood."""
    memory = Desk()
    for past in range(epoch + 1):
        memory.close_slice(a_slice(epoch=past), BOTH_SIDES)
    records = memory.store.decisions(RUN)
    store.append_decisions(records[epoch:])
    store.close_slice(a_slice(epoch=epoch))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    # Short: a unix socket's path has a bound, and so has a test's patience.
    root = Path(tempfile.mkdtemp(prefix="dmm-two-"))
    root.chmod(0o755)
    with EmbeddedPostgres(root / "postgres") as postgres:
        migrate(postgres.url())
        made = World(root, postgres.url())
        try:
            made.start()
            record_genesis(store=made.desk.store, clock=made.desk.clock, chain="evm", policy=POLICY)
            made.desk.store.open_run(
                Run(
                    run_id=RUN,
                    kind="demo",
                    symbol=INSTRUMENT.symbol,
                    epochs=2,
                    spec={
                        "instrument": INSTRUMENT.to_json(),
                        **program_spec(made.desk.store, CHAINS),
                    },
                    started_at_ns=Nanos(1),
                )
            )
            yield made
        finally:
            made.stop()


def run(world: World, monkeypatch: pytest.MonkeyPatch, job: str, epoch: int) -> JobOutcome:
    monkeypatch.setattr(bootstrap, "desk", lambda: world.desk)
    return bootstrap.run_job(job, run_id=RUN, epoch=epoch)


def states(world: World) -> dict[tuple[str, int], set[IntentState]]:
    found: dict[tuple[str, int], set[IntentState]] = {}
    for intent, state in world.desk.store.intents(RUN):
        found.setdefault((intent.chain, intent.epoch), set()).add(state)
    return found


def test_a_chain_that_is_down_holds_its_own_work_and_makes_up_for_it_when_it_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    close_epoch(world.desk.store, 0)
    world.chains["solana"].stop()
    rewards = run(world, monkeypatch, "liquidity_rewards", 0)
    assert rewards.status is JobStatus.RECORDED
    assert rewards.note.startswith("solana: waits (")
    assert rewards.rows == {"reward": 2}
    dispatched = run(world, monkeypatch, "outbox_dispatch", 0)
    assert dispatched.chains["evm"] == "recorded"
    assert dispatched.chains["solana"].startswith("waits: ")
    assert states(world) == {("evm", 0): {IntentState.FINAL}}
    audited = run(world, monkeypatch, "settlement_audit", 0)
    assert audited.chains["evm"] == "recorded"
    assert audited.chains["solana"].startswith("waits: ")
    assert run(world, monkeypatch, "pmm_settlement", 0).chains["evm"] == "recorded"

    world.chains["solana"].start()
    world.wire()
    close_epoch(world.desk.store, 1)
    # Two for this epoch on the home chain; on the other this epoch's and the one it missed.
    assert run(world, monkeypatch, "liquidity_rewards", 1).rows == {"reward": 4}
    both = run(world, monkeypatch, "outbox_dispatch", 1)
    assert both.chains == {"evm": "recorded", "solana": "recorded"}
    assert states(world) == {
        (chain, epoch): {IntentState.FINAL} for chain in CHAINS for epoch in (0, 1)
    }
    assert run(world, monkeypatch, "settlement_audit", 1).chains == {
        "evm": "recorded",
        "solana": "recorded",
    }
    store = world.desk.store
    for name in CHAINS:
        assert audit_all(store=store, log=world.desk.audit_log(name)).is_clean
    paid = {
        vault: store.balance(account(vault, "DCT", AccountKind.PAID))
        for vault in ("treasury", "treasury@solana")
    }
    assert sum(paid.values()) == 2 * POLICY.reward_budget_atoms
    # Shares are 50, 30 and 20, the second provider's on the other chain.
    assert paid["treasury@solana"] == 2 * POLICY.reward_budget_atoms * 30 // 100
