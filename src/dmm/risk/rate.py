"""How often a venue may be asked: weights per window, a share kept for cancels, and back-off."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S, Nanos

BUCKETS_MAX = 128
"""Steps in which a window is counted; memory does not grow with the weight."""

BACK_OFF_NS_FIRST = 1 * NS_PER_S
BACK_OFF_NS_MAX = 300 * NS_PER_S
"""Longest pause of our own choosing, after many refusals without a word how long to wait."""

RETRY_AFTER_NS_MAX = 3 * 86_400 * NS_PER_S
"""Longest pause a venue may impose: the longest ban that is documented for a large exchange."""

BAN_NS_MIN = 120 * NS_PER_S
"""Shortest pause after a ban, whatever the venue says: asking during one makes it longer."""

STATUS_TOO_MANY = 429
STATUS_BANNED = 418


@dataclass(frozen=True, slots=True, kw_only=True)
class RateWindow:
    """At most `weight_max` in any `length_ns`; of it `cancel_reserve` is for cancels alone."""

    length_ns: int
    weight_max: int
    cancel_reserve: int

    def __post_init__(self) -> None:
        if self.length_ns < BUCKETS_MAX:
            raise UsageFault(f"a window must be at least {BUCKETS_MAX} ns, got {self.length_ns}")
        if not 0 <= self.cancel_reserve < self.weight_max:
            raise UsageFault(
                "a window needs 0 <= cancel_reserve < weight_max, got "
                f"{self.cancel_reserve} and {self.weight_max}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The request may be sent; its weight is spent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """The request must not be sent; `retry_at_ns` is when it may fit, None: never, it is too heavy.

    `is_back_off` tells that the venue imposed the pause: not even cancels pass.
    """

    retry_at_ns: Nanos | None
    is_back_off: bool


RateVerdict: TypeAlias = Granted | Withheld
GRANTED = Granted()


class _Used:
    """The weight spent in one sliding window, in steps.

    Each spending counts until its step and a whole window after it are over: at most a step longer
    than the venue counts it, never shorter.
    """

    __slots__ = ("_step_ns", "_steps", "spent", "window")

    def __init__(self, window: RateWindow) -> None:
        self.window = window
        self._step_ns = window.length_ns // (BUCKETS_MAX - 1)
        self._steps: deque[tuple[int, int]] = deque()  # (end of the step, weight)
        self.spent = 0

    def forget(self, now_ns: int) -> None:
        steps, length_ns = self._steps, self.window.length_ns
        while steps and steps[0][0] + length_ns <= now_ns:
            self.spent -= steps.popleft()[1]

    def spend(self, weight: int, now_ns: int) -> None:
        step_end_ns = (now_ns // self._step_ns + 1) * self._step_ns
        if self._steps and self._steps[-1][0] == step_end_ns:
            weight_before = self._steps.pop()[1]
            self._steps.append((step_end_ns, weight_before + weight))
        else:
            self._steps.append((step_end_ns, weight))
        self.spent += weight

    def left(self, *, is_cancel: bool) -> int:
        window = self.window
        share = window.weight_max if is_cancel else window.weight_max - window.cancel_reserve
        return share - self.spent

    def fits_at_ns(self, weight: int, *, is_cancel: bool) -> int | None:
        """Return when a weight will fit if nothing else is spent; None: never."""
        missing = weight - self.left(is_cancel=is_cancel)
        if missing > self.spent:
            return None
        for end_ns, spent in self._steps:
            missing -= spent
            if missing <= 0:
                return end_ns + self.window.length_ns
        return None


class RateBudget:
    """One venue's budget; time is given and never runs backwards.

    An order is granted only while its weight leaves the cancels' reserve untouched in every window,
    so that right after any order a cancel of the reserve's weight passes.
    """

    def __init__(self, windows: tuple[RateWindow, ...]) -> None:
        """Start unspent.

        Parameters
        ----------
        windows : all that the venue counts; at least one
        """
        if not windows:
            raise UsageFault("a rate budget needs at least one window")
        self._used = tuple(_Used(window) for window in windows)
        self._now_ns = 0
        self._blocked_until_ns = 0
        self._refusals = 0

    def spend(self, weight: int, *, now_ns: Nanos, is_cancel: bool = False) -> RateVerdict:
        """Spend a request's weight if it fits every window.

        Parameters
        ----------
        weight : of the request, > 0
        now_ns : ns; a clock that stepped back counts as standing still
        is_cancel : whether it may use the reserve
        """
        if weight <= 0:
            raise UsageFault(f"a request's weight must be at least 1, got {weight}")
        now = self._at(now_ns)
        if now < self._blocked_until_ns:
            return Withheld(retry_at_ns=Nanos(self._blocked_until_ns), is_back_off=True)
        for used in self._used:
            if weight > used.left(is_cancel=is_cancel):
                break
        else:
            for used in self._used:
                used.spend(weight, now)
            return GRANTED
        fits = [
            used.fits_at_ns(weight, is_cancel=is_cancel)
            for used in self._used
            if weight > used.left(is_cancel=is_cancel)
        ]
        known = [at_ns for at_ns in fits if at_ns is not None]
        retry_at_ns = Nanos(max(known)) if len(known) == len(fits) else None
        return Withheld(retry_at_ns=retry_at_ns, is_back_off=False)

    def left(self, *, now_ns: Nanos, is_cancel: bool = False) -> int:
        """Return the weight that passes now: what the gate gets; 0 during back-off."""
        if self._at(now_ns) < self._blocked_until_ns:
            return 0
        return max(0, min(used.left(is_cancel=is_cancel) for used in self._used))

    def refused(
        self, status: int, *, now_ns: Nanos, retry_after_ns: int | None = None
    ) -> Nanos | None:
        """Take a venue's refusal and return until when nothing may be sent.

        Without a time to wait the pause doubles with each refusal in a row. Whatever the venue
        says stays between our first pause and `RETRY_AFTER_NS_MAX`. Other statuses are no matter of
        rates: None.

        Parameters
        ----------
        status : 429 (too many) or 418 (banned)
        now_ns : when the answer came
        retry_after_ns : what the answer says to wait, None if it does not
        """
        if status not in {STATUS_TOO_MANY, STATUS_BANNED}:
            return None
        now = self._at(now_ns)
        shortest_ns = BAN_NS_MIN if status == STATUS_BANNED else BACK_OFF_NS_FIRST
        if retry_after_ns is None:
            # Capped before it is shifted: refusals have no bound, pauses have.
            doublings = min(self._refusals, BACK_OFF_NS_MAX.bit_length())
            pause_ns = min(BACK_OFF_NS_FIRST << doublings, BACK_OFF_NS_MAX)
        else:
            pause_ns = min(retry_after_ns, RETRY_AFTER_NS_MAX)
        self._refusals += 1
        until_ns = now + max(shortest_ns, pause_ns)
        self._blocked_until_ns = max(self._blocked_until_ns, until_ns)
        return Nanos(self._blocked_until_ns)

    def answered(self) -> None:
        """Take an answer that was not a refusal: the next pause is short again."""
        self._refusals = 0

    def venue_counts(self, weight: int, *, now_ns: Nanos, window: int = 0) -> None:
        """Take the weight the venue says is used: others may share our allowance.

        Parameters
        ----------
        weight : used in the window as the venue's answer tells, >= 0
        now_ns : when it came
        window : which of the budget's windows
        """
        now = self._at(now_ns)
        used = self._used[window]
        if weight > used.spent:
            used.spend(weight - used.spent, now)

    def _at(self, now_ns: int) -> int:
        self._now_ns = max(self._now_ns, now_ns)
        for used in self._used:
            used.forget(self._now_ns)
        return self._now_ns
