"""What a signer needs of a chain: its key, its signatures, how its addresses compare.

Adapters do not import each other: the signer process looks a chain's implementation up by the name
in its policy and hands it over. Rules, caps and register are the same for every chain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dmm.adapters.signers.keystore import Curve
from dmm.adapters.signers.policy import SignerPolicy
from dmm.adapters.signers.remote import RemoteKeys
from dmm.ports import SignedTx, SignRequest
from dmm.rfq.protocol import FirmQuote
from dmm.settlement.intent import Intent


class ChainSigning(Protocol):
    """One chain's signatures under one key, with the deployments of one policy."""

    @property
    def address(self) -> str:
        """Return the key's address in the chain's own form."""
        ...

    @property
    def burn_units_max(self) -> int | None:
        """Return the units of work an empty transaction may take; None where slots expire."""
        ...

    def canonical(self, address: str) -> str:
        """Return the one spelling of an address: two name one account when these are equal."""
        ...

    def sign_settlement(self, request: SignRequest) -> SignedTx:
        """Rebuild the transaction from its intent and sign it.

        Raises
        ------
        Permanent
            If the intent cannot be turned into a transaction.
        Retryable
            If the key is elsewhere and does not answer.
        """
        ...

    def sign_quote(self, quote: FirmQuote) -> bytes:
        """Sign a firm quote; `Permanent` when it cannot be encoded."""
        ...

    def sign_statement(self, statement: Intent) -> bytes:
        """Sign what a batch of quotes comes to.

        Raises
        ------
        Permanent
            If the chain has no net statements, or a quote in it was not signed by this key.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningChain:
    """How signatures of one chain are made.

    `make_key` takes the 32 secret bytes of a keystore. `remote_key` takes a remote signer and the
    address wanted of it; None where no such protocol exists.
    """

    curve: Curve
    make_key: Callable[[bytes, SignerPolicy], ChainSigning]
    remote_key: Callable[[RemoteKeys, str, SignerPolicy], ChainSigning] | None = None
