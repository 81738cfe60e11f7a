"""The shipped driver under seeded faults; a failure names its seed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from simulation.world import Violation, World

from dmm import observe
from dmm.ports import Answer, Snapshot, TxView
from dmm.settlement.intent import Attempt, Claimed, IntentState
from dmm.usecases.driver import Driver, Step

observe.configure_logging("ERROR")

SEEDS = 400
MUTANT_SEEDS = 300


@pytest.mark.parametrize("guard", [True, False], ids=["contract-guard-on", "contract-guard-off"])
@pytest.mark.parametrize("batch", range(8))
def test_every_seed_pays_each_intent_at_most_once_and_ends(*, guard: bool, batch: int) -> None:
    ends = set()
    for seed in range(batch, SEEDS, 8):
        try:
            world = World(seed, guard=guard).run()
        except Violation as broken:
            pytest.fail(f"seed {seed}, guard {guard}: {broken}")
        ends |= {state for _, state in world.journal.intents()}
    assert {IntentState.FINAL, IntentState.FAILED} <= ends


def test_a_crash_at_any_single_boundary_changes_nothing_about_the_end() -> None:
    calm = World(7, chaos=False, intents=2).run()
    assert {state for _, state in calm.journal.intents()} == {IntentState.FINAL}
    for point in range(1, calm.boundaries + 1):
        world = World(7, chaos=False, intents=2, crash_at=frozenset({point})).run()
        assert {state for _, state in world.journal.intents()} == {IntentState.FINAL}, point


def test_the_same_seed_makes_the_same_journal() -> None:
    one, two = World(11).run(), World(11).run()
    assert one.journal.entries == two.journal.entries
    assert one.journal.balances() == two.journal.balances()


class SendsBeforeStoring(Driver):
    def _sign_store_send(self, claimed: Claimed, *, slot: int, bump: int) -> Step:
        attempt = self._signed(claimed, slot=slot, bump=bump)
        if attempt is None:
            return Step.WAITED
        self.chain.send(attempt.raw)
        self.store.store_attempt(claimed, attempt)
        return Step.SENT


class NewSlotOnTimeout(Driver):
    def _not_found(self, claimed: Claimed, last: Attempt, at: Snapshot) -> Step:
        self.store.retire_slot(claimed, height=at.finalized_height, proof={"why": "timeout"})
        return Step.RETIRED


class FinalAtHead(Driver):
    def _is_paid(self, key: Answer, views: Sequence[tuple[Attempt, TxView]]) -> bool:
        seen = any(view.answer is Answer.FOUND and view.succeeded for _, view in views)
        return seen or super()._is_paid(key, views)


class DeadByTransport(Driver):
    def _not_found(self, claimed: Claimed, last: Attempt, at: Snapshot) -> Step:
        """Take bytes that no node knows for dead, before the deadline has passed."""
        del last
        return self._finish_dead(claimed, at)


@pytest.mark.parametrize(
    ("mutant", "guard", "invariants"),
    [
        (SendsBeforeStoring, True, {4}),
        (NewSlotOnTimeout, False, {1}),
        (FinalAtHead, True, {12}),
        (DeadByTransport, True, {13}),
    ],
)
def test_a_broken_driver_breaks_its_invariant(
    mutant: type[Driver], *, guard: bool, invariants: set[int]
) -> None:
    broken = set()
    for seed in range(MUTANT_SEEDS):
        try:
            World(seed, driver=mutant, guard=guard).run()
        except Violation as violation:
            broken.add(violation.invariant)
        if invariants <= broken:
            return
    pytest.fail(f"{mutant.__name__} broke {sorted(broken)}, expected {sorted(invariants)}")
