"""Recordings of Coinbase Advanced Trade: book by snapshot and updates, gaps by sequence number."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dmm.adapters.feeds import open_tape, span
from dmm.adapters.feeds.formats import Format, format_of
from dmm.market.instrument import ContractKind
from dmm.market.tape import BestQuote, DepthUpdate, FeedEvent, TapeReport, TradePrint
from dmm.units.errors import TapeFault, UsageFault

STARTED_NS = 1_675_974_770_000_000_000
Event = dict[str, Any]


class Lines:
    """A recording, line by line; the venue's clock is 40 ms behind the recorder's."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.received_ns = STARTED_NS
        self.sequence = 0

    def add(self, channel: str, *events: Event, after_ms: int = 10) -> Lines:
        self.received_ns += after_ms * 1_000_000
        body = {
            "channel": channel,
            "client_id": "",
            "timestamp": self.stamp(),
            "sequence_num": self.sequence,
            "events": list(events),
        }
        self.sequence += 1
        self.lines.append(f"{self.received_ns} {json.dumps(body, separators=(',', ':'))}")
        return self

    def stamp(self) -> str:
        whole_s, rest_ns = divmod(self.received_ns - 40_000_000, 10**9)
        minute, second = divmod(whole_s, 60)
        return f"2023-02-09T{minute // 60 % 24:02}:{minute % 60:02}:{second:02}.{rest_ns:09}Z"

    def book(self, kind: str, *levels: tuple[str, str, str], product: str = "BTC-USD") -> Lines:
        updates = [
            {"side": s, "event_time": "1970-01-01T00:00:00Z", "price_level": p, "new_quantity": q}
            for s, p, q in levels
        ]
        return self.add("l2_data", {"type": kind, "product_id": product, "updates": updates})

    def snapshot(self) -> Lines:
        return self.book(
            "snapshot",
            ("bid", "21921.73", "0.06317902"),
            ("bid", "21921.3", "0.02"),
            ("offer", "21921.74", "1.5"),
            ("offer", "21923", "3"),
        )

    def trades(self, *trades: Event, kind: str = "update") -> Lines:
        common = {"product_id": "BTC-USD", "size": "0.3", "price": "21921.74", "side": "SELL"}
        return self.add(
            "market_trades",
            {"type": kind, "trades": [common | {"time": self.stamp()} | t for t in trades]},
        )

    def ticker(self, **changes: str) -> Lines:
        ticker = {"type": "ticker", "product_id": "BTC-USD", "price": "21921.74"}
        ticker |= {"best_bid": "21921.73", "best_bid_quantity": "0.06"}
        ticker |= {"best_ask": "21921.74", "best_ask_quantity": "1.5"}
        return self.add("ticker", {"type": "update", "tickers": [ticker | changes]})

    def write(self, folder: Path, name: str = "tape.gz") -> Path:
        path = folder / name
        path.write_bytes(gzip.compress("".join(f"{line}\n" for line in self.lines).encode()))
        return path


def play(*paths: Path, allow_gaps: bool = False) -> tuple[list[FeedEvent], TapeReport]:
    feed = open_tape(paths, allow_gaps=allow_gaps)
    return list(feed.events()), feed.report


def test_a_recording_is_told_from_one_of_binance_and_says_what_it_is_about(tmp_path: Path) -> None:
    path = Lines().snapshot().write(tmp_path)
    assert format_of([path]) is Format.COINBASE
    instrument = open_tape([path]).instrument
    assert (instrument.symbol, instrument.venue) == ("BTC-USD", "coinbase")
    assert instrument.kind is ContractKind.SPOT
    assert (instrument.tick_size, instrument.lot_size) == (Decimal("0.01"), Decimal("1e-8"))
    assert (instrument.position.symbol, instrument.cash.symbol) == ("BTC", "USD")
    assert open_tape([path], tick_size=Decimal("0.005")).instrument.tick_size == Decimal("0.005")
    assert span([path]) == (STARTED_NS + 10_000_000,) * 2


def test_book_trades_and_quotes_come_in_ticks_and_lots(tmp_path: Path) -> None:
    lines = Lines().snapshot().book("update", ("bid", "21921.73", "0"), ("offer", "21922", "2"))
    lines.trades({"trade_id": "12", "side": "BUY"}, {"trade_id": "11", "side": "SELL"})
    lines.ticker().add("heartbeats", {"heartbeat_counter": 3})
    events, report = play(lines.write(tmp_path))
    assert [type(event) for event in events] == [
        *(DepthUpdate, DepthUpdate),
        *(TradePrint, TradePrint),
        BestQuote,
    ]
    whole, update, first, second, quote = events
    assert isinstance(whole, DepthUpdate)
    assert isinstance(update, DepthUpdate)
    assert whole.is_snapshot
    assert whole.bids == ((2_192_173, 6_317_902), (2_192_130, 2_000_000))
    assert (update.bids, update.asks) == (((2_192_173, 0),), ((2_192_200, 200_000_000),))
    assert isinstance(first, TradePrint)
    assert isinstance(second, TradePrint)
    # The latest trade is named first; a trade's side is its maker's.
    assert (first.trade_id, first.buyer_is_aggressor) == (11, True)
    assert (second.trade_id, second.buyer_is_aggressor) == (12, False)
    assert (first.price, first.size) == (2_192_174, 30_000_000)
    assert isinstance(quote, BestQuote)
    assert (quote.bid, quote.ask_size) == (2_192_173, 150_000_000)
    assert update.received_at_ns - update.exchange_at_ns == 40_000_000
    assert (report.messages, report.other_messages, report.clock_offset_ms) == (5, 1, 40)
    assert report.warnings == []


def test_trades_of_before_the_connection_are_not_played(tmp_path: Path) -> None:
    lines = Lines().snapshot().trades({"trade_id": "1"}, {"trade_id": "2"}, kind="snapshot")
    events, report = play(lines.trades({"trade_id": "3"}).write(tmp_path))
    assert [event.trade_id for event in events if isinstance(event, TradePrint)] == [3]
    assert report.other_messages == 1


@pytest.mark.parametrize(
    ("sequence", "what"), [(5, "message 5 follows 1"), (0, "a new connection began")]
)
def test_a_skipped_number_and_a_new_connection_are_gaps(
    tmp_path: Path, sequence: int, what: str
) -> None:
    lines = Lines().snapshot().ticker()
    lines.sequence = sequence
    path = lines.snapshot().book("update", ("bid", "21921.5", "1")).write(tmp_path)
    with pytest.raises(TapeFault, match=rf"tape\.gz, line 3: {what}"):
        play(path)
    events, report = play(path, allow_gaps=True)
    assert (report.gaps, report.snapshots, len(events)) == (1, 2, 4)


def test_updates_before_the_snapshot_are_left_out_and_a_book_never_seen_is_refused(
    tmp_path: Path,
) -> None:
    lines = Lines().book("update", ("bid", "21921.5", "1")).snapshot()
    events, report = play(lines.write(tmp_path))
    assert (len(events), report.skipped_before_snapshot) == (1, 1)
    bare = Lines().ticker().write(tmp_path, "bare.gz")
    with pytest.raises(TapeFault, match=r"bare\.gz: no snapshot among its first"):
        play(bare)


def test_files_continue_each_other_and_never_mix(tmp_path: Path) -> None:
    first = Lines().snapshot()
    second = Lines()
    second.received_ns = first.received_ns + 1_000_000
    second.snapshot()
    paths = first.write(tmp_path, "1.gz"), second.write(tmp_path, "2.gz")
    assert play(*paths, allow_gaps=True)[1].gaps == 1  # a new connection
    with pytest.raises(TapeFault, match=r"1\.gz begins before 2\.gz"):
        open_tape(paths[::-1])
    other = Lines().snapshot().book("update", ("bid", "9.5", "1"), product="ETH-USD")
    with pytest.raises(TapeFault, match="mixed instruments: ETH-USD in a tape of BTC-USD"):
        play(other.write(tmp_path, "3.gz"), allow_gaps=True)
    with pytest.raises(UsageFault, match="named twice"):
        open_tape([paths[0], paths[0]])


@pytest.mark.parametrize(
    ("flaw", "damage"),
    [
        ("crossed_books", lambda lines: lines.book("update", ("bid", "21922", "1"))),
        ("zero_sizes", lambda lines: lines.ticker(best_bid="")),
        ("zero_sizes", lambda lines: lines.trades({"trade_id": "4", "size": "0"})),
        ("truncated_lines", lambda lines: lines.lines.append("1675974770000000000 {")),
    ],
)
def test_a_flaw_is_refused_by_line_or_counted(tmp_path: Path, flaw: str, damage: Any) -> None:
    lines = Lines().snapshot()
    damage(lines)
    path = lines.write(tmp_path)
    with pytest.raises(TapeFault, match=r"tape\.gz, line 2: .*--allow-gaps"):
        play(path)
    assert getattr(play(path, allow_gaps=True)[1], flaw) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: lines.book("update", ("middle", "21922", "1")),
        lambda lines: lines.book("update", ("bid", "21922.001", "1")),
        lambda lines: lines.trades({"trade_id": "first"}),
        lambda lines: lines.add("l2_data", {"type": "update"}),
    ],
)
def test_what_is_no_message_is_refused_whatever_is_allowed(tmp_path: Path, damage: Any) -> None:
    lines = Lines().snapshot()
    damage(lines)
    with pytest.raises(TapeFault, match=r"tape\.gz, line 2: ") as caught:
        play(lines.write(tmp_path), allow_gaps=True)
    assert "\n" not in str(caught.value)
