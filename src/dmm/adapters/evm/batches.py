"""Encodings of what settles many claims at once: netted quotes, net statements, claim trees."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from dmm.adapters.evm.codec import Book, account, calldata, quote_hash, quote_values
from dmm.adapters.evm.eip712 import Struct, digest, struct_of
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.treasury.merkle import MerkleTree, build
from dmm.units.amount import Atoms, ceil_div
from dmm.units.errors import Permanent
from dmm.units.ids import Hash32

QUOTES_MAX = 256
"""Quotes in one call of `net`."""

LEGS_MAX = 16
"""Assets in one statement."""

WORDS_MAX = 64
"""Words of nonces in one statement, 256 nonces each."""

BPS_ONE = 10_000
NO_SIGNATURE = bytes(65)

TERMS_TUPLE = "(address,address,address,address,address,address,uint16,address,uint64)"
NET_QUOTE_TUPLE = (
    "(bool,uint256,uint256,uint256,uint64,uint64,uint256,bytes32,uint256,"
    "bytes32,bytes32,bytes32,bytes32)"
)
STATEMENT_TUPLE = (
    "(address,address,address,address,address,bytes32,uint256,uint64,"
    "(address,int256,uint256)[],(uint256,uint256)[])"
)
NET = f"net({TERMS_TUPLE},{NET_QUOTE_TUPLE}[])"
SETTLE_STATEMENT = f"settleStatement({STATEMENT_TUPLE},bytes,bytes)"
CLAIM = "claim(uint256,address,uint256,bytes32[])"

LEG_MEMBERS = {"token": "address", "toTaker": "int256", "fee": "uint256"}
WORD_MEMBERS = {"word": "uint256", "mask": "uint256"}
STATEMENT_MEMBERS = {
    "maker": "address",
    "signer": "address",
    "taker": "address",
    "recipient": "address",
    "feeRecipient": "address",
    "batchRoot": "bytes32",
    "count": "uint256",
    "settleBy": "uint64",
    "legs": "Leg[]",
    "words": "NonceWord[]",
}
"""What both parties sign about a batch; tests hold it against the ABI and interface.toml."""

_LEG = struct_of("Leg", LEG_MEMBERS)
_WORD = struct_of("NonceWord", WORD_MEMBERS)
_STATEMENT = Struct(
    struct_of("Statement", STATEMENT_MEMBERS).type_string + _LEG.type_string + _WORD.type_string,
    # Lists enter as the hash of their members' hashes.
    (*tuple(STATEMENT_MEMBERS.values())[:-2], "bytes32", "bytes32"),
)

CLAIM_LEAF = ("uint256", "address", "address", "address", "uint256")
"""Chain id, distributor, token, account, cumulative amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTrade:
    """A quote both sides signed. `taker_signature` stays empty when the taker sends the batch."""

    quote: FirmQuote
    acceptance: Acceptance
    maker_signature: bytes
    taker_signature: bytes = NO_SIGNATURE


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A net statement: what a batch of accepted quotes comes to, for both parties to sign.

    `legs` are (token, atoms the maker owes the taker, fee in atoms), ascending by token. `words`
    are (word, mask) of the maker's nonces, ascending.
    """

    maker: str
    signer: str
    taker: str
    recipient: str
    fee_recipient: str
    batch_root: Hash32
    count: int
    settle_by_s: int
    legs: tuple[tuple[str, int, int], ...]
    words: tuple[tuple[int, int], ...]


def compact(signature: bytes) -> tuple[bytes, bytes]:
    """Return (r, vs) of a signature r ‖ s ‖ v: the form of EIP-2098.

    Raises
    ------
    Permanent
        If it is not 65 bytes, or s lies in the upper half.
    """
    if len(signature) != 65 or signature[32] & 0x80:
        raise Permanent(f"a signature is 65 bytes with a low s, got {len(signature)} bytes")
    odd = signature[64] == 28
    return signature[:32], bytes([signature[32] | odd << 7]) + signature[33:64]


def net_calldata(
    trades: Sequence[SignedTrade], book: Book, *, settle_by_s: int | None = None
) -> bytes:
    """Return the call that nets 1 to 256 accepted quotes of one maker, taker, pair and fee.

    Parameters
    ----------
    settle_by_s : last second in which the batch may settle; None for its quotes' earliest

    Raises
    ------
    Permanent
        If the quotes do not belong together.
    """
    first = _require_one_batch(trades, book)
    values = quote_values(first.quote, book)
    base, cash = values[3], values[4]
    recipient = account(first.acceptance.recipient, what="acceptance.recipient")
    last_s = _last_second(trades, settle_by_s)
    terms = (*values[:3], recipient, base, cash, first.quote.fee_bps, values[9], last_s)
    rows = []
    for trade in trades:
        own = quote_values(trade.quote, book)
        if {own[3], own[4]} != {base, cash}:
            raise Permanent(f"quote {trade.quote.quote_id.hex()} is on another pair")
        signatures = (*compact(trade.maker_signature), *compact(trade.taker_signature))
        sells_base = own[3] == base
        rows.append((sells_base, *own[5:8], *own[10:14], trade.acceptance.amount, *signatures))
    return calldata(NET, terms, rows)


def statement_of(
    trades: Sequence[SignedTrade], book: Book, *, settle_by_s: int | None = None
) -> Statement:
    """Return the statement of a batch of accepted quotes of one maker and taker, on any assets.

    Parameters
    ----------
    settle_by_s : last second in which it may settle; None for its quotes' earliest

    Raises
    ------
    Permanent
        If the quotes do not belong together, or are too many.
    """
    first = _require_one_batch(trades, book)
    owed: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    masks: dict[int, int] = defaultdict(int)
    for trade in trades:
        given, fee = amounts_of(trade)
        owed[trade.quote.maker_asset][0] += given - fee
        owed[trade.quote.maker_asset][1] += fee
        owed[trade.quote.taker_asset][0] -= trade.acceptance.amount
        masks[trade.quote.nonce >> 8] |= 1 << (trade.quote.nonce & 255)
    if sum(mask.bit_count() for mask in masks.values()) != len(trades):
        raise Permanent("two quotes of the batch share a nonce")
    legs = [(book.token(asset), net, fee) for asset, (net, fee) in owed.items() if net or fee]
    if len(legs) > LEGS_MAX or len(masks) > WORDS_MAX:
        raise Permanent(
            f"a statement holds {LEGS_MAX} assets and {WORDS_MAX} words of nonces at most, "
            f"got {len(legs)} and {len(masks)}"
        )
    values = quote_values(first.quote, book)
    return Statement(
        maker=str(values[0]),
        signer=str(values[1]),
        taker=str(values[2]),
        recipient=account(first.acceptance.recipient, what="acceptance.recipient"),
        fee_recipient=str(values[9]),
        batch_root=Hash32(batch_tree([trade.quote for trade in trades], book).root),
        count=len(trades),
        settle_by_s=_last_second(trades, settle_by_s),
        legs=tuple(sorted(legs, key=lambda leg: int(leg[0], 16))),
        words=tuple(sorted(masks.items())),
    )


def amounts_of(trade: SignedTrade) -> tuple[int, int]:
    """Return (what the maker gives, the fee in it) in atoms, as the contract computes them."""
    quote, amount = trade.quote, trade.acceptance.amount
    given = quote.maker_amount * amount // quote.taker_amount
    return given, ceil_div(given * quote.fee_bps, BPS_ONE)


def batch_tree(quotes: Sequence[FirmQuote], book: Book) -> MerkleTree:
    """Return the tree over the quotes' struct hashes, under which each can be proven."""
    return build([quote_hash(quote, book) for quote in quotes], hash_bytes=keccak)


def statement_digest(statement: Statement, book: Book) -> bytes:
    """Return what maker and taker both sign."""
    legs = b"".join(_LEG.hash(leg) for leg in statement.legs)
    words = b"".join(_WORD.hash(word) for word in statement.words)
    values = (*_statement_values(statement)[:-2], keccak(legs), keccak(words))
    return digest(domain=book.domain(), struct_hash=_STATEMENT.hash(values))


def statement_calldata(
    statement: Statement, *, maker_signature: bytes, taker_signature: bytes
) -> bytes:
    """Return the call that settles a statement."""
    return calldata(
        SETTLE_STATEMENT, _statement_values(statement), maker_signature, taker_signature
    )


def claim_leaf(
    *, chain_id: int, distributor: str, token: str, holder: str, cumulative: Atoms
) -> bytes:
    """Return the leaf of one claim: hashed twice, so that no inner node passes for a leaf.

    Parameters
    ----------
    cumulative : atoms allocated to the holder since the distributor began, > 0
    """
    values = (chain_id, distributor, token, holder, cumulative)
    return keccak(keccak(encode(CLAIM_LEAF, values)))


def claim_tree(
    allocations: Mapping[str, Atoms], *, chain_id: int, distributor: str, token: str
) -> MerkleTree:
    """Return the tree of cumulative allocations by holder."""
    leaves = [
        claim_leaf(
            chain_id=chain_id,
            distributor=distributor,
            token=token,
            holder=account(holder, what="the claim's holder"),
            cumulative=cumulative,
        )
        for holder, cumulative in allocations.items()
    ]
    return build(leaves, hash_bytes=keccak)


def _statement_values(statement: Statement) -> tuple[object, ...]:
    return (
        statement.maker,
        statement.signer,
        statement.taker,
        statement.recipient,
        statement.fee_recipient,
        statement.batch_root,
        statement.count,
        statement.settle_by_s,
        list(statement.legs),
        list(statement.words),
    )


def _last_second(trades: Sequence[SignedTrade], settle_by_s: int | None) -> int:
    """Return until when a batch may settle: no quote is paid later than it was signed for."""
    earliest_s = min(trade.quote.settle_by_s for trade in trades)
    if settle_by_s is None:
        return earliest_s
    if settle_by_s > earliest_s:
        raise Permanent(f"a batch settles by {earliest_s}, its earliest quote, not {settle_by_s}")
    return settle_by_s


def _require_one_batch(trades: Sequence[SignedTrade], book: Book) -> SignedTrade:
    if not 0 < len(trades) <= QUOTES_MAX:
        raise Permanent(f"a batch has 1 to {QUOTES_MAX} quotes, got {len(trades)}")
    first = trades[0]
    for trade in trades:
        if trade.acceptance.quote_id != trade.quote.quote_id:
            raise Permanent(f"quote {trade.quote.quote_id.hex()} comes with another's acceptance")
        if _shared(trade) != _shared(first):
            raise Permanent(f"quote {trade.quote.quote_id.hex()} has another party or fee")
    return first


def _shared(trade: SignedTrade) -> tuple[object, ...]:
    quote = trade.quote
    return (
        quote.maker,
        quote.signer,
        quote.taker,
        quote.fee_bps,
        quote.fee_recipient,
        trade.acceptance.recipient,
    )
