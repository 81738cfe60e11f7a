"""Flows are real runs: they hand over ids, publish what was done, and fail in one line."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from prefect.client.schemas.objects import State

from dmm import bootstrap
from dmm.sandbox.prefect import PrefectServer
from dmm.settlement.epoch import Job, JobOutcome, JobStatus
from dmm.units.errors import InvariantBroken, Retryable, UsageFault
from flows import publish
from flows.governance_apply import governance_apply
from flows.hedge_batch import hedge_batch

pytestmark = pytest.mark.usefixtures("in_process")


def outcome(job: Job, epoch: int, status: JobStatus = JobStatus.RECORDED) -> JobOutcome:
    return JobOutcome(
        job=job, scope="vault:main", epoch=epoch, status=status, rows={"hedge_order": 3}, note="n"
    )


class Recorded:
    """Stands for the composition root and notes what it was asked."""

    def __init__(self, *answers: JobOutcome | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    def run_job(self, job: str, *, run_id: str, epoch: int) -> JobOutcome:
        self.asked.append((job, run_id, epoch))
        return self._next()

    def apply_order(self, sequence: int) -> JobOutcome:
        self.asked.append(sequence)
        return self._next()

    def _next(self) -> JobOutcome:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def install(monkeypatch: pytest.MonkeyPatch, *answers: JobOutcome | Exception) -> Recorded:
    recorded = Recorded(*answers)
    monkeypatch.setattr(bootstrap, "run_job", recorded.run_job)
    monkeypatch.setattr(bootstrap, "apply_order", recorded.apply_order)
    return recorded


def run(flow: Any, **parameters: Any) -> State[Any]:
    state: State[Any] = asyncio.run(flow(**parameters, return_state=True))
    return state


def artifact(server: PrefectServer, key: str) -> str:
    answer = httpx.get(
        f"{server.api_url}/artifacts/{key}/latest", auth=httpx.BasicAuth(*server.auth.split(":", 1))
    )
    return answer.text


def test_a_quarantined_epoch_fails_the_run_in_one_line_and_is_published(
    monkeypatch: pytest.MonkeyPatch, server: PrefectServer
) -> None:
    recorded = install(monkeypatch, outcome(Job.HEDGE_BATCH, 5, JobStatus.QUARANTINED))
    state = run(hedge_batch, run_id="r", epoch=5)
    assert state.is_failed()
    assert "hedge_batch epoch 5 of vault:main is quarantined" in (state.message or "")
    assert "\n" not in (state.message or "")
    assert isinstance(asyncio.run(state.aresult(raise_on_failure=False)), InvariantBroken)
    assert len(recorded.asked) == 1
    assert "quarantined" in artifact(server, "hedge-batch")


def test_a_fault_fails_the_run_in_one_line_without_a_second_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorded = install(monkeypatch, UsageFault("no run r: start one first"))
    state = run(hedge_batch, run_id="r", epoch=5)
    assert state.is_failed()
    assert (state.message or "").endswith("UsageFault: no run r: start one first")
    assert recorded.asked == [("hedge_batch", "r", 5)]


def test_a_job_that_sent_nothing_is_tried_again_and_then_completes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorded = install(monkeypatch, Retryable("node down"), outcome(Job.HEDGE_BATCH, 6))
    state = run(hedge_batch, run_id="r", epoch=6)
    assert state.is_completed()
    assert recorded.asked == [("hedge_batch", "r", 6)] * 2


def test_retries_end_after_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish.attempt_job, "retry_delay_seconds", [0.0])
    recorded = install(monkeypatch, *[Retryable("node down")] * 9)
    assert run(hedge_batch, run_id="r", epoch=6).is_failed()
    assert len(recorded.asked) == 1 + publish.RETRIES_MAX


def test_a_run_hands_over_its_ids_publishes_and_returns_plain_values(
    monkeypatch: pytest.MonkeyPatch, server: PrefectServer
) -> None:
    recorded = install(monkeypatch, outcome(Job.HEDGE_BATCH, 7))
    state = run(hedge_batch, run_id="r", epoch=7)
    assert asyncio.run(state.aresult()) == {
        "job": "hedge_batch",
        "scope": "vault:main",
        "epoch": 7,
        "status": "recorded",
        "rows": {"hedge_order": 3},
        "note": "n",
        "chains": {},
    }
    assert recorded.asked == [("hedge_batch", "r", 7)]
    assert "rows: hedge_order" in artifact(server, "hedge-batch")


def test_the_same_epoch_twice_is_two_fine_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    again = outcome(Job.HEDGE_BATCH, 8, JobStatus.ALREADY)
    install(monkeypatch, outcome(Job.HEDGE_BATCH, 8), again)
    first, second = (run(hedge_batch, run_id="r", epoch=8) for _ in range(2))
    assert first.is_completed()
    assert second.is_completed()
    assert first.state_details.flow_run_id != second.state_details.flow_run_id


def test_without_parameters_the_composition_root_resolves_run_and_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorded = install(monkeypatch, outcome(Job.HEDGE_BATCH, 9))
    assert run(hedge_batch).is_completed()
    assert recorded.asked == [("hedge_batch", "", -1)]


def test_an_order_is_applied_by_its_number_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = install(monkeypatch, outcome(Job.GOVERNANCE_APPLY, 0))
    assert run(governance_apply, sequence=4).is_completed()
    assert recorded.asked == [4]
