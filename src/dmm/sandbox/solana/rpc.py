"""One call in, one answer out: finds the method, lets faults have their way, names errors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from solders.hash import Hash

from dmm.sandbox.solana.bank import Record
from dmm.sandbox.solana.chain import Chain
from dmm.sandbox.solana.failure import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    NODE_BEHIND,
    RpcError,
)
from dmm.sandbox.solana.faults import FaultKind, FaultPlan
from dmm.sandbox.solana.methods import Methods
from dmm.sandbox.solana.methods_accounts import AccountMethods
from dmm.sandbox.solana.methods_cluster import ClusterMethods
from dmm.sandbox.solana.methods_history import HistoryMethods
from dmm.sandbox.solana.methods_writing import WritingMethods
from dmm.units.errors import UsageFault

BATCH_MAX = 100
LIE_LAMPORTS = 1_000_000_000


class ReplyLost(Exception):
    """The call was carried out and its answer is to be lost."""


class Rpc:
    """All methods over one chain."""

    def __init__(self, chain: Chain, landed: Callable[[Sequence[Record]], None]) -> None:
        """Take the chain, and who hears of transactions that land."""
        self.chain = chain
        self.plan = FaultPlan()
        self._landed = landed
        self._groups: list[Methods] = [
            AccountMethods(chain, self.plan),
            HistoryMethods(chain, self.plan),
            ClusterMethods(chain, self.plan),
            WritingMethods(chain, self.plan, landed),
        ]
        self._methods = {
            name: (group, getattr(group, name))
            for group in self._groups
            for name in vars(type(group))
            if not name.startswith("_")
        }

    @property
    def names(self) -> list[str]:
        """Return the methods' names."""
        return sorted(self._methods)

    def advance(self) -> None:
        """Let the slots pass that time says."""
        landed = self.chain.advance()
        if landed:
            self._landed(landed)

    def answer(self, request: Any) -> dict[str, Any]:
        """Answer one request.

        Raises
        ------
        ReplyLost
            If a fault loses the answer; the call was carried out.
        """
        name = request.get("id") if isinstance(request, dict) else None
        try:
            return {"jsonrpc": "2.0", "id": name, "result": self._call(request)}
        except RpcError as error:
            body: dict[str, Any] = {"code": error.code, "message": error.text}
            if error.data is not None:
                body["data"] = error.data
        except (UsageFault, ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
            body = {"code": INVALID_PARAMS, "message": f"Invalid params: {error}"}
        return {"jsonrpc": "2.0", "id": name, "error": body}

    def _call(self, request: Any) -> Any:
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            raise RpcError(INVALID_REQUEST, "Invalid request")
        name = request["method"]
        if name not in self._methods:
            raise RpcError(METHOD_NOT_FOUND, "Method not found")
        params = request.get("params") or []
        if not isinstance(params, list):
            raise RpcError(INVALID_PARAMS, "Invalid params: a list is expected")
        group, method = self._methods[name]
        refused = self.plan.take(name, FaultKind.REFUSE)
        if refused is not None:
            behind = {"numSlotsBehind": refused.slots}
            raise RpcError(NODE_BEHIND, f"Node is behind by {refused.slots} slots", behind)
        self.advance()
        lagging = self.plan.take(name, FaultKind.LAG)
        group.lag_slots = lagging.slots if lagging else 0
        try:
            result = method(*params)
        finally:
            group.lag_slots = 0
        if self.plan.take(name, FaultKind.LOSE_REPLY):
            raise ReplyLost(name)
        if self.plan.take(name, FaultKind.FORGET):
            return _forgotten(result)
        if self.plan.take(name, FaultKind.LIE):
            return _lied(name, result)
        return result


def _forgotten(result: Any) -> Any:
    """Return the same answer without what was asked for."""
    if isinstance(result, dict) and "value" in result:
        value = result["value"]
        return {**result, "value": [None] * len(value) if isinstance(value, list) else None}
    return [] if isinstance(result, list) else None


def _lied(name: str, result: Any) -> Any:
    """Return what a node on another cluster, or a dishonest one, would say."""
    match name:
        case "getGenesisHash":
            return str(Hash(hashlib.sha256(str(result).encode()).digest()))
        case "getBalance":
            return {**result, "value": result["value"] + LIE_LAMPORTS}
        case "getTokenAccountBalance":
            more = str(int(result["value"]["amount"]) + LIE_LAMPORTS)
            return {**result, "value": {**result["value"], "amount": more}}
        case "getSignatureStatuses":
            head = result["context"]["slot"]
            landed = {"slot": head, "confirmations": None, "err": None}
            final = {**landed, "status": {"Ok": None}, "confirmationStatus": "finalized"}
            return {**result, "value": [final for _ in result["value"]]}
        case _:
            raise RpcError(INVALID_PARAMS, f"no lie is known about {name}")
