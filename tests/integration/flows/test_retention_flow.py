"""The retention flow: its artifact names the anchors; a table in use is no failure."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import httpx
import journal_samples as make
import pytest
from journal_memory import MemoryJournal

from dmm import bootstrap
from dmm.sandbox.prefect import PrefectServer
from dmm.units.errors import InvariantBroken
from dmm.units.time import Nanos
from dmm.usecases.retain import DAY_NS, Retained, prune_journal
from flows.retention import retention

pytestmark = pytest.mark.usefixtures("in_process")
NOW_NS = 40 * DAY_NS


class Clock:
    def now_ns(self) -> Nanos:
        return Nanos(NOW_NS)

    def sleep_s(self, seconds: float) -> None:
        pass


@dataclass
class Scheduler:
    asked: list[tuple[int, int]] = field(default_factory=list)

    def prune_runs(self, *, now_ns: Nanos, keep_days: int) -> int:
        self.asked.append((now_ns, keep_days))
        return 17


@dataclass
class Desk:
    clock: Clock = field(default_factory=Clock)
    scheduler: Scheduler = field(default_factory=Scheduler)
    store: MemoryJournal = field(default_factory=MemoryJournal)

    def prune_journal(self, *, keep_days: int) -> Retained:
        return prune_journal(
            store=self.store, clock=self.clock, archive=None, keep_days=keep_days, operator="ann"
        )


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    wired = Desk()
    wired.store.open_run(make.run())
    wired.store.append_decisions(make.decisions(7))
    wired.store.finish_run(make.RUN, finished_at_ns=Nanos(5))
    wired.store.open_run(make.run("later", started_at_ns=500))
    monkeypatch.setattr(bootstrap, "desk", lambda: wired)
    monkeypatch.setattr(bootstrap, "prune_journal", wired.prune_journal)
    return wired


def published(server: PrefectServer) -> tuple[str, str]:
    answer = httpx.get(
        f"{server.api_url}/artifacts/retention/latest",
        auth=httpx.BasicAuth(*server.auth.split(":", 1)),
    ).json()
    return str(answer["description"]), str(answer["data"])


def test_rows_that_break_their_chain_fail_the_flow_in_one_line(desk: Desk) -> None:
    chain = desk.store._decisions[make.RUN]
    chain[3] = make.decisions(4, epoch=9)[2]
    state = asyncio.run(retention(keep_days=30, return_state=True))
    assert state.is_failed()
    assert "\n" not in (state.message or "")
    assert isinstance(asyncio.run(state.aresult(raise_on_failure=False)), InvariantBroken)
    assert desk.store.anchors() == []


def test_a_table_in_use_is_reported_and_left_for_tomorrow(
    desk: Desk, server: PrefectServer
) -> None:
    desk.store.busy = 99
    assert asyncio.run(retention(keep_days=30))["busy"] == "decision_run-7_0"
    description, _ = published(server)
    assert "gave way at decision_run-7_0" in description


def test_what_was_pruned_is_published_by_its_anchors(desk: Desk, server: PrefectServer) -> None:
    assert asyncio.run(retention(keep_days=30)) == {
        "deleted": 17,
        "keep_days": 30,
        "pruned": 1,
        "busy": "",
        "more": False,
    }
    assert desk.scheduler.asked == [(NOW_NS, 30)]
    (anchor,) = desk.store.anchors()
    description, table = published(server)
    assert "**17** finished flow runs deleted, **1** partitions pruned (all)" in description
    (row,) = json.loads(table)
    assert row == {
        "anchor": "decision_run-7_0",
        "run": make.RUN,
        "rows": 7,
        "places": "0 to 6",
        "digest": anchor.extent.digest.hex(),
        "archive": "",
    }
