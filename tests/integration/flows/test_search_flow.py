"""The search for parameters as flow runs: kept piece by piece, cut off and resumed, on Dask."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from research_values import GRID, PARAMS, FixedClock, tape_file

from dmm import bootstrap
from dmm.adapters.feeds.recording import RecordingFiles
from dmm.adapters.postgres.store import PostgresStore
from dmm.sandbox.prefect import PrefectServer
from dmm.usecases.parameter_search import ParameterSearch
from flows.parameter_search import parameter_search

pytestmark = pytest.mark.usefixtures("in_process")

SETS = 6
START_S_MAX = 60.0

CHILD = """
import asyncio, json, sys
from flows.parameter_search import parameter_search
asyncio.run(parameter_search(**json.loads(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tape_file(tmp_path_factory.mktemp("tapes"), seconds=60)


@pytest.fixture
def store(database_url: str) -> Iterator[PostgresStore]:
    with PostgresStore(database_url) as opened:
        yield opened


@pytest.fixture
def wired(store: PostgresStore, tape: Path, monkeypatch: pytest.MonkeyPatch) -> ParameterSearch:
    made = ParameterSearch(
        store=store, recordings=RecordingFiles(tape.parent), clock=FixedClock(), in_force=None
    )
    monkeypatch.setattr(bootstrap, "searches", lambda: made)
    return made


def asked(tape: Path, **more: Any) -> dict[str, Any]:
    return {"tapes": [str(tape)], "params": PARAMS, "grid": GRID, "piece_sets": 1, **more}


def run(**parameters: Any) -> dict[str, Any]:
    found: dict[str, Any] = asyncio.run(parameter_search(**parameters))
    return found


def artifact(server: PrefectServer, key: str) -> dict[str, Any]:
    answer = httpx.get(
        f"{server.api_url}/artifacts/{key}/latest", auth=httpx.BasicAuth(*server.auth.split(":", 1))
    )
    body: dict[str, Any] = answer.json()
    return body


def test_a_grid_with_an_unknown_name_fails_the_run_in_one_line_and_opens_nothing(
    wired: ParameterSearch, tape: Path
) -> None:
    state = asyncio.run(parameter_search(**asked(tape, grid={"gama": [1]}), return_state=True))
    assert state.is_failed()
    assert "a policy has no 'gama'" in (state.message or "")
    assert "\n" not in (state.message or "")


def test_a_week_without_recordings_is_told_and_is_no_failure(
    wired: ParameterSearch, server: PrefectServer
) -> None:
    found = run(week=1)
    assert found["search_id"] == ""
    assert "no recording of week 1" in found["notes"][-1]
    assert "Nothing to search" in artifact(server, "parameter-search")["data"]


def test_a_search_is_judged_published_and_proposes_nothing_without_a_policy_in_force(
    wired: ParameterSearch, store: PostgresStore, tape: Path, server: PrefectServer
) -> None:
    found = run(**asked(tape, piece_sets=4))
    assert (found["sets"], found["pieces"], found["pieces_run"]) == (SETS, 2, 2)
    assert found["standing"] in ("promotable", "not_promotable", "insufficient_data")
    assert found["candidate_id"] == ""
    assert store.candidates(limit=1) == []
    assert store.policy_head() is None
    page = artifact(server, "parameter-search")["data"]
    assert found["search_id"] in page
    assert "### Checks" in page
    assert artifact(server, "parameter-search-progress")["data"] == 100.0
    partial = json.loads(artifact(server, "parameter-search-partial")["data"])
    assert len(partial) == SETS
    again = run(**asked(tape, piece_sets=4))
    assert again["pieces_run"] == 0
    assert {**again, "pieces_run": 2} == found


def test_a_search_killed_in_the_middle_loses_only_the_piece_under_way(
    wired: ParameterSearch,
    store: PostgresStore,
    tape: Path,
    child_environment: dict[str, str],
    database_url: str,
    tmp_path: Path,
) -> None:
    whole = run(**asked(tape, piece_sets=SETS))
    parameters = asked(tape)
    search_id = wired.ask(**parameters).search_id
    with (tmp_path / "child.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, json.dumps(parameters)],
            env={
                **child_environment,
                "DMM_DATABASE_URL": database_url,
                "DMM_STATE_DIR": str(tmp_path),
                "PYTHONPATH": str(Path(__file__).resolve().parents[3]),
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_S_MAX
    while len(store.pieces_done(search_id)) < 2:
        assert child.poll() is None, (tmp_path / "child.log").read_text()[-2000:]
        assert time.monotonic() < deadline, (tmp_path / "child.log").read_text()[-2000:]
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGKILL)
    assert child.wait(10) == -signal.SIGKILL
    kept = {number: store.piece(search_id, number) for number in store.pieces_done(search_id)}
    assert 2 <= len(kept) < SETS
    found = run(**parameters)
    assert (found["search_id"], found["pieces_run"]) == (search_id, SETS - len(kept))
    assert {number: store.piece(search_id, number) for number in kept} == kept
    same = ("standing", "reasons", "chosen", "params", "effect")
    assert {name: found[name] for name in same} == {name: whole[name] for name in same}


@pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None
    or importlib.util.find_spec("prefect_dask") is None,
    reason="the extra `scale` is not installed",
)
@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_comes_to_the_same_as_threads(
    wired: ParameterSearch, store: PostgresStore, tape: Path
) -> None:
    from distributed import LocalCluster  # noqa: PLC0415 - only where it is installed

    here = run(**asked(tape, piece_sets=4))
    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None,
        protocol="tcp://", host="127.0.0.1",
    ) as cluster:  # fmt: skip
        wired.scheduler_address = cluster.scheduler_address
        there = run(**asked(tape, piece_sets=2))
    assert there["pieces_run"] == 3
    same = ("standing", "reasons", "chosen", "params", "effect")
    assert {name: there[name] for name in same} == {name: here[name] for name in same}
