"""What is known of a market right now: the book and the freshest best quote."""

from __future__ import annotations

from dmm.market.book import Book
from dmm.market.fair_value import SideDepth, side_depth
from dmm.market.tape import BestQuote, DepthUpdate
from dmm.units.amount import HalfTicks, Lots, Ticks
from dmm.units.time import Nanos


class MarketView:
    """The book with the best quote on top of it.

    A venue's best-quote stream is often ahead of its depth stream. The best quote here is the one
    with the latest exchange time of the two; the displayed sizes behind it are the book's.
    """

    __slots__ = ("best_ask", "best_ask_size", "best_bid", "best_bid_size", "book", "quoted_at_ns")

    def __init__(self) -> None:
        self.book = Book()
        self.best_bid = Ticks(0)
        self.best_bid_size = Lots(0)
        self.best_ask = Ticks(0)
        self.best_ask_size = Lots(0)
        self.quoted_at_ns = Nanos(0)

    def apply_best_quote(self, quote: BestQuote) -> None:
        """Take a best quote unless a later one is known."""
        if quote.exchange_at_ns >= self.quoted_at_ns:
            self.quoted_at_ns = quote.exchange_at_ns
            self.best_bid = quote.bid
            self.best_bid_size = quote.bid_size
            self.best_ask = quote.ask
            self.best_ask_size = quote.ask_size

    def apply_depth(self, update: DepthUpdate) -> HalfTicks | None:
        """Apply an update to the book and return the book's own mid after it.

        None when a side is empty or the book is crossed: such a state has no mid.
        """
        book = self.book
        book.apply(update)
        bid, ask = book.best_bid, book.best_ask
        if bid is None or ask is None:
            if update.exchange_at_ns >= self.quoted_at_ns:
                self._forget(update.exchange_at_ns)
            return None
        if update.exchange_at_ns >= self.quoted_at_ns:
            self.quoted_at_ns = update.exchange_at_ns
            self.best_bid, self.best_bid_size = bid
            self.best_ask, self.best_ask_size = ask
        return HalfTicks(bid[0] + ask[0]) if bid[0] < ask[0] else None

    def depth(self, levels: int) -> tuple[SideDepth, SideDepth]:
        """Return the depth of the best levels of bids and of asks.

        Parameters
        ----------
        levels : per side, > 0
        """
        bids, asks = self.book.top(levels)
        return side_depth(bids), side_depth(asks)

    @property
    def has_mid(self) -> bool:
        """Tell whether both sides are known and not crossed."""
        return 0 < self.best_bid < self.best_ask

    @property
    def mid_half_ticks(self) -> HalfTicks:
        """Return best bid + best ask; meaningful only while `has_mid`."""
        return HalfTicks(self.best_bid + self.best_ask)

    def _forget(self, at_ns: Nanos) -> None:
        self.quoted_at_ns = at_ns
        self.best_bid = self.best_ask = Ticks(0)
        self.best_bid_size = self.best_ask_size = Lots(0)
