from __future__ import annotations

import numpy as np
import pytest

from dmm.simulation.experiment import resample
from dmm.simulation.experiment.resample import (
    RESAMPLES_MAX,
    dependence,
    resampled_sums,
    shrinkage,
    stationary_indices,
)
from dmm.units.errors import UsageFault


def autoregression(blocks: int, rho: float, seed: int = 1) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal(blocks)
    for at in range(1, blocks):
        drawn[at] += rho * drawn[at - 1]
    return drawn


@pytest.mark.parametrize(
    ("resamples", "block_mean"), [(0, 2.0), (RESAMPLES_MAX + 1, 2.0), (9, 0.5), (9, 11.0)]
)
def test_a_bootstrap_out_of_bounds_is_refused(resamples: int, block_mean: float) -> None:
    with pytest.raises(UsageFault, match="a bootstrap of 10 blocks needs"):
        resampled_sums(
            np.ones((10, 1)),
            block_mean=block_mean,
            resamples=resamples,
            rng=np.random.default_rng(1),
        )


def test_too_few_blocks_tell_nothing_of_dependence() -> None:
    with pytest.raises(UsageFault, match="needs 9 to"):
        dependence(np.arange(8.0))


def test_pieces_run_on_through_the_ring() -> None:
    drawn = stationary_indices(7, resamples=400, block_mean=4.0, rng=np.random.default_rng(2))
    steps = (np.diff(drawn, axis=1) - 1) % 7
    # A new piece starts with chance ¼ and by chance a seventh of those goes on where it was.
    assert np.mean(steps == 0) == pytest.approx(3 / 4 + 1 / 4 / 7, abs=0.03)
    assert set(np.unique(drawn)) == set(range(7))


def test_pieces_of_one_block_are_plain_draws() -> None:
    drawn = stationary_indices(50, resamples=2_000, block_mean=1.0, rng=np.random.default_rng(3))
    assert np.bincount(drawn.ravel(), minlength=50) == pytest.approx(np.full(50, 2_000), abs=250)


def test_sums_are_those_of_the_drawn_blocks_however_they_are_chunked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    columns = np.random.default_rng(4).standard_normal((30, 3))
    sums = resampled_sums(columns, block_mean=3.0, resamples=5, rng=np.random.default_rng(5))
    drawn = stationary_indices(30, resamples=5, block_mean=3.0, rng=np.random.default_rng(5))
    assert sums == pytest.approx(columns[drawn].sum(axis=1))
    monkeypatch.setattr(resample, "CHUNK_CELLS", 60)
    rng = np.random.default_rng(5)
    again = resampled_sums(columns, block_mean=3.0, resamples=5, rng=rng)
    rng = np.random.default_rng(5)
    parts = [stationary_indices(30, resamples=rows, block_mean=3.0, rng=rng) for rows in (2, 2, 1)]
    assert again == pytest.approx(columns[np.concatenate(parts)].sum(axis=1))


def test_the_bootstrap_of_a_mean_has_the_variance_the_paper_derives() -> None:
    # Politis & Romano (1994), lemma 1: n·Var* = R(0) + 2Σ((1−k/n)(1−p)^k + (k/n)(1−p)^(n−k))R(k),
    # R the circular-free autocovariances and p = 1/L.
    x = autoregression(40, 0.6)
    n, length = x.size, 5.0
    centred = x - x.mean()
    keep = 1 - 1 / length
    expected = np.mean(centred**2)
    for lag in range(1, n):
        weight = (1 - lag / n) * keep**lag + lag / n * keep ** (n - lag)
        expected += 2 * weight * np.sum(centred[lag:] * centred[:-lag]) / n
    sums = resampled_sums(
        x[:, None], block_mean=length, resamples=40_000, rng=np.random.default_rng(6)
    )
    # The deviation of a variance from 40,000 draws is √(2/40,000) = 0.7 %.
    assert np.var(sums / n) * n == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6])
def test_the_long_run_variance_of_an_autoregression_is_found(rho: float) -> None:
    found = dependence(autoregression(20_000, rho))
    assert found.long_run_variance[0] == pytest.approx(1 / (1 - rho) ** 2, rel=0.1)
    assert found.variance[0] == pytest.approx(1 / (1 - rho**2), rel=0.05)


def test_what_undoes_itself_counts_for_no_more_than_its_blocks() -> None:
    found = dependence(autoregression(5_000, -0.6))
    assert found.long_run_variance[0] < 0.6 * found.variance[0]
    assert found.inflation.tolist() == [1.0]


def test_pieces_grow_with_dependence_and_stay_within_a_third_of_the_run() -> None:
    free, mild, strong = (
        float(dependence(autoregression(2_000, rho)).block_mean[0]) for rho in (0.0, 0.4, 0.9)
    )
    assert free < 4 < mild < strong
    walk = np.cumsum(np.random.default_rng(8).standard_normal(60))
    # ⌈60/3⌉ is below ⌈3√60⌉.
    assert dependence(walk).block_mean[0] <= 20


def test_a_short_run_that_plainly_clusters_does_not_pass_for_independent() -> None:
    for seed in range(40):
        drawn = autoregression(60, 0.9, seed)
        centred = drawn - drawn.mean()
        rho = min(float(centred[1:] @ centred[:-1]) / float(centred @ centred), 0.99)
        found = dependence(drawn)
        # The flat-top windows alone fall to 1 for some of these, where the truth is 19.
        clustering = (1 + rho) / (1 - rho)
        assert found.inflation[0] > clustering - 1e-9
        assert found.block_mean[0] > min(clustering, 20) - 1e-9


def test_an_idle_column_has_no_dependence() -> None:
    found = dependence(np.stack([np.zeros(50), autoregression(50, 0.2)], axis=1))
    assert found.variance[0] == 0
    assert found.long_run_variance[0] == 0
    assert found.block_mean[0] == 1
    assert found.inflation[0] == 1


def test_columns_do_not_know_of_each_other() -> None:
    one, two = autoregression(300, 0.5, 1), 1e6 * autoregression(300, 0.8, 2)
    both = dependence(np.stack([one, two], axis=1))
    apart = [float(dependence(x).block_mean[0]) for x in (one, two)]
    assert both.block_mean == pytest.approx(apart, rel=1e-9)


def test_shrinkage_vanishes_in_long_runs() -> None:
    assert shrinkage(200, 16.0) == pytest.approx(0.84**0.5)
    assert shrinkage(10, 9.0) == pytest.approx(3**-0.5)
    assert shrinkage(10**6, 1.0) == pytest.approx(1.0, abs=2e-6)
