"""Reading transactions, signatures and blocks."""

from __future__ import annotations

from typing import Any

from solders.signature import Signature

from dmm.sandbox.solana import shapes
from dmm.sandbox.solana.bank import Record
from dmm.sandbox.solana.failure import INVALID_PARAMS, SLOT_SKIPPED, RpcError
from dmm.sandbox.solana.methods import Config, Methods, pubkey, signature

SIGNATURES_PER_CALL_MAX = 256
HISTORY_PER_CALL_MAX = 1_000
BLOCKS_PER_CALL_MAX = 500_000


class HistoryMethods(Methods):
    """Methods named as the chain names them."""

    def getTransaction(self, text: str, config: Config | str | None = None) -> Any:  # noqa: N802, D102
        found = {"encoding": config} if isinstance(config, str) else (config or {})
        record = self._record(signature(text), self.slot_for(found))
        if record is None or record.transaction is None:
            return None
        body = shapes.transaction_json(record, found, self.chain.bank)
        return {**body, "slot": record.slot, "blockTime": record.time_s}

    def getSignatureStatuses(self, texts: list[str], config: Config | None = None) -> Any:  # noqa: N802, D102
        del config
        if len(texts) > SIGNATURES_PER_CALL_MAX:
            raise RpcError(
                INVALID_PARAMS, f"Too many inputs provided; max {SIGNATURES_PER_CALL_MAX}"
            )
        slot = self.slot_for({"commitment": "processed"})
        found = [self._record(signature(text), slot) for text in texts]
        return self.in_context([self._status(record) for record in found], slot)

    def getSignaturesForAddress(self, address: str, config: Config | None = None) -> Any:  # noqa: N802, D102
        found = config or {}
        slot = self.slot_for(found)
        signatures = [
            one
            for one in reversed(self.chain.bank.by_key.get(pubkey(address), []))
            if self.chain.bank.records[one].slot <= slot
        ]
        before, until = found.get("before"), found.get("until")
        if before is not None:
            at = signature(before)
            signatures = signatures[signatures.index(at) + 1 :] if at in signatures else []
        if until is not None and signature(until) in signatures:
            signatures = signatures[: signatures.index(signature(until))]
        limit = min(int(found.get("limit") or HISTORY_PER_CALL_MAX), HISTORY_PER_CALL_MAX)
        return [self._line(one) for one in signatures[:limit]]

    def getBlock(self, slot: int, config: Config | str | None = None) -> Any:  # noqa: N802, D102
        found = {"encoding": config} if isinstance(config, str) else (config or {})
        self._require_block(slot, found)
        records = [self.chain.bank.records[one] for one in self.chain.bank.by_slot.get(slot, [])]
        parent = self._parent(slot)
        block: dict[str, Any] = {
            "blockhash": str(self.chain.bank.blockhash(slot)),
            "previousBlockhash": str(self.chain.bank.blockhash(parent)),
            "parentSlot": parent,
            "blockTime": self.chain.time_s(slot),
            "blockHeight": slot,
            "rewards": [],
        }
        details = found.get("transactionDetails", "full")
        landed = [record for record in records if record.transaction is not None]
        if details == "signatures":
            block["signatures"] = [str(record.signature) for record in landed]
        elif details != "none":
            block["transactions"] = [
                shapes.transaction_json(record, found, self.chain.bank) for record in landed
            ]
        return block

    def getBlocks(self, start: int, end: int | Config | None = None, config: Any = None) -> Any:  # noqa: N802, D102
        if not isinstance(end, int):
            end, config = None, end or config
        last = self.slot_for(config)
        stop = last if end is None else min(end, last)
        if stop - start > BLOCKS_PER_CALL_MAX:
            raise RpcError(INVALID_PARAMS, f"Slot range too large; max {BLOCKS_PER_CALL_MAX}")
        return [slot for slot in range(start, stop + 1) if not self.chain.is_dead(slot)]

    def getBlockTime(self, slot: int) -> Any:  # noqa: N802, D102
        self._require_block(slot, {"commitment": "processed"})
        return self.chain.time_s(slot)

    def getBlockCommitment(self, slot: int) -> Any:  # noqa: N802, D102
        settled = slot <= self.chain.head and not self.chain.is_dead(slot)
        return {"commitment": [0] * 31 + [1] if settled else None, "totalStake": 1}

    def _require_block(self, slot: int, config: Config) -> None:
        if self.chain.is_dead(slot):
            raise RpcError(SLOT_SKIPPED, f"Slot {slot} was skipped, or missing due to ledger jump")
        if not 0 <= slot <= self.slot_for(config):
            raise RpcError(-32004, f"Block not available for slot {slot}")

    def _parent(self, slot: int) -> int:
        parent = max(0, slot - 1)
        while parent and self.chain.is_dead(parent):
            parent -= 1
        return parent

    def _record(self, wanted: Signature, slot: int) -> Record | None:
        record = self.chain.bank.records.get(wanted)
        return record if record is not None and record.slot <= slot else None

    def _status(self, record: Record | None) -> Any:
        if record is None:
            return None
        level = self.chain.commitment_of(record.slot)
        return {
            "slot": record.slot,
            "confirmations": None if level == "finalized" else self.chain.head - record.slot,
            "err": record.error,
            "status": shapes.error_status(record.error),
            "confirmationStatus": level,
        }

    def _line(self, wanted: Signature) -> dict[str, Any]:
        record = self.chain.bank.records[wanted]
        return {
            "signature": str(wanted),
            "slot": record.slot,
            "err": record.error,
            "memo": None,
            "blockTime": record.time_s,
            "confirmationStatus": self.chain.commitment_of(record.slot),
        }
