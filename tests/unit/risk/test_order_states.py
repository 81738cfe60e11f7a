"""One order's life: what may follow what, and what a venue may say after the end."""

from __future__ import annotations

import pytest
from trading_values import START_NS, at_ms, order

from dmm.market.instrument import Side
from dmm.risk.orders import (
    ENDINGS,
    TRANSITIONS,
    OrderEvent,
    OrderRecord,
    OrderState,
    step,
)
from dmm.units.amount import Lots
from dmm.units.errors import InvariantBroken

S, E = OrderState, OrderEvent
SENT = OrderRecord(order=order(Side.BUY, 100, 10), since_ns=START_NS)


def told(record: OrderRecord, *events: OrderEvent | tuple[OrderEvent, int]) -> OrderRecord:
    for number, event in enumerate(events, start=1):
        kind, size = event if isinstance(event, tuple) else (event, 0)
        if not isinstance(event, tuple) and kind in ENDINGS:
            size = record.remaining
        record = step(record, kind, at_ns=at_ms(number), size=Lots(size))
    return record


def test_an_ended_order_cannot_be_cancelled_or_replaced() -> None:
    for ending in ENDINGS:
        for act in (E.CANCEL_SENT, E.REPLACE_SENT):
            with pytest.raises(InvariantBroken, match=r"cannot follow for order o1.*reconcile"):
                told(SENT, ending, act)


@pytest.mark.parametrize("size", [0, -1, 11])
def test_a_fill_of_nothing_or_of_more_than_is_open_stops_the_desk(size: int) -> None:
    with pytest.raises(InvariantBroken, match=f"filled of {size} lots"):
        told(SENT, (E.FILLED, size))


def test_an_ending_that_gives_up_more_than_is_left_stops_the_desk() -> None:
    partly = told(SENT, (E.FILLED, 4))
    for size in (7, -1):
        with pytest.raises(InvariantBroken, match="6 open of 10"):
            told(partly, (E.CANCELLED, size))


def test_an_ending_that_overtook_fills_keeps_their_size_until_they_are_heard() -> None:
    overtaken = told(SENT, E.ACKNOWLEDGED, (E.CANCELLED, 4))
    assert (overtaken.state, overtaken.lost, overtaken.remaining) == (S.CANCELLED, 4, 6)
    assert overtaken.is_uncertain
    assert not overtaken.is_closed
    heard = told(overtaken, (E.FILLED, 2), (E.FILLED, 4))
    assert (heard.filled, heard.lost, heard.late, heard.remaining) == (6, 4, 6, 0)
    assert heard.is_closed


def test_only_a_look_at_the_venue_gives_up_what_an_ending_left_open() -> None:
    overtaken = told(SENT, (E.CANCELLED, 3), (E.FILLED, 2))
    for news in ((E.CANCELLED, 4), (E.RESOLVED, 4), (E.RESOLVED, 6)):
        with pytest.raises(InvariantBroken, match="5 open of 10"):
            told(overtaken, news)
    resolved = told(overtaken, (E.RESOLVED, 5))
    assert (resolved.lost, resolved.remaining, resolved.is_closed) == (8, 0, True)


def test_a_look_at_the_venue_ends_a_lost_order_with_all_that_is_left() -> None:
    lost = told(SENT, (E.FILLED, 4), E.LOST)
    assert told(lost, (E.RESOLVED, 6)).state is S.CANCELLED
    with pytest.raises(InvariantBroken, match="6 open of 10"):
        told(lost, (E.RESOLVED, 5))


@pytest.mark.parametrize(
    ("events", "act"),
    [((), E.CANCEL_REFUSED), ((), E.REPLACE_REFUSED), ((E.LOST,), E.REPLACE_SENT)],
)
def test_an_event_without_a_cause_stops_the_desk(
    events: tuple[OrderEvent, ...], act: OrderEvent
) -> None:
    with pytest.raises(InvariantBroken, match="cannot follow"):
        told(SENT, *events, act)


def test_a_late_fill_is_booked_and_the_order_stays_ended() -> None:
    late = told(SENT, E.ACKNOWLEDGED, E.CANCEL_SENT, (E.FILLED, 3), E.CANCELLED, (E.FILLED, 5))
    assert late.state is S.CANCELLED
    assert (late.filled, late.lost, late.late, late.remaining) == (8, 2, 5, 0)
    with pytest.raises(InvariantBroken, match="filled of 3 lots"):
        told(late, (E.FILLED, 3))


def test_news_that_crossed_with_the_end_changes_nothing() -> None:
    filled = told(SENT, E.CANCEL_SENT, (E.FILLED, 10))
    assert filled.state is S.FILLED
    for news in (E.CANCEL_REFUSED, E.ACKNOWLEDGED, E.LOST, (E.CANCELLED, 0)):
        assert told(filled, news) is filled
    cancelled = told(SENT, (E.FILLED, 4), E.CANCELLED)
    assert told(cancelled, (E.CANCELLED, 6)) is cancelled
    late = told(cancelled, (E.FILLED, 2))
    assert told(late, (E.CANCELLED, 6)) is late
    with pytest.raises(InvariantBroken):
        told(late, (E.CANCELLED, 5))


def test_a_first_fill_is_a_receipt() -> None:
    assert told(SENT, (E.FILLED, 1)).state is S.LIVE
    assert told(SENT, E.CANCEL_SENT, (E.FILLED, 1)).state is S.PENDING_CANCEL


def test_a_lost_order_keeps_its_size_until_the_venue_tells() -> None:
    lost = told(SENT, (E.FILLED, 4), E.LOST)
    assert (lost.state, lost.remaining) == (S.UNKNOWN, 6)
    assert told(lost, (E.FILLED, 1)).state is S.UNKNOWN
    assert told(lost, E.CANCEL_SENT).state is S.UNKNOWN
    assert told(lost, E.ACKNOWLEDGED).state is S.LIVE
    assert told(lost, E.EXPIRED).state is S.EXPIRED


def test_a_refused_cancel_or_replacement_leaves_the_order_live() -> None:
    assert told(SENT, E.ACKNOWLEDGED, E.CANCEL_SENT, E.CANCEL_REFUSED).state is S.LIVE
    assert told(SENT, E.ACKNOWLEDGED, E.REPLACE_SENT, E.REPLACE_REFUSED).state is S.LIVE


def test_a_receipt_brings_the_venues_id_and_it_stays() -> None:
    live = step(SENT, E.ACKNOWLEDGED, at_ns=at_ms(1), venue_order_id="v-77")
    assert told(live, (E.FILLED, 2), E.CANCEL_SENT).venue_order_id == "v-77"


def test_a_state_is_timed_from_its_beginning_not_from_its_last_news() -> None:
    leaving = told(SENT, E.ACKNOWLEDGED, E.CANCEL_SENT, E.CANCEL_SENT, (E.FILLED, 1))
    assert leaving.since_ns == at_ms(2)


def test_no_transition_leads_out_of_an_end_and_every_open_state_can_end() -> None:
    for (before, event), after in TRANSITIONS.items():
        assert not before.is_terminal
        assert after.is_terminal is (event in ENDINGS)
    open_states = [state for state in OrderState if not state.is_terminal]
    for state in open_states:
        for event in (*ENDINGS, E.LOST, E.FILLED):
            assert (state, event) in TRANSITIONS
