"""The contest: who stands in it, on equal terms, and what a replay leaves per block."""

from __future__ import annotations

import numpy as np
import pytest
from simulation_reference.tapes import prepared
from trading_values import policy_record

from dmm.sandbox.market import SimulatedMarket
from dmm.simulation.experiment.contest import (
    Ring,
    block_results,
    contestants,
    half_ticks_of,
    symmetric_peer,
    variants,
)
from dmm.simulation.replay.result import SetOutcome
from dmm.simulation.replay.run import FeeTerms, ReplaySettings, VenueTerms, replay
from dmm.units.amount import HalfTicks
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S

BLOCK_NS = 5 * NS_PER_S
POLICY = policy_record(
    refresh_ms=200, toxicity_tau_bps=5_000, size_cut_bps=5_000, quote_age_percentile_bps=9_000
).policy


@pytest.fixture(scope="module")
def outcomes() -> dict[str, SetOutcome]:
    """What everyone came to on a minute of a simulated market, at a fee."""
    market = SimulatedMarket(np.random.default_rng(7), duration_s=60)
    sets = contestants(POLICY, market.instrument, HalfTicks(210_000))
    found = replay(
        prepared(list(market.events()), instrument=market.instrument),
        list(sets.values()),
        terms=[VenueTerms(fees=(FeeTerms(maker_ubps=300_000),))],
        settings=ReplaySettings(block_ns=BLOCK_NS),
    )
    return dict(zip(sets, found.outcomes, strict=True))


def test_a_market_without_a_mid_is_no_contest() -> None:
    instrument = SimulatedMarket(np.random.default_rng(7)).instrument
    with pytest.raises(UsageFault, match="mid above 0"):
        contestants(POLICY, instrument, HalfTicks(0))


def test_all_have_the_same_lots_and_the_same_limit() -> None:
    instrument = SimulatedMarket(np.random.default_rng(7)).instrument
    sets = contestants(POLICY, instrument, HalfTicks(210_000))
    assert list(sets) == ["default", "symmetric", "hummingbot", "glft"]
    for name in ("symmetric", "hummingbot"):
        assert sets[name].whole[:2] == (POLICY.quote_size_lots, POLICY.inventory_hard_lots)
    # The grid's limit is all of its orders together.
    size, limit, levels = sets["glft"].whole[:3]
    assert limit == POLICY.inventory_hard_lots
    assert size * levels <= max(limit, levels)


def test_a_basis_point_of_a_mid_in_half_ticks_is_so_many_ticks() -> None:
    assert half_ticks_of(2.0, HalfTicks(210_000)) == 21.0
    ring = Ring.of(POLICY)
    one = symmetric_peer(ring, HalfTicks(210_000), half_bps=2.0)
    assert one.params["half_ticks"] == 21.0


def test_blocks_add_up_to_what_the_set_came_to(outcomes: dict[str, SetOutcome]) -> None:
    for outcome in outcomes.values():
        blocks = block_results(outcome, block_ns=BLOCK_NS)
        venue, summary = outcome.venues[0], outcome.summary
        assert int(blocks.pnl_atoms.sum()) == summary.pnl
        assert int(blocks.volume_atoms.sum()) == venue.turnover_atoms
        assert int(blocks.markout_atoms.sum()) == venue.markout_atoms[1]
        assert int(blocks.fees_atoms.sum()) == summary.fees
        assert int(blocks.fills.sum()) == summary.fills
        assert int(blocks.inventory_lots[-1]) == venue.inventory_lots
        assert summary.fills > 0


def test_a_variant_differs_from_the_policy_in_one_setting() -> None:
    found = variants(POLICY)
    assert len(found) == len({one.whole + one.real for one in found.values()})
    desk = contestants(
        POLICY, SimulatedMarket(np.random.default_rng(7)).instrument, HalfTicks(210_000)
    )["default"]
    for one in found.values():
        numbers = zip(one.whole + one.real, desk.whole + desk.real, strict=True)
        apart = sum(a != b for a, b in numbers)
        # A floor stands twice among the numbers: for calm markets and for others.
        assert apart in (1, 2)
