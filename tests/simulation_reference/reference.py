"""The replay's rules once more, event by event in plain Python: what the engine must equal.

Nothing here is fast and nothing is shared with the engine: books are dicts, queues are lists, every
cap is applied when it happens, and one heap holds whatever happens next.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from dmm.ledger.fills import cash_flow, marked_atoms
from dmm.market.instrument import Instrument, Side
from dmm.market.order import TimeInForce
from dmm.market.tape import BestQuote, DepthUpdate, FeedEvent, TradePrint
from dmm.market.view import MarketView
from dmm.simulation.replay.sets import Action
from dmm.units.amount import HalfTicks, Lots, Ticks, ceil_div

UBPS_ONE = 10_000_000_000
MICRO = 1_000_000
FUNDING, ARRIVAL, MESSAGE, HEARING, DECISION, AT_ONCE = range(6)
"""What comes first at one instant."""


@dataclass
class RefOrder:
    tag: int
    side: int
    price: int
    size: int
    tif: TimeInForce
    left: int = 0
    known_left: int = 0
    state: str = "sent"
    leaving: bool = False
    ahead: int = 0
    cut: int = 0
    cut_at_ns: int = 0
    replaces: RefOrder | None = None


@dataclass
class Terms:
    entry_ns: int = 0
    response_ns: int = 0
    feed_ns: int = 0
    queue: str = "risk_averse"
    power: float = 2.0
    maker_ubps: int = 0
    taker_ubps: int = 0
    funding: Sequence[tuple[int, int]] = ()


@dataclass
class Reference:
    """One set at one venue; `fills` are (time, side, price, size, fee, is maker, tag)."""

    instrument: Instrument
    terms: Terms
    book: MarketView = field(default_factory=MarketView)
    heard: MarketView = field(default_factory=MarketView)
    known: list[RefOrder] = field(default_factory=list)
    resting: list[RefOrder] = field(default_factory=list)
    fills: list[tuple[int, int, int, int, int, bool, int]] = field(default_factory=list)
    inventory: int = 0
    cash: int = 0
    fees: int = 0
    funding_paid: int = 0
    rejected: int = 0
    known_inventory: int = 0
    mid: int = 0
    taken: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)

    def play(
        self, events: Sequence[FeedEvent], decide: Callable[[Reference, int], None],
        times_ns: Sequence[int],
    ) -> Reference:  # fmt: skip
        self._heap: list[tuple[int, int, int, Callable[[int], None]]] = []
        self._number = count()
        latest: dict[type, int] = {}
        for event in events:
            at_ns = max(event.exchange_at_ns, latest.get(type(event), 0))
            latest[type(event)] = at_ns
            self._at(at_ns, MESSAGE, lambda now, event=event: self._message(now, event))
            self._at(at_ns + self.terms.feed_ns, HEARING, lambda _, event=event: self._hear(event))
        for at_ns in times_ns:
            self._at(at_ns, DECISION, lambda now: decide(self, now))
        for at_ns, rate in self.terms.funding:
            self._at(at_ns, FUNDING, lambda _, rate=rate: self._fund(rate))
        while self._heap:
            now_ns, _, _, act = heapq.heappop(self._heap)
            act(now_ns)
        return self

    def _at(self, at_ns: int, phase: int, act: Callable[[int], None]) -> None:
        heapq.heappush(self._heap, (at_ns, phase, next(self._number), act))

    # -- the desk

    def place(
        self, now_ns: int, side: int, price: int, size: int, tif: TimeInForce, tag: int,
        replaces: RefOrder | None = None,
    ) -> None:  # fmt: skip
        order = RefOrder(tag, side, price, size, tif, size, size, replaces=replaces)
        self.known.append(order)
        self._send(now_ns, lambda now: self._arrive(now, order))

    def cancel(self, now_ns: int, order: RefOrder) -> None:
        if not order.leaving:
            order.leaving = True
            self._send(now_ns, lambda now: self._withdraw(now, order))

    def _send(self, now_ns: int, act: Callable[[int], None]) -> None:
        phase = ARRIVAL if self.terms.entry_ns else AT_ONCE
        self._at(now_ns + self.terms.entry_ns, phase, act)

    def tagged(self, tag: int) -> RefOrder | None:
        return next((o for o in self.known if o.tag == tag and not o.leaving), None)

    def _hear(self, event: FeedEvent) -> None:
        _apply(self.heard, event)

    def _tell(self, now_ns: int, order: RefOrder, lots: int, *, ended: bool) -> None:
        def note(_: int) -> None:
            self.known_inventory += lots
            order.known_left -= abs(lots)
            if ended:
                self.known.remove(order)

        self._at(now_ns + self.terms.response_ns, HEARING, note)

    # -- the venue

    def _message(self, now_ns: int, event: FeedEvent) -> None:
        size_at = self.book.book.size_at
        before = {(o.side, o.price): size_at(_side(o.side), o.price) for o in self.resting}
        _apply(self.book, event)
        if self.book.has_mid:
            self.mid = self.book.mid_half_ticks
        if isinstance(event, DepthUpdate):
            named = {(1, price) for price, _ in event.bids} | {
                (-1, price) for price, _ in event.asks
            }
            for order in self.resting:
                displayed = size_at(_side(order.side), order.price)
                if self.terms.queue == "power":
                    # The model moves a queue only when the venue speaks of its level.
                    if not event.is_snapshot and (order.side, order.price) not in named:
                        continue
                    self._thin(order, before[order.side, order.price], displayed)
                elif displayed < order.ahead:
                    order.cut += order.ahead - displayed
                    order.cut_at_ns = event.exchange_at_ns
                    order.ahead = displayed
        elif isinstance(event, TradePrint):
            self._trade(now_ns, event)

    def _thin(self, order: RefOrder, before: int, after: int) -> None:
        change = (before - after) * MICRO - order.cut
        order.cut = 0
        front = order.ahead
        if change >= 0:
            back = max(0, before * MICRO - front)
            ahead = math.pow(float(front), self.terms.power)
            behind = math.pow(float(back), self.terms.power)
            share = behind / (behind + ahead) if behind + ahead > 0 else 1.0
            moved = float(front) - (1.0 - share) * float(change)
            moved += min(float(back) - share * float(change), 0.0)
            front = max(0, math.floor(moved))
        order.ahead = min(front, after * MICRO)

    def _trade(self, now_ns: int, trade: TradePrint) -> None:
        side = -1 if trade.buyer_is_aggressor else 1
        left: int = trade.size
        for order in sorted(
            (o for o in self.resting if o.side == side), key=lambda o: -o.side * o.price
        ):
            beyond = (order.price - trade.price) * side
            if beyond < 0:
                break
            reaching = left
            if beyond > 0:
                order.ahead = order.cut = 0
            elif self.terms.queue == "power":
                order.cut += left * MICRO
                rest = left * MICRO - order.ahead
                order.ahead = max(0, -rest)
                reaching = max(0, rest) // MICRO
            else:
                if trade.exchange_at_ns <= order.cut_at_ns:
                    late = min(order.cut, reaching)
                    order.cut -= late
                    reaching -= late
                else:
                    order.cut = 0
                rest = reaching - order.ahead
                order.ahead = max(0, -rest)
                reaching = max(0, rest)
            filled = min(reaching, order.left)
            if filled:
                left -= filled
                self._fill(now_ns, order, order.price, filled, is_maker=True)

    def _fill(self, now_ns: int, order: RefOrder, price: int, size: int, *, is_maker: bool) -> None:
        rate = self.terms.maker_ubps if is_maker else self.terms.taker_ubps
        worth = self.instrument.cash_atoms(price=Ticks(price), size=Lots(size), rounded_up=rate > 0)
        fee = ceil_div(worth * rate, UBPS_ONE)
        flow = cash_flow(
            self.instrument, side=_side(order.side), price=Ticks(price), size=Lots(size)
        )
        self.inventory += order.side * size
        self.cash += flow - fee
        self.fees += fee
        self.fills.append((now_ns, order.side, price, size, fee, is_maker, order.tag))
        order.left -= size
        if not order.left:
            order.state = "ended"
            if order in self.resting:
                self.resting.remove(order)
        self._tell(now_ns, order, order.side * size, ended=not order.left)

    def _end(self, now_ns: int, order: RefOrder) -> None:
        order.state = "ended"
        if order in self.resting:
            self.resting.remove(order)
        self._tell(now_ns, order, 0, ended=True)

    def _withdraw(self, now_ns: int, order: RefOrder) -> None:
        if order.state != "ended":
            self._end(now_ns, order)

    def _arrive(self, now_ns: int, order: RefOrder) -> None:
        if order.state != "sent":
            return
        if order.replaces is not None:
            if order.replaces.state != "live":
                self.rejected += 1
                self._end(now_ns, order)
                return
            self._end(now_ns, order.replaces)
        bid, ask = self.book.best_bid, self.book.best_ask
        crosses = 0 < ask <= order.price if order.side > 0 else order.price <= bid
        if crosses and order.tif is TimeInForce.POST_ONLY:
            self.rejected += 1
            self._end(now_ns, order)
            return
        if crosses:
            self._take(now_ns, order, ask if order.side > 0 else bid)
        if order.state == "ended":
            return
        if order.tif in {TimeInForce.IOC, TimeInForce.FOK}:
            self._end(now_ns, order)
            return
        order.state = "live"
        displayed = self.book.book.size_at(_side(order.side), order.price)
        order.ahead = displayed * MICRO if self.terms.queue == "power" else displayed
        self.resting.append(order)

    def _take(self, now_ns: int, order: RefOrder, touch: int) -> None:
        parts = []
        left = order.left
        for price in range(touch, order.price + order.side, order.side):
            displayed = self.book.book.size_at(_side(-order.side), price)
            seen, gone = self.taken.get((order.side, price), (displayed, 0))
            if seen != displayed:
                gone = 0
            part = min(left, displayed - gone)
            if part > 0:
                parts.append((price, part, displayed, gone + part))
                left -= part
        if order.tif is TimeInForce.FOK and left:
            return
        for price, part, displayed, gone in parts:
            self.taken[order.side, price] = (displayed, gone)
            self._fill(now_ns, order, price, part, is_maker=False)

    def _fund(self, rate_ubps: int) -> None:
        if not self.inventory or not self.mid:
            return
        worth = abs(
            marked_atoms(self.instrument, inventory=Lots(self.inventory), mid=HalfTicks(self.mid))
        )
        paid = ceil_div(worth * (rate_ubps if self.inventory > 0 else -rate_ubps), UBPS_ONE)
        self.cash -= paid
        self.funding_paid += paid

    @property
    def pnl(self) -> int:
        if not self.inventory or not self.mid:
            return self.cash
        return self.cash + marked_atoms(
            self.instrument, inventory=Lots(self.inventory), mid=HalfTicks(self.mid)
        )


def _apply(view: MarketView, event: FeedEvent) -> None:
    if isinstance(event, DepthUpdate):
        view.apply_depth(event)
    elif isinstance(event, BestQuote):
        view.apply_best_quote(event)


def _side(sign: int) -> Side:
    return Side.BUY if sign > 0 else Side.SELL


# -- policies -------------------------------------------------------------------------------------


def scripted(actions: Sequence[Action]) -> Callable[[Reference, int], None]:
    def decide(desk: Reference, now_ns: int) -> None:
        for action in actions:
            if action.at_ns != now_ns:
                continue
            old = desk.tagged(action.tag)
            if action.kind == "cancel":
                if old is not None:
                    desk.cancel(now_ns, old)
                continue
            if action.kind == "replace" and old is None:
                continue
            side = 1 if action.side > 0 else -1
            desk.place(
                now_ns, side, action.price, action.size, action.time_in_force, action.tag,
                replaces=old if action.kind == "replace" else None,
            )  # fmt: skip
            if action.kind == "replace" and old is not None:
                old.leaving = True

    return decide


def symmetric(
    *, half: float, skew: float, size: int, most: int, levels: int = 1
) -> Callable[[Reference, int], None]:
    def decide(desk: Reference, now_ns: int) -> None:
        if not desk.heard.has_mid:
            for order in list(desk.known):
                desk.cancel(now_ns, order)
            return
        bid, ask = desk.heard.best_bid, desk.heard.best_ask
        centre = 0.5 * (bid + ask) - skew * desk.known_inventory
        low = min(math.floor(centre - half), ask - 1)
        high = max(math.ceil(centre + half), bid + 1)
        buys = [low - n for n in range(levels)] if desk.known_inventory < most else []
        sells = [high + n for n in range(levels)] if desk.known_inventory > -most else []
        wanted = [(1, price) for price in buys] + [(-1, price) for price in sells]
        for order in [o for o in desk.known if not o.leaving]:
            if (order.side, order.price) in wanted:
                wanted.remove((order.side, order.price))
            else:
                desk.cancel(now_ns, order)
        for side, price in wanted:
            if price > 0:
                tag = low - price if side > 0 else price - high
                desk.place(now_ns, side, price, size, TimeInForce.POST_ONLY, tag)

    return decide
