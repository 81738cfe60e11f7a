from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.market.instrument import Asset, ContractKind, Instrument
from dmm.units.amount import Lots, Ticks

LINEAR = Instrument(
    symbol="BTCUSDT",
    venue="binance-usdm",
    kind=ContractKind.LINEAR,
    position=Asset(symbol="BTC", decimals=8),
    cash=Asset(symbol="USDT", decimals=6),
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.001"),
)
INVERSE = Instrument(
    symbol="BTCUSD_PERP",
    venue="binance-coinm",
    kind=ContractKind.INVERSE,
    position=Asset(symbol="USD", decimals=2),
    cash=Asset(symbol="BTC", decimals=8),
    tick_size=Decimal("0.1"),
    lot_size=Decimal(1),
    contract_size=Decimal(100),
)
PRICES = st.integers(min_value=1, max_value=10**9)
SIZES = st.integers(min_value=0, max_value=10**9)


@pytest.mark.parametrize("name", ["tick_size", "lot_size", "contract_size"])
@pytest.mark.parametrize("value", ["0", "-0.1", "NaN", "Infinity"])
def test_a_size_that_is_no_positive_number_is_refused_by_name(name: str, value: str) -> None:
    body = LINEAR.to_json() | {name: value}
    with pytest.raises(ValueError, match=f"{name} of BTCUSDT"):
        Instrument.from_json(body)


def test_a_cash_asset_too_coarse_for_tick_times_lot_is_refused() -> None:
    with pytest.raises(ValueError, match="give USDT more than 3 decimals"):
        Instrument.from_json(LINEAR.to_json() | {"cash": ["USDT", 3]})


def test_a_linear_value_is_exact() -> None:
    assert LINEAR.cash_atoms(price=Ticks(618_002), size=Lots(14), rounded_up=True) == 865_202_800


@given(PRICES, SIZES)
def test_an_inverse_value_is_rounded_in_the_direction_asked_for(price: int, size: int) -> None:
    exact = Fraction(size * 100 * 10**8) / (price * Fraction(1, 10))
    low = INVERSE.cash_atoms(price=Ticks(price), size=Lots(size), rounded_up=False)
    high = INVERSE.cash_atoms(price=Ticks(price), size=Lots(size), rounded_up=True)
    assert low <= exact <= high
    assert high - low == (0 if exact.denominator == 1 else 1)


@pytest.mark.parametrize("instrument", [LINEAR, INVERSE], ids=["linear", "inverse"])
def test_a_price_that_is_not_positive_has_no_value(instrument: Instrument) -> None:
    with pytest.raises(ValueError, match="must be positive, got 0 ticks"):
        instrument.cash_atoms(price=Ticks(0), size=Lots(3), rounded_up=True)


@pytest.mark.parametrize("instrument", [LINEAR, INVERSE], ids=["linear", "inverse"])
def test_metadata_survives_json(instrument: Instrument) -> None:
    assert Instrument.from_json(instrument.to_json()) == instrument
