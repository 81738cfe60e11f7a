"""The TVM of the local chain: accounts in a Node child, one message and one transaction at a time.

The child executes; it decides nothing. Which message comes next, at what time, and what becomes of
a block is the caller's choice, so that any order of messages can be had and had again.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

from pytoniq_core import Address, Cell
from pytoniq_core.tlb.vm_stack import VmStack

from dmm.sandbox.evm.install import node_program
from dmm.units.errors import Permanent, ServiceFault

BRIDGE = Path(__file__).with_name("bridge.cjs")
NOT_ACTIVE = -256
"""Exit code of a getter on an account without code, as liteservers report it."""

STOP_S_MAX = 5.0
LINE_BYTES_MAX = 64 << 20
"""Longest answer: an account of 65,536 cells fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message that waits for its delivery; `source` is empty for one from outside."""

    boc: bytes
    source: str
    destination: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What one delivery did.

    `exit_code` is that of the compute phase, None when it was skipped; `action_code` that of the
    action phase, None when there was none. Amounts are nanoton. `account` is the state after it.
    """

    address: str
    lt: int
    hash: bytes
    now_s: int
    boc: bytes
    exit_code: int | None
    skipped: str | None
    gas: int
    action_code: int | None
    aborted: bool
    fees_nanoton: int
    account: bytes
    out: tuple[Message, ...]
    logs: tuple[bytes, ...]

    @property
    def is_success(self) -> bool:
        """Tell whether both phases went through."""
        return not self.aborted


@dataclass(frozen=True, slots=True, kw_only=True)
class GetterResult:
    """A getter's answer: the stack is empty when it failed."""

    exit_code: int
    gas: int
    stack: tuple[Any, ...]


class Refused(Permanent):
    """The TVM did not take an external message: nothing has happened."""


class Machine:
    """One TVM with its accounts; use as a context manager. Calls are safe from any thread."""

    def __init__(self, modules: Path) -> None:
        """Describe it; nothing starts yet.

        Parameters
        ----------
        modules : the folder of the installed npm packages
        """
        self._modules = modules
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()
        self._count = 0

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

    @property
    def pid(self) -> int:
        """Return the child's process id, 0 before the start."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start the child.

        Raises
        ------
        ServiceFault
            If Node or the packages are missing.
        """
        if not self._modules.is_dir():
            raise ServiceFault(f"{self._modules} is missing: install contracts/ton first")
        try:
            # The child ends by itself when its stdin does, so it cannot outlive us.
            self._process = subprocess.Popen(  # noqa: S603 - our own argument list
                [str(node_program()), str(BRIDGE), str(self._modules)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise ServiceFault(f"the TVM cannot be started: {error}") from error

    def stop(self) -> None:
        """End the child; again is a no-op."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def boot(self, *, now_s: int, global_id: int) -> None:
        """Begin an empty chain.

        Parameters
        ----------
        now_s : its time, seconds since 1970 UTC
        global_id : the network's number, which contracts check in what is signed
        """
        self._call("boot", now=now_s, globalId=global_id)

    def set_now(self, now_s: int) -> None:
        """Set the time of the deliveries that follow; never backwards for an account."""
        self._call("now", now=now_s)

    def deliver(self, message: Message) -> Transaction:
        """Execute one message on the account it is for.

        Raises
        ------
        Refused
            If it came from outside and the account did not accept it.
        """
        done = self._call("deliver", boc=_text(message.boc))
        return Transaction(
            address=message.destination,
            lt=int(done["lt"]),
            hash=bytes.fromhex(done["hash"]),
            now_s=done["now"],
            boc=_bytes(done["boc"]),
            exit_code=done["exit"],
            skipped=done["skipped"],
            gas=done["gas"],
            action_code=done["action"],
            aborted=done["aborted"],
            fees_nanoton=int(done["fees"]),
            account=_bytes(done["account"]),
            out=tuple(
                Message(boc=_bytes(out["boc"]), source=out["src"], destination=out["dest"])
                for out in done["out"]
            ),
            logs=tuple(_bytes(log) for log in done["logs"]),
        )

    def account(self, address: str) -> bytes:
        """Return an account's state as it is now (TL-B ShardAccount)."""
        return _bytes(self._call("account", address=address)["boc"])

    def put(self, address: str, account: bytes) -> None:
        """Set an account's state to what it once was."""
        self._call("put", address=address, boc=_text(account))

    def found(self, address: str, *, nanoton: int, code: Cell, data: Cell) -> bytes:
        """Make an account of the genesis, its balance from nowhere; return its state."""
        made = self._call(
            "found",
            address=address,
            nano=str(nanoton),
            code=_text(code.to_boc()),
            data=_text(data.to_boc()),
        )
        return _bytes(made["boc"])

    def get(
        self,
        address: str,
        method: str | int,
        stack: Sequence[Any] = (),
        *,
        account: bytes | None = None,
        now_s: int | None = None,
    ) -> GetterResult:
        """Run a getter, on a state of an earlier block when one is given."""
        packed = _text(VmStack.serialize(list(stack)).to_boc()) if stack else None
        raw = self.get_raw(address, method, packed, account=account, now_s=now_s)
        cells = raw["stack"]
        values = (
            VmStack.deserialize(Cell.one_from_boc(_bytes(cells)).begin_parse()) if cells else []
        )
        return GetterResult(exit_code=raw["exit"], gas=raw["gas"], stack=tuple(values))

    def get_raw(
        self,
        address: str,
        method: str | int,
        packed: str | None,
        *,
        account: bytes | None,
        now_s: int | None,
    ) -> dict[str, Any]:
        """Run a getter with its stack already in TL-B, and leave the answer in it."""
        state = _text(account) if account is not None else None
        return self._call(
            "get", address=address, method=method, stack=packed, account=state, now=now_s
        )

    def snapshot(self, name: str) -> None:
        """Remember the whole chain under a name."""
        self._call("snapshot", name=name)

    def restore(self, name: str) -> None:
        """Go back to a remembered chain."""
        self._call("restore", name=name)

    # The answer's shape depends on the operation; callers know it.
    def _call(self, operation: str, **values: Any) -> dict[str, Any]:
        with self._lock:
            process = self._process
            if process is None or process.stdin is None or process.stdout is None:
                raise ServiceFault("the TVM is not started")
            self._count += 1
            line = json.dumps({"id": self._count, "op": operation, **values})
            try:
                process.stdin.write(line.encode() + b"\n")
                process.stdin.flush()
                answer = process.stdout.readline(LINE_BYTES_MAX)
            except OSError as error:
                raise ServiceFault(f"the TVM does not answer: {error}") from error
        if not answer.endswith(b"\n"):
            raise ServiceFault("the TVM has ended: start the local chain again")
        reply = json.loads(answer)
        if reply["id"] != self._count:
            raise ServiceFault("the TVM answered another call: start the local chain again")
        fault = reply.get("error")
        if fault is None:
            return dict(reply["ok"])
        if fault["name"] == "EmulationError":
            raise Refused(f"exit code {fault['exit']}: {fault['text'].splitlines()[0]}")
        raise ServiceFault(f"the TVM failed at {operation}: {fault['text']}")


def account_id(address: str) -> int:
    """Return the number that contracts know an account of the basechain by."""
    return int.from_bytes(Address(address).hash_part, "big")


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
