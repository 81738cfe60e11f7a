"""Books of one level: what is known of a market where only its best quotes were recorded."""

from __future__ import annotations

from dmm.market.tape import BestQuote, DepthUpdate


def one_level_book(quote: BestQuote, *, sequence_id: int) -> DepthUpdate:
    """Return a whole book that holds the best quote and nothing behind it.

    A size behind the touch would have to be invented, so that a walk beyond it stops short.

    Parameters
    ----------
    quote : both sides known
    sequence_id : the venue's number of the quote, or one counted by the reader
    """
    return DepthUpdate(
        exchange_at_ns=quote.exchange_at_ns,
        received_at_ns=quote.received_at_ns,
        first_id=sequence_id,
        last_id=sequence_id,
        is_snapshot=True,
        bids=((quote.bid, quote.bid_size),),
        asks=((quote.ask, quote.ask_size),),
    )
