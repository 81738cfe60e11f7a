"""The formula alone: scalar, compiled over arrays, numpy, and Hummingbot's."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dmm.quoting.kernel import MODEL_CODES, RESULTS, SKEW_CODES, compiled_loop, quote_prices
from dmm.quoting.models.hummingbot import hummingbot_half_spread, hummingbot_inventory_shift
from dmm.quoting.vector import QuoteArrays, quote_columns


def _arguments(count: int) -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(1)
    return {
        "mid": rng.uniform(6e5, 6.2e5, count),
        "inventory": rng.integers(-90, 90, count).astype(float),
        "sigma": rng.uniform(10, 90, count),
        "kappa": rng.uniform(0.02, 0.4, count),
        "gamma": rng.uniform(1e-6, 1e-4, count),
    }


FIXED = {
    "horizon_s": 120.0,
    "floor": 12.0,
    "beta": 12.0,
    "soft_long": 50.0,
    "soft_short": 50.0,
    "hard_long": 100.0,
    "hard_short": 100.0,
    "lot": 10.0,
}


def measure_formula(count: int, scalars: int, rounds: int) -> dict[str, object]:
    """Return ns per quote of each way, and how they compare.

    Parameters
    ----------
    count : quotes of an array
    scalars : of them one by one
    rounds : interleaved; the best of each counts
    """
    given = _arguments(count)
    arguments = QuoteArrays(model="as2008", skew="linear", **given, **FIXED)
    columns = arguments.columns
    results = tuple(np.empty(count) for _ in range(RESULTS))
    compiled_loop()
    rows = list(zip(*(column.tolist() for column in columns[:-1]), strict=True))[:scalars]
    model, skew = MODEL_CODES["as2008"], SKEW_CODES["linear"]

    def scalar() -> None:
        for row in rows:
            quote_prices(model, skew, *row)

    def hummingbot() -> None:
        for mid, q, sigma, kappa, *_rest in rows:
            shift = hummingbot_inventory_shift(
                inventory=q, risk_aversion=1e-3, volatility=sigma, time_left=1.0
            )
            half = hummingbot_half_spread(
                risk_aversion=1e-3, volatility=sigma, time_left=1.0, arrival_decay=kappa
            )
            _ = mid - shift - half, mid - shift + half

    def vector() -> None:
        quote_columns(columns, results, model="as2008", skew="linear")

    vector()
    by_numpy = _numpy_quotes(given)
    worst = max(
        float(np.max(np.abs(by_numpy[name] - results[place]) / given["mid"]))
        for name, place in (("bid", 3), ("ask", 4))
    )
    # Interleaved, so that a busy moment of the machine falls on all of them.
    timed: dict[str, list[float]] = {"scalar": [], "hummingbot": [], "vector": [], "numpy": []}
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "scalar": (scalar, len(rows)),
        "hummingbot": (hummingbot, len(rows)),
        "vector": (vector, count),
        "numpy": (lambda: _numpy_quotes(given), count),
    }
    for _ in range(rounds):
        for name, (work, quotes) in ways.items():
            work()  # untimed: what the way before it put out of the caches is nobody's cost
            timed[name].append(_ns(work) / quotes)
    ns = {name: min(values) for name, values in timed.items()}
    return {
        **{f"{name}_ns": round(value, 1) for name, value in ns.items()},
        "ratios": {
            "numpy_to_vector": round(ns["numpy"] / ns["vector"], 1),
            "scalar_to_vector": round(ns["scalar"] / ns["vector"], 1),
            "hummingbot_to_scalar": round(ns["hummingbot"] / ns["scalar"], 2),
        },
        "numpy_differs_by": worst,
        "quotes": count,
    }


def _numpy_quotes(given: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Return the same quotes by plain numpy: the ladder is flat and there is no pull here."""
    gamma, kappa, inventory = given["gamma"], given["kappa"], given["inventory"]
    slope = gamma * (given["sigma"] ** 2 * FIXED["horizon_s"])
    half = np.maximum(slope / 2 + np.log1p(gamma / kappa) / gamma, FIXED["floor"] / 2)
    soft = np.where(inventory < 0, FIXED["soft_short"], FIXED["soft_long"])
    shift = FIXED["beta"] * np.clip(inventory / soft, -1, 1)
    reservation = given["mid"] - inventory / FIXED["lot"] * slope
    largest = FIXED["hard_long"] / FIXED["lot"] * slope + FIXED["beta"]
    sound = (half <= given["mid"] / 10) & (largest <= given["mid"] / 10)
    bid = np.where(sound, reservation - shift - half, np.nan)
    ask = np.where(sound, reservation - shift + half, np.nan)
    return {"bid": bid, "ask": ask}


def _ns(work: Callable[[], object]) -> int:
    began = time.perf_counter_ns()
    work()
    return time.perf_counter_ns() - began
