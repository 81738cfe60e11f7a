"""The worker's hands against a venue that keeps its own books."""

from __future__ import annotations

from dataclasses import replace

import pytest
from trading_values import LINEAR, at_ms, depth, market_of, order, trade

from dmm import observe
from dmm.adapters.venues.paper import PaperVenue
from dmm.market.instrument import Side
from dmm.market.order import Order, ReportKind
from dmm.risk.outstanding import HISTORY_MAX
from dmm.risk.rate import RateWindow
from dmm.risk.reconcile import EVERY_NS
from dmm.units.amount import Lots
from dmm.units.time import NS_PER_MS, NS_PER_S, Nanos
from dmm.usecases.order_desk import DEAD_MAN_NS, OrderDesk


class Scene:
    """An order desk at a paper venue, with a market that trades when told to."""

    def __init__(self, *windows: RateWindow) -> None:
        self.market = market_of([(100, 30), (99, 50)], [(102, 20), (103, 40)])
        self.venue = PaperVenue(LINEAR, rate_windows=windows)
        self.desk = OrderDesk(self.venue, LINEAR)
        self.now_ms = 0

    @property
    def now_ns(self) -> Nanos:
        return at_ms(self.now_ms)

    def wait(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        for report in self.venue.advance(self.now_ns, self.market):
            self.desk.take(report)

    def bid(self, number: int, *, price: int = 99, size: int = 2) -> Order:
        sent = order(Side.BUY, price, size, client_id=f"o{number}", milliseconds=self.now_ms)
        self.desk.send([sent], now_ns=self.now_ns)
        return sent

    def sell_into(self, price: int, size: int) -> int:
        print_ = trade(self.now_ms, price, size, buyer=False)
        filled = 0
        for report in self.venue.observe(print_, self.market):
            self.desk.take(report)
            filled += report.size if report.kind is ReportKind.FILLED else 0
        return filled


def test_before_the_first_comparison_books_are_not_trusted_and_a_look_compares() -> None:
    scene = Scene()
    assert not scene.desk.look(scene.now_ns).books_disagree


def test_a_fill_the_venue_has_and_we_have_not_is_a_gap_until_it_is_heard() -> None:
    scene = Scene()
    scene.desk.look(scene.now_ns)
    scene.bid(1)
    scene.wait(10)
    unheard = list(scene.venue.observe(trade(10, 98, 9, buyer=False), scene.market))
    assert unheard
    scene.wait(EVERY_NS // NS_PER_MS)
    assert scene.desk.look(scene.now_ns).books_disagree
    for report in unheard:
        scene.desk.take(report)
    scene.wait(3_000)
    assert not scene.desk.look(scene.now_ns).books_disagree


def test_cash_that_the_venue_books_otherwise_is_a_gap_though_the_position_agrees(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gaps: list[dict[str, str]] = []
    monkeypatch.setattr(observe, "venue_gap", lambda **gap: gaps.append(gap))
    scene = Scene()
    scene.desk.look(scene.now_ns)
    scene.bid(1)
    scene.wait(10)
    assert scene.sell_into(98, 9) == 2
    scene.wait(EVERY_NS // NS_PER_MS)
    assert not scene.desk.look(scene.now_ns).books_disagree
    scene.venue._cash_atoms -= 1  # a fee of which no report spoke
    scene.wait(EVERY_NS // NS_PER_MS)
    assert scene.desk.look(scene.now_ns).books_disagree
    cash = -2 * 99 * 100
    assert gaps == [
        {
            "venue": "paper", "kind": "balance", "name": "USDT",
            "ours": str(cash), "theirs": str(cash - 1),
        }
    ]  # fmt: skip


def test_a_fill_is_still_known_when_its_order_has_left_the_history() -> None:
    scene = Scene()
    scene.desk.look(scene.now_ns)
    scene.bid(0, price=99, size=2)
    scene.wait(10)
    assert scene.sell_into(98, 9) == 2
    for number in range(1, HISTORY_MAX + 20):
        scene.bid(number, price=50)
        scene.wait(10)
        scene.desk.cancel([f"o{number}"], now_ns=scene.now_ns)
        scene.wait(10)
    scene.wait(EVERY_NS // NS_PER_MS)
    assert not scene.desk.look(scene.now_ns).books_disagree


def test_an_order_filled_in_parts_over_two_comparisons_counts_as_a_whole() -> None:
    scene = Scene()
    scene.desk.look(scene.now_ns)
    scene.bid(1, price=101, size=5)
    scene.wait(10)
    for size in (2, 3):
        assert scene.sell_into(101, size) == size
        for _ in range(EVERY_NS // NS_PER_S):
            scene.wait(1_000)
            assert not scene.desk.look(scene.now_ns).books_disagree


def test_a_cancel_beyond_the_budget_waits_and_the_order_still_counts() -> None:
    scene = Scene(RateWindow(length_ns=NS_PER_S, weight_max=2, cancel_reserve=0))
    scene.desk.look(scene.now_ns)
    scene.bid(1)
    scene.bid(2)
    scene.wait(10)
    scene.desk.cancel(["o1", "o2"], now_ns=scene.now_ns)
    read = scene.desk.look(scene.now_ns)
    assert {working.client_id for working in read.working} == {"o1", "o2"}
    assert read.rate_weight_left == 0
    scene.wait(1_100)
    scene.desk.cancel(["o1", "o2"], now_ns=scene.now_ns)
    scene.wait(10)
    assert scene.desk.look(scene.now_ns).outstanding_buy == 0


def test_without_a_sign_of_life_the_venue_cancels_everything() -> None:
    scene = Scene()
    scene.desk.look(scene.now_ns)
    scene.bid(1)
    scene.wait(10)
    assert scene.venue.open_orders
    scene.wait(DEAD_MAN_NS // NS_PER_MS)
    scene.wait(10)
    assert not scene.venue.open_orders
    assert scene.desk.look(scene.now_ns).outstanding_buy == 0


def test_signs_of_life_keep_the_orders() -> None:
    scene = Scene()
    scene.desk.look(scene.now_ns)
    scene.bid(1)
    for _ in range(30):
        scene.wait(1_000)
        scene.desk.look(scene.now_ns)
    assert [replace(one, created_at_ns=at_ms(0)) for one in scene.venue.open_orders] == [
        order(Side.BUY, 99, 2, client_id="o1")
    ]
    assert scene.desk.look(scene.now_ns).outstanding_buy == Lots(2)


def test_depth_alone_fills_nothing() -> None:
    scene = Scene()
    scene.bid(1)
    scene.wait(10)
    assert list(scene.venue.observe(depth(20, [(98, 1)], [(99, 3)]), scene.market)) == []
