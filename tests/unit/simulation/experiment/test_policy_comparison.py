from __future__ import annotations

import json
import math

import numpy as np
import pytest

from dmm.simulation.experiment.blocks import BlockResults
from dmm.simulation.experiment.compare import Comparison, Difference, Metric, Pair, compare
from dmm.simulation.experiment.coverage import coverage
from dmm.units.errors import UsageFault


def whole(values: np.ndarray) -> np.ndarray:
    return np.round(values).astype(np.int64)


def run(
    blocks: int,
    *,
    seed: int,
    edge_bps: float = 1.0,
    size: float = 1.0,
    common: np.ndarray | None = None,
    rho: float = 0.6,
) -> BlockResults:
    """A maker that keeps `edge_bps` of what it trades, with a position that lingers."""
    rng = np.random.default_rng(seed)
    volume = whole(size * 1e6 * rng.gamma(4.0, size=blocks))
    noise = rng.standard_normal(blocks) if common is None else common
    markout = whole(volume * edge_bps / 1e4 + size * 300 * noise)
    held = rng.standard_normal(blocks)
    for at in range(1, blocks):
        held[at] += rho * held[at - 1]
    fees = whole(volume * 0.2 / 1e4)
    return BlockResults(
        pnl_atoms=markout - fees + whole(500 * rng.standard_normal(blocks)),
        markout_atoms=markout,
        fees_atoms=fees,
        volume_atoms=volume,
        inventory_lots=whole(1_000 * size * held),
        fills=np.ones(blocks, dtype=np.int64),
        orders=np.full(blocks, 3),
    )


def compared(
    a: BlockResults, b: BlockResults, metric: Metric = Metric.MARKOUT_NET_BPS, seed: int = 1
) -> Difference:
    found = compare(
        [Pair(tape="one", a=a, b=b)], metric=metric, rng=np.random.default_rng(seed), resamples=300
    ).pooled
    assert found is not None
    return found


def test_runs_that_were_cut_differently_are_not_paired() -> None:
    with pytest.raises(UsageFault, match="tokyo: 50 blocks of 10000000000 ns cannot be paired"):
        Pair(tape="tokyo", a=run(50, seed=1), b=run(51, seed=1))
    with pytest.raises(UsageFault, match="8 blocks are fewer than 9"):
        Pair(tape="tokyo", a=run(8, seed=1), b=run(8, seed=1))


def test_tapes_must_have_names_of_their_own() -> None:
    pair = Pair(tape="one", a=run(50, seed=1), b=run(50, seed=2))
    for pairs in ([], [pair, pair]):
        with pytest.raises(UsageFault, match="distinct names"):
            compare(pairs, metric=Metric.PNL_BPS, rng=np.random.default_rng(1))


@pytest.mark.parametrize("metric", list(Metric))
def test_a_policy_that_never_traded_is_not_compared(metric: Metric) -> None:
    zero = np.zeros(50, dtype=np.int64)
    idle = BlockResults(
        pnl_atoms=zero,
        markout_atoms=zero,
        fees_atoms=zero,
        volume_atoms=zero,
        inventory_lots=zero,
        fills=zero,
        orders=zero,
    )
    pairs = [
        Pair(tape="idle", a=run(50, seed=1), b=idle),
        Pair(tape="both", a=run(50, seed=1), b=run(50, seed=2)),
    ]
    found = compare(pairs, metric=metric, rng=np.random.default_rng(1))
    assert found.by_tape["idle"] is None
    assert found.by_tape["both"] is not None
    assert found.pooled is not None
    assert found.pooled.difference == found.by_tape["both"].difference
    assert json.loads(json.dumps(found.to_json()))["tapes"]["idle"] is None
    alone = compare(pairs[:1], metric=metric, rng=np.random.default_rng(1))
    assert alone == Comparison(by_tape={"idle": None}, pooled=None)


def test_a_policy_that_traded_in_one_block_has_no_interval() -> None:
    lonely = run(60, seed=1)
    volume = np.zeros(60, dtype=np.int64)
    volume[17] = 10**6
    once = BlockResults(
        pnl_atoms=lonely.pnl_atoms,
        markout_atoms=lonely.markout_atoms,
        fees_atoms=lonely.fees_atoms,
        volume_atoms=volume,
        inventory_lots=lonely.inventory_lots,
        fills=lonely.fills,
        orders=lonely.orders,
    )
    found = compare(
        [Pair(tape="one", a=lonely, b=once)],
        metric=Metric.PNL_BPS,
        rng=np.random.default_rng(1),
    )
    assert found.pooled is None


def test_figures_are_per_volume_and_less_fees() -> None:
    a, b = run(80, seed=1, edge_bps=2.0), run(80, seed=2, size=3.0)
    found = compared(a, b)
    kept_a = int((a.markout_atoms - a.fees_atoms).sum()) * 1e4 / int(a.volume_atoms.sum())
    kept_b = int((b.markout_atoms - b.fees_atoms).sum()) * 1e4 / int(b.volume_atoms.sum())
    assert (found.value_a, found.value_b) == pytest.approx((kept_a, kept_b))
    assert found.difference == pytest.approx(kept_a - kept_b)
    worth = compared(a, b, Metric.PNL_BPS)
    assert worth.value_a == pytest.approx(int(a.pnl_atoms.sum()) * 1e4 / int(a.volume_atoms.sum()))


def test_positions_are_compared_at_equal_volume() -> None:
    a, b = run(80, seed=1), run(80, seed=2)
    double = BlockResults(
        pnl_atoms=a.pnl_atoms,
        markout_atoms=a.markout_atoms,
        fees_atoms=a.fees_atoms,
        volume_atoms=2 * a.volume_atoms,
        inventory_lots=2 * a.inventory_lots,
        fills=a.fills,
        orders=a.orders,
    )
    plain = compared(a, b, Metric.INVENTORY_VARIANCE)
    scaled = compared(double, b, Metric.INVENTORY_VARIANCE)
    assert scaled.difference == pytest.approx(plain.difference)
    ratio = (int(b.volume_atoms.sum()) / int(a.volume_atoms.sum())) ** 2
    assert plain.value_a == pytest.approx(np.var(a.inventory_lots) * ratio)
    assert plain.difference == pytest.approx(math.log(plain.value_a / plain.value_b))


def test_a_policy_does_not_differ_from_itself() -> None:
    one = run(60, seed=3)
    for metric in Metric:
        found = compared(one, one, metric)
        assert (found.difference, found.low, found.high) == (0.0, 0.0, 0.0)
        assert not found.is_a_better
        assert not found.is_b_better


def test_what_moves_both_cancels() -> None:
    common = np.random.default_rng(9).standard_normal(400)
    paired = compared(
        run(400, seed=1, edge_bps=1.2, common=common), run(400, seed=2, common=common)
    )
    apart = compared(run(400, seed=1, edge_bps=1.2), run(400, seed=2))
    assert paired.high - paired.low < 0.3 * (apart.high - apart.low)
    assert paired.is_a_better


def test_better_means_more_profit_but_less_position() -> None:
    calm, wild = run(400, seed=1, rho=0.1), run(400, seed=2, rho=0.9)
    found = compared(calm, wild, Metric.INVENTORY_VARIANCE)
    assert found.difference < 0
    assert found.is_a_better
    assert compared(wild, calm, Metric.INVENTORY_VARIANCE).is_b_better


def test_every_tape_counts_the_same_and_more_tapes_say_more() -> None:
    pairs = []
    for at in range(6):
        blocks = 100 + 20 * at
        better, plain = run(blocks, seed=at, edge_bps=1.3), run(blocks, seed=50 + at)
        pairs.append(Pair(tape=str(at), a=better, b=plain))
    found = compare(
        pairs, metric=Metric.MARKOUT_NET_BPS, rng=np.random.default_rng(1), resamples=300
    )
    ones = [one for one in found.by_tape.values() if one]
    assert found.pooled is not None
    assert found.pooled.difference == pytest.approx(np.mean([one.difference for one in ones]))
    widths = [one.high - one.low for one in ones]
    assert found.pooled.high - found.pooled.low < 0.6 * np.mean(widths)


def covered(blocks: int, rho: float, *, draws: int) -> dict[Metric, float]:
    found: dict[Metric, list[tuple[float, float]]] = {
        metric: [] for metric in (Metric.MARKOUT_NET_BPS, Metric.INVENTORY_VARIANCE)
    }
    truth = {Metric.MARKOUT_NET_BPS: 0.5, Metric.INVENTORY_VARIANCE: 0.0}
    for seed in range(draws):
        a = run(blocks, seed=2 * seed, edge_bps=1.5, rho=rho)
        b = run(blocks, seed=2 * seed + 1, size=2.0, rho=rho)
        for metric, ends in found.items():
            one = compared(a, b, metric, seed=seed)
            ends.append((one.low, one.high))
    shares = {}
    for metric, ends in found.items():
        low, high = np.array(ends).T
        shares[metric] = coverage(low, high, np.array([truth[metric]])).share
    return shares


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    for share in covered(200, 0.6, draws=100).values():
        # Four binomial deviations below 95 %.
        assert share >= 0.86


@pytest.mark.deep
@pytest.mark.parametrize(("blocks", "rho"), [(60, 0.5), (300, 0.5), (300, 0.9), (1_500, 0.9)])
def test_intervals_cover_the_truth_in_each_market(blocks: int, rho: float) -> None:
    for share in covered(blocks, rho, draws=600).values():
        assert 0.89 <= share <= 0.995
