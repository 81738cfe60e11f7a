"""The warm runner: one answer a request, nothing else on stdout, an end at EOF."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

import pytest

from dmm.adapters.scheduler.prefect import PrefectScheduler
from flows.runner import LINE_BYTES_MAX

Until = Callable[[Callable[[], bool], str], None]

DOUBLE = """
import time
from dmm import bootstrap
from dmm.settlement.epoch import Job, JobOutcome, JobStatus
from dmm.units.errors import ServiceFault

def run_job(job, *, run_id, epoch):
    print("chatter that must not reach stdout")
    if run_id == "slow":
        time.sleep(2)
    if run_id == "faulty":
        raise ServiceFault("signer down: start it")
    return JobOutcome(job=Job(job), scope="s", epoch=epoch, status=JobStatus.RECORDED,
                      rows={}, note="none")

bootstrap.run_job = run_job
from flows import runner
runner.main()
"""


class Child:
    def __init__(self, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", DOUBLE],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    @property
    def stdin(self) -> IO[bytes]:
        return cast("IO[bytes]", self.process.stdin)

    @property
    def stdout(self) -> IO[bytes]:
        return cast("IO[bytes]", self.process.stdout)

    def send(self, line: bytes) -> None:
        self.stdin.write(line + b"\n")
        self.stdin.flush()

    def ask(self, request: object) -> dict[str, Any]:
        self.send(json.dumps(request).encode())
        return self.answer()

    def answer(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.stdout.readline())
        return found


@pytest.fixture
def child(child_environment: dict[str, str]) -> Iterator[Child]:
    started = Child(child_environment)
    yield started
    started.stdin.close()
    try:
        started.process.wait(20)
    finally:
        started.process.kill()
        started.process.wait()
        started.stdout.close()


def test_what_cannot_be_run_is_refused_without_a_run_and_the_next_request_is_served(
    child: Child, scheduler: PrefectScheduler
) -> None:
    child.send(b"this is no JSON")
    assert child.answer()["state"] == "Refused"
    wrong: list[object] = [
        [],
        {"flow": "hedge_batch"},
        {"id": 1, "flow": "hedging"},
        {"id": 1, "flow": "hedge_batch", "parameters": {"epoch": "three"}},
        {"id": 1, "flow": "hedge_batch", "parameters": {"amount": 3}},
        {"id": 1, "flow": "governance_apply"},
        {"id": 1, "flow": "governance_apply", "parameters": {"sequence": -1}},
    ]
    for request in wrong:
        told = child.ask(request)
        assert (told["state"], told["flow_run_id"]) == ("Refused", None), told
        assert "\n" not in told["error"]

    good = child.ask({"id": "a", "flow": "hedge_batch", "parameters": {"run_id": "r", "epoch": 3}})
    assert (good["id"], good["state"], good["result"]["epoch"]) == ("a", "Completed", 3)
    run = scheduler.flow_run(good["flow_run_id"])
    assert (run.state, run.name) == ("COMPLETED", "hedge_batch epoch 3")

    bad = child.ask({"id": 2, "flow": "arrival_fit", "parameters": {"run_id": "faulty"}})
    assert (bad["id"], bad["state"]) == (2, "Failed")
    assert bad["error"].endswith("ServiceFault: signer down: start it")
    assert scheduler.flow_run(bad["flow_run_id"]).message == bad["error"]

    child.stdin.close()
    assert child.process.wait(20) == 0
    assert child.stdout.read() == b""


def test_sigterm_ends_it_after_the_run_in_progress(
    child: Child, scheduler: PrefectScheduler, until: Until
) -> None:
    request = {"id": 1, "flow": "pmm_settlement", "parameters": {"run_id": "slow", "epoch": 1}}
    child.send(json.dumps(request).encode())
    until(
        lambda: any(run.state == "RUNNING" for run in scheduler.flow_runs("pmm_settlement")),
        "the run",
    )
    child.process.send_signal(signal.SIGTERM)
    assert child.answer()["state"] == "Completed"
    assert child.process.wait(20) == 0


def test_a_request_without_end_is_refused_and_ends_it(child: Child) -> None:
    child.send(b"x" * (2 * LINE_BYTES_MAX))
    assert child.answer()["state"] == "Refused"
    assert child.process.wait(20) == 0
