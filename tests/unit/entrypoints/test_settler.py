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
from dmm.units.errors import InvariantBroken, Permanent, Retryable


class Log:
    """A chain's record whose nodes are silent, or say what breaks a law."""

    name = "evm"

    def __init__(self, fault: Exception) -> None:
        self.fault = fault
        self.looks = 0

    def tips(self) -> Any:
        self.looks += 1
        raise self.fault


class Wired:
    """A desk in memory whose journal fails as often as it is told, then asks to stop."""

    def __init__(
        self, stop: threading.Event, faults: list[Exception], log: Log | None = None
    ) -> None:
        desk = self.desk = Desk()
        self.settings = Settings()
        self.lane_bounds = LaneBounds()
        self.store, self.clock = desk.store, desk.clock
        self.log = log or Log(Retryable("no node answers"))
        self.looks = 0
        claim = desk.store.claim_due

        def due(**named: Any) -> Any:
            self.looks += 1
            if faults:
                raise faults.pop(0)
            stop.set()
            return claim(**named)

        self.store.claim_due = due  # type: ignore[method-assign]

    def chain(self, name: str) -> Any:
        assert name == "evm"
        return self.desk.chain

    def chain_log(self, name: str) -> Log:
        assert name == "evm"
        return self.log

    def signer(self, name: str) -> Any:
        assert name == "evm"
        return self.desk.signer


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


def test_the_books_follow_the_chain_between_sweeps() -> None:
    stop = threading.Event()
    wired: Any = Wired(stop, [])
    settler.serve(wired, stop=stop, owner="settler-1")
    assert wired.log.looks == 1


def test_a_chain_that_broke_its_word_is_still_swept() -> None:
    stop = threading.Event()
    wired: Any = Wired(stop, [], Log(InvariantBroken("reorganised below finality")))
    settler.serve(wired, stop=stop, owner="settler-1")
    assert (wired.looks, wired.log.looks) == (1, 1)


class Served:
    """Chains of a daemon: each counts its rounds until all are to stop; one may fail at once."""

    def __init__(self, failing: str = "") -> None:
        self.rounds: dict[str, int] = {}
        self.followers: list[str] = []
        self.failing = failing

    def __call__(
        self, _desk: Any, *, stop: threading.Event, owner: str, chain: str, follows: bool
    ) -> None:
        assert owner.endswith(f"-{chain}")
        self.rounds.setdefault(chain, 0)
        self.followers += [chain] * follows
        if chain == self.failing:
            raise Permanent(f"{chain} cannot be served")
        while not stop.wait(0.001):
            self.rounds[chain] += 1
            if len(self.rounds) == 3 and not self.failing:
                stop.set()


@pytest.fixture
def three_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Settings(chains=("evm", "solana", "ton"))
    monkeypatch.setattr(settler, "settings", lambda: config)


@pytest.mark.usefixtures("three_chains")
def test_every_enabled_chain_is_served_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served()
    monkeypatch.setattr(settler, "serve", served)
    settler.run(threading.Event())
    assert set(served.rounds) == {"evm", "solana", "ton"}
    assert sorted(served.followers) == ["evm", "solana", "ton"], "one hand of each chain follows it"


@pytest.mark.usefixtures("three_chains")
def test_a_fault_of_one_chain_stops_the_daemon_for_its_supervisor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settler, "serve", Served(failing="solana"))
    stop = threading.Event()
    with pytest.raises(Permanent, match="solana cannot be served"):
        settler.run(stop)
    assert stop.is_set()


def test_a_broken_law_stops_the_settler() -> None:
    with pytest.raises(InvariantBroken):
        serve([InvariantBroken("the ledger is torn")])
