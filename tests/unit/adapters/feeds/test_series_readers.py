from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dmm.adapters.feeds import open_tape
from dmm.adapters.feeds.bars import open_daily_bars, open_minute_bars
from dmm.adapters.feeds.calendar import utc_ns
from dmm.adapters.feeds.funding import open_funding
from dmm.adapters.feeds.pool_minutes import PoolMinutes
from dmm.units.errors import TapeFault, UsageFault

HOUR_NS = 3_600 * 10**9


def text_file(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


# -- funding ----------------------------------------------------------------------------------

HEADER = "Symbol,Date,Funding Rate"
RATES = (
    "BTC-USDT,2020-01-01 03:00:00.013,-0.00012359",
    "BTC-USDT,2020-01-01 11:00:00,0.000658153991747989",
    "BTC-USDT,2020-01-01 19:00:00.000,0.0001",
)


def test_funding_leaves_in_utc_at_the_instant_it_was_due(tmp_path: Path) -> None:
    ahead = open_funding(text_file(tmp_path, "BTC-USDT_binance_x.csv", HEADER, *RATES))
    midnight_ns = utc_ns("2020-01-01")
    assert (ahead.at_ns - midnight_ns).tolist() == [0, 8 * HOUR_NS, 16 * HOUR_NS]
    assert ahead.rate_e18.tolist() == [-123_590_000_000_000, 658_153_991_747_989, 10**14]
    assert (ahead.interval_ns, ahead.report.shifted_ns) == (8 * HOUR_NS, 3 * HOUR_NS)
    level = open_funding(text_file(tmp_path, "BTC-USDT_gate_x.csv", HEADER, *RATES))
    assert int(level.at_ns[0]) - midnight_ns == 3 * HOUR_NS


def test_only_who_holds_at_the_instant_pays(tmp_path: Path) -> None:
    history = open_funding(text_file(tmp_path, "BTC-USDT_gate_x.csv", HEADER, *RATES))
    first_ns, second_ns = history.at_ns.tolist()[:2]
    assert history.between(after_ns=first_ns, until_ns=second_ns) == range(1, 2)
    assert history.between(after_ns=first_ns - 1, until_ns=second_ns - 1) == range(1)
    assert not history.between(after_ns=second_ns, until_ns=second_ns)


def test_a_rate_beside_the_schedule_stays_at_its_time_and_is_counted(tmp_path: Path) -> None:
    rows = [
        f"BTC-USDT,2021-04-0{day} {hour:02}:00:00,0.0001" for day in (6, 7, 8) for hour in (3, 11)
    ]
    rows.insert(4, "BTC-USDT,2021-04-07 21:00:00,0.001")
    history = open_funding(text_file(tmp_path, "BTC-USDT_htx_x.csv", HEADER, *rows))
    assert history.interval_ns == 8 * HOUR_NS
    assert (history.report.off_schedule, history.report.missing) == (1, 2)
    assert int(history.at_ns[4]) == utc_ns("2021-04-07T18:00:00")


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (RATES[0], "does not come after"),
        ("ETH-USDT,2020-01-02 03:00:00,0.0001", "mixed instruments"),
        ("BTC-USDT,2020-01-02 03:00:00,nan", "no funding rate"),
        ("BTC-USDT,2020-01-02 03:00:00,1.5", "no funding rate"),
        ("BTC-USDT,2020-01-02 03:00:00,0.0000000000000000001", "no funding rate"),
        ("BTC-USDT,yesterday,0.0001", "unreadable row"),
        ("BTC-USDT,2020-01-02 03:00:00", "2 of 3 columns"),
    ],
)
def test_a_bad_rate_is_refused_with_its_line(tmp_path: Path, row: str, what: str) -> None:
    path = text_file(tmp_path, "BTC-USDT_binance_x.csv", HEADER, *RATES, row)
    with pytest.raises(TapeFault, match=f"line 5: .*{what}"):
        open_funding(path)


def test_funding_of_an_unknown_venue_or_without_an_interval_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="tells no venue"):
        open_funding(text_file(tmp_path, "rates.csv", HEADER, *RATES))
    with pytest.raises(TapeFault, match="fewer than two"):
        open_funding(text_file(tmp_path, "x_gate.csv", HEADER, RATES[0]))


# -- pool minutes -----------------------------------------------------------------------------

POOL = (
    "timestamp,netAmount0,netAmount1,closeTick,openTick,lowestTick,highestTick,inAmount0,inAmount1,"
    "currentLiquidity"
)
MINUTE = (
    "2022-07-19 00:00:00,-303,19253165598944715626,202693,202656,202649,202697,238,"
    "34314688834673185254,422680516552367239"
)


def minute(text: str) -> str:
    return MINUTE.replace("00:00:00", text)


def test_pool_minutes_are_exact_integers_of_any_size(tmp_path: Path) -> None:
    (row,) = PoolMinutes([text_file(tmp_path, "a.csv", POOL, MINUTE)])
    assert row.at_ns == 1_658_188_800 * 10**9
    assert (row.open_tick, row.close_tick) == (202_656, 202_693)
    assert (row.net_amount0, row.net_amount1) == (-303, 19_253_165_598_944_715_626)
    assert (row.in_amount1, row.liquidity) == (34_314_688_834_673_185_254, 422_680_516_552_367_239)


def test_missing_minutes_are_counted_and_never_made_up(tmp_path: Path) -> None:
    minutes = PoolMinutes(
        [
            text_file(tmp_path, "a.csv", POOL, MINUTE),
            text_file(tmp_path, "b.csv", POOL, minute("00:03:00"), minute("00:04:00")),
        ]
    )
    assert len(list(minutes)) == 3
    assert (minutes.report.rows, minutes.report.missing) == (3, 2)
    assert "b.csv, line 2: 2 minutes are missing" in minutes.report.warnings[0]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (MINUTE, "does not come after"),
        (minute("00:00:30"), "no whole minute"),
        (minute("00:01:00").replace("202649", "202699"), "are no pool's"),
        (minute("00:01:00").replace("202697", "902697"), "are no pool's"),
        (minute("00:01:00").replace(",238,", ",-238,"), "negative"),
        (minute("00:01:00").replace(",238,", ",2.5,"), "unreadable row"),
        (minute("00:01:00")[:40], "columns: it is cut"),
    ],
)
def test_an_impossible_minute_is_refused_with_its_line(tmp_path: Path, row: str, what: str) -> None:
    with pytest.raises(TapeFault, match=rf"a\.csv, line 3: .*{what}"):
        list(PoolMinutes([text_file(tmp_path, "a.csv", POOL, MINUTE, row)]))


# -- bars -------------------------------------------------------------------------------------

DAYS = ",DATE,OPEN,HIGH,LOW,CLOSE,VOLUME"


def test_daily_bars_are_dated_and_missing_days_counted(tmp_path: Path) -> None:
    path = text_file(
        tmp_path,
        "solana.csv",
        DAYS,
        "0,2020-05-08 00:00:00+00:00,0.61,0.63,0.58,0.60,2488195",
        "1,2020-05-11 00:00:00+00:00,0.60,0.65,0.57,0.64,2128503",
    )
    bars = open_daily_bars(path)
    assert bars.symbol == "SOLANA"
    assert bars.open is not None
    assert bars.at_ns.tolist() == [utc_ns("2020-05-08"), utc_ns("2020-05-11")]
    assert (bars.close.tolist(), bars.report.missing) == ([0.60, 0.64], 2)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("1,2020-05-09 00:00:00+00:00,0.60,0.65,0.57,0.66,1", "bar 2: low"),
        ("1,2020-05-09 00:00:00+00:00,0.60,0.65,-0.57,0.60,1", "bar 2: low"),
        ("1,2020-05-09 00:00:00+00:00,0.60,nan,0.57,0.60,1", "bar 2: low"),
        ("1,2020-05-08 00:00:00+00:00,0.60,0.65,0.57,0.60,1", "line 3: .* after the day before"),
        ("1,2020-05-09 00:00:00+00:00,0.60,0.65", "line 3: .*cut"),
    ],
)
def test_an_impossible_day_is_refused(tmp_path: Path, row: str, what: str) -> None:
    first = "0,2020-05-08 00:00:00+00:00,0.61,0.63,0.58,0.60,2488195"
    with pytest.raises(TapeFault, match=what):
        open_daily_bars(text_file(tmp_path, "solana.csv", DAYS, first, row))
    with pytest.raises(TapeFault, match="no bars"):
        open_daily_bars(text_file(tmp_path, "none.csv", DAYS))


def array_file(path: Path, table: Any) -> Path:
    body = io.BytesIO()
    np.save(body, np.asarray(table))
    path.write_bytes(gzip.compress(body.getvalue(), mtime=0))
    return path


def test_minutes_of_one_coin_are_taken_from_the_array(tmp_path: Path) -> None:
    table = [
        [[11.0, 9.0, 10.0, 5.0], [3.0, 2.0, 2.5, 7.0]],
        [[12.0, 8.0, 9.0, 0.0], [4.0, 3.0, 3.0, 1.0]],
    ]
    path = array_file(tmp_path / "hlcvs.npy.gz", table)
    bars = open_minute_bars(path, symbol="ETH")
    assert (bars.high.tolist(), bars.volume.tolist()) == ([3.0, 4.0], [7.0, 1.0])
    assert (bars.open, bars.is_dated) == (None, False)
    dated = open_minute_bars(path, symbol="BTC", started_at_ns=HOUR_NS)
    assert dated.at_ns.tolist() == [HOUR_NS, HOUR_NS + 60 * 10**9]
    assert dated.is_dated
    with pytest.raises(UsageFault, match="holds no SOL"):
        open_minute_bars(path, symbol="SOL")
    with pytest.raises(UsageFault, match="no file"):
        open_minute_bars(tmp_path / "nowhere.gz", symbol="BTC")


def test_an_array_of_another_shape_or_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hlcvs.npy.gz"
    with pytest.raises(TapeFault, match="shape"):
        open_minute_bars(array_file(path, [[1.0, 2.0]]), symbol="BTC")
    with pytest.raises(TapeFault, match=r"bar 1: low 12\.0"):
        open_minute_bars(array_file(path, [[[11.0, 12.0, 10.0, 5.0]] * 2]), symbol="BTC")
    whole = path.read_bytes()
    path.write_bytes(whole[:-12])
    with pytest.raises(TapeFault, match="cut or damaged gzip"):
        open_minute_bars(path, symbol="BTC")
    path.write_bytes(gzip.compress(b"\x93NUMPY nonsense"))
    with pytest.raises(TapeFault, match="no numpy array"):
        open_minute_bars(path, symbol="BTC")


def test_a_series_is_no_tape_of_events(tmp_path: Path) -> None:
    for path in (
        text_file(tmp_path, "BTC-USDT_gate_x.csv", HEADER, *RATES),
        text_file(tmp_path, "a.csv", POOL, MINUTE),
        text_file(tmp_path, "solana.csv", DAYS),
        array_file(tmp_path / "hlcvs.npy.gz", [[[1.0]]]),
    ):
        with pytest.raises(UsageFault, match="no tape of events"):
            open_tape([path])
