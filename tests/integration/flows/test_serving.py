"""Deployments as prefect.yaml defines them: served, triggered, scheduled, and deployed."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from dmm import bootstrap
from dmm.adapters.scheduler.prefect import PrefectScheduler
from dmm.sandbox.prefect import PrefectServer
from dmm.settlement.epoch import Job, JobOutcome, JobStatus
from flows.hedge_batch import hedge_batch
from flows.pmm_settlement import pmm_settlement
from flows.serve import ZOMBIES

Until = Callable[[Callable[[], bool], str], None]

ROOT = Path(__file__).resolve().parents[3]
NAMES = [
    entry["name"] for entry in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
]


def rest(server: PrefectServer, path: str) -> Any:
    return httpx.post(
        server.api_url + path, json={}, auth=httpx.BasicAuth(*server.auth.split(":", 1))
    ).json()


def zombie_automations(server: PrefectServer) -> list[Any]:
    found = rest(server, "/automations/filter")
    return [automation["id"] for automation in found if automation["name"] == ZOMBIES]


def prefect(env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
        env=env,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def serving(env: dict[str, str], folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with (folder / "serve.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "flows.serve", *arguments],
            # An unusable setting, so that the run ends at once without a desk behind it.
            env={**env, "DMM_LOG_LEVEL": "LOUD"},
            cwd=folder,
            stdout=log,
            stderr=log,
        )


def test_an_executed_order_starts_a_served_run_with_its_number(
    child_environment: dict[str, str],
    server: PrefectServer,
    scheduler: PrefectScheduler,
    tmp_path: Path,
    until: Until,
) -> None:
    name = "governance_apply/governance_apply"
    assert not scheduler.is_served(name)
    before = zombie_automations(server)
    only = ("--only", "governance_apply", "--paused")
    process = serving(child_environment, tmp_path, *only)
    try:
        until(lambda: scheduler.is_served(name), "serving")
        event = "dmm.governance.executed"
        scheduler.emit(event, resource="elsewhere.evm", payload={"sequence": 16})
        scheduler.emit(event, resource="dmm.governance.evm", payload={"sequence": 17})
        until(lambda: bool(scheduler.flow_runs("governance_apply")), "a triggered run")
        (run,) = scheduler.flow_runs("governance_apply")
        assert run.parameters == {"sequence": 17}
        assert run.created_by == "AUTOMATION"
        assert isinstance(run.parameters["sequence"], int)
        ended = scheduler.wait_flow_run(run.flow_run_id, timeout_s=40)
        assert (ended.state, ended.name) == ("FAILED", "governance_apply order 17")
        assert zombie_automations(server) == before
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    served = [d for d in rest(server, "/deployments/filter") if d["name"] == "governance_apply"]
    assert [d["paused"] for d in served] == [False]
    assert "Traceback" not in (tmp_path / "serve.log").read_text().split("Encountered exception")[0]


def test_schedules_make_runs_and_go_on_over_a_restart_of_the_serving_process(
    child_environment: dict[str, str],
    server: PrefectServer,
    scheduler: PrefectScheduler,
    tmp_path: Path,
    until: Until,
) -> None:
    process = serving(child_environment, tmp_path, "--only", "arrival_fit")
    try:
        until(lambda: scheduler.is_served("arrival_fit/arrival_fit"), "serving")
        until(
            lambda: any(run.state == "SCHEDULED" for run in scheduler.flow_runs("arrival_fit")),
            "a scheduled run",
        )
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    (found,) = (d for d in rest(server, "/deployments/filter") if d["name"] == "arrival_fit")
    assert found["paused"] is False
    assert [s["active"] for s in found["schedules"]] == [True]
    assert len(zombie_automations(server)) == 1


def test_prefect_deploy_registers_every_deployment_without_asking(
    child_environment: dict[str, str], server: PrefectServer
) -> None:
    prefect(child_environment, "work-pool", "create", "dmm-process", "--type", "process")
    prefect(child_environment, "deploy", "--all")
    found = {d["name"]: d for d in rest(server, "/deployments/filter")}
    assert sorted(found) == sorted(NAMES)
    for entry in found.values():
        assert entry["work_pool_name"] == "dmm-process"
        assert entry["enforce_parameter_schema"] is True
        assert entry["global_concurrency_limit"]["limit"] == 1
        assert entry["concurrency_options"]["collision_strategy"] == "ENQUEUE"
        assert entry["pull_steps"] in ([], None), json.dumps(entry["pull_steps"])
    assert [s["slug"] for s in found["hedge_batch"]["schedules"]] == ["every-minute"]
    assert [s["slug"] for s in found["settlement_audit"]["schedules"]] == ["hourly"]
    names = {a["name"] for a in rest(server, "/automations/filter")}
    assert {"apply an executed order", "audit after a settlement epoch"} <= names


@pytest.mark.usefixtures("in_process")
def test_a_completed_settlement_epoch_asks_for_an_audit_and_a_hedge_does_not(
    monkeypatch: pytest.MonkeyPatch, scheduler: PrefectScheduler, until: Until
) -> None:
    def run_job(job: str, *, run_id: str, epoch: int) -> JobOutcome:
        return JobOutcome(
            job=Job(job), scope=run_id, epoch=epoch, status=JobStatus.RECORDED, rows={}, note="none"
        )

    monkeypatch.setattr(bootstrap, "run_job", run_job)

    def audits() -> int:
        return sum(r.created_by == "AUTOMATION" for r in scheduler.flow_runs("settlement_audit"))

    asyncio.run(hedge_batch(run_id="r", epoch=1))
    asyncio.run(pmm_settlement(run_id="r", epoch=1))
    until(lambda: audits() > 0, "an audit")
    assert audits() == 1


def test_a_deployment_refuses_parameters_against_its_schema(
    child_environment: dict[str, str], server: PrefectServer
) -> None:
    found = {d["name"]: d["id"] for d in rest(server, "/deployments/filter")}
    if "governance_apply" not in found:
        pytest.fail("governance_apply is not deployed: run the whole file")
    answer = httpx.post(
        f"{server.api_url}/deployments/{found['governance_apply']}/create_flow_run",
        json={"parameters": {"sequence": "seven"}},
        auth=httpx.BasicAuth(*server.auth.split(":", 1)),
    )
    assert answer.status_code in (409, 422), answer.text
