"""Sending, simulating, the faucet; and what only a local node can be asked for (``dmm_…``)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import based58
from solders.account import Account
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from dmm.sandbox.solana import shapes
from dmm.sandbox.solana.bank import Record, Run
from dmm.sandbox.solana.chain import Chain
from dmm.sandbox.solana.failure import (
    INVALID_PARAMS,
    PREFLIGHT_FAILED,
    SIGNATURE_FAILED,
    RpcError,
)
from dmm.sandbox.solana.faults import Fault, FaultKind, FaultPlan
from dmm.sandbox.solana.methods import Config, Methods, pubkey
from dmm.units.errors import UsageFault

TRANSACTION_BYTES_MAX = 1_232
GIFT_LAMPORTS_MAX = 10**15


class WritingMethods(Methods):
    """Methods named as the chain names them; `landed` hears of every transaction that lands."""

    def __init__(
        self, chain: Chain, plan: FaultPlan, landed: Callable[[Sequence[Record]], None]
    ) -> None:
        """Take the chain, the faults that wait, and who hears of new transactions."""
        super().__init__(chain, plan)
        self._landed = landed

    def requestAirdrop(self, address: str, lamports: int, config: Config | None = None) -> Any:  # noqa: N802, D102
        del config
        if not 0 < lamports <= GIFT_LAMPORTS_MAX:
            raise RpcError(
                INVALID_PARAMS,
                f"Invalid param: the faucet gives 1 to {GIFT_LAMPORTS_MAX} lamports",
            )
        given = self.chain.give(pubkey(address), lamports)
        self._landed([self.chain.bank.records[given]])
        return str(given)

    def simulateTransaction(self, text: str, config: Config | None = None) -> Any:  # noqa: N802, D102
        found = config or {}
        transaction = _decoded(text, found)
        slot = self.slot_for(found)
        replaced = bool(found.get("replaceRecentBlockhash"))
        if found.get("sigVerify"):
            _require_signed(transaction)
        if not replaced and not self.chain.is_fresh(transaction):
            return self.in_context(_tried_json(_not_tried("BlockhashNotFound"), found), slot)
        run = self.chain.bank.simulate(transaction)
        value = _tried_json(run, found)
        if replaced:
            value["replacementBlockhash"] = {
                "blockhash": str(self.chain.bank.blockhash(slot)),
                "lastValidBlockHeight": slot + 150,
            }
        return self.in_context(value, slot)

    def sendTransaction(self, text: str, config: Config | None = None) -> Any:  # noqa: N802, D102
        found = config or {}
        transaction = _decoded(text, found)
        name = transaction.signatures[0]
        _require_signed(transaction)
        expired = self.plan.take("sendTransaction", FaultKind.EXPIRE) is not None
        known = name in self.chain.bank.records
        fresh = not expired and self.chain.is_fresh(transaction)
        if not found.get("skipPreflight"):
            self._preflight(transaction, known=known, fresh=fresh)
        if known or not fresh:
            # A node takes such a transaction without a word; it never runs.
            return str(name)
        self._carry_out(transaction)
        return str(name)

    # -- only here

    def dmm_advance(self, slots: int) -> Any:
        """Let slots pass at once; return the head."""
        self.chain.skip(int(slots))
        return self.chain.head

    def dmm_setTime(self, time_s: int) -> Any:  # noqa: N802
        """Set the chain's clock to a second since 1970; return the head."""
        self.chain.set_time(int(time_s))
        return self.chain.head

    def dmm_fork(self, depth: int) -> Any:
        """Let the last slots lose; return the signatures of what is gone with them."""
        return [str(record.signature) for record in self.chain.fork(int(depth))]

    def dmm_setAccount(self, address: str, account: Config) -> Any:  # noqa: N802
        """Write an account as it is: lamports, owner, data in base 64."""
        content = Account(
            int(account["lamports"]),
            base64.b64decode(account["data"]),
            pubkey(account["owner"]),
        )
        self.chain.put(pubkey(address), content)
        return self.chain.head

    def dmm_inject(self, fault: Config) -> Any:
        """Ask for a fault: kind, method, times, slots."""
        try:
            made = Fault(**{**fault, "kind": FaultKind(fault["kind"])})
        except (TypeError, ValueError, KeyError) as error:
            raise UsageFault(f"{dict(fault)} is no fault: {error}") from error
        self.plan.add(made)
        return asdict(made)

    def dmm_clearFaults(self) -> Any:  # noqa: N802
        """Forget all faults that wait."""
        self.plan.clear()
        return True

    # -- inside

    def _preflight(self, transaction: VersionedTransaction, *, known: bool, fresh: bool) -> None:
        if known:
            run = _not_tried("AlreadyProcessed")
        elif not fresh:
            run = _not_tried("BlockhashNotFound")
        else:
            run = self.chain.bank.simulate(transaction)
        if run.error is not None:
            raise RpcError(
                PREFLIGHT_FAILED,
                f"Transaction simulation failed: {_words(run.error)}",
                _tried_json(run, {}),
            )

    def _carry_out(self, transaction: VersionedTransaction) -> None:
        if self.plan.take("sendTransaction", FaultKind.DROP):
            return
        delayed = self.plan.take("sendTransaction", FaultKind.DELAY)
        if delayed is not None:
            self.chain.delay(transaction, slots=delayed.slots)
            return
        landed = self.chain.submit(transaction)
        if isinstance(landed, Record):
            self._landed([landed])
        if self.plan.take("sendTransaction", FaultKind.DUPLICATE):
            # The copy meets a chain that knows the signature, as on the real one.
            self.sendTransaction(
                base64.b64encode(bytes(transaction)).decode(),
                {"encoding": "base64", "skipPreflight": True},
            )


def _decoded(text: str, config: Config) -> VersionedTransaction:
    encoding = config.get("encoding", "base58")
    try:
        raw = base64.b64decode(text) if encoding == "base64" else based58.b58decode(text.encode())
    except ValueError as error:
        raise RpcError(INVALID_PARAMS, f"invalid {encoding} encoding: {error}") from error
    if len(raw) > TRANSACTION_BYTES_MAX:
        raise RpcError(
            INVALID_PARAMS,
            f"decoded VersionedTransaction too large: {len(raw)} bytes "
            f"(max: {TRANSACTION_BYTES_MAX} bytes)",
        )
    try:
        transaction = VersionedTransaction.from_bytes(bytes(raw))
        transaction.sanitize()
    except ValueError as error:
        raise RpcError(INVALID_PARAMS, f"failed to deserialize transaction: {error}") from error
    return transaction


def _require_signed(transaction: VersionedTransaction) -> None:
    if Signature.default() in transaction.signatures or not all(transaction.verify_with_results()):
        raise RpcError(SIGNATURE_FAILED, "Transaction signature verification failure")


def _not_tried(error: str) -> Run:
    return Run(error=error, logs=[], units=0, inner=[], return_data=None, accounts={})


def _words(error: Any) -> str:
    """Return an error as the real node writes it into the answer's text."""
    if isinstance(error, dict) and "InstructionError" in error:
        index, inner = error["InstructionError"]
        what = f"{inner}"
        if isinstance(inner, dict) and "Custom" in inner:
            what = f"custom program error: {inner['Custom']:#x}"
        return f"Error processing Instruction {index}: {what}"
    return str(error)


def _tried_json(run: Run, config: Config) -> dict[str, Any]:
    wanted = config.get("accounts")
    accounts = None
    if wanted is not None:
        found = [run.accounts.get(Pubkey.from_string(one)) for one in wanted["addresses"]]
        accounts = [shapes.account_json(one, wanted) if one else None for one in found]
    return {
        "err": run.error,
        "logs": run.logs,
        "accounts": accounts,
        "unitsConsumed": run.units,
        "returnData": shapes.returned_json(run.return_data),
        "innerInstructions": shapes.inner_json(run.inner)
        if config.get("innerInstructions")
        else None,
    }
