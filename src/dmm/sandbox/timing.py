"""Where the seconds of a session go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def timed(timings: dict[str, float], name: str) -> Iterator[None]:
    """Note the seconds the block took under a name; a block that fails notes nothing."""
    began_s = time.monotonic()
    yield
    timings[name] = time.monotonic() - began_s
