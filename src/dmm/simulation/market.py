"""A seeded market: Poisson order flow through a matching book around a wandering latent price.

Makers rest orders at exponential distances from the latent price and pull them again; noise traders
take from either side; once the latent price has moved past a resting order, an informed trader
picks it off. Prices, depth and trades thus fit together, and the mid follows the latent price.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dmm.market.instrument import Side
from dmm.market.order import TimeInForce
from dmm.market.tape import DepthUpdate, FeedEvent, Level, TradePrint
from dmm.matching.engine import Match, MatchingBook, MatchRefusal
from dmm.units.amount import Lots, Ticks
from dmm.units.time import NS_PER_MS, NS_PER_S, Nanos

MAKER = "maker"
TAKER = "taker"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedFlow:
    """Rates per second, prices in ticks, sizes in lots.

    `sigma_ticks_1s` is the latent price's σ over one second; makers rest `edge_ticks_min` plus an
    exponential of mean `edge_ticks_mean` away from it; sizes are geometric with the means given.
    `orders_min` and `orders_max` bound the resting orders: below no order is pulled, above none is
    added. Depth goes out every `depth_every_ns`, everything is received `feed_latency_ns` later.
    """

    start_price: int = 105_000
    sigma_ticks_1s: float = 10.0
    maker_rate_1s: float = 40.0
    cancel_rate_1s: float = 34.0
    taker_rate_1s: float = 4.0
    edge_ticks_min: float = 3.0
    edge_ticks_mean: float = 18.0
    maker_lots_mean: float = 60.0
    taker_lots_mean: float = 90.0
    orders_min: int = 120
    orders_max: int = 400
    depth_every_ns: int = 100 * NS_PER_MS
    feed_latency_ns: int = 2 * NS_PER_MS

    @property
    def rate_1s(self) -> float:
        """Return the rate of all arrivals together."""
        return self.maker_rate_1s + self.cancel_rate_1s + self.taker_rate_1s


class MarketSimulation:
    """The state of one simulated market; `events` may be read once."""

    def __init__(
        self, flow: SimulatedFlow, rng: np.random.Generator, *, started_at_ns: Nanos
    ) -> None:
        """Make a market with a full book.

        Parameters
        ----------
        flow : what arrives and how often
        rng : the only source of chance; the same state gives the same events
        started_at_ns : time of the first event
        """
        self._flow = flow
        self._rng = rng
        self._book = MatchingBook()
        self._latent = float(flow.start_price)
        self._now_ns: int = started_at_ns
        self._order_id = 0
        self._trade_id = 0
        self._update_id = 0
        self._ids: list[int] = []  # resting orders that may be pulled, in no order
        self._changed: dict[Side, set[int]] = {Side.BUY: set(), Side.SELL: set()}
        while len(self._ids) < flow.orders_min:
            self._add_order()

    def events(self, *, duration_ns: int | None) -> Iterator[FeedEvent]:
        """Yield a snapshot, then trades as they happen and depth at its interval.

        Parameters
        ----------
        duration_ns : how long to run, > 0; None for no end
        """
        end_ns = None if duration_ns is None else self._now_ns + duration_ns
        yield self._depth(is_snapshot=True)
        depth_at_ns = self._now_ns + self._flow.depth_every_ns
        while True:
            gap_ns = max(1, round(self._rng.exponential(NS_PER_S / self._flow.rate_1s)))
            next_ns = self._now_ns + gap_ns
            while depth_at_ns <= next_ns:
                if end_ns is not None and depth_at_ns >= end_ns:
                    return
                self._now_ns = depth_at_ns
                depth_at_ns += self._flow.depth_every_ns
                yield self._depth(is_snapshot=False)
            self._now_ns = next_ns
            self._move(gap_ns)
            yield from self._pick_off()
            yield from self._arrival()

    def _move(self, gap_ns: int) -> None:
        step = self._flow.sigma_ticks_1s * math.sqrt(gap_ns / NS_PER_S)
        # A latent price below a quarter of its start would leave no room for bids.
        floor = self._flow.start_price / 4
        self._latent = max(floor, self._latent + step * self._rng.standard_normal())

    def _arrival(self) -> Iterator[FeedEvent]:
        flow = self._flow
        draw = self._rng.random() * flow.rate_1s
        if draw < flow.maker_rate_1s:
            if len(self._ids) < flow.orders_max:
                self._add_order()
        elif draw < flow.maker_rate_1s + flow.cancel_rate_1s:
            if len(self._ids) > flow.orders_min:
                self._pull_order()
        else:
            side = Side.BUY if self._rng.random() < 0.5 else Side.SELL
            size = self._rng.geometric(1 / flow.taker_lots_mean)
            far = 2 * flow.start_price if side is Side.BUY else 1
            yield from self._take(side, far, int(size))

    def _pick_off(self) -> Iterator[FeedEvent]:
        """Let the informed trader take what the latent price has passed."""
        ask, bid = self._book.best(Side.SELL), self._book.best(Side.BUY)
        if ask is not None and ask < self._latent:
            yield from self._take(Side.BUY, math.floor(self._latent), self._passed(Side.SELL))
        elif bid is not None and bid > self._latent:
            yield from self._take(Side.SELL, math.ceil(self._latent), self._passed(Side.BUY))

    def _passed(self, side: Side) -> int:
        return sum(
            size
            for price, size in self._book.levels(side)
            if side.sign * (price - self._latent) > 0
        )

    def _take(self, side: Side, limit: int, size: int) -> Iterator[FeedEvent]:
        self._order_id += 1
        done = self._book.submit(
            order_id=self._order_id,
            owner=TAKER,
            side=side,
            price=limit,
            size=size,
            time_in_force=TimeInForce.IOC,
        )
        for match in done.matches:
            self._changed[side.opposite].add(match.price)
            yield self._print(side, match)
        if done.matches:
            self._ids = [order_id for order_id in self._ids if self._book.rests(order_id)]

    def _add_order(self) -> None:
        flow = self._flow
        side = Side.BUY if self._rng.random() < 0.5 else Side.SELL
        edge = flow.edge_ticks_min + self._rng.exponential(flow.edge_ticks_mean)
        price = self._latent - side.sign * edge
        ticks = max(1, math.floor(price) if side is Side.BUY else math.ceil(price))
        self._order_id += 1
        done = self._book.submit(
            order_id=self._order_id,
            owner=MAKER,
            side=side,
            price=ticks,
            size=int(self._rng.geometric(1 / flow.maker_lots_mean)),
            time_in_force=TimeInForce.POST_ONLY,
        )
        # A maker whose price would cross an older, now generous order waits for the next turn.
        if done.refused is not MatchRefusal.WOULD_CROSS:
            self._ids.append(self._order_id)
            self._changed[side].add(ticks)

    def _pull_order(self) -> None:
        index = int(self._rng.integers(len(self._ids)))
        order_id = self._ids[index]
        self._ids[index] = self._ids[-1]
        self._ids.pop()
        side, price = self._book.locate(order_id)
        self._book.cancel(order_id)
        self._changed[side].add(price)

    def _print(self, side: Side, match: Match) -> TradePrint:
        self._trade_id += 1
        return TradePrint(
            exchange_at_ns=Nanos(self._now_ns),
            received_at_ns=Nanos(self._now_ns + self._flow.feed_latency_ns),
            price=match.price,
            size=match.size,
            buyer_is_aggressor=side is Side.BUY,
            trade_id=self._trade_id,
        )

    def _depth(self, *, is_snapshot: bool) -> DepthUpdate:
        first_id = self._update_id + 1
        self._update_id += 1
        update = DepthUpdate(
            exchange_at_ns=Nanos(self._now_ns),
            received_at_ns=Nanos(self._now_ns + self._flow.feed_latency_ns),
            first_id=first_id,
            last_id=self._update_id,
            is_snapshot=is_snapshot,
            bids=self._levels(Side.BUY, whole=is_snapshot),
            asks=self._levels(Side.SELL, whole=is_snapshot),
        )
        for prices in self._changed.values():
            prices.clear()
        return update

    def _levels(self, side: Side, *, whole: bool) -> tuple[Level, ...]:
        if whole:
            return tuple(self._book.levels(side))
        return tuple(
            (Ticks(price), Lots(self._book.size_at(side, price)))
            for price in sorted(self._changed[side])
        )
