"""The tape of a demo: read through once before anything starts, then played."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dmm.adapters.feeds.tape import fingerprint, open_tape
from dmm.market.instrument import Instrument
from dmm.market.tape import FLAWS, DepthUpdate
from dmm.ports import Feed
from dmm.sandbox.market import SimulatedMarket
from dmm.sandbox.request import Request
from dmm.units.errors import TapeFault
from dmm.units.ids import Hash32, content_id
from dmm.units.time import Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTape:
    """A tape known to be playable from its first to its last message."""

    request: Request
    instrument: Instrument
    fingerprint: Hash32
    snapshot: DepthUpdate
    first_ns: Nanos
    last_ns: Nanos
    messages: int
    warnings: tuple[str, ...]
    findings: dict[str, int]
    """How many flaws of each kind were counted and played over."""

    def feed(self) -> Feed:
        """Return the tape from its start."""
        return _feed(self.request)


def inspect(request: Request) -> DemoTape:
    """Read a tape to its end: an unusable one is refused before anything is started.

    Raises
    ------
    UsageFault
        If a file is missing or unreadable.
    TapeFault
        If the content is unusable; the text names file and line.
    """
    content = (
        fingerprint(request.paths) if request.tape else content_id("dmm/simulated/v1", request.seed)
    )
    feed = _feed(request)
    snapshot: DepthUpdate | None = None
    first_ns = last_ns = Nanos(0)
    for event in feed.events():
        if snapshot is None and isinstance(event, DepthUpdate) and event.is_snapshot:
            snapshot = event
        first_ns = first_ns or event.received_at_ns
        last_ns = max(last_ns, event.received_at_ns)
    if snapshot is None:
        raise TapeFault(f"{', '.join(request.tape)}: the tape holds no snapshot of the book")
    return DemoTape(
        request=request,
        instrument=feed.instrument,
        fingerprint=content,
        snapshot=snapshot,
        first_ns=first_ns,
        last_ns=last_ns,
        messages=feed.report.messages,
        warnings=tuple(feed.report.warnings),
        findings={kind: getattr(feed.report, kind) for kind in FLAWS},
    )


def _feed(request: Request) -> Feed:
    if request.tape:
        return open_tape(request.paths, allow_gaps=request.allow_gaps)
    return SimulatedMarket(np.random.default_rng(request.seed))
