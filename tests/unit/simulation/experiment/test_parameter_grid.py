from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from trading_values import policy

from dmm.simulation.experiment.grid import DEFAULT_GRID, grid_of
from dmm.units.errors import UsageFault

BASE = replace(
    policy(),
    gamma_nano_per_bp=200_000,
    skew_beta_ubps=300_000,
    kappa_nano_per_bp_min=2_000_000_000,
    kappa_nano_per_bp_max=40_000_000_000,
    refresh_ms=400,
)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "1 to 16 parameters, got 0"),
        ({"gama": [1]}, "a policy has no 'gama'"),
        ({"gamma": []}, "gamma must have 1 to 1000 values, got 0"),
        ({"gamma": ["x"]}, "gamma must be a finite number, got 'x'"),
        ({"gamma": [True]}, "gamma must be a finite number, got True"),
        ({"gamma": [float("nan")]}, "gamma must be a finite number, got nan"),
        ({"gamma": [1e-12]}, "gamma is 1e-12, finer than 1/1000000000"),
        ({"gamma": [-0.5]}, "gamma is -0.5, must lie between"),
        ({"refresh_ms": [0]}, "refresh_ms is 0, must lie between 1 and 3600000"),
        ({"refresh_ms": [2.5]}, "refresh_ms is 2.5, finer than 1/1"),
        ({"model": [3]}, "model must be a name, got 3"),
        ({"model": ["bs"]}, "model is 'bs', must be one of as2008, glft"),
        ({"kappa": {"times": [1, 2]}}, "kappa has no single value in the base policy"),
        ({"beta": {"from": 1, "to": 1, "steps": 3}}, "beta must rise"),
        (
            {"beta": {"from": 0, "to": 1, "steps": 3, "scale": "log"}},
            "beta must rise, from above 0",
        ),
        ({"beta": {"from": 0, "to": 1, "steps": 1}}, "steps of beta must be 2 to 1000, got 1"),
        ({"beta": {"from": 0, "to": 1}}, "beta must be values, times, or from, to and steps"),
        ({"beta": {"times": 2}}, "times of beta must be a list of numbers, got 2"),
        ({"sets": []}, "sets must be a list of objects"),
        ({"sets": [{"gamma": 1e-4}], "beta": [1]}, "stand alone, got ['beta']"),
        ({"sets": [{}]}, "set 0 must hold 1 to 16 names, got {}"),
        ({"sets": [{"gamma": None}]}, "set 0, gamma: gamma must be a finite number, got None"),
        ({"gamma": [1e-4], "gamma_nano_per_bp": [1]}, "another parameter both set gamma_nano"),
        ({"refresh_ms": [*range(1, 1001)], "horizon_s": [*range(1, 12)]}, "11000 sets, at most"),
        ({"inventory_soft_lots": [10**9]}, "inventory_soft_lots is 1000000000, must be at most"),
    ],
)
def test_a_grid_that_cannot_be_is_refused_by_name_and_value(
    body: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageFault) as refusal:
        grid_of(BASE, body)
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_without_a_grid_the_base_stands_alone() -> None:
    found = grid_of(BASE, None)
    assert [one.policy for one in found.sets] == [BASE]


def test_every_combination_is_a_set_and_the_base_is_the_first() -> None:
    found = grid_of(BASE, {"gamma": [0.0001, 0.0007], "beta": {"from": 0.1, "to": 0.5, "steps": 3}})
    assert found.sets[found.in_force].policy == BASE
    assert found.sets[0].params == {"gamma": 0.0002, "beta": 0.3}
    assert found.axes == ("gamma", "beta")
    values = [(one.policy.gamma_nano_per_bp, one.policy.skew_beta_ubps) for one in found.sets[1:]]
    assert values == [(g, b) for g in (100_000, 700_000) for b in (100_000, 300_000, 500_000)]


def test_a_given_kappa_closes_its_band_and_the_open_band_is_shown_as_none() -> None:
    found = grid_of(BASE, {"kappa": {"from": 1, "to": 9, "steps": 3, "scale": "log"}})
    bands = [
        (one.policy.kappa_nano_per_bp_min, one.policy.kappa_nano_per_bp_max) for one in found.sets
    ]
    assert bands[1:] == [(10**9, 10**9), (3 * 10**9, 3 * 10**9), (9 * 10**9, 9 * 10**9)]
    assert [one.params["kappa"] for one in found.sets] == [None, 1, 3, 9]


def test_equal_policies_are_one_set() -> None:
    found = grid_of(BASE, {"sets": [{"gamma": 0.0002}, {"beta": 0.4}, {"skew_beta_ubps": 400_000}]})
    assert len(found.sets) == 2
    assert found.axes == ()


def test_multiples_are_of_the_base() -> None:
    found = grid_of(BASE, {"refresh_ms": {"times": [0.5, 1, 3]}})
    assert [one.policy.refresh_ms for one in found.sets] == [400, 200, 1_200]


def test_the_default_grid_is_half_and_twice_of_three() -> None:
    assert len(grid_of(BASE, DEFAULT_GRID).sets) == 27
