"""What several nodes together say: agreement, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.settlement.quorum import agreed, height_reached, majority


@pytest.mark.parametrize(
    ("answers", "quorum", "found"),
    [
        (["paid"], 1, "paid"),
        (["paid"], 2, None),
        (["paid", "paid"], 2, "paid"),
        (["paid", None, "paid"], 2, "paid"),
        (["paid", "paid", "unpaid"], 2, None),
        ([None, None], 1, None),
        ([], 1, None),
    ],
)
def test_an_answer_needs_a_quorum_and_no_contradiction(
    answers: list[str | None], quorum: int, found: str | None
) -> None:
    assert agreed(answers, quorum=quorum) == found


@pytest.mark.parametrize(
    ("heights", "quorum", "found"),
    [
        ([90], 1, 90),
        ([90, 97], 2, 90),
        ([90, 97, 10**9], 2, 97),
        ([90, None, 97], 2, 90),
        ([None, 97], 2, None),
        ([3, 97, 98], 2, 97),
    ],
)
def test_a_height_is_final_when_a_quorum_calls_it_so(
    heights: list[int | None], quorum: int, found: int | None
) -> None:
    assert height_reached(heights, quorum=quorum) == found


@pytest.mark.parametrize(
    ("blocks", "quorum", "found"),
    [
        (["a", "a", "b"], 2, "a"),
        (["a", "b", "b"], 2, "b"),
        (["a", "b"], 1, None),
        (["a", "b"], 2, None),
        (["a", None, None], 2, None),
        ([None], 1, None),
    ],
)
def test_a_minority_fork_is_left_out_and_a_tie_is_nobody_s(
    blocks: list[str | None], quorum: int, found: str | None
) -> None:
    assert majority(blocks, quorum=quorum) == found


@given(
    honest=st.integers(2, 5),
    lies=st.lists(st.integers(0, 10**6), max_size=1),
    at=st.integers(1, 99),
)
def test_one_node_alone_never_moves_the_finalized_height_up(
    honest: int, lies: list[int], at: int
) -> None:
    found = height_reached([at] * honest + lies, quorum=2)
    assert found is not None
    assert found <= at
