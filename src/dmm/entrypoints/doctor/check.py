"""One thing looked at: well or not, in which words, and what cures it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from dmm.units.errors import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The outcome of one look; `cure` is empty when there is nothing to do."""

    name: str
    ok: bool
    detail: str
    cure: str = ""


def beside_clock(late_s: int) -> str:
    """Say where a chain's time is beside this host's clock, seconds behind it."""
    side = f"{late_s} s behind" if late_s >= 0 else f"{-late_s} s ahead of"
    local = " (a local chain may be)" if late_s < 0 else ""
    return f"{side} this host's clock{local}"


def look(name: str, see: Callable[[], str], *, cure: str) -> Check:
    """Look at one thing: `see` returns the detail, or raises what is wrong with it.

    Parameters
    ----------
    cure : what to do when it is not well, one sentence
    """
    try:
        return Check(name=name, ok=True, detail=see())
    except (Fault, OSError, ValueError, subprocess.SubprocessError, httpx.HTTPError) as error:
        detail = " ".join(str(error).split()) or type(error).__name__
        return Check(name=name, ok=False, detail=detail, cure=cure)
