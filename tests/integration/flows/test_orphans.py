"""Runs whose process ended with its owner: they must not keep a deployment's only slot."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from dmm.adapters.scheduler.prefect import BUSY_PAUSES_S, PrefectScheduler
from dmm.sandbox.prefect import PrefectServer

MESSAGE = "its owner was killed"


@pytest.fixture
def rest(server: PrefectServer) -> httpx.Client:
    user, _, password = server.auth.partition(":")
    return httpx.Client(base_url=server.api_url, auth=(user, password), trust_env=False)


def post(rest: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = rest.post(path, json=body)
    for pause_s in BUSY_PAUSES_S:
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
        time.sleep(pause_s)
        answer = rest.post(path, json=body)
    assert answer.is_success, answer.text
    return dict(answer.json())


def ask_for(rest: httpx.Client, run: str, state: str) -> str:
    body = {"state": {"type": state, "name": state.title()}}
    return str(post(rest, f"/flow_runs/{run}/set_state", body)["status"])


def test_a_run_left_by_a_killed_owner_is_crashed_and_gives_its_slot_back(
    rest: httpx.Client, scheduler: PrefectScheduler
) -> None:
    with rest:
        flow = post(rest, "/flows/", {"name": "orphaned"})["id"]
        deployment = post(
            rest,
            "/deployments/",
            {
                "name": "orphaned",
                "flow_id": flow,
                "concurrency_limit": 1,
                "concurrency_options": {"collision_strategy": "ENQUEUE"},
            },
        )["id"]
        runs = [
            post(rest, f"/deployments/{deployment}/create_flow_run", {})["id"] for _ in range(2)
        ]
        assert ask_for(rest, runs[0], "PENDING") == "ACCEPT"
        assert ask_for(rest, runs[0], "RUNNING") == "ACCEPT"
        assert ask_for(rest, runs[1], "PENDING") != "ACCEPT"

        assert scheduler.crash_unfinished(message=MESSAGE) == 1
        left = scheduler.flow_run(runs[0])
        assert (left.state, left.message) == ("CRASHED", MESSAGE)
        assert ask_for(rest, runs[1], "PENDING") == "ACCEPT"
        assert scheduler.crash_unfinished(message=MESSAGE) == 1
        assert scheduler.crash_unfinished(message=MESSAGE) == 0
        rest.delete(f"/deployments/{deployment}").raise_for_status()
