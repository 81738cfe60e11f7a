"""Names that carry their chain, and addresses that compare."""

from __future__ import annotations

HOME_CHAIN = "evm"
"""The chain on which policy and governance live; it is always among the enabled ones."""


def on_chain(name: str, chain: str) -> str:
    """Return a name as it is on a chain: plain on the home chain, ``name@chain`` on any other.

    Ledger vaults and scopes of epochs are named so: one treasury on two chains is two vaults.
    """
    return name if chain == HOME_CHAIN else f"{name}@{chain}"


def address_key(address: str) -> str:
    """Return an address so that two spellings of one account are equal.

    Hexadecimal behind ``0x`` is the only form here whose case may carry a checksum and no meaning;
    every other form is case-sensitive and stays as its chain writes it. No base58 text begins with
    a zero, so none is taken for hexadecimal.
    """
    return address.lower() if address[:2] in ("0x", "0X") else address
