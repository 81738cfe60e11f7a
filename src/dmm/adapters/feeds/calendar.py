"""Written times of files to nanoseconds; the only place of a feed where a calendar is read."""

from __future__ import annotations

from datetime import UTC, datetime

from dmm.units.time import NS_PER_S, Nanos

NS_PER_US = 1_000


def utc_ns(text: str) -> Nanos:
    """Return the nanoseconds since 1970 of an ISO time, which is UTC unless it says otherwise.

    Raises
    ------
    ValueError
        If it is no time.
    """
    at = datetime.fromisoformat(text)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    # The whole seconds and the rest apart: a float of both would lose nanoseconds.
    whole_s = int(at.replace(microsecond=0).timestamp())
    return Nanos(whole_s * NS_PER_S + at.microsecond * NS_PER_US)
