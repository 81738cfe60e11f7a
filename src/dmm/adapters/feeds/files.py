"""Bytes of recordings, a bounded piece at a time: lines of a gzip, elements of a JSON array."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path

from dmm.adapters.feeds.findings import Findings
from dmm.units.errors import UsageFault

READ_BYTES = 1 << 16
PIECE_BYTES_MAX = 1 << 20
"""Most bytes unpacked at once, however well a file is compressed."""

LINE_BYTES_MAX = 16 << 20
"""Longest line or element; a snapshot of 1,000 levels a side has about 60 kB."""

GZIP_MAGIC = b"\x1f\x8b"


def read_pieces(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes in pieces of at most `READ_BYTES`.

    Raises
    ------
    UsageFault
        If the file is missing, a directory, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            while piece := file.read(READ_BYTES):
                yield piece
    except FileNotFoundError:
        raise UsageFault(f"no file {path}: check the path of the tape") from None
    except IsADirectoryError:
        raise UsageFault(f"{path} is a directory: name the tape's files") from None
    except OSError as error:
        raise UsageFault(f"cannot read {path}: {error.strerror or error}") from error


def digest(path: Path) -> bytes:
    """Return SHA-256 of a file's bytes; `UsageFault` if it cannot be read."""
    whole = hashlib.sha256()
    for piece in read_pieces(path):
        whole.update(piece)
    return whole.digest()


def gzip_lines(path: Path, findings: Findings) -> Iterator[list[bytes]]:
    """Yield the complete lines of a gzip, in lists; empty lines are left out.

    A file that ends too early is a truncated line in `findings`: a fault, or counted and read up to
    its last complete line.

    Raises
    ------
    TapeFault
        If the file is no gzip, is damaged, or holds a line beyond `LINE_BYTES_MAX`.
    UsageFault
        If it cannot be read.
    """
    rest = b""
    for piece in _unpacked(path, findings):
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        if len(rest) > LINE_BYTES_MAX:
            raise findings.fault(f"a line is longer than {LINE_BYTES_MAX} bytes: not a recording")
        yield [line for line in lines if line]
    if rest and not findings.cut_short:
        yield [rest]


def _unpacked(path: Path, findings: Findings) -> Iterator[bytes]:
    unpack = zlib.decompressobj(wbits=31)
    started = False
    try:
        for piece in read_pieces(path):
            if not started and not piece.startswith(GZIP_MAGIC):
                raise findings.fault("not a gzip file: give the recording as it was downloaded")
            started = True
            packed = piece
            while packed:
                if unpack.eof:  # a gzip may hold several members, one after the other
                    unpack = zlib.decompressobj(wbits=31)
                yield unpack.decompress(packed, PIECE_BYTES_MAX)
                packed = unpack.unconsumed_tail or unpack.unused_data
        if started and not unpack.eof:
            yield unpack.flush()
    except zlib.error as error:
        raise findings.fault(f"damaged gzip ({error}): fetch the file again") from error
    if not started:
        raise findings.fault("the file is empty: fetch it again")
    if not unpack.eof:
        findings.cut_short = True
        findings.meet("truncated_lines", "the gzip ends too early: fetch the file again")


def array_elements(path: Path, findings: Findings) -> Iterator[bytes]:
    """Yield the elements of a JSON array of flat objects, as text.

    Objects may hold arrays but no objects and no braces in strings, as Binance writes them: an
    element ends at its first closing brace.

    Raises
    ------
    TapeFault
        If the file is no such array or an element is beyond `LINE_BYTES_MAX`; if it ends too early,
        unless gaps are allowed.
    UsageFault
        If it cannot be read.
    """
    rest = b""
    started = False
    for piece in read_pieces(path):
        if not started and not piece.lstrip().startswith(b"["):
            raise findings.fault("not a JSON array: give the file as it was downloaded")
        rest += piece if started else piece.lstrip()[1:]
        started = True
        parts = rest.split(b"}")
        rest = parts.pop()
        if len(rest) > LINE_BYTES_MAX:
            raise findings.fault(f"an element is longer than {LINE_BYTES_MAX} bytes")
        for part in parts:
            yield part.lstrip(b", \r\n\t") + b"}"
    if not started:
        raise findings.fault("the file is empty: fetch it again")
    if rest.strip() != b"]":
        findings.cut_short = True
        findings.meet("truncated_lines", "the array ends too early: fetch the file again")


def read_whole(path: Path, findings: Findings) -> bytes:
    """Return a small file's bytes.

    Raises
    ------
    TapeFault
        If it is longer than `LINE_BYTES_MAX`.
    UsageFault
        If it cannot be read.
    """
    body = bytearray()
    for piece in read_pieces(path):
        body += piece
        if len(body) > LINE_BYTES_MAX:
            raise findings.fault(f"longer than {LINE_BYTES_MAX} bytes: not a snapshot")
    return bytes(body)


def name_of(path: Path) -> str:
    """Return how faults name a file."""
    return path.name or str(path)
