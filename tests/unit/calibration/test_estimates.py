from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dmm.calibration.arrival import ArrivalFit, fit_arrival
from dmm.calibration.depth import Depths, positive_depths
from dmm.calibration.estimates import Bands, Estimate, Verdict, starting_estimate
from dmm.calibration.recalibrate import (
    CHANGES_MIN,
    DEPTHS_MIN,
    DRIFTED,
    recalibrate_arrival,
    recalibrate_volatility,
)
from dmm.units.ids import canonical_json
from dmm.units.time import NS_PER_S

BANDS = Bands(
    sigma_microticks_min=1_000_000,
    sigma_microticks_max=9_000_000,
    kappa_nano_min=50_000_000,
    kappa_nano_max=900_000_000,
)
LAST = Estimate(
    version=3,
    sigma_microticks=2_500_000,
    kappa_nano=310_000_000,
    a_micro=170_000,
    a_bid_micro=80_000,
    a_ask_micro=90_000,
    verdict=Verdict.ADOPTED,
    evidence={"depths": 99},
)


def zigzag(half_ticks: int, changes: int = 100) -> Any:
    return np.array([56_363 + half_ticks * (at % 2) for at in range(changes + 1)], dtype=np.int64)


def exponential(
    kappa: float, *, count: int = 8_000, duration_s: int = 400, seed: int = 3
) -> Depths:
    rng = np.random.default_rng(seed)
    return positive_depths(
        depth_half_ticks=np.ceil(2 * rng.exponential(1 / kappa, count)).astype(np.int64),
        at_ns=rng.integers(0, duration_s * NS_PER_S, count),
        is_buy=rng.random(count) < 0.5,
        started_at_ns=0,
        duration_ns=duration_s * NS_PER_S,
    )


def numbers(estimate: Estimate) -> tuple[int, ...]:
    return (
        estimate.version,
        estimate.sigma_microticks,
        estimate.kappa_nano,
        estimate.a_micro,
        estimate.a_bid_micro,
        estimate.a_ask_micro,
    )


def volatility(mid_half_ticks: Any) -> Estimate:
    return recalibrate_volatility(
        mid_half_ticks, last=LAST, bands=BANDS, rng=np.random.default_rng(1)
    )


def arrival(
    depths: Depths, *, bands: Bands = BANDS, last: Estimate = LAST, is_apart: bool = False
) -> Estimate:
    return recalibrate_arrival(
        depths, last=last, bands=bands, rng=np.random.default_rng(1), is_apart=is_apart
    )


@pytest.mark.parametrize(
    "edges", [(0, 5, 2, 3), (5, 4, 2, 3), (2, 3, 0, 5), (2, 3, 5, 4), (-1, 3, 2, 3)]
)
def test_bands_must_be_positive_and_rise(edges: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="must be positive and rise"):
        Bands(
            sigma_microticks_min=edges[0],
            sigma_microticks_max=edges[1],
            kappa_nano_min=edges[2],
            kappa_nano_max=edges[3],
        )


def test_too_few_changes_hold_the_last_sigma() -> None:
    held = volatility(zigzag(6, CHANGES_MIN - 1))
    assert held.verdict is Verdict.HELD
    assert numbers(held) == numbers(LAST)
    assert held.reasons == ("29 changes of the mid, 30 are needed",)
    empty = volatility(np.zeros(0, dtype=np.int64))
    assert empty.verdict is Verdict.HELD


def test_a_sigma_inside_the_band_is_adopted_with_a_new_version() -> None:
    adopted = volatility(zigzag(7))
    assert adopted.verdict is Verdict.ADOPTED
    assert numbers(adopted) == (4, 3_500_000, *numbers(LAST)[2:])
    assert adopted.evidence["clamped"] == 0


@pytest.mark.parametrize(
    ("half_ticks", "sigma_microticks", "moved"), [(1, 1_000_000, -1), (50, 9_000_000, 1)]
)
def test_a_sigma_outside_the_band_is_adopted_at_its_edge(
    half_ticks: int, sigma_microticks: int, moved: int
) -> None:
    adopted = volatility(zigzag(half_ticks))
    assert adopted.sigma_microticks == sigma_microticks
    assert adopted.evidence["clamped"] == moved
    assert len(adopted.reasons) == 1


def test_too_few_trades_hold_the_last_kappa() -> None:
    held = arrival(exponential(0.3, count=DEPTHS_MIN - 1))
    assert held.verdict is Verdict.HELD
    assert numbers(held) == numbers(LAST)
    assert held.reasons == ("49 trades beyond the mid, 50 are needed",)


def test_trades_at_one_distance_hold_the_last_kappa() -> None:
    depths = exponential(0.3)
    flat = positive_depths(
        depth_half_ticks=np.full(depths.at_ns.size, 3),
        at_ns=depths.at_ns,
        is_buy=depths.is_buy,
        started_at_ns=0,
        duration_ns=depths.duration_ns,
    )
    held = arrival(flat)
    assert held.verdict is Verdict.HELD
    assert held.evidence["levels"] == 1


def test_a_good_fit_inside_the_band_is_adopted() -> None:
    adopted = arrival(exponential(0.3))
    assert adopted.verdict is Verdict.ADOPTED
    assert adopted.version == 4
    assert adopted.kappa_nano == pytest.approx(300_000_000, rel=0.1)
    assert adopted.a_micro == pytest.approx(20_000_000, rel=0.1)
    assert adopted.a_bid_micro + adopted.a_ask_micro == pytest.approx(adopted.a_micro, rel=0.1)
    assert adopted.sigma_microticks == LAST.sigma_microticks
    evidence = adopted.evidence
    assert evidence["kappa_nano_low"] < adopted.kappa_nano < evidence["kappa_nano_high"]
    assert {"fit_from_ticks", "fit_to_ticks", "r_squared_micro", "mle_nano"} <= set(evidence)
    assert {"kappa_nano_half_range", "kappa_nano_double_range"} <= set(evidence)


@pytest.mark.parametrize(("low", "high"), [(400_000_000, 900_000_000), (10_000_000, 200_000_000)])
def test_a_kappa_outside_the_band_is_held_and_the_last_adopted_stays(low: int, high: int) -> None:
    bands = Bands(
        sigma_microticks_min=1_000_000,
        sigma_microticks_max=9_000_000,
        kappa_nano_min=low,
        kappa_nano_max=high,
    )
    refused = arrival(exponential(0.3), bands=bands)
    assert refused.verdict is Verdict.HELD
    assert numbers(refused) == numbers(LAST)
    assert "outside the band" in refused.reasons[0]
    # What was measured stays visible although it is not used.
    assert refused.evidence["kappa_nano"] == pytest.approx(300_000_000, rel=0.1)


def test_a_misfit_falls_back_with_every_reason() -> None:
    depths = exponential(0.3)
    # Half the trades at the touch, the other half far away: no exponential.
    half = np.where(np.arange(depths.at_ns.size) % 2 == 0, 2, 60)
    misfit = positive_depths(
        depth_half_ticks=half,
        at_ns=depths.at_ns,
        is_buy=depths.is_buy,
        started_at_ns=0,
        duration_ns=depths.duration_ns,
    )
    refused = arrival(misfit)
    assert refused.verdict is Verdict.FALLBACK
    assert numbers(refused) == numbers(LAST)
    assert any("R²" in reason for reason in refused.reasons)
    assert any("outside the band" in reason for reason in refused.reasons)


def test_a_mid_that_never_moved_falls_back_instead_of_quoting_on_no_volatility() -> None:
    refused = volatility(np.full(200, 56_363, dtype=np.int64))
    assert refused.verdict is Verdict.FALLBACK
    assert numbers(refused) == numbers(LAST)
    assert refused.reasons == ("σ is 0: the mid never moved in 199 changes",)


def test_an_adopted_sigma_carries_its_interval() -> None:
    rng = np.random.default_rng(5)
    walk = 56_363 + np.cumsum(rng.choice([-8, 8], size=400)).astype(np.int64)
    evidence = volatility(walk).evidence
    low, high = evidence["sigma_microticks_low"], evidence["sigma_microticks_high"]
    assert low <= evidence["sigma_microticks_plain"] <= high


def test_a_kappa_that_did_not_move_is_no_drift() -> None:
    first = arrival(exponential(0.3))
    again = arrival(exponential(0.3), last=first)
    assert again.verdict is Verdict.ADOPTED
    assert again.reasons == ()
    assert abs(again.evidence["drift_z_milli"]) < 100


@pytest.mark.parametrize(("kappa", "sign"), [(0.5, 1), (0.15, -1)])
def test_a_drift_falls_back_with_its_direction_though_it_fits_inside_the_band(
    kappa: float, sign: int
) -> None:
    first = arrival(exponential(0.3))
    refused = arrival(exponential(kappa), last=first)
    assert refused.verdict is Verdict.FALLBACK
    assert numbers(refused) == numbers(first)
    assert sign * refused.evidence["drift_z_milli"] > 1_960
    assert refused.evidence[DRIFTED] == 1
    (reason,) = refused.reasons
    assert "drifted" in reason
    assert reason[len("κ drifted by ")] == ("+" if sign > 0 else "-")


def test_a_drift_that_other_trades_repeat_is_adopted() -> None:
    first = arrival(exponential(0.3))
    refused = arrival(exponential(0.5), last=first)
    again = arrival(exponential(0.5, seed=4), last=refused, is_apart=True)
    assert again.verdict is Verdict.ADOPTED
    assert again.version == first.version + 1
    assert again.kappa_nano == again.evidence["kappa_nano"]
    assert again.reasons[-1] == "a second window says the same: adopted"
    assert again.kappa_bounds == (
        again.evidence["kappa_nano_low"],
        again.evidence["kappa_nano_high"],
    )


def test_the_same_trades_twice_confirm_no_drift() -> None:
    refused = arrival(exponential(0.5), last=arrival(exponential(0.3)))
    assert arrival(exponential(0.5), last=refused).verdict is Verdict.FALLBACK


def test_two_drifts_that_disagree_confirm_nothing() -> None:
    first = arrival(exponential(0.3))
    refused = arrival(exponential(0.5), last=first)
    other = arrival(exponential(0.15), last=refused, is_apart=True)
    assert other.verdict is Verdict.FALLBACK
    assert numbers(other) == numbers(first)


def test_a_drift_outside_the_band_is_held_and_confirms_nothing_later() -> None:
    tight = replace(BANDS, kappa_nano_max=400_000_000)
    first = arrival(exponential(0.3), bands=tight)
    held = arrival(exponential(0.5), bands=tight, last=first)
    assert held.verdict is Verdict.HELD
    assert "outside the band" in held.reasons[0]
    assert "drifted" in held.reasons[1]
    assert DRIFTED not in held.evidence
    later = arrival(exponential(0.5, seed=4), last=held, is_apart=True)
    assert later.verdict is Verdict.FALLBACK


def test_a_long_window_draws_long_blocks_so_that_clustered_hours_widen_its_interval() -> None:
    hours, each = 60, 1_500
    rng = np.random.default_rng(8)
    # Each hour has a κ of its own: ten seconds would pass for independent, hours do not.
    kappas = rng.uniform(0.2, 0.5, hours).repeat(each)
    at_ns = (np.arange(hours).repeat(each) * 3_600 + rng.uniform(0, 3_600, kappas.size)) * NS_PER_S
    depths = positive_depths(
        depth_half_ticks=np.ceil(2 * rng.exponential(1 / kappas)).astype(np.int64),
        at_ns=at_ns.astype(np.int64),
        is_buy=rng.random(kappas.size) < 0.5,
        started_at_ns=0,
        duration_ns=hours * 3_600 * NS_PER_S,
    )
    short = fit_arrival(depths, rng=np.random.default_rng(1))
    assert isinstance(short, ArrivalFit)
    low, high = arrival(depths).kappa_bounds
    assert high - low > 1.3 * (short.kappa_high - short.kappa_low) * 1e9


def test_changes_that_span_no_second_count_for_no_sigma() -> None:
    mids = zigzag(7)
    broken = np.concatenate([mids, mids + 9_000])
    heard = np.ones(broken.size - 1, dtype=np.bool_)
    heard[mids.size - 1] = False
    whole = recalibrate_volatility(
        broken, last=LAST, bands=BANDS, rng=np.random.default_rng(1), heard=heard
    )
    assert whole.evidence["changes"] == 2 * (mids.size - 1)
    assert whole.sigma_microticks == 3_500_000
    assert volatility(broken).sigma_microticks > 3_500_000


def test_what_was_not_adopted_keeps_the_interval_to_compare_the_next_one_with() -> None:
    first = arrival(exponential(0.3))
    held = arrival(exponential(0.3, count=10), last=first)
    still = arrival(exponential(0.3, count=10), last=held)
    assert held.kappa_bounds == still.kappa_bounds == first.kappa_bounds
    assert 0 < first.kappa_bounds[0] < first.kappa_bounds[1]
    assert "drift_z_milli" in arrival(exponential(0.3), last=still).evidence


def test_the_same_epoch_measured_twice_says_the_same() -> None:
    assert arrival(exponential(0.3)) == arrival(exponential(0.3))


def test_an_estimate_survives_the_journal() -> None:
    for estimate in (LAST, arrival(exponential(0.3)), starting_estimate(BANDS)):
        body = json.loads(canonical_json(estimate.body))
        assert Estimate.from_body(body) == estimate


@pytest.mark.parametrize(
    "change",
    [{"version": "4"}, {"kappa_nano": 1.5}, {"evidence": []}, {"reasons": None}, {"verdict": "?"}],
)
def test_a_body_that_is_no_estimate_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"estimate|Verdict"):
        Estimate.from_body({**LAST.body, **change})


def test_the_starting_estimate_is_version_zero_inside_the_bands() -> None:
    start = starting_estimate(BANDS)
    assert start.version == 0
    assert start.sigma_microticks == 3_000_000
    assert BANDS.kappa_nano_min < start.kappa_nano < BANDS.kappa_nano_max


def test_bands_per_basis_point_become_ticks_rounded_inwards() -> None:
    bands = Bands.from_policy(
        sigma_ubps_1s_min=456_435,
        sigma_ubps_1s_max=10_954_451,
        kappa_nano_per_bp_min=50_000_001,
        kappa_nano_per_bp_max=5_000_000_003,
        mid_half_ticks=56_401,
    )
    # One basis point of a mid of 28,200.5 ticks is 2.82005 ticks.
    assert bands == Bands(
        sigma_microticks_min=1_287_170,
        sigma_microticks_max=30_892_099,
        kappa_nano_min=17_730_183,
        kappa_nano_max=1_773_018_209,
    )
