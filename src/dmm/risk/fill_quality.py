"""Whether fills earn what they should: realised against theoretical, drift, adverse moves, gas."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from dmm.units.amount import BPS_ONE
from dmm.units.errors import UsageFault
from dmm.units.ids import Json
from dmm.units.time import NS_PER_S

SHARE_BPS_MIN = 1_250
"""Smallest share of its size a venue is cut to: without fills nobody sees it normalise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRules:
    """Thresholds in basis points of one.

    Realised below `cut_below_bps` of the theoretical spread cuts a venue's size; from
    `normal_from_bps` on it grows back; `alert_below_bps` for more than `alert_windows` windows
    alerts.
    """

    cut_below_bps: int = 5_000
    normal_from_bps: int = 6_000
    alert_below_bps: int = 6_000
    alert_windows: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.cut_below_bps <= self.normal_from_bps:
            raise UsageFault(
                "shares of the spread must be 0 < cut_below_bps <= normal_from_bps, "
                f"got {self.cut_below_bps} and {self.normal_from_bps}"
            )


DEFAULT_RULES = QualityRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueQuality:
    """One venue's standing; integers only.

    `size_share_bps` is the share of the quote size allowed there; `poor_windows` counts windows in
    a row below the alert.
    """

    size_share_bps: int = BPS_ONE
    poor_windows: int = 0

    def is_alert(self, rules: QualityRules = DEFAULT_RULES) -> bool:
        """Tell whether spread efficiency has been poor for too long."""
        return self.poor_windows > rules.alert_windows

    def to_json(self) -> dict[str, Json]:
        """Return the state as canonical JSON values."""
        return {"size_share_bps": self.size_share_bps, "poor_windows": self.poor_windows}


FULL_TRUST = VenueQuality()


def after_window(
    quality: VenueQuality,
    *,
    realised_atoms: int,
    theoretical_atoms: int,
    rules: QualityRules = DEFAULT_RULES,
) -> VenueQuality:
    """Return a venue's standing after one refresh window.

    Each window below the cut halves the size, down to `SHARE_BPS_MIN`; each normal one doubles it
    back, up to the whole; between the two nothing changes. A window without fills says nothing.

    Parameters
    ----------
    quality : before the window
    realised_atoms : spread kept after the markout of the window's fills, signed
    theoretical_atoms : what δ promised on the same fills, >= 0
    rules : thresholds
    """
    if theoretical_atoms <= 0:
        return quality
    realised = realised_atoms * BPS_ONE
    share_bps = quality.size_share_bps
    if realised < rules.cut_below_bps * theoretical_atoms:
        share_bps = max(SHARE_BPS_MIN, share_bps // 2)
    elif realised >= rules.normal_from_bps * theoretical_atoms:
        share_bps = min(BPS_ONE, share_bps * 2)
    is_poor = realised < rules.alert_below_bps * theoretical_atoms
    return VenueQuality(
        size_share_bps=share_bps, poor_windows=quality.poor_windows + 1 if is_poor else 0
    )


ADVERSE_RATIO_BPS_MAX = 12_000
"""Mean adverse move over what volatility alone would do, basis points of one."""


def is_adverse_selection_high(
    *,
    mean_adverse_microticks: int,
    sigma_microticks_1s: int,
    refresh_ns: int,
    ratio_bps_max: int = ADVERSE_RATIO_BPS_MAX,
) -> bool:
    """Tell whether the mean move against our fills exceeds its multiple of σ√h.

    The expectation is one standard deviation over the refresh horizon h. Compared as squares, so
    that no root is rounded.

    Parameters
    ----------
    mean_adverse_microticks : mean move against us over h after a fill; a favourable one is negative
    sigma_microticks_1s : σ over one second, >= 0
    refresh_ns : h, > 0
    ratio_bps_max : multiple allowed, basis points of one
    """
    if mean_adverse_microticks <= 0:
        return False
    moved = (mean_adverse_microticks * BPS_ONE) ** 2 * NS_PER_S
    return moved > (ratio_bps_max * sigma_microticks_1s) ** 2 * refresh_ns


DRIFT_BPS_MAX = 1_500
"""Net change of inventory over traded volume in a day, basis points."""


def is_drift_high(
    *, net_change_lots: int, volume_lots: int, drift_bps_max: int = DRIFT_BPS_MAX
) -> bool:
    """Tell whether a day's inventory drifted too much for its volume; at the limit it did.

    Parameters
    ----------
    net_change_lots : inventory now less a day ago, signed
    volume_lots : traded since, >= 0; inventory that changed without a trade is drift whatever it is
    drift_bps_max : basis points, > 0
    """
    if not net_change_lots:
        return False
    return abs(net_change_lots) * BPS_ONE >= drift_bps_max * volume_lots


GAS_SAMPLES_MAX = 96
GAS_SAMPLES_MIN = 8
GAS_SPIKE_BPS = 20_000
"""Gas per quote over its baseline from which it is a spike, basis points of one."""


class GasVerdict(StrEnum):
    """How gas per quote compares with its history."""

    NO_BASELINE = "no_baseline"
    NORMAL = "normal"
    SPIKE = "spike"


class GasBaseline:
    """Gas per quote against the median of earlier windows.

    A spike is not taken into the baseline in full: it counts as the threshold at most, so that a
    lasting rise becomes normal, and a single one does not.
    """

    def __init__(self, *, samples_max: int = GAS_SAMPLES_MAX) -> None:
        """Start without history; `samples_max` windows are kept, >= `GAS_SAMPLES_MIN`."""
        self._milligas: deque[int] = deque(maxlen=max(samples_max, GAS_SAMPLES_MIN))

    @property
    def milligas_per_quote(self) -> int | None:
        """Return the baseline, thousandths of a gas unit per quote; None while there is none."""
        if len(self._milligas) < GAS_SAMPLES_MIN:
            return None
        return sorted(self._milligas)[(len(self._milligas) - 1) // 2]

    def take(self, *, gas: int, quotes: int, spike_bps: int = GAS_SPIKE_BPS) -> GasVerdict:
        """Judge a window and take it into the history; one without quotes says nothing new.

        Parameters
        ----------
        gas : units used in the window, >= 0
        quotes : placed, moved or cancelled with it, >= 0
        spike_bps : multiple of the baseline, basis points of one, > 10_000
        """
        baseline = self.milligas_per_quote
        verdict = GasVerdict.NO_BASELINE if baseline is None else GasVerdict.NORMAL
        if quotes <= 0:
            return verdict
        used = gas * 1_000 // quotes
        if baseline is not None and used * BPS_ONE > baseline * spike_bps:
            verdict = GasVerdict.SPIKE
            used = max(1, baseline * spike_bps // BPS_ONE)
        self._milligas.append(used)
        return verdict
