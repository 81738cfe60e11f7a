"""What holds in a replay: queue model, fees, funding, a venue's terms, bounds."""

from __future__ import annotations

from dataclasses import dataclass

from dmm.risk.rate import RateWindow
from dmm.simulation.replay.cadence import OrderLatency
from dmm.simulation.replay.latency import INSTANT
from dmm.simulation.replay.layout import (
    POWER,
    RISK_AVERSE,
)
from dmm.simulation.replay.schedule import BLOCK_NS
from dmm.units.errors import UsageFault
from dmm.units.time import Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueModel:
    """How the queue ahead moves: ``risk_averse``, ``power`` with its exponent n > 0, or ``fifo``.

    FIFO needs a tape that names orders, which none of the formats read here does.
    """

    name: str = "risk_averse"
    power: float = 2.0

    @property
    def code(self) -> int:
        """Return the engine's number of the model.

        Raises
        ------
        UsageFault
            If there is no such model for these tapes, by name.
        """
        if self.name == "fifo":
            raise UsageFault(
                "queue model fifo needs the id of every order, and the tape has prices and sizes "
                "only: choose risk_averse or power"
            )
        if self.name not in {"risk_averse", "power"} or not self.power > 0:
            raise UsageFault(f"no queue model {self}: choose risk_averse, or power with n > 0")
        return POWER if self.name == "power" else RISK_AVERSE


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeTerms:
    """Fees in 1e-6 bps of the cash value from an instant on; a rebate is negative."""

    from_ns: int = 0
    maker_ubps: int = 0
    taker_ubps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Funding:
    """One funding: who is long pays rate (1e-6 bps of worth at the mark; 0: the mid then)."""

    at_ns: Nanos
    rate_ubps: int
    venue: int = 0
    mark_half_ticks: int = 0


AT_ONCE = OrderLatency(entry=INSTANT, response=INSTANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueTerms:
    """What holds at a venue: latency, queue model, fee tiers by time (the first from the start).

    `rate_windows` count the requests of sets that follow the desk's own rule, one for an order or a
    cancel; none: the venue does not count.
    """

    delays: OrderLatency = AT_ONCE
    queue: QueueModel = QueueModel()
    fees: tuple[FeeTerms, ...] = (FeeTerms(),)
    rate_windows: tuple[RateWindow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """Bounds and cuts of a replay: fills kept a set, length of a time block in ns."""

    fills_max: int = 10_000
    block_ns: int = BLOCK_NS
