"""Ctrl-C during a campaign under faults: timeline and audit are printed all the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dmm.entrypoints import chaos
from dmm.sandbox.chaos import interrupt
from dmm.sandbox.chaos.inject import Injector
from dmm.sandbox.chaos.interrupt import Interrupted, LapInterrupted, audited
from dmm.sandbox.chaos.plan import Fault, FaultKind
from dmm.sandbox.chaos.timeline import Timeline
from dmm.sandbox.chaos.verdict import Verdict
from dmm.units.errors import ServiceFault

GOOD = Verdict(planned=9, final=7, by_kind={"reward": 7}, differences={"ton": 0})
LEFT = ("quote 00aa", "reward 00bb of epoch 1")


@pytest.fixture
def campaign(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Return a campaign whose first lap ends with what a test says."""
    monkeypatch.setattr(chaos, "wanted_chains", lambda: ("evm", "ton"))
    monkeypatch.setattr(chaos, "runnable", lambda names, _root: (names, {}))

    def run(end: BaseException, *, as_json: bool = False) -> tuple[int, str]:
        def lap(*, timeline: Timeline, **_: Any) -> Any:
            timeline.note("FAULT kill settler")
            raise end

        monkeypatch.setattr(chaos, "run_lap", lap)
        code = chaos.run_chaos(minutes=1, seed=4, as_json=as_json, state=tmp_path)
        return code, capsys.readouterr().out

    return run


def test_an_interrupted_lap_is_told_with_its_timeline_and_its_audit(
    campaign: Callable[..., tuple[int, str]],
) -> None:
    code, out = campaign(LapInterrupted(Interrupted(lap=0, verdict=GOOD, left=LEFT)))
    assert code == 130
    assert "FAULT kill settler" in out
    assert "lap 0: interrupted, 7 of 9 settled, 2 left, difference 0, nothing wrong" in out
    assert out.endswith("seed 4: interrupted\n")


def test_what_the_audit_of_an_interrupted_lap_finds_is_a_failure(
    campaign: Callable[..., tuple[int, str]],
) -> None:
    wrong = Verdict(planned=9, final=9, by_kind={}, differences={"ton": -3}, twice=("intent 07",))
    code, out = campaign(LapInterrupted(Interrupted(lap=0, verdict=wrong)))
    assert code == 1
    assert "  paid twice: intent 07" in out
    assert out.endswith("seed 4: NOT sound\n")


def test_without_a_desk_there_is_a_timeline_and_the_reason_for_no_audit(
    campaign: Callable[..., tuple[int, str]],
) -> None:
    code, out = campaign(KeyboardInterrupt(), as_json=True)
    told = json.loads(out)
    assert code == 130
    assert (told["sound"], told["interrupted"]["audited"]) == (False, False)
    assert told["interrupted"]["why_not"] == "no desk was up"


def test_what_a_lap_had_still_to_pay_is_left_and_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt, "_settle", lambda _desk, _chains: None)
    found = audited(
        desk=lambda: None,  # type: ignore[arg-type, return-value]
        chains=("ton",),
        judged=lambda: Verdict(planned=3, final=1, by_kind={}, lost=LEFT, differences={"ton": 0}),
        injector=_injector(),
        timeline=_timeline(),
    )
    assert found.verdict is not None
    assert (found.verdict.is_sound, found.left) == (True, LEFT)


def test_a_desk_that_cannot_be_audited_is_a_reason_and_no_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(interrupt, "_settle", lambda _desk, _chains: None)

    def judged() -> Verdict:
        raise ServiceFault("too few nodes answer")

    found = audited(
        desk=lambda: None,  # type: ignore[arg-type, return-value]
        chains=("ton",),
        judged=judged,
        injector=_injector(),
        timeline=_timeline(),
    )
    assert (found.verdict, found.why_not) == (None, "too few nodes answer")


def test_a_lost_database_is_not_audited() -> None:
    injector = _injector()
    injector.stop()
    found = audited(
        desk=lambda: None,  # type: ignore[arg-type, return-value]
        chains=("ton",),
        judged=lambda: GOOD,
        injector=injector,
        timeline=_timeline(),
    )
    assert found.why_not == "its database was lost at that moment"


def test_faults_that_are_open_end_at_once_and_later_ones_never_strike() -> None:
    node = Node()
    injector = _injector(node)
    fault = {"epoch": 0, "after_ms": 0, "lasts_ms": 600_000}
    injector.schedule((Fault(kind=FaultKind.STALE, target="ton#1", **fault),))
    later = {"epoch": 0, "after_ms": 600_000, "lasts_ms": 10}
    injector.schedule((Fault(kind=FaultKind.SILENT, target="ton#2", **later),))
    thread = threading.Thread(target=injector.run)
    thread.start()
    try:
        assert node.is_struck.wait(10)
        injector.end_faults()
        assert node.seen == ["stale 1", "calm 1"]
    finally:
        injector.release()
        thread.join(10)


class Node:
    """A chain that notes what is done to it."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.is_struck = threading.Event()

    def disturb(self, place: int, manner: Any) -> None:
        self.seen.append(f"{manner} {place}")
        self.is_struck.set()

    def is_heard(self, place: int) -> bool:
        return place > 0

    def calm(self, place: int) -> str:
        self.seen.append(f"calm {place}")
        return "well again"


def _injector(node: Node | None = None) -> Injector:
    chains: Any = {"ton": node or Node()}
    stack: Any = None
    return Injector(stack=stack, chains=chains, timeline=_timeline(), market_seed=1)


def _timeline() -> Timeline:
    return Timeline(say=lambda _: None, began_s=0.0)
