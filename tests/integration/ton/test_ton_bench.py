"""The benchmark of TON in its smoke form: every figure the comparison needs is there."""

from __future__ import annotations

import json

import pytest

from dmm.entrypoints.bench import run_bench


def test_the_benchmark_of_ton_measures_what_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    run_bench("ton", as_json=True, tape=None, smoke=True)
    figures = json.loads(capsys.readouterr().out)
    assert {"settle_ton", "settle_jetton", "claim", "buyback", "net"} <= set(figures["gas"])
    assert set(figures["fee_nanoton"]) <= set(figures["gas"])
    assert all(figures["messages_per_s"][way] > 0 for way in ("bridge", "adnl"))
    assert figures["payment_s"] > 0
    assert "payout_200_s" in figures
