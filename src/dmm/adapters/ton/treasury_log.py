"""What the treasury did, by its own transactions and those of its jetton wallets.

A payment is told of once, at the transaction that closes it, with everything it moved: the evidence
of the receiver's wallet, of the minter, or its way back. Jettons that leave or come under a payment
that is open are in flight; `in_flight` says how many at a block, so that what a wallet holds there
and what the closed payments say add up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dmm.adapters.ton import cells
from dmm.adapters.ton.cells import (
    OP_BOUGHT,
    OP_BURN,
    OP_BURN_NOTIFICATION,
    OP_FILL,
    OP_INTERNAL_TRANSFER,
    OP_REFUSED,
    OP_TRANSFER,
    raw,
)
from dmm.adapters.ton.codec import Book
from dmm.adapters.ton.messages import Body, Notified, Tx, internal_transfer, notified
from dmm.adapters.ton.vault_log import Told, moved
from dmm.units.ids import Json

SHORT_BITS = 192
"""A key's first 64 bits name its payment: TEP-74 carries no more."""

PENDING, BOUGHT, BURNING, CLOSED = "pending", "bought", "burning", "closed"
NOBODY = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What a payment buys."""

    asset: int
    least: int
    burn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """A change of one of the treasury's wallets, with whom it was."""

    symbol: str
    change: int
    other: int


@dataclass(slots=True, kw_only=True)
class Payment:
    """A payment under its key, with the changes of wallets that belong to it."""

    key: int
    asset: int
    amount: int
    to: int
    purchase: Purchase | None = None
    state: str = PENDING
    bought: int = 0
    legs: list[Leg] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class TreasuryLog:
    """The treasury's payments; transactions go in by block and logical time."""

    account: int
    book: Book
    payments: dict[int, Payment] = field(default_factory=dict)
    _symbols: dict[int, str] = field(default_factory=dict)
    _float: list[tuple[int, str, int]] = field(default_factory=list)
    _height: int = 0

    def __post_init__(self) -> None:
        self._symbols = {
            self.book.wallet_of(self.account, symbol): symbol for symbol in self.book.symbols()
        }

    @property
    def wallets(self) -> list[int]:
        """Return the accounts of the treasury's wallets."""
        return sorted(self._symbols)

    def in_flight(self, symbol: str, *, height: int) -> int:
        """Return what open payments had changed of a wallet at a block, negative when away."""
        return sum(change for at, name, change in self._float if at <= height and name == symbol)

    def read(self, tx: Tx) -> Iterator[Told]:
        """Take a transaction of the treasury or of one of its wallets; yield what it closed."""
        if not tx.is_ok:
            return
        self._height = tx.height
        account = int(tx.account.removeprefix("0:"), 16)
        if account in self._symbols:
            yield from self._of_wallet(self._symbols[account], tx)
        else:
            yield from self._of_treasury(tx)

    # -- its wallets ------------------------------------------------------------------------------

    def _of_wallet(self, symbol: str, tx: Tx) -> Iterator[Told]:
        body = tx.read()
        if tx.is_bounced:
            if body.op in (OP_INTERNAL_TRANSFER, OP_BURN_NOTIFICATION):
                amount = int(body.rest.load_coins() or 0)
                yield from self._attach(
                    self._open(body.query_id), Leg(symbol=symbol, change=amount, other=tx.source)
                )
            return
        match body.op:
            case cells.OP_TRANSFER:
                amount = int(body.rest.load_coins() or 0)
                to = int.from_bytes(body.rest.load_address().hash_part, "big")
                payment = self._open(body.query_id)
                known = payment if self._is_leg(payment, symbol, amount) else None
                yield from self._attach(known, Leg(symbol=symbol, change=-amount, other=to))
            case cells.OP_BURN:
                amount = int(body.rest.load_coins() or 0)
                yield from self._attach(
                    self._open(body.query_id), Leg(symbol=symbol, change=-amount, other=NOBODY)
                )
            case cells.OP_INTERNAL_TRANSFER:
                came = internal_transfer(body.rest)
                leg = Leg(symbol=symbol, change=came.amount, other=max(came.sender, NOBODY))
                yield from self._attach(self._paid_with(symbol, came), leg)

    def _open(self, short: int) -> Payment | None:
        payment = self.payments.get(short)
        return None if payment is None or payment.state == CLOSED else payment

    def _is_leg(self, payment: Payment | None, symbol: str, amount: int) -> bool:
        return payment is not None and (self._name(payment.asset), payment.amount) == (
            symbol,
            amount,
        )

    def _paid_with(self, symbol: str, came: Notified) -> Payment | None:
        """Return the payment that jettons belong to: what it bought, or its own way back."""
        if came.payload is None:
            return None
        rest = came.payload.copy()
        if came.payload_op() == OP_BOUGHT and rest.remaining_bits >= 32 + 256:
            rest.load_uint(32)
            payment = self._open(int(rest.load_uint(256)) >> SHORT_BITS)
            return payment if self._is_bought(payment, symbol, came) else None
        if came.payload_op() == OP_REFUSED and rest.remaining_bits >= 32 + 64:
            rest.load_uint(32)
            payment = self._open(int(rest.load_uint(64)))
            return payment if self._is_leg(payment, symbol, came.amount) else None
        return None

    def _is_bought(self, payment: Payment | None, symbol: str, came: Notified) -> bool:
        if payment is None or payment.purchase is None or payment.state != PENDING:
            return False
        is_first = all(leg.change < 0 for leg in payment.legs)
        return (
            is_first
            and came.sender == payment.to
            and self._name(payment.purchase.asset) == symbol
            and came.amount >= payment.purchase.least
        )

    def _attach(self, payment: Payment | None, leg: Leg) -> Iterator[Told]:
        if payment is None:
            yield self._told(leg)
            return
        payment.legs.append(leg)
        self._float.append((self._height, leg.symbol, leg.change))

    def _told(self, leg: Leg) -> Told:
        ours, came = self.account, leg.change > 0
        return moved(
            leg.symbol,
            abs(leg.change),
            sender=leg.other if came else ours,
            recipient=ours if came else leg.other,
        )

    # -- the treasury itself ----------------------------------------------------------------------

    def _of_treasury(self, tx: Tx) -> Iterator[Told]:
        body = tx.read()
        if tx.is_bounced:
            yield from self._bounced(body)
            return
        match body.op:
            case cells.OP_PAY:
                yield from self._pays(body)
            case cells.OP_BUYBACK:
                self._buys(body)
            case cells.OP_NOTIFICATION:
                yield from self._jettons(self._name(tx.source), notified(body.rest))
            case cells.OP_EXCESSES:
                yield from self._evidence(body.query_id, tx.source)
            case cells.OP_BURN_BOUGHT:
                self._burns(self._open(int(body.rest.load_uint(256)) >> SHORT_BITS))
            case cells.OP_TREASURY_RESOLVE:
                payment = self._open(int(body.rest.load_uint(256)) >> SHORT_BITS)
                yield from self._resolved(payment, delivered=bool(body.rest.load_bit()))

    def _pays(self, body: Body) -> Iterator[Told]:
        rest = body.rest
        key = int(rest.load_uint(256))
        rest.load_uint(32)
        payment = Payment(
            key=key,
            asset=int(rest.load_uint(256)),
            to=int(rest.load_uint(256)),
            amount=int(rest.load_coins() or 0),
        )
        self.payments[key >> SHORT_BITS] = payment
        if payment.asset == 0:
            # TON has left with the message: there is nothing to wait for.
            yield from self._close(payment, "Paid")

    def _buys(self, body: Body) -> None:
        rest = body.rest
        key = int(rest.load_uint(256))
        rest.load_uint(32)
        maker, amount = int(rest.load_uint(256)), int(rest.load_coins() or 0)
        terms = rest.load_ref().begin_parse()
        pay_asset, buy_asset = int(terms.load_uint(256)), int(terms.load_uint(256))
        self.payments[key >> SHORT_BITS] = Payment(
            key=key,
            asset=pay_asset,
            amount=amount,
            to=maker,
            purchase=Purchase(
                asset=buy_asset, least=int(terms.load_coins() or 0), burn=bool(terms.load_bit())
            ),
        )

    def _jettons(self, symbol: str, came: Notified) -> Iterator[Told]:
        payment = self._paid_with(symbol, came) or self._bought_now(symbol, came)
        if payment is None or payment.state != PENDING:
            return
        if came.payload_op() == OP_REFUSED:
            if came.sender == payment.to:
                yield from self._close(payment, "Returned")
        elif payment.purchase is not None:
            payment.bought, payment.state = came.amount, BOUGHT
            if payment.purchase.burn:
                self._burns(payment)
            else:
                yield from self._close(payment, "BoughtBack")

    def _bought_now(self, symbol: str, came: Notified) -> Payment | None:
        """Return the payment whose purchase reached the wallet before and is notified now."""
        if came.payload is None or came.payload_op() != OP_BOUGHT:
            return None
        rest = came.payload.copy()
        if rest.remaining_bits < 32 + 256:
            return None
        rest.load_uint(32)
        payment = self._open(int(rest.load_uint(256)) >> SHORT_BITS)
        leg = Leg(symbol=symbol, change=came.amount, other=came.sender)
        return payment if payment is not None and leg in payment.legs else None

    def _evidence(self, short: int, source: int) -> Iterator[Told]:
        payment = self._open(short)
        if payment is None:
            return
        if payment.state == PENDING and payment.purchase is None:
            symbol = self._name(payment.asset)
            if symbol and self.book.wallet_of(payment.to, symbol) == source:
                yield from self._close(payment, "Paid")
        elif payment.state == BURNING and payment.purchase is not None:
            symbol = self._name(payment.purchase.asset)
            if symbol and self.book.minter(symbol) == source:
                yield from self._close(payment, "BoughtBack")

    def _bounced(self, body: Body) -> Iterator[Told]:
        payment = self._open(body.query_id)
        if payment is None:
            return
        if body.op in (OP_TRANSFER, OP_FILL) and payment.state == PENDING:
            yield from self._close(payment, "Returned")
        elif body.op == OP_BURN and payment.state == BURNING:
            payment.state = BOUGHT

    def _burns(self, payment: Payment | None) -> None:
        if payment is not None and payment.state == BOUGHT:
            payment.state = BURNING

    def _resolved(self, payment: Payment | None, *, delivered: bool) -> Iterator[Told]:
        if payment is None or payment.state != PENDING:
            return
        if not delivered:
            yield from self._close(payment, "Returned")
        elif payment.purchase is None:
            yield from self._close(payment, "Paid")
        elif payment.purchase.burn:
            payment.state = BOUGHT
        else:
            yield from self._close(payment, "BoughtBack")

    def _close(self, payment: Payment, name: str) -> Iterator[Told]:
        payment.state = CLOSED
        for leg in payment.legs:
            self._float.append((self._height, leg.symbol, -leg.change))
        net: dict[str, int] = {}
        for leg in payment.legs:
            net[leg.symbol] = net.get(leg.symbol, 0) + leg.change
        if name != "Returned" or any(net.values()):
            yield from (self._told(leg) for leg in payment.legs)
        args: dict[str, Json] = {"key": f"{payment.key:064x}", "asset": self._name(payment.asset)}
        if payment.purchase is None:
            args |= {"to": raw(payment.to), "amount": payment.amount}
        else:
            args |= {
                "maker": raw(payment.to),
                "paidAmount": payment.amount,
                "boughtAmount": payment.bought,
                "burnt": payment.purchase.burn,
            }
        yield Told(source="treasury", name=name, args=args)

    def _name(self, asset: int) -> str:
        """Return the symbol of an asset by the treasury's wallet of it, empty for any other."""
        return self._symbols.get(asset, "")
