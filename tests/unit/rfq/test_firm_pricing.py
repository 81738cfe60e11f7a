"""Firm prices: the premium for time, and rounding against the taker."""

from __future__ import annotations

from dataclasses import replace

import pytest
from desk_memory import INSTRUMENT

from dmm.market.instrument import ContractKind, Side
from dmm.rfq.pricing import Fair, firm_amounts, firm_price, ttl_premium_ticks
from dmm.units.amount import HalfTicks, Lots, Ticks
from dmm.units.errors import UsageFault

FAIR = Fair(mid=HalfTicks(20_001), half_spread_microticks=3_200_000, sigma_microticks_1s=5_000_000)


@pytest.mark.parametrize(("ttl_s", "bps"), [(5, 0.95), (35, 2.5)])
def test_the_premium_is_what_the_design_measured_at_60_percent_a_year(
    ttl_s: int, bps: float
) -> None:
    # design/rfq.md section 1: σ = 60 % a year: 5 s = 0.95 bps, 35 s = 2.5 bps.
    sigma_bps_1s = 0.6 * 10_000 / (365 * 86_400) ** 0.5
    assert ttl_premium_ticks(sigma_ticks_1s=sigma_bps_1s, ttl_s=ttl_s) == pytest.approx(
        bps, abs=0.03
    )


def test_prices_are_rounded_against_the_taker() -> None:
    # 10,000.5 ± (3.2 + 0.4·5·√9 = 9.2): ask 10,009.7 up, bid 9,991.3 down.
    assert firm_price(FAIR, taker_side=Side.BUY, ttl_s=9) == 10_010
    assert firm_price(FAIR, taker_side=Side.SELL, ttl_s=9) == 9_991


def test_a_taker_who_buys_gives_cash_and_gets_the_position_asset() -> None:
    amounts = firm_amounts(INSTRUMENT, taker_side=Side.BUY, price=Ticks(99), size=Lots(7))
    assert (amounts.maker_asset, amounts.maker_amount) == ("BTC", 700_000)
    assert (amounts.taker_asset, amounts.taker_amount) == ("USDT", 99 * 7 * 100)


def test_a_taker_who_sells_gives_the_position_asset() -> None:
    amounts = firm_amounts(INSTRUMENT, taker_side=Side.SELL, price=Ticks(99), size=Lots(7))
    assert (amounts.maker_asset, amounts.taker_asset) == ("USDT", "BTC")


def test_an_inverse_contract_cannot_be_delivered() -> None:
    inverse = replace(INSTRUMENT, kind=ContractKind.INVERSE)
    with pytest.raises(UsageFault, match="inverse"):
        firm_amounts(inverse, taker_side=Side.BUY, price=Ticks(99), size=Lots(7))
