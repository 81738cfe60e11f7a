"""Pure translation between the desk's vocabulary and the program's bytes.

Quotes and intents name assets by symbol and contracts by name; a `Book` of deployments turns them
into keys. Addresses are base 58 and case matters. Whoever signs rebuilds the bytes from the intent
with the same functions.

An address of the desk's vocabulary owns tokens: a wallet, the maker, the treasury. The token
account that a payment leaves or reaches is the owner's associated one.
"""

from __future__ import annotations

from collections.abc import Mapping

import based58
from solders.pubkey import Pubkey

from dmm.adapters.solana.terms import Terms, acceptance_digest
from dmm.ports import Deployment
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.units.errors import Permanent
from dmm.units.ids import Json

SYSTEM = Pubkey.default()
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
ATA = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
COMPUTE_BUDGET = Pubkey.from_string("ComputeBudget111111111111111111111111111111")

AMOUNT_MAX = 2**64 - 1
NONCE_MAX = 2**64 - 1
SIGNATURE_BYTES = 64
HASH_BYTES = 32


class Book:
    """Our deployments on one cluster, by name.

    ``settlement`` is the program, ``treasury``, ``distributor`` and ``governor`` are its accounts,
    ``token:SYMBOL`` are mints of the classic token program.
    """

    def __init__(self, *, chain_id: int, deployments: Mapping[str, Deployment]) -> None:
        """Take the deployments of one cluster.

        Parameters
        ----------
        chain_id : the cluster's genesis hash as a big-endian integer, see `chain_id_of`; signed
            into every quote

        Raises
        ------
        Permanent
            If that is no hash.
        """
        if not 0 < chain_id < 2 ** (8 * HASH_BYTES):
            raise Permanent(f"chain id {chain_id} is no genesis hash")
        self.chain_id = chain_id
        self.network = chain_id.to_bytes(HASH_BYTES, "big")
        self._addresses = {name: deployed.address for name, deployed in deployments.items()}

    @property
    def program(self) -> Pubkey:
        """Return the program's address."""
        return self.key("settlement")

    def has(self, name: str) -> bool:
        """Tell whether something is deployed under a name."""
        return name in self._addresses

    def address(self, name: str) -> str:
        """Return the address of a deployment; `Permanent` names what is not deployed."""
        try:
            return self._addresses[name]
        except KeyError:
            raise Permanent(f"{name} is not deployed on this chain") from None

    def key(self, name: str) -> Pubkey:
        """Return a deployment's address as a key."""
        return account(self.address(name), what=name)

    def token(self, symbol: str) -> Pubkey:
        """Return a token's mint by its symbol."""
        return self.key(f"token:{symbol}")

    def tokens(self) -> dict[str, str]:
        """Return symbols by mint."""
        return {
            address: name.removeprefix("token:")
            for name, address in self._addresses.items()
            if name.startswith("token:")
        }

    def vaults(self) -> dict[str, str]:
        """Return ledger vaults by the address that owns their tokens."""
        return {
            address: name.removeprefix("vault:")
            for name, address in self._addresses.items()
            if name.startswith("vault:")
        }


def base58(data: bytes) -> str:
    """Return bytes in base 58."""
    return str(based58.b58encode(data).decode())


def from_base58(text: str) -> bytes:
    """Return the bytes in a text; `Permanent` when it is no base 58."""
    try:
        return bytes(based58.b58decode(text.encode()))
    except ValueError as error:
        raise Permanent(f"{text[:64]!r} is no base 58: {error}") from error


def chain_id_of(genesis_hash: str) -> int:
    """Return a genesis hash as the integer that names its cluster.

    Parameters
    ----------
    genesis_hash : 32 bytes in base 58, as ``getGenesisHash`` answers

    Raises
    ------
    Permanent
        If it is none.
    """
    content = from_base58(genesis_hash)
    if len(content) != HASH_BYTES:
        raise Permanent(f"a genesis hash is {HASH_BYTES} bytes in base 58, got {genesis_hash!r}")
    return int.from_bytes(content, "big")


def account(text: str, *, what: str) -> Pubkey:
    """Return an address as a key; `Permanent` when it is none, or zero."""
    try:
        key = Pubkey.from_string(text)
    except ValueError as error:
        raise Permanent(f"{what} is no Solana address: {text!r}") from error
    if key == SYSTEM:
        raise Permanent(f"{what} is the zero address")
    return key


def token_account(owner: Pubkey, mint: Pubkey) -> Pubkey:
    """Return an owner's associated token account, of the classic token program."""
    return Pubkey.find_program_address([bytes(owner), bytes(TOKEN), bytes(mint)], ATA)[0]


def terms_of(quote: FirmQuote, book: Book) -> Terms:
    """Return a quote as the program has it.

    Raises
    ------
    Permanent
        If it is meant for another program, an asset is not deployed, an address is none, or a
        number does not fit 64 bits.
    """
    if account(quote.contract, what="quote.contract") != book.program:
        raise Permanent(f"the quote is for program {quote.contract}, not for our settlement")
    for name in ("maker_amount", "taker_amount", "nonce", "settle_by_s"):
        if getattr(quote, name) > AMOUNT_MAX:
            raise Permanent(f"{name} {getattr(quote, name)} does not fit 64 bits")
    if quote.expiry_s < 0:
        raise Permanent(f"expiry_s must be >= 0, got {quote.expiry_s}")
    maker_mint = book.token(quote.maker_asset)
    fee_owner = account(quote.fee_recipient, what="quote.fee_recipient")
    return Terms(
        program=book.program,
        network=book.network,
        maker=account(quote.maker, what="quote.maker"),
        signer=account(quote.signer, what="quote.signer"),
        taker=account(quote.taker, what="quote.taker"),
        maker_mint=maker_mint,
        taker_mint=book.token(quote.taker_asset),
        maker_amount=quote.maker_amount,
        taker_amount=quote.taker_amount,
        min_fill=quote.least,
        fee_bps=quote.fee_bps,
        fee_account=token_account(fee_owner, maker_mint),
        expiry=quote.expiry_s,
        settle_by=quote.settle_by_s,
        nonce=quote.nonce,
        quote_id=bytes(quote.quote_id),
    )


def quote_digest(quote: FirmQuote, book: Book) -> bytes:
    """Return what the maker signs."""
    return terms_of(quote, book).digest()


def recipient_account(acceptance: Acceptance, terms: Terms) -> Pubkey:
    """Return the token account that an acceptance sends the maker's asset to."""
    owner = account(acceptance.recipient, what="acceptance.recipient")
    return token_account(owner, terms.maker_mint)


def accepted_digest(acceptance: Acceptance, quote: FirmQuote, book: Book) -> bytes:
    """Return what the taker signs.

    Raises
    ------
    Permanent
        If the acceptance is of another quote, or cannot be written in the program's form.
    """
    if acceptance.quote_id != quote.quote_id:
        raise Permanent(f"the acceptance is of quote {acceptance.quote_id.hex()}, not of this one")
    if not 0 < acceptance.amount <= AMOUNT_MAX:
        raise Permanent(f"an accepted amount of {acceptance.amount} does not fit 64 bits")
    terms = terms_of(quote, book)
    return acceptance_digest(
        terms, amount=acceptance.amount, recipient=recipient_account(acceptance, terms)
    )


def json_of(value: object) -> Json:
    """Return a decoded value as JSON: keys in base 58, bytes as lower-case hex."""
    if isinstance(value, Pubkey):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [json_of(item) for item in value]
    if isinstance(value, dict):
        return {str(name): json_of(item) for name, item in value.items()}
    if value is None or isinstance(value, bool | int | str):
        return value
    raise Permanent(f"{type(value).__name__} has no JSON form")
