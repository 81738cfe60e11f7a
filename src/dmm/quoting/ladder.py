"""Tiers around the model prices: sizes that shrink towards the limits, prices that never cross."""

from __future__ import annotations

import math

from dmm.governance.policy import Policy
from dmm.market.instrument import Side
from dmm.quoting.decision import RestingQuote
from dmm.quoting.price import Priced
from dmm.quoting.scale import QuoteInputs
from dmm.units.amount import BPS_ONE, Lots, Ticks
from dmm.units.price import price_ceil, price_floor


def split_size(size: Lots, policy: Policy) -> tuple[Lots, Lots, Lots]:
    """Split a size by the policy's tier shares from the inside out; the parts sum to it exactly.

    Parts are rounded down and the innermost tier takes what is left over, so that a size of one lot
    still quotes where it may trade.

    Parameters
    ----------
    size : lots, >= 0
    policy : its shares sum to one
    """
    middle = size * policy.tier_middle_bps // BPS_ONE
    outer = size * policy.tier_outer_bps // BPS_ONE
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
    sign = side.sign
    adding = inputs.inventory * sign
    soft, hard, size = inputs.soft(sign), inputs.hard(sign), inputs.side_size
    if adding <= soft and adding + size <= hard:
        return size
    room = max(0, hard - adding)
    span = max(1, hard - soft)
    return Lots(min(size * min(room, span) // span, room))


def build_ladder(
    priced: Priced, inputs: QuoteInputs, *, best_bid: Ticks, best_ask: Ticks
) -> tuple[RestingQuote, ...]:
    """Return the tiers to rest, bids first, each side from the inside out.

    Bids are rounded down and asks up, then moved away from the opposite best so that no order could
    take liquidity. Tiers without size, or without a positive price, are left out.

    Parameters
    ----------
    priced : model prices in ticks
    inputs : for sizes and the policy's tiers
    best_bid, best_ask : ticks, best_bid < best_ask
    """
    policy = inputs.policy
    step = max(1, math.floor(priced.half_spread_ticks * (policy.tier_step_bps / BPS_ONE)))
    bid = min(price_floor(priced.bid_ticks), best_ask - 1)
    ask = max(price_ceil(priced.ask_ticks), best_bid + 1)
    quotes = []
    for side, price, outwards in ((Side.BUY, int(bid), -step), (Side.SELL, int(ask), step)):
        for size in split_size(side_size(inputs, side), policy):
            if size > 0 and price > 0:
                quotes.append(RestingQuote(side=side, price=Ticks(price), size=size))
            price += outwards  # noqa: PLW2901 — the next tier stands one step further out
    return tuple(quotes)
