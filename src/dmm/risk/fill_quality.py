"""Whether fills earn what they should: realised against theoretical spread, adverse moves, drift.

These judge and alert; the decision itself reacts to the realised spread and to toxicity at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from dmm.units.amount import BPS_ONE
from dmm.units.time import NS_PER_S

EFFICIENCY_BPS_MIN = 6_000
"""Realised over theoretical spread below which a window is poor, basis points of one."""

POOR_WINDOWS_MAX = 5
"""Poor windows in a row that are still no alert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadEfficiency:
    """A venue's standing: `share_bps` of the last window with fills, poor windows in a row."""

    share_bps: int = BPS_ONE
    poor_windows: int = 0

    @property
    def is_alert(self) -> bool:
        """Tell whether spread efficiency has been poor for too long."""
        return self.poor_windows > POOR_WINDOWS_MAX


FULL_EFFICIENCY = SpreadEfficiency()


def after_window(before: SpreadEfficiency, *, realised: int, theoretical: int) -> SpreadEfficiency:
    """Return a venue's standing after one window; a window without fills says nothing.

    Parameters
    ----------
    before : the standing before it
    realised : spread kept after the markout of the window's fills, signed, in any unit
    theoretical : what the half-spread promised on the same fills, in the same unit, >= 0
    """
    if theoretical <= 0:
        return before
    is_poor = realised * BPS_ONE < EFFICIENCY_BPS_MIN * theoretical
    return SpreadEfficiency(
        share_bps=realised * BPS_ONE // theoretical,
        poor_windows=before.poor_windows + 1 if is_poor else 0,
    )


ADVERSE_RATIO_BPS_MAX = 12_000
"""Mean adverse move over what volatility alone would do, basis points of one."""


def is_adverse_selection_high(
    *, adverse_microticks: int, fills: int, sigma_microticks_1s: int, horizon_ns: int
) -> bool:
    """Tell whether the mean move against our fills exceeds its multiple of σ√h.

    The expectation is one standard deviation over the horizon h. Compared as squares, so that no
    root is rounded.

    Parameters
    ----------
    adverse_microticks : moves against us over h after each fill, summed; favourable ones negative
    fills : how many, > 0
    sigma_microticks_1s : σ over one second, >= 0
    horizon_ns : h, > 0
    """
    if adverse_microticks <= 0:
        return False
    moved = (adverse_microticks * BPS_ONE) ** 2 * NS_PER_S
    expected = ADVERSE_RATIO_BPS_MAX * sigma_microticks_1s * fills
    return moved > expected**2 * horizon_ns


DRIFT_BPS_MAX = 1_500
"""Net change of inventory over traded volume in a day, basis points."""


def is_drift_high(*, net_change_lots: int, volume_lots: int) -> bool:
    """Tell whether a day's inventory drifted too much for its volume; at the limit it did.

    Parameters
    ----------
    net_change_lots : inventory now less a day ago, signed
    volume_lots : traded since, >= 0; inventory that changed without a trade is drift whatever it is
    """
    if not net_change_lots:
        return False
    return abs(net_change_lots) * BPS_ONE >= DRIFT_BPS_MAX * volume_lots
