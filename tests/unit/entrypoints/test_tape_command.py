"""``dmm tape``: a result on stdout, a fault on one line of stderr, an exit code."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dmm.entrypoints.cli import app

RUN = CliRunner()
QUOTES = """timestamp,price,size,side,exchange_timestamp
100.5,107947.0,1.5,bid,100100
100.5,107949.0,0.25,ask,100100
101.25,107948.0,2e-05,bid,100900
"""


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "prices_BTC.csv"
    path.write_text(QUOTES, encoding="utf-8")
    return path


def test_info_tells_what_a_tape_holds(tape: Path) -> None:
    result = RUN.invoke(app, ["tape", "info", str(tape), "--json"])
    assert result.exit_code == 0
    body = json.loads(result.stdout)
    assert body["format"] == "hyperliquid"
    assert body["bytes"] == len(QUOTES)
    assert body["instrument"]["symbol"] == "BTC"
    assert (body["first"], body["last"]) == (
        {"bid": 107_947, "ask": 107_949},
        {"bid": 107_948, "ask": 107_949},
    )
    assert (body["spread_ticks"], body["seconds"]) == (1.5, 0.75)
    assert (body["counts"]["depth_updates"], body["flaws"], body["clock_offset_ms"]) == (2, {}, 350)
    assert body["first_at"] == "1970-01-01 00:01:40.500"
    plain = RUN.invoke(app, ["tape", "info", str(tape)])
    assert "bid 107947, ask 107949" in plain.stdout


def test_info_tells_what_a_series_holds(tmp_path: Path) -> None:
    path = tmp_path / "BTC-USDT_gate_x.csv"
    path.write_text(
        "Symbol,Date,Funding Rate\nBTC-USDT,2020-01-01 00:00:00,0.0001\n"
        "BTC-USDT,2020-01-01 08:00:00,0.0003\n",
        encoding="utf-8",
    )
    body = json.loads(RUN.invoke(app, ["tape", "info", str(path), "--json"]).stdout)
    assert (body["kind"], body["interval_s"], body["rows"]) == ("funding", 28_800, 2)
    assert body["mean_rate"] == pytest.approx(0.0002)
    two = RUN.invoke(app, ["tape", "info", str(path), str(path)])
    assert (two.exit_code, "named twice" in two.stderr) == (2, True)


@pytest.mark.parametrize("command", [["info"], ["convert", "--out", "never.parquet"]])
def test_a_bad_tape_is_one_line_that_names_file_and_line(
    tape: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tape.parent)
    tape.write_text(QUOTES + "102.0,1079", encoding="utf-8")
    result = RUN.invoke(app, ["tape", *command, str(tape)])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("dmm: prices_BTC.csv, line 5: the line has 2 of 5 columns")
    assert result.stderr.count("\n") == 1
    assert not (tape.parent / "never.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["nowhere.gz"], "no file nowhere.gz"),
        (["{tape}", "--tick-size", "a tenth"], "is no decimal number"),
        (["{tape}", "--tick-size", "-1"], "must be a positive number"),
        (["{tape}", "--book-from-quotes"], "is for raw recordings"),
    ],
)
def test_a_wrong_call_ends_with_two(tape: Path, arguments: list[str], what: str) -> None:
    result = RUN.invoke(app, ["tape", "info", *(each.format(tape=tape) for each in arguments)])
    assert (result.exit_code, what in result.stderr) == (2, True)


def test_allowed_flaws_are_told_by_name(tape: Path) -> None:
    tape.write_text(QUOTES + "102.0,1079", encoding="utf-8")
    result = RUN.invoke(app, ["tape", "info", str(tape), "--allow-gaps", "--json"])
    body = json.loads(result.stdout)
    assert body["flaws"] == {"truncated_lines": 1}
    assert "line 5" in body["warnings"][0]


def test_convert_writes_a_tape_that_info_reads_alike(tape: Path, tmp_path: Path) -> None:
    out = tmp_path / "btc.parquet"
    call = ["tape", "convert", str(tape), "--out", str(out), "--json"]
    done = RUN.invoke(app, call)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["messages"] == 2
    again = RUN.invoke(app, call)
    assert (again.exit_code, "--force" in again.stderr) == (2, True)
    assert RUN.invoke(app, [*call, "--force"]).exit_code == 0
    source, native = (
        json.loads(RUN.invoke(app, ["tape", "info", str(path), "--json"]).stdout)
        for path in (tape, out)
    )
    assert native["format"] == "native"
    for key in ("instrument", "counts", "first", "last", "spread_ticks", "first_ns", "last_ns"):
        assert native[key] == source[key]


def test_convert_never_writes_over_its_own_source(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"1723161255030314667 {}\n"))
    result = RUN.invoke(app, ["tape", "convert", str(path), "--out", str(path), "--force"])
    assert (result.exit_code, "is the tape itself" in result.stderr) == (2, True)
