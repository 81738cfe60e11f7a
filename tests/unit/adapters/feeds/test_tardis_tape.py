from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dmm.adapters.feeds import open_tape
from dmm.adapters.feeds.tardis import trade_id_of
from dmm.market.instrument import ContractKind
from dmm.market.tape import BestQuote, DepthUpdate, FeedEvent, TapeReport, TradePrint
from dmm.units.errors import TapeFault

WHO = "binance-futures,BTCUSDT"
T = 1_723_161_600_000_000
BOOK = f"""exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount
{WHO},{T},{T + 5},false,bid,99.8,0.5
{WHO},{T + 10},{T + 20},true,bid,100.1,0.002
{WHO},{T + 10},{T + 20},true,ask,100.3,0.001
{WHO},{T + 10},{T + 20},true,ask,100.4,0.007
{WHO},{T + 30},{T + 40},false,ask,100.3,0
{WHO},{T + 31},{T + 40},false,bid,100.2,1e-3
"""
TRADES = f"""exchange,symbol,timestamp,local_timestamp,id,side,price,amount
{WHO},{T + 35},{T + 40},901,buy,100.3,0.001
{WHO},{T + 36},{T + 41},902,unknown,100.3,0.001
"""
QUOTES = f"""exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount
{WHO},{T + 32},{T + 50},0.007,100.4,100.2,0.001
"""


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(**texts: str) -> list[Path]:
        paths = []
        for name, text in texts.items():
            path = tmp_path / f"{name}.csv.gz"
            path.write_bytes(gzip.compress(text.encode(), mtime=0))
            paths.append(path)
        return paths

    return write


def played(paths: list[Path], **options: Any) -> tuple[list[FeedEvent], TapeReport]:
    feed = open_tape(paths, **options)
    return list(feed.events()), feed.report


def test_books_trades_and_quotes_are_one_tape(write: Any) -> None:
    paths = write(book=BOOK, trades=TRADES, quotes=QUOTES)
    events, report = played(paths)
    assert [type(event) for event in events] == [DepthUpdate, TradePrint, DepthUpdate, BestQuote]
    snapshot, trade, update, quote = events
    assert isinstance(snapshot, DepthUpdate)
    assert snapshot.is_snapshot
    assert (snapshot.bids, snapshot.asks) == (((1001, 2),), ((1003, 1), (1004, 7)))
    assert isinstance(update, DepthUpdate)
    assert (update.bids, update.asks, update.is_snapshot) == (((1002, 1),), ((1003, 0),), False)
    assert update.exchange_at_ns == (T + 31) * 1_000
    assert update.first_id == snapshot.last_id + 1
    assert isinstance(trade, TradePrint)
    assert (trade.price, trade.size, trade.buyer_is_aggressor, trade.trade_id) == (
        1003,
        1,
        True,
        901,
    )
    assert isinstance(quote, BestQuote)
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (1002, 1, 1004, 7)
    # The first row came before any snapshot, the second trade has no aggressor.
    assert (report.skipped_before_snapshot, report.other_messages) == (1, 1)
    assert report.messages == 9


def test_plain_files_are_read_too_and_the_instrument_is_binances(
    write: Any, tmp_path: Path
) -> None:
    plain = tmp_path / "book.csv"
    plain.write_text(BOOK, encoding="utf-8")
    instrument = open_tape([plain]).instrument
    assert (instrument.venue, instrument.kind) == ("binance-usdm", ContractKind.LINEAR)
    assert (instrument.tick_size, instrument.lot_size) == (Decimal("0.1"), Decimal("0.001"))
    assert len(played([plain])[0]) == 2


def test_a_snapshot_in_the_middle_replaces_the_book(write: Any) -> None:
    again = BOOK + f"{WHO},{T + 50},{T + 60},true,bid,99.0,0.003\n"
    events, report = played(write(book=again))
    last = events[-1]
    assert isinstance(last, DepthUpdate)
    assert (last.is_snapshot, last.bids, last.asks) == (True, ((990, 3),), ())
    assert report.snapshots == 2


def test_quotes_alone_are_books_of_one_level(write: Any) -> None:
    events, report = played(write(quotes=QUOTES))
    assert [type(event) for event in events] == [DepthUpdate]
    assert report.one_level_books == 1


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (f"{WHO},{T + 90},{T + 95},false,ask,100.2,0.001", "line 8: crossed book"),
        (f"{WHO},{T + 90},{T + 95},false,both,100.2,0.001", "line 8: unreadable row"),
        (f"{WHO},{T + 90},{T + 95},maybe,ask,100.4,0.001", "line 8: unreadable row"),
        (f"{WHO},{T + 90},{T + 95},false,ask,100.45,0.001", "line 8: price 100.45 is no multiple"),
        (f"{WHO},{T + 90},{T + 95},false,ask,100.4", "line 8: the line has 7 of 8 columns"),
        (f"binance-futures,ETHUSDT,{T},{T + 95},false,ask,1,1", "line 8: mixed instruments: ETH"),
        (f"{WHO},{T + 90},{T - 90_000_000},false,ask,100.4,0.001", "line 8: the recorder's clock"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(write: Any, row: str, what: str) -> None:
    known = open_tape(write(book=BOOK)).instrument.tick_size
    with pytest.raises(TapeFault, match=what):
        played(write(book=f"{BOOK}{row}\n"), tick_size=known)


def test_a_book_without_a_snapshot_is_refused(write: Any) -> None:
    with pytest.raises(TapeFault, match="no snapshot"):
        played(write(book="\n".join(BOOK.splitlines()[:2])))


def test_an_empty_side_of_a_quote_is_refused_or_counted(write: Any) -> None:
    paths = write(book=BOOK, quotes=QUOTES + f"{WHO},{T + 60},{T + 70},,,100.2,0.001\n")
    with pytest.raises(TapeFault, match=r"quotes\.csv\.gz, line 3: .* empty side"):
        played(paths)
    assert played(paths, allow_gaps=True)[1].zero_sizes == 1


def test_a_venue_with_unknown_units_two_symbols_and_wrong_order_are_refused(write: Any) -> None:
    with pytest.raises(TapeFault, match="venue 'okex-swap' has sizes in units unknown here"):
        open_tape(write(book=BOOK.replace("binance-futures", "okex-swap")))
    with pytest.raises(TapeFault, match="mixed instruments"):
        open_tape(write(book=BOOK, trades=TRADES.replace("BTCUSDT", "ETHUSDT")))
    first, second = write(one=BOOK, two=BOOK.replace(str(T)[:10], str(T + 86_400_000_000)[:10]))
    with pytest.raises(TapeFault, match="wrong order"):
        open_tape([second, first])
    # The second file continues the first, so that its updates before its snapshot count.
    assert len(played([first, second])[0]) == 5
    with pytest.raises(TapeFault, match="neither incremental_book_L2"):
        open_tape(write(odd="exchange,symbol,timestamp,local_timestamp,liquidation\n"))


def test_a_cut_gzip_is_refused(write: Any) -> None:
    (path,) = write(book=BOOK)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TapeFault, match="ends too early"):
        played([path])


def test_trade_ids_are_numbers_or_hashes_of_63_bits() -> None:
    assert trade_id_of("901") == 901
    named = trade_id_of("5f0c1ab2-77de")
    assert 0 <= named < 1 << 63
    assert named == trade_id_of("5f0c1ab2-77de") != trade_id_of("5f0c1ab2-77df")
    assert 0 <= trade_id_of("9" * 30) < 1 << 63
