"""From measured values to the signals of the breakers, each with room between on and off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dmm.market.health import FEED_AGE_NS_MAX, is_stale, venues_agree
from dmm.risk.breaker import Signals
from dmm.risk.limits import CLOCK_OFFSET_NS_MAX
from dmm.units.amount import BPS_ONE, HalfTicks, Lots
from dmm.units.errors import UsageFault
from dmm.units.fast_init import fast_init
from dmm.units.time import Nanos

BP_UBPS = 1_000_000
"""Millionths of a basis point in a basis point."""


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Where each breaker trips.

    A breaker clears below `clear_share_bps` of its threshold, so that a value that hovers at the
    threshold does not make it flap. `sigma_extreme_share_bps` is σ as a share of its ceiling from
    which the desk pauses. `drawdown_atoms_max` has no way back but a reset, so it needs no room.
    """

    sigma_microticks_max: int
    drawdown_atoms_max: int
    hard_long: Lots
    hard_short: Lots
    fill_deviation_ubps_max: int = 50 * BP_UBPS
    venue_gap_ubps_max: int = 100 * BP_UBPS
    feed_age_ns_max: int = FEED_AGE_NS_MAX
    clock_offset_ns_max: int = CLOCK_OFFSET_NS_MAX
    sigma_extreme_share_bps: int = 3 * BPS_ONE
    clear_share_bps: int = 9_000

    def __post_init__(self) -> None:
        if not 0 < self.clear_share_bps <= BPS_ONE:
            raise UsageFault(f"clear_share_bps must be 1 to {BPS_ONE}, got {self.clear_share_bps}")
        if not self.sigma_extreme_share_bps > BPS_ONE:
            raise UsageFault(
                f"sigma_extreme_share_bps must be above {BPS_ONE}, "
                f"got {self.sigma_extreme_share_bps}"
            )


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What is measured at one instant.

    `sigma_microticks` is σ over one second. `fill_deviation_ubps` is how far the worst fill of the
    last seconds lies from the reference TWAP, 0 when there was none: a paused desk has none, so old
    ones must age out or it would never go on. `received_at_ns` is when the feed last spoke, None if
    it never did; `trusts_feed` is False until enough events followed a silence. `venue_mids` are
    mids of the same pair in one unit; `clock_offset_ns` is None if not measured.
    """

    now_ns: Nanos
    received_at_ns: Nanos | None
    trusts_feed: bool
    has_mid: bool
    inventory: Lots
    sigma_microticks: int
    drawdown_atoms: int
    clock_offset_ns: int | None
    unknown_orders: int
    books_disagree: bool
    depegged: bool
    latch_readable: bool
    killed: bool
    fill_deviation_ubps: int = 0
    venue_mids: tuple[HalfTicks, ...] = ()


def trips(*, was_on: bool, value: int, on_above: int, clear_share_bps: int) -> bool:
    """Return whether a breaker is on: trips above its threshold, clears below a share of it.

    Parameters
    ----------
    was_on : before this value
    value : measured, >= 0
    on_above : threshold, >= 0
    clear_share_bps : of the threshold, at or under which it clears, up to 10_000
    """
    if was_on:
        return value * BPS_ONE > on_above * clear_share_bps
    return value > on_above


def signals_of(readings: Readings, *, thresholds: Thresholds, before: Signals) -> Signals:
    """Return the signals that follow from measured values and from the signals before.

    Parameters
    ----------
    readings : measured now
    thresholds : of the policy in force
    before : the signals at the last instant; `CALM` at the start
    """
    share_bps = thresholds.clear_share_bps
    extreme_microticks = thresholds.sigma_microticks_max * thresholds.sigma_extreme_share_bps
    return Signals(
        latch_readable=readings.latch_readable,
        killed=readings.killed,
        drawdown_exceeded=readings.drawdown_atoms > thresholds.drawdown_atoms_max,
        market_visible=_is_visible(readings, thresholds),
        inventory_at_hard=_is_at_hard(readings.inventory, thresholds),
        volatility_above_band=trips(
            was_on=before.volatility_above_band,
            value=readings.sigma_microticks,
            on_above=thresholds.sigma_microticks_max,
            clear_share_bps=share_bps,
        ),
        volatility_extreme=trips(
            was_on=before.volatility_extreme,
            value=readings.sigma_microticks * BPS_ONE,
            on_above=extreme_microticks,
            clear_share_bps=share_bps,
        ),
        fills_off_reference=trips(
            was_on=before.fills_off_reference,
            value=readings.fill_deviation_ubps,
            on_above=thresholds.fill_deviation_ubps_max,
            clear_share_bps=share_bps,
        ),
        venues_disagree=_disagree(readings.venue_mids, thresholds, was_on=before.venues_disagree),
        clock_off=_is_off(readings.clock_offset_ns, thresholds, was_on=before.clock_off),
        depegged=readings.depegged,
        order_state_unknown=readings.unknown_orders > 0,
        books_disagree=readings.books_disagree,
    )


def _is_visible(readings: Readings, thresholds: Thresholds) -> bool:
    if readings.received_at_ns is None or not (readings.has_mid and readings.trusts_feed):
        return False
    return not is_stale(
        received_at_ns=readings.received_at_ns,
        now_ns=readings.now_ns,
        age_ns_max=thresholds.feed_age_ns_max,
    )


def _is_at_hard(inventory: Lots, thresholds: Thresholds) -> bool:
    return not -thresholds.hard_short < inventory < thresholds.hard_long


def _disagree(mids: Sequence[HalfTicks], thresholds: Thresholds, *, was_on: bool) -> bool:
    ubps_max = thresholds.venue_gap_ubps_max
    if was_on:
        ubps_max = ubps_max * thresholds.clear_share_bps // BPS_ONE
    return not venues_agree(mids, ubps_max=ubps_max)


def _is_off(offset_ns: int | None, thresholds: Thresholds, *, was_on: bool) -> bool:
    if offset_ns is None:
        return True
    return trips(
        was_on=was_on,
        value=abs(offset_ns),
        on_above=thresholds.clock_offset_ns_max,
        clear_share_bps=thresholds.clear_share_bps,
    )
