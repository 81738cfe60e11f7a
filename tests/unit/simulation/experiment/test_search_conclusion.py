from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from trading_values import policy

from dmm.simulation.experiment import trial
from dmm.simulation.experiment.choice import ChoiceWeights, Columns
from dmm.simulation.experiment.conclusion import Conclusion, conclude
from dmm.simulation.experiment.counterfactual import counterfactual
from dmm.simulation.experiment.grid import Grid, GridSet
from dmm.simulation.experiment.plan import Judging
from dmm.simulation.experiment.trial import Totals, Trials, block_results, decode, digest_of, encode
from dmm.simulation.experiment.verdict import Standing
from dmm.units.errors import InvariantBroken, UsageFault

BASE = policy()
BY_SHARPE = ChoiceWeights(inventory_variance=0, realised_spread=0, fill_ratio=0, sharpe=1)
JUDGING = Judging(resamples=200, weights=BY_SHARPE)


def grid(sets: int) -> Grid:
    made = [replace(BASE, refresh_ms=100 + at) for at in range(sets)]
    return Grid(
        sets=tuple(GridSet(params={"refresh_ms": 100 + at}, policy=p) for at, p in enumerate(made)),
        in_force=0,
        axes=("refresh_ms",),
    )


def trials(means: list[float], *, blocks: int = 400, seed: int = 5) -> Trials:
    rng = np.random.default_rng(seed)
    shape = (blocks, len(means))
    pnl = np.rint(rng.normal(means, 100.0, shape)).astype(np.int64)
    columns = Columns(
        pnl_atoms=pnl,
        markout_atoms=np.rint(pnl * 0.7).astype(np.int64),
        fees_atoms=rng.integers(-3, 4, shape),
        volume_atoms=rng.integers(90_000, 110_000, shape),
        inventory_lots=rng.integers(-9, 10, shape),
        filled_lots=rng.integers(1, 6, shape),
        placed_lots=rng.integers(6, 12, shape),
        fills=rng.integers(1, 4, shape),
    )
    totals = tuple(
        Totals(
            fills=int(columns.fills[:, at].sum()),
            volume=int(columns.filled_lots[:, at].sum()),
            placed=int(columns.placed_lots[:, at].sum()),
            pnl=int(pnl[:, at].sum()),
            fees=int(columns.fees_atoms[:, at].sum()),
            turnover=int(columns.volume_atoms[:, at].sum()),
            markout=int(columns.markout_atoms[:, at].sum()),
            sharpe=1.25,
            max_drawdown=77,
            inventory_variance=31.5,
            span_ns=blocks * JUDGING.block_ns,
            decisions=9,
            orders_refused=0,
            orders_rejected=0,
        )
        for at in range(len(means))
    )
    return Trials(totals=totals, columns=columns)


def concluded(means: list[float], **more: int) -> Conclusion:
    return conclude(
        grid(len(means)), [trials(means, **more)], judging=JUDGING, rng=np.random.default_rng(1)
    )


def test_one_block_cannot_be_judged_and_the_cure_is_told() -> None:
    with pytest.raises(UsageFault, match=r"1 block of 10 s.*smaller block_s"):
        concluded([3.0], blocks=1)


def test_a_run_too_short_is_insufficient_data_with_the_reason() -> None:
    found = concluded([20.0, 60.0], blocks=30)
    assert found.standing is Standing.INSUFFICIENT_DATA
    assert "30 blocks, at least 100 are needed" in found.reasons


def test_a_run_too_short_for_folds_has_no_walk_forward() -> None:
    found = concluded([20.0, 60.0], blocks=5)
    assert found.forward is None
    assert found.to_json()["walk_forward"] is None


def test_what_is_in_force_and_best_leaves_nothing_to_change() -> None:
    found = concluded([60.0, 5.0, -5.0])
    assert (found.chosen, found.counterfactual) == (0, None)
    assert found.standing is Standing.NOT_PROMOTABLE
    assert "nothing to change" in found.reasons[0]


def test_too_short_a_run_does_not_confirm_what_is_in_force_either() -> None:
    found = concluded([160.0, 5.0], blocks=30)
    assert (found.chosen, found.standing) == (0, Standing.INSUFFICIENT_DATA)


def test_better_than_what_is_in_force_is_not_enough_for_who_loses() -> None:
    found = concluded([-160.0, -20.0])
    assert found.verdict.standing is Standing.PROMOTABLE
    assert found.standing is Standing.NOT_PROMOTABLE
    assert "loses on its own" in found.reasons[0]


def test_a_clear_winner_is_promotable_with_its_effect() -> None:
    found = concluded([1.0, 60.0, 0.0, -3.0])
    assert (found.standing, found.chosen) == (Standing.PROMOTABLE, 1)
    assert found.counterfactual is not None
    effects = {one.name: one for one in found.counterfactual.effects}
    profit = effects["profit"]
    pnl = found.columns.pnl_atoms.sum(axis=0)
    assert profit.change == pytest.approx(pnl[1] - pnl[0])
    assert profit.low < profit.change < profit.high
    assert profit.low > 0
    assert (profit.in_force, profit.proposed) == pytest.approx((pnl[0], pnl[1]))
    spread = effects["realised spread"]
    columns = found.columns
    own = 2e4 * columns.markout_atoms.sum(axis=0) / columns.volume_atoms.sum(axis=0)
    assert spread.change == pytest.approx(own[1] - own[0])
    assert "profit by +" in found.counterfactual.text


def test_searches_of_noise_are_promoted_no_more_often_than_one_in_twenty() -> None:
    standings = [concluded([0.0] * 6, seed=seed).standing for seed in range(20)]
    assert standings.count(Standing.PROMOTABLE) <= 1


def test_equal_sets_change_nothing() -> None:
    same = block_results(trials([9.0]).columns, 0, block_ns=JUDGING.block_ns)
    found = counterfactual(same, same, rng=np.random.default_rng(1), resamples=150)
    assert [one.change for one in found.effects] == [0.0, 0.0, 0.0]


def test_too_few_blocks_have_no_counterfactual_and_say_so() -> None:
    short = block_results(trials([9.0], blocks=6).columns, 0, block_ns=JUDGING.block_ns)
    found = counterfactual(short, short, rng=np.random.default_rng(1), resamples=150)
    assert found.effects == ()
    assert "6 blocks are fewer than 9" in found.text


def test_results_have_the_figures_of_all_recordings_together() -> None:
    parts = [trials([4.0, 8.0], blocks=120), trials([6.0, 2.0], blocks=60, seed=9)]
    found = conclude(grid(2), parts, judging=JUDGING, rng=np.random.default_rng(1))
    row = found.results[1]
    both = [part.totals[1] for part in parts]
    assert row["pnl"] == sum(one.pnl for one in both)
    assert row["fill_ratio"] == pytest.approx(
        sum(one.volume for one in both) / sum(one.placed for one in both)
    )
    assert row["realized_spread"] == pytest.approx(
        2e4 * sum(one.markout for one in both) / sum(one.turnover for one in both)
    )
    assert row["inventory_variance"] == pytest.approx(31.5)


def test_the_same_seed_judges_the_same() -> None:
    assert concluded([1.0, 30.0]).to_json() == concluded([1.0, 30.0]).to_json()


def test_kept_trials_come_back_to_the_bit() -> None:
    made = trials([1.0, 3.0, 7.0], blocks=33)
    back = decode(encode(made))
    assert back.totals == made.totals
    for one in fields(Columns):
        assert np.array_equal(getattr(back.columns, one.name), getattr(made.columns, one.name))
    assert digest_of(encode(back)) == digest_of(encode(made))


def test_bytes_of_another_form_are_refused() -> None:
    whole = encode(trials([1.0]))
    for broken in (b"", whole[:-9], b"x" + whole):
        with pytest.raises(InvariantBroken, match="cannot be read"):
            decode(broken)


def test_a_piece_too_large_to_keep_is_refused_with_its_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trial, "BODY_BYTES_MAX", 900)
    with pytest.raises(UsageFault, match=r"3 sets of 400 blocks take .* smaller piece_sets"):
        encode(trials([1.0, 2.0, 3.0]))
