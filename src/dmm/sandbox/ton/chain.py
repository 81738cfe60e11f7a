"""The local chain: blocks on a beat, messages that take a block a hop, a journal to go on from.

What comes from outside is executed in the block that is open, as a validator would; what contracts
send to each other waits for a later block, in an order that the chain's seed decides. The journal
holds what came in and the time of each block; playing it again gives the same chain, hash for hash.
"""

from __future__ import annotations

import base64
import json
import random
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from pytoniq_core import Address, Cell
from pytoniq_core.tlb.account import ShardAccount
from pytoniq_core.tlb.transaction import MessageAny

from dmm.sandbox.ton import cells, trie
from dmm.sandbox.ton.blocks import BASECHAIN, LocalBlock
from dmm.sandbox.ton.machine import GetterResult, Machine, Message, Refused, Transaction
from dmm.sandbox.ton.traffic import Pair, Traffic
from dmm.units.errors import InvariantBroken, UsageFault

FAUCET = 0xFA0C
JOURNAL_FILE = "journal.jsonl"
DELIVERIES_PER_BLOCK_MAX = 2_000
FUND_NANOTON_MAX = 10**18
ADDRESS_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A transaction with the number of its block."""

    seqno: int
    transaction: Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong on purpose. Shares are of a thousand."""

    lost_per_mille: int = 0
    """External messages that are taken and lost, as a full pool would."""
    held_per_mille: int = 0
    """Messages that stay where they are for another block."""


class LocalChain:
    """One chain on one machine; not safe to share between threads."""

    def __init__(self, machine: Machine, *, folder: Path, global_id: int, seed: int) -> None:
        """Describe it; `open` begins or continues it.

        Parameters
        ----------
        folder : where the journal lies; made when missing
        global_id : the network's number
        seed : decides the order of messages within a block
        """
        self._machine = machine
        self._folder, self._global_id, self._seed = folder, global_id, seed
        self._traffic = Traffic(machine)
        self._states: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        self._history: dict[str, list[Sealed]] = defaultdict(list)
        self._changed: dict[str, bytes] = {}
        self._ripe: list[Pair] = []
        self._lt = 0
        self._journal: TextIO | None = None
        self.blocks: list[LocalBlock] = []
        self.faults = Faults()

    # -- life ---------------------------------------------------------------------------------

    def open(self, *, now_s: int) -> None:
        """Begin the chain, or play its journal and go on from there.

        Raises
        ------
        InvariantBroken
            If the journal does not give the blocks that it names.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / JOURNAL_FILE
        lines = _whole_lines(path)
        started: dict[str, Any] = {"kind": "boot", "now": now_s}
        if lines:
            started = json.loads(lines[0])
        self._machine.boot(now_s=started["now"], global_id=self._global_id)
        for line in lines[1:]:
            self._replay(json.loads(line))
        # A line that was cut off when the process died is written again or never mattered.
        path.write_text("".join(lines), encoding="utf-8")
        self._journal = path.open("a", encoding="utf-8")
        if not lines:
            self._note(**started)
            self.seal(now_s=now_s)

    def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _note(self, **entry: Any) -> None:
        if self._journal is None:
            return
        self._journal.write(json.dumps(entry, separators=(",", ":")) + "\n")
        self._journal.flush()

    def _replay(self, entry: dict[str, Any]) -> None:
        match entry["kind"]:
            case "external":
                self._machine.set_now(entry["now"])
                self._execute(_external(base64.b64decode(entry["boc"])))
            case "fund":
                self._send_funds(entry["account"], entry["nano"])
            case "faults":
                self.faults = replace(self.faults, held_per_mille=entry["held"])
            case "seal":
                block = self.seal(now_s=entry["now"])
                if block.shard.root_hash.hex() != entry["root"]:
                    raise InvariantBroken(
                        f"block {block.seqno} of the journal is another one now: "
                        f"remove {self._folder}"
                    )

    # -- what comes in --------------------------------------------------------------------------

    def submit(self, boc: bytes, *, now_s: int) -> Transaction | None:
        """Execute a message from outside in the open block; None when a fault lost it.

        Raises
        ------
        Refused
            If its account did not accept it; nothing has happened then.
        UsageFault
            If the bytes are no message from outside to the basechain.
        """
        message = _external(boc)
        if self._draw("drop", len(self._changed)).randrange(1_000) < self.faults.lost_per_mille:
            return None
        self._machine.set_now(self._not_before(now_s))
        done = self._execute(message)
        self._note(kind="external", now=self._not_before(now_s), boc=base64.b64encode(boc).decode())
        return done

    def fund(self, account: str, nanoton: int) -> None:
        """Send DEMO money from nowhere; it arrives within two blocks.

        Raises
        ------
        UsageFault
            If the address or the amount is none.
        """
        if not 0 < nanoton <= FUND_NANOTON_MAX:
            raise UsageFault(f"nanoton must be in [1, {FUND_NANOTON_MAX}], got {nanoton}")
        address = parse_address(account)
        self._send_funds(address, nanoton)
        self._note(kind="fund", account=address, nano=nanoton)

    def set_faults(self, faults: Faults) -> None:
        """Let things go wrong, or right again."""
        self.faults = faults
        self._note(kind="faults", held=faults.held_per_mille)

    def _send_funds(self, address: str, nanoton: int) -> None:
        message = cells.internal(
            source=FAUCET,
            destination=int(address.removeprefix("0:"), 16),
            nanoton=nanoton,
            body=cells.EMPTY,
            bounce=False,
        )
        self._traffic.send(message)

    def _execute(self, message: Message) -> Transaction:
        done = self._machine.deliver(message)
        for sent in done.out:
            self._traffic.send(sent)
        self._take(done)
        return done

    def _take(self, done: Transaction) -> None:
        seqno = len(self.blocks) + 1
        self._history[done.address].append(Sealed(seqno=seqno, transaction=done))
        self._changed[done.address] = done.account
        self._lt = max(self._lt, done.lt)

    # -- blocks -----------------------------------------------------------------------------------

    def seal(self, *, now_s: int) -> LocalBlock:
        """Deliver what waited when the block began, close the block and return it."""
        seqno = len(self.blocks) + 1
        now_s = self._not_before(now_s)
        self._machine.set_now(now_s)
        draw = self._draw("order", seqno)
        for pair in self._due(draw):
            self._take(self._traffic.deliver_from(pair))
        before = self.blocks[-1] if self.blocks else None
        block = LocalBlock(
            seqno=seqno,
            time_s=now_s,
            lt=self._lt,
            global_id=self._global_id,
            accounts=self._next_accounts(seqno),
            previous=(before.shard, before.master) if before else None,
            lt_before=before.lt if before else 0,
        )
        self.blocks.append(block)
        self._ripe = self._traffic.waiting()
        self._note(kind="seal", now=now_s, root=block.shard.root_hash.hex())
        return block

    def _due(self, draw: random.Random) -> list[Pair]:
        """Return what waited when the last block was closed, shuffled: each hop takes a block.

        By pairs of accounts, so that whichever way they fall a pair's messages keep their order;
        one that a fault holds back holds up those after it.
        """
        ripe = self._ripe[:DELIVERIES_PER_BLOCK_MAX]
        draw.shuffle(ripe)
        held: set[Pair] = set()
        due: list[Pair] = []
        for pair in ripe:
            if pair in held or draw.randrange(1_000) < self.faults.held_per_mille:
                held.add(pair)
            else:
                due.append(pair)
        return due

    def _next_accounts(self, seqno: int) -> trie.Edge | None:
        edge = self.blocks[-1].accounts if self.blocks else None
        for address, boc in self._changed.items():
            account = Cell.one_from_boc(boc)
            found = ShardAccount.deserialize(account.begin_parse()).account
            nanoton = int(found.storage.balance.grams) if found else 0
            edge = trie.put(edge, key_of(address), account, nanoton)
            self._states[address].append((seqno, boc))
        self._changed = {}
        return edge

    def _not_before(self, now_s: int) -> int:
        """Chain time never runs backwards, whatever the machine's clock does."""
        return max(now_s, self.blocks[-1].time_s if self.blocks else 0)

    def _draw(self, what: str, number: int) -> random.Random:
        # Its order is no secret, and must be the same when the journal is played again.
        return random.Random(f"{self._seed}/{what}/{number}")  # noqa: S311

    # -- what is asked ----------------------------------------------------------------------------

    @property
    def head(self) -> LocalBlock:
        """Return the last block."""
        return self.blocks[-1]

    def is_idle(self) -> bool:
        """Tell whether nothing is under way."""
        return len(self._traffic) == 0 and not self._changed

    def block(self, seqno: int) -> LocalBlock | None:
        """Return the block of a number."""
        return self.blocks[seqno - 1] if 0 < seqno <= len(self.blocks) else None

    def block_at(self, time_s: int) -> LocalBlock | None:
        """Return the last block at or before a time."""
        place = bisect_right(self.blocks, time_s, key=lambda block: block.time_s)
        return self.blocks[place - 1] if place else None

    def account_at(self, address: str, seqno: int | None = None) -> bytes | None:
        """Return an account's state (TL-B ShardAccount) as of a block, the last one when None."""
        states = self._states.get(address, [])
        place = bisect_right(
            states, len(self.blocks) if seqno is None else seqno, key=lambda item: item[0]
        )
        return states[place - 1][1] if place else None

    def getter(
        self, address: str, method: int, packed: str | None, *, seqno: int
    ) -> dict[str, Any]:
        """Run a getter on an account's state as of a block; the answer's stack stays packed."""
        state, block = self.account_at(address, seqno), self.block(seqno)
        if state is None or block is None:
            return {"exit": -256, "gas": 0, "stack": None}
        return self._machine.get_raw(address, method, packed, account=state, now_s=block.time_s)

    def history(self, address: str, *, lt_max: int, count: int) -> list[Sealed]:
        """Return an account's sealed transactions, newest first, from a logical time back."""
        items = self._history.get(address, [])
        known = [
            item
            for item in items
            if item.transaction.lt <= lt_max and item.seqno <= len(self.blocks)
        ]
        return known[::-1][:count]


def parse_address(text: str) -> str:
    """Return an address of the basechain in raw form.

    Raises
    ------
    UsageFault
        If it is none, its checksum is wrong, or it is of another workchain.
    """
    try:
        address = Address(text)
    except Exception as error:
        raise UsageFault(f"{text!r} is no TON address") from error
    if len(address.hash_part) != ADDRESS_BYTES:
        raise UsageFault(f"{text!r} is no TON address")
    if address.wc != BASECHAIN:
        raise UsageFault(f"{text!r} is of workchain {address.wc}: only 0 is known here")
    return str(address.to_str(is_user_friendly=False))


def key_of(address: str) -> str:
    """Return an account's 256 bits as text."""
    return format(int(address.removeprefix("0:"), 16), "0256b")


def _external(boc: bytes) -> Message:
    try:
        message = MessageAny.deserialize(Cell.one_from_boc(boc).begin_parse())
        is_external = bool(message.is_external)
        address = message.info.dest if is_external else None
    except Exception as error:
        raise UsageFault(f"{len(boc)} bytes are no message") from error
    if address is None or address.wc != BASECHAIN:
        raise UsageFault("a message from outside must be external and to workchain 0")
    return Message(boc=boc, source="", destination=str(address.to_str(is_user_friendly=False)))


def _whole_lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        return []
    return [line for line in lines if line.endswith("\n")]


__all__ = ["Faults", "GetterResult", "LocalChain", "Refused", "Sealed", "key_of", "parse_address"]
