"""Every public recording, counted; sources: shared/data/PROVENANCE.md and shared/truth."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dmm.adapters.feeds import open_tape, read_columns
from dmm.adapters.feeds.bars import open_daily_bars, open_minute_bars
from dmm.adapters.feeds.calendar import utc_ns
from dmm.adapters.feeds.funding import open_funding
from dmm.adapters.feeds.native_write import write_tape
from dmm.adapters.feeds.polls import open_polls
from dmm.adapters.feeds.pool_minutes import PoolMinutes
from dmm.adapters.feeds.summary import summary_of
from dmm.market.tape import FLAWS, TradePrint
from dmm.market.tape_columns import MessageKind

SHARED = Path(__file__).resolve().parents[3] / "shared"
DATA = SHARED / "data"
RAW = DATA / "binance_ws_l2"
HOURS = DATA / "binance_spot_hour"
DAY = 86_400 * 10**9

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(
        not SHARED.is_dir() and os.environ.get("CI") != "true",
        reason="the public recordings are not beside the checkout (../shared/data)",
    ),
]
parquet_only = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed"
)


def require_flawless(summary: dict[str, Any]) -> None:
    assert {name: summary["counts"][name] for name in FLAWS} == dict.fromkeys(FLAWS, 0)


# Rows, best quotes, trades, depth messages (snapshots apart), levels without the snapshot, first
# and last time on the recorder's clock, as PROVENANCE.md has them; a second day needs its first.
RECORDINGS = [
    (
        ["usdm_btcusdt_20240808"],
        (93_954, 66_089, 21_313, 6_551),
        ("23:54:15.030", "23:59:59.833"),
    ),
    (
        ["usdm_ethusdt_20240808"],
        (74_655, 53_992, 14_076, 6_586),
        ("23:54:15.088", "23:59:59.881"),
    ),
    (
        ["cm_btcusd_perp_20240808", "cm_btcusd_perp_20240809"],
        (48_270 + 50_116, 19_136 + 29_219, 2_286 + 2_949, 26_847 + 17_948),
        ("23:54:16.172", "00:05:03.531"),
    ),
    (
        ["cm_ethusd_perp_20240808", "cm_ethusd_perp_20240809"],
        (40_454 + 37_860, 15_812 + 19_751, 1_732 + 1_863, 22_909 + 16_246),
        ("23:54:16.172", "00:05:03.537"),
    ),
    (
        ["spot_btcusdt_20240808", "spot_btcusdt_20240809"],
        (41_249 + 58_325, 28_040 + 45_134, 9_757 + 10_147, 3_451 + 3_044),
        ("23:54:13.937", "00:05:04.535"),
    ),
    (
        ["spot_ethusdt_20240808", "spot_ethusdt_20240809"],
        (33_618 + 46_126, 24_077 + 34_681, 6_106 + 8_409, 3_434 + 3_036),
        ("23:54:14.024", "00:05:04.543"),
    ),
]


@pytest.mark.parametrize(("names", "counts", "times"), RECORDINGS, ids=lambda value: str(value[0]))
def test_a_raw_recording_holds_what_its_provenance_says(
    names: list[str], counts: tuple[int, ...], times: tuple[str, str]
) -> None:
    messages, quotes, trades, depths = counts
    summary = summary_of([RAW / f"{name}.gz" for name in names])
    found = summary["counts"]
    require_flawless(summary)
    assert (found["messages"], found["best_quotes"]) == (messages, quotes)
    # Trades of the liquidation fund are no market trades; they are counted apart.
    assert found["trades"] + found["other_messages"] == trades
    live = found["depth_updates"] - found["snapshots"]
    assert live + found["folded_into_snapshot"] + found["skipped_before_snapshot"] == depths
    assert (found["snapshots"], found["duplicates"], found["silences"]) == (1, 0, 0)
    assert summary["clock_offset_ms"] == pytest.approx(-1_270, abs=20)
    # The tape begins with its snapshot, some lines after the file does.
    assert times[0] <= summary["first_at"][11:] < "23:54:20"
    assert summary["last_at"][11:] == times[1]
    inverse = names[0].startswith("cm_")
    assert summary["instrument"]["kind"] == (
        "inverse" if inverse else "spot" if "spot" in names[0] else "linear"
    )
    if inverse:
        assert summary["instrument"]["contract_size"] == ("100" if "btc" in names[0] else "10")
        assert summary["volume_unit"] == "contracts"


def test_the_levels_of_a_raw_recording_are_all_there() -> None:
    columns = read_columns([RAW / "usdm_btcusdt_20240808.gz"])
    rows = np.diff(columns.starts)
    # Six messages came before the snapshot: four it held already, two were folded into it.
    before_snapshot = 82 + 78 + 44 + 55 + 29 + 40
    assert rows[columns.kind == MessageKind.UPDATE].sum() == 443_521 - before_snapshot
    assert rows[columns.kind == MessageKind.TRADE].sum() == 21_313
    assert rows[columns.kind == MessageKind.QUOTE].sum() == 2 * 66_089


@pytest.mark.parametrize(
    ("symbol", "name"), [("BTCUSDT", "btcusdt_trades_09h"), ("ETHUSDT", "ethusdt_trades_09h")]
)
def test_trades_named_alone_have_the_statistics_of_the_truth(symbol: str, name: str) -> None:
    path = SHARED / "truth" / "real_data_anchors.json"
    want = json.loads(path.read_text(encoding="utf-8"))["data"][name]
    feed = open_tape([HOURS / f"{symbol}_2020-11-01T09-00-00_trades.json"])
    trades = [event for event in feed.events() if isinstance(event, TradePrint)]
    tick, lot = feed.instrument.tick_size, feed.instrument.lot_size
    volume = sum(trade.size for trade in trades)
    notional = sum(trade.size * trade.price for trade in trades)
    assert len(trades) == feed.report.trades == feed.report.messages == want["trades"]
    assert float(volume * lot) == want["volume"]
    assert float(notional * tick) / volume == pytest.approx(want["vwap"], rel=1e-12)
    share = sum(trade.buyer_is_aggressor for trade in trades) / len(trades)
    assert share == want["buy_aggressor_share"]
    ends = [f"{trade.price * tick:.8f}" for trade in (trades[0], trades[-1])]
    assert ends == [want["first_price"], want["last_price"]]


def test_the_hour_with_a_book_is_whole() -> None:
    summary = summary_of([HOURS / "ETHBTC_2020-11-01T09-00-00_update.json"])
    require_flawless(summary)
    found = summary["counts"]
    assert found["messages"] == 3_600 + 1_736 + 1
    assert found["trades"] == 1_736
    assert found["depth_updates"] - 1 + found["skipped_before_snapshot"] == 3_600


def test_hyperliquid_csv_has_its_rows_its_sessions_and_the_trades_sent_twice() -> None:
    folder = DATA / "hyperliquid_btc_bbo_trades"
    summary = summary_of([folder / "prices_BTC.csv", folder / "trades_BTC.csv"])
    require_flawless(summary)
    found = summary["counts"]
    assert found["messages"] == 55_107 + 12_261
    assert (found["trades"], found["duplicates"]) == (12_251, 10)
    assert found["silences"] == 6
    assert (summary["first_at"][:19], summary["last_at"][:19]) == (
        "2025-09-01 06:20:30",
        "2025-09-07 00:15:24",
    )


@parquet_only
def test_hyperliquid_shards_have_their_rows_and_their_hole() -> None:
    folder = DATA / "hyperliquid_eth_l2top20"
    summary = summary_of(sorted(folder.glob("*.parquet")))
    require_flawless(summary)
    found = summary["counts"]
    books = 109 + 109 + 110 + 110 + 108 + 108 + 111 + 108 + 110
    assert (found["messages"], found["depth_updates"]) == (14_721, books)
    assert (found["silences"], summary["levels"]) == (1, 40 * books)
    assert summary["instrument"]["symbol"] == "ETH"
    assert "242 s" in summary["warnings"][0]


@pytest.mark.parametrize(
    ("name", "rows", "first", "last", "interval_h", "off", "missing"),
    [
        ("binance_2020", 4_383, "2020-01-01T00:00", "2023-12-31T16:00", 8, 0, 0),
        ("bybit_2021", 3_285, "2021-01-01T00:00", "2023-12-31T16:00", 8, 0, 0),
        ("dydx_2022", 17_520, "2022-01-01T00:00", "2023-12-31T23:00", 1, 0, 0),
        ("gate_2020", 4_290, "2020-01-01T00:00", "2023-12-31T16:00", 8, 0, 93),
        ("htx_2021", 3_284, "2021-01-01T00:00", "2023-12-31T16:00", 8, 7, 8),
        ("kucoin_2021", 3_285, "2021-01-01T04:00", "2023-12-31T20:00", 8, 0, 0),
        ("mexc_2021", 3_285, "2021-01-01T00:00", "2023-12-31T16:00", 8, 0, 0),
    ],
)
def test_funding_lies_on_its_venues_schedule_in_utc(
    name: str, rows: int, first: str, last: str, interval_h: int, off: int, missing: int
) -> None:
    stem = f"BTC-USDT_{name}-01-01_2024-01-01_funding_history.csv"
    history = open_funding(DATA / "funding" / stem)
    assert (history.report.rows, len(history.rate_e18)) == (rows, rows)
    assert (int(history.at_ns[0]), int(history.at_ns[-1])) == (utc_ns(first), utc_ns(last))
    assert history.interval_ns == interval_h * 3_600 * 10**9
    assert (history.report.off_schedule, history.report.missing) == (off, missing)


def test_pool_minutes_have_their_rows_and_three_holes() -> None:
    files = sorted((DATA / "uniswap_v3_polygon_usdc_weth_minute").glob("*.csv"))
    minutes = PoolMinutes(files)
    times = [minute.at_ns for minute in minutes]
    assert len(files) == 23
    assert (len(times), minutes.report.missing) == (33_117, 3)
    assert (times[0], times[-1]) == (utc_ns("2022-07-19"), utc_ns("2022-08-10T23:59"))
    assert len(times) + minutes.report.missing == 23 * 1_440


def test_bars_have_their_rows() -> None:
    daily = open_daily_bars(DATA / "sol_daily" / "solana.csv")
    assert (daily.report.rows, daily.report.missing) == (1_462, 0)
    assert int(daily.at_ns[-1] - daily.at_ns[0]) == 1_461 * DAY
    for coin, close in (("BTC", 84_292.4), ("ETH", 2_234.47)):
        bars = open_minute_bars(DATA / "bybit_1m_btc_eth" / "hlcvs.npy.gz", symbol=coin)
        assert (bars.report.rows, float(bars.close[0])) == (34_561, close)


@parquet_only
def test_polls_have_their_rows_in_pieces() -> None:
    rows, markets, largest = 0, set(), 0
    first, last = 2**63 - 1, 0
    for piece in open_polls(DATA / "polymarket_quotes" / "2026-08-01.parquet"):
        rows += len(piece.at_ns)
        largest = max(largest, len(piece.at_ns))
        markets.update(piece.slugs)
        first, last = min(first, int(piece.at_ns.min())), max(last, int(piece.at_ns.max()))
    assert (rows, len(markets)) == (4_499_483, 20_178)
    assert largest <= 1 << 16
    assert (first, last) == (utc_ns("2026-08-01T00:00:25"), utc_ns("2026-08-01T23:59:02"))


@parquet_only
@pytest.mark.parametrize(
    "paths",
    [
        [RAW / "cm_btcusd_perp_20240808.gz"],
        [HOURS / "ETHBTC_2020-11-01T09-00-00_update.json"],
        [
            DATA / "hyperliquid_btc_bbo_trades" / "prices_BTC.csv",
            DATA / "hyperliquid_btc_bbo_trades" / "trades_BTC.csv",
        ],
    ],
    ids=["raw", "hour", "hyperliquid"],
)
def test_a_converted_recording_is_its_source_event_by_event(
    paths: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "native.parquet"
    write_tape(open_tape(paths), out, sources=paths)
    source, native = open_tape(paths), open_tape([out])
    for before, after in zip(source.events(), native.events(), strict=True):
        assert before == after
    assert source.report == native.report
    columns = read_columns([out])
    assert columns.messages == len(columns.kind)
    assert bool((np.diff(columns.received_at_ns) >= 0).all())


def test_a_spot_day_without_its_snapshot_plays_on_its_best_quotes_when_asked() -> None:
    summary = summary_of([RAW / "spot_btcusdt_20240809.gz"], book_from_quotes=True)
    require_flawless(summary)
    assert summary["counts"]["one_level_books"] == 45_134
    assert summary["counts"]["trades"] == 10_147
