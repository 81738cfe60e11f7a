"""What several nodes together say: agreement, or nothing.

Nodes fail alone. One that lags, lies or sits on a minority fork must not decide about money, and a
contradiction between two that claim the same block is a reason to stop, not to vote.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

T = TypeVar("T")
H = TypeVar("H", bound=Hashable)

QUORUM = 2
"""Independent nodes that must agree before an intent ends, where that many are configured."""


def agreed(answers: Sequence[T | None], *, quorum: int) -> T | None:
    """Return what at least `quorum` nodes answer and none contradicts; None otherwise.

    Parameters
    ----------
    answers : one a node about one finalized block; None for a node that does not know the block
    quorum : >= 1
    """
    known = [answer for answer in answers if answer is not None]
    if len(known) < quorum or any(answer != known[0] for answer in known):
        return None
    return known[0]


def height_reached(heights: Sequence[int | None], *, quorum: int) -> int | None:
    """Return the highest block that `quorum` nodes call finalized, None when too few answer.

    A node that runs ahead, honestly or not, cannot raise it alone; one that lags cannot hold it
    back while enough others go on.
    """
    known = sorted((height for height in heights if height is not None), reverse=True)
    return known[quorum - 1] if len(known) >= quorum else None


def majority(blocks: Sequence[H | None], *, quorum: int) -> H | None:
    """Return the block that at least `quorum` nodes, and more than any other, have at one height.

    Nodes with another block there are on a minority fork: they are not asked about this snapshot.
    """
    counts: dict[H, int] = {}
    for block in blocks:
        if block is not None:
            counts[block] = counts.get(block, 0) + 1
    ranked = sorted(counts.values(), reverse=True)
    if not ranked or ranked[0] < quorum or (len(ranked) > 1 and ranked[1] == ranked[0]):
        return None
    return next(block for block, count in counts.items() if count == ranked[0])
