from __future__ import annotations

from fractions import Fraction

from dmm.risk.concentration import concentration


def test_nothing_held_is_concentrated_nowhere() -> None:
    assert concentration({}) is None
    assert concentration({"a": 0, "b": 0}) is None


def test_shares_of_six_three_and_one_make_forty_six_percent() -> None:
    found = concentration({"a": 600, "b": -300, "c": 100, "d": 0})
    assert found is not None
    assert found.hhi == Fraction(46, 100)
    assert (found.largest, found.largest_share_bps) == ("a", 6_000)


def test_of_equals_the_first_by_name_is_named() -> None:
    found = concentration({"z": -5, "m": 5})
    assert found is not None
    assert (found.largest, found.hhi) == ("m", Fraction(1, 2))


def test_figures_are_rounded_up_so_that_a_limit_is_never_passed_unseen() -> None:
    found = concentration({"a": 1, "b": 1, "c": 1})
    assert found is not None
    assert (found.hhi_ppm, found.largest_share_bps) == (333_334, 3_334)
