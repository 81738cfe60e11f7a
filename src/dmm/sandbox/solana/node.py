"""A local Solana node as a child process: starts, stops, goes on with the chain in its folder."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from solders.pubkey import Pubkey

from dmm.sandbox.process import Child, free_port, require_free_port
from dmm.sandbox.solana.chain import Pace
from dmm.units.errors import ServiceFault

START_S_MAX = 20.0
CALL_S_MAX = 10.0


def _local(name: str) -> Pubkey:
    return Pubkey(hashlib.sha256(b"dmm/local/" + name.encode()).digest())


PROGRAM = _local("program")
"""Where our program lies on the local chain; nobody holds a key to it."""
MULTISIG = _local("multisig")
"""Where the test multisig lies on the local chain."""


def local_programs(root: Path) -> dict[Pubkey, Path]:
    """Return the committed programs of a checkout by their local addresses."""
    build = root / "contracts" / "solana" / "build"
    return {PROGRAM: build / "dmm.so", MULTISIG: build / "multisig.so"}


class SolanaNode:
    """One node; use as a context manager, or `start` and `stop`."""

    def __init__(
        self,
        *,
        folder: Path,
        programs: Mapping[Pubkey, Path],
        port: int = 0,
        pace: Pace | None = None,
    ) -> None:
        """Describe a node; nothing starts yet.

        Parameters
        ----------
        folder : where the chain's journal and log live; a later start goes on with it
        programs : loaded at the chain's beginning, see `local_programs`
        port : loopback port, 0 picks a free one
        """
        self._folder = folder
        self._programs = dict(programs)
        self._port = port
        self._pace = pace or Pace()
        self._child: Child | None = None
        self._http: httpx.Client | None = None

    @property
    def url(self) -> str:
        """Return where the node answers over HTTP."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def websocket_url(self) -> str:
        """Return where the node answers over WebSocket."""
        return f"ws://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Return the node's process id, 0 when it was never started."""
        return self._child.pid if self._child else 0

    def start(self) -> None:
        """Start the node, or go on with the chain that its folder holds.

        Raises
        ------
        ServiceFault
            If the port is in use, a program is missing, or the node does not come up.
        """
        self._port = self._port or free_port()
        require_free_port(self._port, name="the local Solana node")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._http = httpx.Client(timeout=CALL_S_MAX)
        self._child = Child(
            name="solana",
            argv=self._arguments(),
            log_path=self._folder / "node.log",
            env={"PATH": "/usr/bin:/bin", "HOME": str(self._folder)},
            cwd=self._folder,
        )
        self._child.spawn()
        try:
            self._child.wait_until(self.is_healthy, timeout_s=START_S_MAX)
        except ServiceFault:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the node; its chain stays in the folder. Again is a no-op."""
        if self._child is not None:
            self._child.stop()
        if self._http is not None:
            self._http.close()
            self._http = None

    def is_healthy(self) -> bool:
        """Tell whether the node answers."""
        try:
            return bool(self.call("getHealth") == "ok")
        except ServiceFault:
            return False

    def call(self, method: str, *params: object) -> Any:
        """Call one method and return its result.

        Raises
        ------
        ServiceFault
            If the node does not answer, or answers with an error.
        """
        if self._http is None:
            raise ServiceFault("the local Solana node is not started")
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        try:
            answer = self._http.post(self.url, json=request)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise ServiceFault(f"the local Solana node does not answer: {error}") from error
        body = answer.json()
        if "error" in body:
            raise ServiceFault(f"{method}: {body['error']['message']}")
        return body["result"]

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

    def _arguments(self) -> list[str]:
        options = {
            "--folder": self._folder,
            "--port": self._port,
            "--slot-ms": self._pace.slot_ms,
            "--confirmed-slots": self._pace.confirmed_slots,
            "--finalized-slots": self._pace.finalized_slots,
        }
        words = [str(word) for option in options.items() for word in option]
        for address, path in self._programs.items():
            words += ["--program", f"{address}={path}"]
        return [sys.executable, "-m", "dmm.sandbox.solana", *words]
