from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest

from dmm.simulation.experiment import overfitting
from dmm.simulation.experiment.overfitting import backtest_overfitting, halves, subsets_for
from dmm.units.errors import UsageFault


@pytest.mark.parametrize("subsets", [0, 2, 5, 20, 12])
def test_subsets_out_of_bounds_are_refused(subsets: int) -> None:
    with pytest.raises(UsageFault, match=f"4 to 10, got {subsets}"):
        backtest_overfitting(np.ones((20, 3)), subsets=subsets)


@pytest.mark.parametrize(("blocks", "subsets"), [(7, 0), (8, 4), (15, 6), (31, 14), (5_000, 16)])
def test_short_runs_are_cut_into_fewer_subsets(blocks: int, subsets: int) -> None:
    assert subsets_for(blocks) == subsets


def test_fewer_than_two_sets_that_trade_cannot_be_ranked() -> None:
    drawn = np.zeros((40, 3))
    drawn[:, 1] = np.random.default_rng(1).standard_normal(40)
    assert backtest_overfitting(drawn, subsets=4) is None


def test_every_half_is_taken_once_and_its_rest_too() -> None:
    rows = halves(6)
    assert len({tuple(row) for row in rows}) == math.comb(6, 3)
    assert {tuple(1 - row) for row in rows} == {tuple(row) for row in rows}


def plainly(pnl: np.ndarray, subsets: int) -> list[tuple[float, float, float]]:
    """The algorithm of the paper, step by step."""
    pieces = np.array_split(pnl, subsets)
    found = []
    for taken in itertools.combinations(range(subsets), subsets // 2):
        train = np.concatenate([pieces[at] for at in taken])
        test = np.concatenate([pieces[at] for at in range(subsets) if at not in taken])
        inside = train.mean(axis=0) / train.std(axis=0, ddof=1)
        outside = test.mean(axis=0) / test.std(axis=0, ddof=1)
        best = int(np.argmax(inside))
        rank = 1 + int(np.sum(outside < outside[best]))
        omega = rank / (pnl.shape[1] + 1)
        found.append((math.log(omega / (1 - omega)), inside[best], outside[best]))
    return found


@pytest.mark.parametrize("blocks", [60, 67])
def test_it_is_the_algorithm_of_the_paper(blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pnl = 1e5 + 1e4 * np.random.default_rng(2).standard_normal((blocks, 7))
    monkeypatch.setattr(overfitting, "CHUNK_CELLS", 30)
    found = backtest_overfitting(pnl, subsets=6)
    assert found is not None
    table = np.array(plainly(pnl, 6))
    assert np.stack([found.logits, found.sharpe_in, found.sharpe_out], axis=1) == pytest.approx(
        table
    )
    assert found.probability == np.mean(table[:, 0] <= 0)
    slope, intercept = np.polyfit(table[:, 1], table[:, 2], 1)
    assert (found.slope, found.intercept) == pytest.approx((slope, intercept))


def test_a_set_that_is_better_is_found_again() -> None:
    pnl = np.random.default_rng(3).standard_normal((400, 20))
    pnl[:, 11] += 0.6
    found = backtest_overfitting(pnl, subsets=8)
    assert found is not None
    assert (found.probability, found.loss_probability) == (0.0, 0.0)
    assert found.logits.min() == pytest.approx(math.log(20))


def test_sets_that_are_alike_share_their_rank() -> None:
    one = np.random.default_rng(4).standard_normal((40, 1))
    found = backtest_overfitting(np.repeat(one, 4, axis=1), subsets=4)
    assert found is not None
    assert found.logits == pytest.approx(np.zeros(6))
    assert found.probability == 1.0


def test_a_set_that_stood_still_in_a_half_has_no_ratio_there() -> None:
    # Tenths are no binary fractions: their sums leave a deviation of 1e-9 where there is none.
    for tenths in range(1, 30):
        pnl = np.random.default_rng(tenths).standard_normal((120, 3))
        pnl[:60, 1] = tenths / 10
        found = backtest_overfitting(pnl, subsets=4)
        assert found is not None
        assert np.max(np.abs([found.sharpe_in, found.sharpe_out])) < 20


def test_the_report_counts_every_split() -> None:
    found = backtest_overfitting(np.random.default_rng(5).standard_normal((60, 9)), subsets=6)
    assert found is not None
    printed = json.loads(json.dumps(found.to_json()))
    assert printed["splits"] == sum(printed["logit_counts"]) == 20
    assert len(printed["logit_edges"]) == len(printed["logit_counts"]) + 1
