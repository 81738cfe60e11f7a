from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from trading_values import LINEAR

from dmm.quoting.presets import InstrumentScale, Preset
from dmm.simulation.experiment.choice import ChoiceWeights
from dmm.simulation.experiment.grid import grid_of
from dmm.simulation.experiment.plan import DEFAULT_PLAN, Plan, plan_of_file
from dmm.units.amount import HalfTicks, Lots
from dmm.units.errors import UsageFault

WHOLE: dict[str, Any] = {
    "policy": {"preset": "defensive", "gamma": 0.0003, "kappa": 7, "refresh_ms": 250},
    "venue": {"maker_fee_bps": -0.25, "taker_fee_bps": 3.5, "entry_ms": 2.5, "response_ms": 4,
              "feed_ms": 7, "queue": "power", "queue_power": 3},
    "judging": {"block_s": 2.5, "folds": 6, "train_share": 0.55, "horizon_blocks": 3,
                "embargo_blocks": 2, "resamples": 300,
                "weights": {"sharpe": 0.75, "fill_ratio": 0.25}},
    "arrivals_per_s": {"bid": 1.5, "ask": 1.25},
}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"polcy": {}}, "params has no 'polcy' (given {}): there are policy, venue"),
        ({"policy": 3}, "params: policy must be an object, got 3"),
        ({"policy": {"preset": "bold"}}, "params, preset is 'bold', there are bootstrap, steady"),
        ({"policy": {"venue": "nyse"}}, "params, venue is 'nyse', there are paper-cex"),
        ({"policy": {"gama": 1}}, "params, policy: a policy has no 'gama'"),
        ({"policy": {"refresh_ms": 0}}, "params, policy: refresh_ms is 0, must lie between"),
        (
            {"policy": {"kappa": 3, "kappa_nano_per_bp_max": 5}},
            "sets kappa_nano_per_bp_max a second",
        ),
        ({"venue": {"fee": 3}}, "params, venue has no 'fee' (given 3)"),
        (
            {"venue": {"entry_ms": -1}},
            "params, venue, entry_ms is -1, must lie between 0 and 60000",
        ),
        (
            {"venue": {"queue": "fifo"}},
            "queue 'fifo': queue model fifo needs the id of every order",
        ),
        ({"venue": {"queue": "best"}}, "queue 'best': no queue model"),
        ({"judging": {"block_s": 0}}, "params, judging, block_s is 0, must lie between"),
        ({"judging": {"train_share": 1}}, "params, judging, train_share is 1"),
        (
            {"judging": {"weights": {"sharpe": 0.5}}},
            "weights: weights must not be negative and add",
        ),
        ({"judging": {"weights": {"luck": 1}}}, "params, judging, weights has no 'luck'"),
        ({"judging": {"weights": 1}}, "params, judging, weights must be an object, got 1"),
        ({"arrivals_per_s": {"bid": 1}}, "params, arrivals_per_s: give bid and ask"),
        ({"arrivals_per_s": {"bid": 0, "ask": 1}}, "params, arrivals_per_s, bid is 0"),
    ],
)
def test_a_file_that_cannot_be_is_refused_by_name_and_value(
    body: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageFault) as refusal:
        plan_of_file(body)
    assert told in str(refusal.value)


def test_an_empty_file_is_the_default() -> None:
    assert plan_of_file({}) == DEFAULT_PLAN


def test_every_value_of_a_file_is_read_in_whole_units() -> None:
    found = plan_of_file(WHOLE)
    assert found.preset is Preset.DEFENSIVE
    assert found.changes["gamma_nano_per_bp"] == 300_000
    assert found.changes["kappa_nano_per_bp_min"] == found.changes["kappa_nano_per_bp_max"]
    venue, judging = found.venue, found.judging
    assert (venue.maker_fee_ubps, venue.taker_fee_ubps) == (-250_000, 3_500_000)
    assert (venue.entry_ns, venue.response_ns, venue.feed_ns) == (2_500_000, 4_000_000, 7_000_000)
    assert venue.terms.queue.power == 3.0
    assert (judging.block_ns, judging.folds, judging.train_bps) == (2_500_000_000, 6, 5_500)
    assert judging.weights == ChoiceWeights(
        inventory_variance=0, realised_spread=0, fill_ratio=0.25, sharpe=0.75
    )
    assert (found.a_bid_micro, found.a_ask_micro) == (1_500_000, 1_250_000)


def test_a_plan_survives_the_journal() -> None:
    found = plan_of_file(WHOLE)
    assert Plan.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_policy_that_contradicts_itself_is_refused_with_the_file_named() -> None:
    scale = InstrumentScale(mid=HalfTicks(200_000), typical_size=Lots(10))
    plan = plan_of_file({"policy": {"inventory_soft_lots": 900, "inventory_hard_lots": 30}})
    with pytest.raises(UsageFault, match=r"params, policy: .*inventory_soft_lots is 900"):
        plan.base(LINEAR, scale)


def test_the_examples_of_the_handbook_are_accepted() -> None:
    page = Path(__file__).resolve().parents[4] / "docs" / "experiments.md"
    examples = re.findall(r"```json\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    params, grid = (json.loads(example) for example in examples)
    scale = InstrumentScale(mid=HalfTicks(200_000), typical_size=Lots(10))
    base = plan_of_file(params).base(LINEAR, scale)
    assert len(grid_of(base, grid).sets) == 1 + 3 * 6 * 5 * 3
