"""What a settlement vault did, by its own transactions: deals opened and closed, deposits.

A deal takes several messages, so several blocks. It is told of once, at the transaction that
closes it, with everything it moved: until then both sides of it are the vault's debt and nobody's
gain. The books at a block, read from the contract's data, say the same of that block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from pytoniq_core import Cell, Slice

from dmm.adapters.ton import cells
from dmm.adapters.ton.cells import OP_DEPOSIT_JETTON, OP_FILL, OP_TON_PAYOUT, OP_TRANSFER, raw
from dmm.adapters.ton.codec import NONCE_END, Book
from dmm.adapters.ton.messages import Body, FillMessage, Tx, fill_of, notified
from dmm.units.ids import Json

REFUNDED = "Refunded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event before it has its place in a block: its source's name, its own, its arguments."""

    source: str
    name: str
    args: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """A deal under way."""

    fill: FillMessage
    payer: int


@dataclass(slots=True, kw_only=True)
class VaultLog:
    """A vault's deals under way; transactions go in by logical time, what is closed comes out."""

    account: int
    book: Book
    open_deals: dict[int, Deal] = field(default_factory=dict)
    _symbols: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._symbols = {
            self.book.wallet_of(self.account, symbol): symbol for symbol in self.book.symbols()
        }

    def read(self, tx: Tx) -> Iterator[Told]:
        """Take a transaction of the vault and yield what it closed."""
        if not tx.is_ok:
            return
        body = tx.read()
        if tx.is_bounced:
            if body.op == OP_TRANSFER:
                yield from self._close(body.query_id, delivered=False)
            return
        match body.op:
            case cells.OP_NOTIFICATION:
                yield from self._jettons(tx, body)
            case cells.OP_FILL:
                yield from self._opened(tx, fill_of(tx.body.begin_parse()), payer=tx.source)
            case cells.OP_EXCESSES:
                yield from self._close(body.query_id, delivered=True)
            case cells.OP_CONFIRM:
                yield from self._close(int(body.rest.load_uint(32)), delivered=True)
            case cells.OP_RESOLVE:
                nonce = int(body.rest.load_uint(64))
                yield from self._close(nonce, delivered=bool(body.rest.load_bit()))
            case cells.OP_WITHDRAW:
                asset, amount = int(body.rest.load_uint(256)), int(body.rest.load_coins() or 0)
                owner = int(body.rest.load_uint(256))
                yield from self._moved(asset, amount, sender=self.account, recipient=owner)

    def _jettons(self, tx: Tx, body: Body) -> Iterator[Told]:
        came = notified(body.rest)
        if came.payload_op() == OP_DEPOSIT_JETTON:
            yield from self._moved(
                tx.source, came.amount, sender=came.sender, recipient=self.account
            )
        elif came.payload is not None and came.payload_op() == OP_FILL:
            yield from self._opened(tx, fill_of(came.payload), payer=came.sender)

    def _opened(self, tx: Tx, fill: FillMessage | None, *, payer: int) -> Iterator[Told]:
        """Take a fill: what the vault sent on tells whether it was accepted, and its nonce."""
        if fill is None:
            return
        for sent in tx.sent:
            body = Body.of(sent.body)
            if body.query_id == fill.nonce and body.op in (OP_TRANSFER, OP_TON_PAYOUT):
                self.open_deals[fill.nonce] = Deal(fill=fill, payer=payer)
                if body.op == OP_TON_PAYOUT:
                    # TON goes with the message: the deal is settled in the same transaction.
                    yield from self._close(fill.nonce, delivered=True)
                return
        if fill.maker_amount == 0 and any(sent.to == payer for sent in tx.sent):
            # A net statement in which the maker only receives.
            self.open_deals[fill.nonce] = Deal(fill=fill, payer=payer)
            yield from self._close(fill.nonce, delivered=True)

    def _close(self, nonce: int, *, delivered: bool) -> Iterator[Told]:
        deal = self.open_deals.pop(nonce, None) if nonce < NONCE_END else None
        if deal is None:
            return
        fill = deal.fill
        named: dict[str, Json] = {
            "maker": raw(self.account),
            "taker": raw(deal.payer),
            "nonce": nonce,
            "quoteId": f"{fill.quote_id:064x}",
        }
        if not delivered:
            yield Told(source="settlement", name=REFUNDED, args=named)
            return
        yield from self._moved(
            fill.taker_asset, fill.amount, sender=deal.payer, recipient=self.account
        )
        yield from self._moved(
            fill.maker_asset, fill.gross, sender=self.account, recipient=fill.recipient
        )
        amounts: dict[str, Json] = {
            "recipient": raw(fill.recipient),
            "amount": fill.amount,
            "makerAmount": fill.gross,
            "takerAmount": fill.amount,
            "fee": -(-fill.gross * fill.fee_bps // 10_000),
        }
        if fill.words:
            words: list[Json] = [{"word": word, "mask": mask} for word, mask in fill.words]
            args = named | amounts | {"words": words}
            yield Told(source="settlement", name="StatementSettled", args=args)
        else:
            whole = named | amounts | {"amount": fill.amount}
            yield Told(source="settlement", name="Filled", args=whole)

    def _moved(self, asset: int, amount: int, *, sender: int, recipient: int) -> Iterator[Told]:
        symbol = self._symbols.get(asset)
        if symbol is not None and amount:
            yield moved(symbol, amount, sender=sender, recipient=recipient)


def moved(symbol: str, amount: int, *, sender: int, recipient: int) -> Told:
    """Return a jetton's transfer as the follower knows it on every chain."""
    args: dict[str, Json] = {"sender": raw(sender), "recipient": raw(recipient), "amount": amount}
    return Told(source=f"token:{symbol}", name="Transfer", args=args)


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultBooks:
    """A vault's books of jettons at a block, by asset, from its contract's data.

    `free` is the maker's own, `owed` everybody else's with both sides of deals under way; `giving`
    is what the maker gives in those, `paying` what leaves for credits that are being paid out.
    """

    free: dict[int, int]
    owed: dict[int, int]
    giving: dict[int, int]
    paying: dict[int, int]

    @classmethod
    def parse(cls, data: Cell) -> VaultBooks:
        """Read a vault's data; see ``Vault`` in contracts/ton/schema.tlb."""
        rest = data.begin_parse()
        rest.load_uint(256 + 32)
        rest.load_coins()
        tail = rest.load_ref().begin_parse()
        rest.load_uint(16)
        deals = _dict(rest, 32, _deal)
        rest.load_coins()
        rest.load_dict(16)
        books = _dict(rest, 256, _book)
        for _ in range(3):
            tail.load_address()
        tail.load_uint(64 + 16)
        tail.load_dict(512)
        payouts = _dict(tail, 64, _payout)
        return cls(
            free={asset: free for asset, (free, _) in books.items()},
            owed={asset: owed for asset, (_, owed) in books.items()},
            giving=_sums(deals.values()),
            paying=_sums(payouts.values()),
        )

    def own(self, asset: int, *, held: int) -> int:
        """Return the maker's own of an asset, deals under way counted as not yet made.

        Parameters
        ----------
        held : what the vault's wallet holds; where it holds less than the books need, whatever may
            be on its way taken off, the maker has lost the difference
        """
        giving = self.giving.get(asset, 0)
        away = giving + self.paying.get(asset, 0)
        needed = self.free.get(asset, 0) + self.owed.get(asset, 0) - away
        return self.free.get(asset, 0) + giving - max(0, needed - held)


def _dict(
    rest: Slice, bits: int, read: Callable[[Slice], tuple[int, int]]
) -> dict[int, tuple[int, int]]:
    found = rest.load_dict(bits, value_deserializer=read)
    return {int(key): value for key, value in (found or {}).items()}


def _deal(rest: Slice) -> tuple[int, int]:
    """Return asset and amount that the maker gives."""
    rest.load_uint(32 + 256 + 256)
    rest.load_coins()
    gross = int(rest.load_coins() or 0)
    return int(rest.load_ref().begin_parse().load_uint(256)), gross


def _book(rest: Slice) -> tuple[int, int]:
    return int(rest.load_coins() or 0), int(rest.load_coins() or 0)


def _payout(rest: Slice) -> tuple[int, int]:
    rest.load_uint(256)
    asset = int(rest.load_uint(256))
    rest.load_uint(256)
    return asset, int(rest.load_coins() or 0)


def _sums(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    found: dict[int, int] = {}
    for asset, amount in pairs:
        found[asset] = found.get(asset, 0) + amount
    return found
