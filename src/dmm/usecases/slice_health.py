"""What a closed slice tells of the desk's fills: efficiency, adverse moves, drift over a day."""

from __future__ import annotations

from collections import deque

from dmm import observe
from dmm.quoting.fill_watch import FillWindow
from dmm.risk.fill_quality import (
    FULL_EFFICIENCY,
    after_window,
    is_adverse_selection_high,
    is_drift_high,
)
from dmm.units.amount import Lots
from dmm.units.time import NS_PER_S, Nanos

DAY_NS = 86_400 * NS_PER_S

SLICES_MAX = 2_880
"""Slices remembered for a day's drift: one each half minute; shorter ones shorten the day."""


class SliceHealth:
    """Watches windows of fills, one for each slice; it alerts and decides nothing."""

    def __init__(self, *, venue: str, symbol: str) -> None:
        self._venue = venue
        self._symbol = symbol
        self._efficiency = FULL_EFFICIENCY
        self._before = Lots(0)
        self._slices: deque[tuple[Nanos, Lots, int]] = deque(maxlen=SLICES_MAX)

    def take(
        self, window: FillWindow, *, ended_at_ns: Nanos, inventory: Lots, sigma_microticks_1s: int
    ) -> None:
        """Take a closed slice's window.

        Parameters
        ----------
        window : its fills
        ended_at_ns : its end
        inventory : at its end
        sigma_microticks_1s : σ over one second as the volatility breaker sees it
        """
        self._efficiency = after_window(
            self._efficiency, realised=window.realised, theoretical=window.theoretical
        )
        if window.judged:
            self._tell_of_fills(window, sigma_microticks_1s)
        self._slices.append((ended_at_ns, self._before, window.filled_lots))
        self._before = inventory
        while self._slices[0][0] <= ended_at_ns - DAY_NS:
            self._slices.popleft()
        net_change = inventory - self._slices[0][1]
        volume = sum(lots for _, _, lots in self._slices)
        observe.inventory_drift(
            symbol=self._symbol,
            net_change_lots=net_change,
            volume_lots=volume,
            is_alert=is_drift_high(net_change_lots=net_change, volume_lots=volume),
        )

    def _tell_of_fills(self, window: FillWindow, sigma_microticks_1s: int) -> None:
        observe.spread_efficiency(
            venue=self._venue,
            share_bps=self._efficiency.share_bps,
            poor_windows=self._efficiency.poor_windows,
            is_alert=self._efficiency.is_alert,
        )
        observe.adverse_selection(
            venue=self._venue,
            mean_microticks=window.adverse_microticks // window.judged,
            is_alert=is_adverse_selection_high(
                adverse_microticks=window.adverse_microticks,
                fills=window.judged,
                sigma_microticks_1s=sigma_microticks_1s,
                horizon_ns=window.horizon_ns,
            ),
        )
