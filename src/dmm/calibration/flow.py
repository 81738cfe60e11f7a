"""What the order flow of a tape says: imbalance, spreads kept, toxicity, impact, micro-price."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dmm.calibration.bootstrap import Interval
from dmm.calibration.markout import Markout, effective_spread, markouts
from dmm.calibration.observation import Observation
from dmm.calibration.order_flow import impact_of_flow, square_root_impact
from dmm.calibration.regression import Line
from dmm.calibration.vpin import Vpin, vpin
from dmm.market.instrument import Instrument
from dmm.market.micro_price import STATES_MIN, MicroPriceTable, fit_micro_price

WINDOWS_S = (1, 5, 10)
"""Windows of the order-flow regressions."""

ROOT_WINDOW_S = 10
"""Window of the square-root law."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Estimates of the flow; what could not be measured is None or left out.

    `ofi` pairs each window in seconds with its line: ticks per base (per contract if inverse).
    """

    ofi: tuple[tuple[int, Line], ...]
    effective_spread_ticks: Interval | None
    markouts: tuple[Markout, ...]
    vpin: Vpin | None
    square_root: Line | None
    micro_price: MicroPriceTable | None


def measure_flow(seen: Observation, instrument: Instrument, *, rng: np.random.Generator) -> Flow:
    """Measure the flow of a tape with two states or more.

    Parameters
    ----------
    rng : draws the intervals
    """
    lot = float(instrument.lot_size)
    lines = [(s, impact_of_flow(seen, window_s=s, lot=lot)) for s in WINDOWS_S]
    return Flow(
        ofi=tuple((window_s, line) for window_s, line in lines if line is not None),
        effective_spread_ticks=effective_spread(seen, rng=rng),
        markouts=markouts(seen, rng=rng),
        vpin=vpin(seen.trade_size, seen.trade_is_buy, rng=rng),
        square_root=square_root_impact(seen, window_s=ROOT_WINDOW_S),
        micro_price=_micro_price(seen),
    )


def _micro_price(seen: Observation) -> MicroPriceTable | None:
    sized = np.flatnonzero((seen.bid_size > 0) & (seen.ask_size > 0))
    if sized.size < STATES_MIN:
        return None
    return fit_micro_price(
        bid=seen.bid[sized],
        bid_size=seen.bid_size[sized],
        ask=seen.ask[sized],
        ask_size=seen.ask_size[sized],
    )
