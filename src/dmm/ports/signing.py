"""Who signs: transactions of the desk, its firm quotes, and the market makers it buys from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dmm.rfq.protocol import FirmQuote
from dmm.settlement.intent import Intent, Purpose
from dmm.units.amount import Atoms


@dataclass(frozen=True, slots=True, kw_only=True)
class SignRequest:
    """What the settlement signer is asked to sign: structure, never bytes.

    A request to burn names the intent whose slot it is and moves nothing.

    Parameters
    ----------
    unit_fee_max, unit_tip : price of a unit of the chain's work, and what of it goes to who builds
        the block: wei per gas on EVM, millionths of a lamport per compute unit on Solana, nanoton
        per message on TON
    gas_max : units of work at the most: gas, compute units, messages
    chain_time_s : time of the chain's head as the driver saw it, seconds since 1970 UTC, by which
        the signer counts a day's caps; 0: by its own clock
    """

    intent: Intent
    generation: int
    bump: int
    slot: int
    unit_fee_max: int
    unit_tip: int
    gas_max: int
    purpose: Purpose = Purpose.PAY
    expires: int = 0
    anchor: str = ""
    chain_time_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTx:
    """Signed bytes and the id they will have on chain."""

    tx_id: str
    raw: bytes
    signer: str
    fee_atoms_max: Atoms


class Signer(Protocol):
    """The settlement signer, another process."""

    def address(self, chain: str, lane: str = "") -> str:
        """Return the address that sends on a chain for one class of intents.

        Classes with one address share its slots, those with several do not wait for each other.
        """
        ...

    def sign(self, request: SignRequest) -> SignedTx:
        """Rebuild the transaction from its intent and sign it, once per (key, slot, bump).

        Raises
        ------
        Retryable
            If the signer cannot be reached.
        Permanent
            If it refuses; the text says why.
        """
        ...


class QuoteSigner(Protocol):
    """The quote signer, another process with its own hot key and no settlement rights."""

    def maker(self, chain: str) -> str:
        """Return the maker's address: the owner of the inventory that quotes give."""
        ...

    def signer(self, chain: str) -> str:
        """Return the hot key's address that the maker delegated to."""
        ...

    def sign_quote(self, quote: FirmQuote) -> bytes:
        """Sign a firm quote; `Permanent` when it breaks a cap, `Retryable` when down."""
        ...

    def next_nonce(self, chain: str) -> int:
        """Return a nonce that was never signed for the maker, nor any above it.

        It outlives every restore of the journal: the signer's register is no part of it.

        Raises
        ------
        Retryable
            If the signer cannot be reached.
        """
        ...

    def sign_statement(self, carrier: Intent) -> bytes:
        """Sign for the maker what a batch of its quotes comes to, each in one statement only.

        Raises
        ------
        Permanent
            If a quote in it is not the maker's own, a cap would be exceeded, or the chain has no
            net statements.
        Retryable
            If the signer cannot be reached, or a kill holds.
        """
        ...


class BuybackQuoter(Protocol):
    """A counterparty that sells the treasury what it buys back, by firm quotes it signs itself."""

    def quote(
        self,
        *,
        chain: str,
        taker: str,
        cash_asset: str,
        cash_amount: Atoms,
        bought_asset: str,
        deadline_s: int,
        nonce: int,
    ) -> tuple[FirmQuote, bytes] | None:
        """Return a firm quote with the maker's signature, or None when it declines.

        Parameters
        ----------
        taker : the treasury's address; the quote is bound to it
        cash_amount : what the treasury pays, atoms of `cash_asset`, > 0
        deadline_s : chain time until which the quote must be fillable
        nonce : the same purchase asks under the same nonce

        Raises
        ------
        Retryable
            If the counterparty cannot be reached.
        """
        ...
