"""The follower: parents checked, reorganisations walked back, finality posted once."""

from __future__ import annotations

import pytest
from chain_memory import NOBODY, NodeLog
from desk_memory import DESK, TREASURY, Desk

from dmm.ledger.account import AccountKind
from dmm.ports import Deployment
from dmm.units.errors import InvariantBroken, Retryable
from dmm.units.time import Nanos
from dmm.usecases import follow as module
from dmm.usecases.follow import Followed, follow

FRIEND = "0x" + "f1" * 20


class World:
    """A desk whose funding is booked at height 10."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.log = NodeLog(final=20, head=25)
        self.log.move(NOBODY, TREASURY, "DCT", 5_000, height=10)
        self.desk.fund("treasury", "DCT", 5_000)
        self.desk.store.record_deployments(
            [Deployment(chain="evm", name="funding", address=TREASURY, height=10)]
        )

    def follow(self, depth_max: int = 128) -> Followed:
        return follow(
            store=self.desk.store, log=self.log, clock=self.desk.clock, depth_max=depth_max
        )

    def suspense(self) -> int:
        return self.desk.held("treasury", "DCT", AccountKind.SUSPENSE)

    def heights(self, above: int = 20) -> list[int]:
        return [block.height for block in self.desk.store.blocks_above("evm", above)]


@pytest.fixture
def world() -> World:
    return World()


def test_a_pass_reads_up_to_the_head_and_another_finds_nothing_new(world: World) -> None:
    first = world.follow()
    assert (first.final_height, first.events, first.tip_blocks) == (20, 1, 5)
    assert world.heights() == [21, 22, 23, 24, 25]
    again = world.follow()
    assert (again.events, again.tip_blocks, again.reorganised) == (0, 0, 0)


def test_nothing_is_posted_before_it_is_final_and_then_once(world: World) -> None:
    world.log.move(FRIEND, TREASURY, "DCT", 7, height=23)
    world.follow()
    assert world.suspense() == 0
    world.log.final = 23
    world.log.head = 26
    world.follow()
    assert world.suspense() == 7
    world.follow()
    assert world.suspense() == 7


def test_blocks_of_a_fork_stay_and_do_not_count(world: World) -> None:
    world.log.move(FRIEND, TREASURY, "DCT", 7, height=23)
    world.follow()
    world.log.forks[23] = "b"
    world.log.move(FRIEND, TREASURY, "DCT", 9, height=24)
    done = world.follow()
    assert (done.reorganised, done.tip_blocks) == (3, 3)
    assert world.heights() == [21, 22, 23, 23, 24, 24, 25, 25]
    world.log.final = world.log.head = 25
    world.follow()
    assert world.suspense() == 9
    events = world.desk.store.final_events("evm", from_height=21, to_height=25)
    assert [event.args["amount"] for event in events] == [9]


def test_a_chain_that_comes_back_to_the_first_fork_is_followed_back(world: World) -> None:
    world.follow()
    world.log.forks[24] = "b"
    world.follow()
    del world.log.forks[24]
    world.log.head = 26
    assert world.follow().tip_blocks == 1
    assert world.heights() == [21, 22, 23, 24, 24, 25, 25, 26]


def test_a_reorganisation_below_finality_latches_and_posts_nothing(world: World) -> None:
    world.follow()
    world.log.forks[19] = "b"
    world.log.move(FRIEND, TREASURY, "DCT", 9, height=21)
    world.log.final = 22
    with pytest.raises(InvariantBroken, match="block 20 of evm was final as"):
        world.follow()
    latch = world.desk.store.latch()
    assert latch is not None
    assert "reorganised below finality" in latch.reason
    assert world.suspense() == 0


def test_a_final_block_that_goes_back_means_a_node_that_lags(world: World) -> None:
    world.follow()
    world.log.final = 18
    with pytest.raises(Retryable, match="they lag"):
        world.follow()
    assert world.desk.store.latch() is None


def test_a_head_far_above_finality_is_walked_no_further_than_told(world: World) -> None:
    world.log.head = 90
    assert world.follow(depth_max=7).tip_blocks == 7
    assert world.heights() == [21, 22, 23, 24, 25, 26, 27]
    assert max(world.log.asked) <= 90


def test_a_head_that_moves_while_it_is_read_writes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = world.log.block

    def moving(height: int) -> object:
        if height == 23:
            world.log.forks[22] = "b"
        return block(height)

    monkeypatch.setattr(world.log, "block", moving)
    with pytest.raises(Retryable, match="moved while it was read"):
        world.follow()
    assert world.heights() == []


def test_logs_of_a_fork_at_a_final_height_are_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.log.move(FRIEND, TREASURY, "DCT", 7, height=15)
    odd = world.log.written[-1]
    world.log.rewrite(odd, block_hash="0x" + "ab" * 32)
    monkeypatch.setattr(world.log, "events", lambda **_: list(world.log.written))
    with pytest.raises(Retryable, match="answered from a fork"):
        world.follow()
    assert world.desk.store.final_head("evm") is None


def test_a_long_absence_is_caught_up_in_ranges(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RANGE_BLOCKS_MAX", 8)
    for height in (12, 19, 27, 28, 61):
        world.log.move(FRIEND, TREASURY, "DCT", height, height=height)
    world.log.final = world.log.head = 61
    assert world.follow().events == 6
    assert world.suspense() == 12 + 19 + 27 + 28 + 61
    head = world.desk.store.final_head("evm")
    assert head is not None
    assert head.height == 61


def test_a_fault_between_two_ranges_keeps_what_is_done_and_goes_on_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RANGE_BLOCKS_MAX", 10)
    world.log.move(FRIEND, TREASURY, "DCT", 5, height=8)
    world.log.move(FRIEND, TREASURY, "DCT", 7, height=15)
    events = world.log.events

    def failing(*, from_height: int, to_height: int) -> object:
        if from_height > 10:
            raise Retryable("too few EVM nodes answer")
        return events(from_height=from_height, to_height=to_height)

    with monkeypatch.context() as patch:
        patch.setattr(world.log, "events", failing)
        with pytest.raises(Retryable):
            world.follow()
    head = world.desk.store.final_head("evm")
    assert head is not None
    assert head.height == 10
    world.follow()
    assert world.suspense() == 7


def test_an_alarm_is_latched_by_the_follower_itself(world: World) -> None:
    world.log.move(DESK, FRIEND, "BTC", 3, height=15)
    world.follow()
    latch = world.desk.store.latch()
    assert latch is not None
    assert latch.operator == "chain_follower"


def test_a_restored_journal_follows_nothing_until_it_has_adopted(world: World) -> None:
    world.log.move(DESK, FRIEND, "BTC", 3, height=15)
    world.desk.store.enter_adopt_only(chain="evm", until_s=9, reason="restored", now_ns=Nanos(5))
    assert world.follow().final_height == -1
    assert world.desk.store.latch() is None
    world.desk.store.leave_adopt_only(chain="evm", proof={"height": 20}, now_ns=Nanos(6))
    world.follow()
    assert world.desk.store.latch() is not None
