"""Anything in any order: hypothesis drives the world and shrinks what breaks it."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from simulation.chain_model import KINDS, Kind
from simulation.world import LEASE_S, Faults, World

from dmm import observe
from dmm.units.time import NS_PER_S, Nanos

observe.configure_logging("CRITICAL")


class Settlement(RuleBasedStateMachine):
    """A world without chance of its own: every fault is a rule."""

    world: World

    @initialize(kind=st.sampled_from(KINDS), guard=st.booleans(), seed=st.integers(0, 9))
    def begin(self, kind: Kind, guard: bool, seed: int) -> None:
        self.world = World(seed, kind=kind, guard=guard, chaos=False, faults=Faults())

    @rule(times=st.integers(1, 3))
    def look(self, times: int) -> None:
        for _ in range(times):
            self.world.now_ns += 2 * NS_PER_S
            self.world.turn()

    @rule(after=st.integers(1, 40))
    def look_and_die(self, after: int) -> None:
        self.world.crash_at = frozenset({self.world.boundaries + after})
        self.world.turn()

    @rule()
    def leases_expire(self) -> None:
        self.world.now_ns += (LEASE_S + 1) * NS_PER_S

    @rule(blocks=st.integers(1, 6), take=st.sampled_from((0.0, 0.5, 1.0)))
    def mine(self, blocks: int, take: float) -> None:
        for _ in range(blocks):
            self.world.model.mine(take=take)

    @rule(depth=st.integers(1, 3))
    def reorganise(self, depth: int) -> None:
        self.world.model.reorg(depth)

    @rule()
    def evict(self) -> None:
        self.world.model.evict()

    @rule()
    def gossip(self) -> None:
        self.world.model.gossip_again()

    @rule(lies=st.booleans())
    def one_node_lies(self, lies: bool) -> None:
        self.world.nodes[0].lies = lies

    @precondition(lambda self: not self.world.killed)
    @rule()
    def kill(self) -> None:
        self.world.journal.kill(reason="drill", operator="op", now_ns=Nanos(1))

    @precondition(lambda self: self.world.killed)
    @rule()
    def release(self) -> None:
        self.world.release_kill()

    @rule()
    def back_up(self) -> None:
        self.world.take_backup()

    @precondition(lambda self: self.world.backup is not None)
    @rule()
    def restore(self) -> None:
        self.world.restore()
        self.world.backup = None

    @rule(ordinal=st.integers(0, 2))
    def the_signer_refuses(self, ordinal: int) -> None:
        self.world.refused = {list(self.world.plans)[ordinal]}

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "world"):
            self.world.check_now()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.calm_down()
            for _ in range(200):
                if self.world.is_done():
                    break
                self.world.now_ns += LEASE_S * NS_PER_S
                self.world.model.mine()
                for _ in self.world.plans:
                    self.world.turn()
            self.world.check_end()


TestSettlement = Settlement.TestCase
TestSettlement.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
