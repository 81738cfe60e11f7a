"""Every rule of the driver is needed: without it the invariant of its number breaks."""

from __future__ import annotations

from typing import Any

import pytest
from simulation import mutants as m
from simulation import nodes
from simulation.chain_model import Kind
from simulation.scenarios import lane_with_a_refusal, paid_then_silence, two_classes
from simulation.world import Faults, Violation, World

from dmm import observe
from dmm.settlement.intent import IntentState
from dmm.settlement.lifecycle import RETENTION_S

observe.configure_logging("CRITICAL")

SEEDS_MAX = 400


def must_break(
    invariant: int, *, kind: Kind = "evm", guard: bool = True, seeds: int = SEEDS_MAX, **terms: Any
) -> None:
    """Run seeds until the invariant breaks; no other may break instead of it all the time."""
    broken: set[int] = set()
    for seed in range(seeds):
        try:
            World(seed, kind=kind, guard=guard, **terms).run()
        except Violation as violation:
            broken.add(violation.invariant)
            if violation.invariant == invariant:
                return
    pytest.fail(f"{terms} broke {sorted(broken)} in {seeds} seeds, expected {invariant}")


def test_mutant_send_before_store() -> None:
    must_break(4, driver=m.SendBeforeStore)


@pytest.mark.parametrize("kind", ["evm", "solana", "durable", "ton"])
def test_mutant_new_slot_on_timeout(kind: Kind) -> None:
    must_break(14, kind=kind, driver=m.NewSlotOnTimeout)


@pytest.mark.parametrize("kind", ["evm", "solana", "ton"])
def test_mutant_error_means_not_sent(kind: Kind) -> None:
    must_break(14, kind=kind, driver=m.ErrorMeansNotSent)


def test_mutant_a_fork_means_not_sent() -> None:
    must_break(14, driver=m.ResignsLanded)


@pytest.mark.parametrize("kind", ["evm", "solana", "ton"])
def test_mutant_final_at_head(kind: Kind) -> None:
    must_break(12, kind=kind, driver=m.FinalAtHead)


@pytest.mark.parametrize("kind", ["evm", "solana", "ton"])
def test_mutant_expiry_at_head(kind: Kind) -> None:
    must_break(35, kind=kind, driver=m.ExpiryAtHead)


@pytest.mark.parametrize("kind", ["evm", "solana", "ton"])
def test_mutant_death_by_transport(kind: Kind) -> None:
    must_break(35, kind=kind, driver=m.DeathByTransport)


def test_mutant_lost_update() -> None:
    must_break(6, journal=m.LostUpdate)


def test_mutant_no_fence() -> None:
    must_break(11, journal=m.NoFence)


def test_mutant_fence_goes_back() -> None:
    must_break(10, journal=m.ForgetsTheFence)


def test_mutant_changed_bytes() -> None:
    must_break(5, journal=m.ChangesBytes)


def test_mutant_an_ended_intent_goes_on() -> None:
    must_break(9, journal=m.EndsTwice)


def test_mutant_an_end_without_postings() -> None:
    must_break(20, journal=m.PostsNothing)


def test_mutant_lane_from_head() -> None:
    must_break(7, chain=m.LaneFromHead, faults=Faults(foreign=True))


def test_mutant_key_per_attempt() -> None:
    must_break(36, chain=m.KeyPerAttempt)


def test_mutant_single_node_quorum(monkeypatch: pytest.MonkeyPatch) -> None:
    def first(answers: Any, *, quorum: int) -> Any:
        return next((answer for answer in answers if answer is not None), None)

    monkeypatch.setattr(nodes.rules, "agreed", first)
    must_break(38, faults=Faults(liar=True))


def test_mutant_swept_key() -> None:
    assert paid_then_silence(RETENTION_S + 1) is IntentState.QUARANTINED
    with pytest.raises(Violation, match="invariant 13"):
        paid_then_silence(RETENTION_S + 1, driver=m.TrustsSweptKeys)


def test_mutant_two_snapshots() -> None:
    must_break(28, driver=m.TwoSnapshots)


def test_mutant_unknown_is_absent() -> None:
    must_break(29, driver=m.UnknownIsAbsent)


def test_mutant_ignores_the_kill_switch() -> None:
    must_break(22, driver=m.IgnoresTheKillSwitch)


def test_mutant_signs_after_a_restore() -> None:
    must_break(34, driver=m.SignsAfterARestore)


def test_mutant_pending_is_paid() -> None:
    must_break(12, kind="ton", driver=m.PendingIsPaid)


def test_mutant_a_fee_is_raised_where_nothing_replaces() -> None:
    must_break(1, kind="solana", guard=False, driver=m.BumpsWhereNothingReplaces)


@pytest.mark.parametrize("invariant", [41, 1])
def test_mutant_a_quote_settles_beside_its_net(invariant: int) -> None:
    must_break(invariant, guard=False, netted=True, driver=m.SettlesBesideItsNet)


def test_mutant_a_net_is_given_up_in_flight() -> None:
    must_break(41, guard=False, netted=True, driver=m.GivesUpANetInFlight)


def test_mutant_no_bounds() -> None:
    must_break(43, journal=m.NoBounds)


def test_mutant_never_burns() -> None:
    lane_with_a_refusal()
    with pytest.raises(Violation, match="invariant 40"):
        lane_with_a_refusal(driver=m.NeverBurns)


def test_mutant_one_lane_for_all() -> None:
    two_classes()
    with pytest.raises(Violation, match="invariant 39"):
        two_classes(shared_lane=True)
