"""``dmm backtest`` on a simulated tape: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from research_values import GRID, PARAMS, tape_file
from typer.testing import CliRunner

from dmm.adapters.feeds.recording import read_recording, warnings_of
from dmm.entrypoints.backtest import BacktestRequest, run_backtest
from dmm.entrypoints.cli import app
from dmm.market.tape import FLAWS, NOTES, TapeReport
from dmm.simulation.experiment.backtest import trial_warnings
from dmm.simulation.experiment.grid import DEFAULT_GRID
from dmm.simulation.experiment.passes import parameter_set
from dmm.simulation.experiment.plan import DEFAULT_PLAN
from dmm.simulation.replay.run import replay
from dmm.units.errors import ServiceFault
from dmm.usecases.backtest import finish, open_session

KEYS = ["tape", "events", "sets", "seconds", "events_per_s", "results", "verdict"]
RESULT_KEYS = [
    *("params", "fills", "volume", "pnl", "fees", "sharpe", "max_drawdown"),
    *("inventory_variance", "realized_spread", "fill_ratio"),
]


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tape_file(tmp_path_factory.mktemp("tapes"), seconds=60)


def written(path: Path, body: Any) -> Path:
    path.write_text(body if isinstance(body, str) else json.dumps(body), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("option", "text", "told"),
    [
        ("params", {"polcy": {}}, "params has no 'polcy'"),
        ("params", {"policy": {"gamma": "x"}}, "gamma must be a finite number, got 'x'"),
        ("params", {"policy": {"model": "glft"}}, "give arrivals_per_s with bid and ask"),
        ("params", {"policy": {"fair_value": "vwap"}}, "fair values mid, micro, not vwap"),
        ("params", {"judging": {"block_s": 3_600}}, "1 block of 3600 s"),
        ("params", "[1]", "must hold an object, got list"),
        ("params", "{", "is not JSON"),
        ("params", '{"policy": {}, "policy": {}}', "'policy' is named twice"),
        ("params", '{"policy": {"gamma": NaN}}', "gamma must be a finite number, got nan"),
        ("grid", {"gama": [1]}, "a policy has no 'gama'"),
        ("grid", {"kappa": [0.0005]}, "kappa_nano_per_bp are per basis point"),
        ("grid", {"refresh_ms": [0]}, "refresh_ms is 0, must lie between 1 and 3600000"),
    ],
)
def test_a_file_that_cannot_be_is_refused_by_name_and_value_with_exit_2(
    tape: Path, tmp_path: Path, option: str, text: Any, told: str
) -> None:
    path = written(tmp_path / "file.json", text)
    done = CliRunner().invoke(app, ["backtest", str(tape), f"--{option}", str(path), "--json"])
    assert done.exit_code == 2, done.output
    assert told in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there_is_refused_with_its_name(tape: Path, tmp_path: Path) -> None:
    missing = tmp_path / "none.json"
    done = CliRunner().invoke(app, ["backtest", str(tape), "--grid", str(missing)])
    assert (done.exit_code, str(missing) in done.stderr) == (2, True)
    done = CliRunner().invoke(app, ["backtest", str(missing)])
    assert done.exit_code == 2


def test_json_has_exactly_the_keys_agreed_on_and_a_row_a_set(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = BacktestRequest(
        tape=[tape],
        params=written(tmp_path / "params.json", PARAMS),
        grid=written(tmp_path / "grid.json", GRID),
        as_json=True,
    )
    run_backtest(request)
    first = json.loads(capsys.readouterr().out)
    assert list(first) == KEYS
    assert (first["tape"], first["sets"], len(first["results"])) == (["tape.parquet"], 6, 6)
    for row in first["results"]:
        assert list(row) == RESULT_KEYS
        assert set(row["params"]) == {"gamma", "beta"}
    verdict = first["verdict"]
    assert verdict["standing"] in ("promotable", "not_promotable", "insufficient_data")
    assert verdict["reasons"]
    assert verdict["assumptions"]
    assert verdict["params"] == first["results"][verdict["chosen"]]["params"]
    run_backtest(request)
    second = json.loads(capsys.readouterr().out)
    timed = ("seconds", "events_per_s")
    assert {k: v for k, v in first.items() if k not in timed} == {
        k: v for k, v in second.items() if k not in timed
    }


def test_a_single_policy_is_judged_by_its_own_profit(
    tape: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_backtest(BacktestRequest(tape=[tape], as_json=True))
    found = json.loads(capsys.readouterr().out)
    assert found["sets"] == 1
    assert found["verdict"]["standing"] == "insufficient_data"
    assert found["verdict"]["counterfactual"] is None


def test_a_set_of_the_grid_has_the_figures_it_has_alone(tape: Path) -> None:
    recording = read_recording([tape])
    whole = open_session(recording, plan=DEFAULT_PLAN, grid=DEFAULT_GRID)
    trials = whole.run(blocks=3)
    last = whole.grid.sets[-1].policy
    alone = open_session(recording, plan=DEFAULT_PLAN, grid=None, in_force=last).run()
    assert alone.totals[0] == trials.totals[-1]


def test_the_figures_of_one_recording_are_the_engines_own(tape: Path) -> None:
    session = open_session(read_recording([tape]), plan=DEFAULT_PLAN, grid=DEFAULT_GRID)
    result = finish(session, session.run(), rng=np.random.default_rng(1))
    made = replay(
        session.ready,
        [parameter_set(one, DEFAULT_PLAN) for one in session.grid.sets],
        terms=(DEFAULT_PLAN.venue.terms,),
    )
    for outcome, row in zip(made.outcomes, result.conclusion.results, strict=True):
        assert outcome.summary.fill_ratio > 0
        own = outcome.summary.to_json()
        assert row["params"] == own.pop("params")
        assert {name: row[name] for name in own} == pytest.approx(own)


def test_every_flaw_and_note_of_the_tape_is_carried_into_the_verdict(tape: Path) -> None:
    counts = dict.fromkeys((*FLAWS, *NOTES), 3)
    told = warnings_of(TapeReport(**counts, clock_offset_ms=-1270, warnings=["line 7: cut"]))
    assert len(told) == len(counts) + 2
    session = open_session(read_recording([tape]), plan=DEFAULT_PLAN, grid=None)
    flawed = replace(session, recording=replace(session.recording, warnings=told))
    result = finish(flawed, flawed.run(), rng=np.random.default_rng(1))
    assert result.verdict_json()["warnings"] == [*told]
    totals = replace(flawed.run().totals[0], fills=0, orders_refused=4)
    assert len(trial_warnings((totals,))) == 2


def test_the_table_names_standing_base_and_warnings(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = written(tmp_path / "grid.json", GRID)
    run_backtest(BacktestRequest(tape=[tape], grid=grid))
    told = capsys.readouterr()
    assert re.search(r"^(promotable|not promotable|insufficient data)$", told.out, re.MULTILINE)
    assert "0 base" in told.out or "0 ◀" in told.out
    assert "replaying" in told.err


def test_table_and_page_count_their_sets_and_name_the_units_alike(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    run_backtest(BacktestRequest(tape=[tape], report=page))
    one = capsys.readouterr()
    for text in (one.out, page.read_text(encoding="utf-8")):
        assert re.search(r"events · 1 set in one pass of [\d.]+ s", text)
        assert "inv. variance, lots²" in text
    assert ", 1 set: replaying" in one.err
    run_backtest(BacktestRequest(tape=[tape], grid=written(tmp_path / "grid.json", GRID)))
    assert "· 6 sets in one pass" in capsys.readouterr().out


def test_the_report_is_one_file_that_asks_the_network_for_nothing(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "report.html"
    request = BacktestRequest(
        tape=[tape], grid=written(tmp_path / "grid.json", GRID), report=out, as_json=True
    )
    run_backtest(request)
    capsys.readouterr()
    text = out.read_text(encoding="utf-8")
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]
    links = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\')\s>]+)', text)
    assert [link for link in links if not link.startswith("#")] == []
    assert text.count("<svg") == 6 + 3
    for title in (
        "Equity and drawdown", "Quotes and fills on price", "Inventory", "Markouts",
        "Spread captured", "Fill ratio by distance", "Parameter surface", "Walk-forward",
        "Assumptions", "Data warnings",
    ):  # fmt: skip
        assert title in text
    assert "nan" not in re.sub(r"<[^>]+>", " ", text).lower().split()
    run_backtest(replace(request, report=tmp_path / "again.html"))
    again = (tmp_path / "again.html").read_text(encoding="utf-8")
    assert re.sub(r"one pass of [\d.]+ s", "", again) == re.sub(r"one pass of [\d.]+ s", "", text)


def test_a_report_that_cannot_be_written_leaves_nothing_behind(tape: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(ServiceFault, match="cannot be written"):
        run_backtest(BacktestRequest(tape=[tape], report=blocked / "report.html", as_json=True))
    assert blocked.read_text() == "in the way"
