"""What is printed of a pool's minutes, and the parameters that are refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from dmm.entrypoints.backtest import BacktestRequest, run_backtest
from dmm.entrypoints.pool import (
    USDC_WETH,
    backtest_pool,
    default_positions,
    pool_params,
    run_pool_backtest,
)
from dmm.units.errors import UsageFault

SHARED = Path(__file__).resolve().parents[4] / "shared"
DATA = SHARED / "data/uniswap_v3_polygon_usdc_weth_minute"

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"fee": 500}, "no 'fee'"),
    ({"fee_ppm": 0.5}, "whole number, got 0.5"),
    ({"fee_ppm": 1_000_000}, "0 to 1000000"),
    ({"decimals0": True}, "whole number, got True"),
    ({"positions": []}, "at least one"),
    ({"positions": [7]}, "must be an object"),
    ({"positions": [{"half_ticks": 5}]}, "needs deposit_atoms0"),
    ({"positions": [{"deposit_atoms0": 5, "half_tick": 5}]}, "no 'half_tick'"),
    ({"positions": [{"deposit_atoms0": -5}]}, "deposit above 0"),
]


@pytest.mark.parametrize(("params", "why"), REFUSED)
def test_a_wrong_parameter_is_refused_by_name_and_value(params: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageFault, match=why):
        pool_params(params)


def test_parameters_left_out_are_those_of_the_public_pool() -> None:
    assert pool_params({}) == (USDC_WETH, None)
    terms, positions = pool_params(
        {"fee_ppm": 3_000, "positions": [{"deposit_atoms0": 7, "half_ticks": 60}]}
    )
    assert terms.fee_ppm == 3_000
    assert positions is not None
    assert positions[0].half_ticks == 60


def minutes(folder: Path) -> Path:
    path = folder / "2022-07-19.csv"
    head = (
        "timestamp,netAmount0,netAmount1,closeTick,openTick,lowestTick,highestTick,"
        "inAmount0,inAmount1,currentLiquidity"
    )
    rows = [
        f"2022-07-19 00:{n:02}:00,0,0,{200_000 + 10 * n},{200_000 + 10 * (n - 1)},"
        f"{200_000 + 10 * (n - 1)},{200_000 + 10 * n},1000000000,0,400000000000000000"
        for n in range(30)
    ]
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def test_the_table_and_the_object_tell_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = minutes(tmp_path)
    run_pool_backtest([path], params=None, seed=1, as_json=True)
    body = json.loads(capsys.readouterr().out)
    assert body["minutes"] == 30
    assert len(body["results"]) == len(default_positions())
    for row in body["results"]:
        assert row["pnl"] == row["holding"] + row["impermanent"] + row["fees"] - row["costs"]
    run_pool_backtest([path], params=None, seed=1, as_json=False)
    printed = capsys.readouterr().out
    assert "±200" in printed
    assert "30 minutes" in printed


@pytest.mark.realdata
@pytest.mark.skipif(
    not SHARED.is_dir() and os.environ.get("CI") != "true",
    reason="the public recordings are not beside the checkout (../shared/data)",
)
def test_over_recorded_days_fees_pay_for_what_rebalancing_loses() -> None:
    # In a pool that arbitrageurs keep in line the two are about equal.
    body: dict[str, Any] = backtest_pool(sorted(DATA.glob("*.csv"))[:5])
    whole = body["results"][0]
    assert whole["params"]["half_ticks"] == 0
    assert whole["fees"] == pytest.approx(-whole["rebalancing"], rel=0.25)
    assert whole["impermanent"] < 0


def test_the_backtest_command_knows_a_pools_minutes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = minutes(tmp_path)
    params = tmp_path / "params.json"
    params.write_text('{"positions": [{"deposit_atoms0": 1000000, "half_ticks": 60}]}')
    run_backtest(BacktestRequest(tape=[path], params=params, as_json=True))
    body = json.loads(capsys.readouterr().out)
    assert [row["params"]["half_ticks"] for row in body["results"]] == [60]
    with pytest.raises(UsageFault, match="--grid is for tapes of events"):
        run_backtest(BacktestRequest(tape=[path], grid=params))
