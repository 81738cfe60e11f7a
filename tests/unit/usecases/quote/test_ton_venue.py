"""The worker on TON's terms: dear gas slows it and shows less, and the venue's toxicity weighs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from ports_memory import MemoryStore
from trading_values import LINEAR, MEASURED, at_ms, depth, policy_record, trade

from dmm.adapters.venues.paper import PaperVenue
from dmm.governance.policy import Policy
from dmm.market.tape import FeedEvent
from dmm.quoting.presets import Preset, VenueKind, preset_policy, scale_of
from dmm.units.amount import BPS_ONE
from dmm.units.time import NS_PER_MS
from dmm.usecases.quote import QuotingWorker, WorkerSettings
from dmm.usecases.situation import EpochInputs
from dmm.usecases.surroundings import USUAL, Surroundings

BOOK = ([(618_000, 40), (617_990, 40)], [(618_010, 40), (618_020, 40)])
LOWER = ([(617_505, 40)], [(617_515, 40)])
"""8 bps below: beyond two thirds of the threshold of 10 bps, and short of the whole."""


def terms_of(venue: VenueKind) -> Policy:
    return preset_policy(
        Preset.STEADY,
        venue,
        LINEAR,
        scale_of(depth(0, *BOOK, is_snapshot=True)),
        reward_budget_atoms=0,
        buyback_budget_atoms_max=0,
    )


TON = terms_of(VenueKind.TON_DEX)


def decided(
    events: list[FeedEvent], policy: Policy, surroundings: Surroundings = USUAL
) -> list[dict[str, Any]]:
    """Return what a worker journals that sees these events under a policy, once it quotes."""
    store = MemoryStore()
    worker = QuotingWorker(
        run_id="run",
        instrument=LINEAR,
        venue=PaperVenue(LINEAR),
        store=store,
        settings=WorkerSettings(latch_every=1),
    )
    record = replace(policy_record(), policy=policy)
    inputs = EpochInputs(policy=record, estimates=MEASURED)
    worker.begin_epoch(0, started_at_ns=at_ms(0), inputs=inputs)
    worker.take_surroundings(surroundings)
    for event in events:
        worker.on_event(event)
    worker.shutdown()
    return [json.loads(record.body) for record in store.decisions("run")][1:]


def calm(from_ms: int, to_ms: int) -> list[FeedEvent]:
    return [depth(at, *BOOK, is_snapshot=at == 0) for at in range(from_ms, to_ms, 100)]


def pauses_ms(bodies: list[dict[str, Any]]) -> set[int]:
    times = [body["decided_at_ns"] for body in bodies]
    return {(later - earlier) // NS_PER_MS for earlier, later in pairwise(times)}


def lots_shown(body: dict[str, Any]) -> int:
    return sum(size for _side, _price, size in body["quotes"])


@pytest.mark.parametrize(
    ("venue", "pauses", "shown"),
    [(VenueKind.TON_DEX, (1_000, 3_000), (80, 40)), (VenueKind.PAPER_CEX, (500, 500), (80, 80))],
)
def test_gas_at_three_times_stretches_the_cadence_and_shows_less_where_orders_cost_gas(
    venue: VenueKind, pauses: tuple[int, int], shown: tuple[int, int]
) -> None:
    policy, events = terms_of(venue), calm(0, 20_000)
    usual = decided(events, policy)
    dear = decided(events, policy, Surroundings(gas_ratio_bps=3 * BPS_ONE))
    assert (pauses_ms(usual), pauses_ms(dear)) == ({pauses[0]}, {pauses[1]})
    assert (lots_shown(usual[-1]), lots_shown(dear[-1])) == shown


def flow() -> list[FeedEvent]:
    """Return a sweep of the bids, and the mid 8 bps lower from then on."""
    return [
        *calm(0, 2_000),
        trade(2_050, 600_000, 500, buyer=False),
        depth(2_100, *LOWER, is_snapshot=True),
        *[depth(at) for at in range(2_200, 20_000, 100)],
    ]


@pytest.mark.parametrize(
    ("change", "widened_cycles"),
    [(lambda policy: policy, 10), (lambda p: replace(p, toxicity_venue_bps=BPS_ONE), 0)],
    ids=["TON's coefficient", "a coefficient of one"],
)
def test_the_same_fills_are_toxic_only_by_the_coefficient_of_the_venue(
    change: Callable[[Policy], Policy], widened_cycles: int
) -> None:
    bodies = decided(flow(), change(TON))
    assert sum(body["toxic_cycles_before"] > 0 for body in bodies) == widened_cycles
