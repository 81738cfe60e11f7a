"""Nonce accounts of the settlement signer: where they lie, and what makes them."""

from __future__ import annotations

from collections.abc import Sequence

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import (
    CreateAccountWithSeedParams,
    InitializeNonceAccountParams,
    create_account_with_seed,
    initialize_nonce_account,
)

from dmm.adapters.solana.codec import SYSTEM, account
from dmm.adapters.solana.durable import NONCE_BYTES, nonce_of
from dmm.adapters.solana.finalized import held_many
from dmm.adapters.solana.hand import Hand
from dmm.adapters.solana.node import Node

SEED = "dmm-nonce-"


def nonce_address(payer: Pubkey, authority: Pubkey, number: int) -> Pubkey:
    """Return where a payer's nonce account of a number lies; one address an authority and number.

    It is derived from the payer's key, so that no key of its own is ever made or kept.
    """
    return Pubkey.create_with_seed(payer, _seed(authority, number), SYSTEM)


def make_nonce(
    payer: Pubkey, authority: Pubkey, number: int, *, lamports: int
) -> list[Instruction]:
    """Return what makes a nonce account; the payer alone signs.

    Parameters
    ----------
    authority : who may advance it, and withdraw what it holds
    lamports : what an account of `NONCE_BYTES` must hold
    """
    address = nonce_address(payer, authority, number)
    made = CreateAccountWithSeedParams(
        from_pubkey=payer,
        to_pubkey=address,
        base=payer,
        seed=_seed(authority, number),
        lamports=lamports,
        space=NONCE_BYTES,
        owner=SYSTEM,
    )
    set_up = InitializeNonceAccountParams(nonce_pubkey=address, authority=authority)
    return [create_account_with_seed(made), initialize_nonce_account(set_up)]


def nonce_addresses(payer: str, authority: str, count: int) -> list[str]:
    """Return where a payer's first nonce accounts for an authority lie; they need not exist."""
    base, whose = account(payer, what="the payer"), account(authority, what="the authority")
    return [str(nonce_address(base, whose, number)) for number in range(count)]


def not_set_up(node: Node, addresses: Sequence[str]) -> list[int]:
    """Return the places of addresses at which there is no nonce account.

    Raises
    ------
    NoAnswer, NodeRefused
        If the node does not tell.
    """
    found = held_many(node, addresses, slot_min=0, commitment="confirmed")
    keys = [account(address, what="a nonce account") for address in addresses]
    pairs = enumerate(zip(keys, found, strict=True))
    return [place for place, (key, one) in pairs if nonce_of(key, one.owner, one.data) is None]


def make_nonces(hand: Hand, *, authority: str, numbers: Sequence[int]) -> None:
    """Make nonce accounts that an authority may advance; the hand pays for them."""
    whose, lamports = account(authority, what="the authority"), hand.rent(NONCE_BYTES)
    payer = hand.key.public
    hand.run_all([make_nonce(payer, whose, number, lamports=lamports) for number in numbers])


def _seed(authority: Pubkey, number: int) -> str:
    # A seed is 32 bytes at the most; sixteen digits of the authority keep two of them apart.
    return f"{SEED}{bytes(authority).hex()[:16]}-{number}"
