"""An accepted firm quote as a fill: side, size, price, and cash to the atom."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trading_values import LINEAR

from dmm.ledger.position import Position
from dmm.market.instrument import Side
from dmm.rfq.fills import open_lots, quoted_fill, quoted_vault, quoted_venue
from dmm.rfq.pricing import firm_amounts
from dmm.rfq.protocol import Acceptance, FirmQuote, RfqTrade
from dmm.risk.inventory import OpenLots
from dmm.units.amount import Atoms, Lots, Ticks
from dmm.units.errors import InvariantBroken, UsageFault


def trade_of(
    taker_side: Side, *, price: int, size: int, part: int | None = None, least: int = 0
) -> RfqTrade:
    """Return a quote that was accepted, wholly unless told otherwise."""
    amounts = firm_amounts(LINEAR, taker_side=taker_side, price=Ticks(price), size=Lots(size))
    quote = FirmQuote(
        chain="evm",
        contract="0x5e",
        maker="0xde",
        signer="0xhot",
        taker="0xt1",
        maker_asset=amounts.maker_asset,
        taker_asset=amounts.taker_asset,
        maker_amount=amounts.maker_amount,
        taker_amount=amounts.taker_amount,
        fee_bps=0,
        fee_recipient="0xde",
        expiry_s=10,
        settle_by_s=20,
        nonce=3,
        min_fill=Atoms(least),
    )
    return RfqTrade(
        run_id="run",
        epoch=4,
        quote=quote,
        maker_signature=b"m",
        fair_half_ticks=2 * price + 1,
        issued_at_ns=5,
        acceptance=Acceptance(
            quote_id=quote.quote_id,
            amount=Atoms(quote.taker_amount if part is None else part),
            recipient="0xr1",
        ),
        taker_signature=b"t",
        accepted_at_ns=6,
    )


def test_a_taker_who_buys_makes_us_sell_at_the_price_quoted() -> None:
    fill = quoted_fill(trade_of(Side.BUY, price=1_003, size=7), LINEAR)
    assert (fill.side, fill.price, fill.size, fill.fee_atoms) == (Side.SELL, 1_003, 7, 0)
    assert (fill.venue, fill.epoch, fill.ordinal, fill.mid) == ("rfq", 4, 3, 2_007)
    assert (fill.is_hedge, fill.filled_at_ns) == (False, 6)


def test_venue_and_vault_carry_the_name_of_another_chain() -> None:
    assert (quoted_venue("evm"), quoted_vault("evm")) == ("rfq", "desk")
    assert (quoted_venue("ton"), quoted_vault("ton")) == ("rfq@ton", "desk@ton")


def test_before_its_acceptance_a_quote_may_move_all_of_it_and_is_no_fill() -> None:
    trade = trade_of(Side.SELL, price=1_003, size=7)
    waiting = replace(trade, acceptance=None)
    assert open_lots(waiting, LINEAR) == OpenLots(buy=Lots(7))
    with pytest.raises(UsageFault, match="never accepted"):
        quoted_fill(waiting, LINEAR)


def test_a_quote_in_other_assets_is_no_trade_of_the_instrument() -> None:
    trade = trade_of(Side.BUY, price=1_003, size=7)
    odd = replace(trade, quote=replace(trade.quote, maker_asset="ETH"))
    with pytest.raises(InvariantBroken, match="gives ETH for USDT, which is no trade in BTC/USDT"):
        open_lots(odd, LINEAR)


@settings(deadline=None)
@given(
    st.sampled_from(Side),
    st.integers(1, 10**6),
    st.integers(1, 10**4),
    st.integers(1, 10_000),
)
def test_the_cash_of_a_fill_is_what_changes_hands_to_the_atom_whatever_part_was_taken(
    taker_side: Side, price: int, size: int, share_bps: int
) -> None:
    whole = trade_of(taker_side, price=price, size=size)
    part = max(1, whole.quote.taker_amount * share_bps // 10_000)
    trade = trade_of(taker_side, price=price, size=size, part=part, least=1)
    given_atoms = trade.quote.given(part)
    if given_atoms == 0:
        return  # the quote does not take so little
    fill = quoted_fill(trade, LINEAR)
    cash = part if taker_side is Side.BUY else -given_atoms
    assert Position(instrument=LINEAR).apply(fill).cash_atoms == cash
    base = given_atoms if taker_side is Side.BUY else part
    per_lot = LINEAR.position_atoms_per_lot
    assert (fill.size - 1) * per_lot < base <= fill.size * per_lot
