"""The embedded server: start, health, stop by pid; it never outlives the desk."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from dmm.sandbox.prefect import seed
from dmm.sandbox.process import Child, free_port, require_free_port

HOST = "127.0.0.1"

READY_S_MAX = 90.0
"""How long a start may take; a migration from nothing on a slow disk is the longest, seconds."""

STOP_S_MAX = 10.0
"""How long the server may take to end before it is killed, seconds."""

DRAIN_S_MAX = 3
"""How long open connections may hold up the server's end, seconds."""

HEALTH_TIMEOUT_S = 2.0

HEARTBEAT_S = 30
"""How often a flow run tells that it is alive, seconds; Prefect refuses less."""

USER = "dmm"


class PrefectServer:
    """A Prefect server with its UI at ``/``, its data in the state folder, behind a password.

    The state folder holds ``prefect.db``, ``auth`` (0600), ``server.log`` and ``tmp``. When this
    process ends in whatever way, also by ``kill -9``, the kernel tells the server to shut down. It
    ties that to the *thread* that called `start`, which must live as long as the process.

    Parameters
    ----------
    state_dir : folder of the server's files, made if missing
    port : TCP port to listen on; 0 picks a free one and keeps it over a stop and start
    auth : ``user:password`` the API asks for; None makes one and keeps it in the state folder
    ui_dir : where Prefect unpacks its UI, 17 MB; one folder can serve every run on a machine
    """

    def __init__(
        self,
        state_dir: Path,
        port: int = 0,
        auth: str | None = None,
        *,
        ui_dir: Path | None = None,
    ) -> None:
        self.state_dir = state_dir.absolute()
        self.port = port
        self.ui_dir = (ui_dir or self.state_dir / "ui").absolute()
        self._auth = auth
        self._child: Child | None = None

    @property
    def database(self) -> Path:
        """Return the server's SQLite file."""
        return self.state_dir / "prefect.db"

    @property
    def log_path(self) -> Path:
        """Return the server's log file."""
        return self.state_dir / "server.log"

    @property
    def url(self) -> str:
        """Return the address of the UI."""
        return f"http://{HOST}:{self.port}"

    @property
    def api_url(self) -> str:
        """Return the address of the REST interface."""
        return f"{self.url}/api"

    @property
    def auth(self) -> str:
        """Return ``user:password`` of the API, made on first use; the UI asks for it, too."""
        if self._auth is None:
            self._auth = self._kept_auth()
        return self._auth

    @property
    def pid(self) -> int | None:
        """Return the server's pid while it runs."""
        return self._child.pid if self._child is not None and self._child.is_alive else None

    def start(self) -> None:
        """Start the server and return once it is healthy; again is a no-op.

        Raises
        ------
        ServiceFault
            If the port is in use, or the server ends or is not healthy in time; the text ends with
            the server's own last words.
        """
        if self.pid is not None:
            return
        (self.state_dir / "tmp").mkdir(parents=True, exist_ok=True)
        self.ui_dir.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        require_free_port(self.port, name="prefect")
        seed.plant(self.database)
        child = self._server()
        child.spawn()
        self._child = child
        try:
            child.wait_until(self.is_healthy, timeout_s=READY_S_MAX)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server by pid: ask, wait, then kill; again is a no-op."""
        child, self._child = self._child, None
        if child is not None:
            child.stop()

    def is_healthy(self) -> bool:
        """Tell whether the server answers."""
        try:
            answer = httpx.get(f"{self.api_url}/health", timeout=HEALTH_TIMEOUT_S, trust_env=False)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK

    def environment(self) -> dict[str, str]:
        """Return what a child process needs to use this server, to be laid over its own."""
        return {
            "PREFECT_API_URL": self.api_url,
            "PREFECT_API_AUTH_STRING": self.auth,
            "PREFECT_HOME": str(self.state_dir),
            # Prefect's runner keeps files under one fixed name in the temporary folder, which a
            # second user of the machine could not write.
            "TMPDIR": str(self.state_dir / "tmp"),
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "PREFECT_LOGGING_COLORS": "false",
            "PREFECT_CLI_COLORS": "false",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        }

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

    def _server(self) -> Child:
        # uvicorn directly: `prefect server start` loads the command line first and then starts
        # the same application in a process of its own.
        return Child(
            name="prefect",
            argv=[
                *(sys.executable, "-m", "uvicorn", "--factory"),
                "prefect.server.api.server:create_app",
                *("--host", HOST, "--port", str(self.port), "--log-level", "warning"),
                *("--timeout-graceful-shutdown", str(DRAIN_S_MAX)),
            ],
            log_path=self.log_path,
            env=self._server_environment(),
            # Prefect reads settings from files of the folder it starts in: let it find none.
            cwd=self.state_dir,
            stop_s_max=STOP_S_MAX,
        )

    def _server_environment(self) -> dict[str, str]:
        return {
            **self.environment(),
            # Nothing of the caller's environment: a PREFECT_… left there would change the server.
            "HOME": str(self.state_dir),
            "LANG": "C.UTF-8",
            "PATH": os.defpath,
            "PREFECT_SERVER_API_AUTH_STRING": self.auth,
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{self.database}",
            # A database at the revision of the seed needs no look at every migration, 0.7 s.
            "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": str(
                not seed.is_current(self.database)
            ).lower(),
            "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(self.ui_dir),
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        }

    def _kept_auth(self) -> str:
        self.state_dir.mkdir(parents=True, exist_ok=True)
        path = self.state_dir / "auth"
        if not path.exists():
            draft = path.with_suffix(".draft")
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            with os.fdopen(os.open(draft, flags, 0o600), "w") as file:
                file.write(f"{USER}:{secrets.token_urlsafe(18)}")
            draft.replace(path)
        return path.read_text(encoding="ascii")
