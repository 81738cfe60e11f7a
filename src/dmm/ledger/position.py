"""A position at average cost, in integer atoms: its parts always sum to cash plus inventory."""

from __future__ import annotations

from dataclasses import dataclass

from dmm.ledger.fills import cash_flow, marked_atoms
from dmm.market.instrument import Instrument
from dmm.market.order import Fill
from dmm.units.amount import Atoms, HalfTicks, Lots, floor_div
from dmm.units.errors import InvariantBroken
from dmm.units.fast_init import fast_init

NO_LOTS = Lots(0)
NO_ATOMS = Atoms(0)


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Inventory in lots with the cash it took, in atoms of the cash asset.

    `basis_atoms` is the signed cash flow of the open inventory: negative for a linear long,
    positive for an inverse one. `realised_atoms` is profit of closed inventory before fees.
    Whatever is rounded when a part is closed stays in the basis, so `realised + basis` is all cash
    that ever moved, to the atom.
    """

    instrument: Instrument
    inventory: Lots = NO_LOTS
    basis_atoms: Atoms = NO_ATOMS
    realised_atoms: Atoms = NO_ATOMS
    fees_atoms: Atoms = NO_ATOMS

    def apply(self, fill: Fill) -> Position:
        """Return the position after a fill.

        What reduces the inventory releases its share of the basis, rounded down; what goes beyond
        zero opens the other side at the fill's price.

        Raises
        ------
        InvariantBroken
            If the fill is of another instrument.
        """
        if fill.symbol != self.instrument.symbol:
            raise InvariantBroken(
                f"a fill of {fill.symbol} cannot change a position in {self.instrument.symbol}"
            )
        flow = cash_flow(self.instrument, side=fill.side, price=fill.price, size=fill.size)
        change = fill.side.sign * fill.size
        closing = min(fill.size, abs(self.inventory)) if self.inventory * change < 0 else 0
        released = floor_div(self.basis_atoms * closing, abs(self.inventory)) if closing else 0
        closing_flow = floor_div(flow * closing, fill.size) if closing else 0
        return Position(
            instrument=self.instrument,
            inventory=Lots(self.inventory + change),
            basis_atoms=Atoms(self.basis_atoms - released + flow - closing_flow),
            realised_atoms=Atoms(self.realised_atoms + released + closing_flow),
            fees_atoms=Atoms(self.fees_atoms + fill.fee_atoms),
        )

    @property
    def cash_atoms(self) -> Atoms:
        """Return all cash that moved, fees paid."""
        return Atoms(self.realised_atoms + self.basis_atoms - self.fees_atoms)

    def unrealised_atoms(self, mid: HalfTicks) -> Atoms:
        """Return the open inventory's worth at a mid over its cost.

        Parameters
        ----------
        mid : half ticks, > 0 unless the inventory is zero
        """
        if not self.inventory:
            return self.basis_atoms
        return Atoms(
            marked_atoms(self.instrument, inventory=self.inventory, mid=mid) + self.basis_atoms
        )

    def pnl_atoms(self, mid: HalfTicks) -> Atoms:
        """Return profit after fees: cash plus inventory marked at a mid."""
        return Atoms(self.realised_atoms + self.unrealised_atoms(mid) - self.fees_atoms)
