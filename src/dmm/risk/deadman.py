"""The dead man's switch: orders outlive the desk's sign of life by a bounded time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from dmm.units.errors import UsageFault
from dmm.units.time import Nanos

RENEWALS_PER_TIMEOUT = 3
"""Signs of life per time-out: two may get lost before orders are pulled."""


class DeadManAct(StrEnum):
    """What the switch asks for."""

    NOTHING = "nothing"
    RENEW = "renew"
    CANCEL_EVERYTHING = "cancel_everything"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadMan:
    """A deadline that must be moved on; integers only.

    `deadline_ns` is None while disarmed. `has_expired` latches: an expired switch is armed again
    only after `everything_cancelled`.
    """

    timeout_ns: int
    deadline_ns: Nanos | None = None
    has_expired: bool = False

    def __post_init__(self) -> None:
        if self.timeout_ns < RENEWALS_PER_TIMEOUT:
            raise UsageFault(
                f"a dead man's time-out must be at least {RENEWALS_PER_TIMEOUT} ns, "
                f"got {self.timeout_ns}"
            )

    def armed(self, now_ns: Nanos) -> DeadMan:
        """Return the switch with its deadline moved on, never back; an expired one as it is.

        Call it with every sign of life, first before the first order.

        Parameters
        ----------
        now_ns : of a monotonic clock
        """
        if self.looked(now_ns).has_expired:
            return replace(self, has_expired=True)
        deadline_ns = now_ns + self.timeout_ns
        return replace(self, deadline_ns=Nanos(max(deadline_ns, self.deadline_ns or deadline_ns)))

    def looked(self, now_ns: Nanos) -> DeadMan:
        """Return the switch after a look at the clock: expired from its deadline on."""
        if self.deadline_ns is None or now_ns < self.deadline_ns:
            return self
        return replace(self, has_expired=True)

    def act(self, now_ns: Nanos, *, has_orders: bool) -> DeadManAct:
        """Return what is to be done now.

        Orders under a switch that is not armed are nobody's: they are cancelled too.

        Parameters
        ----------
        now_ns : of the same clock as `armed`
        has_orders : whether any order of ours may still fill
        """
        if self.looked(now_ns).has_expired or (has_orders and self.deadline_ns is None):
            return DeadManAct.CANCEL_EVERYTHING
        if self.deadline_ns is None:
            return DeadManAct.NOTHING
        renew_at_ns = self.deadline_ns - self.timeout_ns + self.timeout_ns // RENEWALS_PER_TIMEOUT
        return DeadManAct.RENEW if now_ns >= renew_at_ns else DeadManAct.NOTHING

    def everything_cancelled(self) -> DeadMan:
        """Return the switch disarmed, once no order is left that it guarded."""
        return DeadMan(timeout_ns=self.timeout_ns)
