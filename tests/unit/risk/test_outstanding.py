"""Open orders: every one counts until the venue says it is gone."""

from __future__ import annotations

import pytest
from trading_values import at_ms, order

from dmm.market.instrument import Side
from dmm.market.order import Order, OrderReport, ReportKind
from dmm.risk.orders import OrderEvent, OrderState
from dmm.risk.outstanding import RECEIPT_NS_MAX, Outstanding
from dmm.units.amount import Atoms, Lots, Ticks
from dmm.units.errors import InvariantBroken
from dmm.units.time import Nanos


def report(kind: ReportKind, size: int, *, client_id: str = "o1", at: int = 5) -> OrderReport:
    return OrderReport(
        client_id=client_id,
        kind=kind,
        side=Side.BUY,
        price=Ticks(100),
        size=Lots(size),
        fee_atoms=Atoms(0),
        at_ns=at_ms(at),
    )


def holding(*orders: Order, **bounds: int) -> Outstanding:
    outstanding = Outstanding(**bounds)
    for one in orders:
        outstanding.add(one)
    return outstanding


BUY = order(Side.BUY, 100, 10)
SELL = order(Side.SELL, 105, 7, client_id="o2")


def test_a_report_about_an_order_nobody_knows_stops_the_desk() -> None:
    with pytest.raises(InvariantBroken, match="o1, which is not known here"):
        holding(SELL).take(report(ReportKind.FILLED, 1))


def test_an_id_is_used_once_even_after_its_order_ended() -> None:
    outstanding = holding(BUY)
    with pytest.raises(InvariantBroken, match="used once"):
        outstanding.add(BUY)
    outstanding.take(report(ReportKind.CANCELLED, 10))
    with pytest.raises(InvariantBroken, match="used once"):
        outstanding.add(BUY)


def test_open_orders_are_bounded() -> None:
    with pytest.raises(InvariantBroken, match="2 orders are open"):
        holding(BUY, SELL, order(Side.BUY, 99, 1, client_id="o3"), open_max=2)


def test_a_cancel_for_an_order_that_is_not_open_stops_the_desk() -> None:
    with pytest.raises(InvariantBroken, match="o9, which is not open"):
        holding(BUY).mark_leaving("o9")


def test_a_late_fill_is_told_apart_and_changes_no_sum() -> None:
    outstanding = holding(BUY, SELL)
    outstanding.mark_leaving("o1", now_ns=at_ms(1))
    outstanding.take(report(ReportKind.CANCELLED, 10))
    assert outstanding.lots(Side.BUY) == 0
    after = outstanding.take(report(ReportKind.FILLED, 4))
    assert (after.late, after.state) == (4, OrderState.CANCELLED)
    assert (outstanding.lots(Side.BUY), outstanding.lots(Side.SELL)) == (0, 7)


def test_a_late_fill_beyond_the_history_stops_the_desk_rather_than_being_lost() -> None:
    outstanding = holding(BUY, SELL, history_max=1)
    outstanding.take(report(ReportKind.CANCELLED, 10))
    outstanding.take(report(ReportKind.CANCELLED, 7, client_id="o2"))
    assert outstanding.record("o1") is None
    with pytest.raises(InvariantBroken, match="not known here"):
        outstanding.take(report(ReportKind.FILLED, 4))


def test_fills_that_an_ending_overtook_still_count_and_are_unknown() -> None:
    outstanding = holding(BUY)
    outstanding.take(report(ReportKind.CANCELLED, 7))
    assert (outstanding.lots(Side.BUY), outstanding.unknown_orders) == (3, 1)
    assert outstanding.staying() == []
    outstanding.mark_all_leaving(now_ns=at_ms(6))
    assert outstanding.overdue(at_ms(99_000)) == ()
    outstanding.take(report(ReportKind.FILLED, 3))
    assert (outstanding.lots(Side.BUY), outstanding.unknown_orders, len(outstanding)) == (0, 0, 0)


def test_orders_count_until_they_are_gone_whatever_was_asked_for() -> None:
    outstanding = holding(BUY, SELL)
    outstanding.mark_all_leaving(now_ns=at_ms(1))
    assert (outstanding.lots(Side.BUY), outstanding.lots(Side.SELL)) == (10, 7)
    assert outstanding.staying() == []
    outstanding.take(report(ReportKind.FILLED, 4))
    assert outstanding.lots(Side.BUY) == 6
    outstanding.take(report(ReportKind.CANCELLED, 6))
    outstanding.take(report(ReportKind.FILLED, 7, client_id="o2"))
    assert not outstanding
    assert len(outstanding) == 0


def test_a_replacement_and_what_it_replaces_both_count() -> None:
    outstanding = holding(BUY)
    outstanding.replace("o1", order(Side.BUY, 99, 8, client_id="o3", milliseconds=3))
    assert outstanding.lots(Side.BUY) == 18
    assert [one.order.client_id for one in outstanding.staying()] == ["o3"]
    outstanding.take(report(ReportKind.CANCELLED, 10))
    assert outstanding.lots(Side.BUY) == 8


def test_an_answer_that_does_not_come_makes_the_state_unknown_and_keeps_the_lots() -> None:
    outstanding = holding(BUY, SELL)
    outstanding.hear("o2", OrderEvent.ACKNOWLEDGED, at_ns=at_ms(1), venue_order_id="v1")
    due_ns = Nanos(at_ms(0) + RECEIPT_NS_MAX)
    assert outstanding.overdue(due_ns) == ()
    late = outstanding.overdue(Nanos(due_ns + 1))
    assert [record.order.client_id for record in late] == ["o1"]
    assert outstanding.unknown_orders == 1
    assert outstanding.lots(Side.BUY) == 10
    assert [one.order.client_id for one in outstanding.staying()] == ["o2"]
    assert outstanding.overdue(Nanos(due_ns + 2)) == ()
    outstanding.hear("o1", OrderEvent.ACKNOWLEDGED, at_ns=at_ms(9_000))
    assert outstanding.unknown_orders == 0


def test_a_cancel_sent_again_and_again_is_still_overdue() -> None:
    outstanding = holding(SELL)
    outstanding.hear("o2", OrderEvent.ACKNOWLEDGED, at_ns=at_ms(1))
    for at in (2_000, 4_000, 6_000):
        outstanding.mark_leaving("o2", now_ns=at_ms(at))
    assert outstanding.overdue(at_ms(6_999)) == ()
    assert len(outstanding.overdue(at_ms(7_001))) == 1


def test_an_order_past_its_expiry_is_unknown_until_the_venue_tells_what_became_of_it() -> None:
    outstanding = Outstanding()
    outstanding.add(BUY, expires_at_ns=at_ms(1_000))
    outstanding.hear("o1", OrderEvent.ACKNOWLEDGED, at_ns=at_ms(1))
    assert outstanding.overdue(at_ms(6_000)) == ()
    assert len(outstanding.overdue(at_ms(6_001))) == 1
    outstanding.hear("o1", OrderEvent.EXPIRED, at_ns=at_ms(7_000), size=Lots(10))
    assert not outstanding
    assert outstanding.unknown_orders == 0
