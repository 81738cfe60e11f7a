from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dmm.adapters.feeds import messages as held
from dmm.adapters.feeds import open_tape, span
from dmm.market.tape import DepthUpdate, FeedEvent, TapeReport, TradePrint
from dmm.units.errors import TapeFault, UsageFault

QUOTES = """timestamp,price,size,side,exchange_timestamp
100.5,107947.0,1.5,bid,100100
100.5,107949.0,0.25,ask,100100
101.25,107948.0,2e-05,bid,100900
"""
TRADES = """timestamp,price,size,side,trade_id,exchange_timestamp
100.5,107949.0,0.042,buy,12,100050
100.5,107947.0,0.5,sell,11,99000
101.25,107948.0,4e-05,sell,13,100800
"""


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(quotes: str = QUOTES, trades: str = TRADES, coin: str = "BTC") -> list[Path]:
        paths = [tmp_path / f"prices_{coin}.csv", tmp_path / f"trades_{coin}.csv"]
        for path, text in zip(paths, (quotes, trades), strict=True):
            path.write_text(text, encoding="utf-8")
        return paths

    return write


def played(paths: list[Path], **options: Any) -> tuple[list[FeedEvent], TapeReport]:
    feed = open_tape(paths, **options)
    return list(feed.events()), feed.report


def test_best_quotes_become_books_of_one_level_and_trades_come_first(write: Any) -> None:
    paths = write()
    events, report = played(paths)
    assert [type(event) for event in events] == [
        TradePrint,
        TradePrint,
        DepthUpdate,
        TradePrint,
        DepthUpdate,
    ]
    first, last = events[2], events[4]
    assert isinstance(first, DepthUpdate)
    assert isinstance(last, DepthUpdate)
    assert (first.bids, first.asks) == (((107_947, 150_000),), ((107_949, 25_000),))
    assert (last.bids, last.asks) == (((107_948, 2),), ((107_949, 25_000),))
    assert (report.messages, report.one_level_books, report.trades) == (6, 2, 3)
    assert report.clock_offset_ms == 350
    assert span(paths) == (100_500_000_000, 101_250_000_000)


def test_trades_of_one_message_leave_in_the_venues_order(write: Any) -> None:
    events, _report = played(write())
    assert [event.trade_id for event in events if isinstance(event, TradePrint)] == [11, 12, 13]


def test_the_instrument_is_told_by_name_and_numbers(write: Any) -> None:
    instrument = open_tape(write()).instrument
    assert (instrument.symbol, instrument.venue) == ("BTC", "hyperliquid")
    assert (instrument.tick_size, instrument.lot_size) == (Decimal(1), Decimal("0.00001"))
    other = open_tape(write(coin="WIF")).instrument
    assert (other.symbol, other.tick_size) == ("WIF", Decimal(1))
    assert open_tape(write(coin="WIF"), tick_size=Decimal("0.5")).instrument.tick_size == Decimal(
        "0.5"
    )


def test_a_side_from_before_a_silence_is_forgotten(write: Any) -> None:
    later = QUOTES + "500.0,107900.0,1.0,ask,499000\n501.0,107800.0,1.0,bid,500000\n"
    events, report = played(write(quotes=later))
    books = [event for event in events if isinstance(event, DepthUpdate)]
    assert report.silences == 1
    assert (books[-1].bids, books[-1].asks) == (((107_800, 100_000),), ((107_900, 100_000),))
    assert len(books) == 3


@pytest.mark.parametrize(
    ("quotes", "trades", "what"),
    [
        (QUOTES + "102.0,107948.0,1.0,mid,101000\n", TRADES, "line 5: side 'mid'"),
        (QUOTES + "102.0,1079", TRADES, "line 5: the line has 2 of 5 columns"),
        (QUOTES + "102.0,1e400,1.0,bid,101000\n", TRADES, "beyond any price"),
        (QUOTES + "102.0,107999.0,1.0,bid,101000\n", TRADES, "line 5: crossed best quote"),
        (QUOTES + "102.0,207948.0,1.0,bid,101000\n", TRADES, "line 5: crossed|absurd"),
        (QUOTES, TRADES + "102.0,107948.0,0.0,sell,14,101000\n", "line 5: .* no size"),
        (QUOTES, TRADES + "102.0,1079.0,1.0,sell,14,101000\n", "line 5: a price of 1079 ticks"),
        (QUOTES, TRADES + "102.0,107948.0,1.0,hold,14,101000\n", "line 5: unreadable row"),
        (QUOTES, TRADES + "nan,107948.0,1.0,sell,14,101000\n", "line 5: time 'nan'"),
        (QUOTES, TRADES + "102.0,107948.0,1.0,sell,14,10100.5\n", "line 5: unreadable row"),
        (QUOTES, TRADES + "90.0,107948.0,1.0,sell,14,101000\n", "line 5: the recorder's clock"),
    ],
)
def test_a_bad_row_is_refused_with_its_file_and_line(
    write: Any, quotes: str, trades: str, what: str
) -> None:
    with pytest.raises(TapeFault, match=what) as caught:
        played(write(quotes=quotes, trades=trades))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(("prices_BTC.csv", "trades_BTC.csv"))


def test_a_price_off_the_tick_is_refused_with_its_line(write: Any) -> None:
    paths = write(quotes=QUOTES + "102.0,107948.5,1.0,bid,101000\n")
    with pytest.raises(TapeFault, match=r"line 5: price 107948\.5 is no multiple of 1"):
        played(paths, tick_size=Decimal(1))


def test_a_trade_sent_again_after_a_reconnect_is_played_once(write: Any) -> None:
    again = TRADES + "102.0,107949.0,0.042,buy,12,100050\n103.0,107949.0,0.1,buy,15,102000\n"
    events, report = played(write(trades=again))
    assert (report.trades, report.duplicates, report.clock_regressions) == (4, 1, 0)
    assert "trades_BTC.csv, line 5: the trade 12 came again" in report.warnings[0]
    assert events[-1].received_at_ns == 103_000_000_000


def test_a_cut_line_that_is_allowed_is_counted(write: Any) -> None:
    events, report = played(write(quotes=QUOTES + "102.0,1079"), allow_gaps=True)
    assert (len(events), report.truncated_lines) == (5, 1)


def test_more_trades_at_one_instant_than_are_held_are_refused(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "MESSAGE_ROWS_MAX", 1)
    with pytest.raises(TapeFault, match="more than 1 trades received at one instant"):
        played(write())


def test_two_coins_wrong_order_no_coin_and_no_rows_are_refused(write: Any, tmp_path: Path) -> None:
    prices, _trades = write()
    _prices, other = write(coin="ETH")
    with pytest.raises(TapeFault, match=r"mixed instruments: prices_BTC\.csv is BTC"):
        open_tape([prices, other])
    late = tmp_path / "prices_BTC.late.csv"
    late.write_text(QUOTES.replace("100.5", "500.5"), encoding="utf-8")
    with pytest.raises(TapeFault, match=r"wrong order: prices_BTC\.csv begins before"):
        open_tape([late, prices])
    nameless = tmp_path / "quotes.csv"
    nameless.write_text(QUOTES, encoding="utf-8")
    with pytest.raises(UsageFault, match="--symbol"):
        open_tape([nameless])
    assert open_tape([nameless], symbol="BTC").instrument.symbol == "BTC"
    empty = tmp_path / "trades_BTC.csv"
    empty.write_text(TRADES.splitlines()[0] + "\n", encoding="utf-8")
    with pytest.raises(TapeFault, match=r"trades_BTC\.csv, line 1: no rows"):
        list(open_tape([empty]).events())
    odd = tmp_path / "odd.csv"
    odd.write_text("timestamp,price,size,side\n1,2,3,bid\n", encoding="utf-8")
    with pytest.raises(TapeFault, match=r"odd\.csv: neither books, best quotes nor trades"):
        open_tape([odd])
