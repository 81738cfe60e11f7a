"""A calibration of prices alone as JSON: the keys of a tape's, null where a book is needed."""

from __future__ import annotations

import math

from dmm.adapters.reports.calibration import Body, Value
from dmm.calibration.arrival import FitRange
from dmm.calibration.imbalance import BUCKETS
from dmm.calibration.price_series import PriceSeries, SeriesCalibration, sigma_horizon_bps
from dmm.calibration.volatility import HORIZON_S, SIGMA_BPS_MAX, SIGMA_BPS_MIN, clamp
from dmm.units.time import NS_PER_S


def series_json(found: SeriesCalibration, *, fit_range: FitRange) -> Body:
    """Return the result of `dmm calibrate` for prices by the interval.

    Parameters
    ----------
    fit_range : as asked for; shown with arrivals that could not be fitted
    """
    series, sigma = found.series, found.sigma_ticks_1s
    return {
        "instrument": series.symbol,
        "tick_size": series.tick_size,
        "states": int(series.price.size),
        "trades": 0,
        "first": _touch(series, 0),
        "last": _touch(series, -1),
        "spread_ticks": found.spread_ticks,
        "sigma_ticks_1s": sigma.value,
        "ewma_sigma_bps": found.ewma_sigma_bps,
        "volume_base": series.volume_base,
        "buy_share": None,
        "arrival": {
            **dict.fromkeys(("A", "A_bid", "A_ask", "kappa", "kappa_ci95", "r2", "mle_kappa")),
            "fit_range": [fit_range.from_ticks, fit_range.to_ticks],
            "n": 0,
        },
        "imbalance_drift": [None] * BUCKETS,
        "warnings": list(found.warnings),
        "uncertainty": {
            "spread_ticks_ci95": None,
            "sigma_ticks_1s_ci95": [sigma.low, sigma.high] if math.isfinite(sigma.high) else None,
            "buy_share_ci95": None,
            "imbalance_drift_ci95": [],
        },
        "volatility": _volatility(found),
        "prices": _prices(series),
        "kappa_by_range": [],
        "flow": None,
        "liquidity": None,
    }


def _touch(series: PriceSeries, at: int) -> Value:
    if series.bid is None or series.ask is None:
        return None
    return {"bid": round(float(series.bid[at])), "ask": round(float(series.ask[at]))}


def _volatility(found: SeriesCalibration) -> Value:
    over_horizon = sigma_horizon_bps(found)
    clamped = clamp(over_horizon, low=SIGMA_BPS_MIN, high=SIGMA_BPS_MAX)
    return {
        "horizon_s": HORIZON_S,
        "sigma_bps": over_horizon,
        "clamp_bps": [SIGMA_BPS_MIN, SIGMA_BPS_MAX],
        "clamped_bps": clamped.value,
        "moved": clamped.moved,
        "step_s": found.series.interval_s,
        "realised_bps": found.realised_bps,
        "range_bps": found.range_bps,
    }


def _prices(series: PriceSeries) -> Value:
    low = series.price if series.low is None else series.low
    high = series.price if series.high is None else series.high
    return {
        "vwap_ticks": None,
        "twap_ticks": None,
        "first_ticks": float(series.price[0]),
        "last_ticks": float(series.price[-1]),
        "low_ticks": float(low.min()),
        "high_ticks": float(high.max()),
        "seconds": int(series.at_ns[-1] - series.at_ns[0]) / NS_PER_S,
    }
