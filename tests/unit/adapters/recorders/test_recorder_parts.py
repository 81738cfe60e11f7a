"""The parts of a recorder that need no socket: sequence rules, delays, the growing file."""

from __future__ import annotations

import errno
import gzip
import random
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.adapters.feeds.files import LINE_BYTES_MAX
from dmm.adapters.recorders import VENUES, Limits, TapeFile, venue_of
from dmm.adapters.recorders.limits import FRAME_BYTES_MAX, BackOff
from dmm.adapters.recorders.tally import OFFSETS_MAX, Tally
from dmm.adapters.recorders.venue import Unusable
from dmm.units.errors import ServiceFault, UsageFault


def depth(first_id: int, last_id: int, *, before: int | None = None) -> dict[str, Any]:
    data: dict[str, Any] = {"E": 1, "U": first_id, "u": last_id, "b": [], "a": []}
    if before is not None:
        data["pu"] = before
    return {"stream": "btcusdt@depth@100ms", "data": data}


# -- venues -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"name": "kraken"}, "binance-spot, binance-usdm, coinbase"),
        ({"symbol": "BTC/USDT"}, "write it like BTCUSDT"),
        ({"symbol": ""}, "write it like BTCUSDT"),
        ({"name": "coinbase", "symbol": "BTCUSD"}, "write it like BTC-USD"),
        ({"name": "coinbase", "symbol": "BTC-USDC"}, "record BTC-USD"),
        ({"streams": ["depth", "candles"]}, "of depth, trades, bookTicker"),
        ({"streams": ["depth", "depth"]}, "name each once"),
        ({"streams": ["trades"]}, "add depth"),
        ({"socket_url": "http://127.0.0.1"}, "must begin with ws:// or wss://"),
        ({"rest_url": "127.0.0.1"}, "must begin with http:// or https://"),
    ],
)
def test_a_wrong_wish_is_refused_with_what_is_right(changes: dict[str, Any], what: str) -> None:
    wish: dict[str, Any] = {"name": "binance-spot", "symbol": "BTCUSDT"} | changes
    with pytest.raises(UsageFault, match=what):
        venue_of(wish.pop("name"), **wish)


def test_every_venue_has_its_public_addresses() -> None:
    found = {
        name: venue_of(name, symbol="BTC-USD" if name == "coinbase" else "btcusdt")
        for name in VENUES
    }
    assert found["binance-spot"].socket_url == (
        "wss://stream.binance.com:9443/stream?streams="
        "btcusdt@depth@100ms/btcusdt@trade/btcusdt@bookTicker"
    )
    assert found["binance-usdm"].socket_url.startswith("wss://fstream.binance.com/public/stream?")
    assert found["coinbase"].socket_url == "wss://advanced-trade-ws.coinbase.com"
    assert all(venue.rest_url.startswith("https://") for venue in found.values())


@given(
    spans=st.lists(
        st.tuples(st.integers(1, 50), st.booleans(), st.integers(2, 9)), min_size=1, max_size=30
    ),
    is_chained=st.booleans(),
)
def test_gaps_are_exactly_the_updates_that_do_not_follow(
    spans: list[tuple[int, bool, int]], is_chained: bool
) -> None:
    venue = venue_of("binance-usdm" if is_chained else "binance-spot", symbol="BTCUSDT")
    last_id = 1_000
    told, run_first_id = [], 0
    for number, (length, is_missed, skipped) in enumerate(spans):
        jumped = is_missed and number > 0
        if jumped:
            last_id += skipped
        first_id, before = last_id + 1, last_id
        last_id += length
        if jumped or not number:
            run_first_id = first_id
        message = depth(first_id, last_id, before=before if is_chained else None)
        reading = venue.read(message, is_doubled=False)
        assert reading is not None
        told.append(bool(reading.gap))
    assert told == [is_missed and number > 0 for number, (_, is_missed, _) in enumerate(spans)]
    oldest = run_first_id if is_chained else run_first_id - 1
    book: dict[str, Any] = {"bids": [], "asks": []}
    assert not venue.admits(book | {"lastUpdateId": oldest - 1})
    assert venue.wants_snapshot
    assert venue.admits(book | {"lastUpdateId": oldest})
    assert not venue.wants_snapshot


def test_a_snapshot_that_is_no_book_is_unusable() -> None:
    venue = venue_of("binance-spot", symbol="BTCUSDT")
    for body in ({"lastUpdateId": "7", "bids": [], "asks": []}, {"lastUpdateId": 7, "bids": {}}):
        with pytest.raises((Unusable, KeyError)):
            venue.admits(body)


def test_coinbase_numbers_start_over_with_each_connection() -> None:
    venue = venue_of("coinbase", symbol="BTC-USD")

    def read(number: int) -> tuple[str, bool]:
        message = {"channel": "ticker", "sequence_num": number, "events": []}
        stamped = message | {"timestamp": "2023-02-09T20:32:50.714964855Z"}
        reading = venue.read(stamped, is_doubled=False)
        assert reading is not None
        assert reading.exchange_ms == 1_675_974_770_715
        return reading.gap, reading.ends_connection

    assert [read(0), read(1)] == [("", False)] * 2
    venue.connected()
    assert read(0) == ("", False)
    gap, is_over = read(2)
    assert ("0 of a connection came 2" in gap, is_over) == (True, True)


# -- bounds -----------------------------------------------------------------------------------


def test_no_line_of_ours_is_longer_than_our_readers_take() -> None:
    assert FRAME_BYTES_MAX + len("1723161255030314667 ") <= LINE_BYTES_MAX


@given(seed=st.integers(0, 1_000), tries=st.integers(1, 60))
def test_delays_grow_stay_bounded_and_start_over_after_a_healthy_connection(
    seed: int, tries: int
) -> None:
    limits = Limits()
    delays = BackOff(limits, random.Random(seed))  # noqa: S311 - spreads delays
    waits = [delays.next_s() for _ in range(tries)]
    for number, wait_s in enumerate(waits):
        longest_s = min(limits.delay_s_max, limits.delay_s_min * 2**number)
        assert max(limits.delay_s_min, longest_s / 2) <= wait_s <= longest_s
    assert delays.next_s(lived_s=limits.healthy_s) == limits.delay_s_min


def test_the_clock_offset_is_the_median_of_the_latest_messages() -> None:
    tally = Tally()
    assert tally.clock_offset_ms is None
    for offset_ms in [10_000] * OFFSETS_MAX + [-1_270] * (OFFSETS_MAX // 2 + 1):
        tally.note(stream="depth", received_ms=5_000_000 + offset_ms, exchange_ms=5_000_000)
    tally.note(stream="best", received_ms=1, exchange_ms=None)
    assert tally.clock_offset_ms == -1_270
    assert (tally.messages, tally.by_stream["best"]) == (15_002, 1)


# -- the file ---------------------------------------------------------------------------------


def read_part(tape: TapeFile) -> bytes:
    return zlib.decompressobj(wbits=31).decompress(tape.part.read_bytes())


def test_a_flush_makes_every_line_readable_and_the_end_a_whole_gzip(tmp_path: Path) -> None:
    out = tmp_path / "tape.gz"
    with TapeFile(out) as tape:
        tape.write([b"1 {}", b"2 {}"])
        tape.flush()
        size = tape.part.stat().st_size
        tape.flush()
        assert tape.part.stat().st_size == size  # nothing new, nothing written
        assert read_part(tape) == b"1 {}\n2 {}\n"
        tape.write([b"3 {}"])
        assert not out.exists()
        assert tape.finish() == out.stat().st_size
    assert gzip.decompress(out.read_bytes()) == b"1 {}\n2 {}\n3 {}\n"
    assert list(tmp_path.iterdir()) == [out]
    assert tape.raw_bytes == 15


def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    out = tmp_path / "tape.gz"
    out.write_bytes(b"mine")
    with pytest.raises(UsageFault, match=r"tape\.gz exists"):
        TapeFile(out)
    assert list(tmp_path.iterdir()) == [out]
    with pytest.raises(UsageFault, match="cannot make"):
        TapeFile(tmp_path / "nowhere" / "tape.gz")
    other = tmp_path / "other.gz"
    with TapeFile(other) as tape:
        with pytest.raises(UsageFault, match=r"other\.gz\.part exists"):
            TapeFile(other)
        tape.write([b"1 {}"])
        other.write_bytes(b"faster")
        with pytest.raises(ServiceFault, match=r"whole in .*other\.gz\.part"):
            tape.finish()
    assert other.read_bytes() == b"faster"
    assert gzip.decompress(tape.part.read_bytes()) == b"1 {}\n"


@pytest.mark.parametrize("is_taken", [False, True])
def test_a_file_system_without_links_is_renamed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_taken: bool
) -> None:
    def no_links(*_args: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    out = tmp_path / "tape.gz"
    with TapeFile(out) as tape:
        tape.write([b"1 {}"])
        if is_taken:
            out.write_bytes(b"faster")
            with pytest.raises(ServiceFault, match="came up"):
                tape.finish()
        else:
            tape.finish()
    whole = tape.part if is_taken else out
    assert gzip.decompress(whole.read_bytes()) == b"1 {}\n"


def test_a_recording_of_nothing_leaves_no_file(tmp_path: Path) -> None:
    with TapeFile(tmp_path / "tape.gz"):
        pass
    assert list(tmp_path.iterdir()) == []
