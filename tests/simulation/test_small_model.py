"""The machine on paper is explored to its end, and the shipped driver does what it does."""

from __future__ import annotations

from typing import Any

import pytest
from simulation import small_model as paper
from simulation.chain_model import ChainModel
from simulation.world import LEASE_S, Crash, Faults, World

from dmm import observe
from dmm.settlement.intent import IntentState
from dmm.settlement.lifecycle import LaneBounds
from dmm.units.time import NS_PER_S

observe.configure_logging("CRITICAL")


class Replay(World):
    """A world without chance that plays a path of the machine on paper."""

    def __init__(self, path: tuple[str, ...]) -> None:
        super().__init__(
            5,
            chaos=False,
            faults=Faults(),
            guard=False,
            intents=2,
            finality=2,
            bounds=LaneBounds(),
        )
        self.path = path
        self.place = 0
        self.dies_after: str | None = None
        self.sleeps = False
        self.ids = list(self.plans)

    def play(self, *, until: str | None = None) -> None:
        while self.place < len(self.path):
            action = self.path[self.place]
            self.place += 1
            self.act(action)
            if action == until:
                return

    def act(self, action: str) -> None:
        match action.split(":"):
            case ["mine"]:
                self.model.mine()
            case ["reorg"]:
                fork(self.model)
            case ["expire"]:
                self.now_ns += (LEASE_S + 1) * NS_PER_S
            case ["wake"]:
                self.now_ns += NS_PER_S // 50
            case ["look"]:
                self.look()
            case ["sleep"]:
                self.sleeps = True
                self.look()
            case ["crash", place]:
                self.dies_after = place
                self.look()

    def look(self) -> None:
        # Far less than a lease, far more than the pause of an intent that was given back.
        self.now_ns += NS_PER_S // 50
        self.turn()
        self.dies_after = None

    def driver(self, chain: Any, store: Any) -> Any:
        driver = super().driver(chain, store)
        send = chain.send

        def watched(raw: bytes) -> None:
            if self.sleeps:
                self.sleeps = False
                self.play(until="wake")
            send(raw)
            if self.dies_after == "send":
                raise Crash

        chain.send = watched
        return type(driver)(
            store=driver.store,
            chain=chain,
            signer=driver.signer,
            pace=type(driver.pace)(poll_s=0.001, looks_per_bump=10**9),
            bounds=driver.bounds,
        )

    def after(self, name: str, chain: Any, args: Any, kwargs: Any, result: Any) -> None:
        super().after(name, chain, args, kwargs, result)
        if name == self.dies_after and result is not False:
            raise Crash

    def phases(self) -> list[tuple[str, int | None]]:
        return [self._phase(self.journal.entries[one]) for one in self.ids]

    def _phase(self, entry: Any) -> tuple[str, int | None]:
        slots = [slot for (_, _, slot), of in self.journal._slots.items() if of == _id(entry)]
        slot = slots[-1] if slots else None
        match entry.state:
            case IntentState.READY:
                return (paper.READY if slot is None else paper.CLAIMED), slot
            case IntentState.IN_FLIGHT:
                return paper.STORED, slot
            case IntentState.CONFIRMED:
                return paper.LANDED, slot
            case state:
                return str(state).lower(), slot


def _id(entry: Any) -> Any:
    return entry.intent.intent_id


def fork(model: ChainModel) -> None:
    """Leave the head for two empty blocks on its parent."""
    if model.head.parent is not None:
        model.head = model.head.parent
    else:
        model.mine(take=-1.0)
        return
    for _ in range(2):
        model.mine(take=-1.0)


def replay(path: tuple[str, ...], expected: paper.State) -> None:
    world = Replay(path)
    world.play()
    world.check_now()
    wanted = [(life.phase, life.slot) for life in expected.lives]
    assert world.phases() == wanted, f"the driver differs from the paper after {path}"
    pool = {tx.slot for tx in world.model.pool.values()}
    head = world.model.head.nonces.get("0x51-reward", 0)
    assert {slot for slot in pool if slot >= head} == set(expected.pool), path
    assert head == expected.nonces[2], path


def test_the_machine_on_paper_pays_once_and_can_always_end() -> None:
    """No state is stuck: from each one, looks, blocks and expiring leases lead to the end."""
    states = {state for _, state in paper.explore(None)}
    assert len(states) > 1_000
    for state in states:
        assert len({life.slot for life in state.lives if life.slot is not None}) == len(
            [life for life in state.lives if life.slot is not None]
        ), "two intents share a slot"
        assert _ends(state), f"stuck in {state}"


def _ends(state: paper.State) -> bool:
    for _ in range(40):
        if all(life.phase == paper.FINAL for life in state.lives):
            return True
        for action in ("wake", "expire", "look", "look", "mine"):
            if action in set(paper.actions(state)):
                state = paper.after(state, action)
    return False


def test_the_driver_does_what_the_machine_on_paper_does() -> None:
    paths = 0
    for path, state in paper.explore(None):
        # A worker that sleeps on at the end has not returned yet: the path is part of a longer one.
        if state.asleep is None:
            replay(path, state)
            paths += 1
    assert paths > 5_000


def test_a_driver_that_differs_is_noticed() -> None:
    with pytest.raises(AssertionError, match="differs from the paper"):
        replay(("look", "mine", "look"), paper.State())
