"""Looks through the memory and environment of a process for a secret, in every usual spelling."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
CHUNK_BYTES = 8 * 1024 * 1024
SPECIAL = ("[vvar]", "[vvar_vclock]", "[vsyscall]", "[vdso]")


def spellings(secret: bytes) -> dict[str, bytes]:
    """Return how a secret may lie in memory or an environment."""
    return {
        "raw": secret,
        "hex": secret.hex().encode(),
        "HEX": secret.hex().upper().encode(),
        "base58": base58(secret).encode(),
        "base64": base64.b64encode(secret).rstrip(b"="),
        "base64url": base64.urlsafe_b64encode(secret).rstrip(b"="),
    }


def base58(data: bytes) -> str:
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def found_in(pid: int, secrets: Mapping[str, bytes]) -> set[str]:
    """Return ``name:spelling`` of each secret that a process holds.

    Raises
    ------
    PermissionError
        If tracing is forbidden.
    """
    needles = {
        f"{name}:{spelling}": needle
        for name, secret in secrets.items()
        for spelling, needle in spellings(secret).items()
    }
    overlap = max(len(needle) for needle in needles.values()) - 1
    found: set[str] = set()
    for chunk in _chunks(pid, overlap):
        found |= {name for name, needle in needles.items() if needle in chunk}
    return found


def _chunks(pid: int, overlap: int) -> Iterator[bytes]:
    folder = Path("/proc") / str(pid)
    yield (folder / "environ").read_bytes()
    yield (folder / "cmdline").read_bytes()
    with (folder / "mem").open("rb", buffering=0) as memory:
        for line in (folder / "maps").read_text().splitlines():
            start, end = _written(line)
            tail = b""
            while start < end:
                try:
                    memory.seek(start)
                    part = memory.read(min(CHUNK_BYTES, end - start))
                except (OSError, ValueError, OverflowError):
                    # Given back, or a device's, since the list was read.
                    break
                if not part:
                    break
                yield tail + part
                tail = part[-overlap:]
                start += len(part)


def _written(line: str) -> tuple[int, int]:
    """Return a region's bounds; (0, 0) for the unreadable and for files as they lie on disk."""
    words = line.split(maxsplit=5)
    path = words[5] if len(words) == 6 else ""
    is_file_as_it_is = words[4] != "0" and "w" not in words[1]
    if "r" not in words[1] or path in SPECIAL or is_file_as_it_is:
        return 0, 0
    start, _, end = words[0].partition("-")
    return int(start, 16), int(end, 16)


def descendants(pid: int) -> dict[int, str]:
    """Return the command lines of all living descendants of a process, by pid."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(
                    (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                )
            except OSError:
                continue
    wanted, lines = {pid}, {}
    for _ in range(len(parents)):
        more = {child for child, parent in parents.items() if parent in wanted} - wanted
        if not more:
            break
        wanted |= more
    for child in wanted - {pid}:
        try:
            text = (Path("/proc") / str(child) / "cmdline").read_bytes()
        except OSError:
            continue
        if text:
            lines[child] = text.replace(b"\0", b" ").decode(errors="replace")
    return lines
