"""Trades and best quotes that no market made: known already, of no size, at absurd prices."""

from __future__ import annotations

from dmm.adapters.feeds.findings import Findings
from dmm.market.tape import BestQuote, TradePrint

KNOWN_TRADES_MAX = 20_000
"""Latest trades remembered by id; venues send some again after a reconnect."""

PRICE_FACTOR_MAX = 2
"""Between one price and the next nothing doubles or halves; a second such price is believed."""

JUDGED_TICKS_MIN = 100
"""Moves of fewer ticks are never absurd: where a price is a few ticks, one tick doubles it."""


class Plausibility:
    """Judges the trades and best quotes of one instrument as they come, from one or several files.

    What is not plausible is a flaw or a note in the findings of the file it stands in, and left
    out.
    """

    __slots__ = ("_doubted", "_known", "_price")

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, int, bool]] = {}
        self._price = 0
        self._doubted = 0

    def admits_trade(self, trade: TradePrint, findings: Findings) -> bool:
        """Tell whether a trade is to be played.

        Raises
        ------
        TapeFault
            If it has no size, an absurd price or the id of another trade, and gaps are not
            allowed.
        """
        content = (trade.price, trade.size, trade.buyer_is_aggressor)
        before = self._known.get(trade.trade_id)
        if before == content:
            findings.note("duplicates", f"the trade {trade.trade_id} came again")
            return False
        if before is not None:
            findings.meet(
                "out_of_order", f"the trade id {trade.trade_id} came again with other content"
            )
        if not trade.size:
            findings.meet("zero_sizes", f"the trade {trade.trade_id} has no size")
            return False
        if not self._admits_price(trade.price, findings):
            return False
        if len(self._known) >= KNOWN_TRADES_MAX:
            del self._known[next(iter(self._known))]
        self._known[trade.trade_id] = content
        return True

    def admits_quote(self, quote: BestQuote, findings: Findings) -> bool:
        """Tell whether a best quote is to be played.

        Raises
        ------
        TapeFault
            If a side has no size, the sides are crossed, or a price is absurd, and gaps are not
            allowed.
        """
        if not quote.bid_size or not quote.ask_size:
            findings.meet("zero_sizes", "the best quote has a side of no size")
            return False
        if quote.bid >= quote.ask:
            findings.meet(
                "crossed_books", f"crossed best quote: bid {quote.bid}, ask {quote.ask} ticks"
            )
            return False
        return self._admits_price(quote.bid, findings) and self._admits_price(quote.ask, findings)

    def _admits_price(self, price: int, findings: Findings) -> bool:
        if not self._price or _is_near(price, self._price):
            self._price = price
            return True
        if self._doubted and _is_near(price, self._doubted):
            self._price, self._doubted = price, 0
            return True
        self._doubted = price
        findings.meet(
            "absurd_prices", f"a price of {price} ticks comes after one of {self._price} ticks"
        )
        return False


def _is_near(price: int, other: int) -> bool:
    if abs(price - other) < JUDGED_TICKS_MIN:
        return True
    return price < other * PRICE_FACTOR_MAX and other < price * PRICE_FACTOR_MAX
