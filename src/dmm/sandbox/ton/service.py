"""The local chain as a program: blocks on a beat, liteservers on loopback, a socket to steer it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dmm import observe
from dmm.adapters.clock import SystemClock
from dmm.sandbox.ton.adnl import AdnlServer, ServerKey
from dmm.sandbox.ton.blocks import SHARD
from dmm.sandbox.ton.chain import Faults, LocalChain
from dmm.sandbox.ton.lite import LiteFaults, LiteServer
from dmm.sandbox.ton.machine import Machine
from dmm.units.errors import Fault, UsageFault

CONFIG_FILE = "global.config.json"
CONTROL_SOCKET = "control.sock"
SEED_FILE = "chain.seed"
NS_PER_S = 1_000_000_000
LINE_BYTES_MAX = 1 << 20
ADVANCE_S_MAX = 10 * 366 * 86_400
LOOPBACK_INT = 2_130_706_433
"""127.0.0.1 as configurations write addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run it.

    `ports` are those of the liteservers, 0 picks a free one. `tick_ms` is the time between blocks
    while anything is under way, `idle_ms` otherwise.
    """

    modules: Path
    folder: Path
    ports: tuple[int, ...]
    tick_ms: int
    idle_ms: int
    global_id: int


class Service:
    """The chain, its servers, and what the control socket may do with them."""

    def __init__(self, options: Options, machine: Machine) -> None:
        self._options = options
        self._clock = SystemClock()
        self._advanced_s = 0
        folder = options.folder
        folder.mkdir(parents=True, exist_ok=True)
        self._seed = _seed(folder / SEED_FILE)
        self.chain = LocalChain(
            machine,
            folder=folder,
            global_id=options.global_id,
            seed=int.from_bytes(self._seed[:8], "big"),
        )
        self.servers: list[LiteServer] = []
        self._listening: list[AdnlServer] = []
        self._is_paused = False

    def now_s(self) -> int:
        """Return the chain's time: the machine's, and what it was moved ahead."""
        ahead = self.chain.head.time_s if self.chain.blocks else 0
        return max(self._clock.now_ns() // NS_PER_S + self._advanced_s, ahead)

    async def run(self) -> None:
        """Serve until cancelled."""
        self.chain.open(now_s=self.now_s())
        try:
            await self._listen()
            control = await asyncio.start_unix_server(
                self._steer, str(self._options.folder / CONTROL_SOCKET), limit=LINE_BYTES_MAX
            )
            (self._options.folder / CONTROL_SOCKET).chmod(0o600)
            async with control:
                await self._beat()
        finally:
            for server in self._listening:
                await server.close()
            self.chain.close()

    async def _listen(self) -> None:
        entries = []
        for place, port in enumerate(self._options.ports):
            key = ServerKey(
                hashlib.sha256(b"dmm/liteserver/" + bytes([place]) + self._seed).digest()
            )
            lite = LiteServer(
                self.chain, now_s=self.now_s, zero_hash=hashlib.sha256(self._seed).digest()
            )
            server = AdnlServer(key, lite.answer)
            bound = await server.listen(port)
            self.servers.append(lite)
            self._listening.append(server)
            entries.append(
                {
                    "ip": LOOPBACK_INT,
                    "port": bound,
                    "id": {"@type": "pub.ed25519", "key": key.public_base64},
                }
            )
        first = self.chain.blocks[0].master
        named = {
            "workchain": first.workchain,
            "shard": SHARD,
            "seqno": first.seqno,
            "root_hash": base64.b64encode(first.root_hash).decode(),
            "file_hash": base64.b64encode(first.file_hash).decode(),
        }
        zero = base64.b64encode(hashlib.sha256(self._seed).digest()).decode()
        config = {
            "@type": "config.global",
            "liteservers": entries,
            "validator": {
                "@type": "validator.config.global",
                "init_block": named,
                "zero_state": named | {"seqno": 0, "root_hash": zero, "file_hash": zero},
            },
            "global_id": self._options.global_id,
        }
        path = self._options.folder / CONFIG_FILE
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        draft.replace(path)

    async def _beat(self) -> None:
        waited_ms = 0
        while True:
            await asyncio.sleep(self._options.tick_ms / 1_000)
            waited_ms += self._options.tick_ms
            if self._is_paused or (self.chain.is_idle() and waited_ms < self._options.idle_ms):
                continue
            waited_ms = 0
            await self._seal()

    async def _seal(self) -> None:
        self.chain.seal(now_s=self.now_s())
        for server in self.servers:
            await server.wake()

    # -- the control socket ---------------------------------------------------------------

    async def _steer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ValueError):
            while line := await reader.readline():
                try:
                    answer: dict[str, Any] = {"ok": await self._do(json.loads(line))}
                except (Fault, KeyError, TypeError, ValueError) as error:
                    answer = {"error": str(error)}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()

    async def _do(self, asked: dict[str, Any]) -> dict[str, Any]:
        match asked["op"]:
            case "status":
                pass
            case "fund":
                self.chain.fund(str(asked["address"]), int(asked["nanoton"]))
            case "seal":
                await self._seal()
            case "pause":
                self._is_paused = bool(asked["paused"])
            case "advance":
                seconds = int(asked["seconds"])
                if not 0 <= seconds <= ADVANCE_S_MAX:
                    raise UsageFault(f"seconds must be in [0, {ADVANCE_S_MAX}], got {seconds}")
                self._advanced_s += seconds
                await self._seal()
            case "faults":
                lost, held = int(asked.get("lost", 0)), int(asked.get("held", 0))
                self.chain.set_faults(Faults(lost_per_mille=lost, held_per_mille=held))
            case "server":
                self.servers[int(asked["server"])].faults = LiteFaults(
                    behind=int(asked.get("behind", 0)),
                    is_deaf=bool(asked.get("is_deaf", False)),
                    delay_s=float(asked.get("delay_s", 0.0)),
                )
            case other:
                raise UsageFault(f"no operation {other!r}")
        head = self.chain.head
        return {"seqno": head.seqno, "time_s": head.time_s, "is_idle": self.chain.is_idle()}


def serve(options: Options) -> None:
    """Run the service until the process is told to end."""
    with Machine(options.modules) as machine:
        observe.service(name="ton-tvm", state="started", pid=machine.pid)
        asyncio.run(Service(options, machine).run())


def _seed(path: Path) -> bytes:
    try:
        return bytes.fromhex(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        seed = os.urandom(32)
        draft = path.with_suffix(".tmp")
        draft.write_text(seed.hex(), encoding="ascii")
        draft.replace(path)
        return seed
