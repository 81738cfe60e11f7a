"""The report of a calibration prints no estimate whose uncertainty is unknown."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
from observed import LINEAR, Print, State, observed

from dmm.adapters.reports.calibration import calibration_json
from dmm.calibration.arrival import ArrivalFit
from dmm.calibration.bootstrap import Interval
from dmm.calibration.measure import Calibration, measure
from dmm.calibration.observation import RAW_READING


def measured() -> Calibration:
    rng = np.random.default_rng(4)
    mids = 100_000 + np.cumsum(rng.choice([-3, 0, 3], size=300))
    states: list[State] = [
        (500 * at, int(mid) - 1, 3 + at % 5, int(mid) + 1, 4) for at, mid in enumerate(mids)
    ]
    trades: list[Print] = [
        (500 * at + 60, int(mids[at]) + 1 + int(rng.exponential(4)), 2, True)
        for at in range(0, 300, 2)
    ]
    return measure(observed(states, trades), LINEAR, reading=RAW_READING, seed=1)


def test_a_kappa_without_an_interval_is_null_with_all_that_hangs_on_it() -> None:
    found = measured()
    assert isinstance(found.arrival, ArrivalFit)
    open_ended = replace(found.arrival, kappa_low=-math.inf, kappa_high=math.inf)
    arrival = calibration_json(replace(found, arrival=open_ended))["arrival"]
    assert isinstance(arrival, dict)
    assert {name for name, value in arrival.items() if value is not None} == {"fit_range", "n"}


def test_an_interval_without_bounds_is_null_and_the_result_stays_json() -> None:
    found = measured()
    assert found.buy_share is not None
    unbounded = Interval(value=0.5, low=-math.inf, high=math.inf, count=1)
    body = calibration_json(replace(found, buy_share=unbounded))
    uncertainty = body["uncertainty"]
    assert isinstance(uncertainty, dict)
    assert uncertainty["buy_share_ci95"] is None
    json.dumps(body, allow_nan=False)


def test_warnings_of_the_tape_come_before_those_of_the_estimates() -> None:
    found = replace(measured(), warnings=("of the estimates",))
    body = calibration_json(found, tape_warnings=("of the tape",))
    assert body["warnings"] == ["of the tape", "of the estimates"]
