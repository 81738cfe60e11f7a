"""What a fill moves: its postings and its signed flows, in atoms."""

from __future__ import annotations

from dmm.ledger.account import Account, AccountKind
from dmm.ledger.journal import Posting
from dmm.market.instrument import Asset, ContractKind, Instrument, Side
from dmm.market.order import Fill
from dmm.units.amount import Atoms, HalfTicks, Lots, Ticks, floor_div


def paper_vault(run_id: str) -> str:
    """Return the ledger vault of a run's paper trading."""
    return f"paper:{run_id}"


def cash_flow(instrument: Instrument, *, side: Side, price: Ticks, size: Lots) -> Atoms:
    """Return the signed cash of an execution before fees: what we get is positive.

    Inverse contracts round against us: up when coins leave, down when they come.

    Parameters
    ----------
    side : of our order
    price : ticks, > 0
    size : lots, >= 0
    """
    sign = instrument.cash_sign * side.sign
    return Atoms(sign * instrument.cash_atoms(price=price, size=size, rounded_up=sign < 0))


def marked_atoms(instrument: Instrument, *, inventory: Lots, mid: HalfTicks) -> Atoms:
    """Return what an inventory is worth in cash at a mid price, rounded down.

    An inverse long owes its quote value: its worth in coins is negative and rises with the price.

    Parameters
    ----------
    inventory : lots, long is positive
    mid : half ticks, > 0
    """
    size = Lots(abs(inventory))
    sign = -instrument.cash_sign * (1 if inventory > 0 else -1)
    if instrument.kind is ContractKind.INVERSE:
        # Worth is size/price: twice the size at twice the price, which is the mid in half ticks.
        value = instrument.cash_atoms(price=Ticks(mid), size=Lots(2 * size), rounded_up=sign < 0)
        return Atoms(sign * value)
    doubled = sign * instrument.cash_atoms(price=Ticks(mid), size=size, rounded_up=False)
    return Atoms(floor_div(doubled, 2))


def spread_captured(instrument: Instrument, fill: Fill) -> Atoms:
    """Return the fill's worth at the mid of its moment over what it cost, before fees."""
    flow = cash_flow(instrument, side=fill.side, price=fill.price, size=fill.size)
    worth = marked_atoms(instrument, inventory=Lots(fill.side.sign * fill.size), mid=fill.mid)
    return Atoms(flow + worth)


def fill_postings(fill: Fill, instrument: Instrument) -> tuple[Posting, ...]:
    """Return the postings of a fill: inventory and cash against the outside, and the fee.

    A buy brings inventory from the outside; its cash leaves, or for inverse contracts comes. The
    fee is kept apart: profit is `CASH` + `FEES` + inventory marked. Legs of zero atoms are left
    out.

    Parameters
    ----------
    fill : sizes in lots, price in ticks
    instrument : the version of its time
    """
    inventory = fill.side.sign * fill.size * instrument.position_atoms_per_lot
    cash = cash_flow(instrument, side=fill.side, price=fill.price, size=fill.size)
    legs = (
        ("position", instrument.position, AccountKind.POSITION, inventory),
        ("cash", instrument.cash, AccountKind.CASH, cash),
        ("fee", instrument.cash, AccountKind.FEES, -fill.fee_atoms),
    )
    return tuple(
        _leg(fill, name=name, asset=asset, kind=kind, change=change)
        for name, asset, kind, change in legs
        if change != 0
    )


def _leg(fill: Fill, *, name: str, asset: Asset, kind: AccountKind, change: int) -> Posting:
    vault = paper_vault(fill.run_id)
    own = Account(vault=vault, asset=asset.symbol, kind=kind)
    outside = Account(vault=vault, asset=asset.symbol, kind=AccountKind.OUTSIDE)
    return Posting(
        source_id=f"fill:{fill.fill_id.hex()}:{name}",
        debit=outside if change > 0 else own,
        credit=own if change > 0 else outside,
        amount=Atoms(abs(change)),
        posted_at_ns=fill.filled_at_ns,
    )
