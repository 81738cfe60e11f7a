"""Pure translation between the desk's vocabulary and the contracts' cells.

Quotes and intents name assets by symbol and contracts by name; a `Book` of deployments turns them
into accounts. A jetton's account differs for each holder, and follows from its minter and the code
of its wallets alone, so that nobody has to be asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from pytoniq_core import Cell, begin_cell

from dmm.adapters.ton.cells import VaultQuote, at, fill, raw, transfer
from dmm.adapters.ton.wallet import order, outgoing, require_query_id
from dmm.ports import Deployment
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.units.errors import Permanent

TOKEN = "token:"  # noqa: S105 - the name of a deployment, not a secret
WALLET_CODE = "wallet-code:"
"""``wallet-code:SYMBOL`` holds ``hash/depth/layout`` of the code of a jetton's wallets."""

SIGNATURE_BYTES = 64
PUBLIC_KEY_BYTES = 32
QUERY_ID_BYTES = 4
ACCEPTANCE_BYTES = PUBLIC_KEY_BYTES + QUERY_ID_BYTES + 2 * SIGNATURE_BYTES

NONCE_END = 4_194_304
"""The contract takes nonces below it."""

COINS_END = 2**120

TAKER_NANOTON = 650_000_000
"""TON that goes with a taker's jettons, out of its own wallet; what is left comes back to it."""

FILL_NANOTON = 450_000_000
"""What of it reaches the vault: its own part and the leg to the recipient."""

ACCEPTED_BEFORE_S = 86_400
"""An acceptance is stamped so long before its quote's expiry that the stamp has always passed."""

LAYOUT_PLAIN, LAYOUT_WITH_STATUS, LAYOUT_WITH_CODE = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletCode:
    """Code of a jetton's wallets by hash and depth, and how their data is laid out."""

    code_hash: bytes
    depth: int
    layout: int

    @classmethod
    def of(cls, code: Cell, *, layout: int) -> WalletCode:
        """Return what names a code cell."""
        return cls(code_hash=code.hash, depth=_depth(code), layout=layout)

    @classmethod
    def parse(cls, text: str) -> WalletCode:
        """Read ``hash/depth/layout``; `Permanent` when it is not that."""
        try:
            code_hash, depth, layout = text.split("/")
            found = cls(code_hash=bytes.fromhex(code_hash), depth=int(depth), layout=int(layout))
        except ValueError:
            raise Permanent(f"{text!r} is no hash/depth/layout of a wallet's code") from None
        if len(found.code_hash) != 32 or found.layout not in range(LAYOUT_WITH_CODE):
            raise Permanent(f"{text!r} is no wallet code that can be followed by its hash alone")
        return found

    def text(self) -> str:
        """Return ``hash/depth/layout``."""
        return f"{self.code_hash.hex()}/{self.depth}/{self.layout}"

    def wallet_of(self, *, owner: int, minter: int) -> int:
        """Return the account of an owner's wallet, as the contracts compute it.

        References
        ----------
        TL-B StateInit; TON whitepaper 3.1.4, hash of a cell by those of its references.
        """
        builder = begin_cell()
        if self.layout == LAYOUT_WITH_STATUS:
            builder.store_uint(0, 4)
        data = builder.store_coins(0).store_address(at(owner)).store_address(at(minter)).end_cell()
        # Two references, five bits 00110 and the mark that ends them.
        head = b"\x02\x01\x34"
        depths = self.depth.to_bytes(2, "big") + _depth(data).to_bytes(2, "big")
        return int.from_bytes(
            hashlib.sha256(head + depths + self.code_hash + data.hash).digest(), "big"
        )


def _depth(cell: Cell) -> int:
    return int(cell.get_depth(0))


class Book:
    """Our deployments on one network, by name."""

    def __init__(self, *, chain_id: int, deployments: Mapping[str, Deployment]) -> None:
        """Take the deployments of one network.

        Parameters
        ----------
        chain_id : the network's global id, signed into every quote; it is negative, and may come as
            the unsigned number of the same 32 bits
        """
        self.chain_id = chain_id - 2**32 if chain_id >= 2**31 else chain_id
        self._addresses = {name: deployed.address for name, deployed in deployments.items()}
        self._codes = {
            name.removeprefix(WALLET_CODE): WalletCode.parse(address)
            for name, address in self._addresses.items()
            if name.startswith(WALLET_CODE)
        }

    def address(self, name: str) -> str:
        """Return the address of a deployment; `Permanent` names what is not deployed."""
        try:
            return self._addresses[name]
        except KeyError:
            raise Permanent(f"{name} is not deployed on TON") from None

    def account(self, name: str) -> int:
        """Return the account of a deployment."""
        return account(self.address(name), what=name)

    def has(self, name: str) -> bool:
        """Tell whether there is a deployment of that name."""
        return name in self._addresses

    def symbols(self) -> list[str]:
        """Return the symbols of our jettons."""
        return sorted(n.removeprefix(TOKEN) for n in self._addresses if n.startswith(TOKEN))

    def minter(self, symbol: str) -> int:
        """Return the account of a jetton's minter."""
        return self.account(f"{TOKEN}{symbol}")

    def wallet_of(self, owner: int, symbol: str) -> int:
        """Return the account of an owner's wallet of a jetton."""
        minter, code = self.minter(symbol), self._codes.get(symbol)
        if code is None:
            raise Permanent(f"the code of {symbol} wallets is not known: deploy {WALLET_CODE}…")
        return code.wallet_of(owner=owner, minter=minter)


def account(text: str, *, what: str) -> int:
    """Return an account of the basechain by its raw address, ``0:`` and 64 hex digits.

    Raises
    ------
    Permanent
        If it is none, is zero, or is of another workchain.
    """
    head, _, digits = text.partition(":")
    try:
        number = int(digits, 16) if len(digits) == 64 else 0
    except ValueError:
        number = 0
    if head != "0" or not number or raw(number) != text:
        raise Permanent(f"{what} is no TON address in raw form, lower case: {text!r}")
    return number


def coins(amount: int, *, what: str) -> int:
    """Return an amount that fits the contracts' 120 bits; `Permanent` when it does not."""
    if not 0 < amount < COINS_END:
        raise Permanent(f"{what} must be in [1, 2^120), got {amount}")
    return amount


def vault_quote(quote: FirmQuote, book: Book) -> VaultQuote:
    """Return a firm quote as a vault knows it.

    The vault's `expiry` is the quote's `settle_by_s`: when a taker accepted is not on the chain, as
    little as elsewhere. That it did so before `expiry_s` is the maker's duty and the auditor's
    check; `quote_id` binds both times.

    Raises
    ------
    Permanent
        If maker and contract differ, or a term does not fit the contract.
    """
    if quote.contract != quote.maker:
        raise Permanent(f"on TON the maker is its vault: {quote.maker} is not {quote.contract}")
    if not quote.nonce < NONCE_END:
        raise Permanent(f"nonce {quote.nonce} is not below {NONCE_END}, the vault's last")
    if not quote.settle_by_s < 2**32:
        raise Permanent(f"settle_by_s {quote.settle_by_s} does not fit 32 bits")
    vault = account(quote.maker, what="quote.maker")
    takes = coins(quote.taker_amount, what="quote.taker_amount")
    fee_to = account(quote.fee_recipient, what="quote.fee_recipient") if quote.fee_bps else 0
    return VaultQuote(
        network=book.chain_id,
        vault=vault,
        taker=account(quote.taker, what="quote.taker"),
        expiry_s=quote.settle_by_s,
        settle_by_s=quote.settle_by_s,
        nonce=quote.nonce,
        quote_id=int.from_bytes(quote.quote_id, "big"),
        maker_asset=book.wallet_of(vault, quote.maker_asset),
        taker_asset=book.wallet_of(vault, quote.taker_asset),
        maker_amount=coins(quote.maker_amount, what="quote.maker_amount"),
        taker_amount=takes,
        min_fill=quote.least,
        fee_bps=quote.fee_bps,
        fee_recipient=fee_to,
    )


def quote_digest(quote: FirmQuote, book: Book) -> bytes:
    """Return what the maker's key signs: the hash of the quote's cell."""
    digest: bytes = vault_quote(quote, book).cell().hash
    return digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A taker's acceptance on TON, as its bytes hold it: its wallet's order, signed.

    The order has the taker's wallet send its jettons to the vault with the quote, so the maker's
    signature is part of what the taker signs. Anybody may hand the bytes in.
    """

    public_key: bytes
    query_id: int
    maker_signature: bytes
    signature: bytes

    def to_bytes(self) -> bytes:
        """Return public key, query id, maker's signature and the taker's own, 164 bytes."""
        query_id = self.query_id.to_bytes(QUERY_ID_BYTES, "big")
        return self.public_key + query_id + self.maker_signature + self.signature

    @classmethod
    def parse(cls, content: bytes) -> Signed:
        """Read them; `Permanent` when the length is another or the query id is none."""
        if len(content) != ACCEPTANCE_BYTES:
            raise Permanent(
                f"an acceptance on TON has {ACCEPTANCE_BYTES} bytes, not {len(content)}"
            )
        key, rest = content[:PUBLIC_KEY_BYTES], content[PUBLIC_KEY_BYTES:]
        query_id, rest = int.from_bytes(rest[:QUERY_ID_BYTES], "big"), rest[QUERY_ID_BYTES:]
        require_query_id(query_id)
        return cls(
            public_key=key,
            query_id=query_id,
            maker_signature=rest[:SIGNATURE_BYTES],
            signature=rest[SIGNATURE_BYTES:],
        )


def taker_order(
    acceptance: Acceptance,
    quote: FirmQuote,
    *,
    maker_signature: bytes,
    query_id: int,
    book: Book,
) -> Cell:
    """Return the order to the taker's wallet by which it takes a quote; its hash is signed.

    Raises
    ------
    Permanent
        If acceptance and quote do not fit each other, or a term does not fit the contracts.
    """
    if acceptance.quote_id != quote.quote_id:
        raise Permanent("the acceptance is of another quote")
    terms = vault_quote(quote, book)
    amount = coins(acceptance.amount, what="acceptance.amount")
    payload = fill(
        terms.cell(),
        maker_signature,
        amount=amount,
        recipient=account(acceptance.recipient, what="acceptance.recipient"),
        query_id=quote.nonce,
        min_output=_net(quote, amount),
    )
    body = transfer(
        amount=amount,
        to=terms.vault,
        response=terms.taker,
        query_id=quote.nonce,
        forward_nanoton=FILL_NANOTON,
        payload=payload,
    )
    message = outgoing(
        to=book.wallet_of(terms.taker, quote.taker_asset), nanoton=TAKER_NANOTON, body=body
    )
    return order(
        message=message, query_id=query_id, created_at_s=quote.expiry_s - ACCEPTED_BEFORE_S
    )


def _net(quote: FirmQuote, amount: int) -> int:
    """Return what the recipient gets: the fee is rounded up, out of what the maker gives."""
    gross = quote.given(amount)
    return gross - -(-gross * quote.fee_bps // 10_000)
