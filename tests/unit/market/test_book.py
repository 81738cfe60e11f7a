from __future__ import annotations

import pytest

from dmm.market.book import HEAP_SLACK, HEAP_SPARE, Book
from dmm.market.instrument import Side
from dmm.market.tape import DepthUpdate, Level
from dmm.units.amount import Lots, Ticks
from dmm.units.time import Nanos


def levels(*pairs: tuple[int, int]) -> tuple[Level, ...]:
    return tuple((Ticks(price), Lots(size)) for price, size in pairs)


def update(
    bids: tuple[Level, ...] = (), asks: tuple[Level, ...] = (), *, is_snapshot: bool = False
) -> DepthUpdate:
    return DepthUpdate(
        exchange_at_ns=Nanos(11),
        received_at_ns=Nanos(13),
        first_id=5,
        last_id=7,
        is_snapshot=is_snapshot,
        bids=bids,
        asks=asks,
    )


@pytest.fixture
def book() -> Book:
    book = Book()
    book.apply(
        update(levels((99, 5), (98, 7), (95, 2)), levels((101, 3), (103, 4)), is_snapshot=True)
    )
    return book


def test_an_empty_book_has_no_best_quote_and_no_mid() -> None:
    book = Book()
    assert book.best_bid is None
    assert book.best_ask is None
    assert book.mid_half_ticks is None
    assert not book.is_crossed
    assert book.top(5) == ((), ())
    assert book.walk(Side.BUY, 3) == (0, 0)


def test_a_book_with_one_side_has_no_mid(book: Book) -> None:
    book.apply(update(asks=levels((101, 0), (103, 0))))
    assert book.best_ask is None
    assert book.mid_half_ticks is None
    assert not book.is_crossed


def test_a_negative_size_cannot_be_walked(book: Book) -> None:
    with pytest.raises(ValueError, match="must not be negative, got -2"):
        book.walk(Side.SELL, -2)


def test_deleting_a_level_never_seen_changes_nothing(book: Book) -> None:
    before = book.top(9)
    book.apply(update(levels((97, 0)), levels((102, 0))))
    assert book.top(9) == before


def test_a_book_is_crossed_when_the_bid_reaches_the_ask(book: Book) -> None:
    book.apply(update(levels((100, 2))))
    assert not book.is_crossed
    book.apply(update(levels((101, 2))))
    assert book.is_crossed


def test_all_levels_of_an_update_apply_together(book: Book) -> None:
    # Level by level the new bid would stand above the old ask for a moment.
    book.apply(update(levels((102, 6)), levels((101, 0))))
    assert not book.is_crossed
    assert book.best_bid == (102, 6)
    assert book.best_ask == (103, 4)


def test_a_snapshot_replaces_the_whole_book(book: Book) -> None:
    book.apply(update(levels((50, 2)), levels((60, 3)), is_snapshot=True))
    assert book.top(9) == (levels((50, 2)), levels((60, 3)))
    assert book.levels == (1, 1)


def test_the_best_level_moves_on_when_it_is_deleted_and_back_when_it_returns(book: Book) -> None:
    book.apply(update(levels((99, 0)), levels((101, 0))))
    assert book.best_bid == (98, 7)
    assert book.best_ask == (103, 4)
    book.apply(update(levels((99, 8)), levels((101, 9))))
    assert book.best_bid == (99, 8)
    assert book.best_ask == (101, 9)
    assert book.mid_half_ticks == 200


def test_sizes_are_read_on_the_side_asked_for(book: Book) -> None:
    assert book.size_at(Side.BUY, 98) == 7
    assert book.size_at(Side.SELL, 98) == 0
    assert book.size_at(Side.SELL, 103) == 4


def test_the_top_lists_the_best_levels_first(book: Book) -> None:
    assert book.top(2) == (levels((99, 5), (98, 7)), levels((101, 3), (103, 4)))


def test_a_buyer_walks_up_the_asks_and_a_seller_down_the_bids(book: Book) -> None:
    assert book.walk(Side.BUY, 5) == (5, 3 * 101 + 2 * 103)
    assert book.walk(Side.SELL, 6) == (6, 5 * 99 + 98)
    assert book.walk(Side.SELL, 4) == (4, 4 * 99)


def test_a_walk_ends_where_the_book_does(book: Book) -> None:
    assert book.walk(Side.BUY, 100) == (7, 3 * 101 + 4 * 103)


def test_the_book_remembers_when_it_was_last_changed(book: Book) -> None:
    assert (book.exchange_at_ns, book.received_at_ns, book.last_id) == (11, 13, 7)


def test_prices_that_come_and_go_do_not_grow_the_book_without_end(book: Book) -> None:
    bound = HEAP_SPARE + HEAP_SLACK * 10
    for price in range(2 * bound):
        book.apply(update(levels((1_000 + price, 1), (10, 3)), levels((9_000_000 - price, 1))))
        book.apply(update(levels((1_000 + price, 0)), levels((9_000_000 - price, 0))))
        assert len(book._bid_heap) <= bound
        assert len(book._ask_heap) <= bound
    assert book.best_bid == (99, 5)
    assert book.best_ask == (101, 3)
