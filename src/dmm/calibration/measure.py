"""Everything that one tape says, each value with its uncertainty, and warnings in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dmm.calibration.arrival import (
    DEFAULT_RANGE,
    ArrivalFit,
    FitRange,
    TooFew,
    fit_arrival,
    kappa_by_range,
)
from dmm.calibration.bootstrap import Interval, block_ns_of, ratio_ci95
from dmm.calibration.caveats import caveats_of
from dmm.calibration.depth import Depths, grid_depths, states_on_grid, trade_depths
from dmm.calibration.flow import Flow, measure_flow
from dmm.calibration.imbalance import BUCKETS, imbalance_buckets, imbalance_drift
from dmm.calibration.liquidity import Liquidity, measure_liquidity, vwap_ticks
from dmm.calibration.observation import (
    SILENCE_NS_MAX,
    ArrivalMode,
    Observation,
    Reading,
    volume_base,
)
from dmm.calibration.volatility import ewma_sigma_bps, sigma_interval, sigma_ticks
from dmm.market.instrument import Instrument
from dmm.units.errors import TapeFault
from dmm.units.time import NS_PER_S

STEPS_PER_S = 10
"""Steps of the 100 ms grid in the one-second grid."""

DEPTHS_SHOWN_MIN = 5
"""Depths below which a fit is not reported: it would pass through them by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookFacts:
    """What the states say: first and last (bid, ask) in ticks, spread, σ over one second.

    `ewma_sigma_bps` is over one step of the reading (a state, or a second). `drift_ticks` is the
    mean next change of the mid by fifths of the imbalance, None where a fifth holds no state.
    """

    first: tuple[int, int]
    last: tuple[int, int]
    spread_ticks: Interval
    sigma_ticks_1s: Interval
    ewma_sigma_bps: float
    drift_ticks: tuple[float | None, ...]
    drift_ci95: tuple[Interval | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """All that was measured on one tape.

    `book`, `arrival`, `flow` and `liquidity` are None without book states; `kappa_by_range` holds
    (range, κ or None) for the half, the whole and the double fit range.
    """

    instrument: Instrument
    states: int
    trades: int
    volume_base: float
    buy_share: Interval | None
    vwap_ticks: float | None
    book: BookFacts | None
    fit_range: FitRange
    arrival: ArrivalFit | TooFew | None
    kappa_by_range: tuple[tuple[FitRange, float | None], ...]
    flow: Flow | None
    liquidity: Liquidity | None
    warnings: tuple[str, ...]


def measure(
    seen: Observation,
    instrument: Instrument,
    *,
    reading: Reading,
    seed: int,
    fit_range: FitRange = DEFAULT_RANGE,
) -> Calibration:
    """Measure one tape.

    Parameters
    ----------
    seen : what was read, with the same reading
    reading : conventions of the tape's kind
    seed : of the bootstraps; the same seed gives the same intervals
    fit_range : of κ and A, in ticks

    Raises
    ------
    TapeFault
        If the grid of the arrivals is asked for and the tape is shorter than two of its steps, or
        longer than a grid may be; or if no two book states lie near each other.
    """
    draws = _draws(seed)
    base = Calibration(
        instrument=instrument,
        states=seen.at_ns.size,
        trades=seen.trade_size.size,
        volume_base=volume_base(seen, instrument),
        buy_share=_buy_share(seen, draws("buy")),
        vwap_ticks=vwap_ticks(seen, instrument),
        book=None,
        fit_range=fit_range,
        arrival=None,
        kappa_by_range=(),
        flow=None,
        liquidity=None,
        warnings=(),
    )
    found = base if seen.at_ns.size < 2 else _with_book(base, seen, reading=reading, draws=draws)
    return replace(found, warnings=caveats_of(found, seen))


_Draws = Callable[[str], np.random.Generator]


def _draws(seed: int) -> _Draws:
    """Return a generator per purpose, so that a new estimate leaves the others' draws alone."""

    def of(purpose: str) -> np.random.Generator:
        return np.random.default_rng([seed, *purpose.encode()])

    return of


def _with_book(
    base: Calibration, seen: Observation, *, reading: Reading, draws: _Draws
) -> Calibration:
    if seen.silent.all():
        raise TapeFault(
            f"no two book states lie within {SILENCE_NS_MAX // NS_PER_S} s of each other: nothing "
            "can be said per second"
        )
    try:
        depths = observed_depths(seen, reading=reading)
        stepped = on_steps(seen, reading=reading)
    except ValueError as fault:
        raise TapeFault(f"{fault}: give a longer tape, or --arrival trade") from fault
    arrival = fit_arrival(
        depths,
        rng=draws("arrival"),
        fit_range=base.fit_range,
        block_ns=block_ns_of(depths.duration_ns),
    )
    if isinstance(arrival, ArrivalFit) and arrival.depths < DEPTHS_SHOWN_MIN:
        arrival = TooFew(depths=arrival.depths, levels=arrival.levels)
    ranges = base.fit_range.around
    kappas = kappa_by_range(depths, ranges)
    return replace(
        base,
        book=_book_facts(seen, stepped, draws=draws),
        arrival=arrival,
        kappa_by_range=tuple(zip(ranges, kappas, strict=True)),
        flow=measure_flow(seen, base.instrument, rng=draws("flow")),
        liquidity=measure_liquidity(seen, base.instrument, rng=draws("liquidity")),
    )


def observed_depths(seen: Observation, *, reading: Reading) -> Depths:
    """Return depths of trades as the reading asks for them.

    Trade by trade, the observation is as long as its nominal length, else from the first state to
    the last event. Silences are cut out, except of an observation of nominal length.

    Raises
    ------
    ValueError
        If the grid would be shorter than two steps or too long.
    """
    if not reading.nominal_ns:
        seen = seen.awake()
    if reading.arrival is ArrivalMode.GRID:
        return grid_depths(seen.states, seen.trades)
    started_at_ns = int(seen.at_ns[0])
    if reading.nominal_ns:
        # The hour is nominal: its recording began a little later.
        started_at_ns -= started_at_ns % (3_600 * NS_PER_S)
    last_ns = int(max(seen.at_ns[-1], seen.trade_at_ns[-1] if seen.trade_at_ns.size else 0))
    duration_ns = reading.nominal_ns or max(1, last_ns - started_at_ns)
    return trade_depths(
        seen.states, seen.trades, started_at_ns=started_at_ns, duration_ns=duration_ns
    )


def on_steps(seen: Observation, *, reading: Reading) -> Observation:
    """Return the states one second apart: on the grid without silences, or as recorded each second.

    Raises
    ------
    ValueError
        If the grid has fewer than two seconds or is too long.
    """
    if not reading.on_grid:
        return seen
    chosen = states_on_grid(seen.awake().states)[::STEPS_PER_S]
    if chosen.size < 2:
        raise ValueError("the book was seen for less than two seconds")
    return seen.at(chosen)


def _book_facts(seen: Observation, stepped: Observation, *, draws: _Draws) -> BookFacts:
    spread = (seen.ask - seen.bid).astype(np.float64)
    spread_ticks = ratio_ci95(spread, np.ones(spread.size), seen.at_ns, rng=draws("spread"))
    if spread_ticks is None:  # there are states: see `measure`
        raise TapeFault("the tape holds no book states")
    mid = stepped.mid_half_ticks
    heard = ~stepped.silent
    return BookFacts(
        first=(int(seen.bid[0]), int(seen.ask[0])),
        last=(int(seen.bid[-1]), int(seen.ask[-1])),
        spread_ticks=spread_ticks,
        sigma_ticks_1s=_sigma(stepped, draws("sigma")),
        ewma_sigma_bps=ewma_sigma_bps(mid, heard=heard),
        drift_ticks=imbalance_drift(
            mid_half_ticks=mid,
            bid_size_lots=stepped.bid_size,
            ask_size_lots=stepped.ask_size,
            heard=heard,
        ),
        drift_ci95=_drift_ci95(stepped, draws("drift")),
    )


def _drift_ci95(stepped: Observation, rng: np.random.Generator) -> tuple[Interval | None, ...]:
    heard = ~stepped.silent
    bucket = imbalance_buckets(
        bid_size_lots=stepped.bid_size[:-1][heard], ask_size_lots=stepped.ask_size[:-1][heard]
    )
    changes = np.diff(stepped.mid_half_ticks)[heard] / 2
    at_ns = np.arange(changes.size, dtype=np.int64) * NS_PER_S
    inside = [(bucket == at).astype(np.float64) for at in range(BUCKETS)]
    return tuple(ratio_ci95(changes * share, share, at_ns, rng=rng) for share in inside)


def _sigma(stepped: Observation, rng: np.random.Generator) -> Interval:
    heard = ~stepped.silent
    changes = np.diff(stepped.mid_half_ticks)[heard] / 2
    found = sigma_interval(changes, rng=rng)
    return replace(found, value=sigma_ticks(stepped.mid_half_ticks, heard=heard))


def _buy_share(seen: Observation, rng: np.random.Generator) -> Interval | None:
    buys = seen.trade_is_buy.astype(np.float64)
    return ratio_ci95(buys, np.ones(buys.size), seen.trade_at_ns, rng=rng)
