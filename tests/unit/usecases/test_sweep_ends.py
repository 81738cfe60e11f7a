"""A sweep ends when it is told to, also while something is always due."""

from __future__ import annotations

from typing import Any

import pytest
from desk_memory import Desk

from dmm.usecases import dispatch
from dmm.usecases.dispatch import sweep
from dmm.usecases.driver import Step

PASSES = 5


class Endless:
    """Claims that are due again at once, as with more open intents than a pass takes."""

    def __init__(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        self.desk, self.passes = desk, 0
        monkeypatch.setattr(desk.store, "claim_batch", self.claims)
        monkeypatch.setattr(dispatch.Driver, "steps", lambda _, claims: [Step.WAITED] * len(claims))
        monkeypatch.setattr(dispatch, "Crowd", Quiet)

    def claims(self, **_: Any) -> list[object]:
        self.passes += 1
        assert self.passes < 100, "the sweep goes on"
        self.desk.clock.sleep_s(1.0)
        return [object()]

    def sweep(self, **change: Any) -> None:
        desk = self.desk
        terms = {
            "store": desk.store,
            "chain": desk.chain,
            "signer": desk.signer,
            "clock": desk.clock,
            "owner": "w",
            "wait_s_max": 0.0,
        }
        sweep(**(terms | change))


class Quiet:
    """Room for every kind of intent."""

    kinds: frozenset[Any] = frozenset()

    def after(self, _claims: object, _done: object) -> Quiet:
        return self


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Endless:
    return Endless(Desk(), monkeypatch)


def test_a_sweep_that_is_told_to_end_makes_one_pass_and_ends(endless: Endless) -> None:
    endless.sweep(is_over=lambda: True)
    assert endless.passes == 1


def test_a_sweep_goes_on_until_it_is_told_to_end(endless: Endless) -> None:
    endless.sweep(is_over=lambda: endless.passes == PASSES)
    assert endless.passes == PASSES


def test_a_sweep_that_may_wait_ends_when_its_time_is_up(endless: Endless) -> None:
    endless.sweep(wait_s_max=float(PASSES))
    assert endless.passes == PASSES
