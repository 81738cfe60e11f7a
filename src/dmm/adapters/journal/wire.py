"""What goes over the line between a worker and its journal process: lengths and pickles.

Both ends are one program, joined by a socket pair that no third process can reach.
"""

from __future__ import annotations

import pickle
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import TypeAlias

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


def rows_of(records: Iterable[DecisionRecord]) -> list[tuple[object, ...]]:
    """Return decisions as plain rows: a tenth of the time that pickling the records takes."""
    return [
        (
            record.run_id,
            record.seq,
            record.epoch,
            record.decided_at_ns,
            record.body,
            record.previous_hash,
            record.link_hash,
        )
        for record in records
    ]


def records_of(rows: Sequence[tuple[object, ...]]) -> list[DecisionRecord]:
    """Return what `rows_of` took apart."""
    names = tuple(DecisionRecord.__dataclass_fields__)
    return [DecisionRecord(**dict(zip(names, row, strict=True))) for row in rows]  # type: ignore[arg-type]
