"""Price–time priority and the times in force."""

from __future__ import annotations

import pytest

from dmm.market.instrument import Side
from dmm.market.order import TimeInForce
from dmm.matching.engine import MatchingBook, MatchRefusal, Submission
from dmm.units.errors import InvariantBroken


def send(
    book: MatchingBook,
    order_id: int,
    side: Side,
    price: int,
    size: int,
    tif: TimeInForce = TimeInForce.GTC,
    owner: str = "",
) -> Submission:
    return book.submit(
        order_id=order_id,
        owner=owner or f"owner {order_id}",
        side=side,
        price=price,
        size=size,
        time_in_force=tif,
    )


def asks() -> MatchingBook:
    book = MatchingBook()
    send(book, 1, Side.SELL, 102, 5)
    send(book, 2, Side.SELL, 101, 4)
    send(book, 3, Side.SELL, 101, 6)
    return book


@pytest.mark.parametrize(
    ("size", "price", "tif", "reason"),
    [
        (0, 101, TimeInForce.GTC, MatchRefusal.SIZE),
        (5, 0, TimeInForce.GTC, MatchRefusal.PRICE),
        (5, 101, TimeInForce.POST_ONLY, MatchRefusal.WOULD_CROSS),
        (16, 102, TimeInForce.FOK, MatchRefusal.CANNOT_FILL),
        (1, 100, TimeInForce.FOK, MatchRefusal.CANNOT_FILL),
    ],
)
def test_a_refused_order_leaves_the_book_as_it_was(
    size: int, price: int, tif: TimeInForce, reason: MatchRefusal
) -> None:
    book = asks()
    before = book.levels(Side.SELL)
    done = send(book, 9, Side.BUY, price, size, tif)
    assert (done.refused, done.matches, done.resting) == (reason, (), 0)
    assert book.levels(Side.SELL) == before
    assert book.levels(Side.BUY) == []


def test_an_order_that_would_meet_its_owner_is_refused_whole() -> None:
    book = asks()
    done = send(book, 9, Side.BUY, 102, 7, owner="owner 3")
    assert done.refused is MatchRefusal.SELF_TRADE
    assert send(book, 10, Side.BUY, 102, 4, owner="owner 3").refused is None


def test_an_id_that_rests_cannot_be_used_again() -> None:
    with pytest.raises(InvariantBroken, match="rests already"):
        send(asks(), 1, Side.SELL, 105, 1)


def test_the_best_price_trades_first_and_the_oldest_at_a_price() -> None:
    done = send(asks(), 9, Side.BUY, 102, 12)
    assert [(m.maker_id, m.price, m.size) for m in done.matches] == [
        (2, 101, 4),
        (3, 101, 6),
        (1, 102, 2),
    ]
    assert done.resting == 0


def test_what_is_left_of_a_gtc_rests_and_of_an_ioc_is_gone() -> None:
    book = asks()
    assert send(book, 9, Side.BUY, 101, 13).resting == 3
    assert book.best(Side.BUY) == 101
    assert send(book, 10, Side.SELL, 101, 8, TimeInForce.IOC).resting == 0
    assert book.best(Side.BUY) is None
    assert book.levels(Side.SELL) == [(102, 5)]


def test_a_fok_that_fits_fills_whole() -> None:
    done = send(asks(), 9, Side.BUY, 102, 15, TimeInForce.FOK)
    assert sum(match.size for match in done.matches) == 15


def test_a_partly_filled_order_keeps_its_place() -> None:
    book = asks()
    send(book, 9, Side.BUY, 101, 1)
    assert [m.maker_id for m in send(book, 10, Side.BUY, 101, 4).matches] == [2, 3]


def test_cancelling_returns_what_was_left_and_again_nothing() -> None:
    book = asks()
    send(book, 9, Side.BUY, 101, 1)
    assert book.locate(2) == (Side.SELL, 101)
    assert book.cancel(2) == 3
    assert book.cancel(2) is None
    assert not book.rests(2)
    assert book.size_at(Side.SELL, 101) == 6
    with pytest.raises(InvariantBroken, match="does not rest"):
        book.locate(2)
