"""DEMO actors of the local Solana chain: their keys, and what they sign."""

from __future__ import annotations

from solders.pubkey import Pubkey

from dmm.adapters.solana.codec import Book
from dmm.adapters.solana.sign import Key, sign_acceptance, sign_quote
from dmm.adapters.solana.terms import maker_address, treasury_address
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.sandbox.demo_keys import DemoKeys
from dmm.units.amount import Atoms


class Actors(DemoKeys[Key]):
    """Everybody on the local chain, by role."""

    tag = b"dmm/demo-key/solana/v1/"

    def __init__(self, seed: bytes) -> None:
        """Derive all keys from 32 secret bytes."""
        super().__init__(seed)
        self.authority = self.key("authority")
        """Stands for the multisig: owner of the treasury and of the governor's mirror."""

    def make(self, secret: bytes) -> Key:
        """Return the key of 32 secret bytes."""
        return Key(secret)

    def maker(self, program: Pubkey) -> Pubkey:
        """Return the desk's maker, which owns what firm quotes give."""
        return maker_address(program, self.desk.public)

    def market_makers_maker(self, program: Pubkey) -> Pubkey:
        """Return the outside market maker's maker."""
        return maker_address(program, self.market_maker.public)

    def treasury(self, program: Pubkey) -> Pubkey:
        """Return the treasury."""
        return treasury_address(program, self.authority.public)

    def named(self) -> dict[str, str]:
        """Return the addresses that the journal knows by ``actor:…``."""
        return self.parties() | {"market-maker": self.market_maker.address}


def accept(
    quote: FirmQuote, *, actors: Actors, book: Book, recipient: str | None = None
) -> tuple[Acceptance, bytes]:
    """Accept a quote whole as the DEMO taker it is bound to.

    Parameters
    ----------
    recipient : owner of the token account that gets the maker's asset; the taker when None
    """
    key = actors.taker(quote.taker)
    acceptance = Acceptance(
        quote_id=quote.quote_id,
        amount=quote.taker_amount,
        recipient=recipient or key.address,
    )
    return acceptance, sign_acceptance(acceptance, quote, key=key, book=book)


def sign_buyback_quote(
    *,
    actors: Actors,
    book: Book,
    chain: str,
    taker: str,
    cash_asset: str,
    cash_amount: Atoms,
    bought_asset: str,
    bought_amount: Atoms,
    deadline_s: int,
    nonce: int,
) -> tuple[FirmQuote, bytes]:
    """Sign a firm quote as the outside DEMO market maker: it sells what the treasury buys back.

    Its page of nonces must be there before the quote is taken.

    Parameters
    ----------
    taker : the treasury
    deadline_s : chain time until which the quote can be taken
    """
    maker = str(actors.market_makers_maker(book.program))
    quote = FirmQuote(
        chain=chain,
        contract=book.address("settlement"),
        maker=maker,
        signer=actors.market_maker.address,
        taker=taker,
        maker_asset=bought_asset,
        taker_asset=cash_asset,
        maker_amount=bought_amount,
        taker_amount=cash_amount,
        fee_bps=0,
        fee_recipient=maker,
        expiry_s=deadline_s,
        settle_by_s=deadline_s,
        nonce=nonce,
    )
    return quote, sign_quote(quote, key=actors.market_maker, book=book)
