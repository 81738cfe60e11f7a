from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from dmm.simulation.experiment.evidence import Rules
from dmm.simulation.experiment.performance import sharpe_ratios
from dmm.simulation.experiment.verdict import Criterion, Standing, Verdict, judge
from dmm.simulation.experiment.walk_forward import WalkForward, choose_forward, walk_forward
from dmm.units.errors import UsageFault

QUICK = Rules(resamples=200)


def noise(blocks: int = 500, sets: int = 20, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((blocks, sets))


def judged(pnl: np.ndarray, chosen: int | None = None, **other: object) -> Verdict:
    at = int(np.nanargmax(sharpe_ratios(pnl))) if chosen is None else chosen
    return judge(pnl, chosen=at, rng=np.random.default_rng(7), rules=QUICK, **other)  # type: ignore[arg-type]


def failed(verdict: Verdict) -> set[Criterion]:
    return {check.criterion for check in verdict.checks if not check.passed}


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"blocks_min": 8}, "needs 9 blocks"),
        ({"confidence": 0.4}, "got 100 and 0.4"),
        ({"p_value_max": 0.0}, "above 0 and at most 1"),
        ({"overfitting_max": 1.5}, "above 0 and at most 1"),
        ({"resamples": 10}, "needs 100 resamples"),
    ],
)
def test_rules_without_sense_are_refused(rules: dict, text: str) -> None:
    with pytest.raises(UsageFault, match=text):
        Rules(**rules)


def test_a_choice_or_a_benchmark_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageFault, match="must be 0 to 19, got 20"):
        judged(noise(), 20)
    with pytest.raises(UsageFault, match="the benchmark has 3 blocks, the sets have 500"):
        judged(noise(), benchmark=np.zeros(3))


def test_a_short_run_decides_nothing_however_good_it_looks() -> None:
    found = judged(noise(60) + 2.0)
    assert found.standing is Standing.INSUFFICIENT_DATA
    assert found.reasons == ("60 blocks, at least 100 are needed",)
    assert len(found.checks) == 1


def test_a_set_that_never_traded_decides_nothing() -> None:
    pnl = noise()
    pnl[:, 4] = 0.0
    found = judged(pnl, 4)
    assert found.standing is Standing.INSUFFICIENT_DATA
    assert "never varies" in found.reasons[0]


def test_an_edge_too_small_for_the_run_wants_data_and_says_how_much() -> None:
    pnl = noise(400, 1)
    pnl = (pnl - pnl.mean()) / pnl.std() + 0.05
    found = judged(pnl, 0)
    assert found.standing is Standing.INSUFFICIENT_DATA
    assert Criterion.TRACK_RECORD in failed(found)
    needed = found.evidence.blocks_needed
    assert needed is not None
    # 1.645²/0.05² = 1,082 for a normal P&L of independent blocks.
    assert needed == pytest.approx(1_082, rel=0.15)
    assert f"{needed:.0f} to be above 0 at 95%" in " ".join(found.reasons)


def with_edge(pnl: np.ndarray, at: int, edge: float) -> np.ndarray:
    """The same with one set brought to deviation 1 and exactly this mean."""
    pnl[:, at] = (pnl[:, at] - pnl[:, at].mean()) / pnl[:, at].std() + edge
    return pnl


def test_an_edge_beyond_luck_but_not_far_enough_wants_data() -> None:
    # 3.2 deviations from nought: more than a search of 20 explains, less than 1.645 beyond it.
    found = judged(with_edge(noise(400), 5, 3.2 / 20), 5)
    assert failed(found) == {Criterion.DEFLATED_SHARPE}
    assert found.standing is Standing.INSUFFICIENT_DATA
    needed = found.evidence.blocks_needed_deflated
    assert needed is not None
    assert needed > 400 > (found.evidence.blocks_needed or 0)


def test_an_edge_that_such_different_trials_would_show_by_luck_is_not_promotable() -> None:
    pnl = noise(1_000, 30) + np.linspace(-0.5, 0.5, 30)
    found = judged(with_edge(pnl, 20, 0.2), 20)
    assert failed(found) == {Criterion.LUCK}
    assert found.standing is Standing.NOT_PROMOTABLE


def test_a_loss_is_not_promotable_and_says_so() -> None:
    pnl = noise() - 0.2
    found = judged(pnl, 3)
    assert found.standing is Standing.NOT_PROMOTABLE
    assert Criterion.EDGE in failed(found)
    assert found.evidence.blocks_needed is None


def test_a_real_edge_is_promotable_with_all_its_reasons() -> None:
    pnl = noise()
    pnl[:, 6] += 0.35
    splits = walk_forward(500, folds=4, train_blocks_min=200)
    found = judged(pnl, forward=choose_forward(pnl, splits))
    assert found.standing is Standing.PROMOTABLE
    assert [check.criterion for check in found.checks] == list(Criterion)
    assert len(found.reasons) == len(Criterion)


def test_a_grid_of_equally_good_sets_is_not_called_overfitted() -> None:
    found = judged(noise(seed=4) + 0.5)
    assert found.standing is Standing.PROMOTABLE
    assert found.evidence.overfitting is not None
    assert found.evidence.overfitting.probability > 0.5
    assert found.evidence.overfitting.loss_probability == 0


def test_an_edge_is_one_over_the_benchmark_when_there_is_one() -> None:
    pnl = noise() + 1.0
    benchmark = np.random.default_rng(5).standard_normal(500) + 1.0
    assert judged(pnl).standing is Standing.PROMOTABLE
    assert judged(pnl, benchmark=benchmark).standing is not Standing.PROMOTABLE


def test_losing_forward_is_not_promotable() -> None:
    pnl = noise() + 0.5
    lost = WalkForward(
        chosen=np.array([1]),
        sharpe_train=np.array([0.2]),
        sharpe_test=np.array([-0.2]),
        pnl=np.array([-3.0, 1.0]),
    )
    found = judged(pnl, forward=lost)
    assert found.standing is Standing.NOT_PROMOTABLE
    assert found.reasons == ("choosing forward earned -2, must be above 0",)


def test_one_set_alone_is_judged_without_a_search() -> None:
    found = judged(noise(sets=1) + 0.4, 0)
    assert found.standing is Standing.PROMOTABLE
    assert found.evidence.overfitting is None
    assert Criterion.OVERFITTING not in {check.criterion for check in found.checks}


def test_a_verdict_is_plain_json_with_every_figure() -> None:
    for pnl in (noise(60), noise(), noise(sets=1), noise() + 0.5):
        found = judged(pnl)
        printed = json.loads(json.dumps(found.to_json(), allow_nan=False))
        assert printed["standing"] == found.standing.value
        assert printed["rules"]["confidence"] == 0.95
        assert printed["evidence"]["trials"] == pnl.shape[1]
        assert len(printed["checks"]) == len(found.checks)
    assert printed["evidence"]["superiority"]["p_chosen"] <= 0.05


def standings(edge: float, *, runs: int, blocks: int = 400, sets: int = 20) -> Counter[Standing]:
    found: Counter[Standing] = Counter()
    for seed in range(runs):
        pnl = noise(blocks, sets, seed=1_000 + seed)
        pnl[:, 5] += edge
        found[judged(pnl).standing] += 1
    return found


def test_noise_is_not_promoted_and_skill_is() -> None:
    assert standings(0.0, runs=25)[Standing.PROMOTABLE] == 0
    assert standings(0.4, runs=10)[Standing.PROMOTABLE] >= 9


@pytest.mark.deep
def test_noise_is_promoted_in_less_than_one_of_a_hundred_searches() -> None:
    assert standings(0.0, runs=600)[Standing.PROMOTABLE] <= 6
    assert standings(0.3, runs=200, blocks=600)[Standing.PROMOTABLE] >= 180
