"""The benches of trading quality and stress run to their end and print what they are there for."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dmm.entrypoints.bench import run_bench

SHARED = Path(__file__).resolve().parents[3] / "shared"
FIGURES = {"pnl_bps_5s", "inventory_variance", "volume"}
PEERS = {"symmetric", "hummingbot", "glft"}


@pytest.mark.realdata
@pytest.mark.skipif(
    not SHARED.is_dir() and os.environ.get("CI") != "true",
    reason="the public recordings are not beside the checkout (../shared/data)",
)
def test_the_trading_bench_sets_the_default_beside_its_peers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_bench("trading", as_json=True, tape=None, smoke=True)
    printed = json.loads(capsys.readouterr().out)
    for policies in printed["tapes"].values():
        assert set(policies) == {"default", *PEERS}
        assert all(set(figures) >= FIGURES for figures in policies.values())
        # All had the same lots to trade with: nobody wins by size alone.
        assert all(figures["volume"] > 0 for figures in policies.values())
    assert set(printed["against_default"]) == PEERS
    for found in (*printed["against_default"].values(), *printed["ab"]["against_default"].values()):
        (difference,) = found.values()
        if difference is None:  # one that hardly trades has no interval
            continue
        low, high = difference["ci95"]
        assert low <= difference["difference"] <= high
    assert all(one["ethbtc_hour"] for one in printed["against_default"].values())
    assert not set(printed["split"]["select"]) & set(printed["split"]["confirm"])


def test_the_stress_bench_shows_what_each_scenario_costs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_bench("stress", as_json=True, tape=None, smoke=True)
    table = json.loads(capsys.readouterr().out)["tapes"]["simulated"]
    calm = table["as it is"]
    assert calm["volume"] > 0
    # Spread and skew grow with σ², so that less is traded and less is held.
    assert table["σ ×10"]["volume"] < calm["volume"]
    assert table["σ ×10"]["inventory_sd"] < calm["inventory_sd"]
    assert table["gas +5 bps, unknown"]["pnl_bps"] < calm["pnl_bps"] - 4
    # A fee the floor knows of is not paid without its price.
    assert table["gas +5 bps, in the floor"]["volume"] < calm["volume"]
    # Crossed for a minute of two and a half: the desk quotes in the rest alone.
    assert table["crossed 60 s"]["volume"] < calm["volume"]
