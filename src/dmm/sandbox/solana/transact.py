"""Transactions of DEMO actors on the local chain, and the token program's plain instructions."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.transaction import VersionedTransaction

from dmm.adapters.solana.calls import open_account
from dmm.adapters.solana.codec import AMOUNT_MAX, TOKEN, token_account
from dmm.adapters.solana.sign import TRANSACTION_BYTES_MAX, Key
from dmm.units.errors import ServiceFault

MINT_BYTES = 82
Call: TypeAlias = Callable[..., Any]
"""One method of the local node: its name, then its parameters."""


@dataclass(frozen=True, slots=True)
class Sender:
    """One account that pays for transactions."""

    call: Call
    payer: Key

    def run(self, calls: Sequence[Instruction], *signers: Key) -> str:
        """Send instructions as one transaction and return its signature.

        On the local chain it has landed when this returns; the node tried it first.

        Raises
        ------
        ServiceFault
            If the node refuses it; the text names the instruction and the program's error.
        """
        commitment = {"commitment": "processed"}
        latest = self.call("getLatestBlockhash", commitment)["value"]["blockhash"]
        message = MessageV0.try_compile(
            self.payer.public, list(calls), [], Hash.from_string(latest)
        )
        others = [key.keypair for key in signers if key.address != self.payer.address]
        raw = bytes(VersionedTransaction(message, [self.payer.keypair, *others]))
        if len(raw) > TRANSACTION_BYTES_MAX:
            raise ServiceFault(
                f"a transaction of {len(raw)} bytes, at most {TRANSACTION_BYTES_MAX}"
            )
        config = {"encoding": "base64", "preflightCommitment": "processed"}
        return str(self.call("sendTransaction", base64.b64encode(raw).decode(), config))


def new_mint(payer: Key, mint: Key, *, decimals: int, lamports: int) -> list[Instruction]:
    """Return what makes a mint whose authority is the payer; both sign.

    Parameters
    ----------
    lamports : what an account of `MINT_BYTES` must hold
    """
    params = CreateAccountParams(
        from_pubkey=payer.public,
        to_pubkey=mint.public,
        lamports=lamports,
        space=MINT_BYTES,
        owner=TOKEN,
    )
    # InitializeMint2: number 20, decimals, authority, no freeze authority.
    data = bytes([20, decimals]) + bytes(payer.public) + b"\0"
    made = Instruction(TOKEN, data, [_meta(mint.public, is_writable=True)])
    return [create_account(params), made]


def give(payer: Key, owner: Pubkey, mint: Pubkey, atoms: int) -> list[Instruction]:
    """Return what opens an owner's token account and mints into it."""
    # MintTo: number 7, amount.
    metas = [
        _meta(mint, is_writable=True),
        _meta(token_account(owner, mint), is_writable=True),
        AccountMeta(payer.public, is_signer=True, is_writable=False),
    ]
    minted = Instruction(TOKEN, struct.pack("<BQ", 7, atoms), metas)
    opened = open_account(payer.public, owner, mint)
    return [opened, minted] if atoms else [opened]


def approve(owner: Key, mint: Pubkey, delegate: Pubkey) -> Instruction:
    """Return what lets a delegate move all of an owner's tokens; the owner signs."""
    # Approve: number 4, amount.
    metas = [
        _meta(token_account(owner.public, mint), is_writable=True),
        _meta(delegate, is_writable=False),
        AccountMeta(owner.public, is_signer=True, is_writable=False),
    ]
    return Instruction(TOKEN, struct.pack("<BQ", 4, AMOUNT_MAX), metas)


def _meta(key: Pubkey, *, is_writable: bool) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=is_writable)
