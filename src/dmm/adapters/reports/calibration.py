"""A calibration as JSON and as a table: no value without its interval or its goodness of fit."""

from __future__ import annotations

import math
from typing import TypeAlias

from rich.console import Console
from rich.table import Table

from dmm.calibration.arrival import ArrivalFit, FitRange
from dmm.calibration.bootstrap import Interval
from dmm.calibration.flow import Flow
from dmm.calibration.imbalance import BUCKETS
from dmm.calibration.liquidity import Liquidity
from dmm.calibration.measure import Calibration
from dmm.calibration.regression import Line
from dmm.calibration.volatility import HORIZON_S, SIGMA_BPS_MAX, SIGMA_BPS_MIN, clamp, horizon_bps
from dmm.market.fair_value import MICROTICKS

Value: TypeAlias = "str | int | float | list[Value] | dict[str, Value] | None"
Body: TypeAlias = dict[str, Value]


def calibration_json(found: Calibration, *, tape_warnings: tuple[str, ...] = ()) -> Body:
    """Return the result of `dmm calibrate`: prices in ticks, rates per second.

    What could not be measured, or not with an interval, is null; `warnings` says why.

    Parameters
    ----------
    tape_warnings : what the reader of the tape found; they come first
    """
    book = found.book
    return {
        "instrument": found.instrument.symbol,
        "tick_size": float(found.instrument.tick_size),
        "states": found.states,
        "trades": found.trades,
        "first": None if book is None else _touch(book.first),
        "last": None if book is None else _touch(book.last),
        "spread_ticks": None if book is None else book.spread_ticks.value,
        "sigma_ticks_1s": None if book is None else book.sigma_ticks_1s.value,
        "ewma_sigma_bps": None if book is None else book.ewma_sigma_bps,
        "volume_base": found.volume_base,
        "buy_share": None if found.buy_share is None else found.buy_share.value,
        "arrival": _arrival(found),
        "imbalance_drift": [None] * BUCKETS if book is None else list(book.drift_ticks),
        "warnings": [*tape_warnings, *found.warnings],
        "uncertainty": _uncertainty(found),
        "volatility": _volatility(found),
        "prices": {
            "vwap_ticks": found.vwap_ticks,
            "twap_ticks": None if found.liquidity is None else found.liquidity.twap_ticks,
        },
        "kappa_by_range": [
            {"fit_range": _range(fit_range), "kappa": kappa}
            for fit_range, kappa in found.kappa_by_range
        ],
        "flow": None if found.flow is None else _flow(found.flow),
        "liquidity": None if found.liquidity is None else _liquidity(found.liquidity),
    }


def _touch(quote: tuple[int, int]) -> Value:
    return {"bid": quote[0], "ask": quote[1]}


def _range(fit_range: FitRange) -> Value:
    return [fit_range.from_ticks, fit_range.to_ticks]


def _arrival(found: Calibration) -> Value:
    fit = found.arrival
    body: Body = dict.fromkeys(
        ("A", "A_bid", "A_ask", "kappa", "kappa_ci95", "r2", "mle_kappa"),
    )
    if isinstance(fit, ArrivalFit) and math.isfinite(fit.kappa_low):
        body = {
            "A": fit.a_per_s,
            "A_bid": fit.a_bid_per_s,
            "A_ask": fit.a_ask_per_s,
            "kappa": fit.kappa_per_tick,
            "kappa_ci95": [fit.kappa_low, fit.kappa_high],
            "r2": fit.r_squared,
            "mle_kappa": fit.mle_per_tick,
        }
    count = 0 if fit is None else fit.depths
    return body | {"fit_range": _range(found.fit_range), "n": count}


def _ci95(found: Interval | None) -> Value:
    if found is None or not math.isfinite(found.low):
        return None
    return [found.low, found.high]


def _interval(found: Interval | None) -> Value:
    if found is None or not math.isfinite(found.low):
        return None
    return {"value": found.value, "ci95": _ci95(found), "n": found.count}


def _uncertainty(found: Calibration) -> Value:
    book = found.book
    return {
        "spread_ticks_ci95": None if book is None else _ci95(book.spread_ticks),
        "sigma_ticks_1s_ci95": None if book is None else _ci95(book.sigma_ticks_1s),
        "buy_share_ci95": _ci95(found.buy_share),
        "imbalance_drift_ci95": [] if book is None else [_ci95(one) for one in book.drift_ci95],
    }


def _volatility(found: Calibration) -> Value:
    if found.book is None:
        return None
    over_horizon = horizon_bps(found.book.sigma_ticks_1s.value, mid_ticks=sum(found.book.last) / 2)
    clamped = clamp(over_horizon, low=SIGMA_BPS_MIN, high=SIGMA_BPS_MAX)
    return {
        "horizon_s": HORIZON_S,
        "sigma_bps": over_horizon,
        "clamp_bps": [SIGMA_BPS_MIN, SIGMA_BPS_MAX],
        "clamped_bps": clamped.value,
        "moved": clamped.moved,
    }


def _line(line: Line | None, *, name: str) -> Value:
    if line is None or not math.isfinite(line.slope_error):
        return None
    return {
        name: line.slope,
        f"{name}_ci95": list(line.slope_ci95),
        "r2": line.r_squared,
        "n": line.points,
    }


def _flow(flow: Flow) -> Value:
    shares = None
    if flow.vpin is not None:
        shares = {"share": _interval(flow.vpin.share), "bucket_lots": flow.vpin.bucket_lots}
    return {
        "ofi": {f"{window_s}s": _line(line, name="beta") for window_s, line in flow.ofi},
        "effective_spread_ticks": _interval(flow.effective_spread_ticks),
        "markouts": {
            f"{one.horizon_s}s": {
                "maker_ticks": _interval(one.maker_ticks),
                "realized_spread_ticks": 2 * one.maker_ticks.value,
                "adverse_ticks": _interval(one.adverse_ticks),
                "toxicity": one.toxicity,
            }
            for one in flow.markouts
        },
        "vpin": shares,
        "square_root_impact": _line(flow.square_root, name="y"),
        "micro_price": _micro_price(flow),
    }


def _micro_price(flow: Flow) -> Value:
    if flow.micro_price is None:
        return None
    # Rows by bucket of the imbalance, columns by spread from one tick.
    table: list[Value] = [
        [int(value) / MICROTICKS for value in row] for row in flow.micro_price.adjust_microticks
    ]
    return {"states": flow.micro_price.states, "adjust_ticks": table}


def _liquidity(liquidity: Liquidity) -> Value:
    return {
        "depth_base": {
            f"{band.band_bps}bps": {
                "bid": _interval(band.bid_base),
                "ask": _interval(band.ask_base),
                "whole": band.whole,
            }
            for band in liquidity.depths
        },
        "score_quote_per_bp": _interval(liquidity.score),
        "take_cost": [
            {
                "size_lots": one.size_lots,
                "cost_bps": _interval(one.cost_bps),
                "filled": one.filled,
            }
            for one in liquidity.take_costs
        ],
    }


def print_calibration(body: Body, console: Console) -> None:
    """Print a calibration's JSON as a table: one row a value, nested keys joined by dots."""
    table = Table(title=f"{body['instrument']}: ticks and seconds", title_justify="left")
    table.add_column("what")
    table.add_column("value", justify="right")
    for name, value in body.items():
        if name != "warnings":
            _add_rows(table, name, value)
    console.print(table)
    warnings = body["warnings"]
    for warning in warnings if isinstance(warnings, list) else ():
        console.print(f"[yellow]warning:[/yellow] {warning}")


def _add_rows(table: Table, name: str, value: Value) -> None:
    if isinstance(value, dict):
        for inner, of_inner in value.items():
            _add_rows(table, f"{name}.{inner}", of_inner)
    elif isinstance(value, list):
        table.add_row(name, ", ".join(_shown(one) for one in value))
    else:
        table.add_row(name, _shown(value))


def _shown(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return " ".join(f"{name} {_shown(one)}" for name, one in value.items())
    if isinstance(value, list):
        return f"[{' '.join(_shown(one) for one in value)}]"
    return "—" if value is None else str(value)
