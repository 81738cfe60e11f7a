"""The shipped driver under seeded faults, on each kind of chain; a failure names its seed."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path

import pytest
from simulation.chain_model import KINDS, Kind
from simulation.world import Violation, World

from dmm import observe
from dmm.settlement.intent import IntentState

observe.configure_logging("CRITICAL")

SEEDS = 2_000
SEEDS_DEEP = 100_000
BATCHES = 8
DEEP_BATCHES = 40
SHARD = os.environ.get("DMM_SIMULATION_SHARD", "0/1")
"""Which part of the deep campaign to run: ``3/8`` is the fourth of eight."""

RESULTS = os.environ.get("DMM_SIMULATION_RESULTS", "")
"""File to which the deep campaign adds a line for each batch that held."""

REPLAY = os.environ.get("DMM_SIMULATION_SEED", "")
"""One seed to run alone, as a failure printed it."""


def campaign(kind: Kind, seeds: range) -> Counter[str]:
    """Run seeds, the contract's guard off in every other one; return the intents' ends.

    In every other pair a carrier goes first, where a transaction can settle several.
    """
    ends: Counter[str] = Counter()
    for seed in [int(REPLAY)] if REPLAY else seeds:
        guard = seed % 2 == 0
        try:
            netted = kind != "ton" and seed % 4 >= 2
            world = World(seed, kind=kind, guard=guard, netted=netted).run()
        except Exception as broken:
            raise AssertionError(
                f"DMM_SIMULATION_SEED={seed} on {kind}, guard {guard}: {broken}"
            ) from broken
        ends.update(state for _, state in world.journal.intents())
    return ends


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("kind", KINDS)
def test_every_seed_pays_each_intent_at_most_once_and_ends(kind: Kind, batch: int) -> None:
    ends = campaign(kind, range(batch, SEEDS, BATCHES))
    assert {IntentState.FINAL, IntentState.FAILED} <= set(ends)


@pytest.mark.deep
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("batch", range(DEEP_BATCHES))
@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_thousand_seeds_a_chain(kind: Kind, batch: int) -> None:
    shard, shards = (int(part) for part in SHARD.split("/"))
    if batch % shards != shard:
        pytest.skip(f"batch {batch} is not of shard {SHARD}")
    seeds = range(SEEDS + batch, SEEDS + SEEDS_DEEP, DEEP_BATCHES)
    started_s = time.monotonic()
    ends = campaign(kind, seeds)
    if RESULTS:
        line = {
            "kind": kind,
            "first": seeds.start,
            "step": seeds.step,
            "seeds": len(seeds),
            "intents": ends,
            "took_s": round(time.monotonic() - started_s),
        }
        with Path(RESULTS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_makes_the_same_journal(kind: Kind) -> None:
    one, two = World(11, kind=kind).run(), World(11, kind=kind).run()
    assert one.journal.entries == two.journal.entries
    assert one.journal.balances() == two.journal.balances()


def test_a_violation_carries_its_number_and_its_text() -> None:
    with pytest.raises(Violation, match="invariant 12: unpaid") as broken:
        raise Violation(12, "unpaid")
    assert broken.value.invariant == 12
