"""DEMO: how the outside market maker prices the desk's token, on every local chain."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from dmm.rfq.protocol import FirmQuote
from dmm.sandbox.chains import LocalChain
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


def demo_answer(
    chains: Mapping[str, LocalChain], decimals: Mapping[str, Mapping[str, int]]
) -> Answer:
    """Return the maker's pricing: a fixed price, no quote for a chain or cash it does not know.

    Parameters
    ----------
    decimals : of the tokens by chain and symbol
    """

    def answer(request: dict[str, object], cash: Atoms) -> tuple[FirmQuote, bytes] | None:
        chain, symbol = str(request["chain"]), str(request["cash_asset"])
        known = decimals.get(chain, {})
        price = DCT_PER_CASH.get(symbol)
        if price is None or symbol not in known or request["bought_asset"] != DCT.symbol:
            return None
        exact = price * cash * 10 ** known[DCT.symbol] / 10 ** known[symbol]
        bought = exact.numerator // exact.denominator
        if bought < 1:
            return None
        return chains[chain].sign_buyback_quote(
            taker=str(request["taker"]),
            cash_asset=symbol,
            cash_amount=cash,
            bought_asset=DCT.symbol,
            bought_amount=Atoms(bought),
            deadline_s=int(str(request["deadline_s"])),
            nonce=int(str(request["nonce"])),
        )

    return answer
