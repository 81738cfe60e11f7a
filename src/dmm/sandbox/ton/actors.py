"""DEMO actors of the local chain: their keys, and what they sign. Nothing here holds real money.

All keys derive from one random seed in the chain's folder, so a run that is resumed has the same
actors. Each has a highload wallet. On a real network each of these is another person's key.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from dmm.adapters.ton.codec import NONCE_END, Book
from dmm.adapters.ton.sign import Key, sign_acceptance, sign_quote
from dmm.adapters.ton.wallet import query_id_of
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.units.amount import Atoms
from dmm.units.errors import ServiceFault, UsageFault

CHAIN = "ton"
SEED_FILE = "demo.seed"
SEED_BYTES = 32
TAKERS = 2
PROVIDERS = 3
OWNERS = 3
THRESHOLD = 2
MARKET_MAKER = "vault-of:market-maker"
"""The deployment of the outside maker's own vault."""


class Actors:
    """Everybody on the local chain, by role."""

    def __init__(self, seed: bytes) -> None:
        """Derive all keys from 32 secret bytes."""
        self._seed = seed
        self.deployer = self.key("deployer")
        self.owners = tuple(self.key(f"owner-{i}") for i in range(OWNERS))
        self.guardian = self.key("guardian")
        self.operator = self.key("operator")
        """The settlement signer's key: its wallet is the treasury's operator."""
        self.desk = self.key("desk")
        """The maker: its wallet is the authority of the vault that firm quotes give from."""
        self.quote_signer = self.key("quote-signer")
        """The hot key that signs the vault's quotes."""
        self.takers = tuple(self.key(f"taker-{i}") for i in range(TAKERS))
        self.providers = tuple(self.key(f"lp-{i}") for i in range(PROVIDERS))
        self.market_maker = self.key("market-maker")

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
                with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
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

    def secret(self, role: str) -> bytes:
        """Return the 32 secret bytes of a role's key."""
        return hashlib.sha256(b"dmm/demo-key/ton/v1/" + role.encode() + self._seed).digest()

    def key(self, role: str) -> Key:
        """Return a role's key."""
        return Key(self.secret(role))

    def named(self) -> dict[str, str]:
        """Return the addresses that the journal knows by ``actor:…``, but the maker's vault."""
        takers = {f"taker-{i}": key.address for i, key in enumerate(self.takers)}
        providers = {f"lp-{i}": key.address for i, key in enumerate(self.providers)}
        return takers | providers

    def taker(self, address: str) -> Key:
        """Return a taker's key; `UsageFault` for an address that is none of theirs."""
        for key in self.takers:
            if key.address == address:
                return key
        raise UsageFault(f"{address} is no DEMO taker of this chain")


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
