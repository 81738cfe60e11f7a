from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.market.instrument import Asset, ContractKind, FeeTier, Instrument, Side
from dmm.market.instrument_history import InstrumentHistory, reprice, resize
from dmm.units.errors import UsageFault

FIRST = Instrument(
    symbol="BTCUSDT",
    venue="binance-usdm",
    kind=ContractKind.LINEAR,
    position=Asset(symbol="BTC", decimals=8),
    cash=Asset(symbol="USDT", decimals=8),
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.001"),
    valid_from_ns=1_000,
)
SECOND = replace(FIRST, tick_size=Decimal("0.25"), lot_size=Decimal("0.002"), valid_from_ns=2_000)
HISTORY = InstrumentHistory(versions=(FIRST, SECOND))


@pytest.mark.parametrize(
    ("versions", "what"),
    [
        ((), "1 to 10000 versions, got 0"),
        ((SECOND, FIRST), "reversed: 1000 follows 2000"),
        ((FIRST, replace(SECOND, valid_from_ns=1_000)), "two versions of BTCUSDT"),
        ((FIRST, replace(SECOND, symbol="ETHUSDT")), "symbol of BTCUSDT changes"),
        ((FIRST, replace(SECOND, cash=Asset(symbol="USDC", decimals=8))), "cash of BTCUSDT"),
    ],
)
def test_versions_that_overlap_run_back_or_are_of_another_instrument_are_refused(
    versions: tuple[Instrument, ...], what: str
) -> None:
    with pytest.raises(UsageFault, match=what):
        InstrumentHistory(versions=versions)


def test_a_version_holds_from_its_instant_until_the_next_begins() -> None:
    assert [HISTORY.at(at_ns) for at_ns in (1_000, 1_999, 2_000, 9_999)] == [
        FIRST,
        FIRST,
        SECOND,
        SECOND,
    ]
    with pytest.raises(UsageFault, match="no metadata at 999: its first version is valid from"):
        HISTORY.at(999)


def test_changes_are_told_in_the_interval_after_and_until() -> None:
    assert HISTORY.changes(after_ns=1_000, until_ns=2_000) == (SECOND,)
    assert HISTORY.changes(after_ns=2_000, until_ns=9_000) == ()


def test_a_history_grows_at_its_end_only() -> None:
    third = replace(SECOND, tick_size=Decimal("0.5"), valid_from_ns=3_000)
    assert HISTORY.extended(third).at(3_000) == third
    with pytest.raises(UsageFault, match="reversed"):
        HISTORY.extended(replace(third, valid_from_ns=1_500))


def test_a_history_survives_its_json() -> None:
    tiered = replace(
        SECOND,
        min_notional=Decimal(5),
        fee_tier=FeeTier(name="VIP 3", maker_ppm=-20, taker_ppm=320),
        valid_from_ns=3_000,
    )
    history = HISTORY.extended(tiered)
    bodies = history.to_json()
    assert InstrumentHistory.from_json(bodies) == history  # type: ignore[arg-type]


def test_what_is_left_at_its_default_is_left_out_of_the_json() -> None:
    # Journals written before the fields existed hold the same bytes.
    assert not {"min_notional", "fee_tier"} & set(FIRST.to_json())


@pytest.mark.parametrize("ppm", [1_000_000, -1_000_000])
def test_a_fee_of_the_whole_notional_is_refused(ppm: int) -> None:
    with pytest.raises(ValueError, match="taker_ppm of fee tier odd"):
        FeeTier(name="odd", maker_ppm=0, taker_ppm=ppm)


def test_a_negative_minimum_is_refused() -> None:
    with pytest.raises(ValueError, match="min_notional of BTCUSDT"):
        replace(FIRST, min_notional=Decimal(-1))


def test_quotes_are_rounded_away_from_the_market_and_sizes_down() -> None:
    # 1003 ticks of 0.1 are 100.3, between 401 and 402 ticks of 0.25; the lot doubles.
    assert reprice(1_003, side=Side.BUY, before=FIRST, after=SECOND) == 401
    assert reprice(1_003, side=Side.SELL, before=FIRST, after=SECOND) == 402
    assert resize(7, before=FIRST, after=SECOND) == 3


@given(
    price=st.integers(1, 10**9),
    size=st.integers(0, 10**9),
    ticks=st.tuples(st.integers(1, 500), st.integers(1, 500)),
)
def test_rounding_anew_never_worsens_a_price_for_us_nor_grows_a_size(
    price: int, size: int, ticks: tuple[int, int]
) -> None:
    before = replace(FIRST, tick_size=Decimal(ticks[0]) / 1_000, lot_size=Decimal(ticks[0]))
    after = replace(FIRST, tick_size=Decimal(ticks[1]) / 1_000, lot_size=Decimal(ticks[1]))
    was = price * Fraction(before.tick_size)
    bid = reprice(price, side=Side.BUY, before=before, after=after) * Fraction(after.tick_size)
    ask = reprice(price, side=Side.SELL, before=before, after=after) * Fraction(after.tick_size)
    assert was - Fraction(after.tick_size) < bid <= was <= ask < was + Fraction(after.tick_size)
    assert 0 <= resize(size, before=before, after=after) * ticks[1] <= size * ticks[0]
