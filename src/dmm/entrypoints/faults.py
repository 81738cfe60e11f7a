"""How our processes end on a fault: one line on stderr, and an exit code that tells whose it is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dmm.units.errors import Fault, UsageFault


def one_line(error: BaseException) -> str:
    """Return a fault's text on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def exit_code(fault: Fault) -> int:
    """Return 2 when the call or the settings are wrong, 1 for any other fault."""
    return 2 if isinstance(fault, UsageFault) else 1


@contextmanager
def ends_on_fault(name: str) -> Iterator[None]:
    """Turn a fault of a daemon into its last line and its exit code."""
    try:
        yield
    except Fault as fault:
        sys.stderr.write(f"dmm {name}: {one_line(fault)}\n")
        raise SystemExit(exit_code(fault)) from None
