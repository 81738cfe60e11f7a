"""What a recorder needs to know of a venue: where it listens, what it says, when the book broke."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Message: TypeAlias = dict[str, Any]
"""A decoded JSON object; its shape is checked by using it."""

STREAMS = ("depth", "trades", "bookTicker")
"""What can be recorded; the names are ours, each venue has its own."""


class Unusable(ValueError):
    """A message that is none of the venue's; it is counted and left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a message is to the recorder.

    `stream` is the venue's name of it. `exchange_ms` is the venue's clock, where the message has
    one. `gap` tells in words what is missing before it. `is_duplicate`: an overlapping connection
    brought it already. `ends_connection`: the book can only be had again by connecting anew.
    """

    stream: str
    exchange_ms: int | None = None
    gap: str = ""
    is_duplicate: bool = False
    ends_connection: bool = False


class Venue(Protocol):
    """One venue and symbol; keeps the state of its sequence numbers."""

    @property
    def name(self) -> str:
        """Return the venue's name on the command line."""
        ...

    @property
    def symbol(self) -> str:
        """Return the symbol as the venue writes it."""
        ...

    @property
    def streams(self) -> tuple[str, ...]:
        """Return the streams asked for, by the venue's names."""
        ...

    @property
    def socket_url(self) -> str:
        """Return where to connect."""
        ...

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Return what to send after connecting."""
        ...

    @property
    def rest_url(self) -> str:
        """Return the base of the REST interface."""
        ...

    @property
    def symbol_path(self) -> str:
        """Return a REST path that succeeds only for a symbol the venue knows."""
        ...

    @property
    def snapshot_path(self) -> str:
        """Return the REST path of the book; empty where it comes over the socket."""
        ...

    @property
    def rolls_over(self) -> bool:
        """Tell whether the venue ends connections by age and overlapping ones can be merged."""
        ...

    @property
    def wants_snapshot(self) -> bool:
        """Tell whether the book is unknown until a snapshot comes."""
        ...

    def connected(self) -> None:
        """Take note of a new connection."""
        ...

    def read(self, message: Message, *, is_doubled: bool) -> Reading | None:
        """Return what a message is; None for one that is not to be recorded.

        Parameters
        ----------
        message : as decoded
        is_doubled : whether two connections overlap, so that messages come twice

        Raises
        ------
        Unusable
            If it is none of the venue's; `KeyError`, `TypeError` and `AttributeError` say the same.
        Permanent
            If the venue refuses what was asked for.
        """
        ...

    def admits(self, snapshot: Message) -> bool:
        """Tell whether a snapshot connects to the updates recorded since the last gap.

        Raises
        ------
        Unusable
            If it is no book; `KeyError`, `TypeError` and `AttributeError` say the same.
        """
        ...


def whole(value: object) -> int:
    """Return a field that must be an integer; `Unusable` if it is anything else."""
    if type(value) is not int:
        raise Unusable(f"{value!r} is no integer")
    return value


def listed(value: object) -> list[Any]:
    """Return a field that must be a list; `Unusable` if it is anything else."""
    if type(value) is not list:
        raise Unusable(f"{str(value)[:40]!r} is no list")
    return value
