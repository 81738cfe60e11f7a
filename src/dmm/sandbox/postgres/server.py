"""The embedded server: start, ready check, stop by pid; it never outlives the desk."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from dmm import observe
from dmm.sandbox.postgres.earlier import end_earlier
from dmm.sandbox.postgres.install import (
    POSTGRES_MAJOR,
    Binaries,
    ServerAccount,
    binaries,
    server_account,
)
from dmm.sandbox.process import Child, free_port, require_free_port
from dmm.units.errors import ServiceFault

READY_S_MAX = 60.0
"""How long the server may take to accept connections, crash recovery included, seconds."""

INITDB_S_MAX = 120.0
"""How long making a new data folder may take, seconds."""

STOP_S_MAX = 30.0
"""How long a fast shutdown may take before the server is killed, seconds."""

PORT_ATTEMPTS_MAX = 3
"""How often a start is tried when another program takes the port in between."""

LOG_BYTES_MAX = 16 * 1024 * 1024
"""A longer log is set aside at the next start, in place of the one set aside before."""

ROLE = "dmm"
DATABASE = "dmm"

OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "wal_compression": "on",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
"""What differs from PostgreSQL's own defaults; fsync stays on."""


class EmbeddedPostgres:
    """A PostgreSQL server of the desk's own: loopback TCP, password, data in the state folder.

    The state folder holds ``data``, ``password`` (0600), ``postgres.log`` and ``lock``; one
    process at a time may run a server in it. When this process ends in whatever way, also by
    ``kill -9``, the kernel tells the server to shut down. It ties that to the *thread* that called
    `start`, which therefore must live as long as the process: use the main thread.

    Parameters
    ----------
    state : folder of the server's files, made if missing
    port : TCP port to listen on; 0 picks a free one and keeps it over a stop and start
    """

    def __init__(self, state: Path, *, port: int = 0) -> None:
        self.state = state.absolute()
        self.port = port
        self._server: Child | None = None
        self._lock: int | None = None

    @property
    def data(self) -> Path:
        """Return the data folder."""
        return self.state / "data"

    @property
    def log_path(self) -> Path:
        """Return the server's log file."""
        return self.state / "postgres.log"

    @property
    def pid(self) -> int | None:
        """Return the server's pid while it runs."""
        return self._server.pid if self._server is not None and self._server.is_alive else None

    def url(self, database: str = DATABASE) -> str:
        """Return the URL of a database, password included.

        Raises
        ------
        ServiceFault
            If the server was never started, so that there is no password or port yet.
        """
        try:
            password = self._password_path.read_text()
        except OSError as error:
            raise ServiceFault(f"no password at {self._password_path}; start it first") from error
        return f"postgresql://{ROLE}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and return once it accepts connections; again is a no-op.

        Raises
        ------
        ServiceFault
            If another desk uses the folder, the account cannot reach it, or the server fails; the
            text ends with the server's own last words.
        """
        if self.pid is not None:
            return
        self.stop()
        account = server_account(self.data)
        self._make_state(account)
        self._take_lock()
        try:
            programs = binaries(self.state, account)
            end_earlier(self.data)
            self._initialise(programs)
            self._set_log_aside()
            self._launch(programs)
            self.create_database(DATABASE)
        except BaseException:
            self.stop()
            raise
        observe.service(name="postgres", state="ready", pid=self.pid, note=f"port {self.port}")

    def stop(self) -> None:
        """Stop the server by its pid; again is a no-op."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def create_database(self, name: str) -> None:
        """Create a database unless it is there."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if known.fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    # -- folder -------------------------------------------------------------------------------

    @property
    def _password_path(self) -> Path:
        return self.state / "password"

    def _make_state(self, account: ServerAccount) -> None:
        made = [folder for folder in [self.state, *self.state.parents] if not folder.exists()]
        self.state.mkdir(parents=True, exist_ok=True)
        if account.drops:
            for folder in {*made, self.state}:
                folder.chmod(0o755)
        blocked = account.blocked_at(self.state)
        if blocked is not None:
            raise ServiceFault(
                f"account {account.name!r}, under which PostgreSQL runs for root, may not enter "
                f"{blocked}; run `chmod o+x {blocked}` or set DMM_STATE_DIR to another folder"
            )

    def _take_lock(self) -> None:
        # Held by the kernel for this process alone, so a killed run never leaves it behind.
        handle = os.open(self.state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise ServiceFault(
                f"another process runs PostgreSQL in {self.state}; stop it or set DMM_STATE_DIR"
            ) from error
        self._lock = handle

    def _initialise(self, programs: Binaries) -> None:
        version = self.data / "PG_VERSION"
        if version.exists():
            major = version.read_text().strip()
            if major != str(POSTGRES_MAJOR):
                raise ServiceFault(
                    f"{self.data} is of PostgreSQL {major}, the desk runs {POSTGRES_MAJOR}: dump "
                    "and restore it, or set DMM_STATE_DIR to another folder"
                )
            return
        # Made beside and renamed when complete, so that a crash leaves no half-made cluster.
        partial = self.state / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        account = programs.account
        self._password_path.unlink(missing_ok=True)
        handle = os.open(self._password_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(24))
        if account.drops:
            os.chown(partial, account.uid, account.gid)
            os.chown(self._password_path, account.uid, account.gid)
        self._run_initdb(programs, partial)
        if account.drops:
            os.chown(self._password_path, 0, 0)
        partial.rename(self.data)

    def _set_log_aside(self) -> None:
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_BYTES_MAX:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))

    def _run_initdb(self, programs: Binaries, data: Path) -> None:
        argv = [
            programs.program("initdb"),
            f"--pgdata={data}",
            f"--username={ROLE}",
            f"--pwfile={self._password_path}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--data-checksums",
            "--no-instructions",
        ]
        child = self._child("initdb", argv, programs)
        child.spawn()
        try:
            code = None if child.process is None else child.process.wait(INITDB_S_MAX)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            child.stop()
        if code != 0:
            raise ServiceFault(f"initdb failed: {child.log_tail()}")

    # -- process ------------------------------------------------------------------------------

    def _launch(self, programs: Binaries) -> None:
        for attempt in range(1, PORT_ATTEMPTS_MAX + 1):
            self.port = self.port if self.port and _is_free(self.port) else free_port()
            argv = [programs.program("postgres"), "-D", str(self.data), "-p", str(self.port)]
            for name, value in OPTIONS.items():
                argv += ["-c", f"{name}={value}"]
            self._server = self._child("postgres", argv, programs)
            self._server.spawn()
            try:
                self._server.wait_until(self._accepts, timeout_s=READY_S_MAX)
            except ServiceFault:
                taken = not self._server.is_alive and not _is_free(self.port)
                if not taken or attempt == PORT_ATTEMPTS_MAX:
                    raise
            else:
                return

    def _child(self, name: str, argv: list[str], programs: Binaries) -> Child:
        return Child(
            name=name,
            argv=argv,
            log_path=self.log_path,
            env=programs.env,
            cwd=Path("/"),
            stop_signal=signal.SIGINT,
            stop_s_max=STOP_S_MAX,
            run_as=programs.account.run_as,
        )

    def _accepts(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _is_free(port: int) -> bool:
    try:
        require_free_port(port, name="postgres")
    except ServiceFault:
        return False
    return True
