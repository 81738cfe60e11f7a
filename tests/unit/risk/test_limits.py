"""Limits that cannot hold are refused by name and value."""

from __future__ import annotations

from typing import Any

import pytest

from dmm.risk.limits import Limits
from dmm.units.errors import UsageFault

SOUND: dict[str, Any] = {
    "inventory_hard": 100,
    "order_size_max": 10,
    "outstanding_lots_max": 30,
    "price_band_bps": 1_000,
    "drawdown_atoms_max": 7,
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("inventory_hard", 0),
        ("order_size_max", -3),
        ("outstanding_lots_max", 0),
        ("price_band_bps", -1),
        ("drawdown_atoms_max", -1),
        ("inventory_hard_long", 0),
        ("inventory_hard_short", -20),
        ("outstanding_atoms_max", 0),
        ("unknown_orders_max", -1),
        ("clock_offset_ns_max", -1),
        ("inventory_hard", float("nan")),
    ],
)
def test_a_limit_that_cannot_hold_is_refused_by_name_and_value(name: str, value: Any) -> None:
    with pytest.raises(UsageFault, match=rf"{name} .*{value}"):
        Limits(**(SOUND | {name: value}))


def test_one_hard_limit_bounds_both_sides_unless_a_side_has_its_own() -> None:
    both = Limits(**SOUND)
    assert (both.hard_long, both.hard_short) == (100, 100)
    apart = Limits(**SOUND, inventory_hard_long=40, inventory_hard_short=20)
    assert (apart.hard_long, apart.hard_short) == (40, 20)
