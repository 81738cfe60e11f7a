"""An accepted firm quote as a fill: what it moves, at which price, for which vault."""

from __future__ import annotations

from dmm.ledger.fills import cash_flow
from dmm.market.instrument import Instrument, Side
from dmm.market.order import Fill
from dmm.rfq.netting import VAULT, accepted
from dmm.rfq.protocol import RfqTrade
from dmm.risk.inventory import OpenLots
from dmm.units.amount import Atoms, HalfTicks, Lots, Ticks, ceil_div
from dmm.units.chain import on_chain
from dmm.units.errors import InvariantBroken
from dmm.units.time import Nanos

VENUE = "rfq"
"""Where firm quotes trade; on another chain than the home chain its name carries the chain."""


def quoted_venue(chain: str) -> str:
    """Return the venue of a chain's firm quotes, as inventories are told apart by it."""
    return on_chain(VENUE, chain)


def quoted_vault(chain: str) -> str:
    """Return the ledger vault whose inventory a chain's firm quotes give."""
    return on_chain(VAULT, chain)


def our_side(trade: RfqTrade, instrument: Instrument) -> Side:
    """Return whether a firm quote buys or sells the position asset for us.

    Raises
    ------
    InvariantBroken
        If it trades other assets than the instrument's.
    """
    position, cash = instrument.position.symbol, instrument.cash.symbol
    match (trade.quote.maker_asset, trade.quote.taker_asset):
        case (gives, gets) if (gives, gets) == (position, cash):
            return Side.SELL
        case (gives, gets) if (gives, gets) == (cash, position):
            return Side.BUY
        case (gives, gets):
            raise InvariantBroken(
                f"quote {trade.quote.quote_id.hex()} gives {gives} for {gets}, "
                f"which is no trade in {position}/{cash}"
            )


def open_lots(trade: RfqTrade, instrument: Instrument) -> OpenLots:
    """Return the lots a firm quote may still move: the part accepted, or all of it before.

    A part of a lot counts as one.
    """
    side = our_side(trade, instrument)
    lots = ceil_div(_position_atoms(trade, side), instrument.position_atoms_per_lot)
    return OpenLots(buy=Lots(lots)) if side is Side.BUY else OpenLots(sell=Lots(lots))


def quoted_fill(trade: RfqTrade, instrument: Instrument) -> Fill:
    """Return an accepted quote as a fill at its chain's venue; its cash is exact to the atom.

    Where amounts are no whole ticks or lots, as with a part that a taker took, the price is rounded
    against us and the fee gives back what that is off; a part of a lot counts as one.

    Parameters
    ----------
    trade : accepted
    instrument : spot or linear, of the run

    Raises
    ------
    UsageFault
        If it was never accepted.
    InvariantBroken
        If it trades other assets than the instrument's.
    """
    side, acceptance = our_side(trade, instrument), accepted(trade)
    size = open_lots(trade, instrument)
    lots = Lots(size.buy or size.sell)
    given = trade.quote.given(acceptance.amount)
    cash = given if side is Side.BUY else acceptance.amount
    per_tick = instrument.cash_atoms(price=Ticks(1), size=lots, rounded_up=True)
    ticks = ceil_div(cash, per_tick) if side is Side.BUY else cash // per_tick
    price = Ticks(max(1, ticks))
    moved = -cash if side is Side.BUY else cash
    return Fill(
        fill_id=trade.quote.quote_id,
        run_id=trade.run_id,
        epoch=trade.epoch,
        ordinal=trade.quote.nonce,
        venue=quoted_venue(trade.quote.chain),
        symbol=instrument.symbol,
        client_id=trade.quote.quote_id.hex(),
        side=side,
        price=price,
        size=lots,
        mid=HalfTicks(trade.fair_half_ticks),
        fee_atoms=Atoms(cash_flow(instrument, side=side, price=price, size=lots) - moved),
        filled_at_ns=Nanos(
            trade.issued_at_ns if trade.accepted_at_ns is None else trade.accepted_at_ns
        ),
        is_hedge=False,
    )


def _position_atoms(trade: RfqTrade, side: Side) -> int:
    quote, acceptance = trade.quote, trade.acceptance
    taken = quote.taker_amount if acceptance is None else acceptance.amount
    return taken if side is Side.BUY else quote.given(taken)
