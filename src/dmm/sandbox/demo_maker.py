"""DEMO: how the outside market maker prices the desk's token."""

from __future__ import annotations

from fractions import Fraction

from dmm.adapters.evm.codec import Book
from dmm.rfq.protocol import FirmQuote
from dmm.sandbox.evm.actors import Actors, sign_buyback_quote
from dmm.sandbox.evm.deploy import DCT
from dmm.sandbox.market_maker import Answer
from dmm.units.amount import Atoms

DCT_PER_CASH = {
    "USDT": Fraction(100, 105),
    "USD": Fraction(100, 105),
    "TON": Fraction(3),
    "BTC": Fraction(60_000),
    "ETH": Fraction(2_400),
}
"""DEMO prices: whole DCT for one whole unit of cash. They mean nothing."""


def demo_answer(actors: Actors, book: Book, *, cash_decimals: dict[str, int]) -> Answer:
    """Return the maker's pricing: a fixed price, no quote for cash it does not know.

    Parameters
    ----------
    cash_decimals : decimals of the tokens on this chain, by symbol
    """

    def answer(request: dict[str, object], cash: Atoms) -> tuple[FirmQuote, bytes] | None:
        symbol = str(request["cash_asset"])
        price = DCT_PER_CASH.get(symbol)
        if price is None or symbol not in cash_decimals or request["bought_asset"] != DCT.symbol:
            return None
        exact = price * cash * 10**DCT.decimals / 10 ** cash_decimals[symbol]
        bought = exact.numerator // exact.denominator
        if bought < 1:
            return None
        return sign_buyback_quote(
            actors=actors,
            book=book,
            chain=str(request["chain"]),
            taker=str(request["taker"]),
            cash_asset=symbol,
            cash_amount=cash,
            bought_asset=DCT.symbol,
            bought_amount=Atoms(bought),
            deadline_s=int(str(request["deadline_s"])),
            nonce=int(str(request["nonce"])),
        )

    return answer
