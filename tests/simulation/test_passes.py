"""Several intents looked at through one snapshot: every invariant holds as it does singly."""

from __future__ import annotations

import pytest
from simulation import mutants as m
from simulation.chain_model import KINDS, Kind
from simulation.world import Violation, World

from dmm import observe
from dmm.usecases.driver import Driver

observe.configure_logging("CRITICAL")

SEEDS = 150
MUTANT_SEEDS_MAX = 300


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("guard", [True, False], ids=["guard", "journal-alone"])
def test_passes_over_several_intents_break_nothing(kind: Kind, guard: bool) -> None:
    looked: set[int] = set()
    for seed in range(SEEDS):
        world = World(seed, kind=kind, guard=guard, claims_max=3, netted=seed % 4 == 3).run()
        looked |= {number for number, times in world.checked.items() if times}
    assert {2, 5, 10, 11, 12, 13, 14, 15, 17, 20, 28, 29, 38} <= looked


@pytest.mark.parametrize("place", range(1, 160))
def test_a_crash_anywhere_in_a_pass_loses_nothing(place: int) -> None:
    World(1, guard=False, chaos=False, claims_max=3, crash_at=frozenset({place, place + 40})).run()


@pytest.mark.parametrize(
    ("driver", "invariant"),
    [
        (m.SendBeforeStore, 4),
        (m.NewSlotOnTimeout, 14),
        (m.FinalAtHead, 12),
        (m.ExpiryAtHead, 35),
        (m.TwoSnapshots, 28),
        (m.UnknownIsAbsent, 29),
        (m.IgnoresTheKillSwitch, 22),
    ],
)
def test_a_rule_taken_out_breaks_its_invariant_in_a_pass_too(
    driver: type[Driver], invariant: int
) -> None:
    broken: set[int] = set()
    for seed in range(MUTANT_SEEDS_MAX):
        try:
            World(seed, driver=driver, claims_max=3).run()
        except Violation as violation:
            broken.add(violation.invariant)
            if violation.invariant == invariant:
                return
    pytest.fail(f"{driver.__name__} broke {sorted(broken)}, expected {invariant}")
