"""``dmm tape record``: what is refused before anything is asked of a venue."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dmm.adapters.recorders import Recorded
from dmm.entrypoints.cli import app
from dmm.entrypoints.record import lines_of

RUN = CliRunner()


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"--venue": "kraken"}, "no venue 'kraken'"),
        ({"--symbol": "BTC USDT"}, "has no symbol 'BTC USDT'"),
        ({"--seconds": "0"}, "--seconds must be positive"),
        ({"--seconds": "nan"}, "--seconds must be positive"),
        ({"--streams": "depth,candles"}, "of depth, trades, bookTicker"),
        ({"--url": "stream.binance.com"}, "--url 'stream.binance.com' must begin with ws://"),
        ({"--out": "{folder}/no/tape.gz"}, "cannot make"),
        ({"--out": "{folder}/mine.gz"}, "mine.gz exists"),
    ],
)
def test_a_wrong_call_is_one_line_and_ends_with_two(
    tmp_path: Path, changes: dict[str, str], what: str
) -> None:
    (tmp_path / "mine.gz").write_bytes(b"mine")
    options = {"--venue": "binance-spot", "--symbol": "BTCUSDT", "--out": "{folder}/tape.gz"}
    call = [text.format(folder=tmp_path) for pair in (options | changes).items() for text in pair]
    result = RUN.invoke(app, ["tape", "record", *call])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert what in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.gz"]
    assert (tmp_path / "mine.gz").read_bytes() == b"mine"


def test_the_summary_leaves_out_what_did_not_happen() -> None:
    recorded = Recorded(
        file="tape.gz",
        venue="binance-usdm",
        symbol="BTCUSDT",
        seconds=345.25,
        messages=93_953,
        by_stream={"btcusdt@trade": 21_313, "btcusdt@depth@100ms": 6_551},
        silent=("btcusdt@bookTicker",),
        snapshots=2,
        snapshots_refused=0,
        gaps=1,
        reconnects=0,
        rollovers=0,
        duplicates=0,
        unusable=0,
        stalls=0,
        raw_bytes=27_800_000,
        file_bytes=3_637_062,
        clock_offset_ms=-1_270,
    )
    lines = [line.strip() for line in lines_of(recorded)]
    assert lines == [
        "file  tape.gz",
        "market  BTCUSDT of binance-usdm",
        "seconds  345.250",
        "messages  93953 (6551 btcusdt@depth@100ms, 21313 btcusdt@trade)",
        "nothing came of  btcusdt@bookTicker",
        "snapshots  2",
        "gaps  1",
        "bytes  3637062 of 27800000",
        "clock offset  -1270 ms (received − venue, median)",
    ]
