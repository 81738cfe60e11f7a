"""What the worker remembers of the market for the estimators, and its own online estimates."""

from __future__ import annotations

from collections import deque

import numpy as np

from dmm.market.tape import TradePrint
from dmm.quoting.decision import MarketSlice
from dmm.quoting.micro_watch import OnlineMicroPrice
from dmm.quoting.online import OnlineArrival, OnlineVolatility
from dmm.quoting.reference import ReferencePrices
from dmm.units.amount import HalfTicks
from dmm.units.time import NS_PER_S, Nanos

STATES_MAX = 64
"""Book states kept to find the one before a trade; prints lag the book by far fewer."""

GRID_GAP_S_MAX = 3_600
"""A mid is carried forward this long at the most; after a longer silence the grid starts anew."""


class MarketCollector:
    """Mid on a 1 s grid and trade depths of one slice; online estimates over all slices."""

    def __init__(self) -> None:
        self.arrival = OnlineArrival()
        self.volatility = OnlineVolatility()
        self.reference = ReferencePrices()
        self.micro = OnlineMicroPrice()
        self._states: deque[tuple[int, int]] = deque(maxlen=STATES_MAX)
        self._mid: int | None = None
        self.open_slice(Nanos(0))

    def open_slice(self, started_at_ns: Nanos) -> None:
        """Start the arrays anew; the grid runs from this instant."""
        self.next_sample_at_ns: int = started_at_ns
        self._mids: list[int] = []
        self._at_ns: list[int] = []
        self._depths: list[int] = []
        self._sizes: list[int] = []
        self._buys: list[bool] = []

    def sample(self, now_ns: int) -> None:
        """Put the mid on all grid points before now; call before the book changes.

        Parameters
        ----------
        now_ns : time of the event about to be applied; cheap to skip while it is at or below
            `next_sample_at_ns`
        """
        missing = -(-(now_ns - self.next_sample_at_ns) // NS_PER_S)
        if missing <= 0:
            return
        first_at_ns = self.next_sample_at_ns
        self.next_sample_at_ns += missing * NS_PER_S
        if self._mid is None:
            return
        if missing > GRID_GAP_S_MAX:
            self._mids.clear()
            first_at_ns += (missing - 1) * NS_PER_S
            missing = 1
        for number in range(missing):
            if self._mids:
                self.volatility.observe(self._mid - self._mids[-1])
            self._mids.append(self._mid)
            self.reference.take_mid(first_at_ns + number * NS_PER_S, HalfTicks(self._mid))

    def take_state(self, exchange_at_ns: int, mid: HalfTicks) -> None:
        """Take the book's mid after a depth message."""
        self._mid = mid
        self._states.append((exchange_at_ns, mid))

    def take_trade(self, trade: TradePrint) -> None:
        """Take a trade with its depth from the mid of the last state strictly before it."""
        self.reference.take_trade(trade.received_at_ns, price=trade.price, size=trade.size)
        at_ns = trade.exchange_at_ns
        before = (mid for state_at_ns, mid in reversed(self._states) if state_at_ns < at_ns)
        mid = next(before, None)
        if mid is None:
            return
        depth = 2 * trade.price - mid
        if not trade.buyer_is_aggressor:
            depth = -depth
        self.arrival.observe(depth)
        self._at_ns.append(trade.received_at_ns)
        self._depths.append(depth)
        self._sizes.append(trade.size)
        self._buys.append(trade.buyer_is_aggressor)

    def close_slice(self, ended_at_ns: Nanos) -> MarketSlice:
        """Return the slice's arrays, the grid filled up to its end."""
        self.sample(ended_at_ns)
        return MarketSlice(
            mid_half_ticks=np.array(self._mids, dtype=np.int64),
            trade_at_ns=np.array(self._at_ns, dtype=np.int64),
            trade_depth_half_ticks=np.array(self._depths, dtype=np.int64),
            trade_size_lots=np.array(self._sizes, dtype=np.int64),
            trade_is_buy=np.array(self._buys, dtype=np.bool_),
        )
