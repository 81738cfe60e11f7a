"""The estimating flows publish what an estimate rests on beside what the job did."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from dmm import bootstrap
from dmm.sandbox.prefect import PrefectServer
from dmm.settlement.epoch import Job, JobOutcome, JobStatus
from flows.arrival_fit import arrival_fit
from flows.volatility_recalibration import volatility_recalibration

pytestmark = pytest.mark.usefixtures("in_process")


def artifact(server: PrefectServer, key: str) -> httpx.Response:
    login = httpx.BasicAuth(*server.auth.split(":", 1))
    return httpx.get(f"{server.api_url}/artifacts/{key}/latest", auth=login)


def install(monkeypatch: pytest.MonkeyPatch, report: str) -> list[Any]:
    asked: list[Any] = []

    def run_job(job: str, *, run_id: str, epoch: int) -> JobOutcome:
        return JobOutcome(
            job=Job(job), scope="r:BTCUSDT", epoch=7, status=JobStatus.RECORDED, rows={}, note=""
        )

    def estimate_report(job: str, *, run_id: str, epoch: int) -> str:
        asked.append((job, run_id, epoch))
        return report

    monkeypatch.setattr(bootstrap, "run_job", run_job)
    monkeypatch.setattr(bootstrap, "estimate_report", estimate_report)
    return asked


def test_an_epoch_without_an_estimate_publishes_no_evidence(
    monkeypatch: pytest.MonkeyPatch, server: PrefectServer
) -> None:
    install(monkeypatch, "")
    assert asyncio.run(arrival_fit(run_id="r", epoch=7))["status"] == "recorded"
    assert artifact(server, "arrival-fit-evidence").status_code == 404


def test_evidence_of_the_epoch_that_was_run_is_markdown_with_its_picture(
    monkeypatch: pytest.MonkeyPatch, server: PrefectServer
) -> None:
    text = "## σ\n\n![plot](data:image/svg+xml;base64,PHN2Zy8+)\n"
    asked = install(monkeypatch, text)
    asyncio.run(volatility_recalibration(run_id="r", epoch=-1))
    # Epoch −1 means the last closed one: the report is of the one that the job took.
    assert asked == [("volatility_recalibration", "r", 7)]
    found = artifact(server, "volatility-recalibration-evidence").json()
    assert (found["type"], found["data"]) == ("markdown", text)
