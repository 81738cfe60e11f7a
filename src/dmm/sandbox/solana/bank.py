"""The runtime and what it has made: accounts by slot, transactions by signature, forks.

LiteSVM knows only the present. Each account that changes is therefore kept with the slots of its
changes, so that reads at a commitment and forks have a past to go to.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solders.account import Account
from solders.clock import Clock
from solders.hash import Hash
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

from dmm.sandbox.solana import durable
from dmm.units.errors import ServiceFault

SLOTS_PER_EPOCH = 432_000
BLOCKHASH_SLOTS = 150
"""How many slots a blockhash may be used for, as on the real chain."""
RECORDS_MAX = 500_000
LOADED_TABLE_HEADER_BYTES = 56
_EMPTY = Account(0, b"", Pubkey.default())


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One transaction that landed: `error` is None, or what the runtime said, as JSON.

    `before` and `after` hold the accounts of `keys`, in their order.
    """

    signature: Signature
    slot: int
    time_s: int
    transaction: VersionedTransaction | None
    error: Any
    logs: list[str]
    units: int
    keys: list[Pubkey]
    loaded_writable: int
    loaded_readonly: int
    inner: list[list[Any]]
    return_data: tuple[str, bytes] | None
    before: list[Account | None]
    after: list[Account | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the runtime said to one transaction, carried out or only tried."""

    error: Any
    logs: list[str]
    units: int
    inner: list[list[Any]]
    return_data: tuple[str, bytes] | None
    accounts: dict[Pubkey, Account]

    @property
    def landed(self) -> bool:
        """Tell whether the transaction stays on the chain: without an error, or failed inside."""
        return self.error is None or (
            isinstance(self.error, dict) and "InstructionError" in self.error
        )


class Bank:
    """One runtime with a past."""

    def __init__(self, *, programs: Mapping[Pubkey, Path], genesis: Hash) -> None:
        """Load the programs onto an empty chain.

        Raises
        ------
        ServiceFault
            If a program cannot be read.
        """
        # Signatures and blockhashes are checked here: simulations may do without them.
        self._svm = (
            LiteSVM()
            .with_blockhash_check(False)  # noqa: FBT003 - the SDK's own arguments
            .with_sigverify(False)  # noqa: FBT003
            .with_transaction_history(0)
        )
        self.genesis = genesis
        self.records: dict[Signature, Record] = {}
        self.by_slot: defaultdict[int, list[Signature]] = defaultdict(list)
        self.by_key: defaultdict[Pubkey, list[Signature]] = defaultdict(list)
        self._versions: dict[Pubkey, list[tuple[int, Account | None]]] = {}
        self._gifts = 0
        for address, path in programs.items():
            try:
                self._svm.add_program_from_file(address, path)
            except OSError as error:
                raise ServiceFault(f"program {address} cannot be read: {error}") from error
            self._versions[address] = [(0, self._svm.get_account(address))]

    # -- time

    def set_clock(self, *, slot: int, time_s: int) -> None:
        """Let programs see that slot and second."""
        epoch = slot // SLOTS_PER_EPOCH
        self._svm.set_clock(Clock(slot, time_s, epoch, epoch, time_s))

    def blockhash(self, slot: int) -> Hash:
        """Return the blockhash of a slot: known without asking, different on each chain."""
        return Hash(hashlib.sha256(bytes(self.genesis) + slot.to_bytes(8, "big")).digest())

    # -- reading

    def account(self, address: Pubkey, *, slot: int) -> Account | None:
        """Return an account as it was at the end of a slot; None when it was not there."""
        versions = self._versions.get(address)
        if versions is None:
            return _present(self._svm.get_account(address))
        for changed, account in reversed(versions):
            if changed <= slot:
                return account
        return None

    def accounts(self, *, slot: int) -> Iterator[tuple[Pubkey, Account]]:
        """Return every account that ever changed and was there at the end of a slot."""
        for address in sorted(self._versions, key=str):
            account = self.account(address, slot=slot)
            if account is not None:
                yield address, account

    def rent_lamports(self, space: int) -> int:
        """Return what an account of that many bytes must hold."""
        return self._svm.minimum_balance_for_rent_exemption(space)

    def keys_of(self, transaction: VersionedTransaction) -> tuple[list[Pubkey], int, int]:
        """Return all keys of a transaction, and how many were loaded writable and read-only."""
        message = transaction.message
        keys = list(message.account_keys)
        writable: list[Pubkey] = []
        readonly: list[Pubkey] = []
        if not isinstance(message, Message):
            for lookup in message.address_table_lookups:
                table = self._svm.get_account(lookup.account_key)
                data = bytes(table.data)[LOADED_TABLE_HEADER_BYTES:] if table else b""
                entries = [Pubkey(data[i : i + 32]) for i in range(0, len(data) - 31, 32)]
                writable += [entries[i] for i in lookup.writable_indexes if i < len(entries)]
                readonly += [entries[i] for i in lookup.readonly_indexes if i < len(entries)]
        return keys + writable + readonly, len(writable), len(readonly)

    # -- writing

    def simulate(self, transaction: VersionedTransaction) -> Run:
        """Try a transaction; nothing changes."""
        return _run(self._svm.simulate_transaction(transaction))

    def execute(self, transaction: VersionedTransaction, *, slot: int, time_s: int) -> Run:
        """Carry a transaction out; it is recorded if it landed."""
        keys, loaded_writable, loaded_readonly = self.keys_of(transaction)
        before = [_present(self._svm.get_account(key)) for key in keys]
        run = _run(self._svm.send_transaction(transaction))
        if not run.landed:
            return run
        newest = self.blockhash(slot)
        durable.move_on(self._svm, transaction, failed=run.error is not None, newest=newest)
        after = [_present(self._svm.get_account(key)) for key in keys]
        for key, was, now in zip(keys, before, after, strict=True):
            if was is not None and now is None:
                # The runtime goes on with data that nobody pays for any more.
                self._svm.set_account(key, _EMPTY)
            if was != now:
                self._keep(key, slot, was, now)
        self._record(
            Record(
                signature=transaction.signatures[0],
                slot=slot,
                time_s=time_s,
                transaction=transaction,
                error=run.error,
                logs=run.logs,
                units=run.units,
                keys=keys,
                loaded_writable=loaded_writable,
                loaded_readonly=loaded_readonly,
                inner=run.inner,
                return_data=run.return_data,
                before=before,
                after=after,
            )
        )
        return run

    def give(self, address: Pubkey, lamports: int, *, slot: int, time_s: int) -> Signature:
        """Make lamports out of nothing, as a test network's faucet does."""
        was = _present(self._svm.get_account(address))
        old = was or _EMPTY
        now = Account(old.lamports + lamports, bytes(old.data), old.owner, old.executable)
        self._put(address, now, slot)
        self._gifts += 1
        seed = bytes(self.genesis) + self._gifts.to_bytes(8, "big")
        signature = Signature(hashlib.sha512(seed).digest())
        self._record(
            Record(
                signature=signature,
                slot=slot,
                time_s=time_s,
                transaction=None,
                error=None,
                logs=[],
                units=0,
                keys=[address],
                loaded_writable=0,
                loaded_readonly=0,
                inner=[],
                return_data=None,
                before=[was],
                after=[now],
            )
        )
        return signature

    def put(self, address: Pubkey, account: Account, *, slot: int) -> None:
        """Write an account as it is, without a transaction."""
        self._put(address, account, slot)

    def roll_back(self, slot: int) -> list[Record]:
        """Forget everything after a slot; return the transactions that are gone, oldest first."""
        gone = [
            self.records.pop(signature)
            for number in sorted(number for number in self.by_slot if number > slot)
            for signature in self.by_slot.pop(number)
        ]
        lost = {record.signature for record in gone}
        for key in {key for record in gone for key in record.keys}:
            self.by_key[key] = [found for found in self.by_key[key] if found not in lost]
        for address, versions in self._versions.items():
            if versions[-1][0] > slot:
                while len(versions) > 1 and versions[-1][0] > slot:
                    versions.pop()
                self._svm.set_account(address, versions[-1][1] or _EMPTY)
        return gone

    def prune(self, slot: int) -> None:
        """Forget what accounts were before a slot that can neither be read nor rolled back to."""
        for versions in self._versions.values():
            while len(versions) > 1 and versions[1][0] <= slot:
                versions.pop(0)

    def _put(self, address: Pubkey, account: Account, slot: int) -> None:
        was = _present(self._svm.get_account(address))
        self._svm.set_account(address, account)
        self._keep(address, slot, was, _present(account))

    def _keep(self, key: Pubkey, slot: int, was: Account | None, now: Account | None) -> None:
        versions = self._versions.setdefault(key, [(0, was)])
        if versions[-1][0] == slot and len(versions) > 1:
            versions[-1] = (slot, now)
        else:
            versions.append((slot, now))

    def _record(self, record: Record) -> None:
        if len(self.records) >= RECORDS_MAX:
            raise ServiceFault(
                f"the local chain holds {RECORDS_MAX} transactions: start on an empty folder"
            )
        self.records[record.signature] = record
        self.by_slot[record.slot].append(record.signature)
        for key in dict.fromkeys(record.keys):
            self.by_key[key].append(record.signature)


def _present(account: Account | None) -> Account | None:
    """Return an account, or None for one without lamports: the chain does not keep those."""
    if account is None or account.lamports == 0:
        return None
    return account


def _run(result: Any) -> Run:
    error = None
    if isinstance(result, FailedTransactionMetadata):
        error = json.loads(result.to_json())["err"]
    meta = result.meta() if hasattr(result, "meta") else result
    returned = meta.return_data()
    data = bytes(returned.data) if returned is not None else b""
    posted: Iterable[tuple[Pubkey, Account]] = (
        result.post_accounts() if hasattr(result, "post_accounts") else ()
    )
    return Run(
        error=error,
        logs=meta.logs(),
        units=meta.compute_units_consumed(),
        inner=meta.inner_instructions(),
        return_data=(str(returned.program_id), data) if returned is not None and data else None,
        accounts=dict(posted),
    )
