"""What may stand in a policy, and what is refused by field and value."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from trading_values import policy

from dmm.governance.policy import POLICY_BYTES_MAX, Policy
from dmm.governance.policy_rules import RANGES, policy_of, validated
from dmm.governance.proposal import read_order
from dmm.units.errors import Permanent

TEXTS = {"preset", "model", "fair_value", "skew"}


def test_every_field_has_a_range_and_every_range_a_field() -> None:
    assert set(RANGES) | TEXTS == set(Policy.__dataclass_fields__)


@pytest.mark.parametrize("name", sorted(RANGES))
@pytest.mark.parametrize("value", [math.nan, 0.5, True, "7", None, -1, 10**40])
def test_what_is_no_integer_in_its_range_is_refused_by_name_and_value(
    name: str, value: Any
) -> None:
    with pytest.raises(Permanent, match=name) as refused:
        validated(replace(policy(), **{name: value}))
    assert repr(value) in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"kappa_nano_per_bp_min": 60_000_000_000}, "at most kappa_nano_per_bp_max = 50000000000"),
        ({"sigma_ubps_1s_min": 10_954_452}, "at most sigma_ubps_1s_max = 10954451"),
        ({"inventory_soft_lots": 101}, "at most inventory_hard_lots = 100"),
        ({"inventory_soft_short_bps": 20_001}, "soft_short_lots is 100, must be at most"),
        ({"float_soft_bps": 700}, "at most float_hard_bps = 600"),
        ({"quote_size_lots": 101}, "quote_size_lots is 101, must be at most"),
        ({"floor_gas_ubps": 2, "spread_floor_ubps": 2}, "at most floor_gas_ubps_max = 0"),
        ({"floor_fee_ubps": 200_001}, "spread_floor_ubps is 200000, must be at least"),
        ({"tier_inner_bps": 2_600}, "is 10100, must be 10000"),
        ({"fair_value": "blend", "fair_mid_bps": 0}, "all weights of its blend are 0"),
        ({"model": "as2009"}, "one of as2008, glft"),
        ({"fair_value": ""}, "one of mid"),
        ({"skew": 3}, "one of linear"),
        ({"preset": ""}, "preset must be a name"),
        ({"horizon_s": 0}, "horizon_s is 0, must be an integer from 1"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused_by_name(
    changes: dict[str, Any], what: str
) -> None:
    if "inventory_soft_short_bps" in changes:
        changes = changes | {"inventory_hard_short_bps": 9_900}
    with pytest.raises(Permanent, match=what):
        validated(replace(policy(), **changes))


@pytest.mark.parametrize(
    "changes",
    [
        # κ = 1 per unit of a price near 1 is κ = 0.0001 per basis point: 1/κ is the whole price.
        {"kappa_nano_per_bp_min": 100_000},
        # γ = 0.1 per unit of price, written as if a basis point were the price.
        {"gamma_nano_per_bp": 100_000_000_000, "sigma_ubps_1s_max": 50_000_000},
    ],
)
def test_risk_aversion_and_decay_in_the_wrong_unit_are_refused_by_name(
    changes: dict[str, int],
) -> None:
    with pytest.raises(Permanent, match="per basis point of mid, not per unit of price"):
        validated(replace(policy(), **changes))


def test_the_biggest_policy_still_fits_its_bytes_and_a_long_name_does_not() -> None:
    widest = Policy(preset="x" * 64, **{name: high for name, (_, high) in RANGES.items()})
    assert len(widest.canonical_bytes) <= POLICY_BYTES_MAX
    with pytest.raises(Permanent, match="shorter name"):
        validated(replace(policy(), preset="x" * POLICY_BYTES_MAX))


def test_a_signed_policy_reads_back_as_it_was_with_its_names() -> None:
    signed = replace(policy(), model="glft", fair_value="blend", skew="tanh", float_lots=9_000)
    assert read_order(family="policy", body=signed.canonical_bytes) == signed
    with pytest.raises(Permanent, match="policy fields differ"):
        policy_of({name: value for name, value in signed.body.items() if name != "guard_bps"})


def test_each_side_has_its_own_limits() -> None:
    lopsided = replace(policy(), inventory_soft_short_bps=4_000, inventory_hard_short_bps=2_500)
    assert (lopsided.soft_long_lots, lopsided.hard_long_lots) == (50, 100)
    assert (lopsided.soft_short_lots, lopsided.hard_short_lots) == (20, 25)


def test_no_limit_exceeds_its_share_of_the_circulating_float() -> None:
    governed = replace(policy(), float_lots=1_000)
    assert (governed.soft_long_lots, governed.hard_long_lots) == (40, 60)
    assert (governed.soft_short_lots, governed.hard_short_lots) == (40, 60)
    wide = replace(policy(), float_lots=100_000)
    assert (wide.soft_long_lots, wide.hard_long_lots) == (50, 100)
