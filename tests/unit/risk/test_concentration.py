from __future__ import annotations

from fractions import Fraction

import pytest

from dmm.risk.concentration import concentration, is_too_concentrated
from dmm.units.errors import UsageFault


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
    assert is_too_concentrated(found, hhi_ppm_max=333_333, largest_share_bps_max=10_000)
    assert is_too_concentrated(found, hhi_ppm_max=1_000_000, largest_share_bps_max=3_333)
    assert not is_too_concentrated(found, hhi_ppm_max=333_334, largest_share_bps_max=3_334)


@pytest.mark.parametrize(("ppm", "bps"), [(0, 5), (1_000_001, 5), (5, 0), (5, 10_001)])
def test_limits_that_cannot_hold_are_refused(ppm: int, bps: int) -> None:
    found = concentration({"a": 1})
    assert found is not None
    with pytest.raises(UsageFault, match=f"got {ppm} and {bps}"):
        is_too_concentrated(found, hhi_ppm_max=ppm, largest_share_bps_max=bps)
