"""Rows to messages: what reading a table of events needs whatever its columns are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import TypeVar

from dmm.adapters.feeds.clocks import Clocks
from dmm.adapters.feeds.findings import Findings, Mark
from dmm.adapters.feeds.rows import Row
from dmm.adapters.feeds.scale import OffGrid
from dmm.market.tape import BestQuote, DepthUpdate, TradePrint

MESSAGE_ROWS_MAX = 100_000
"""Rows of one message that are held at once."""

Read = TypeVar("Read")
Stamped = TypeVar("Stamped", DepthUpdate, BestQuote, TradePrint)


def understood(read: Callable[[Row], Read], row: Row, findings: Findings) -> Read:
    """Return what a row says.

    Raises
    ------
    TapeFault
        If it cannot be read: a number off its grid, a word where a number belongs.
    """
    try:
        return read(row)
    except OffGrid as error:
        raise findings.fault(str(error)) from error
    except (ValueError, KeyError, IndexError) as error:
        raise findings.fault(f"unreadable row ({error!r}): fetch the file again") from error


def held_messages(
    events: Iterable[tuple[TradePrint, Mark]], findings: Findings
) -> Iterator[list[tuple[TradePrint, Mark]]]:
    """Yield the events received at one instant, in order of the venue's time.

    Raises
    ------
    TapeFault
        If more than `MESSAGE_ROWS_MAX` came at one instant.
    """
    for _at_ns, message in groupby(events, key=lambda pair: pair[0].received_at_ns):
        held: list[tuple[TradePrint, Mark]] = []
        for pair in message:
            if len(held) >= MESSAGE_ROWS_MAX:
                raise findings.fault(
                    f"more than {MESSAGE_ROWS_MAX} trades received at one instant: the received "
                    "times are no recorder's"
                )
            held.append(pair)
        held.sort(key=lambda pair: pair[0].exchange_at_ns)
        yield held


def stamp(event: Stamped, clocks: Clocks, *, stream: str) -> Stamped:
    """Return an event with its received time in order, both clocks watched.

    Raises
    ------
    TapeFault
        If a clock ran back and gaps are not allowed.
    """
    exchange_at_ns = clocks.exchange(stream, event.exchange_at_ns)
    clocks.note_offset(received_at_ns=event.received_at_ns, exchange_at_ns=exchange_at_ns)
    received_at_ns = clocks.received(event.received_at_ns)
    if received_at_ns == event.received_at_ns:
        return event
    return replace(event, received_at_ns=received_at_ns)
