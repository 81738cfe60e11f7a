"""The benchmark prints its figures, and the units it measures are the committed ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dmm.entrypoints.bench import run_bench

ROOT = Path(__file__).resolve().parents[3]
KEYS = {"cu", "measured", "tx_bytes", "settle_ms", "settlements_per_s", "net_max", "fuzz_per_s"}


def test_the_solana_benchmark_measures_the_committed_units(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_bench("solana", as_json=True, tape=None, smoke=True)
    printed = json.loads(capsys.readouterr().out)
    snapshot = json.loads((ROOT / "contracts/solana/cu.json").read_text(encoding="utf-8"))
    assert set(printed) == KEYS
    assert printed["cu"]["agave_2_2"] == snapshot["agave_2_2"]
    assert printed["measured"] == ["agave_2_2"]
    assert set(printed["settle_ms"]) == {"in_process", "http"}
    assert printed["net_max"] == {"signed_quotes": 2, "statement": 2_048}
    assert all(
        printed["tx_bytes"][name] == snapshot["transaction_bytes"][name]
        for name in printed["tx_bytes"]
    )
