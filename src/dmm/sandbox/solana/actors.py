"""DEMO actors of the local chain: their keys, and what they sign. Nothing here holds real money.

All keys derive from one random seed in the chain's folder, so a run that is resumed has the same
actors. On a real cluster each of these is another person's key.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from solders.pubkey import Pubkey

from dmm.adapters.solana.codec import Book
from dmm.adapters.solana.sign import Key, sign_acceptance, sign_quote
from dmm.adapters.solana.terms import maker_address, treasury_address
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.units.amount import Atoms
from dmm.units.errors import ServiceFault, UsageFault

SEED_FILE = "demo.seed"
SEED_BYTES = 32
TAKERS = 2
PROVIDERS = 3


class Actors:
    """Everybody on the local chain, by role."""

    def __init__(self, seed: bytes) -> None:
        """Derive all keys from 32 secret bytes."""
        self._seed = seed
        self.deployer = self._key("deployer")
        self.authority = self._key("authority")
        """Stands for the multisig: owner of the treasury and of the governor's mirror."""
        self.guardian = self._key("guardian")
        self.operator = self._key("operator")
        """The settlement signer's key: the treasury's operator."""
        self.desk = self._key("desk")
        """The authority of the maker whose inventory firm quotes give."""
        self.quote_signer = self._key("quote-signer")
        """The hot key the desk delegates its quotes to."""
        self.takers = tuple(self._key(f"taker-{i}") for i in range(TAKERS))
        self.providers = tuple(self._key(f"lp-{i}") for i in range(PROVIDERS))
        self.market_maker = self._key("market-maker")

    @classmethod
    def of(cls, folder: Path) -> Actors:
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
                write_private(draft, secrets.token_bytes(SEED_BYTES))
                draft.replace(path)
            seed = path.read_bytes()
        except OSError as error:
            raise ServiceFault(f"{path} cannot be read: {error.strerror}") from error
        if len(seed) != SEED_BYTES:
            raise ServiceFault(
                f"{path} holds {len(seed)} bytes, not {SEED_BYTES}: remove the folder"
            )
        return cls(seed)

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
        takers = {f"taker-{i}": key.address for i, key in enumerate(self.takers)}
        providers = {f"lp-{i}": key.address for i, key in enumerate(self.providers)}
        return takers | providers | {"market-maker": self.market_maker.address}

    def taker(self, address: str) -> Key:
        """Return a taker's key; `UsageFault` for an address that is none of theirs."""
        for key in self.takers:
            if key.address == address:
                return key
        raise UsageFault(f"{address} is no DEMO taker of this chain")

    def secret(self, role: str) -> bytes:
        """Return the 32 secret bytes of a role's key."""
        return hashlib.sha256(b"dmm/demo-key/solana/v1/" + role.encode() + self._seed).digest()

    def _key(self, role: str) -> Key:
        return Key(self.secret(role))


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


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)
