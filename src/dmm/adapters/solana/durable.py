"""Durable nonces: an account's value in the place of a blockhash, good until it moves on.

A transaction that names the value must advance the account by its first instruction; it moves on
also when a later instruction fails, so that of all the bytes that name one value at most one is
ever carried out (Solana core documentation, durable transaction nonces; account layout: version
u32, state u32, authority, value, lamports per signature u64).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from solders.hash import Hash, ParseHashError
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.sysvar import RECENT_BLOCKHASHES

from dmm.adapters.solana.codec import SYSTEM, account
from dmm.units.errors import Permanent

NONCE_BYTES = 80
ADVANCE = 4
"""`AdvanceNonceAccount` among the system program's instructions."""

_PREFIX = "nonce"
_CURRENT, _INITIALIZED = 1, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Nonce:
    """A nonce account's content: who may advance it, and the value that bytes must name."""

    account: Pubkey
    authority: Pubkey
    value: Hash

    @property
    def anchor(self) -> str:
        """Return how a send slot names it."""
        return f"{_PREFIX}:{self.account}:{self.value}"


def nonce_of(address: Pubkey, owner: Pubkey | None, data: bytes) -> Nonce | None:
    """Read a nonce account; None when there is none at the address, or it was never set up."""
    if owner != SYSTEM or len(data) != NONCE_BYTES:
        return None
    if struct.unpack_from("<II", data) != (_CURRENT, _INITIALIZED):
        return None
    return Nonce(account=address, authority=Pubkey(data[8:40]), value=Hash(data[40:72]))


def is_durable(anchor: str) -> bool:
    """Tell whether a slot's anchor is a durable nonce, not a blockhash."""
    return anchor.startswith(f"{_PREFIX}:")


def named(anchor: str) -> tuple[Pubkey, Hash]:
    """Return the nonce account and the value that an anchor names; `Permanent` when it is none."""
    parts = anchor.split(":")
    if len(parts) != 3 or parts[0] != _PREFIX:
        raise Permanent(f"the slot's anchor is no durable nonce: {anchor[:120]!r}")
    return account(parts[1], what="the slot's nonce account"), blockhash(parts[2])


def blockhash(text: str) -> Hash:
    """Return a blockhash, or what stands in its place; `Permanent` when it is none."""
    try:
        return Hash.from_string(text)
    except (ParseHashError, ValueError) as error:
        raise Permanent(f"the slot's anchor is no blockhash: {text[:120]!r}") from error


def advance(nonce: Pubkey, *, authority: Pubkey) -> Instruction:
    """Return what moves a nonce on; it must be a transaction's first instruction."""
    metas = [
        AccountMeta(nonce, is_signer=False, is_writable=True),
        AccountMeta(RECENT_BLOCKHASHES, is_signer=False, is_writable=False),
        AccountMeta(authority, is_signer=True, is_writable=False),
    ]
    return Instruction(SYSTEM, struct.pack("<I", ADVANCE), metas)
