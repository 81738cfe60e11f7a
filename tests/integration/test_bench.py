"""Every benchmark runs to its end and prints the figures it is there for."""

from __future__ import annotations

import json

import pytest

from dmm.entrypoints.bench import run_bench
from dmm.units.errors import UsageFault

KEYS = {
    "quote": {
        "scalar_ns",
        "vector_ns",
        "numpy_ns",
        "hummingbot_ns",
        "ratios",
        "tick_to_quote_us",
        "fill_to_quote_us",
        "rss_mb_per_h",
        "kill_to_last_cancel_ms",
    },
}
"""Figures by benchmark; the spine's is the demo, which has tests of its own."""


def test_a_benchmark_nobody_wrote_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageFault, match=r"quote, .*spine"):
        run_bench("speed", as_json=True, tape=None, smoke=True)


def test_the_quote_benchmark_prints_its_figures_and_its_ways_agree(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_bench("quote", as_json=True, tape=None, smoke=True)
    printed = json.loads(capsys.readouterr().out)
    assert set(printed) >= KEYS["quote"]
    assert printed["numpy_differs_by"] < 1e-12
    assert printed["ticks"] > printed["decisions"] > 100


def test_the_tape_benchmark_reads_what_it_wrote(capsys: pytest.CaptureFixture[str]) -> None:
    run_bench("tapes", as_json=True, tape=None, smoke=True)
    figures = json.loads(capsys.readouterr().out)["simulated"]
    assert figures["events"] > 100
    assert figures["rows"] > figures["events"]
    assert figures["native_bytes"] > 0
