"""The settler's loop: it outlives faults that may pass, and stops when told."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from desk_memory import Desk

from dmm import observe
from dmm.entrypoints import settler
from dmm.settings import Settings
from dmm.settlement.lifecycle import LaneBounds
from dmm.units.errors import InvariantBroken, Retryable


class Wired:
    """A desk in memory whose journal fails as often as it is told, then asks to stop."""

    def __init__(self, stop: threading.Event, faults: list[Exception]) -> None:
        desk = Desk()
        self.settings = Settings()
        self.lane_bounds = LaneBounds()
        self.store = desk.store
        self.chain, self.signer, self.clock = desk.chain, desk.signer, desk.clock
        self.looks = 0
        claim = desk.store.claim_due

        def due(**named: Any) -> Any:
            self.looks += 1
            if faults:
                raise faults.pop(0)
            stop.set()
            return claim(**named)

        self.store.claim_due = due  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    observe.configure_logging("ERROR")
    monkeypatch.setattr(settler, "IDLE_S_MIN", 0.0)


def serve(faults: list[Exception]) -> int:
    stop = threading.Event()
    wired: Any = Wired(stop, faults)
    settler.serve(wired, stop=stop, owner="settler-1")
    return int(wired.looks)


def test_a_database_that_comes_back_is_waited_for() -> None:
    assert serve([Retryable("down"), Retryable("still down")]) == 3


def test_a_broken_law_stops_the_settler() -> None:
    with pytest.raises(InvariantBroken):
        serve([InvariantBroken("the ledger is torn")])
