"""Grids: the sets of parameters a search tries, from axes by name or from a list of sets.

A grid file is one JSON object. Either each name has an axis, and every combination is a set::

    {"gamma": [0.0001, 0.0002, 0.0004],
     "beta": {"from": 0, "to": 1, "steps": 6},
     "kappa": {"from": 1, "to": 20, "steps": 5, "scale": "log"},
     "refresh_ms": {"times": [0.5, 1, 2]}}

or the sets stand one by one: ``{"sets": [{"gamma": 0.0001, "beta": 0.1}, {"gamma": 0.0004}]}``.
``times`` multiplies what the base policy has.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from dmm.governance.policy import Policy
from dmm.simulation.experiment.blocks import SETS_MAX
from dmm.simulation.experiment.values import (
    SHORT,
    Changes,
    changed,
    changes_of,
    number,
    require_known,
    shown,
    value_in,
)
from dmm.units.errors import UsageFault

STEPS_MAX = 1_000
"""Values of one axis."""

AXES_MAX = 16
"""Axes of a grid, and parameters of a set."""

Value: TypeAlias = "int | float | str | None"

DEFAULT_GRID: Mapping[str, object] = {
    "gamma": {"times": [0.5, 1, 2]},
    "beta": {"times": [0.5, 1, 2]},
    "kappa_nano_per_bp_min": {"times": [0.5, 1, 2]},
}
"""What a search tries unless told otherwise: half and twice of γ, of β, and of the least κ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSet:
    """One set: its parameters as a reader of the result knows them, and the policy they make."""

    params: Mapping[str, Value]
    policy: Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """All sets of a search; `in_force` is the base policy's own, which is always among them.

    `axes` are the names with more than one value, in the order given, for the parameter surface;
    empty where the sets were listed one by one.
    """

    sets: tuple[GridSet, ...]
    in_force: int
    axes: tuple[str, ...] = ()


def grid_of(base: Policy, body: Mapping[str, object] | None) -> Grid:
    """Return the sets of a grid file around a base policy; without one, the base alone.

    Equal policies are one set: trying the same thing twice is no second try.

    Raises
    ------
    UsageFault
        If the file's form, a name or a value is wrong, or there are too many sets: it says which.
    """
    if body is None:
        return Grid(sets=(GridSet(params={"preset": base.preset}, policy=base),), in_force=0)
    axes: tuple[str, ...] = ()
    if "sets" in body:
        rows = _listed(body)
    else:
        rows, axes = _combined(base, body)
    names = axes or tuple(dict.fromkeys(name for row in rows for name in row))
    made: dict[Policy, GridSet] = {}
    for row in rows:
        policy = changed(base, _changes(row), what=f"grid, set {shown(dict(row))}")
        params = {name: row.get(name, value_in(base, name)) for name in names}
        made.setdefault(policy, GridSet(params=params, policy=policy))
    own = GridSet(params={name: value_in(base, name) for name in names}, policy=base)
    sets = (own, *(one for policy, one in made.items() if policy != base))
    if len(sets) > SETS_MAX:
        raise UsageFault(f"grid: {len(sets)} sets, at most {SETS_MAX}: take fewer values")
    several = tuple(name for name in axes if len({one.params[name] for one in sets}) > 1)
    return Grid(sets=sets, in_force=0, axes=several)


def _listed(body: Mapping[str, object]) -> list[Mapping[str, Value]]:
    others = sorted(set(body) - {"sets"})
    listed = body["sets"]
    if others or not isinstance(listed, list) or not listed:
        raise UsageFault(
            f"grid: sets must be a list of objects and stand alone, got {shown(others or listed)}"
        )
    rows: list[Mapping[str, Value]] = []
    for at, row in enumerate(listed):
        if not isinstance(row, dict) or not 0 < len(row) <= AXES_MAX:
            raise UsageFault(f"grid: set {at} must hold 1 to {AXES_MAX} names, got {shown(row)}")
        rows.append({name: _value(f"grid, set {at}, {name}", name, row[name]) for name in row})
    return rows


def _combined(
    base: Policy, body: Mapping[str, object]
) -> tuple[list[Mapping[str, Value]], tuple[str, ...]]:
    if not 0 < len(body) <= AXES_MAX:
        raise UsageFault(f"grid: must name 1 to {AXES_MAX} parameters, got {len(body)}")
    axes = {name: _axis(base, name, axis) for name, axis in body.items()}
    count = math.prod(len(values) for values in axes.values())
    if count > SETS_MAX:
        raise UsageFault(f"grid: {count} sets, at most {SETS_MAX}: take fewer values")
    rows: list[Mapping[str, Value]] = [
        dict(zip(axes, row, strict=True)) for row in itertools.product(*axes.values())
    ]
    return rows, tuple(axes)


def _axis(base: Policy, name: str, axis: object) -> list[Value]:
    """Return the values of an axis, each once."""
    require_known(name)
    if isinstance(axis, list):
        given: Sequence[object] = axis
    elif isinstance(axis, dict) and set(axis) == {"times"}:
        given = _multiples(base, name, axis["times"])
    elif isinstance(axis, dict):
        given = _steps(name, axis)
    else:
        given = [axis]
    if not 0 < len(given) <= STEPS_MAX:
        raise UsageFault(f"grid: {name} must have 1 to {STEPS_MAX} values, got {len(given)}")
    values = [_value(f"grid, {name}", name, value) for value in given]
    return list(dict.fromkeys(values))


def _multiples(base: Policy, name: str, factors: object) -> list[Value]:
    own = value_in(base, name)
    if not isinstance(factors, list) or not factors:
        raise UsageFault(f"grid: times of {name} must be a list of numbers, got {shown(factors)}")
    if own is None or isinstance(own, str):
        raise UsageFault(
            f"grid: {name} has no single value in the base policy to multiply: list its values"
        )
    products = [Decimal(str(own)) * number(f"grid: times of {name}", x) for x in factors]
    return [_plain(_fitted(name, product)) for product in products]


def _steps(name: str, axis: Mapping[str, object]) -> list[Value]:
    known = {"from", "to", "steps", "scale"}
    if not {"from", "to", "steps"} <= set(axis) <= known:
        raise UsageFault(
            f"grid: {name} must be values, times, or from, to and steps, got {shown(dict(axis))}"
        )
    low, high = number(f"grid: from of {name}", axis["from"]), number(f"to of {name}", axis["to"])
    steps, scale = axis["steps"], axis.get("scale", "linear")
    if type(steps) is not int or not 1 < steps <= STEPS_MAX:
        raise UsageFault(f"grid: steps of {name} must be 2 to {STEPS_MAX}, got {shown(steps)}")
    if scale not in ("linear", "log") or not low < high or (scale == "log" and low <= 0):
        raise UsageFault(
            f"grid: {name} must rise, from above 0 for a log scale, got {shown(dict(axis))}"
        )
    if scale == "log":
        ratio = math.log(high / low)
        inner = [float(low) * math.exp(ratio * at / (steps - 1)) for at in range(1, steps - 1)]
        points = [low, *(Decimal(str(x)) for x in inner), high]
    else:
        points = [low + (high - low) * at / (steps - 1) for at in range(steps)]
    return [_plain(_fitted(name, point)) for point in points]


def _fitted(name: str, point: Decimal) -> Decimal:
    """Return a computed point in whole units of the field: only given values must fit exactly."""
    scale = SHORT[name][1] if name in SHORT else 1
    return round(point * scale) / Decimal(scale)


def _plain(value: Decimal) -> Value:
    return int(value) if value == value.to_integral_value() else float(value)


def _value(what: str, name: str, value: object) -> Value:
    """Return a value as it will be shown, refused with its place if it is none."""
    try:
        changes_of(name, value)
    except UsageFault as fault:
        raise UsageFault(f"{what}: {fault}") from None
    if isinstance(value, Decimal):
        return _plain(value)
    return value if isinstance(value, int | float | str) else None


def _changes(row: Mapping[str, Value]) -> Changes:
    made: Changes = {}
    for name, value in row.items():
        changes = changes_of(name, value)
        twice = sorted(set(changes) & set(made))
        if twice:
            raise UsageFault(f"grid: {name} and another parameter both set {twice[0]}: keep one")
        made |= changes
    return made
