"""JSON from outside, bounded before it is parsed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.units.json_text import nesting, parse_json

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


@pytest.fixture
def no_recursion_limit() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("no_recursion_limit")
@pytest.mark.parametrize(
    "text",
    [
        b"[" * 1_000_000,
        b'{"a":' * 1_000_000,
        b'["]",' * 1_000_000,
        b'["\\"]",' * 1_000_000,
        b'"]]]"' + b"[" * 1_000_000,
        b"[" * 1_000_000 + b'"',
    ],
)
def test_a_text_that_nests_too_deep_is_refused_before_it_is_parsed(text: bytes) -> None:
    with pytest.raises(ValueError, match="nested deeper than 32"):
        parse_json(text)


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return 1 + max((depth_of(item) for item in value), default=0)
    return 0


@given(TREES)
def test_nesting_is_that_of_the_value_whatever_its_texts_hold(value: object) -> None:
    for is_ascii in (True, False):
        text = json.dumps(value, ensure_ascii=is_ascii)
        assert nesting(text.encode()) == depth_of(value)
        assert parse_json(text, depth_max=99) == value


@given(TREES, st.integers(0, 3))
def test_exactly_what_nests_deeper_is_refused(value: object, depth_max: int) -> None:
    text = json.dumps(value)
    if depth_of(value) <= depth_max:
        assert parse_json(text, depth_max=depth_max) == value
    else:
        with pytest.raises(ValueError, match=f"nested deeper than {depth_max}"):
            parse_json(text, depth_max=depth_max)


def test_what_is_no_json_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        parse_json(b"[1,")


def test_numbers_that_are_no_integers_go_through_the_callers_reader() -> None:
    read = parse_json("[1.5, NaN, 2]", parse_float=lambda text: f"<{text}>")
    assert read == ["<1.5>", "<NaN>", 2]
