"""When a resting order fills, and when it does not."""

from __future__ import annotations

import pytest
from trading_values import at_ms, depth, market_of, order, trade

from dmm.market.instrument import Side
from dmm.market.order import OrderReport, ReportKind, TimeInForce
from dmm.market.tape import FeedEvent, TradePrint
from dmm.market.view import MarketView
from dmm.simulation.fill_model import ORDERS_MAX, FillModel
from dmm.units.errors import InvariantBroken
from dmm.units.time import NS_PER_MS

LATENCY_MS = 5


class Scene:
    """A market and the model, driven as the worker drives them."""

    def __init__(self, market: MarketView | None = None) -> None:
        self.market = market or market_of([(100, 30), (99, 50)], [(102, 20), (103, 40)])
        self.model = FillModel(latency_ns=LATENCY_MS * NS_PER_MS)

    def play(self, *events: FeedEvent) -> list[OrderReport]:
        """Return everything but receipts."""
        heard = self.hear(*events)
        return [report for report in heard if report.kind is not ReportKind.ACCEPTED]

    def hear(self, *events: FeedEvent) -> list[OrderReport]:
        reports: list[OrderReport] = []
        for event in events:
            reports += self.model.advance(event.received_at_ns, self.market)
            if not isinstance(event, TradePrint):
                self.market.apply_depth(event)  # type: ignore[arg-type]
            reports += self.model.observe(event, self.market)
        return reports


def filled(reports: list[OrderReport]) -> list[tuple[str, int]]:
    return [(r.client_id, r.size) for r in reports if r.kind is ReportKind.FILLED]


def test_an_order_that_rests_is_acknowledged_once_when_it_has_arrived() -> None:
    scene = Scene()
    scene.model.place(order(Side.BUY, 100, 4))
    still = depth(4, [(98, 5)], [])
    assert scene.hear(still) == []
    (receipt,) = scene.hear(depth(LATENCY_MS, [(98, 6)], []), depth(9, [(98, 7)], []))
    assert (receipt.kind, receipt.size) == (ReportKind.ACCEPTED, 4)
    assert receipt.at_ns == at_ms(LATENCY_MS)


def test_an_order_that_would_cross_is_rejected_and_never_acknowledged() -> None:
    scene = Scene()
    scene.model.place(order(Side.BUY, 102, 4))
    assert [r.kind for r in scene.hear(depth(9, [(98, 7)], []))] == [ReportKind.REJECTED]


def test_a_touch_without_a_trade_fills_nothing() -> None:
    scene = Scene()
    scene.model.place(order(Side.BUY, 100, 4))
    assert scene.play(depth(10, [(100, 0), (99, 0), (98, 5)], [(99, 7)])) == []


def test_an_order_that_has_not_arrived_cannot_fill() -> None:
    scene = Scene()
    scene.model.place(order(Side.BUY, 100, 4))
    assert filled(scene.play(trade(4, 99, 50, buyer=False))) == []


def test_a_trade_through_the_price_fills_at_our_price() -> None:
    scene = Scene()
    scene.model.place(order(Side.BUY, 100, 4))
    (report,) = scene.play(trade(10, 99, 50, buyer=False))
    assert (report.kind, report.price, report.size) == (ReportKind.FILLED, 100, 4)


def test_a_trade_of_the_same_aggressor_side_never_fills() -> None:
    scene = Scene()
    scene.model.place(order(Side.BUY, 100, 4))
    assert scene.play(trade(10, 99, 50, buyer=True)) == []


def test_the_displayed_queue_trades_first() -> None:
    scene = Scene()
    scene.model.place(order(Side.BUY, 100, 4))
    assert filled(scene.play(trade(10, 100, 29, buyer=False))) == []
    assert filled(scene.play(trade(11, 100, 3, buyer=False))) == [("o1", 2)]
    assert filled(scene.play(trade(12, 100, 9, buyer=False))) == [("o1", 2)]


def test_cancels_ahead_move_us_forward_by_what_is_displayed() -> None:
    scene = Scene()
    scene.model.place(order(Side.BUY, 100, 4))
    reports = scene.play(depth(10, [(100, 2)]), depth(11, [(100, 90)]))
    reports += scene.play(trade(12, 100, 3, buyer=False))
    assert filled(reports) == [("o1", 1)]


def test_a_trade_that_the_book_showed_first_moves_us_forward_once() -> None:
    scene = Scene()
    scene.model.place(order(Side.BUY, 100, 4))
    # The book shows at 10 ms that 20 of 30 traded; the print of that arrives later.
    reports = scene.play(depth(10, [(100, 10)]), trade(12, 100, 20, buyer=False, exchange_ms=9))
    assert filled(reports) == []
    assert filled(scene.play(trade(13, 100, 11, buyer=False))) == [("o1", 1)]


def test_an_order_inside_the_spread_has_nobody_ahead() -> None:
    scene = Scene()
    scene.model.place(order(Side.SELL, 101, 4))
    assert filled(scene.play(trade(10, 101, 3, buyer=True))) == [("o1", 3)]


def test_two_own_orders_never_fill_from_the_same_lots() -> None:
    scene = Scene()
    scene.model.place(order(Side.BUY, 101, 4, client_id="front"))
    scene.model.place(order(Side.BUY, 100, 9, client_id="back"))
    reports = scene.play(trade(10, 99, 6, buyer=False))
    assert filled(reports) == [("front", 4), ("back", 2)]


def test_after_a_trade_through_nobody_is_ahead_any_more() -> None:
    scene = Scene()
    scene.model.place(order(Side.BUY, 100, 8))
    reports = scene.play(trade(10, 99, 3, buyer=False), trade(11, 100, 2, buyer=False))
    assert filled(reports) == [("o1", 3), ("o1", 2)]


def test_a_cancel_takes_its_time_and_a_fill_may_come_first() -> None:
    scene = Scene()
    scene.model.place(order(Side.BUY, 101, 8))
    scene.play(depth(10))
    scene.model.cancel("o1", now_ns=at_ms(11))
    reports = scene.play(trade(15, 101, 3, buyer=False), trade(16, 101, 3, buyer=False))
    assert filled(reports) == [("o1", 3)]
    assert [(r.kind, r.size) for r in reports][-1] == (ReportKind.CANCELLED, 5)
    assert scene.model.open_orders == ()


def test_a_post_only_order_that_crosses_on_arrival_is_rejected() -> None:
    scene = Scene()
    scene.model.place(order(Side.BUY, 101, 8))
    reports = scene.play(depth(2, asks=[(101, 3)]), depth(6))
    assert [(r.kind, r.size) for r in reports] == [(ReportKind.REJECTED, 8)]


@pytest.mark.parametrize("tif", [tif for tif in TimeInForce if tif is not TimeInForce.POST_ONLY])
def test_only_post_only_orders_are_modelled(tif: TimeInForce) -> None:
    report = Scene().model.place(order(Side.BUY, 100, 4, time_in_force=tif))
    assert report is not None
    assert report.kind is ReportKind.REJECTED


def test_the_number_of_open_orders_is_bounded_and_ids_are_unique() -> None:
    model = Scene().model
    for number in range(ORDERS_MAX):
        assert model.place(order(Side.BUY, 90, 1, client_id=f"{number}")) is None
    assert model.place(order(Side.BUY, 90, 1, client_id="one more")) is not None
    with pytest.raises(InvariantBroken, match="already sent"):
        model.place(order(Side.BUY, 90, 1, client_id="0"))
