"""A price–time matching book in integer ticks and lots."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from dmm.market.instrument import Side
from dmm.market.order import TimeInForce
from dmm.units.amount import Lots, Ticks
from dmm.units.errors import InvariantBroken

RESTING_MAX = 100_000
"""Orders that may rest at once; more are refused."""


class MatchRefusal(StrEnum):
    """Why an order is refused whole, in the order checked; the book is left as it was."""

    SIZE = "size"
    PRICE = "price"
    BOOK_FULL = "book_full"
    WOULD_CROSS = "would_cross"
    SELF_TRADE = "self_trade"
    CANNOT_FILL = "cannot_fill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One execution at the resting order's price."""

    maker_id: int
    maker_owner: str
    price: Ticks
    size: Lots


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What became of an order: matches in time order, then what rests; the remainder is gone."""

    order_id: int
    matches: tuple[Match, ...]
    resting: Lots
    refused: MatchRefusal | None = None


class _Resting:
    __slots__ = ("order_id", "owner", "price", "side", "size")

    def __init__(self, order_id: int, owner: str, side: Side, price: int, size: int) -> None:
        self.order_id = order_id
        self.owner = owner
        self.side = side
        self.price = price
        self.size = size


class MatchingBook:
    """Resting orders by price, then by time; an order of one owner never trades with its own."""

    def __init__(self) -> None:
        self._levels: dict[Side, dict[int, deque[_Resting]]] = {Side.BUY: {}, Side.SELL: {}}
        # Keys −side·price ascending, so that the best price of either side comes first.
        self._keys: dict[Side, list[int]] = {Side.BUY: [], Side.SELL: []}
        self._sizes: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        self._orders: dict[int, _Resting] = {}

    def submit(
        self,
        *,
        order_id: int,
        owner: str,
        side: Side,
        price: int,
        size: int,
        time_in_force: TimeInForce,
    ) -> Submission:
        """Match an order and rest what its time in force lets rest.

        Parameters
        ----------
        order_id : unique among resting orders
        owner : who sends it
        price : limit in ticks, > 0
        size : lots, > 0

        Raises
        ------
        InvariantBroken
            If an order of that id rests.
        """
        if order_id in self._orders:
            raise InvariantBroken(f"order {order_id} rests already")
        refused = self._refusal(owner, side, price, size, time_in_force)
        if refused is not None:
            return Submission(order_id=order_id, matches=(), resting=Lots(0), refused=refused)
        matches = tuple(self._take(side, price, size))
        left = size - sum(match.size for match in matches)
        if left and time_in_force in (TimeInForce.GTC, TimeInForce.POST_ONLY):
            self._rest(_Resting(order_id, owner, side, price, left))
        else:
            left = 0
        return Submission(order_id=order_id, matches=matches, resting=Lots(left))

    def cancel(self, order_id: int) -> Lots | None:
        """Remove a resting order and return its unfilled size; None when none of that id rests."""
        order = self._orders.pop(order_id, None)
        if order is None:
            return None
        self._levels[order.side][order.price].remove(order)
        self._shrink(order.side, order.price, order.size)
        return Lots(order.size)

    def best(self, side: Side) -> Ticks | None:
        """Return the best resting price of a side, None when it is empty."""
        keys = self._keys[side]
        return Ticks(-side.sign * keys[0]) if keys else None

    def size_at(self, side: Side, price: int) -> Lots:
        """Return the lots resting at a price."""
        return Lots(self._sizes[side].get(price, 0))

    def levels(self, side: Side) -> list[tuple[Ticks, Lots]]:
        """Return all levels of a side, best first."""
        sizes = self._sizes[side]
        return [
            (Ticks(-side.sign * key), Lots(sizes[-side.sign * key])) for key in self._keys[side]
        ]

    def rests(self, order_id: int) -> bool:
        """Tell whether an order rests."""
        return order_id in self._orders

    def locate(self, order_id: int) -> tuple[Side, Ticks]:
        """Return side and price of a resting order.

        Raises
        ------
        InvariantBroken
            If none of that id rests.
        """
        order = self._orders.get(order_id)
        if order is None:
            raise InvariantBroken(f"order {order_id} does not rest")
        return order.side, Ticks(order.price)

    def __len__(self) -> int:
        return len(self._orders)

    def _refusal(
        self, owner: str, side: Side, price: int, size: int, time_in_force: TimeInForce
    ) -> MatchRefusal | None:
        if size <= 0:
            return MatchRefusal.SIZE
        if price <= 0:
            return MatchRefusal.PRICE
        if len(self._orders) >= RESTING_MAX:
            return MatchRefusal.BOOK_FULL
        best = self.best(side.opposite)
        if best is None or not _reaches(side, price, best):
            fill_or_kill = time_in_force is TimeInForce.FOK
            return MatchRefusal.CANNOT_FILL if fill_or_kill else None
        if time_in_force is TimeInForce.POST_ONLY:
            return MatchRefusal.WOULD_CROSS
        left = size
        for order in self._reachable(side, price):
            if left <= 0:
                break
            if order.owner == owner:
                return MatchRefusal.SELF_TRADE
            left -= order.size
        if left > 0 and time_in_force is TimeInForce.FOK:
            return MatchRefusal.CANNOT_FILL
        return None

    def _reachable(self, side: Side, price: int) -> Iterator[_Resting]:
        opposite = side.opposite
        for key in self._keys[opposite]:
            level = -opposite.sign * key
            if not _reaches(side, price, level):
                return
            yield from self._levels[opposite][level]

    def _take(self, side: Side, price: int, size: int) -> Iterator[Match]:
        left = size
        opposite = side.opposite
        while left:
            best = self.best(opposite)
            if best is None or not _reaches(side, price, best):
                return
            maker = self._levels[opposite][best][0]
            taken = min(left, maker.size)
            left -= taken
            maker.size -= taken
            if not maker.size:
                self._levels[opposite][best].popleft()
                del self._orders[maker.order_id]
            self._shrink(opposite, best, taken)
            yield Match(
                maker_id=maker.order_id, maker_owner=maker.owner, price=best, size=Lots(taken)
            )

    def _rest(self, order: _Resting) -> None:
        levels = self._levels[order.side]
        if order.price not in levels:
            levels[order.price] = deque()
            insort(self._keys[order.side], -order.side.sign * order.price)
            self._sizes[order.side][order.price] = 0
        levels[order.price].append(order)
        self._sizes[order.side][order.price] += order.size
        self._orders[order.order_id] = order

    def _shrink(self, side: Side, price: int, size: int) -> None:
        sizes = self._sizes[side]
        sizes[price] -= size
        if not sizes[price]:
            del sizes[price]
            del self._levels[side][price]
            self._keys[side].remove(-side.sign * price)


def _reaches(side: Side, price: int, level: int) -> bool:
    return price >= level if side is Side.BUY else price <= level
