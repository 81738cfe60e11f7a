from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.market.tape import BestQuote, DepthUpdate, FeedEvent, TradePrint
from dmm.market.tape_columns import (
    MessageKind,
    TapeColumns,
    columns_of,
    joined,
    pieces_of,
    span_of,
)
from dmm.units.errors import TapeFault

WHOLE = st.integers(1, 2**62)
LEVELS = st.lists(st.tuples(WHOLE, st.integers(0, 2**62)), max_size=4).map(tuple)


def _events(kind: Any, **fields: Any) -> Any:
    return st.builds(kind, exchange_at_ns=WHOLE, received_at_ns=st.just(0), **fields)


def _in_order(events: list[FeedEvent]) -> list[FeedEvent]:
    return [replace(event, received_at_ns=at) for at, event in enumerate(events)]  # type: ignore[arg-type]


TAPES = st.lists(
    st.one_of(
        _events(
            DepthUpdate,
            first_id=WHOLE,
            last_id=WHOLE,
            is_snapshot=st.booleans(),
            bids=LEVELS,
            asks=LEVELS,
        ),
        _events(BestQuote, bid=WHOLE, bid_size=WHOLE, ask=WHOLE, ask_size=WHOLE),
        _events(
            TradePrint, price=WHOLE, size=WHOLE, buyer_is_aggressor=st.booleans(), trade_id=WHOLE
        ),
    ),
    max_size=12,
).map(_in_order)


@given(TAPES)
def test_a_tape_comes_back_from_its_columns_event_by_event(tape: list[FeedEvent]) -> None:
    columns = columns_of(tape)
    columns.require_sound()
    assert list(columns.events()) == tape
    assert columns.messages == len(tape)


@given(tape=TAPES, messages_max=st.integers(1, 5), rows_max=st.integers(1, 5))
def test_pieces_joined_are_the_whole_and_none_is_larger_than_asked(
    tape: list[FeedEvent], messages_max: int, rows_max: int
) -> None:
    pieces = list(pieces_of(tape, messages_max=messages_max, rows_max=rows_max))
    for piece in pieces:
        assert 0 < piece.messages <= messages_max
        # Only the last message may reach beyond the bound.
        assert int(piece.starts[-2]) < rows_max
    assert list(joined(pieces).events()) == tape


@given(tape=TAPES, data=st.data())
def test_a_piece_holds_the_messages_of_its_range(tape: list[FeedEvent], data: Any) -> None:
    first = data.draw(st.integers(0, len(tape)))
    last = data.draw(st.integers(first, len(tape)))
    assert list(columns_of(tape).piece(first, last).events()) == tape[first:last]


def quote_and_trade() -> TapeColumns:
    return columns_of(
        [
            BestQuote(
                exchange_at_ns=5,  # type: ignore[arg-type]
                received_at_ns=7,  # type: ignore[arg-type]
                bid=99,  # type: ignore[arg-type]
                bid_size=3,  # type: ignore[arg-type]
                ask=101,  # type: ignore[arg-type]
                ask_size=4,  # type: ignore[arg-type]
            ),
            TradePrint(
                exchange_at_ns=8,  # type: ignore[arg-type]
                received_at_ns=9,  # type: ignore[arg-type]
                price=101,  # type: ignore[arg-type]
                size=2,  # type: ignore[arg-type]
                buyer_is_aggressor=False,
                trade_id=42,
            ),
        ]
    )


def test_a_quote_is_two_rows_and_a_trade_one() -> None:
    columns = quote_and_trade()
    assert columns.starts.tolist() == [0, 2, 3]
    assert columns.kind.tolist() == [MessageKind.QUOTE, MessageKind.TRADE]
    assert columns.side.tolist() == [1, -1, -1]
    assert columns.price_ticks.tolist() == [99, 101, 101]
    assert columns.size_lots.tolist() == [3, 4, 2]
    assert columns.last_id.tolist() == [0, 42]
    assert span_of(columns) == (7, 9)
    assert columns.nbytes == 3 * 8 + 2 * (4 * 8 + 1) + 3 * 17


@pytest.mark.parametrize(
    ("name", "values", "what"),
    [
        ("kind", [2, 9], "unknown kind"),
        ("kind", [3, 3], "trade without exactly one row"),
        ("kind", [2, 2], "quote without exactly two rows"),
        ("side", [1, 0, -1], "unknown side"),
        ("side", [-1, 1, -1], "not bid, then ask"),
        ("price_ticks", [99, 0, 101], "price that is not positive"),
        ("size_lots", [3, 4, -2], "negative size"),
        ("received_at_ns", [7, 6], "received times that run back"),
        ("starts", [0, 4, 3], "boundaries run back"),
    ],
)
def test_columns_that_no_feed_left_are_refused(name: str, values: list[int], what: str) -> None:
    columns = quote_and_trade()
    changed: dict[str, Any] = {name: np.array(values, dtype=getattr(columns, name).dtype)}
    with pytest.raises(ValueError, match=what):
        replace(columns, **changed).require_sound()


@pytest.mark.parametrize("name", ["first_id", "size_lots"])
def test_columns_of_unequal_length_or_another_type_are_refused(name: str) -> None:
    columns = quote_and_trade()
    short: dict[str, Any] = {name: np.array([1], dtype=np.int64)}
    with pytest.raises(ValueError, match=f"{name} has 1 entries"):
        replace(columns, **short)
    wrong: dict[str, Any] = {name: getattr(columns, name).astype(np.float64)}
    with pytest.raises(ValueError, match=f"{name} has type float64"):
        replace(columns, **wrong)


def test_a_number_beyond_63_bits_is_a_fault_of_the_tape() -> None:
    trade = list(quote_and_trade().events())[1]
    with pytest.raises(TapeFault, match="63 bits"):
        columns_of([replace(trade, trade_id=1 << 63)])  # type: ignore[arg-type]


def test_an_empty_tape_has_no_span() -> None:
    assert span_of(columns_of([])) is None
    assert joined([]).messages == 0
