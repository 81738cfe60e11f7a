"""Folding market events for a reader that fell behind."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from trading_values import at_ms

from dmm.market.book import Book
from dmm.market.conflate import conflate, merge_depth
from dmm.market.tape import BestQuote, DepthUpdate, FeedEvent, TradePrint
from dmm.units.amount import Lots, Ticks

LEVELS = st.lists(
    st.tuples(st.integers(1, 9).map(Ticks), st.integers(0, 4).map(Lots)), max_size=5
).map(tuple)


@st.composite
def updates(draw: st.DrawFn) -> list[DepthUpdate]:
    count = draw(st.integers(1, 8))
    return [
        DepthUpdate(
            exchange_at_ns=at_ms(at),
            received_at_ns=at_ms(at + 1),
            first_id=2 * at,
            last_id=2 * at + 1,
            is_snapshot=draw(st.booleans()),
            bids=draw(LEVELS),
            asks=draw(LEVELS),
        )
        for at in range(count)
    ]


def trade(at: int, price: int, size: int, *, buy: bool = True) -> TradePrint:
    return TradePrint(
        exchange_at_ns=at_ms(at),
        received_at_ns=at_ms(at),
        price=Ticks(price),
        size=Lots(size),
        buyer_is_aggressor=buy,
        trade_id=at,
    )


def best(at: int, bid: int) -> BestQuote:
    return BestQuote(
        exchange_at_ns=at_ms(at),
        received_at_ns=at_ms(at),
        bid=Ticks(bid),
        bid_size=Lots(1),
        ask=Ticks(bid + 2),
        ask_size=Lots(1),
    )


def book_after(events: list[DepthUpdate]) -> tuple[object, int, int]:
    book = Book()
    for event in events:
        book.apply(event)
    return book.top(20), book.last_id, book.exchange_at_ns


@given(updates())
def test_a_folded_update_leaves_the_book_that_all_of_them_leave(events: list[DepthUpdate]) -> None:
    merged = events[0]
    for event in events[1:]:
        merged = merge_depth(merged, event)
    assert book_after([merged]) == book_after(events)


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9), st.booleans()), min_size=1, max_size=9)
)
def test_folded_trades_keep_their_volume_at_every_price_and_side(
    prints: list[tuple[int, int, bool]],
) -> None:
    events: list[FeedEvent] = [
        trade(at, price, size, buy=buy) for at, (price, size, buy) in enumerate(prints)
    ]
    volumes: dict[tuple[int, bool], int] = {}
    for price, size, buy in prints:
        volumes[price, buy] = volumes.get((price, buy), 0) + size
    folded = [event for event in conflate(events) if isinstance(event, TradePrint)]
    assert {(t.price, t.buyer_is_aggressor): t.size for t in folded} == volumes
    assert [t.trade_id for t in folded] == sorted(t.trade_id for t in folded)


def test_trades_come_before_the_states_and_only_the_latest_best_quote_stays() -> None:
    depth = DepthUpdate(
        exchange_at_ns=at_ms(1),
        received_at_ns=at_ms(3),
        first_id=1,
        last_id=1,
        is_snapshot=False,
        bids=((Ticks(5), Lots(1)),),
        asks=(),
    )
    events = [best(1, 10), depth, trade(2, 7, 1), best(2, 11)]
    assert conflate(events) == [trade(2, 7, 1), best(2, 11), depth]


def test_nothing_folds_to_nothing() -> None:
    assert conflate([]) == []
