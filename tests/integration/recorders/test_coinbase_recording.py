"""`dmm tape record` against a scripted Coinbase: book over the socket, gaps by sequence number."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from dmm.adapters.feeds import open_tape
from dmm.market.book import Book
from dmm.market.tape import DepthUpdate, TradePrint
from dmm.units.errors import ServiceFault, UsageFault


class CoinbaseSays:
    """Frames of one connection; sequence numbers rise by themselves."""

    def __init__(self) -> None:
        self.numbers = itertools.count()

    def frame(self, channel: str, *events: dict[str, Any]) -> bytes:
        at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "123Z")
        body = {"channel": channel, "timestamp": at, "sequence_num": next(self.numbers)}
        return json.dumps(body | {"events": list(events)}).encode()

    def book(self, kind: str, *levels: tuple[str, str, str]) -> bytes:
        updates = [
            {"side": side, "price_level": price, "new_quantity": size}
            for side, price, size in levels
        ]
        return self.frame("l2_data", {"type": kind, "product_id": "BTC-USD", "updates": updates})

    def snapshot(self) -> bytes:
        return self.book(
            "snapshot", ("bid", "99.99", "0.5"), ("bid", "99.5", "2"), ("offer", "100.01", "0.25")
        )

    def trade(self, number: int) -> bytes:
        trade = {"trade_id": str(number), "product_id": "BTC-USD", "side": "SELL"}
        trade |= {"price": "100.01", "size": "0.1", "time": datetime.now(UTC).isoformat()}
        return self.frame("market_trades", {"type": "update", "trades": [trade]})


@pytest.fixture
def answers(steps: Any) -> Any:
    return steps.answers(b"{}")


def test_what_was_sent_is_what_is_read(record: Any, steps: Any, answers: Any) -> None:
    says = CoinbaseSays()
    frames = [
        says.snapshot(),
        says.frame("subscriptions", {"subscriptions": {"level2": ["BTC-USD"]}}),
        says.book("update", ("bid", "99.99", "0"), ("bid", "100", "0.00000001")),
        says.frame("heartbeats", {"heartbeat_counter": 1}),
        says.trade(7),
    ]
    server = steps.server([frames], answers)
    done = record(
        server, venue="coinbase", symbol="btc-usd", until=lambda tally: tally.messages == 5
    )
    assert server.received == [
        {"type": "subscribe", "channel": channel, "product_ids": ["BTC-USD"]}
        for channel in ("level2", "market_trades", "ticker", "heartbeats")
    ]
    assert server.paths[0] == "/api/v3/brokerage/market/products/BTC-USD"
    assert [body for _at, body in steps.lines(done.path)] == frames
    assert (done.recorded.gaps, done.recorded.silent) == (0, ("ticker",))
    assert abs(done.recorded.clock_offset_ms or 0) < 5_000
    feed, book = open_tape([done.path]), Book()
    trades = []
    for event in feed.events():
        if isinstance(event, DepthUpdate):
            book.apply(event)
        elif isinstance(event, TradePrint):
            trades.append(event)
    assert feed.instrument.tick_size == Decimal("0.01")
    assert book.top(1) == (((10_000, 1),), ((10_001, 25_000_000),))
    assert [(trade.trade_id, trade.buyer_is_aggressor) for trade in trades] == [(7, True)]


def test_a_gap_ends_the_connection_and_the_next_one_brings_the_book(
    record: Any, steps: Any, answers: Any
) -> None:
    says, again = CoinbaseSays(), CoinbaseSays()
    before = [says.snapshot(), says.book("update", ("bid", "99.98", "1"))]
    says.trade(1)  # lost on its way
    before.append(says.trade(2))
    after = [again.snapshot(), again.trade(3)]
    server = steps.server([before, after], answers)
    done = record(
        server, venue="coinbase", symbol="BTC-USD", until=lambda tally: tally.messages == 5
    )
    assert (done.recorded.gaps, done.recorded.reconnects) == (1, 1)
    assert [body for _at, body in steps.lines(done.path)] == [*before, *after]
    feed, book = open_tape([done.path], allow_gaps=True), Book()
    for event in feed.events():
        if isinstance(event, DepthUpdate):
            book.apply(event)
    assert (feed.report.gaps, feed.report.snapshots, feed.report.trades) == (2, 2, 2)
    assert len(book.top(10)[0]) == 2  # the level of before the gap is gone


def test_an_unknown_product_and_a_refused_channel_are_told_in_one_line(
    record: Any, steps: Any, answers: Any
) -> None:
    async def unknown(path: str) -> tuple[int, bytes]:
        return 404, b'{"error":"NOT_FOUND","message":"valid product_id is required"}'

    with pytest.raises(UsageFault, match=r"valid product_id is required.*--symbol"):
        record(
            steps.server([], unknown),
            venue="coinbase",
            symbol="XXX-USD",
            until=lambda tally: False,
        )
    said = json.dumps({"type": "error", "message": "failed to subscribe: channel disabled"})
    with pytest.raises(ServiceFault, match="channel disabled"):
        record(
            steps.server([[said]], answers),
            venue="coinbase",
            symbol="BTC-USD",
            until=lambda tally: False,
        )
