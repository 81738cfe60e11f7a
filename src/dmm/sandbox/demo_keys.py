"""DEMO keys of a local chain: everybody's, by role, from one seed in the chain's folder.

So a run that is resumed has the same actors. On a real chain each of these is another person's key,
and nothing here holds real money.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Generic, Protocol, Self, TypeVar

from dmm.units.chain import address_key
from dmm.units.errors import ServiceFault, UsageFault

SEED_FILE = "demo.seed"
SEED_BYTES = 32
TAKERS = 2
PROVIDERS = 3
OWNERS = 3
THRESHOLD = 2
"""Owners that must sign an order of the DEMO multisig."""


class Addressed(Protocol):
    """A key that knows its address, in its chain's own form."""

    @property
    def address(self) -> str:
        """Return the address."""
        ...


K = TypeVar("K", bound=Addressed)


class DemoKeys(ABC, Generic[K]):
    """The actors that every local chain has; a chain says how a key is made of its secret."""

    tag: ClassVar[bytes]
    """Sets a chain's keys apart from those of another chain with the same seed."""

    def __init__(self, seed: bytes) -> None:
        """Derive all keys from 32 secret bytes."""
        self._seed = seed
        self.deployer = self.key("deployer")
        self.guardian = self.key("guardian")
        self.operator = self.key("operator")
        """The settlement signer's key: the treasury's operator."""
        self.desk = self.key("desk")
        """Stands behind the maker whose inventory firm quotes give."""
        self.quote_signer = self.key("quote-signer")
        """The hot key the desk delegates its quotes to."""
        self.takers = tuple(self.key(f"taker-{i}") for i in range(TAKERS))
        self.providers = tuple(self.key(f"lp-{i}") for i in range(PROVIDERS))
        self.market_maker = self.key("market-maker")

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Return the actors of a chain's folder; the first call there makes their seed.

        Raises
        ------
        ServiceFault
            If the seed cannot be read or has another length.
        """
        path = folder / SEED_FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                draft = folder / f"{SEED_FILE}.tmp"
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
                with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
                    file.write(secrets.token_bytes(SEED_BYTES))
                draft.replace(path)
            seed = path.read_bytes()
        except OSError as error:
            raise ServiceFault(f"{path} cannot be read: {error.strerror}") from error
        if len(seed) != SEED_BYTES:
            raise ServiceFault(
                f"{path} holds {len(seed)} bytes, not {SEED_BYTES}: remove the folder"
            )
        return cls(seed)

    @abstractmethod
    def make(self, secret: bytes) -> K:
        """Return the chain's key of 32 secret bytes."""

    def secret(self, role: str) -> bytes:
        """Return the 32 secret bytes of a role's key."""
        # A digest outside secp256k1's order has a chance of 2^-128; EVM's key would refuse it.
        return hashlib.sha256(self.tag + role.encode() + self._seed).digest()

    def key(self, role: str) -> K:
        """Return a role's key."""
        return self.make(self.secret(role))

    def parties(self) -> dict[str, str]:
        """Return the addresses of takers and providers, as the journal names its actors."""
        takers = {f"taker-{i}": key.address for i, key in enumerate(self.takers)}
        return takers | {f"lp-{i}": key.address for i, key in enumerate(self.providers)}

    def taker(self, address: str) -> K:
        """Return a taker's key; `UsageFault` for an address that is none of theirs."""
        for key in self.takers:
            if address_key(key.address) == address_key(address):
                return key
        raise UsageFault(f"{address} is no DEMO taker of this chain")
