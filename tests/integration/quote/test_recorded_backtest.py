"""``dmm backtest`` on recordings of real markets: from a tape to a verdict."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dmm.entrypoints.backtest import BacktestRequest, run_backtest
from dmm.units.errors import TapeFault

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(
        not DATA.is_dir() and os.environ.get("CI") != "true",
        reason="no recordings in ../shared/data",
    ),
]

GRID = {"gamma": {"times": [0.5, 1, 4]}, "kappa": [2, 8], "beta": [0.1, 0.2]}


def test_an_hour_of_spot_comes_to_a_verdict_by_eight_checks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = tmp_path / "grid.json"
    grid.write_text(json.dumps(GRID))
    hour = DATA / "binance_spot_hour" / "ETHBTC_2020-11-01T09-00-00_update.json"
    run_backtest(BacktestRequest(tape=[hour], grid=grid, as_json=True))
    found = json.loads(capsys.readouterr().out)
    assert (found["events"], found["sets"]) == (71_302, 13)
    assert all(row["fills"] > 0 for row in found["results"])
    evidence = found["verdict"]["evidence"]
    assert (evidence["blocks"], evidence["trials"]) == (360, 13)
    assert found["verdict"]["standing"] == "not_promotable"


def test_an_inverse_perpetual_of_two_days_is_joined_and_its_clock_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    days = [DATA / "binance_ws_l2" / f"cm_ethusd_perp_2024080{day}.gz" for day in (8, 9)]
    run_backtest(BacktestRequest(tape=days, as_json=True))
    found = json.loads(capsys.readouterr().out)
    assert found["tape"] == [day.name for day in days]
    assert found["verdict"]["standing"] == "insufficient_data"
    assert any("clock" in warning for warning in found["verdict"]["warnings"])


def test_a_day_without_its_beginning_is_refused_by_name() -> None:
    later = DATA / "binance_ws_l2" / "cm_ethusd_perp_20240809.gz"
    with pytest.raises(TapeFault, match=later.name):
        run_backtest(BacktestRequest(tape=[later], as_json=True))
