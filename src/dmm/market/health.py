"""Whether market data is fresh enough to quote on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dmm.units.time import NS_PER_S, Nanos

FEED_AGE_NS_MAX = 3 * NS_PER_S
"""A feed silent for longer than this is stale: every quote is cancelled."""

FRESH_TICKS_MIN = 5
"""Ticks in a row, none later than `FEED_AGE_NS_MAX` after the one before, until quotes return."""


def is_stale(*, received_at_ns: int, now_ns: int, age_ns_max: int = FEED_AGE_NS_MAX) -> bool:
    """Tell whether the last message is older than allowed; exactly as old as allowed is fresh.

    Parameters
    ----------
    received_at_ns : when the last message came, ns since 1970 UTC
    now_ns : the present on the same clock
    age_ns_max : ns, >= 0
    """
    return now_ns - received_at_ns > age_ns_max


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedHealth:
    """What is known of a feed's pulse. A feed starts without trust and earns it tick by tick.

    `fresh_ticks` counts ticks in a row without a stale pause, up to `FRESH_TICKS_MIN`.
    """

    last_received_ns: Nanos | None = None
    fresh_ticks: int = 0

    def after_tick(self, received_at_ns: Nanos, *, age_ns_max: int = FEED_AGE_NS_MAX) -> FeedHealth:
        """Return the health once a tick has come; a stale pause before it restarts the count.

        Parameters
        ----------
        received_at_ns : ns since 1970 UTC, on the clock of all other calls
        age_ns_max : ns, >= 0
        """
        last_ns = self.last_received_ns
        if last_ns is None or is_stale(
            received_at_ns=last_ns, now_ns=received_at_ns, age_ns_max=age_ns_max
        ):
            fresh_ticks = 1
        else:
            fresh_ticks = min(self.fresh_ticks + 1, FRESH_TICKS_MIN)
        return replace(self, last_received_ns=received_at_ns, fresh_ticks=fresh_ticks)

    def may_quote(self, now_ns: int, *, age_ns_max: int = FEED_AGE_NS_MAX) -> bool:
        """Tell whether quotes may rest at this moment: enough fresh ticks, and the last one is new.

        Parameters
        ----------
        now_ns : the present, on the clock of the ticks
        age_ns_max : ns, >= 0
        """
        if self.last_received_ns is None or self.fresh_ticks < FRESH_TICKS_MIN:
            return False
        return not is_stale(
            received_at_ns=self.last_received_ns, now_ns=now_ns, age_ns_max=age_ns_max
        )
