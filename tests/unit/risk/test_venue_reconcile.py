"""Any difference with the venue stops new orders until a comparison finds none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from trading_values import at_ms, order

from dmm.market.instrument import Side
from dmm.risk.orders import OrderRecord, OrderState
from dmm.risk.reconcile import (
    EVERY_NS,
    NEVER_COMPARED,
    TRUST_NS_MAX,
    GapKind,
    OwnView,
    VenueOrder,
    VenueReport,
    after_comparison,
    books_disagree,
    compare,
    is_due,
    is_settled,
)
from dmm.units.amount import Lots, Ticks
from dmm.units.time import Nanos

LIVE = OrderRecord(
    order=order(Side.BUY, 100, 10), state=OrderState.LIVE, filled=Lots(4), since_ns=at_ms(0)
)
THEIRS = VenueOrder(client_id="o1", side=Side.BUY, price=Ticks(100), remaining=Lots(6))
OWN = OwnView(
    orders=(LIVE,),
    filled={"o1": 4},
    position=Lots(4),
    balances={"USDT": 900},
    last_fill_at_ns=at_ms(1_000),
)
REPORT = VenueReport(
    as_of_ns=at_ms(60_000),
    orders=(THEIRS,),
    filled={"o1": 4},
    position=Lots(4),
    balances={"USDT": 900},
)


def kinds(own: OwnView = OWN, **changes: Any) -> list[GapKind]:
    return [gap.kind for gap in compare(own, replace(REPORT, **changes))]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"orders": ()}, GapKind.ORDER_MISSING),
        ({"orders": (THEIRS, replace(THEIRS, client_id="o2"))}, GapKind.ORDER_UNEXPECTED),
        ({"orders": (replace(THEIRS, price=Ticks(101)),)}, GapKind.ORDER_TERMS),
        ({"orders": (replace(THEIRS, side=Side.SELL),)}, GapKind.ORDER_TERMS),
        ({"orders": (replace(THEIRS, remaining=Lots(5)),)}, GapKind.ORDER_SIZE),
        ({"filled": {"o1": 5}}, GapKind.FILLED_SIZE),
        ({"filled": {}}, GapKind.FILLED_SIZE),
        ({"filled": {"o1": 4, "o7": 1}}, GapKind.FILLED_SIZE),
        ({"position": Lots(-4)}, GapKind.POSITION),
        ({"balances": {"USDT": 901}}, GapKind.BALANCE),
        ({"balances": {"USDT": 900, "BTC": 1}}, GapKind.BALANCE),
        ({"balances": {}}, GapKind.BALANCE),
    ],
)
def test_each_difference_is_a_gap_of_its_kind(changes: dict[str, Any], kind: GapKind) -> None:
    assert kinds(**changes) == [kind]


def test_a_gap_names_both_sides() -> None:
    (gap,) = compare(OWN, replace(REPORT, position=Lots(9)))
    assert (gap.name, gap.ours, gap.theirs) == ("position", "4", "9")
    (missing,) = compare(OWN, replace(REPORT, orders=()))
    assert (missing.ours, missing.theirs) == ("live, 6 left", "not open")


def test_books_that_agree_have_no_gap() -> None:
    assert kinds() == []
    assert kinds(balances={"USDT": 900, "BTC": 0}) == []


@pytest.mark.parametrize(
    "state", [OrderState.PENDING_NEW, OrderState.PENDING_CANCEL, OrderState.PENDING_REPLACE]
)
def test_a_message_that_is_under_way_is_not_missed_for_two_seconds(state: OrderState) -> None:
    for age_ms, expected in ((2_000, []), (2_001, [GapKind.ORDER_MISSING])):
        sent = replace(LIVE, state=state, since_ns=at_ms(60_000 - age_ms))
        assert kinds(replace(OWN, orders=(sent,)), orders=()) == expected


@pytest.mark.parametrize("state", [OrderState.LIVE, OrderState.UNKNOWN])
def test_an_order_that_was_answered_or_lost_gets_no_such_grace(state: OrderState) -> None:
    fresh = replace(LIVE, state=state, since_ns=at_ms(59_999))
    assert kinds(replace(OWN, orders=(fresh,)), orders=()) == [GapKind.ORDER_MISSING]


def test_views_around_a_fill_are_not_settled() -> None:
    for age_ms, settled in ((2_000, False), (2_001, True)):
        recent = replace(OWN, last_fill_at_ns=at_ms(60_000 - age_ms))
        assert is_settled(recent, REPORT) is settled


def test_a_desk_compares_at_its_start_each_minute_and_while_a_gap_is_open() -> None:
    assert is_due(NEVER_COMPARED, at_ms(0))
    clean = after_comparison((), at_ns=at_ms(0))
    assert not is_due(clean, Nanos(at_ms(0) + EVERY_NS - 1))
    assert is_due(clean, Nanos(at_ms(0) + EVERY_NS))
    gap = after_comparison(compare(OWN, replace(REPORT, orders=())), at_ns=at_ms(0))
    assert is_due(gap, at_ms(1))


def test_books_are_trusted_only_after_a_clean_comparison_and_not_for_ever() -> None:
    assert books_disagree(NEVER_COMPARED, at_ms(0))
    clean = after_comparison((), at_ns=at_ms(0))
    assert not books_disagree(clean, Nanos(at_ms(0) + TRUST_NS_MAX))
    assert books_disagree(clean, Nanos(at_ms(0) + TRUST_NS_MAX + 1))
    gap = after_comparison(compare(OWN, replace(REPORT, orders=())), at_ns=at_ms(0))
    assert books_disagree(gap, at_ms(1))
