"""The worker's own micro-price table: book states as it decides, fitted anew from time to time."""

from __future__ import annotations

from collections import deque

import numpy as np

from dmm.market.micro_price import STATES_MIN, MicroPriceTable, fit_micro_price
from dmm.units.time import NS_PER_S

STATES_MAX = 4_096
"""Latest states that a table is fitted on: an hour of decisions each second."""

FIT_EVERY = 128
"""New states after which the table is fitted anew; a fit takes about a millisecond."""

PAUSE_NS_MAX = 10 * NS_PER_S
"""A longer time between two states is no step of the chain: the states before it are dropped."""


class OnlineMicroPrice:
    """Where the mid is heading by imbalance and spread, learnt from the states seen so far.

    One state a decision, so the table speaks of what happens between decisions and after.
    """

    def __init__(self) -> None:
        self._states: deque[tuple[int, int, int, int]] = deque(maxlen=STATES_MAX)
        self._table: MicroPriceTable | None = None
        self._new = 0
        self._seen_at_ns = 0

    def look(self, now_ns: int, *, bid: int, bid_size: int, ask: int, ask_size: int) -> int:
        """Take the state of a decision and return the mid's adjustment in microticks.

        Parameters
        ----------
        now_ns : time of the decision, not falling
        bid, ask : ticks, 0 for an empty side
        bid_size, ask_size : lots displayed

        Returns
        -------
        0 while too few states are known, and for a state that was never seen before: not measured
        """
        if not (0 < bid < ask and bid_size > 0 and ask_size > 0):
            return 0
        if now_ns - self._seen_at_ns > PAUSE_NS_MAX:
            self._states.clear()
        self._seen_at_ns = now_ns
        self._states.append((bid, bid_size, ask, ask_size))
        self._new += 1
        if self._new >= FIT_EVERY and len(self._states) >= STATES_MIN:
            self._fit()
        if self._table is None:
            return 0
        return self._table.adjustment(bid=bid, bid_size=bid_size, ask=ask, ask_size=ask_size)

    def _fit(self) -> None:
        bid, bid_size, ask, ask_size = np.array(self._states, dtype=np.int64).T
        self._table = fit_micro_price(bid=bid, bid_size=bid_size, ask=ask, ask_size=ask_size)
        self._new = 0
