"""The machine's clock behind the Clock port."""

from __future__ import annotations

import time

from dmm.units.time import Nanos


class SystemClock:
    """Wall clock in nanoseconds since 1970 UTC, and waiting."""

    def now_ns(self) -> Nanos:
        """Return the present."""
        return Nanos(time.time_ns())  # noqa: TID251 - the one place that reads the clock

    def sleep_s(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
