"""Windows of fills: what is told, and when it is an alert."""

from __future__ import annotations

from typing import Any

import pytest
from trading_values import at_ms

from dmm import observe
from dmm.quoting.fill_watch import FillWindow
from dmm.units.amount import Lots
from dmm.usecases.slice_health import DAY_NS, SLICES_MAX, SliceHealth

NOTHING = FillWindow()
HOUR_MS = 3_600_000


class Told:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.of: dict[str, list[dict[str, Any]]] = {}
        for name in ("spread_efficiency", "adverse_selection", "inventory_drift"):
            monkeypatch.setattr(observe, name, self._taker(name))
        self.health = SliceHealth(venue="paper", symbol="BTCUSDT")

    def _taker(self, name: str) -> Any:
        return lambda **values: self.of.setdefault(name, []).append(values)

    def close(self, window: FillWindow, *, at: int = 0, inventory: int = 0, sigma: int = 0) -> None:
        self.health.take(
            window, ended_at_ns=at_ms(at), inventory=Lots(inventory), sigma_microticks_1s=sigma
        )

    def last(self, name: str) -> dict[str, Any]:
        return self.of[name][-1]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    return Told(monkeypatch)


def test_a_window_without_judged_fills_tells_nothing_of_them(told: Told) -> None:
    told.close(NOTHING)
    assert set(told.of) == {"inventory_drift"}


def test_a_spread_that_stays_poor_for_six_windows_is_an_alert(told: Told) -> None:
    poor = FillWindow(judged=2, realised=59, theoretical=100)
    for _ in range(5):
        told.close(poor)
        told.close(NOTHING)
    assert not told.last("spread_efficiency")["is_alert"]
    told.close(poor)
    assert told.last("spread_efficiency") == {
        "venue": "paper",
        "share_bps": 5_900,
        "poor_windows": 6,
        "is_alert": True,
    }


def test_moves_against_our_fills_are_held_against_volatility(told: Told) -> None:
    # σ√5 s of 1,000 µticks is 2,236; 1.2 of it is 2,683 a fill.
    told.close(FillWindow(judged=3, adverse_microticks=3 * 2_683), sigma=1_000)
    assert told.last("adverse_selection")["mean_microticks"] == 2_683
    assert not told.last("adverse_selection")["is_alert"]
    told.close(FillWindow(judged=3, adverse_microticks=3 * 2_684), sigma=1_000)
    assert told.last("adverse_selection")["is_alert"]


def test_drift_is_net_change_over_what_was_traded_in_a_day(told: Told) -> None:
    told.close(FillWindow(filled_lots=700), at=0, inventory=100)
    assert told.last("inventory_drift")["net_change_lots"] == 100
    assert not told.last("inventory_drift")["is_alert"]
    told.close(FillWindow(filled_lots=300), at=HOUR_MS, inventory=-150)
    assert told.last("inventory_drift") == {
        "symbol": "BTCUSDT",
        "net_change_lots": -150,
        "volume_lots": 1_000,
        "is_alert": True,
    }


def test_what_happened_a_day_ago_does_not_count(told: Told) -> None:
    told.close(FillWindow(filled_lots=700), at=0, inventory=500)
    told.close(FillWindow(filled_lots=80), at=DAY_NS // 10**6, inventory=510)
    assert told.last("inventory_drift")["net_change_lots"] == 10
    assert told.last("inventory_drift")["volume_lots"] == 80


def test_a_day_of_very_many_slices_is_bounded(told: Told) -> None:
    for number in range(SLICES_MAX + 50):
        told.close(FillWindow(filled_lots=1), at=number, inventory=number)
    assert told.last("inventory_drift")["volume_lots"] == SLICES_MAX
