"""A run's trading account: fills with their ids, the position, profit and its drawdown."""

from __future__ import annotations

from dmm.ledger.fills import spread_captured
from dmm.ledger.position import Position
from dmm.market.instrument import Instrument
from dmm.market.order import Fill, OrderReport
from dmm.units.amount import Atoms, HalfTicks
from dmm.units.errors import InvariantBroken
from dmm.units.ids import content_id


class TradingSession:
    """Turns a venue's executions into fills, in order, and keeps what they add up to.

    `fills`, `spread_captured_atoms` and `fees_atoms` count own fills since `open_slice`.
    """

    def __init__(self, *, run_id: str, venue: str, instrument: Instrument) -> None:
        self._run_id = run_id
        self._venue = venue
        self._instrument = instrument
        self._ordinal = 0
        self._peak_atoms = 0
        self.position = Position(instrument=instrument)
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

    def book_hedge(self, fill: Fill) -> None:
        """Let a hedge that is booked elsewhere change the position; own ordinals go on as before.

        Raises
        ------
        InvariantBroken
            If the fill is not a hedge.
        """
        if not fill.is_hedge:
            raise InvariantBroken(f"fill {fill.fill_id.hex()} is not a hedge")
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
