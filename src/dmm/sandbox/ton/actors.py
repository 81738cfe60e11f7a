"""DEMO actors of the local TON chain: their keys, and what they sign."""

from __future__ import annotations

from typing import ClassVar

from dmm.adapters.ton.codec import NONCE_END, Book
from dmm.adapters.ton.sign import Key, key_of, sign_acceptance, sign_quote
from dmm.adapters.ton.wallet import Wallet, query_id_of
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.sandbox.demo_keys import OWNERS, DemoKeys
from dmm.sandbox.ton.node import GLOBAL_ID
from dmm.units.amount import Atoms

CHAIN = "ton"
MARKET_MAKER = "vault-of:market-maker"
"""The deployment of the outside maker's own vault."""


class Actors(DemoKeys[Key]):
    """Everybody on the local chain, by role."""

    tag = b"dmm/demo-key/ton/v1/"
    wallet: ClassVar[Wallet] = Wallet.HIGHLOAD_V3
    """The operator's; everybody else's is a highload wallet."""

    def __init__(self, seed: bytes) -> None:
        """Derive all keys from 32 secret bytes."""
        super().__init__(seed)
        self.operator = key_of(self.secret("operator"), wallet=self.wallet, chain_id=GLOBAL_ID)
        self.owners = tuple(self.key(f"owner-{i}") for i in range(OWNERS))

    def make(self, secret: bytes) -> Key:
        """Return the key of 32 secret bytes."""
        return Key(secret)


class V5Actors(Actors):
    """The same people, where the operator's messages go by a wallet v5."""

    wallet = Wallet.V5


def accept(
    quote: FirmQuote,
    *,
    actors: Actors,
    book: Book,
    recipient: str | None = None,
    maker_signature: bytes | None = None,
) -> tuple[Acceptance, bytes]:
    """Accept a quote whole as the DEMO taker it is bound to.

    Parameters
    ----------
    recipient : who gets the maker's asset; the taker itself when None
    maker_signature : what came with the quote; when None it is made again by the desk's DEMO key,
        which gives the same bytes for the same quote
    """
    key = actors.taker(quote.taker)
    acceptance = Acceptance(
        quote_id=quote.quote_id,
        amount=quote.taker_amount,
        recipient=recipient or key.address,
    )
    signature = sign_acceptance(
        acceptance,
        quote,
        key=key,
        book=book,
        maker_signature=maker_signature or sign_quote(quote, key=actors.quote_signer, book=book),
        query_id=query_id_of(quote.nonce),
    )
    return acceptance, signature


def sign_buyback_quote(
    *,
    actors: Actors,
    book: Book,
    taker: str,
    cash_asset: str,
    cash_amount: Atoms,
    bought_asset: str,
    bought_amount: Atoms,
    deadline_s: int,
    nonce: int,
) -> tuple[FirmQuote, bytes]:
    """Sign a firm quote as the outside DEMO market maker: it sells what the treasury buys back.

    Parameters
    ----------
    taker : the treasury
    deadline_s : chain time until which the quote can be taken
    nonce : what the buyer names the purchase by; the vault's own is its remainder, for its nonces
        end at 4,194,304. Two purchases that share one by chance cannot both be made.
    """
    vault = book.address(MARKET_MAKER)
    quote = FirmQuote(
        chain=CHAIN,
        contract=vault,
        maker=vault,
        signer=actors.market_maker.address,
        taker=taker,
        maker_asset=bought_asset,
        taker_asset=cash_asset,
        maker_amount=bought_amount,
        taker_amount=cash_amount,
        fee_bps=0,
        fee_recipient=vault,
        expiry_s=deadline_s,
        settle_by_s=deadline_s,
        nonce=nonce % NONCE_END,
    )
    return quote, sign_quote(quote, key=actors.market_maker, book=book)
