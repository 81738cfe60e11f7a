"""DEMO actors of the local EVM chain: their keys, and what they sign."""

from __future__ import annotations

from dmm.adapters.evm.codec import Book
from dmm.adapters.evm.sign import Key, sign_acceptance, sign_quote
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.sandbox.demo_keys import OWNERS, THRESHOLD, DemoKeys
from dmm.sandbox.evm.rpc import LocalRpc
from dmm.sandbox.evm.transact import Sender, sign_call
from dmm.units.amount import Atoms

ORDER_LIFETIME_S = 3_600
"""How long a signed order may wait for its execution, chain seconds."""


class Actors(DemoKeys[Key]):
    """Everybody on the local chain, by role."""

    tag = b"dmm/demo-key/v1/"

    def __init__(self, seed: bytes) -> None:
        """Derive all keys from 32 secret bytes."""
        super().__init__(seed)
        self.owners = tuple(self.key(f"owner-{i}") for i in range(OWNERS))

    def make(self, secret: bytes) -> Key:
        """Return the key of 32 secret bytes."""
        return Key(secret)

    def named(self) -> dict[str, str]:
        """Return the addresses that the journal knows by ``actor:…``."""
        return self.parties() | {"market-maker": self.market_maker.address}


def accept(
    quote: FirmQuote, *, actors: Actors, book: Book, recipient: str | None = None
) -> tuple[Acceptance, bytes]:
    """Accept a quote whole as the DEMO taker it is bound to.

    Parameters
    ----------
    recipient : who gets the maker's asset; the taker itself when None
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

    Parameters
    ----------
    taker : the treasury
    deadline_s : chain time until which the quote can be taken
    """
    maker = actors.market_maker
    quote = FirmQuote(
        chain=chain,
        contract=book.address("settlement"),
        maker=maker.address,
        signer=maker.address,
        taker=taker,
        maker_asset=bought_asset,
        taker_asset=cash_asset,
        maker_amount=bought_amount,
        taker_amount=cash_amount,
        fee_bps=0,
        fee_recipient=maker.address,
        expiry_s=deadline_s,
        settle_by_s=deadline_s,
        nonce=nonce,
    )
    return quote, sign_quote(quote, key=maker, book=book)


def execute_order(
    *, rpc: LocalRpc, actors: Actors, book: Book, family: str, body: bytes
) -> tuple[int, str]:
    """Have two of the three DEMO owners sign an order and execute it; return (sequence, tx id).

    Returns once the order is in a block; it counts when that block is final.

    Raises
    ------
    ServiceFault
        If the chain refuses it; the text names the contract's error.
    """
    governor, multisig = book.address("governor"), book.address("multisig")
    sender = Sender(rpc=rpc, key=actors.deployer, chain_id=book.chain_id)
    sequence = sender.read(governor, "sequence()") + 1
    head = sender.read(governor, "head()").to_bytes(32, "big")
    expiry_s = sender.time_s() + ORDER_LIFETIME_S
    order = sign_call(
        "execute(bytes32,uint256,bytes32,bytes,uint64)",
        (family.encode("ascii").ljust(32, b"\0"), sequence, head, body, expiry_s),
        target=governor,
        multisig=multisig,
        chain_id=book.chain_id,
        nonce=sender.read(multisig, "nonce()"),
        deadline_s=expiry_s,
        owners=actors.owners[:THRESHOLD],
    )
    return sequence, sender.execute(multisig, order)
