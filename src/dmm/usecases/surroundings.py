"""What bends a live quote from outside its market: gas, the cash asset's peg, firm quotes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from statistics import median_low

from dmm.ports import Clock, GasMeter, PegSource
from dmm.risk.depeg import AT_PAR, PegState, after_price
from dmm.risk.inventory import OpenLots
from dmm.units.amount import BPS_ONE
from dmm.units.errors import Retryable
from dmm.units.time import NS_PER_S, Nanos

LOOK_NS = NS_PER_S
"""How often gas and peg are looked at."""

BASELINE_LOOKS = 3_600
"""Looks whose median is the baseline of the gas price: an hour."""

BASELINE_LOOKS_MIN = 60
"""Before so many looks there is no baseline, and gas counts as usual."""

RATIO_BPS_MAX = 1_000 * BPS_ONE
"""Beyond a thousand times the baseline it makes no difference any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Gas price over its baseline times 10,000, and whether the cash asset is off its peg.

    `promised` are the lots that firm quotes may still move; None: what the epoch began with holds.
    """

    gas_ratio_bps: int = BPS_ONE
    depegged: bool = False
    promised: OpenLots | None = None


USUAL = Surroundings()


class GasBaseline:
    """The gas price against the median of the last hour's looks."""

    def __init__(
        self, *, looks_max: int = BASELINE_LOOKS, looks_min: int = BASELINE_LOOKS_MIN
    ) -> None:
        self._looks: deque[int] = deque(maxlen=looks_max)
        self._looks_min = looks_min

    def ratio_bps(self, price: int) -> int:
        """Take a price > 0 and return it over the baseline before it, times 10,000."""
        known = self._looks
        ratio = BPS_ONE
        if len(known) >= self._looks_min:
            ratio = min(RATIO_BPS_MAX, price * BPS_ONE // max(1, median_low(known)))
        known.append(price)
        return ratio


class SurroundingsWatch:
    """Looks at gas and peg once a second. Nobody asked counts as usual, nobody answering does not.

    Without an answer the gas keeps its last ratio, for it only bends a quote, and firm quotes their
    last lots, for without the journal the desk stops anyway; a coin whose price nobody gives is off
    its peg, for then nobody knows what the desk is paid in.
    """

    def __init__(
        self,
        *,
        gas: GasMeter | None,
        peg: PegSource | None,
        clock: Clock,
        quoted: Callable[[], OpenLots] | None = None,
    ) -> None:
        """Prepare; nothing is asked yet.

        Parameters
        ----------
        gas : of the chain the desk settles on; None where it costs the desk nothing
        peg : of the cash asset; None where it is no stable coin
        clock : says when a price is too old
        quoted : the lots that firm quotes may still move; None where there are none
        """
        self._gas, self._peg, self._clock, self._quoted = gas, peg, clock, quoted
        self._promised: OpenLots | None = None
        self._baseline = GasBaseline()
        self._ratio_bps = BPS_ONE
        self._state: PegState = AT_PAR
        self._looked_at_ns = Nanos(0)

    def look(self) -> Surroundings:
        """Return how things stand, asking again only once a second."""
        now_ns = self._clock.now_ns()
        if now_ns - self._looked_at_ns >= LOOK_NS:
            self._looked_at_ns = now_ns
            self._look_at_gas()
            self._look_at_peg()
            self._look_at_quotes()
        depegged = self._peg is not None and self._state.is_broken
        return Surroundings(
            gas_ratio_bps=self._ratio_bps, depegged=depegged, promised=self._promised
        )

    def _look_at_gas(self) -> None:
        if self._gas is None:
            return
        try:
            price = self._gas.gas_price()
        except Retryable:
            return
        if price > 0:
            self._ratio_bps = self._baseline.ratio_bps(price)

    def _look_at_quotes(self) -> None:
        if self._quoted is None:
            return
        with suppress(Retryable):
            self._promised = self._quoted()

    def _look_at_peg(self) -> None:
        if self._peg is None:
            return
        price_ppm: int | None
        try:
            price_ppm, priced_at_ns = self._peg.price_ppm()
        except Retryable:
            price_ppm, priced_at_ns = None, Nanos(0)
        self._state = after_price(
            self._state,
            price_ppm=price_ppm,
            priced_at_ns=priced_at_ns,
            now_ns=self._clock.now_ns(),
        )
