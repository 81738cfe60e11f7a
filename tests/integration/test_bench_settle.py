"""The settlement benchmark runs to its end, and its gas is that of the committed snapshot."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dmm.entrypoints.bench import run_bench
from dmm.sandbox.evm.peers import load_peers
from dmm.settings import PROJECT_ROOT
from dmm.units.errors import ServiceFault

KEYS = {
    "gas",
    "peers_gas",
    "intents_per_s",
    "plan_10k_s",
    "restart_s",
    "audit_100k_s",
    "simulator_points_per_s",
}
ROUNDS_APART = 400
"""Gas that other amounts and deadlines in the calldata may make."""


@pytest.fixture
def peers() -> None:
    try:
        load_peers(PROJECT_ROOT, work_dir=PROJECT_ROOT / ".dmm")
    except ServiceFault as fault:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"other people's contracts cannot be had: {fault}")


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("peers")
def test_the_settlement_benchmark_prints_its_figures_and_agrees_with_the_snapshot(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_bench("settle", as_json=True, tape=None, smoke=True)
    printed = json.loads(capsys.readouterr().out)
    assert set(printed) >= KEYS
    snapshot = json.loads(
        Path(PROJECT_ROOT / "contracts" / "evm" / "gas.json").read_text(encoding="utf-8")
    )
    gas, peers_gas = printed["gas"], printed["peers_gas"]
    for name, recorded in (
        ("fill", snapshot["take_whole"]),
        ("fill_with_fee", snapshot["take_whole_with_fee"]),
        ("fill_relayed", snapshot["fill"]),
    ):
        assert abs(gas[name] - recorded) <= ROUNDS_APART
    assert abs(gas["net"]["50"] - snapshot["net"]["50"]) <= ROUNDS_APART
    assert gas["net"]["2"] < gas["fill_relayed"], "a net of two is cheaper than two fills"
    assert gas["net_statement"]["256"] < gas["net_statement"]["50"] < gas["net"]["50"]
    for name, used in peers_gas.items():
        assert abs(used - snapshot["peers"][name]) <= ROUNDS_APART
    assert gas["fill"] < peers_gas["limit_order_protocol_fill"]
    assert gas["fill_with_fee"] < peers_gas["airswap_light_with_fee"]
