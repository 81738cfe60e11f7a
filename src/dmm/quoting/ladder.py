"""Tiers around the model prices: sizes that shrink towards the limits, prices that never cross."""

from __future__ import annotations

import math

from dmm.market.instrument import Side
from dmm.quoting.decision import RestingQuote
from dmm.quoting.price import Priced
from dmm.quoting.scale import QuoteInputs
from dmm.units.amount import Lots, Ticks
from dmm.units.price import price_ceil, price_floor

TIER_SHARES_PERCENT = (25, 50, 25)
"""Shares of the size from the innermost tier outwards."""

TIER_STEP_SHARE = 0.5
"""Distance between tiers as a share of the half-spread, one tick at the least."""


def split_size(size: Lots) -> tuple[Lots, Lots, Lots]:
    """Split a size 25/50/25 from the inside out; the parts sum to the size exactly.

    Parts are rounded down and the innermost tier takes what is left over, so that a size of one lot
    still quotes where it may trade.

    Parameters
    ----------
    size : lots, >= 0
    """
    middle = size * TIER_SHARES_PERCENT[1] // 100
    outer = size * TIER_SHARES_PERCENT[2] // 100
    return Lots(size - middle - outer), Lots(middle), Lots(outer)


def side_size(inputs: QuoteInputs, side: Side) -> Lots:
    """Return how much a side may quote: all of it up to the soft limit, nothing at the hard one.

    Between the limits the side that would add to the inventory shrinks linearly, rounded down; the
    side that reduces it always quotes in full.

    Parameters
    ----------
    inputs : inventory and limits in lots
    side : BUY for bids
    """
    adding = inputs.inventory * side.sign
    if adding <= inputs.inventory_soft and adding + inputs.quote_size <= inputs.inventory_hard:
        return inputs.quote_size
    room = max(0, inputs.inventory_hard - adding)
    span = max(1, inputs.inventory_hard - inputs.inventory_soft)
    return Lots(min(inputs.quote_size * min(room, span) // span, room))


def build_ladder(
    priced: Priced, inputs: QuoteInputs, *, best_bid: Ticks, best_ask: Ticks
) -> tuple[RestingQuote, ...]:
    """Return the tiers to rest, bids first, each side from the inside out.

    Bids are rounded down and asks up, then moved away from the opposite best so that no order could
    take liquidity. Tiers without size, or without a positive price, are left out.

    Parameters
    ----------
    priced : model prices in ticks
    inputs : for sizes
    best_bid, best_ask : ticks, best_bid < best_ask
    """
    step = max(1, math.floor(priced.half_spread_ticks * TIER_STEP_SHARE))
    bid = min(price_floor(priced.bid_ticks), best_ask - 1)
    ask = max(price_ceil(priced.ask_ticks), best_bid + 1)
    quotes = []
    for side, inner in ((Side.BUY, bid), (Side.SELL, ask)):
        for tier, size in enumerate(split_size(side_size(inputs, side))):
            price = inner - side.sign * tier * step
            if size > 0 and price > 0:
                quotes.append(RestingQuote(side=side, price=Ticks(price), size=size))
    return tuple(quotes)
