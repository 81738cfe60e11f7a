"""Scenarios change what they name, and nothing else."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from simulation_reference.tapes import book, ms, print_of, quote

from dmm.market.book import Book
from dmm.market.tape import BestQuote, DepthUpdate
from dmm.market.tape_columns import MessageKind, TapeColumns, columns_of
from dmm.simulation.experiment.stress import Window, crossed, delayed, gapped, hurried, thinned
from dmm.units.errors import UsageFault

BIDS, ASKS = [(99, 40), (98, 7)], [(101, 60), (103, 3)]


def tape() -> TapeColumns:
    return columns_of(
        [
            book(0, BIDS, ASKS, whole=True),
            print_of(1, 101, 30, buyer=True),
            book(2, [(100, 21)], [(101, 0)]),
            quote(3, 100, 103),
            book(4, [], [(102, 45)]),
            print_of(5, 100, 5, buyer=False),
            book(6, [(98, 0)], []),
        ]
    )


def books(columns: TapeColumns) -> list[tuple[object, object]]:
    seen, one = [], Book()
    for event in columns.events():
        if isinstance(event, DepthUpdate):
            one.apply(event)
            seen.append(one.top(9))
    return seen


def test_what_cannot_be_is_refused() -> None:
    columns = tape()
    with pytest.raises(UsageFault, match="must last"):
        Window(from_ns=5, until_ns=5)
    with pytest.raises(UsageFault, match="no window"):
        Window.middle(columns, length_ns=10**12)
    with pytest.raises(UsageFault, match="factor"):
        thinned(columns, factor=0)
    with pytest.raises(UsageFault, match="factor"):
        hurried(columns, factor=101)
    with pytest.raises(UsageFault, match="not within the tape"):
        gapped(columns, at_ns=ms(99), shift_ticks=1)
    with pytest.raises(UsageFault, match="jump by less"):
        gapped(columns, at_ns=ms(3), shift_ticks=-98)
    with pytest.raises(UsageFault, match="cross by one tick"):
        crossed(columns, window=Window(from_ns=ms(1), until_ns=ms(4)), by_ticks=0)
    with pytest.raises(UsageFault, match="no message"):
        crossed(columns, window=Window(from_ns=ms(50), until_ns=ms(60)), by_ticks=1)


def test_a_thin_book_shows_less_and_trades_the_same() -> None:
    columns = tape()
    thin = thinned(columns, factor=20)
    trades = np.repeat(columns.kind == MessageKind.TRADE, np.diff(columns.starts))
    assert thin.size_lots[trades].tolist() == columns.size_lots[trades].tolist() == [30, 5]
    assert thin.size_lots[~trades].tolist() == [2, 1, 3, 1, 1, 0, 1, 1, 2, 0]
    assert thin.price_ticks.tolist() == columns.price_ticks.tolist()


def test_a_hurried_tape_is_the_square_as_fast_and_as_late() -> None:
    columns = tape()
    fast = hurried(columns, factor=2)
    steps = np.diff(columns.received_at_ns) // 4
    assert np.diff(fast.received_at_ns).tolist() == steps.tolist()
    before, after = (one.received_at_ns - one.exchange_at_ns for one in (columns, fast))
    assert before.tolist() == after.tolist()


def test_an_outage_is_heard_at_its_end_and_happens_when_it_happens() -> None:
    columns = tape()
    silent = delayed(columns, window=Window(from_ns=ms(2), until_ns=ms(5.5)))
    assert silent.exchange_at_ns.tolist() == columns.exchange_at_ns.tolist()
    heard = [(int(at) - ms(0)) / 1e6 for at in silent.received_at_ns]
    assert heard == [0, 1, 5.5, 5.5, 5.5, 5.5, 6]


def test_after_a_gap_every_price_is_shifted_and_the_book_whole() -> None:
    columns = tape()
    jumped = gapped(columns, at_ns=ms(3.5), shift_ticks=-50)
    whole = books(columns)
    # The jump is a message of its own, before the first one after it.
    expected = [*whole[:2], shifted(whole[1]), *map(shifted, whole[2:])]
    assert books(jumped) == expected
    prints = [int(event.price) for event in jumped.events() if hasattr(event, "trade_id")]
    assert prints == [101, 50]
    assert all(a <= b for a, b in pairwise(jumped.received_at_ns.tolist()))


def shifted(sides: tuple[object, object]) -> tuple[object, object]:
    return tuple(  # type: ignore[return-value]
        tuple((price - 50, size) for price, size in side)  # type: ignore[attr-defined]
        for side in sides
    )


def test_a_crossed_feed_shows_the_bid_above_the_ask_in_its_window_alone() -> None:
    columns = tape()
    window = Window(from_ns=ms(2), until_ns=ms(5))
    shown = list(crossed(columns, window=window, by_ticks=3).events())
    quotes = [
        ((e.received_at_ns - ms(0)) / 1e6, e.bid, e.ask) for e in shown if isinstance(e, BestQuote)
    ]
    assert quotes == [(2, 106, 103), (3, 106, 103), (4, 105, 102)]
    assert [e for e in shown if not isinstance(e, BestQuote)] == [
        e for e in columns.events() if not isinstance(e, BestQuote)
    ]
