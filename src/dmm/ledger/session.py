"""A run's trading account: fills with their ids, the position, profit and its drawdown."""

from __future__ import annotations

from dmm.ledger.fills import spread_captured
from dmm.ledger.position import Position
from dmm.market.instrument import Instrument
from dmm.market.order import Fill, OrderReport
from dmm.units.amount import Atoms, HalfTicks, Lots
from dmm.units.errors import InvariantBroken
from dmm.units.ids import content_id


class TradingSession:
    """Turns a venue's executions into fills, in order, and keeps what they add up to.

    `position` is the desk's: own fills, hedges, and firm quotes once they are settled.
    `hedged_lots` and `quoted_lots` are what the latter two add to its inventory, so that the rest
    is the venue's; `is_alone` tells that there are none. `fills`, `spread_captured_atoms` and
    `fees_atoms` count own fills since `open_slice`.
    """

    def __init__(self, *, run_id: str, venue: str, instrument: Instrument) -> None:
        self._run_id = run_id
        self._venue = venue
        self._instrument = instrument
        self._ordinal = 0
        self._peak_atoms = 0
        self.position = Position(instrument=instrument)
        self.hedged_lots = self.quoted_lots = Lots(0)
        self.is_alone = True
        self.open_slice()

    def open_slice(self) -> None:
        """Start the counts of a slice."""
        self.fills = 0
        self.spread_captured_atoms = 0
        self.fees_atoms = 0

    def book(self, report: OrderReport, *, epoch: int, mid: HalfTicks) -> Fill:
        """Book an execution and return its fill; the id derives from (run, venue, ordinal).

        Parameters
        ----------
        report : a FILLED report
        epoch : the open one
        mid : at the execution, half ticks
        """
        fill = Fill(
            fill_id=content_id("dmm/fill/v1", self._run_id, self._venue, self._ordinal),
            run_id=self._run_id,
            epoch=epoch,
            ordinal=self._ordinal,
            venue=self._venue,
            symbol=self._instrument.symbol,
            client_id=report.client_id,
            side=report.side,
            price=report.price,
            size=report.size,
            mid=mid,
            fee_atoms=report.fee_atoms,
            filled_at_ns=report.at_ns,
            is_hedge=False,
        )
        self._ordinal += 1
        self.position = self.position.apply(fill)
        self.fills += 1
        self.spread_captured_atoms += spread_captured(self._instrument, fill)
        self.fees_atoms += fill.fee_atoms
        return fill

    def book_elsewhere(self, fill: Fill) -> None:
        """Let a fill that is booked elsewhere change the position; own ordinals go on as before.

        A hedge is of the same vault at another venue; a settled firm quote is of another vault.

        Raises
        ------
        InvariantBroken
            If the fill is the session's own, an execution of its venue that is no hedge.
        """
        if fill.venue == self._venue and not fill.is_hedge:
            raise InvariantBroken(
                f"fill {fill.fill_id.hex()} is of {fill.venue}: the session books its own itself"
            )
        self.is_alone = False
        change = fill.side.sign * fill.size
        if fill.is_hedge:
            self.hedged_lots = Lots(self.hedged_lots + change)
        else:
            self.quoted_lots = Lots(self.quoted_lots + change)
        self.position = self.position.apply(fill)

    def drawdown(self, mid: HalfTicks) -> Atoms:
        """Return how far profit lies below its highest value so far, marking it at a mid.

        The peak starts at zero: money lost from the first moment is drawdown too.
        """
        pnl_atoms = self.position.pnl_atoms(mid)
        self._peak_atoms = max(self._peak_atoms, pnl_atoms)
        return Atoms(self._peak_atoms - pnl_atoms)

    def restart_peak(self, mid: HalfTicks) -> None:
        """Measure the drawdown from the present profit on, marking it at a mid."""
        self._peak_atoms = self.position.pnl_atoms(mid)
