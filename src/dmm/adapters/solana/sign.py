"""Keys and signatures: for the signer processes and local DEMO actors, for nobody else."""

from __future__ import annotations

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from dmm.adapters.solana.calls import budget, instructions_of
from dmm.adapters.solana.codec import Book, accepted_digest, quote_digest
from dmm.adapters.solana.durable import advance, blockhash, is_durable, named
from dmm.adapters.solana.fees import fee_lamports_max
from dmm.ports import SignedTx, SignRequest
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.settlement.intent import Purpose
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent

TRANSACTION_BYTES_MAX = 1_232
UNITS_PER_TRANSACTION_MAX = 1_400_000
PRICE_MAX = 2**64 - 1
SECRET_BYTES = 32


class Key:
    """An Ed25519 key in memory; it prints as its address."""

    def __init__(self, secret: bytes) -> None:
        """Take 32 secret bytes: the seed of RFC 8032, section 5.1.5."""
        if len(secret) != SECRET_BYTES:
            raise Permanent(f"a key's secret is {SECRET_BYTES} bytes, got {len(secret)}")
        self.keypair = Keypair.from_seed(secret)
        self.address = str(self.keypair.pubkey())

    @property
    def public(self) -> Pubkey:
        """Return the public key."""
        return self.keypair.pubkey()

    def __repr__(self) -> str:
        return f"Key({self.address})"

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of an Ed25519 signature."""
        return bytes(self.keypair.sign_message(message))


def sign_settlement(request: SignRequest, *, key: Key, book: Book) -> SignedTx:
    """Rebuild the transaction from its intent and sign it over the request's blockhash.

    Over a durable nonce its first instruction moves the nonce on, in the key's own name.

    Raises
    ------
    Permanent
        If the intent cannot be turned into instructions, the fees contradict each other, there is
        no blockhash, it asks for a second transaction over one, or for a burn.
    """
    if request.purpose is Purpose.BURN:
        raise Permanent("a send slot on Solana expires by itself: there is nothing to burn")
    if not 0 <= request.unit_tip <= request.unit_fee_max <= PRICE_MAX:
        raise Permanent(f"tip {request.unit_tip} lies above the fee {request.unit_fee_max}")
    if not 0 < request.gas_max <= UNITS_PER_TRANSACTION_MAX:
        raise Permanent(f"{request.gas_max} units are outside [1, {UNITS_PER_TRANSACTION_MAX}]")
    # Whoever builds the block gets the whole priority fee, so fee and tip are one price.
    price = request.unit_fee_max
    durable = is_durable(request.anchor)
    if request.bump and not durable:
        raise Permanent("a slot of a blockhash takes one transaction: two could both land")
    first: list[Instruction] = []
    if durable:
        nonce, recent = named(request.anchor)
        first = [advance(nonce, authority=key.public)]
    else:
        recent = blockhash(request.anchor)
    calls = [
        *first,
        *budget(units_max=request.gas_max, unit_price=price),
        *instructions_of(request.intent, book, payer=key.public),
    ]
    message = MessageV0.try_compile(key.public, calls, [], recent)
    transaction = VersionedTransaction(message, [key.keypair])
    raw = bytes(transaction)
    if len(raw) > TRANSACTION_BYTES_MAX:
        raise Permanent(f"the transaction has {len(raw)} bytes, at most {TRANSACTION_BYTES_MAX}")
    fee = fee_lamports_max(request.intent.kind, units_max=request.gas_max, unit_price=price)
    return SignedTx(
        tx_id=str(transaction.signatures[0]), raw=raw, signer=key.address, fee_atoms_max=Atoms(fee)
    )


def sign_quote(quote: FirmQuote, *, key: Key, book: Book) -> bytes:
    """Sign a firm quote as the maker's delegated key."""
    return key.sign(quote_digest(quote, book))


def sign_acceptance(acceptance: Acceptance, quote: FirmQuote, *, key: Key, book: Book) -> bytes:
    """Sign an acceptance as the quote's taker."""
    return key.sign(accepted_digest(acceptance, quote, book))
