"""Rolling VWAP and TWAP against the plain definitions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dmm.market.fair_value import twap, vwap
from dmm.quoting.reference import WINDOW_NS, ReferencePrices
from dmm.units.amount import HalfTicks, Lots, Ticks
from dmm.units.time import NS_PER_S

STEPS = st.lists(
    st.tuples(st.integers(0, 9 * NS_PER_S), st.integers(1, 10**6), st.integers(1, 10**4)),
    max_size=60,
)


@given(STEPS)
def test_the_rolling_vwap_is_that_of_the_windows_trades(steps: list[tuple[int, int, int]]) -> None:
    prices, now_ns = ReferencePrices(), 0
    trades: list[tuple[int, Ticks, Lots]] = []
    for pause_ns, price, size in steps:
        now_ns += pause_ns
        prices.take_trade(now_ns, price=price, size=size)
        trades.append((now_ns, Ticks(price), Lots(size)))
    inside = [(price, size) for at, price, size in trades if at > now_ns - WINDOW_NS]
    assert prices.vwap_microticks(now_ns) == (vwap(inside) or 0)


@given(st.lists(st.integers(2, 10**6), max_size=80))
def test_the_rolling_twap_is_that_of_the_windows_seconds(mids: list[int]) -> None:
    prices = ReferencePrices()
    for second, mid in enumerate(mids):
        prices.take_mid((second + 1) * NS_PER_S, HalfTicks(mid))
    kept = [(second * NS_PER_S, HalfTicks(mid)) for second, mid in enumerate(mids)][-30:]
    assert prices.twap_microticks == (twap(kept, until_ns=len(mids) * NS_PER_S) or 0)


def test_old_trades_leave_the_window_without_a_new_one() -> None:
    prices = ReferencePrices()
    prices.take_trade(0, price=10, size=1)
    assert prices.vwap_microticks(WINDOW_NS - 1) == 10_000_000
    assert prices.vwap_microticks(WINDOW_NS) == 0


def test_more_trades_than_the_bound_shorten_the_window() -> None:
    prices = ReferencePrices(trades_max=2)
    for at, price in enumerate((10, 20, 40)):
        prices.take_trade(at, price=price, size=1)
    assert prices.vwap_microticks(3) == 30_000_000


def test_nothing_seen_is_nothing_known() -> None:
    assert ReferencePrices().vwap_microticks(5) == 0
    assert ReferencePrices().twap_microticks == 0
