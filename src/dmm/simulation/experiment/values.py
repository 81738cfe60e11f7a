"""Numbers as people write them in a parameter file, read into the whole numbers of a policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Final, TypeAlias

from dmm.governance.policy import BP_UBPS, PER_BP_NANO, Policy
from dmm.governance.policy_rules import RANGES, validated
from dmm.units.errors import Permanent, UsageFault

Change: TypeAlias = "int | str"
"""A value of a policy's field."""

Changes: TypeAlias = dict[str, Change]
"""Fields of a policy and what they become."""

SHORT: Final[Mapping[str, tuple[tuple[str, ...], int]]] = {
    "gamma": (("gamma_nano_per_bp",), PER_BP_NANO),
    "beta": (("skew_beta_ubps",), BP_UBPS),
    "kappa": (("kappa_nano_per_bp_min", "kappa_nano_per_bp_max"), PER_BP_NANO),
}
"""Names from the literature: the fields behind them, and what one is in their scale.

γ and κ are per basis point of the mid, β in basis points. A given κ closes its band: the desk then
quotes with it whatever it measures.
"""

TEXTS: Final = ("model", "fair_value", "skew")
"""Fields whose value is a name."""

SHOWN_MAX = 80
"""Longest value repeated in a refusal."""


def shown(value: object) -> str:
    """Return a value for a line of text, cut where it is long."""
    text = repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"


def number(name: str, value: object) -> Decimal:
    """Return a number given as one.

    Raises
    ------
    UsageFault
        If it is no finite number; the text names it and what it belongs to.
    """
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        try:
            found = Decimal(str(value))
        except InvalidOperation:
            found = Decimal("NaN")
        if found.is_finite():
            return found
    raise UsageFault(f"{name} must be a finite number, got {shown(value)}")


def scaled(name: str, value: object, *, scale: int, low: int = 0, high: int = 2**62) -> int:
    """Return a number in a finer unit, exactly.

    Parameters
    ----------
    scale : how many of the finer unit one is, > 0
    low, high : what is allowed, in the finer unit

    Raises
    ------
    UsageFault
        If it is no number, too fine for the unit, or out of bounds.
    """
    whole = number(name, value) * scale
    if whole != whole.to_integral_value():
        raise UsageFault(f"{name} is {shown(value)}, finer than 1/{scale}: round it")
    if not low <= whole <= high:
        raise UsageFault(
            f"{name} is {shown(value)}, must lie between {Decimal(low) / scale} and "
            f"{Decimal(high) / scale}"
        )
    return int(whole)


def changes_of(name: str, value: object) -> Changes:
    """Return what a parameter of a file changes in a policy.

    Raises
    ------
    UsageFault
        If a policy has no such field, or the value is none for it.
    """
    if name in SHORT:
        fields, scale = SHORT[name]
        return dict.fromkeys(
            fields, scaled(name, value, scale=scale, low=1 if scale > BP_UBPS else 0)
        )
    if name in TEXTS:
        if not isinstance(value, str):
            raise UsageFault(f"{name} must be a name, got {shown(value)}")
        return {name: value}
    require_known(name)
    low, high = RANGES[name]
    return {name: scaled(name, value, scale=1, low=low, high=high)}


def require_known(name: str) -> None:
    """Refuse what is no parameter of a policy.

    Raises
    ------
    UsageFault
        With the name.
    """
    if name not in SHORT and name not in TEXTS and name not in RANGES:
        raise UsageFault(
            f"a policy has no {shown(name)}: give gamma, beta, kappa or a field of it, such as "
            "refresh_ms or inventory_soft_lots"
        )


def value_in(policy: Policy, name: str) -> int | float | str | None:
    """Return a parameter's value in a policy as a file would have it; None for an open κ band.

    Parameters
    ----------
    name : one that `changes_of` takes
    """
    if name not in SHORT:
        value: int | str = getattr(policy, name)
        return value
    fields, scale = SHORT[name]
    values = {int(getattr(policy, field)) for field in fields}
    return float(Decimal(values.pop()) / scale) if len(values) == 1 else None


def changed(policy: Policy, changes: Mapping[str, Change], *, what: str) -> Policy:
    """Return the policy with fields changed, if it is sound.

    Parameters
    ----------
    what : the parameters as the file has them, for the refusal

    Raises
    ------
    UsageFault
        If the policy would not be sound; the text names the field and its value.
    """
    try:
        return validated(replace(policy, **changes))  # type: ignore[arg-type]
    except UsageFault:
        raise
    except Permanent as fault:
        raise UsageFault(f"{what}: {fault}") from None
