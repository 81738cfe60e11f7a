"""A tape put together level by level displays what a book kept message by message does."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dmm.simulation.replay.layout import (
    BUY_TRADE,
    L_NEXT,
    L_UNTIL,
    NEVER_NS,
    SHOWN_MESSAGE,
    SHOWN_SIZE,
    SNAPSHOT,
    UPDATE,
)
from dmm.simulation.replay.shown import shown_by_level

SPANS = ((0, 6), (6, 10))
"""Levels of two venues: a snapshot of one says nothing about the other."""

LEVELS = SPANS[-1][1]


@st.composite
def tapes(draw: st.DrawFn) -> list[tuple[int, int, list[tuple[int, int]]]]:
    """Return messages: kind, venue, rows of (level, size)."""
    messages = []
    for _ in range(draw(st.integers(1, 25))):
        venue = draw(st.integers(0, 1))
        kind = draw(st.sampled_from([UPDATE, UPDATE, SNAPSHOT, BUY_TRADE]))
        row = st.tuples(st.integers(SPANS[venue][0], SPANS[venue][1] - 1), st.integers(0, 3))
        messages.append((kind, venue, draw(st.lists(row, min_size=1, max_size=5))))
    return messages


@given(messages=tapes())
@settings(max_examples=150, deadline=None)
def test_every_level_shows_at_any_message_what_a_whole_book_shows(
    messages: list[tuple[int, int, list[tuple[int, int]]]],
) -> None:
    counts = np.array([len(rows) for _, _, rows in messages])
    ends = np.cumsum(counts)
    rows = np.array([row for _, _, of_one in messages for row in of_one], dtype=np.int64)
    shown, before = shown_by_level(
        np.array([kind for kind, _, _ in messages], dtype=np.int64),
        np.array([SPANS[venue] for _, venue, _ in messages], dtype=np.int64),
        (ends - counts).astype(np.int64),
        ends.astype(np.int64),
        np.ascontiguousarray(rows[:, 0]),
        np.ascontiguousarray(rows[:, 1]),
        LEVELS,
    )
    book = [0] * LEVELS
    # A level's rows end with a message that never comes.
    at = before[:, L_NEXT].tolist()
    assert shown[at, SHOWN_MESSAGE].tolist() == before[:, L_UNTIL].tolist()
    displayed = [0] * LEVELS
    for number, (kind, venue, of_one) in enumerate(messages):
        if kind == SNAPSHOT:
            book[slice(*SPANS[venue])] = [0] * (SPANS[venue][1] - SPANS[venue][0])
        if kind in (UPDATE, SNAPSHOT):
            for level, size in of_one:
                book[level] = size
        for level in range(LEVELS):
            while shown[at[level], SHOWN_MESSAGE] <= number:
                displayed[level] = int(shown[at[level], SHOWN_SIZE])
                at[level] += 1
        assert displayed == book
    assert (shown[at, SHOWN_MESSAGE] == NEVER_NS).all()


@given(messages=tapes())
@settings(max_examples=50, deadline=None)
def test_a_snapshot_tells_each_level_of_one_change_at_the_most(
    messages: list[tuple[int, int, list[tuple[int, int]]]],
) -> None:
    first = next((n for n, (kind, _, _) in enumerate(messages) if kind == SNAPSHOT), None)
    if first is None:
        return
    _, venue, rows = messages[first]
    level, size = np.array(rows, dtype=np.int64).T
    shown, before = shown_by_level(
        np.array([SNAPSHOT], dtype=np.int64),
        np.array([SPANS[venue]], dtype=np.int64),
        np.array([0], dtype=np.int64),
        np.array([len(rows)], dtype=np.int64),
        np.ascontiguousarray(level),
        np.ascontiguousarray(size),
        LEVELS,
    )
    named = set(level.tolist())
    for one, at in enumerate(before[:, L_NEXT].tolist()):
        assert (shown[at, SHOWN_MESSAGE] == 0) == (one in named)
        if one in named:
            assert shown[at, SHOWN_SIZE] == size[level == one][-1]
            assert shown[at + 1, SHOWN_MESSAGE] == NEVER_NS
