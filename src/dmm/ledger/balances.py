"""What our own fills at one venue add up to, to be held against what the venue says."""

from __future__ import annotations

from dmm.ledger.fills import cash_flow
from dmm.market.instrument import Instrument
from dmm.market.order import OrderReport
from dmm.units.amount import Lots


class Balances:
    """Position and cash at a venue since the start, fees paid; both begin at nought."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._lots = self._cash_atoms = 0

    def take(self, report: OrderReport) -> None:
        """Count an execution.

        Parameters
        ----------
        report : a FILLED report
        """
        flow = cash_flow(self._instrument, side=report.side, price=report.price, size=report.size)
        self._lots += report.side.sign * report.size
        self._cash_atoms += flow - report.fee_atoms

    @property
    def position(self) -> Lots:
        """Return the position, long is positive."""
        return Lots(self._lots)

    @property
    def atoms(self) -> dict[str, int]:
        """Return signed atoms of the position and of the cash asset."""
        position, cash = self._instrument.position, self._instrument.cash
        return {
            position.symbol: self._lots * self._instrument.position_atoms_per_lot,
            cash.symbol: self._cash_atoms,
        }
