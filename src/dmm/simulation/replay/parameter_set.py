"""A parameter set: a policy by name, its numbers, and when it decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dmm.simulation.replay.cadence import Cadence
from dmm.simulation.replay.layout import (
    REAL_MAX,
    WHOLE_MAX,
)
from dmm.simulation.replay.set_layout import (
    DESK,
    GLFT_GRID,
    HUMMINGBOT,
    SCRIPT,
    SYMMETRIC,
)
from dmm.units.errors import UsageFault

POLICIES = {
    "script": SCRIPT,
    "desk": DESK,
    "symmetric": SYMMETRIC,
    "hummingbot": HUMMINGBOT,
    "glft_grid": GLFT_GRID,
}
"""Policies by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSet:
    """One set: `params` is what it was made from, for the result; the rest is for the engine."""

    policy: str
    pace: Cadence
    params: Mapping[str, object]
    whole: tuple[int, ...]
    real: tuple[float, ...]
    actions: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise UsageFault(f"no policy {self.policy!r}: choose one of {', '.join(POLICIES)}")
        if len(self.whole) > WHOLE_MAX or len(self.real) > REAL_MAX:
            raise UsageFault(f"too many parameters: {WHOLE_MAX} whole and {REAL_MAX} real ones fit")
