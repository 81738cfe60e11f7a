"""The local chain: slots that pass with time, commitments, a journal, and all that changes it.

A slot is a function of time since the chain began, so a chain that was stopped for a while goes
on as if empty slots had passed. With `slot_ms` 0 slots pass only when asked for.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solders.account import Account
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from dmm.sandbox.solana import durable
from dmm.sandbox.solana.bank import BLOCKHASH_SLOTS, Bank, Record, Run
from dmm.sandbox.solana.journal import Entry, Journal
from dmm.units.errors import ServiceFault, UsageFault

NOMINAL_SLOT_MS = 400
"""What a slot takes on the real chain, and here on the chain's own clock."""
KEPT_SLOTS = 512
"""How far back from the finalized slot accounts can be read, for nodes that lag."""
ADVANCE_SLOTS_MAX = 1_000_000
DELAYED_MAX = 1_000
JOURNAL_FILE = "journal.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast slots pass and how far behind the head the commitments are, slots."""

    slot_ms: int = 100
    confirmed_slots: int = 1
    finalized_slots: int = 32

    def __post_init__(self) -> None:
        """Refuse what no chain does."""
        if self.slot_ms < 0 or not 0 <= self.confirmed_slots < self.finalized_slots:
            raise UsageFault(
                f"slots of {self.slot_ms} ms, confirmed after {self.confirmed_slots} and final "
                f"after {self.finalized_slots} make no chain"
            )


class Chain:
    """One chain in one folder."""

    def __init__(
        self,
        *,
        folder: Path,
        programs: Mapping[Pubkey, Path],
        now_ns: Callable[[], int],
        pace: Pace | None = None,
    ) -> None:
        """Begin a chain, or go on with the one the folder holds.

        Parameters
        ----------
        programs : loaded at the beginning; the same bytes each time
        now_ns : the machine's clock

        Raises
        ------
        ServiceFault
            If the folder holds a chain with other programs or another pace, or is unreadable.
        """
        self.pace = pace or Pace()
        self._now_ns = now_ns
        folder.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(folder / JOURNAL_FILE)
        entries = self._journal.entries()
        begin = next(entries, None)
        wanted = self._begin_entry(programs)
        fresh = begin is None
        if begin is None:
            begin = wanted
        elif {**begin, "began_ns": 0} != {**wanted, "began_ns": 0}:
            raise ServiceFault(
                f"{folder} holds a chain with other programs or another pace: remove the folder"
            )
        self._began_ns = int(begin["began_ns"])
        digest = hashlib.sha256(json.dumps(begin, sort_keys=True).encode()).digest()
        self.bank = Bank(programs=programs, genesis=Hash(digest))
        self.head = 0
        self._skipped = 0
        self._offset_s = 0
        self._dead: list[tuple[int, int]] = []
        self._delayed: list[tuple[int, bytes]] = []
        for entry in entries:
            self._replay(entry)
        self._journal.open()
        if fresh:
            self._journal.append(begin)
        self.advance()

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    # -- slots and commitments

    def advance(self) -> list[Record]:
        """Let the slots pass that time says; return transactions that landed meanwhile."""
        target = self._skipped
        if self.pace.slot_ms:
            elapsed_ns = self._now_ns() - self._began_ns
            target += max(0, elapsed_ns) // (self.pace.slot_ms * 1_000_000)
        landed = []
        due = [item for item in self._delayed if item[0] <= target]
        for slot, raw in due:
            self._delayed.remove((slot, raw))
            self._move_head(max(self.head, slot))
            transaction = VersionedTransaction.from_bytes(raw)
            # The sender may have sent it again meanwhile, or its blockhash is over.
            if transaction.signatures[0] in self.bank.records or not self.is_fresh(transaction):
                continue
            record = self.submit(transaction)
            if isinstance(record, Record):
                landed.append(record)
        if target > self.head:
            self._move_head(target)
            self.bank.prune(self.slot_at("finalized") - KEPT_SLOTS)
        return landed

    def slot_at(self, commitment: str) -> int:
        """Return the newest slot of a commitment.

        Raises
        ------
        UsageFault
            If there is no such commitment.
        """
        behind = {
            "processed": 0,
            "confirmed": self.pace.confirmed_slots,
            "finalized": self.pace.finalized_slots,
        }
        if commitment not in behind:
            raise UsageFault(f"no commitment {commitment!r}: use {', '.join(behind)}")
        slot = max(0, self.head - behind[commitment])
        while slot and self.is_dead(slot):
            slot -= 1
        return slot

    def commitment_of(self, slot: int) -> str:
        """Return how settled a slot is."""
        if slot <= self.slot_at("finalized"):
            return "finalized"
        return "confirmed" if slot <= self.slot_at("confirmed") else "processed"

    def time_s(self, slot: int) -> int:
        """Return a slot's second on the chain's clock."""
        slot_ms = self.pace.slot_ms or NOMINAL_SLOT_MS
        return (self._began_ns // 1_000_000 + slot * slot_ms) // 1_000 + self._offset_s

    def is_dead(self, slot: int) -> bool:
        """Tell whether a slot was on a fork that lost."""
        return any(low <= slot <= high for low, high in self._dead)

    def blockhash_slot(self, blockhash: Hash) -> int | None:
        """Return the slot of a blockhash that may still be used."""
        for slot in range(self.head, max(-1, self.head - BLOCKHASH_SLOTS - 1), -1):
            if not self.is_dead(slot) and self.bank.blockhash(slot) == blockhash:
                return slot
        return None

    def is_fresh(self, transaction: VersionedTransaction) -> bool:
        """Tell whether a transaction's blockhash, or the durable nonce in its place, counts."""
        message = transaction.message
        if self.blockhash_slot(message.recent_blockhash) is not None:
            return True
        nonce = durable.named_by(transaction)
        if nonce is None:
            return False
        account = self.bank.account(nonce, slot=self.head)
        return durable.counts(transaction, account, newest=self.bank.blockhash(self.head))

    # -- what changes the chain

    def submit(self, transaction: VersionedTransaction) -> Record | Run:
        """Carry a transaction out in the present slot; a `Run` did not land."""
        slot, time_s = self.head, self.time_s(self.head)
        run = self.bank.execute(transaction, slot=slot, time_s=time_s)
        if not run.landed:
            return run
        raw = base64.b64encode(bytes(transaction)).decode()
        self._journal.append({"op": "tx", "slot": slot, "time_s": time_s, "raw": raw})
        return self.bank.records[transaction.signatures[0]]

    def delay(self, transaction: VersionedTransaction, *, slots: int) -> None:
        """Carry a transaction out some slots later; a stop in between loses it."""
        if len(self._delayed) >= DELAYED_MAX:
            raise UsageFault(f"{DELAYED_MAX} transactions are delayed already")
        self._delayed.append((self.head + slots, bytes(transaction)))

    def give(self, address: Pubkey, lamports: int) -> Signature:
        """Make lamports out of nothing."""
        slot, time_s = self.head, self.time_s(self.head)
        entry = {"op": "give", "slot": slot, "time_s": time_s, "to": str(address)}
        self._journal.append({**entry, "lamports": lamports})
        return self.bank.give(address, lamports, slot=slot, time_s=time_s)

    def put(self, address: Pubkey, account: Account) -> None:
        """Write an account as it is, without a transaction."""
        entry = {"op": "put", "slot": self.head, "address": str(address)}
        content = base64.b64encode(bytes(account.data)).decode()
        owner = {"owner": str(account.owner), "executable": account.executable}
        lamports = {"lamports": account.lamports, "data": content}
        self._journal.append(entry | owner | lamports)
        self.bank.put(address, account, slot=self.head)

    def skip(self, slots: int) -> None:
        """Let slots pass at once.

        Raises
        ------
        UsageFault
            If there are too many, or less than none.
        """
        if not 0 <= slots <= ADVANCE_SLOTS_MAX:
            raise UsageFault(f"slots must be in [0, {ADVANCE_SLOTS_MAX}], got {slots}")
        self._journal.append({"op": "skip", "slots": slots})
        self._skipped += slots
        self.advance()

    def set_time(self, time_s: int) -> None:
        """Set the chain's clock: the present slot's second, and with it all later ones."""
        offset_s = self._offset_s + time_s - self.time_s(self.head)
        self._journal.append({"op": "clock", "offset_s": offset_s})
        self._offset_s = offset_s
        self._tell_clock()

    def fork(self, depth: int) -> list[Record]:
        """Let the last `depth` slots lose; return the transactions that are gone with them.

        Raises
        ------
        UsageFault
            If that would reach a finalized slot.
        """
        if not 0 < depth < self.pace.finalized_slots:
            raise UsageFault(
                f"a fork is 1 to {self.pace.finalized_slots - 1} slots deep, got {depth}"
            )
        self._journal.append({"op": "fork", "slot": self.head, "depth": depth})
        return self._fork(depth)

    # -- inside

    def _fork(self, depth: int) -> list[Record]:
        last = max(0, self.head - depth)
        gone = self.bank.roll_back(last)
        self._dead = [(low, high) for low, high in self._dead if high > self.head - KEPT_SLOTS]
        self._dead.append((last + 1, self.head))
        self._skipped += 1
        self._move_head(self.head + 1)
        return gone

    def _move_head(self, slot: int) -> None:
        self.head = slot
        self._tell_clock()

    def _tell_clock(self) -> None:
        self.bank.set_clock(slot=self.head, time_s=self.time_s(self.head))

    def _begin_entry(self, programs: Mapping[Pubkey, Path]) -> Entry:
        try:
            digests = {
                str(address): hashlib.sha256(path.read_bytes()).hexdigest()
                for address, path in programs.items()
            }
        except OSError as error:
            raise ServiceFault(f"a program cannot be read: {error}") from error
        return {
            "op": "begin",
            "began_ns": self._now_ns(),
            "slot_ms": self.pace.slot_ms,
            "programs": digests,
        }

    def _replay(self, entry: Entry) -> None:
        op = entry["op"]
        if "slot" in entry:
            self._move_head(max(self.head, int(entry["slot"])))
        match op:
            case "tx":
                raw = base64.b64decode(entry["raw"])
                self.bank.set_clock(slot=self.head, time_s=entry["time_s"])
                transaction = VersionedTransaction.from_bytes(raw)
                self.bank.execute(transaction, slot=entry["slot"], time_s=entry["time_s"])
            case "give":
                address = Pubkey.from_string(entry["to"])
                at: dict[str, Any] = {"slot": entry["slot"], "time_s": entry["time_s"]}
                self.bank.give(address, entry["lamports"], **at)
            case "put":
                account = Account(
                    entry["lamports"],
                    base64.b64decode(entry["data"]),
                    Pubkey.from_string(entry["owner"]),
                    entry["executable"],
                )
                address = Pubkey.from_string(entry["address"])
                self.bank.put(address, account, slot=entry["slot"])
            case "skip":
                self._skipped += entry["slots"]
            case "clock":
                self._offset_s = entry["offset_s"]
            case "fork":
                self._fork(entry["depth"])
            case _:
                raise ServiceFault(f"the chain's journal holds {op!r}: remove its folder")
