"""One behaviour, a contract for each chain: what a test says to any of them.

Actors have the same roles everywhere, and intents, quotes and acceptances are the desk's own, so a
chain adds only how bytes get into a block and what its refusals are called.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms

Holdings = Mapping[tuple[str, str], int]
"""Atoms by (role, symbol); roles are treasury, desk, taker-0, lp-0, market-maker."""

SYMBOLS = ("BTC", "USDT", "DCT")


class ContractUnderTest(ABC):
    """The contracts of one chain, deployed and funded."""

    chain: str
    sign: ModuleType
    """The adapter's signatures."""
    actors: Any
    book: Any

    def __init__(self) -> None:
        self._ordinals = 0
        self._nonces = 40

    # -- what a chain says itself

    @abstractmethod
    def now_s(self) -> int:
        """Return the chain's time."""

    @abstractmethod
    def holders(self) -> dict[str, str]:
        """Return the addresses that hold tokens, by role."""

    @abstractmethod
    def balance(self, symbol: str, holder: str) -> int:
        """Return what an address holds now."""

    @abstractmethod
    def supply(self, symbol: str) -> int:
        """Return how much of a token there is."""

    @abstractmethod
    def settle(self, intent: Intent, *, by: Any = None) -> str | None:
        """Put the intent's bytes into a block; return the refusal's name, None when it settled.

        Parameters
        ----------
        by : the key that sends them; the operator's when None
        """

    @abstractmethod
    def is_paid(self, intent: Intent) -> bool:
        """Tell whether the intent's replay key is used, at a finalized block."""

    @abstractmethod
    def cancel(self, nonce: int) -> None:
        """Have the desk cancel one of its nonces."""

    @abstractmethod
    def buyback_maker(self) -> str:
        """Return the outside market maker as a quote names it."""

    @abstractmethod
    def open_account(self, holder: str, symbol: str) -> None:
        """Let an address hold a token, where that takes anything."""

    @abstractmethod
    def ready_nonce(self, nonce: int) -> None:
        """Let the outside market maker use a nonce, where that takes anything."""

    # -- what all say alike

    @property
    def desk_maker(self) -> str:
        return self.holders()["desk"]

    def holdings(self) -> Holdings:
        return {
            (role, symbol): self.balance(symbol, holder)
            for role, holder in self.holders().items()
            for symbol in SYMBOLS
        }

    def reward(self, **change: Any) -> Intent:
        self._ordinals += 1
        fields: dict[str, Any] = {
            "kind": IntentKind.REWARD,
            "chain": self.chain,
            "contract": "treasury",
            "vault": "treasury",
            "scope": "conformance/liquidity",
            "epoch": 5,
            "ordinal": self._ordinals,
            "asset": "DCT",
            "recipient": self.actors.providers[0].address,
            "amount": Atoms(1_234_567_891),
            "deadline_s": self.now_s() + 600,
            "inputs": {},
        }
        return Intent(**(fields | change))

    def quote(self, **change: Any) -> FirmQuote:
        """Return the desk's quote: it gives some BTC for some USDT; odd, so that rounding shows."""
        self._nonces += 1
        now_s = self.now_s()
        fields: dict[str, Any] = {
            "chain": self.chain,
            "contract": self.book.address("settlement"),
            "maker": self.desk_maker,
            "signer": self.actors.quote_signer.address,
            "taker": self.actors.takers[0].address,
            "maker_asset": "BTC",
            "taker_asset": "USDT",
            "maker_amount": Atoms(250_000_003),
            "taker_amount": Atoms(150_000_000_007),
            "fee_bps": 0,
            "fee_recipient": self.desk_maker,
            "expiry_s": now_s + 60,
            "settle_by_s": now_s + 600,
            "nonce": self._nonces,
        }
        return FirmQuote(**(fields | change))

    def accepted(
        self,
        quote: FirmQuote,
        *,
        amount: int | None = None,
        recipient: str | None = None,
        maker_key: Any = None,
        taker_key: Any = None,
    ) -> Intent:
        """Return the intent that settles a quote, honestly signed unless told otherwise."""
        acceptance = Acceptance(
            quote_id=quote.quote_id,
            amount=Atoms(quote.taker_amount if amount is None else amount),
            recipient=recipient or quote.taker,
        )
        by_maker = self.sign.sign_quote(
            quote, key=maker_key or self.actors.quote_signer, book=self.book
        )
        by_taker = self.sign.sign_acceptance(
            acceptance, quote, key=taker_key or self.actors.takers[0], book=self.book
        )
        return Intent(
            kind=IntentKind.QUOTE,
            chain=self.chain,
            contract="settlement",
            vault="desk",
            scope=quote.maker,
            epoch=5,
            ordinal=quote.nonce,
            asset=quote.maker_asset,
            recipient=acceptance.recipient,
            amount=quote.given(acceptance.amount),
            deadline_s=quote.settle_by_s,
            inputs={
                "quote": quote.to_json(),
                "acceptance": {
                    "quote_id": acceptance.quote_id.hex(),
                    "amount": acceptance.amount,
                    "recipient": acceptance.recipient,
                },
                "maker_signature": "0x" + by_maker.hex(),
                "taker_signature": "0x" + by_taker.hex(),
            },
        )

    def buyback(self, *, bought_asset: str = "DCT", **inputs: Any) -> Intent:
        """Return the intent by which the treasury buys DCT back, and burns it."""
        self._ordinals += 1
        nonce, deadline_s = 900 + self._ordinals, self.now_s() + 600
        self.ready_nonce(nonce)
        quote = replace(
            self.quote(),
            maker=self.buyback_maker(),
            signer=self.actors.market_maker.address,
            taker=self.book.address("treasury"),
            maker_asset=bought_asset,
            maker_amount=Atoms(999_000_000_007),
            taker_amount=Atoms(70_000_003),
            fee_recipient=self.buyback_maker(),
            expiry_s=deadline_s,
            settle_by_s=deadline_s,
            nonce=nonce,
        )
        signature = self.sign.sign_quote(quote, key=self.actors.market_maker, book=self.book)
        return self.reward(
            kind=IntentKind.BUYBACK,
            scope="conformance/buyback",
            asset="USDT",
            recipient=quote.maker,
            amount=quote.taker_amount,
            deadline_s=deadline_s,
            inputs={
                "quote": quote.to_json(),
                "maker_signature": "0x" + signature.hex(),
                "min_out": quote.maker_amount,
                "burn": True,
            }
            | inputs,
        )
