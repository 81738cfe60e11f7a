"""The local TON chain as a child of the sandbox: started, steered and stopped from here."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dmm.sandbox.process import Child, require_free_port
from dmm.sandbox.ton.install import node_modules
from dmm.units.errors import ServiceFault, UsageFault

GLOBAL_ID = -217
"""The local network's number: neither mainnet's (-239) nor testnet's (-3)."""

START_S_MAX = 60.0
"""A long journal takes a while to be played again."""

CALL_S_MAX = 30.0
CONFIG_FILE = "global.config.json"
CONTROL_SOCKET = "control.sock"
SOCKET_BYTES_MAX = 100


class TonNode:
    """One chain with its liteservers; use as a context manager, or `start` and `stop`."""

    def __init__(
        self,
        *,
        root: Path,
        folder: Path,
        ports: tuple[int, ...] = (0,),
        tick_ms: int = 100,
        idle_ms: int = 1_000,
        global_id: int = GLOBAL_ID,
    ) -> None:
        """Describe it; nothing starts yet.

        Parameters
        ----------
        root : the project's folder, with the installed ``contracts/ton/node_modules``
        folder : where the chain's journal and log live; a later start continues the chain there
        ports : loopback ports of the liteservers, 0 picks a free one
        tick_ms : time between blocks while anything is under way
        idle_ms : time between blocks otherwise
        global_id : the network's number

        Raises
        ------
        UsageFault
            If there is no port, or the folder's path is too long for a socket.
        """
        if not ports:
            raise UsageFault("a local chain needs a liteserver: name at least one port")
        if len(str(folder / CONTROL_SOCKET).encode()) > SOCKET_BYTES_MAX:
            raise UsageFault(f"{folder} is too long a path for a socket: choose a shorter one")
        self._root, self._folder, self._ports = root, folder, ports
        self._tick_ms, self._idle_ms, self._global_id = tick_ms, idle_ms, global_id
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        """Return the chain's process id, 0 when it was never started."""
        return self._child.pid if self._child else 0

    @property
    def folder(self) -> Path:
        """Return where the chain's journal and log live."""
        return self._folder

    @property
    def config_path(self) -> Path:
        """Return the file that clients connect with; it is there once the chain was started."""
        return self._folder / CONFIG_FILE

    @property
    def config(self) -> dict[str, Any]:
        """Return what a client connects with, as in a network's ``global.config.json``."""
        content: dict[str, Any] = json.loads(
            (self._folder / CONFIG_FILE).read_text(encoding="utf-8")
        )
        return content

    def start(self) -> None:
        """Start the chain, or continue the one its folder holds.

        Raises
        ------
        ServiceFault
            If a port is in use, packages are missing, or it does not come up.
        """
        for port in self._ports:
            if port:
                require_free_port(port, name="the local TON liteserver")
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / CONTROL_SOCKET).unlink(missing_ok=True)
        flags = [word for port in self._ports for word in ("--port", str(port))]
        self._child = Child(
            name="ton",
            argv=[
                *(sys.executable, "-m", "dmm.sandbox.ton"),
                *("--modules", str(node_modules(self._root)), "--folder", str(self._folder)),
                *("--tick-ms", str(self._tick_ms), "--idle-ms", str(self._idle_ms)),
                *("--global-id", str(self._global_id)),
                *flags,
            ],
            log_path=self._folder / "node.log",
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(self._folder),
                "PYTHONPATH": str(self._root / "src"),
            },
            cwd=self._folder,
        )
        self._child.spawn()
        try:
            self._child.wait_until(self.is_healthy, timeout_s=START_S_MAX)
        except BaseException:
            self._child.stop()
            raise

    def stop(self) -> None:
        """Stop it; again is a no-op."""
        if self._child is not None:
            self._child.stop()

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

    def is_healthy(self) -> bool:
        """Tell whether the process runs and answers."""
        if self._child is None or not self._child.is_alive:
            return False
        try:
            self.status()
        except ServiceFault:
            return False
        return True

    def status(self) -> dict[str, Any]:
        """Return the head's number and time, and whether nothing is under way."""
        return self._call(op="status")

    def fund(self, address: str, nanoton: int) -> None:
        """Send DEMO money to an address; it arrives within two blocks."""
        self._call(op="fund", address=address, nanoton=nanoton)

    def seal(self) -> dict[str, Any]:
        """Close a block now."""
        return self._call(op="seal")

    def pause(self, *, paused: bool) -> None:
        """FAULT: make no blocks but by `seal`, or go on."""
        self._call(op="pause", paused=paused)

    def advance(self, seconds: int) -> dict[str, Any]:
        """Move the chain's time ahead and close a block there."""
        return self._call(op="advance", seconds=seconds)

    def set_faults(self, *, lost_per_mille: int = 0, held_per_mille: int = 0) -> None:
        """FAULT: lose messages from outside, hold back those between contracts."""
        self._call(op="faults", lost=lost_per_mille, held=held_per_mille)

    def set_server(
        self, server: int, *, behind: int = 0, is_deaf: bool = False, delay_s: float = 0.0
    ) -> None:
        """FAULT: make one liteserver stale by blocks, silent, or slow."""
        self._call(op="server", server=server, behind=behind, is_deaf=is_deaf, delay_s=delay_s)

    def _call(self, **asked: object) -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(CALL_S_MAX)
                line.connect(str(self._folder / CONTROL_SOCKET))
                line.sendall(json.dumps(asked).encode() + b"\n")
                answer = line.makefile("rb").readline()
        except OSError as error:
            raise ServiceFault(f"the local TON chain does not answer: {error}") from error
        if not answer:
            raise ServiceFault("the local TON chain hung up: see its node.log")
        reply = json.loads(answer)
        if "error" in reply:
            raise UsageFault(f"the local TON chain refused {asked.get('op')}: {reply['error']}")
        return dict(reply["ok"])
