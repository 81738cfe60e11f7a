"""`dmm tape record` against a scripted Binance: what it wrote reads back as what was sent."""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dmm.adapters.feeds import open_tape
from dmm.market.book import Book
from dmm.market.tape import BestQuote, DepthUpdate, TapeReport, TradePrint
from dmm.units.errors import ServiceFault, UsageFault

Sides = tuple[set[tuple[Decimal, Decimal]], set[tuple[Decimal, Decimal]]]


def play(path: Path, *, allow_gaps: bool = False) -> tuple[list[Any], Sides, TapeReport]:
    feed, book = open_tape([path], allow_gaps=allow_gaps), Book()
    events = list(feed.events())
    for event in events:
        if isinstance(event, DepthUpdate):
            book.apply(event)
    tick, lot = feed.instrument.tick_size, feed.instrument.lot_size
    bids, asks = (
        {(price * tick, size * lot) for price, size in levels} for levels in book.top(100)
    )
    return events, (bids, asks), feed.report


def book_of(says: Any) -> Sides:
    """The venue's own book."""
    bids, asks = (
        {(Decimal(price), Decimal(size)) for price, size in says.book[side].items() if float(size)}
        for side in "ba"
    )
    return bids, asks


# -- faults -----------------------------------------------------------------------------------


def test_a_symbol_the_venue_does_not_know_is_refused_and_leaves_no_file(
    record: Any, steps: Any
) -> None:
    async def unknown(path: str) -> tuple[int, bytes]:
        return 400, b'{"code":-1121,"msg":"Invalid symbol."}'

    with pytest.raises(UsageFault, match=r"Invalid symbol.*--symbol") as caught:
        record(steps.server([], unknown), until=lambda tally: False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "headers", "what"),
    [
        (451, {}, "does not serve this place"),
        (403, {}, "what the venue allows"),
        (429, {"Retry-After": "3600"}, "try again in 3600 s"),
    ],
)
def test_a_venue_that_refuses_us_ends_the_recording_at_once(
    record: Any, steps: Any, status: int, headers: dict[str, str], what: str
) -> None:
    async def refusal(path: str) -> tuple[int, bytes, dict[str, str]]:
        return status, b"no", headers

    server = steps.server([], refusal)
    with pytest.raises(ServiceFault, match=what):
        record(server, until=lambda tally: False)
    assert len(server.paths) == 1


def test_a_venue_that_is_busy_is_asked_again(record: Any, steps: Any, spot: Any) -> None:
    asked: list[str] = []

    async def busy(path: str) -> tuple[Any, ...]:
        asked.append(path)
        if len(asked) in {1, 3}:
            return 429, b"slow down", {"Retry-After": "0"}
        return 200, spot.snapshot()

    server = steps.server([[spot.depth("99.99"), spot.depth(ask="100.20")]], busy)
    done = record(server, until=lambda tally: tally.snapshots == 1 and tally.messages == 2)
    assert len(asked) == 4
    assert done.recorded.snapshots_refused == 1
    assert any("429" in text and "asking again" in text for text in done.told)


def test_a_venue_that_is_not_there_is_given_up_in_one_line(record: Any, steps: Any) -> None:
    async def broken(path: str) -> tuple[int, bytes]:
        return 503, b"down"

    server = steps.server([], broken)
    with pytest.raises(ServiceFault, match=r"503 .*check --rest-url"):
        record(server, until=lambda tally: False)
    assert len(server.paths) == steps.quick.first_attempts_max


def test_a_venue_that_goes_away_leaves_a_whole_file(
    record: Any, steps: Any, spot: Any, tmp_path: Path
) -> None:
    gone = [[steps.drop()]] * 10
    script = [spot.depth("99.99"), steps.reached(lambda tally: tally.snapshots == 1), steps.drop()]
    server = steps.server([script, *gone], steps.answers(spot.snapshot()))
    with pytest.raises(ServiceFault, match="no message in 3 connections in a row") as caught:
        record(server, until=lambda tally: False)
    assert "the 2 lines until then are whole" in str(caught.value)
    assert len(steps.lines(tmp_path / "tape.gz")) == 2
    assert not (tmp_path / "tape.gz.part").exists()


def test_a_refused_stream_is_told_in_the_venues_words(record: Any, steps: Any) -> None:
    said = json.dumps({"error": {"code": 2, "msg": "Invalid request: unknown stream"}})
    with pytest.raises(ServiceFault, match="unknown stream"):
        record(steps.server([[said]], steps.answers(b"{}")), until=lambda tally: False)


def test_garbage_is_counted_left_out_and_told_once(record: Any, steps: Any, spot: Any) -> None:
    other = type(spot)(symbol="ETHUSDT")
    garbage = [
        "hello\nworld",
        "[1, 2]",
        b"\xff\xfe",
        '"text"',
        "{}",
        other.trade(),
        spot.frame("trade", {"t": "many"}),
        spot.frame("depth@100ms", {"U": 1, "u": 2}),
        b'{"stream": ["btcusdt@trade"], "data": {}}',
    ]
    good = [spot.depth("99.99"), spot.trade()]
    script = [good[0], *garbage, json.dumps({"result": None, "id": 1}), good[1]]
    server = steps.server([script], steps.answers(spot.snapshot()))
    done = record(server, until=lambda tally: tally.messages == 2 and tally.snapshots == 1)
    assert done.recorded.unusable == len(garbage)
    assert [body for _at, body in steps.lines(done.path) if b"stream" in body] == good
    assert sum("left out" in text for text in done.told) == 1
    assert play(done.path)[2].trades == 1


def test_nothing_but_garbage_ends_a_connection_and_then_the_recording(
    record: Any, steps: Any, tmp_path: Path
) -> None:
    limits = dataclasses.replace(steps.quick, unusable_in_a_row_max=5)
    server = steps.server([["what?"] * 50] * 10, steps.answers(b"{}"))
    with pytest.raises(ServiceFault, match="sends what are no messages"):
        record(server, until=lambda tally: False, limits=limits)
    assert server.connections == limits.first_attempts_max
    assert list(tmp_path.iterdir()) == []


def test_a_book_that_cannot_be_had_ends_the_recording_with_a_whole_file(
    record: Any, steps: Any, spot: Any, tmp_path: Path
) -> None:
    server = steps.server([[spot.depth("99.99")]], steps.answers(spot.snapshot(5)))
    with pytest.raises(ServiceFault, match=r"no usable snapshot of BTCUSDT in 4 tries .*older"):
        record(server, until=lambda tally: False)
    assert not any(b"lastUpdateId" in body for _at, body in steps.lines(tmp_path / "tape.gz"))


def test_a_venue_that_says_nothing_in_the_time_given_leaves_no_file(
    record: Any, steps: Any, tmp_path: Path
) -> None:
    with pytest.raises(ServiceFault, match="sent nothing about BTCUSDT, so no file was made"):
        record(steps.server([], steps.answers(b"{}")), until=lambda tally: False, seconds_max=0.3)
    assert list(tmp_path.iterdir()) == []


def test_a_recording_ends_when_its_time_is_over(record: Any, steps: Any, spot: Any) -> None:
    async def answer(path: str) -> tuple[int, bytes]:
        return 200, snapshot

    first, snapshot = spot.depth("99.99"), spot.snapshot()
    done = record(steps.server([[first]], answer), until=lambda tally: False, seconds_max=1.0)
    assert done.recorded.messages == 1
    assert steps.lines(done.path)[0][1] == first


# -- the book ---------------------------------------------------------------------------------


@pytest.mark.parametrize("is_chained", [False, True])
def test_what_was_sent_is_what_is_read(
    record: Any, steps: Any, make_says: Any, is_chained: bool
) -> None:
    says = make_says(is_chained=is_chained)
    first = says.depth("99.99")
    snapshot = says.snapshot()
    later = [says.trade(), says.depth(ask="100.05"), says.best(), says.depth("99.99", size="0")]
    script = [first, steps.reached(lambda tally: tally.snapshots == 1), *later]
    server = steps.server([script], steps.answers(snapshot))
    done = record(
        server,
        venue="binance-usdm" if is_chained else "binance-spot",
        until=lambda tally: tally.messages == 5,
    )
    lines = steps.lines(done.path)
    assert [body for _at, body in lines] == [first, snapshot, *later]
    assert [at for at, _body in lines] == sorted(at for at, _body in lines)
    assert abs(lines[0][0] // 1_000_000 - steps.now_ms()) < 60_000
    events, book, report = play(done.path)
    kinds = [type(event) for event in events]
    assert kinds == [DepthUpdate, TradePrint, DepthUpdate, BestQuote, DepthUpdate]
    assert events[0].is_snapshot
    assert book == book_of(says)
    assert (report.warnings, report.gaps) == ([], 0)
    recorded = done.recorded
    assert (recorded.messages, recorded.snapshots, recorded.gaps, recorded.unusable) == (5, 1, 0, 0)
    assert recorded.by_stream == {
        "btcusdt@depth@100ms": 3,
        "btcusdt@trade": 1,
        "btcusdt@bookTicker": 1,
    }
    assert recorded.silent == ()
    assert recorded.file_bytes == done.path.stat().st_size
    assert abs(recorded.clock_offset_ms or 0) < 5_000
    path = "/fapi/v1/depth" if is_chained else "/api/v3/depth"
    assert server.paths == [
        f"{path}?symbol=BTCUSDT&limit=5",
        "/stream?streams=btcusdt@depth@100ms/btcusdt@trade/btcusdt@bookTicker",
        f"{path}?symbol=BTCUSDT&limit=1000",
    ]


def test_the_snapshot_is_asked_for_after_the_first_update(
    record: Any, steps: Any, spot: Any
) -> None:
    script = [spot.trade(), spot.best(), steps.reached(lambda tally: tally.messages == 2)]
    server = steps.server([script], steps.answers(spot.snapshot()))
    done = record(server, until=lambda tally: tally.messages == 2)
    assert not any("limit=1000" in path for path in server.paths)
    assert done.recorded.silent == ("btcusdt@depth@100ms",)


@pytest.mark.parametrize("is_chained", [False, True])
def test_a_snapshot_older_than_the_first_update_is_asked_for_again(
    record: Any, steps: Any, make_says: Any, is_chained: bool
) -> None:
    says = make_says(is_chained=is_chained)
    # The oldest that fits: spot goes on right after it, futures hold its id in an update.
    oldest = says.last_id + (1 if is_chained else 0)
    old, fitting = says.snapshot(oldest - 1), says.snapshot(oldest)
    script = [says.depth("99.99"), says.depth(ask="100.05")]
    server = steps.server([script], steps.answers(old, old, fitting))
    done = record(
        server,
        venue="binance-usdm" if is_chained else "binance-spot",
        until=lambda tally: tally.snapshots == 1 and tally.messages == 2,
    )
    assert done.recorded.snapshots_refused == 2
    snapshots = [body for _at, body in steps.lines(done.path) if b"lastUpdateId" in body]
    assert snapshots == [fitting]
    assert play(done.path)[1] == book_of(says)


@pytest.mark.parametrize("is_chained", [False, True])
def test_a_gap_is_told_and_mended_by_a_new_snapshot(
    record: Any, steps: Any, make_says: Any, is_chained: bool
) -> None:
    says = make_says(is_chained=is_chained)
    first, snapshot = says.depth("99.99"), says.snapshot()
    says.depth("99.98")  # lost on its way
    after = [says.depth("99.97"), says.depth(ask="100.02")]
    last = says.depth(ask="100.02", size="0")
    script = [
        first,
        steps.reached(lambda tally: tally.snapshots == 1),
        *after,
        steps.reached(lambda tally: tally.snapshots == 2),
        last,
    ]
    server = steps.server([script], steps.answers(snapshot, says.snapshot()))
    done = record(
        server,
        venue="binance-usdm" if is_chained else "binance-spot",
        until=lambda tally: tally.messages == 4,
    )
    assert (done.recorded.gaps, done.recorded.snapshots, done.recorded.reconnects) == (1, 2, 0)
    assert any(text.startswith("gap: ") for text in done.told)
    _events, book, report = play(done.path, allow_gaps=True)
    assert (report.gaps, report.snapshots) == (1, 2)
    assert book == book_of(says)


@pytest.mark.parametrize("is_clean", [False, True])
def test_a_dropped_connection_is_made_again_and_the_book_with_it(
    record: Any, steps: Any, spot: Any, is_clean: bool
) -> None:
    first, snapshot = spot.depth("99.99"), spot.snapshot()
    spot.depth("99.98", size="0.7")  # while nobody listened
    second = spot.depth(ask="100.02")
    server = steps.server(
        [
            [
                first,
                steps.reached(lambda tally: tally.snapshots == 1),
                steps.close() if is_clean else steps.drop(),
            ],
            [second],
        ],
        steps.answers(snapshot, spot.snapshot()),
    )
    done = record(server, until=lambda tally: tally.messages == 2 and tally.snapshots == 2)
    assert (done.recorded.reconnects, done.recorded.gaps) == (1, 1)
    assert any("connecting again in" in text for text in done.told)
    _events, book, report = play(done.path, allow_gaps=True)
    assert (report.gaps, book) == (1, book_of(spot))


def test_a_connection_made_again_in_time_costs_nothing(record: Any, steps: Any, spot: Any) -> None:
    first, snapshot, second = spot.depth("99.99"), spot.snapshot(), spot.depth("99.97")
    server = steps.server(
        [[first, steps.reached(lambda tally: tally.snapshots == 1), steps.drop()], [second]],
        steps.answers(snapshot),
    )
    done = record(server, until=lambda tally: tally.messages == 2)
    assert (done.recorded.reconnects, done.recorded.gaps, done.recorded.snapshots) == (1, 0, 1)
    _events, book, report = play(done.path)  # no flaw
    assert (report.gaps, book) == (0, book_of(spot))


def test_a_gap_while_the_snapshot_is_on_its_way_asks_for_another(
    record: Any, steps: Any, spot: Any
) -> None:
    first, stale = spot.depth("99.99"), spot.snapshot()
    spot.depth("99.98")
    second = spot.depth("99.97")
    fresh = spot.snapshot()
    asked: list[str] = []

    async def answer(path: str) -> tuple[int, bytes]:
        asked.append(path)
        if len(asked) == 2:  # the first snapshot: answered only after the gap
            await server.reached(lambda tally: tally.gaps == 1)
        return 200, stale if len(asked) <= 2 else fresh

    script = [first, steps.reached(lambda _tally: len(asked) == 2), second]
    server = steps.server([script], answer)
    done = record(server, until=lambda tally: tally.snapshots == 1)
    assert done.recorded.snapshots_refused == 1
    assert [body for _at, body in steps.lines(done.path)] == [first, second, fresh]
    assert play(done.path, allow_gaps=True)[1] == book_of(spot)


# -- age, disk --------------------------------------------------------------------------------


def test_an_old_connection_is_replaced_without_a_gap(record: Any, steps: Any, spot: Any) -> None:
    limits = dataclasses.replace(steps.quick, rollover_s=0.3, overlap_s=1.0)
    first, snapshot = spot.depth("99.99"), spot.snapshot()
    both = [spot.depth("99.98"), spot.trade(), spot.best(), spot.depth("99.97")]
    late = spot.depth("99.96")
    server = steps.server(
        [
            [first, steps.reached(lambda _tally: server.connections >= 2), *both],
            [steps.reached(lambda tally: tally.messages == 5), *both, late],
        ],
        steps.answers(snapshot),
    )
    done = record(
        server,
        limits=limits,
        until=lambda tally: tally.rollovers >= 1 and tally.messages == 6,
    )
    assert done.recorded.duplicates == len(both)
    assert (done.recorded.gaps, done.recorded.reconnects) == (0, 0)
    _events, book, report = play(done.path)
    assert (report.trades, report.duplicates, report.best_quotes) == (1, 0, 1)
    assert book == book_of(spot)


def test_connections_that_cut_their_batches_differently_make_no_gap(
    record: Any, steps: Any, spot: Any
) -> None:
    limits = dataclasses.replace(steps.quick, rollover_s=0.3, overlap_s=1.0)
    first, snapshot = spot.depth("99.99"), spot.snapshot()
    early, late = spot.depth("99.98"), spot.depth("99.97")
    after = spot.depth("99.96")
    across = json.loads(late)
    across["data"]["U"] = json.loads(early)["data"]["U"]  # what the old one brings in two
    server = steps.server(
        [
            [
                first,
                steps.reached(lambda _tally: server.connections >= 2),
                early,
                steps.reached(lambda tally: tally.duplicates == 1),
                late,
            ],
            [
                steps.reached(lambda tally: tally.messages == 2),
                json.dumps(across),
                steps.reached(lambda tally: tally.messages == 3),
                after,
            ],
        ],
        steps.answers(snapshot),
    )
    done = record(server, limits=limits, until=lambda tally: tally.messages == 4)
    assert (done.recorded.gaps, done.recorded.duplicates) == (0, 1)
    assert play(done.path)[1] == book_of(spot)


def test_a_slow_disk_makes_the_venue_wait_and_loses_nothing(
    record: Any, steps: Any, spot: Any
) -> None:
    limits = dataclasses.replace(steps.quick, buffer_bytes_max=500)
    first, snapshot = spot.depth("99.99"), spot.snapshot()
    many = [spot.trade() for _ in range(60)]
    script = [first, steps.reached(lambda tally: tally.snapshots == 1), *many]
    server = steps.server([script], steps.answers(snapshot))
    done = record(
        server,
        limits=limits,
        tape_kind=steps.slow_tape,
        until=lambda tally: tally.messages == 61,
    )
    assert done.recorded.stalls > 5
    assert [body for _at, body in steps.lines(done.path)] == [first, snapshot, *many]


def test_a_message_of_several_lines_becomes_one(record: Any, steps: Any, spot: Any) -> None:
    spread = json.dumps(json.loads(spot.depth("99.99")), indent=1)
    snapshot = json.dumps(json.loads(spot.snapshot()), indent=1).encode()
    server = steps.server([[spread]], steps.answers(snapshot))
    done = record(server, until=lambda tally: tally.snapshots == 1)
    assert [json.loads(body) for _at, body in steps.lines(done.path)] == [
        json.loads(spread),
        json.loads(snapshot),
    ]
    assert play(done.path)[1] == book_of(spot)
