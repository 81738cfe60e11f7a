"""What goes over the line between a worker and its journal process: lengths and pickles.

Both ends are one program, joined by a socket pair that no third process can reach.
"""

from __future__ import annotations

import pickle
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from operator import attrgetter
from typing import Any, Final, TypeAlias, cast

from dmm.ledger.account import Account
from dmm.ledger.journal import Posting
from dmm.market.order import Fill
from dmm.quoting.decision import DecisionRecord

_LENGTH = struct.Struct(">I")
READ_BYTES = 1 << 16
FRAME_BYTES_MAX = 1 << 28
"""Longest frame: a slice with its samples is some megabytes."""

Frame: TypeAlias = "tuple[Kind, object]"


class Kind(Enum):
    """What a frame says; the last four come from the journal."""

    DECISIONS = 1
    FILLS = 2
    SLICE = 3
    HALT = 4
    ASK = 5
    CLOSE = 6
    WRITTEN = 7
    SWITCHES = 8
    ANSWER = 9
    FAULT = 10


WRITES = frozenset({Kind.DECISIONS, Kind.FILLS, Kind.SLICE, Kind.HALT})
"""Frames that are written in the order they came, and acknowledged one by one."""


def pack(kind: Kind, content: object) -> bytes:
    """Return a frame: four bytes of length, then kind and content."""
    body = pickle.dumps((kind.value, content), protocol=5)
    return _LENGTH.pack(len(body)) + body


def frames(line: socket.socket) -> Iterator[Frame]:
    """Yield frames until the other end is gone; half a frame at the end is dropped."""
    waiting = bytearray()
    while True:
        try:
            came = line.recv(READ_BYTES)
        except OSError:
            return
        if not came:
            return
        waiting += came
        yield from _whole(waiting)


def _whole(waiting: bytearray) -> Iterator[Frame]:
    """Take every whole frame off the front of what waits."""
    while len(waiting) >= _LENGTH.size:
        (length,) = _LENGTH.unpack_from(waiting)
        end = _LENGTH.size + length
        if len(waiting) < end:
            return
        body = bytes(waiting[_LENGTH.size : end])
        del waiting[:end]
        # Our own bytes: the line is a socket pair, and its other end is our parent or child.
        kind, content = pickle.loads(body)  # noqa: S301
        yield Kind(kind), content


Row: TypeAlias = "tuple[object, ...]"


def decision_rows(records: Iterable[DecisionRecord]) -> list[Row]:
    """Return decisions as plain rows: a tenth of the time that pickling the records takes."""
    return [_OF_DECISION(record) for record in records]


def decisions_of(rows: Sequence[Row]) -> list[DecisionRecord]:
    """Return what `decision_rows` took apart."""
    return [DecisionRecord(**_named(_DECISION, row)) for row in rows]


def fill_rows(fills: Iterable[Fill], postings: Iterable[Posting]) -> tuple[list[Row], list[Row]]:
    """Return fills and their postings as plain rows."""
    return [_OF_FILL(fill) for fill in fills], [
        (_OF_ACCOUNT(one.debit), _OF_ACCOUNT(one.credit), *_OF_POSTING(one)) for one in postings
    ]


def fills_of(rows: tuple[Sequence[Row], Sequence[Row]]) -> tuple[list[Fill], list[Posting]]:
    """Return what `fill_rows` took apart."""
    fills, postings = rows
    return [Fill(**_named(_FILL, row)) for row in fills], [
        Posting(
            debit=Account(**_named(_ACCOUNT, debit)),
            credit=Account(**_named(_ACCOUNT, credit)),
            **_named(_POSTING, rest),
        )
        for debit, credit, *rest in cast("Sequence[tuple[Any, ...]]", postings)
    ]


_DECISION: Final = tuple(DecisionRecord.__dataclass_fields__)
_FILL: Final = tuple(Fill.__dataclass_fields__)
_ACCOUNT: Final = tuple(Account.__dataclass_fields__)
_POSTING: Final = tuple(
    name for name in Posting.__dataclass_fields__ if name not in {"debit", "credit"}
)
_OF_DECISION: Final = attrgetter(*_DECISION)
_OF_FILL: Final = attrgetter(*_FILL)
_OF_ACCOUNT: Final = attrgetter(*_ACCOUNT)
_OF_POSTING: Final = attrgetter(*_POSTING)


def _named(names: tuple[str, ...], row: Sequence[object]) -> dict[str, Any]:
    return dict(zip(names, row, strict=True))
