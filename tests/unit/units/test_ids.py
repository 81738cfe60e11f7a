from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.units.ids import ZERO_HASH, canonical_json, content_id, hash_link

PART = st.one_of(st.text(max_size=8), st.integers(), st.binary(max_size=8))


@given(st.lists(PART, max_size=4), st.lists(PART, max_size=4))
def test_two_lists_of_parts_share_an_id_only_when_they_are_equal(
    left: list[str | int | bytes], right: list[str | int | bytes]
) -> None:
    def typed(parts: list[str | int | bytes]) -> list[tuple[type, object]]:
        return [(type(part), part) for part in parts]

    same = content_id("t", *left) == content_id("t", *right)
    assert same == (typed(left) == typed(right))


def test_moving_a_character_between_parts_changes_the_id() -> None:
    assert content_id("t", "ab", "c") != content_id("t", "a", "bc")


def test_the_bytes_under_an_id_are_length_prefixed_and_typed() -> None:
    body = b"s" + (1).to_bytes(8, "big") + b"t" + b"i" + (2).to_bytes(8, "big") + b"42"
    assert content_id("t", 42) == hashlib.sha256(body).digest()


def test_canonical_json_sorts_keys_and_leaves_no_space() -> None:
    assert canonical_json({"b": [1, "é"], "a": None}) == '{"a":null,"b":[1,"é"]}'.encode()


@pytest.mark.parametrize("value", [1.5, {"a": [2.5]}, [{"b": float("nan")}]])
def test_canonical_json_refuses_a_float_at_any_depth(value: object) -> None:
    with pytest.raises(TypeError, match="no floats"):
        canonical_json(value)  # type: ignore[arg-type]


def test_a_changed_body_changes_every_later_link() -> None:
    honest = hash_link(hash_link(ZERO_HASH, b"one"), b"two")
    forged = hash_link(hash_link(ZERO_HASH, b"One"), b"two")
    assert honest != forged
