"""Market events that a slow reader has not taken yet, folded into fewer that say the same.

A reader that fell behind needs the market as it is, not every step on the way: depth updates fold
into one, best quotes into the latest, trades at one price and side into one. Volume is never lost.
"""

from __future__ import annotations

from collections.abc import Iterable

from dmm.market.tape import BestQuote, DepthUpdate, FeedEvent, Level, TradePrint
from dmm.units.amount import Lots, Ticks


def merge_depth(earlier: DepthUpdate, later: DepthUpdate) -> DepthUpdate:
    """Return one update that changes a book as the two do one after the other.

    Parameters
    ----------
    earlier, later : in the venue's order; sizes in lots, 0 deletes
    """
    if later.is_snapshot:
        return later
    return DepthUpdate(
        exchange_at_ns=later.exchange_at_ns,
        received_at_ns=later.received_at_ns,
        first_id=earlier.first_id,
        last_id=later.last_id,
        is_snapshot=earlier.is_snapshot,
        bids=_merge_levels(earlier.bids, later.bids),
        asks=_merge_levels(earlier.asks, later.asks),
    )


def merge_trades(earlier: TradePrint, later: TradePrint) -> TradePrint:
    """Return one print of both volumes under the later one's id and times.

    Parameters
    ----------
    earlier, later : of the same price and aggressor
    """
    return TradePrint(
        exchange_at_ns=later.exchange_at_ns,
        received_at_ns=later.received_at_ns,
        price=later.price,
        size=Lots(earlier.size + later.size),
        buyer_is_aggressor=later.buyer_is_aggressor,
        trade_id=later.trade_id,
    )


def conflate(events: Iterable[FeedEvent]) -> list[FeedEvent]:
    """Fold events into at most one depth update, one best quote, and one trade per price and side.

    Trades come first, in the order of their last prints: they met the book that stood before the
    updates. The order between trades and the updates among them is what conflating gives up.
    """
    depth: DepthUpdate | None = None
    best: BestQuote | None = None
    trades: dict[tuple[int, bool], TradePrint] = {}
    for event in events:
        if isinstance(event, DepthUpdate):
            depth = event if depth is None else merge_depth(depth, event)
        elif isinstance(event, BestQuote):
            best = event
        else:
            key = (event.price, event.buyer_is_aggressor)
            known = trades.pop(key, None)
            trades[key] = event if known is None else merge_trades(known, event)
    states: list[FeedEvent] = [state for state in (depth, best) if state is not None]
    return [*trades.values(), *sorted(states, key=lambda state: state.received_at_ns)]


def _merge_levels(earlier: tuple[Level, ...], later: tuple[Level, ...]) -> tuple[Level, ...]:
    sizes = dict(earlier)
    sizes.update(later)
    return tuple((Ticks(price), Lots(size)) for price, size in sizes.items())
