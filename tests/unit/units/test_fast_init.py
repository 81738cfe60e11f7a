"""A frozen dataclass with the faster `__init__` is the same class in everything else."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from dmm.units.fast_init import fast_init


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A price with a size."""

    price: int
    size: int = 3

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError(f"size must not be negative, got {self.size}")


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Named(Level):
    """A level with a name."""

    name: str


def test_it_is_made_compared_copied_and_shown_as_before() -> None:
    level = Level(price=7)
    assert (level.price, level.size, type(level)) == (7, 3, Level)
    assert level == Level(price=7, size=3) != Level(price=8)
    assert hash(level) == hash(copy.deepcopy(level))
    assert pickle.loads(pickle.dumps(level)) == level  # noqa: S301 - our own bytes
    assert replace(level, size=9) == Level(price=7, size=9)
    assert repr(level) == "Level(price=7, size=3)"


def test_it_is_frozen_from_its_making_on() -> None:
    level = Level(price=7)
    with pytest.raises(FrozenInstanceError):
        level.price = 8  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del level.price
    with pytest.raises(AttributeError):
        object.__setattr__(level, "other", 1)


def test_a_value_that_its_own_check_refuses_is_refused() -> None:
    with pytest.raises(ValueError, match="negative, got -1"):
        Level(price=7, size=-1)


def test_arguments_are_by_name_complete_and_known() -> None:
    with pytest.raises(TypeError, match="positional"):
        Level(7)  # type: ignore[misc]
    with pytest.raises(TypeError, match="price"):
        Level()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="depth"):
        Level(price=7, depth=1)  # type: ignore[call-arg]


def test_a_subclass_is_made_with_the_fields_of_both() -> None:
    named = Named(price=7, name="touch")
    assert (named.price, named.size, named.name, type(named)) == (7, 3, "touch", Named)


def test_other_classes_are_refused_by_name() -> None:
    @dataclass(slots=True, kw_only=True)
    class Open:
        price: int

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Made:
        prices: list[int] = field(default_factory=list)

    with pytest.raises(TypeError, match="Open is no frozen dataclass with slots"):
        fast_init(Open)
    with pytest.raises(TypeError, match="prices is no plain keyword field"):
        fast_init(Made)
