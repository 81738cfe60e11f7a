"""A worker dies at every point there is, and at every pair of points."""

from __future__ import annotations

from itertools import combinations

import pytest
from simulation.chain_model import KINDS, Kind
from simulation.world import World

from dmm import observe
from dmm.settlement.intent import IntentState
from dmm.settlement.lifecycle import LaneBounds

observe.configure_logging("CRITICAL")


def calm(
    kind: Kind,
    *,
    crash_at: frozenset[int] = frozenset(),
    intents: int = 1,
    netted: bool = False,
) -> World:
    """Return a run without chance, whose contract does not guard: the journal alone must do."""
    return world_of(kind, intents=intents, crash_at=crash_at, netted=netted).run()


def world_of(
    kind: Kind, *, intents: int, crash_at: frozenset[int] = frozenset(), netted: bool = False
) -> World:
    # Far deadlines: a crash costs a lease, and two may cost a short-lived intent its life.
    return World(
        7,
        kind=kind,
        chaos=False,
        guard=False,
        intents=intents,
        crash_at=crash_at,
        bounds=LaneBounds(),
        lifetime_s_min=300,
        netted=netted,
    )


def ends(world: World) -> set[IntentState]:
    return {state for _, state in world.journal.intents()}


def active_boundaries(kind: Kind, intents: int, *, netted: bool = False) -> int:
    """Return how many points lie before the last intent ended; later ones change nothing."""
    world = world_of(kind, intents=intents, netted=netted)
    last = 0
    for _ in range(60):
        world.turn()
        world.environment()
        if not world.is_done():
            last = world.boundaries
    return last + 20


@pytest.mark.parametrize("kind", KINDS)
def test_a_crash_at_any_single_point_changes_nothing_about_the_end(kind: Kind) -> None:
    assert ends(calm(kind, intents=2)) == {IntentState.FINAL}
    points = active_boundaries(kind, 2)
    for point in range(1, points + 1):
        world = calm(kind, intents=2, crash_at=frozenset({point}))
        assert ends(world) == {IntentState.FINAL}, f"{kind}: crash at {point}"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ton"])
def test_a_crash_at_any_point_of_a_net_pays_each_quote_in_it_once(kind: Kind) -> None:
    points = active_boundaries(kind, 2, netted=True)
    assert points > 60
    for point in range(1, points + 1):
        world = calm(kind, intents=2, crash_at=frozenset({point}), netted=True)
        times = world.model.head.paid
        paid = [times.get(member.hex(), 0) for member in world.plans]
        assert paid == [1, 1], f"{kind}: crash at {point}"


@pytest.mark.parametrize("kind", KINDS)
def test_crashes_at_any_two_points_change_nothing_about_the_end(kind: Kind) -> None:
    points = range(1, active_boundaries(kind, 1) + 1)
    assert len(points) > 60
    for pair in combinations(points, 2):
        world = calm(kind, crash_at=frozenset(pair))
        assert ends(world) == {IntentState.FINAL}, f"{kind}: crashes at {pair}"
