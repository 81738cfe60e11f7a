"""The embedded services of one run, started side by side and stopped by pid in reverse."""

from __future__ import annotations

import functools
import secrets
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from dmm.adapters.postgres.migrate import migrate
from dmm.adapters.postgres.roles import Role, add_login
from dmm.adapters.scheduler.prefect import PrefectScheduler
from dmm.bootstrap import Desk
from dmm.market.instrument import Instrument
from dmm.ports import Deployment
from dmm.sandbox.chains import LocalChain, left_out_text, open_chain
from dmm.sandbox.demo_maker import demo_answer
from dmm.sandbox.demo_takers import demo_statement
from dmm.sandbox.journal import POSTGRES_FOLDER
from dmm.sandbox.market_maker import MakerServer
from dmm.sandbox.postgres import EmbeddedPostgres
from dmm.sandbox.prefect import PrefectServer
from dmm.sandbox.process import Child, free_port
from dmm.sandbox.runner import FlowRunner
from dmm.sandbox.signers import ROLES, signer_command
from dmm.sandbox.state import StateFolder
from dmm.sandbox.timing import timed
from dmm.sandbox.wiring import Wiring, plain_environment
from dmm.settings import PROJECT_ROOT, socket_of
from dmm.units.chain import HOME_CHAIN, on_chain
from dmm.units.errors import ServiceFault
from dmm.units.ids import Hash32
from dmm.usecases.audit import record_funding

FUNDING_S_MAX = 30.0
SERVED_S_MAX = 60.0
SIGNER_S_MAX = 20.0
STARTED_S_MAX = 360.0
"""Longest wait for a service that is starting, the first npm install included."""

GOVERNANCE_DEPLOYMENT = "governance_apply/governance_apply"

Say = Callable[[str], None]


class Stack:
    """Postgres, the local chains with their signers, and Prefect with its flow processes.

    Entering starts all at once; `desk`, `deploy` and `flows` wait for what they need, so that a
    session begins on the database while Prefect is still coming up.
    """

    def __init__(
        self,
        state: StateFolder,
        *,
        say: Say,
        prefect_port: int = 0,
        epoch_length_s: int = 60,
        chains: Sequence[str] = (HOME_CHAIN,),
        left_out: Mapping[str, str] | None = None,
        opener: Callable[..., LocalChain] = open_chain,
        overrides: Mapping[str, str] | None = None,
    ) -> None:
        """Describe the services; nothing starts yet.

        Parameters
        ----------
        prefect_port : 0 picks a free one
        chains : local chains to start, the home chain among them
        left_out : chains that cannot run here, and why, to tell the user
        opener : opens a chain, as `dmm.sandbox.chains.open_chain` does
        overrides : environment of our processes beyond what the services make of it
        """
        self.folder = state.run
        self.timings: dict[str, float] = {}
        self._say = say
        self._epoch_length_s = epoch_length_s
        self._stopping = ExitStack()
        self._chains = {
            name: opener(
                name,
                root=PROJECT_ROOT,
                folder=self.folder / name,
                cache_dir=state.root / "npm-cache",
            )
            for name in chains
        }
        # These threads start children and must outlive them: see `dmm.sandbox.process`.
        self._threads = ThreadPoolExecutor(
            max_workers=2 + len(self._chains), thread_name_prefix="stack"
        )
        self._overrides = dict(overrides or {})
        self._signers: dict[str, tuple[Child, Path]] = {}
        self.postgres = EmbeddedPostgres(self.folder / POSTGRES_FOLDER)
        # Its port is chosen now, because others are told the address before it listens.
        self._prefect = PrefectServer(
            self.folder / "prefect",
            port=prefect_port or free_port(),
            ui_dir=state.root / "prefect-ui",
        )
        self.warnings = [left_out_text({name: why}) for name, why in (left_out or {}).items()]
        self._started: dict[str, Future[None]] = {}
        self._guard = threading.Lock()
        self._logins: dict[Role, str] = {}
        self._desk: Desk | None = None
        self._is_deployed = False
        self._runner: FlowRunner | None = None
        self._maker_url = ""

    # -- life ---------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        """Begin to start everything; faults surface where a service is first needed."""
        for warning in self.warnings:
            self._say(warning)
        self._stopping.callback(self._threads.shutdown)
        starts: dict[str, Callable[[], None]] = {
            "postgres": self._start_postgres,
            **{n: functools.partial(self._start_chain, c) for n, c in self._chains.items()},
            "prefect": self._start_prefect,
        }
        for name, start in starts.items():
            self._started[name] = self._threads.submit(self._timed_start, name, start)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything that was started, the last first."""
        try:
            for started in self._started.values():
                # A start under way ends by itself, in bounded time, and has then to be undone.
                started.exception()
        finally:
            # Also when a second signal cuts the waiting short: the kernel ends what comes up later
            # when the thread that started it ends.
            self._stopping.close()

    def _timed_start(self, name: str, start: Callable[[], None]) -> None:
        with timed(self.timings, f"start:{name}"):
            start()
        self._say(f"{name} healthy in {self.timings[f'start:{name}']:.1f} s")

    def _start_postgres(self) -> None:
        with self._guard:
            self._stopping.callback(self.postgres.stop)
        self.postgres.start()
        migrate(self.postgres.url())

    def _start_chain(self, chain: LocalChain) -> None:
        with self._guard:
            self._stopping.callback(chain.stop)
        chain.start()

    def _start_prefect(self) -> None:
        with self._guard:
            self._stopping.callback(self._prefect.stop)
        self._prefect.start()
        # Whatever an earlier owner ran here ended with it; left as it is, such a run would keep
        # its deployment's only slot until its heartbeat is missed.
        with PrefectScheduler(self._prefect.api_url, self._prefect.auth) as scheduler:
            scheduler.crash_unfinished(message="its process ended with the desk that started it")

    def _wait(self, name: str) -> None:
        try:
            self._started[name].result(STARTED_S_MAX)
        except TimeoutError as error:
            raise ServiceFault(
                f"{name} did not start in {STARTED_S_MAX:.0f} s: look at the logs in {self.folder}"
            ) from error

    # -- what a session needs -----------------------------------------------------------------

    @property
    def prefect_url(self) -> str:
        """Return the address of Prefect's UI."""
        return self._prefect.url

    @property
    def prefect_login(self) -> str:
        """Return ``user:password`` of Prefect's UI."""
        return self._prefect.auth

    @property
    def local_chains(self) -> dict[str, LocalChain]:
        """Return the local chains by name."""
        return self._chains

    def desk(self) -> Desk:
        """Return the desk on the migrated database; its contracts follow with `deploy`."""
        if self._desk is None:
            for name in ("postgres", *self._chains):
                self._wait(name)
            self._desk = Desk(self._wiring().settings())
            self._stopping.callback(self._desk.close)
        return self._desk

    def deploy(self, instrument: Instrument, *, genesis_head: Hash32) -> dict[str, LocalChain]:
        """Return the chains by name, with contracts deployed, vaults booked and signers up."""
        if self._is_deployed:
            return self._chains
        desk = self.desk()
        with timed(self.timings, "start:contracts"):
            under_way = {
                name: self._threads.submit(
                    self._deploy_on, chain, desk, instrument, genesis_head=genesis_head
                )
                for name, chain in self._chains.items()
            }
            decimals = {name: made.result(STARTED_S_MAX) for name, made in under_way.items()}
        maker = MakerServer(demo_answer(self._chains, decimals), demo_statement(self._chains))
        self._stopping.enter_context(maker)
        self._maker_url = maker.url
        self._is_deployed = True
        self._wiring().save(self.folder)
        return self._chains

    def _deploy_on(
        self, chain: LocalChain, desk: Desk, instrument: Instrument, *, genesis_head: Hash32
    ) -> dict[str, int]:
        """Deploy on a chain, book its vaults, start its signers; return decimals by token."""
        with timed(self.timings, f"start:contracts:{chain.name}"):
            deployments = chain.deploy(
                position=instrument.position, cash=instrument.cash, genesis_head=genesis_head
            )
            desk.store.record_deployments(deployments)
            record_funding(
                store=desk.store,
                log=desk.chain_log(chain.name),
                clock=desk.clock,
                height=max(deployed.height for deployed in deployments),
                wait_s_max=FUNDING_S_MAX,
            )
        with timed(self.timings, f"start:signers:{chain.name}"):
            self._start_signers(chain, deployments)
        return {
            d.name.removeprefix("token:"): d.decimals
            for d in deployments
            if d.name.startswith("token:")
        }

    def _start_signers(self, chain: LocalChain, deployments: list[Deployment]) -> None:
        policy = chain.signer_policy({deployed.name: deployed for deployed in deployments})
        signers: list[tuple[Child, Path]] = []
        for role in ROLES:
            home = {"settlement": self.settlement_socket, "quote": self.quote_socket}[role]
            socket = socket_of(home, chain.name)
            # A socket that a killed signer left behind would look ready.
            socket.unlink(missing_ok=True)
            command = signer_command(
                role,
                folder=self.folder / "signers" / on_chain(role, chain.name),
                socket=socket,
                secret=chain.signer_secret(role),
                policy=policy,
                database_url=self._login(Role.SIGNER),
            )
            name = on_chain(f"{role}-signer", chain.name)
            signer = Child(
                name=name,
                argv=command,
                log_path=self.folder / f"{name}.log",
                env=plain_environment(self.folder),
                cwd=PROJECT_ROOT,
            )
            signer.spawn()
            with self._guard:
                self._stopping.callback(signer.stop)
                self._signers[name] = signer, socket
            signers.append((signer, socket))
        for signer, socket in signers:
            signer.wait_until(socket.is_socket, timeout_s=SIGNER_S_MAX)

    def signer(self, role: str, chain: str) -> Child:
        """Return a signer's process, once contracts are deployed."""
        return self._signers[on_chain(f"{role}-signer", chain)][0]

    def restart_signer(self, role: str, chain: str) -> None:
        """Start a signer again whose process has ended, and wait until it listens."""
        signer, socket = self._signers[on_chain(f"{role}-signer", chain)]
        socket.unlink(missing_ok=True)
        signer.spawn()
        signer.wait_until(socket.is_socket, timeout_s=SIGNER_S_MAX)

    @property
    def settlement_socket(self) -> Path:
        """Return the settlement signer's socket."""
        return self.folder / "signers" / "settlement.sock"

    @property
    def quote_socket(self) -> Path:
        """Return the quote signer's socket."""
        return self.folder / "signers" / "quote.sock"

    @property
    def kill_socket(self) -> Path:
        """Return the socket on which the worker hears a kill past the journal."""
        return self.folder / "kill.sock"

    def flows(self) -> FlowRunner:
        """Return the warm runner of the epoch flows; governance is served beside it."""
        if self._runner is None:
            self._wait("prefect")
            with timed(self.timings, "start:flows"):
                self._runner = FlowRunner(folder=self.folder, environment=self.environment())
                self._stopping.callback(self._runner.stop)
                self._runner.spawn()
                self.serve("--only=governance_apply", "--paused")
        return self._runner

    def serve(self, *options: str) -> Child:
        """Serve the deployments of prefect.yaml and return the process that does."""
        self._wait("prefect")
        served = self.child("serve", ["flows.serve", *options])
        desk = self.desk()
        scheduler = desk.scheduler
        if not isinstance(scheduler, PrefectScheduler):
            raise ServiceFault("the scheduler does not tell what is deployed")
        deployed = GOVERNANCE_DEPLOYMENT
        served.wait_until(lambda: scheduler.is_served(deployed), timeout_s=SERVED_S_MAX)
        return served

    def child(self, name: str, module: list[str], *, role: Role = Role.FLOWS) -> Child:
        """Start one of our processes beside the services, stopped before them.

        Parameters
        ----------
        role : what it may do in the journal
        """
        child = Child(
            name=name,
            argv=[sys.executable, "-m", *module],
            log_path=self.folder / f"{name}.log",
            env=self.environment(role),
            cwd=PROJECT_ROOT,
        )
        child.spawn()
        self._stopping.callback(child.stop)
        return child

    def _login(self, role: Role) -> str:
        """Return the journal's URL for a role, under a password of this run's."""
        with self._guard:
            if role not in self._logins:
                self._logins[role] = add_login(
                    self.postgres.url(),
                    role,
                    name=f"{role.value}_local",
                    password=secrets.token_urlsafe(24),
                )
            return self._logins[role]

    def _wiring(self) -> Wiring:
        return Wiring(
            database_url=self.postgres.url(),
            prefect_api_url=self._prefect.api_url,
            prefect_api_auth=self._prefect.auth,
            signer_socket=str(self.settlement_socket),
            quote_signer_socket=str(self.quote_socket),
            kill_socket=str(self.kill_socket),
            buyback_maker_url=self._maker_url,
            statement_taker_url=self._maker_url,
            state_dir=str(self.folder),
            epoch_length_s=self._epoch_length_s,
            chains={name: chain.settings() for name, chain in self._chains.items()},
        )

    def environment(self, role: Role = Role.FLOWS) -> dict[str, str]:
        """Return the whole environment of a child that is a part of the desk."""
        logins = {"DMM_DATABASE_URL": self._login(role)}
        if role is Role.FLOWS:
            # One of the flows sweeps the outbox.
            logins["DMM_DRIVER_DATABASE_URL"] = self._login(Role.SETTLER)
        return {
            **plain_environment(self.folder),
            **self._prefect.environment(),
            **self._wiring().environment(),
            **self._overrides,
            **logins,
        }
