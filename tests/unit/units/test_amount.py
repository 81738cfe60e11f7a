from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.units.amount import ceil_div, floor_div, format_atoms
from dmm.units.price import price_ceil, price_floor
from dmm.units.time import NS_PER_S, WEEK_OFFSET_NS, epoch_of

WHOLE = st.integers(min_value=-(10**40), max_value=10**40)
POSITIVE = st.integers(min_value=1, max_value=10**40)


@given(WHOLE, POSITIVE)
def test_floor_and_ceiling_bracket_the_exact_quotient(numerator: int, denominator: int) -> None:
    low, high = floor_div(numerator, denominator), ceil_div(numerator, denominator)
    assert low * denominator <= numerator <= high * denominator
    assert high - low == (0 if numerator % denominator == 0 else 1)


@pytest.mark.parametrize("divide", [floor_div, ceil_div])
@pytest.mark.parametrize("denominator", [0, -3])
def test_a_denominator_that_is_not_positive_is_refused(divide: object, denominator: int) -> None:
    with pytest.raises(ValueError, match=str(denominator)):
        divide(7, denominator)  # type: ignore[operator]


@given(st.floats(min_value=-1e9, max_value=1e9))
def test_a_bid_is_never_rounded_up_and_an_ask_never_down(price: float) -> None:
    assert price_floor(price) <= price <= price_ceil(price)


def test_weekly_epochs_begin_on_monday_at_midnight_utc() -> None:
    week_ns = 7 * 86_400 * NS_PER_S
    monday_ns = 1_704_067_200 * NS_PER_S  # 2024-01-01 00:00 UTC was a Monday
    before = epoch_of(monday_ns - 1, length_ns=week_ns, offset_ns=WEEK_OFFSET_NS)
    assert epoch_of(monday_ns, length_ns=week_ns, offset_ns=WEEK_OFFSET_NS) == before + 1


@given(WHOLE, st.integers(min_value=0, max_value=30))
def test_formatted_atoms_read_back_exactly(atoms: int, decimals: int) -> None:
    text = format_atoms(atoms, decimals=decimals)
    # Not through Decimal arithmetic: its default context rounds at 28 digits.
    whole, _, digits = text.lstrip("-").partition(".")
    read = int(whole) * 10**decimals + int(digits.ljust(decimals, "0") or "0")
    assert (-read if text.startswith("-") else read) == atoms
    assert Decimal(text).is_finite()
