"""The worker's hands: orders out, reports in, and whether the venue agrees with our books."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dmm import observe
from dmm.ledger.balances import Balances
from dmm.market.instrument import Instrument, Side
from dmm.market.order import Order, OrderReport, ReportKind
from dmm.ports import Venue
from dmm.quoting.decision_inputs import Working
from dmm.risk.deadman import DeadMan, DeadManAct
from dmm.risk.kill import KillAct, KillRounds, begin_kill
from dmm.risk.orders import OrderEvent, OrderRecord
from dmm.risk.outstanding import Outstanding
from dmm.risk.rate import RateBudget, Withheld
from dmm.risk.reconcile import (
    IN_FLIGHT_NS,
    NEVER_COMPARED,
    OwnView,
    VenueReport,
    after_comparison,
    books_disagree,
    compare,
    is_due,
    is_settled,
)
from dmm.units.amount import Lots
from dmm.units.errors import Fault
from dmm.units.fast_init import fast_init
from dmm.units.time import NS_PER_S, Nanos

DEAD_MAN_NS = 10 * NS_PER_S
"""Without a sign of life for this long the venue cancels everything."""

ORDER_WEIGHT = 1
"""What an order or a cancel takes of a venue's budget."""


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReadings:
    """What a decision is told of our orders; scales of `DecisionInputs`."""

    outstanding_buy: Lots
    outstanding_sell: Lots
    working: tuple[Working, ...]
    unknown_orders: int
    books_disagree: bool
    rate_weight_left: int | None


class OrderDesk:
    """Our orders at one venue. It decides nothing; it counts, compares and hands over.

    The venue is compared with at the first look, then every minute, and at every look while there
    is a gap or an order of unknown state, which the venue's word resolves. Orders wait for nothing
    here: what may not be sent, the gate has refused before.
    """

    def __init__(self, venue: Venue, instrument: Instrument) -> None:
        self._venue = venue
        self._balances = Balances(instrument)
        self._orders = Outstanding()
        self._budget = RateBudget(venue.rate_windows) if venue.rate_windows else None
        self._books = NEVER_COMPARED
        self._dead_man = DeadMan(timeout_ns=DEAD_MAN_NS)
        self._cursor = 0
        self._filled: dict[str, int] = {}
        self._filled_since: set[str] = set()
        self._kill: KillRounds | None = None
        self._last_fill_at_ns = Nanos(0)
        self._shown: dict[str, Working] = {}

    def __bool__(self) -> bool:
        return bool(self._orders)

    # -- out ----------------------------------------------------------------------------------

    def send(self, orders: Iterable[Order], *, now_ns: Nanos) -> None:
        """Send orders that the gate has accepted; each counts from now on."""
        for order in orders:
            if self._budget is not None:
                self._budget.spend(ORDER_WEIGHT, now_ns=now_ns)
            self._orders.add(order)
            self._venue.submit(order)

    def cancel(self, client_ids: Iterable[str], *, now_ns: Nanos) -> None:
        """Send cancels; one for which the budget has no room waits for the next decision."""
        for client_id in client_ids:
            if self._budget is not None:
                verdict = self._budget.spend(ORDER_WEIGHT, now_ns=now_ns, is_cancel=True)
                if isinstance(verdict, Withheld):
                    continue
            self._orders.mark_leaving(client_id, now_ns=now_ns)
            self._venue.cancel(client_id, now_ns=now_ns)

    def cancel_all(self, *, now_ns: Nanos) -> None:
        """Send one cancel for everything, whatever the budget says."""
        self._orders.mark_all_leaving(now_ns=now_ns)
        self._venue.cancel_all(now_ns=now_ns)

    # -- a kill -------------------------------------------------------------------------------

    def kill(self, *, now_ns: Nanos) -> None:
        """Cancel everything and remember to look whether it went; `pursue_kill` does."""
        self._kill = begin_kill(now_ns)
        self.cancel_all(now_ns=now_ns)

    def end_kill(self) -> None:
        """Take the kill's release: nothing is pursued any more."""
        self._kill = None

    def pursue_kill(self, now_ns: Nanos) -> None:
        """Cancel again what the venue still reports open, once a second; call often.

        Each order is named in a cancel of its own, also one that our books do not know: the cancel
        of everything has been lost before. After the last round a person is called.
        """
        if self._kill is None or not self._kill.is_due(now_ns):
            return
        ours = {record.order.client_id for record in self._orders.records()}
        left = self._open_at_venue(now_ns, otherwise=ours)
        self._kill, act = self._kill.after_look(now_ns, at_venue=len(left), in_books=len(ours))
        if act is KillAct.CANCEL:
            for client_id in left:
                self._orders.mark_leaving_again(client_id, now_ns=now_ns)
                self._venue.cancel(client_id, now_ns=now_ns)
        elif act is KillAct.CALL_A_PERSON:
            orders = len(left) or len(ours)
            observe.orders_left(venue=self._venue.name, orders=orders, rounds=self._kill.rounds)

    def _open_at_venue(self, now_ns: Nanos, *, otherwise: set[str]) -> list[str]:
        """Return the ids of orders the venue reports open; ours while it does not answer."""
        try:
            report = self._venue.statement(now_ns=now_ns, cursor=self._cursor)
        except Fault:
            return sorted(otherwise)
        return [order.client_id for order in report.orders]

    # -- in -----------------------------------------------------------------------------------

    def take(self, report: OrderReport) -> OrderRecord:
        """Take a venue's report and return its order after it.

        Raises
        ------
        InvariantBroken
            If it is about an order that is not known, or about more than is left of it.
        """
        if report.kind is ReportKind.FILLED:
            client_id = report.client_id
            self._filled[client_id] = self._filled.get(client_id, 0) + report.size
            self._filled_since.add(client_id)
            self._balances.take(report)
            self._last_fill_at_ns = report.at_ns
        return self._orders.take(report)

    # -- between ------------------------------------------------------------------------------

    def look(self, now_ns: Nanos) -> OrderReadings:
        """Give a sign of life, compare with the venue when due, and say how things stand."""
        expired = self._sign_of_life(now_ns)
        for record in self._orders.overdue(now_ns):
            observe.order_unknown(order_id=record.order.client_id)
        orders = self._orders
        if orders.unknown_orders or is_due(self._books, now_ns):
            self._compare(now_ns)
        budget = self._budget
        return OrderReadings(
            outstanding_buy=orders.lots(Side.BUY),
            outstanding_sell=orders.lots(Side.SELL),
            working=self._working(),
            unknown_orders=orders.unknown_orders,
            books_disagree=expired or books_disagree(self._books, now_ns),
            rate_weight_left=None if budget is None else budget.left(now_ns=now_ns),
        )

    def _working(self) -> tuple[Working, ...]:
        """Return orders thought to rest; those that did not change are the values of last time."""
        before, now = self._shown, {}
        for record in self._orders.staying():
            order = record.order
            shown = before.get(order.client_id)
            if shown is None or shown.remaining != record.remaining:
                shown = Working(
                    client_id=order.client_id,
                    side=order.side,
                    price=order.price,
                    remaining=record.remaining,
                    placed_at_ns=order.created_at_ns,
                )
            now[order.client_id] = shown
        self._shown = now
        return tuple(now.values())

    def _sign_of_life(self, now_ns: Nanos) -> bool:
        """Re-arm the dead man's switch; tell whether it has fired and orders may be left of it."""
        act = self._dead_man.act(now_ns, has_orders=bool(self._orders))
        if act is DeadManAct.CANCEL_EVERYTHING:
            if self._orders:
                self._dead_man = self._dead_man.looked(now_ns)
                self.cancel_all(now_ns=now_ns)
                return True
            self._dead_man = self._dead_man.everything_cancelled()
        if act is DeadManAct.NOTHING and self._dead_man.deadline_ns is not None:
            return False
        self._dead_man = self._dead_man.armed(now_ns)
        if self._dead_man.deadline_ns is not None:
            self._venue.arm(until_ns=self._dead_man.deadline_ns)
        return False

    def _compare(self, now_ns: Nanos) -> None:
        report = self._venue.statement(now_ns=now_ns, cursor=self._cursor)
        if self._orders.unknown_orders:
            self._resolve(report)
        own = OwnView(
            orders=self._orders.records(),
            filled={client_id: self._filled[client_id] for client_id in self._filled_since},
            position=self._balances.position,
            balances=self._balances.atoms,
            last_fill_at_ns=self._last_fill_at_ns,
        )
        gaps = compare(own, report)
        if gaps and not is_settled(own, report):
            return  # a fill may be on its way to one of us: look again before judging
        if not gaps:
            self._cursor = report.cursor
            self._filled_since.clear()
            still = frozenset(self._orders.client_ids())
            self._filled = {one: size for one, size in self._filled.items() if one in still}
        for gap in gaps:
            observe.venue_gap(
                venue=self._venue.name,
                kind=gap.kind.value,
                name=gap.name,
                ours=gap.ours,
                theirs=gap.theirs,
            )
        self._books = after_comparison(gaps, at_ns=now_ns)

    def _resolve(self, report: VenueReport) -> None:
        """Believe the venue about orders of unknown state, once their messages must have landed.

        What it holds open is live again, so the next decision keeps or cancels it. What it neither
        holds open nor has filled beyond what we heard will never fill.
        """
        open_there = {order.client_id for order in report.orders}
        for record in self._orders.records():
            client_id = record.order.client_id
            if not record.is_uncertain or report.as_of_ns - record.since_ns <= IN_FLIGHT_NS:
                continue
            if client_id in open_there:
                if not record.state.is_terminal:
                    self._orders.hear(client_id, OrderEvent.ACKNOWLEDGED, at_ns=report.as_of_ns)
            elif report.filled.get(client_id, record.filled) == record.filled:
                self._orders.hear(
                    client_id, OrderEvent.RESOLVED, at_ns=report.as_of_ns, size=record.remaining
                )
