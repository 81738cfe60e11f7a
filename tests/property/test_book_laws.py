"""Laws of the book, against a model that sorts everything anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dmm.market.book import Book
from dmm.market.instrument import Side
from dmm.market.tape import DepthUpdate, Level
from dmm.units.amount import Lots, Ticks
from dmm.units.time import Nanos

LEVEL = st.tuples(st.integers(1, 30).map(Ticks), st.integers(0, 4).map(Lots))
LEVELS = st.lists(LEVEL, max_size=6).map(tuple)


@st.composite
def updates(draw: st.DrawFn) -> list[DepthUpdate]:
    return [
        DepthUpdate(
            exchange_at_ns=Nanos(at),
            received_at_ns=Nanos(at),
            first_id=at,
            last_id=at,
            is_snapshot=draw(st.integers(0, 9)) == 0,
            bids=draw(LEVELS),
            asks=draw(LEVELS),
        )
        for at in range(draw(st.integers(1, 25)))
    ]


def model(applied: list[DepthUpdate]) -> tuple[dict[Ticks, Lots], dict[Ticks, Lots]]:
    sides: tuple[dict[Ticks, Lots], dict[Ticks, Lots]] = ({}, {})
    for update in applied:
        for side, levels in zip(sides, (update.bids, update.asks), strict=True):
            if update.is_snapshot:
                side.clear()
            side.update(levels)
    bids, asks = ({price: size for price, size in side.items() if size} for side in sides)
    return bids, asks


def best_first(side: dict[Ticks, Lots], *, falling: bool) -> tuple[Level, ...]:
    return tuple(sorted(side.items(), reverse=falling))


@given(updates())
def test_the_book_is_what_sorting_all_updates_gives(stream: list[DepthUpdate]) -> None:
    book = Book()
    for count, update in enumerate(stream, start=1):
        book.apply(update)
        bids, asks = model(stream[:count])
        sorted_bids = best_first(bids, falling=True)
        sorted_asks = best_first(asks, falling=False)
        assert book.best_bid == (sorted_bids[0] if bids else None)
        assert book.best_ask == (sorted_asks[0] if asks else None)
        assert book.top(3) == (sorted_bids[:3], sorted_asks[:3])
        assert book.levels == (len(bids), len(asks))


@given(updates(), st.sampled_from(Side), st.integers(0, 40))
def test_a_walk_conserves_size_and_never_beats_the_touch(
    stream: list[DepthUpdate], side: Side, size: int
) -> None:
    book = Book()
    for update in stream:
        book.apply(update)
    bids, asks = model(stream)
    resting = asks if side is Side.BUY else bids
    filled, notional = book.walk(side, size)
    assert filled == min(size, sum(resting.values()))
    touch = book.best_ask if side is Side.BUY else book.best_bid
    if touch is not None:
        assert side.sign * notional >= side.sign * touch[0] * filled


@given(updates(), st.sampled_from(Side), st.integers(0, 20), st.integers(1, 20))
def test_each_further_lot_of_a_walk_costs_no_less_than_the_one_before(
    stream: list[DepthUpdate], side: Side, size: int, more: int
) -> None:
    book = Book()
    for update in stream:
        book.apply(update)
    filled, notional = book.walk(side, size)
    filled_more, notional_more = book.walk(side, size + more)
    extra = filled_more - filled
    assert extra >= 0
    if filled and extra:
        # Σ/extra against Σ/filled, cross-multiplied to stay in whole numbers.
        assert side.sign * (notional_more - notional) * filled >= side.sign * notional * extra


@given(updates())
def test_applying_an_update_twice_is_applying_it_once(stream: list[DepthUpdate]) -> None:
    once, twice = Book(), Book()
    for update in stream:
        once.apply(update)
        twice.apply(update)
        twice.apply(update)
        assert once.top(30) == twice.top(30)
