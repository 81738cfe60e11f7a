"""Two followers of one chain: the slower one waits, and a lie stays a lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from chain_memory import NOBODY, NodeLog
from desk_memory import TREASURY, Desk

from dmm.ledger.account import AccountKind
from dmm.ports import Deployment
from dmm.settlement.chain_event import BlockRef, ChainEvent
from dmm.units.errors import InvariantBroken, Retryable
from dmm.usecases.follow import follow

FRIEND = "0x" + "f1" * 20


class World:
    """A desk whose funding is booked at height 10, followed up to block 20."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.log = NodeLog(final=20, head=25)
        self.log.move(NOBODY, TREASURY, "DCT", 5_000, height=10)
        self.desk.fund("treasury", "DCT", 5_000)
        self.desk.store.record_deployments(
            [Deployment(chain="evm", name="funding", address=TREASURY, height=10)]
        )
        self.follow()

    def follow(self) -> None:
        follow(store=self.desk.store, log=self.log, clock=self.desk.clock)

    def overtake(
        self, monkeypatch: pytest.MonkeyPatch, by: Callable[[], None], *, final: int = 24
    ) -> None:
        """Let another follower go on to `final` while this one reads up to block 22."""
        self.log.final = 22
        read = self.log.events
        ran: list[int] = []

        def slow(*, from_height: int, to_height: int) -> list[ChainEvent]:
            found = read(from_height=from_height, to_height=to_height)
            if not ran:
                ran.append(to_height)
                self.log.final = final
                by()
            return found

        monkeypatch.setattr(self.log, "events", slow)


@pytest.fixture
def world() -> World:
    return World()


def test_a_follower_that_was_overtaken_waits_and_latches_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.log.move(FRIEND, TREASURY, "DCT", 7, height=21)
    world.overtake(monkeypatch, world.follow)
    with pytest.raises(Retryable, match="overtaken"):
        world.follow()
    assert world.desk.store.latch() is None
    world.follow()
    assert world.desk.held("treasury", "DCT", AccountKind.SUSPENSE) == 7


def test_an_overtaking_follower_that_read_other_events_is_a_contradiction(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.log.move(FRIEND, TREASURY, "DCT", 7, height=21)

    def other() -> None:
        blocks = [replace(world.log.block(24))]
        world.desk.store.record_final(blocks, [], [])

    world.overtake(monkeypatch, other)
    with pytest.raises(InvariantBroken):
        world.follow()
    assert world.desk.store.latch() is not None


def test_an_overtaking_follower_on_another_branch_is_a_contradiction(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other() -> None:
        there = world.log.block(24)
        elsewhere = BlockRef(
            chain=there.chain,
            height=there.height,
            block_hash=there.block_hash + "b",
            parent_hash=there.parent_hash,
            time_s=there.time_s,
        )
        world.desk.store.record_final([elsewhere], [], [])

    world.overtake(monkeypatch, other)
    with pytest.raises(InvariantBroken):
        world.follow()
    assert world.desk.store.latch() is not None
