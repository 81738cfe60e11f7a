"""``dmm calibrate`` on a recording written by hand: what it prints, and what it refuses."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from dmm.entrypoints.calibrate import flaws_of, parse_range, parse_tick, reading_of, run_calibrate
from dmm.market.tape import TapeReport
from dmm.units.errors import TapeFault, UsageFault

STARTED_MS = 1_723_161_600_000
KEYS = [
    *("instrument", "tick_size", "states", "trades", "first", "last", "spread_ticks"),
    *("sigma_ticks_1s", "ewma_sigma_bps", "volume_base", "buy_share", "arrival"),
    *("imbalance_drift", "warnings"),
]
ARRIVAL_KEYS = [
    *("A", "A_bid", "A_ask", "kappa", "kappa_ci95", "r2", "mle_kappa", "fit_range", "n"),
]


def line(at_ms: int, message: dict[str, Any]) -> str:
    return f"{(STARTED_MS + at_ms) * 1_000_000} {json.dumps(message)}\n"


def depth(at_ms: int, update_id: int, *, bids: object = (), asks: object = ()) -> str:
    data = {"e": "depthUpdate", "E": STARTED_MS + at_ms, "s": "BTCUSDT", "U": update_id}
    data |= {"u": update_id, "pu": update_id - 1, "b": bids, "a": asks}
    return line(at_ms, {"stream": "btcusdt@depth@0ms", "data": data})


def trade(at_ms: int, number: int, price: str, *, seller: bool) -> str:
    data = {"e": "trade", "E": STARTED_MS + at_ms, "T": STARTED_MS + at_ms, "s": "BTCUSDT"}
    data |= {"t": number, "p": price, "q": "0.004", "X": "MARKET", "m": seller}
    return line(at_ms, {"stream": "btcusdt@trade", "data": data})


def write(path: Path, *, moves: bool = True, seconds: int = 60) -> Path:
    """A book whose ask breathes each half second, and a trade a second at changing depths."""
    asks = [["100.4", "0.010"], ["100.6", "0.010"], ["101.6", "0.500"]]
    snapshot = {"lastUpdateId": 5, "bids": [["100.2", "0.030"], ["99.0", "0.400"]], "asks": asks}
    lines = [depth(0, 5), line(1, snapshot)]
    for at in range(2 * seconds):
        size = ("0.010", "0.000")[at % 2] if moves else "0.010"
        lines.append(depth(500 * at + 100, 6 + at, asks=[["100.4", size]]))
        if at % 2:
            price = (100.6, 100.7, 100.9, 100.6)[at // 2 % 4]
            lines.append(trade(500 * at + 300, at, f"{price:.1f}", seller=False))
    path.write_bytes(gzip.compress("".join(lines).encode()))
    return path


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return write(tmp_path / "tape.gz")


def run(path: Path, **options: Any) -> None:
    given: dict[str, Any] = {
        "fit_range": None,
        "arrival": None,
        "tick_size": None,
        "allow_gaps": False,
        "seed": 1,
        "as_json": True,
    }
    run_calibrate(tape=[path], **(given | options))


def printed(capsys: pytest.CaptureFixture[str], path: Path, **options: Any) -> dict[str, Any]:
    run(path, **options)
    body: dict[str, Any] = json.loads(capsys.readouterr().out)
    return body


@pytest.mark.parametrize(
    "text", ["20:0", "5:5", "nan:3", "-1:5", "0:20001", "0-20", "", "1.5:3", "0:", "0:20:30"]
)
def test_a_fit_range_that_is_none_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(UsageFault, match="--fit-range"):
        parse_range(text)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "0", "-0.1", "tick", ""])
def test_a_tick_size_that_is_no_positive_number_is_refused(text: str) -> None:
    with pytest.raises(UsageFault, match="--tick-size"):
        parse_tick(text)


def test_an_unknown_mode_of_arrival_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageFault, match="'ticks' must be trade or grid"):
        reading_of([Path("x.gz")], arrival="ticks")


def test_a_tick_size_that_the_prices_are_no_multiple_of_is_refused(tape: Path) -> None:
    with pytest.raises(TapeFault, match=r"no multiple of 0\.3"):
        run(tape, tick_size="0.3")


def test_a_tape_too_short_for_a_grid_is_refused_by_its_length(tmp_path: Path) -> None:
    with pytest.raises(TapeFault, match="less than two seconds"):
        run(write(tmp_path / "short.gz", seconds=1))


def test_hours_and_recordings_are_read_each_in_their_own_way() -> None:
    hour = reading_of([Path("X_update.json"), Path("Y_update.json")], arrival=None)
    raw = reading_of([Path("x.gz")], arrival=None)
    assert (hour.arrival.value, hour.by_exchange, hour.nominal_ns) == ("trade", True, 7_200 * 10**9)
    assert (raw.arrival.value, raw.by_exchange, raw.on_grid) == ("grid", False, True)
    assert reading_of([Path("x.gz")], arrival="trade").arrival.value == "trade"


def test_the_first_keys_are_the_agreed_ones_in_their_order(
    tape: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = printed(capsys, tape)
    assert list(body)[: len(KEYS)] == KEYS
    assert list(body["arrival"]) == ARRIVAL_KEYS
    assert (body["first"], body["last"]) == (
        {"bid": 1_002, "ask": 1_004},
        {"bid": 1_002, "ask": 1_006},
    )
    assert body["tick_size"] == 0.1
    assert (body["states"], body["trades"]) == (121, 60)
    assert body["volume_base"] == pytest.approx(0.24, rel=1e-12)
    assert body["buy_share"] == 1.0
    assert len(body["imbalance_drift"]) == 5


def test_no_kappa_is_printed_without_its_interval(
    tape: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arrival = printed(capsys, tape)["arrival"]
    low, high = arrival["kappa_ci95"]
    assert low <= arrival["kappa"] <= high
    assert arrival["A_bid"] == 0.0  # nobody sold
    narrow = printed(capsys, tape, fit_range="0:1")
    assert narrow["arrival"]["kappa"] is None
    assert any("too few for a line" in warning for warning in narrow["warnings"])


def test_a_mid_that_never_moved_is_called_unusable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = printed(capsys, write(tmp_path / "still.gz", moves=False))
    assert body["sigma_ticks_1s"] == 0
    assert any(warning.startswith("σ is 0") for warning in body["warnings"])


def test_a_fifth_without_states_is_null_and_told(
    tape: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = printed(capsys, tape)
    assert None in body["imbalance_drift"]
    assert any("of the imbalance" in warning for warning in body["warnings"])


def test_the_same_seed_prints_the_same_and_another_moves_only_intervals(
    tape: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, again, other = (printed(capsys, tape, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first["uncertainty"] != other["uncertainty"]
    assert first["arrival"]["kappa"] == other["arrival"]["kappa"]


def test_the_table_shows_values_and_warnings(
    tape: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tape, as_json=False)
    shown = capsys.readouterr().out
    assert "arrival.kappa_ci95" in shown
    assert "warning:" in shown


def test_flaws_of_the_tape_come_first_in_words() -> None:
    report = TapeReport(gaps=3, warnings=["x.gz, line 9: a gap"])
    assert flaws_of(report) == ("3 gaps on the tape", "x.gz, line 9: a gap")
