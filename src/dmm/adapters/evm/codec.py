"""Pure translation between the desk's vocabulary and the contracts' bytes.

Quotes and intents name assets by symbol and contracts by name; a `Book` of deployments turns them
into addresses. Whoever signs rebuilds the bytes from the intent with the same functions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from eth_abi.abi import encode
from eth_abi.exceptions import EncodingError
from eth_utils.address import is_address, to_checksum_address
from eth_utils.crypto import keccak

from dmm.adapters.evm.eip712 import digest, domain_separator, struct_of
from dmm.ports import Deployment
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.units.errors import Permanent
from dmm.units.ids import Hash32

QUOTE_MEMBERS = {
    "maker": "address",
    "signer": "address",
    "taker": "address",
    "makerToken": "address",
    "takerToken": "address",
    "makerAmount": "uint256",
    "takerAmount": "uint256",
    "minFill": "uint256",
    "feeBps": "uint16",
    "feeRecipient": "address",
    "expiry": "uint64",
    "settleBy": "uint64",
    "nonce": "uint256",
    "quoteId": "bytes32",
}
"""The quote as the contract knows it; tests hold it against the ABI and interface.toml."""

ACCEPTANCE_MEMBERS = {
    "quoteId": "bytes32",
    "quoteHash": "bytes32",
    "amount": "uint256",
    "recipient": "address",
}
"""What a taker signs; `quoteHash` is the struct hash of the whole quote."""

_QUOTE = struct_of("Quote", QUOTE_MEMBERS)
_ACCEPTANCE = struct_of("Acceptance", ACCEPTANCE_MEMBERS)
QUOTE_TUPLE = f"({','.join(QUOTE_MEMBERS.values())})"
ACCEPTANCE_TUPLE = "(bytes32,uint256,address)"

NOBODY = "0x" + "00" * 20
BALANCE_OF = "balanceOf(address)"
SEQUENCE = "sequence()"
BLOCK_OF = "blockOf(uint256)"

SETTLEMENT_DOMAIN = ("DMM Settlement", "1")
SIGNATURE_BYTES = 65


class Book:
    """Our deployments on one chain, by name."""

    def __init__(self, *, chain_id: int, deployments: Mapping[str, Deployment]) -> None:
        """Take the deployments of one chain; `chain_id` is signed into every quote."""
        self.chain_id = chain_id
        self._addresses = {name: deployed.address for name, deployed in deployments.items()}

    def address(self, name: str) -> str:
        """Return the address of a deployment; `Permanent` names what is not deployed."""
        try:
            return to_checksum_address(self._addresses[name])
        except KeyError:
            raise Permanent(f"{name} is not deployed on this chain") from None

    def token(self, symbol: str) -> str:
        """Return a token's address by its symbol."""
        return self.address(f"token:{symbol}")

    def tokens(self) -> dict[str, str]:
        """Return symbols by token address, lower case."""
        return {
            address.lower(): name.removeprefix("token:")
            for name, address in self._addresses.items()
            if name.startswith("token:")
        }

    def domain(self) -> bytes:
        """Return the settlement contract's EIP-712 domain."""
        name, version = SETTLEMENT_DOMAIN
        return domain_separator(
            name=name, version=version, chain_id=self.chain_id, contract=self.address("settlement")
        )


def selector(signature: str) -> bytes:
    """Return the first four bytes of a function signature's hash."""
    return keccak(text=signature)[:4]


def calldata(signature: str, *values: object) -> bytes:
    """Return a call's bytes.

    Raises
    ------
    Permanent
        If a value does not fit its type.
    """
    types = split_types(signature[signature.index("(") + 1 : -1])
    try:
        return selector(signature) + encode(types, values)
    except (EncodingError, TypeError) as error:
        raise Permanent(f"{signature.partition('(')[0]} cannot be encoded: {error}") from error


def split_types(text: str) -> list[str]:
    """Return the types of an argument list, tuples whole."""
    parts, depth, start = [], 0, 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]] if text else []


def account(text: str, *, what: str) -> str:
    """Return an address in checksum form; `Permanent` when it is none, or zero."""
    if not is_address(text) or int(text, 16) == 0:
        raise Permanent(f"{what} is no EVM address: {text!r}")
    return to_checksum_address(text)


def quote_values(quote: FirmQuote, book: Book) -> tuple[object, ...]:
    """Return a quote's members as the contract has them.

    Raises
    ------
    Permanent
        If it is meant for another contract, an asset is not deployed, or an address is none.
    """
    if account(quote.contract, what="quote.contract") != book.address("settlement"):
        raise Permanent(f"the quote is for contract {quote.contract}, not for our settlement")
    return (
        account(quote.maker, what="quote.maker"),
        account(quote.signer, what="quote.signer"),
        account(quote.taker, what="quote.taker"),
        book.token(quote.maker_asset),
        book.token(quote.taker_asset),
        quote.maker_amount,
        quote.taker_amount,
        quote.least,
        quote.fee_bps,
        _fee_recipient(quote),
        quote.expiry_s,
        quote.settle_by_s,
        quote.nonce,
        quote.quote_id,
    )


def _fee_recipient(quote: FirmQuote) -> str:
    # The contract does not read it in a quote without fee, and zeros are the cheaper calldata.
    if quote.fee_bps == 0:
        return NOBODY
    return account(quote.fee_recipient, what="quote.fee_recipient")


def quote_hash(quote: FirmQuote, book: Book) -> bytes:
    """Return the struct hash of a quote."""
    return _QUOTE.hash(quote_values(quote, book))


def quote_digest(quote: FirmQuote, book: Book) -> bytes:
    """Return what the maker signs."""
    return digest(domain=book.domain(), struct_hash=quote_hash(quote, book))


def acceptance_hash(acceptance: Acceptance, quote: FirmQuote, book: Book) -> bytes:
    """Return the struct hash of an acceptance together with the hash of the whole quote."""
    values = (
        acceptance.quote_id,
        quote_hash(quote, book),
        acceptance.amount,
        account(acceptance.recipient, what="acceptance.recipient"),
    )
    return _ACCEPTANCE.hash(values)


def acceptance_digest(acceptance: Acceptance, quote: FirmQuote, book: Book) -> bytes:
    """Return what the taker signs."""
    return digest(domain=book.domain(), struct_hash=acceptance_hash(acceptance, quote, book))


def order_head(
    *,
    chain_id: int,
    contract: str,
    sequence: int,
    family: bytes,
    previous_head: bytes,
    body: bytes,
    expiry_s: int,
) -> Hash32:
    """Return the head that an executed order makes, as the governor log computes it.

    Parameters
    ----------
    family : 32 bytes, ASCII padded with zeros
    """
    types = ("uint256", "address", "uint256", "bytes32", "uint64", "bytes")
    values = (chain_id, contract, sequence, family, expiry_s, body)
    link = hashlib.sha256(encode(types, values)).digest()
    return Hash32(hashlib.sha256(previous_head + link).digest())
