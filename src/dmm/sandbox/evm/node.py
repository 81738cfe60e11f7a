"""A local EVM node that mines on its own tick, has finality, and survives its owner's death.

The node's clock is block production: quick while transactions wait or are not final yet, slow while
nothing happens, because every block makes the node's history longer. Before a block makes a
transaction final, the chain is written to disk: what was final once is there after any crash.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from dmm import observe
from dmm.sandbox.evm.install import anvil_program
from dmm.sandbox.evm.rpc import LocalRpc
from dmm.sandbox.process import Child, free_port, require_free_port
from dmm.units.errors import ServiceFault, UsageFault

CHAIN_ID = 31_337
FINALITY_BLOCKS = 16
"""The node calls the block this far below its head finalized: two epochs of eight slots."""

STATES_IN_MEMORY = 128
"""Blocks back from the head at which balances can still be read; history on disk is never kept."""

START_S_MAX = 20.0
BLOCKS_PER_CALL_MAX = 1_000


class EvmNode:
    """One node as a child process; use as a context manager, or `start` and `stop`."""

    def __init__(
        self,
        *,
        root: Path,
        folder: Path,
        port: int = 0,
        chain_id: int = CHAIN_ID,
        tick_ms: int = 100,
        idle_ms: int = 1_000,
    ) -> None:
        """Describe a node; nothing starts yet.

        Parameters
        ----------
        root : the project's folder, with the installed ``contracts/evm/node_modules``
        folder : where the chain's state and log live; a later start continues the chain there
        port : loopback port, 0 picks a free one
        tick_ms : time between blocks while transactions wait or are not final; 0 mines only by hand
        idle_ms : time between blocks otherwise
        """
        self._root, self._folder = root, folder
        self._port, self._chain_id = port, chain_id
        self._tick_ms, self._idle_ms = tick_ms, idle_ms
        self._child: Child | None = None
        self._rpc: LocalRpc | None = None
        self._mining = threading.RLock()
        self._paused = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._head = 0
        self._busy_until = 0
        self._undurable: int | None = None

    @property
    def url(self) -> str:
        """Return where the node listens."""
        return self.rpc.url

    @property
    def folder(self) -> Path:
        """Return the chain's folder."""
        return self._folder

    @property
    def pid(self) -> int:
        """Return the node's process id, 0 when it was never started."""
        return self._child.pid if self._child else 0

    @property
    def rpc(self) -> LocalRpc:
        """Return the node's raw interface; `ServiceFault` before the start."""
        if self._rpc is None:
            raise ServiceFault("the local EVM node is not started")
        return self._rpc

    def is_healthy(self) -> bool:
        """Tell whether the process runs and answers."""
        if self._child is None or not self._child.is_alive or self._rpc is None:
            return False
        try:
            self._rpc("eth_blockNumber")
        except ServiceFault:
            return False
        return True

    def start(self) -> None:
        """Start the node, or continue the chain that its folder holds.

        Raises
        ------
        ServiceFault
            If the port is in use, the program is missing, or it does not come up.
        """
        program = anvil_program(self._root)
        port = self._port or free_port()
        require_free_port(port, name="the local EVM node")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._choose_state()
        self._child = Child(
            name="evm",
            argv=self._arguments(program, port),
            log_path=self._folder / "node.log",
            env={"PATH": "/usr/bin:/bin", "HOME": str(self._folder)},
            cwd=self._folder,
        )
        self._child.spawn()
        self._rpc = LocalRpc(f"http://127.0.0.1:{port}")
        try:
            self._child.wait_until(self.is_healthy, timeout_s=START_S_MAX)
            self._resume_chain()
        except BaseException:
            self._child.stop()
            raise
        self._stopping.clear()
        if self._tick_ms:
            self._thread = threading.Thread(target=self._tick, name="evm-tick", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop the node; it writes its chain on the way out. Again is a no-op."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
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

    def mine(self, blocks: int = 1) -> int:
        """Mine blocks at once and return the head's height."""
        if not 0 <= blocks <= BLOCKS_PER_CALL_MAX:
            raise UsageFault(f"blocks must be in [0, {BLOCKS_PER_CALL_MAX}], got {blocks}")
        with self._mining:
            for _ in range(blocks):
                self._mine_one()
            return self._head

    def pause(self) -> None:
        """FAULT: stop producing blocks, as a halted chain does; `mine` still works."""
        self._paused.set()
        with self._mining:
            # A block that was under way when the pause began is done once the lock is had.
            return

    def resume(self) -> None:
        """End a pause."""
        self._paused.clear()

    def reorg(self, depth: int) -> None:
        """FAULT: replace the last `depth` blocks by empty ones; their transactions are dropped.

        Raises
        ------
        UsageFault
            If the depth would reach a finalized block.
        """
        if not 0 < depth < FINALITY_BLOCKS:
            raise UsageFault(f"a reorg is 1 to {FINALITY_BLOCKS - 1} blocks deep, got {depth}")
        with self._mining:
            self.rpc("anvil_reorg", depth, [])
            # A checkpoint may hold the blocks that are gone now: write again before they are final.
            self._undurable = self._head - depth + 1

    def checkpoint(self) -> None:
        """Write the chain to disk, whole or not at all."""
        with self._mining:
            dump = bytes.fromhex(self.rpc("anvil_dumpState").removeprefix("0x"))
            draft = self._checkpoint_path.with_suffix(".tmp")
            draft.write_bytes(dump)
            draft.replace(self._checkpoint_path)
            self._undurable = None

    @property
    def _state_path(self) -> Path:
        return self._folder / "chain.json"

    @property
    def _checkpoint_path(self) -> Path:
        return self._folder / "chain.checkpoint"

    def _arguments(self, program: Path, port: int) -> list[str]:
        options = {
            "--host": "127.0.0.1",
            "--port": port,
            "--chain-id": self._chain_id,
            "--hardfork": "prague",
            "--slots-in-an-epoch": FINALITY_BLOCKS // 2,
            "--prune-history": STATES_IN_MEMORY,
            "--accounts": 1,
            "--state": self._state_path,
            "--cache-path": self._folder / "cache",
        }
        flat = [str(word) for option in options.items() for word in option]
        return [str(program), "--quiet", "--no-mining", *flat]

    def _choose_state(self) -> None:
        """Let the node load the longer of its own last words and our last checkpoint."""
        own, saved = _height(_read_plain(self._state_path)), None
        content = _read_packed(self._checkpoint_path)
        if content is not None:
            saved = _height(content)
        if saved is not None and content is not None and (own is None or saved > own):
            self._state_path.write_bytes(content)
        elif own is None:
            # Cut off while it was written, and no checkpoint: nothing was ever final here.
            self._state_path.unlink(missing_ok=True)

    def _resume_chain(self) -> None:
        self._head = int(self.rpc("eth_blockNumber"), 16)
        self._undurable = None
        self._busy_until = self._head + FINALITY_BLOCKS + 1
        if self._head > 0:
            self.checkpoint()
            # A loaded chain has no state below its head; past these blocks every final block has.
            self.mine(FINALITY_BLOCKS + 1)

    def _mine_one(self) -> None:
        finalized_next = self._head + 1 - FINALITY_BLOCKS
        if self._undurable is not None and finalized_next >= self._undurable:
            self.checkpoint()
        self.rpc("evm_mine")
        self._head += 1
        # Counted after the fact: a transaction may arrive while the block is made.
        if int(self.rpc("eth_getBlockTransactionCountByNumber", hex(self._head)), 16):
            self._busy_until = self._head + FINALITY_BLOCKS + 1
            if self._undurable is None:
                self._undurable = self._head

    def _tick(self) -> None:
        idle_ms = 0
        while not self._stopping.wait(self._tick_ms / 1_000):
            idle_ms += self._tick_ms
            if self._paused.is_set():
                continue
            try:
                with self._mining:
                    busy = self._head < self._busy_until
                    if not busy:
                        busy = int(self.rpc("txpool_status")["pending"], 16) > 0
                    if busy or idle_ms >= self._idle_ms:
                        self._mine_one()
                        idle_ms = 0
            except ServiceFault as fault:
                # The owner sees it by `is_healthy`; a dead node must not be asked for ever.
                observe.service(name="evm", state="no blocks", pid=self.pid, note=str(fault)[:200])
                if self._child is None or not self._child.is_alive:
                    return


def _read_plain(path: Path) -> bytes | None:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return None


def _read_packed(path: Path) -> bytes | None:
    with contextlib.suppress(OSError, EOFError):
        return gzip.decompress(path.read_bytes())
    return None


def _height(content: bytes | None) -> int | None:
    """Return the head of a dumped chain, or None when the dump is missing or cut off."""
    try:
        return int(json.loads(content or b"")["best_block_number"])
    except (ValueError, KeyError, TypeError):
        return None
