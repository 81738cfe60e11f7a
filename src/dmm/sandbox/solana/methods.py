"""What every group of RPC methods shares: the chain, commitments, arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from solders.account import Account
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature

from dmm.sandbox.solana.chain import Chain
from dmm.sandbox.solana.failure import INVALID_PARAMS, RpcError
from dmm.sandbox.solana.faults import FaultPlan

API_VERSION = "2.2.0"
Method = Callable[..., Any]
Config = Mapping[str, Any]


class Methods:
    """One group of methods over one chain; `lag_slots` is set while a fault makes a read lag."""

    def __init__(self, chain: Chain, plan: FaultPlan) -> None:
        """Take the chain and the faults that wait."""
        self.chain = chain
        self.plan = plan
        self.lag_slots = 0

    def slot_for(self, config: Config | None) -> int:
        """Return the slot that a read with this configuration sees.

        Raises
        ------
        RpcError
            If the caller wants a newer one.
        """
        found = config or {}
        commitment = found.get("commitment") or found.get("preflightCommitment") or "finalized"
        slot = max(0, self.chain.slot_at(commitment) - self.lag_slots)
        least = found.get("minContextSlot")
        if least is not None and slot < least:
            raise RpcError(
                -32016, "Minimum context slot has not been reached", {"contextSlot": slot}
            )
        return slot

    def in_context(self, value: Any, slot: int) -> dict[str, Any]:
        """Return a value with the slot it was read at."""
        return {"context": {"slot": slot, "apiVersion": API_VERSION}, "value": value}

    def account(self, address: Pubkey, slot: int) -> Account | None:
        """Return an account as it was at a slot."""
        return self.chain.bank.account(address, slot=slot)


def pubkey(text: Any) -> Pubkey:
    """Return the key in a text; `RpcError` if it is none."""
    try:
        return Pubkey.from_string(text)
    except (ValueError, TypeError) as error:
        raise RpcError(INVALID_PARAMS, f"Invalid param: {error}") from error


def signature(text: Any) -> Signature:
    """Return the signature in a text; `RpcError` if it is none."""
    try:
        return Signature.from_string(text)
    except (ValueError, TypeError) as error:
        raise RpcError(INVALID_PARAMS, f"Invalid param: {error}") from error


def blockhash(text: Any) -> Hash:
    """Return the blockhash in a text; `RpcError` if it is none."""
    try:
        return Hash.from_string(text)
    except (ValueError, TypeError) as error:
        raise RpcError(INVALID_PARAMS, f"Invalid param: {error}") from error
