"""Versioned estimates: what was measured, whether it may be used, and what is used instead.

Everything here is an integer, so that a journal carries an estimate whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from dmm.units.amount import BPS_ONE, ceil_div, floor_div
from dmm.units.ids import Json

MILLI = 1_000
MICRO = 1_000_000
NANO = 1_000_000_000

APPROVED_LOW = "approved_kappa_nano_low"
APPROVED_HIGH = "approved_kappa_nano_high"
"""Where the evidence of what was not adopted keeps the interval of the κ in use."""


class Verdict(StrEnum):
    """What became of a measurement."""

    ADOPTED = "adopted"
    HELD = "held"
    """Too little was measured, or it lies outside the bands; the last adopted estimate stays."""
    FALLBACK = "fallback"
    """The measurement misfits; the last adopted estimate stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bands:
    """What a policy allows, in ticks of the instrument: σ in 1e-6 ticks, κ per tick times 1e9."""

    sigma_microticks_min: int
    sigma_microticks_max: int
    kappa_nano_min: int
    kappa_nano_max: int

    def __post_init__(self) -> None:
        if not 0 < self.sigma_microticks_min <= self.sigma_microticks_max:
            raise ValueError(f"σ band of {self} must be positive and rise")
        if not 0 < self.kappa_nano_min <= self.kappa_nano_max:
            raise ValueError(f"κ band of {self} must be positive and rise")

    @classmethod
    def from_policy(
        cls,
        *,
        sigma_ubps_1s_min: int,
        sigma_ubps_1s_max: int,
        kappa_nano_per_bp_min: int,
        kappa_nano_per_bp_max: int,
        mid_half_ticks: int,
    ) -> Self:
        """Convert bands per basis point of mid to ticks, rounded inwards.

        Parameters
        ----------
        sigma_ubps_1s_min, sigma_ubps_1s_max : σ over one second, millionths of a basis point
        kappa_nano_per_bp_min, kappa_nano_per_bp_max : κ per basis point of mid, times 1e9
        mid_half_ticks : > 0
        """
        half_bps = 2 * BPS_ONE
        return cls(
            sigma_microticks_min=max(1, ceil_div(sigma_ubps_1s_min * mid_half_ticks, half_bps)),
            sigma_microticks_max=floor_div(sigma_ubps_1s_max * mid_half_ticks, half_bps),
            kappa_nano_min=max(1, ceil_div(kappa_nano_per_bp_min * half_bps, mid_half_ticks)),
            kappa_nano_max=floor_div(kappa_nano_per_bp_max * half_bps, mid_half_ticks),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """σ, κ and A as the worker uses them, with the verdict and evidence of the last measurement.

    `version` counts adoptions and stays when nothing is adopted. Scales are those of `Decision`:
    `sigma_microticks` is σ over one second in 1e-6 ticks (rounded up), `kappa_nano` κ per tick
    times 1e9, `a_…_micro` arrivals per second times 1e6 (rounded down): each rounding widens a
    quote.
    """

    version: int
    sigma_microticks: int
    kappa_nano: int
    a_micro: int
    a_bid_micro: int
    a_ask_micro: int
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    evidence: Mapping[str, int] = field(default_factory=dict)

    def kept(self, verdict: Verdict, reasons: tuple[str, ...], evidence: Mapping[str, int]) -> Self:
        """Return these numbers and this version with the word on a measurement not adopted.

        The interval of the κ in use stays in the evidence, for the next comparison with it.
        """
        low, high = self.kappa_bounds
        bounds = {APPROVED_LOW: low, APPROVED_HIGH: high} if high else {}
        return replace(self, verdict=verdict, reasons=reasons, evidence={**evidence, **bounds})

    @property
    def kappa_bounds(self) -> tuple[int, int]:
        """Return the 95 % interval of the κ in use, per tick times 1e9; zeros when unknown."""
        adopted = self.verdict is Verdict.ADOPTED
        low, high = (
            ("kappa_nano_low", "kappa_nano_high") if adopted else (APPROVED_LOW, APPROVED_HIGH)
        )
        return self.evidence.get(low, 0), self.evidence.get(high, 0)

    @property
    def body(self) -> dict[str, Json]:
        """Return the estimate as journalled."""
        return {
            "version": self.version,
            "sigma_microticks": self.sigma_microticks,
            "kappa_nano": self.kappa_nano,
            "a_micro": self.a_micro,
            "a_bid_micro": self.a_bid_micro,
            "a_ask_micro": self.a_ask_micro,
            "verdict": self.verdict.value,
            "reasons": list(self.reasons),
            "evidence": dict(self.evidence),
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Json]) -> Self:
        """Return the estimate that a journal holds.

        Raises
        ------
        ValueError
            If the body is no estimate.
        """
        reasons, evidence = body.get("reasons"), body.get("evidence")
        if not isinstance(reasons, list) or not isinstance(evidence, dict):
            raise ValueError(f"not an estimate: {sorted(body)}")  # noqa: TRY004 — content, not type
        return cls(
            **{name: _integer(body, name) for name in _NUMBERS},
            verdict=Verdict(str(body.get("verdict"))),
            reasons=tuple(str(reason) for reason in reasons),
            evidence={name: _integer(evidence, name) for name in evidence},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEstimate:
    """An estimate as an epoch's row holds it; hashes in hex, reasons as one sentence."""

    kind: str
    symbol: str
    epoch: int
    previous_hash: str
    link_hash: str
    reasons: str
    estimate: Estimate


_NUMBERS = ("version", "sigma_microticks", "kappa_nano", "a_micro", "a_bid_micro", "a_ask_micro")


def _integer(body: Mapping[str, Json], name: str) -> int:
    value = body.get(name)
    if type(value) is not int:
        raise ValueError(f"{name} of an estimate must be an integer, got {value!r}")
    return value


def starting_estimate(bands: Bands) -> Estimate:
    """Return version 0, used until something is adopted: the geometric middle of both bands."""
    return Estimate(
        version=0,
        sigma_microticks=math.isqrt(bands.sigma_microticks_min * bands.sigma_microticks_max),
        kappa_nano=math.isqrt(bands.kappa_nano_min * bands.kappa_nano_max),
        a_micro=0,
        a_bid_micro=0,
        a_ask_micro=0,
        verdict=Verdict.FALLBACK,
        reasons=("nothing was measured yet",),
    )
