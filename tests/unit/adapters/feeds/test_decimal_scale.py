from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.adapters.feeds import scale
from dmm.adapters.feeds.scale import OffGrid, Scale, common_step, power_of_ten_below


def price_scale(step: str) -> Scale:
    return Scale(what="price", step=Decimal(step), positive=True)


@pytest.mark.parametrize(
    "text",
    ["", ".", "1.", ".5", "-1.0", "+1", "1e3", "1_0", "١", "NaN", "0x1", " 1", "1.2.3", None],
)
def test_what_is_no_plain_decimal_is_refused_by_name(text: str) -> None:
    with pytest.raises(OffGrid, match=r"price .* is no decimal number"):
        price_scale("0.1")[text]


def test_a_number_of_endless_digits_is_refused() -> None:
    with pytest.raises(OffGrid, match="is no decimal number"):
        price_scale("0.1")["0." + "1" * 60]


@pytest.mark.parametrize(("text", "step"), [("618.05", "0.1"), ("7.3", "0.5"), ("3", "2")])
def test_a_number_off_the_grid_names_itself_and_the_step(text: str, step: str) -> None:
    with pytest.raises(OffGrid, match=f"price {text} is no multiple of {step}: .*--tick-size"):
        price_scale(step)[text]


def test_a_price_of_zero_is_refused_but_a_size_of_zero_is_not() -> None:
    with pytest.raises(OffGrid, match=r"price 0\.00 is not positive"):
        price_scale("0.1")["0.00"]
    assert Scale(what="size", step=Decimal("0.001"), positive=False)["0.000"] == 0


def test_trailing_zeros_do_not_change_a_number() -> None:
    prices = price_scale("0.1")
    assert prices["61800.2"] == prices["61800.20"] == prices["61800.20000000"] == 618_002


def test_a_step_that_is_no_power_of_ten_counts_its_multiples() -> None:
    assert price_scale("0.25")["10.75"] == 43
    assert price_scale("20")["1240"] == 62


def test_the_memory_starts_over_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "MEMO_MAX", 3)
    prices = price_scale("0.1")
    for tenths in range(1, 20):
        assert prices[f"0.{tenths}" if tenths < 10 else f"1.{tenths - 10}"] == tenths
        assert len(prices) <= 3


@given(st.integers(1, 10**9), st.integers(1, 999), st.integers(0, 8))
def test_every_multiple_of_a_step_comes_back_exactly(
    multiple: int, units: int, decimals: int
) -> None:
    step = Decimal(units).scaleb(-decimals)
    text = f"{multiple * step:f}"
    assert price_scale(str(step))[text] == multiple


def test_the_common_step_divides_every_number() -> None:
    assert common_step(["1.50", "2.25", "10"], what="price") == Decimal("0.25")
    assert common_step(["0.0", "0"], what="size") is None
    assert common_step([], what="size") is None


@pytest.mark.parametrize(("step", "power"), [("0.25", "0.01"), ("4", "1"), ("300", "100")])
def test_a_lot_is_the_power_of_ten_that_divides_the_common_step(step: str, power: str) -> None:
    assert power_of_ten_below(Decimal(step)) == Decimal(power)
