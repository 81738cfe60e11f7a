"""Bars, pool minutes and polls as plain prices: what `dmm calibrate` measures without a book."""

from __future__ import annotations

import gzip
import io
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dmm.adapters.feeds.prices import open_prices, tick_of
from dmm.entrypoints.cli import app
from dmm.units.errors import UsageFault

KEYS = [
    *("instrument", "tick_size", "states", "trades", "first", "last", "spread_ticks"),
    *("sigma_ticks_1s", "ewma_sigma_bps", "volume_base", "buy_share", "arrival"),
    *("imbalance_drift", "warnings"),
]
ARRIVAL_KEYS = ["A", "A_bid", "A_ask", "kappa", "kappa_ci95", "r2", "mle_kappa", "fit_range", "n"]


@pytest.fixture
def days(tmp_path: Path) -> Path:
    path = tmp_path / "solana.csv"
    rows = [
        ",DATE,OPEN,HIGH,LOW,CLOSE,VOLUME",
        "0,2020-05-08 00:00:00+00:00,0.61,0.635,0.58,0.60,1200",
        "1,2020-05-09 00:00:00+00:00,0.60,0.65,0.57,0.64,3200",
        "2,2020-05-10 00:00:00+00:00,0.64,0.66,0.61,0.62,620",
    ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def minutes(tmp_path: Path) -> Path:
    table = [
        [[11.0, 9.0, 10.0, 5.0], [3.25, 2.0, 2.5, 7.0]],
        [[12.0, 8.0, 9.0, 0.0], [4.0, 3.0, 3.0, 1.0]],
    ]
    body = io.BytesIO()
    np.save(body, np.asarray(table))
    path = tmp_path / "hlcvs.npy.gz"
    path.write_bytes(gzip.compress(body.getvalue(), mtime=0))
    return path


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    path = tmp_path / "pool.csv"
    header = (
        "timestamp,netAmount0,netAmount1,closeTick,openTick,lowestTick,highestTick,inAmount0,"
        "inAmount1,currentLiquidity"
    )
    rows = [
        f"2022-07-19 00:0{at}:00,1,-1,{tick},7,-9,99,5,6,8" for at, tick in enumerate((10, 14, 12))
    ]
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_the_tick_is_the_coarsest_decimal_that_holds_every_price() -> None:
    assert tick_of(np.array([100.5, 7.0]), np.array([3.0])) == (0.1, True)
    assert tick_of(np.array([100.0, 70.0])) == (1.0, True)
    assert tick_of(np.array([0.06049221])) == (1e-8, True)
    assert tick_of(np.array([145.96978759765625])) == (1e-8, False)


def test_daily_bars_give_closes_ranges_and_their_volume_in_base(days: Path) -> None:
    series = open_prices([days])
    assert (series.symbol, series.tick_size, series.interval_s) == ("SOLANA", 0.001, 86_400.0)
    assert series.price == pytest.approx([600, 640, 620])
    assert series.high == pytest.approx([635, 650, 660])
    assert series.volume_base == pytest.approx(1200 / 0.60 + 3200 / 0.64 + 620 / 0.62)
    assert open_prices([days], tick_size=Decimal("0.01")).price == pytest.approx([60, 64, 62])


def test_minutes_name_the_coin_measured_and_take_another(minutes: Path) -> None:
    first, other = open_prices([minutes]), open_prices([minutes], symbol="ETH")
    assert (first.symbol, other.symbol) == ("BTC", "ETH")
    assert "BTC of the file's coins is measured: --symbol ETH" in first.warnings
    assert other.price * other.tick_size == pytest.approx([2.5, 3.0])
    with pytest.raises(UsageFault, match="holds no SOL"):
        open_prices([minutes], symbol="SOL")


def test_pool_minutes_are_measured_in_the_pools_own_ticks(pool: Path) -> None:
    series = open_prices([pool])
    assert series.log_price
    assert series.price.tolist() == [10, 14, 12]
    assert series.volume_base is None
    with pytest.raises(UsageFault, match="--tick-size: a pool has its own"):
        open_prices([pool], tick_size=Decimal(1))


def test_polls_measure_the_liveliest_market_or_the_one_asked_for(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [
        *((at, "still", 0.40, 0.44) for at in range(6)),
        *((at, "lively", 0.50 + 0.01 * (at % 2), 0.54) for at in range(6)),
        (6, "lively", float("nan"), 0.54),
        (7, "lively", 0.60, 0.54),
    ]
    ts, slug, bid, ask = zip(*rows, strict=True)
    stamps = pa.array([at * 60_000_000 for at in ts]).cast("timestamp[us]")
    path = tmp_path / "polls.parquet"
    pq.write_table(pa.table({"ts": stamps, "slug": slug, "bid": bid, "ask": ask}), path)
    series = open_prices([path])
    assert (series.symbol, series.tick_size, series.interval_s) == ("lively", 0.01, 60.0)
    assert series.price == pytest.approx([52, 52.5, 52, 52.5, 52, 52.5])
    assert "lively of 2 markets is measured" in series.warnings[0]
    assert open_prices([path], symbol="still").price == pytest.approx([42] * 6)
    with pytest.raises(UsageFault, match="no two-sided quotes of 'none'"):
        open_prices([path], symbol="none")


def test_the_command_prints_a_tapes_keys_with_null_where_a_book_is_needed(days: Path) -> None:
    result = CliRunner().invoke(app, ["calibrate", str(days), "--json"])
    assert result.exit_code == 0, result.stderr
    body = json.loads(result.stdout)
    assert list(body)[: len(KEYS)] == KEYS
    assert list(body["arrival"]) == ARRIVAL_KEYS
    assert body["arrival"]["kappa"] is body["arrival"]["A"] is body["first"] is None
    # Changes +40 and −20 ticks a day: a standard deviation of 30 over √86,400 s.
    assert body["sigma_ticks_1s"] == pytest.approx(30 / 86_400**0.5)
    assert body["volatility"]["range_bps"] > 0
    assert any("nothing is said of arrivals" in told for told in body["warnings"])
    shown = CliRunner().invoke(app, ["calibrate", str(days)])
    assert shown.exit_code == 0, shown.stderr
    assert "SOLANA" in shown.stdout


def test_what_has_no_prices_and_options_of_trades_are_refused_in_words(
    days: Path, tmp_path: Path
) -> None:
    rates = tmp_path / "BTC-USDT_gate_x.csv"
    rates.write_text("Symbol,Date,Funding Rate\nBTC-USDT,2020-01-01 03:00:00,0.0001\n")
    for arguments, told in (
        ([str(rates)], "holds funding, no prices"),
        ([str(days), "--arrival", "grid"], "--arrival grid: prices by the interval"),
        ([str(days), str(days.parent / "b.csv")], "no file"),
    ):
        result = CliRunner().invoke(app, ["calibrate", *arguments])
        assert result.exit_code == 2
        assert told in result.stderr
        assert result.stderr.count("\n") == 1
