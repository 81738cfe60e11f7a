"""Every flaw is found, named and counted; nothing is dropped in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dmm.adapters.feeds import open_tape
from dmm.adapters.feeds import plausibility as rules
from dmm.market.tape import FLAWS, DepthUpdate, FeedEvent, TapeReport, TradePrint
from dmm.units.errors import TapeFault, UsageFault


def played(tape: Path, **options: Any) -> tuple[list[FeedEvent], TapeReport]:
    feed = open_tape([tape], **options)
    return list(feed.events()), feed.report


def refused_or_counted(tape: Path, *, flaw: str, text: str, kept: int) -> None:
    with pytest.raises(TapeFault, match=text):
        played(tape)
    events, report = played(tape, allow_gaps=True)
    assert {name: getattr(report, name) for name in FLAWS if getattr(report, name)} == {flaw: 1}
    assert len(events) == kept


def test_a_depth_update_that_came_twice_is_played_once_and_counted(
    write_tape: Any, recorder: Any
) -> None:
    healthy, _report = played(write_tape(recorder))
    recorder.lines.append(recorder.lines[-1])
    events, report = played(write_tape(recorder))
    assert events == healthy
    assert (report.duplicates, report.gaps) == (1, 0)
    assert "line 8: the depth update 120 came again" in report.warnings[0]


def test_a_depth_update_that_comes_late_is_refused_or_left_out(
    write_tape: Any, recorder: Any
) -> None:
    recorder.depth([("100.2", "0.009")], ids=(112, 114), previous_id=111)
    refused_or_counted(
        write_tape(recorder),
        flaw="out_of_order",
        text="line 8: the depth update 114 came after 120 was applied",
        kept=5,
    )


def test_a_trade_that_came_twice_is_played_once_and_counted(write_tape: Any, recorder: Any) -> None:
    recorder.trade("100.4", "0.002")
    recorder.lines.append(recorder.lines[-1])
    events, report = played(write_tape(recorder))
    assert report.trades == sum(isinstance(event, TradePrint) for event in events) == 2
    assert report.duplicates == 1


def test_a_trade_under_the_id_of_another_is_refused_or_played_and_counted(
    write_tape: Any, recorder: Any
) -> None:
    recorder.trade("100.4", "0.002", t=1)
    refused_or_counted(
        write_tape(recorder), flaw="out_of_order", text="line 8: the trade id 1 came again", kept=6
    )


def test_only_the_latest_trades_are_remembered(
    write_tape: Any, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "KNOWN_TRADES_MAX", 2)
    again = recorder.lines[4]
    recorder.trade("100.4", "0.002").trade("100.4", "0.003")
    recorder.lines.append(again.replace(again[:19], str(recorder.received_ns)))
    events, report = played(write_tape(recorder), allow_gaps=True)
    assert (len(events), report.duplicates) == (8, 0)


def test_a_trade_of_no_size_is_refused_or_left_out(write_tape: Any, recorder: Any) -> None:
    recorder.trade("100.4", "0.000")
    refused_or_counted(write_tape(recorder), flaw="zero_sizes", text="line 8: .* no size", kept=5)


def test_a_best_quote_of_no_size_is_refused_or_left_out(write_tape: Any, recorder: Any) -> None:
    recorder.best("100.2", "100.3")
    recorder.lines[-1] = recorder.lines[-1].replace('"B":"0.004"', '"B":"0"')
    refused_or_counted(write_tape(recorder), flaw="zero_sizes", text="line 8", kept=5)


def test_a_crossed_best_quote_is_refused_or_left_out(write_tape: Any, recorder: Any) -> None:
    recorder.best("100.4", "100.3")
    refused_or_counted(
        write_tape(recorder),
        flaw="crossed_books",
        text="crossed best quote: bid 1004, ask 1003",
        kept=5,
    )


@pytest.mark.parametrize("price", ["1003.0", "10.0"])
def test_an_absurd_price_is_refused_or_left_out(write_tape: Any, recorder: Any, price: str) -> None:
    recorder.trade(price, "0.001").trade("100.3", "0.001")
    refused_or_counted(
        write_tape(recorder), flaw="absurd_prices", text="line 8: a price of .* ticks", kept=6
    )


def test_a_price_that_is_confirmed_is_believed(write_tape: Any, recorder: Any) -> None:
    recorder.trade("300.0", "0.001").trade("301.0", "0.001").trade("299.0", "0.001")
    events, report = played(write_tape(recorder), allow_gaps=True)
    assert (report.absurd_prices, len(events)) == (1, 7)


def test_a_silence_is_counted_and_told_but_refuses_nothing(write_tape: Any, recorder: Any) -> None:
    recorder.depth(ids=(121, 125), after_ms=60_001)
    recorder.depth(ids=(126, 128), after_ms=60_000)
    _events, report = played(write_tape(recorder))
    assert report.silences == 1
    assert "line 8: nothing was recorded for 60 s" in report.warnings[0]


# -- a book from the best quotes alone --------------------------------------------------------


def test_a_recording_without_a_snapshot_plays_on_its_best_quotes_when_asked(
    write_tape: Any, make_recorder: Any
) -> None:
    tape = write_tape(
        make_recorder(kind="spot")
        .depth([("99.9", "0.001")], ids=(90, 95))
        .stream("bookTicker", {"u": 7, "b": "100.1", "B": "0.004", "a": "100.3", "A": "0.020"})
        .trade("100.3", "0.002")
        .stream("bookTicker", {"u": 9, "b": "100.2", "B": "0.001", "a": "100.3", "A": "0.018"})
    )
    with pytest.raises(TapeFault, match="--book-from-quotes"):
        played(tape)
    events, report = played(tape, book_from_quotes=True)
    books = [event for event in events if isinstance(event, DepthUpdate)]
    assert [(book.bids, book.asks, book.last_id) for book in books] == [
        (((10_010, 4_000),), ((10_030, 20_000),), 7),
        (((10_020, 1_000),), ((10_030, 18_000),), 9),
    ]
    assert all(book.is_snapshot for book in books)
    assert (report.one_level_books, report.other_messages, report.trades) == (2, 1, 1)
    assert report.clock_offset_ms == -1_267


def test_a_book_from_quotes_needs_quotes_and_a_raw_recording(
    write_tape: Any, make_recorder: Any, hour: Any, tmp_path: Path
) -> None:
    with pytest.raises(TapeFault, match="no best quotes"):
        open_tape([write_tape(make_recorder().depth(ids=(1, 2)))], book_from_quotes=True)
    with pytest.raises(UsageFault, match="--book-from-quotes is for raw recordings"):
        open_tape([hour.write(tmp_path)], book_from_quotes=True)


# -- trades alone -----------------------------------------------------------------------------


def test_trades_named_alone_are_a_tape_without_a_book(hour: Any, tmp_path: Path) -> None:
    hour.write(tmp_path)
    trades = tmp_path / "ETHBTC_09_trades.json"
    events, report = played(trades)
    assert [type(event) for event in events] == [TradePrint, TradePrint]
    assert (report.trades, report.depth_updates) == (2, 0)
    assert "no book" in report.warnings[0]
    by_snapshot = open_tape([trades]).instrument
    (tmp_path / "ETHBTC_09_snapshot.json").unlink()
    assert open_tape([trades]).instrument.symbol == by_snapshot.symbol == "ETHBTC"


@pytest.mark.parametrize("text", ["", "[]", '[{"s": 1}]', '[{"s": "ETHBTC"}]'])
def test_a_file_without_trades_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "X_trades.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TapeFault, match=r"X_trades\.json"):
        open_tape([path])
