"""Rolling reference prices of our own venue: VWAP of the trades, TWAP of the mid."""

from __future__ import annotations

from collections import deque

from dmm.market.fair_value import MICROTICKS, MICROTICKS_PER_HALF
from dmm.units.amount import HalfTicks
from dmm.units.time import NS_PER_S

WINDOW_NS = 30 * NS_PER_S
"""How far back both look, unless told otherwise."""

TRADES_MAX = 4_096
"""Trades remembered at the most: a busier window is shortened, never averaged wrong."""


class ReferencePrices:
    """Sums over a sliding window, so that reading them costs nothing; 0 stands for not known."""

    def __init__(self, *, window_ns: int = WINDOW_NS, trades_max: int = TRADES_MAX) -> None:
        """Start without prices.

        Parameters
        ----------
        window_ns : length of both windows, > 0
        trades_max : trades remembered, > 0
        """
        self._window_ns = window_ns
        self._trades_max = trades_max
        self._trades: deque[tuple[int, int, int]] = deque()
        self._volume = self._notional = 0
        self._mids: deque[tuple[int, int, int]] = deque()
        self._held_ns = self._weighted = 0

    def take_trade(self, at_ns: int, *, price: int, size: int) -> None:
        """Take a trade: price in ticks, size in lots; times must not fall."""
        self._trades.append((at_ns, price, size))
        self._volume += size
        self._notional += price * size
        if len(self._trades) > self._trades_max:
            self._drop_trade()
        self._drop_trades_before(at_ns - self._window_ns)

    def take_mid(self, at_ns: int, mid: HalfTicks, *, held_ns: int = NS_PER_S) -> None:
        """Take a mid in half ticks that held for `held_ns` up to `at_ns`; times must not fall."""
        self._mids.append((at_ns, mid, held_ns))
        self._held_ns += held_ns
        self._weighted += mid * held_ns
        while self._mids[0][0] <= at_ns - self._window_ns:
            _, dropped, length_ns = self._mids.popleft()
            self._held_ns -= length_ns
            self._weighted -= dropped * length_ns

    def vwap_microticks(self, now_ns: int) -> int:
        """Return the volume-weighted price of the window's trades, 0 without volume."""
        self._drop_trades_before(now_ns - self._window_ns)
        if not self._volume:
            return 0
        return (2 * self._notional * MICROTICKS + self._volume) // (2 * self._volume)

    @property
    def twap_microticks(self) -> int:
        """Return the time-weighted mid of the window that ends with the last mid, 0 without one."""
        if not self._held_ns:
            return 0
        return (2 * self._weighted * MICROTICKS_PER_HALF + self._held_ns) // (2 * self._held_ns)

    def _drop_trades_before(self, at_ns: int) -> None:
        while self._trades and self._trades[0][0] <= at_ns:
            self._drop_trade()

    def _drop_trade(self) -> None:
        _, price, size = self._trades.popleft()
        self._volume -= size
        self._notional -= price * size
