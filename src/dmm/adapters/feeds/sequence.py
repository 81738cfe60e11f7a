"""A venue's sequence numbers: which updates a snapshot already holds, and where one is missing.

References
----------
Binance, "How to manage a local order book correctly": futures chain updates by `pu`, spot by
`U = u + 1`; the first update after a snapshot must reach over its `lastUpdateId`.
"""

from __future__ import annotations

from dmm.adapters.feeds.findings import Findings
from dmm.market.book import Book
from dmm.market.tape import DepthUpdate, Level
from dmm.units.amount import Lots, Ticks
from dmm.units.time import Nanos

BUFFERED_UPDATES_MAX = 10_000
"""Updates kept while a snapshot is awaited; at 100 updates a second, 100 seconds."""


class Sequencer:
    """Turns a recording's snapshots and updates into book states that follow each other.

    Updates before the snapshot wait for it and come out as a part of it. The sequencer keeps
    a book of its own to notice when the recording's is crossed.
    """

    __slots__ = (
        "_awaited",
        "_book",
        "_by_previous_id",
        "_findings",
        "_fresh_snapshot",
        "_last",
        "_last_id",
        "_started",
        "_waiting",
    )

    def __init__(self, *, by_previous_id: bool, findings: Findings) -> None:
        self._by_previous_id = by_previous_id
        self._findings = findings
        self._book = Book()
        self._started = False
        self._awaited = True  # a snapshot would be taken now
        self._fresh_snapshot = False  # the next update must reach over the snapshot's id
        self._last_id = 0
        self._last: DepthUpdate | None = None  # the update before, while in sequence
        self._waiting: list[tuple[DepthUpdate, int]] = []

    def update(self, update: DepthUpdate, *, previous_id: int) -> DepthUpdate | None:
        """Return the update when it is due, or None when it waits or is known already.

        Parameters
        ----------
        update : as recorded
        previous_id : `pu`, the last id of the update before; 0 on spot, which has none

        Raises
        ------
        TapeFault
            If an update before this one is missing or comes later, the book is crossed, or no
            snapshot comes.
        """
        if not self._started:
            self._await(update, previous_id)
            return None
        if self._fresh_snapshot and self._holds(update):
            self._findings.report.skipped_before_snapshot += 1
            return None
        if self._is_late(update):
            return None
        self._require_next(update, previous_id)
        self._last = update
        if self._awaited:  # after a gap: a later snapshot may repair the book
            self._await(update, previous_id)
        return self._deliver(update)

    def snapshot(self, snapshot: DepthUpdate) -> DepthUpdate | None:
        """Return the whole book with the waiting updates folded in; None when none is needed.

        Raises
        ------
        TapeFault
            If the waiting updates do not connect to the snapshot, or the book is crossed.
        """
        if self._started and not self._awaited:
            self._findings.report.snapshots_skipped += 1
            return None
        waiting, self._waiting = self._waiting, []
        self._started, self._awaited, self._fresh_snapshot = True, False, True
        self._last = None
        self._last_id = snapshot.last_id
        due = []
        for update, previous_id in waiting:
            if self._fresh_snapshot and self._holds(update):
                self._findings.report.skipped_before_snapshot += 1
                continue
            self._require_next(update, previous_id)
            due.append(update)
        self._findings.report.snapshots += 1
        self._findings.report.folded_into_snapshot += len(due)
        return self._deliver(fold(snapshot, due))

    def whole_book(self, book: DepthUpdate) -> DepthUpdate:
        """Return a book that stands for itself, as feeds without updates send them.

        Raises
        ------
        TapeFault
            If it is crossed.
        """
        self._started, self._awaited = True, False
        self._last_id = book.last_id
        self._findings.report.snapshots += 1
        return self._deliver(book)

    def require_started(self) -> None:
        """Refuse a recording that ended without a snapshot.

        Raises
        ------
        TapeFault
            If no book was ever delivered.
        """
        if not self._started:
            raise self._findings.fault(NO_SNAPSHOT)

    def _is_late(self, update: DepthUpdate) -> bool:
        if self._last is None or update.last_id > self._last_id:
            return False
        before = self._last
        if (update.first_id, update.last_id) == (before.first_id, before.last_id) and (
            update.bids == before.bids and update.asks == before.asks
        ):
            self._findings.note("duplicates", f"the depth update {update.last_id} came again")
        else:
            self._findings.meet(
                "out_of_order",
                f"the depth update {update.last_id} came after {self._last_id} was applied: "
                "sort the recording by its sequence ids",
            )
        return True

    def _holds(self, update: DepthUpdate) -> bool:
        # Futures repeat the update that ends exactly at the snapshot, spot begins after it.
        edge = self._last_id if self._by_previous_id else self._last_id + 1
        return update.last_id < edge

    def _await(self, update: DepthUpdate, previous_id: int) -> None:
        if len(self._waiting) < BUFFERED_UPDATES_MAX:
            self._waiting.append((update, previous_id))
        elif self._started:  # no snapshot came in time: live on with what the gap left
            self._awaited = False
            self._waiting.clear()
        else:
            raise self._findings.fault(
                f"no snapshot among the first {BUFFERED_UPDATES_MAX} updates: {CURE}"
            )

    def _require_next(self, update: DepthUpdate, previous_id: int) -> None:
        last_id = self._last_id
        if self._by_previous_id:
            follows = previous_id == last_id
            bridges = update.first_id <= last_id <= update.last_id
            seen = previous_id
        else:
            follows = update.first_id == last_id + 1
            bridges = update.first_id <= last_id + 1 <= update.last_id
            seen = update.first_id - 1
        if not (follows or (self._fresh_snapshot and bridges)):
            self._awaited = True
            self._findings.meet(
                "gaps", f"a depth update follows id {seen} but the one before ended at {last_id}"
            )
        self._fresh_snapshot = False
        self._last_id = update.last_id

    def _deliver(self, update: DepthUpdate) -> DepthUpdate:
        self._book.apply(update)
        if self._book.is_crossed:
            bids, asks = self._book.top(1)
            self._findings.meet(
                "crossed_books", f"crossed book: bid {bids[0][0]}, ask {asks[0][0]} ticks"
            )
        self._findings.report.depth_updates += 1
        return update


CURE = (
    "begin with a file that has one, such as the day before, or make a tape of one-level books "
    "with `dmm tape convert --book-from-quotes`"
)
NO_SNAPSHOT = f"no snapshot, so the book is unknown: {CURE}"


def fold(snapshot: DepthUpdate, updates: list[DepthUpdate]) -> DepthUpdate:
    """Return a snapshot as it stands after the updates, received when the snapshot was.

    Parameters
    ----------
    snapshot : the whole book
    updates : newer than the snapshot, in sequence
    """
    bids, asks = dict(snapshot.bids), dict(snapshot.asks)
    exchange_at_ns, last_id = snapshot.exchange_at_ns, snapshot.last_id
    for update in updates:
        bids.update(update.bids)
        asks.update(update.asks)
        exchange_at_ns = max(exchange_at_ns, update.exchange_at_ns)
        last_id = update.last_id
    return DepthUpdate(
        exchange_at_ns=Nanos(exchange_at_ns),
        received_at_ns=snapshot.received_at_ns,
        first_id=snapshot.first_id,
        last_id=last_id,
        is_snapshot=True,
        bids=_resting(bids),
        asks=_resting(asks),
    )


def _resting(levels: dict[Ticks, Lots]) -> tuple[Level, ...]:
    return tuple((price, size) for price, size in levels.items() if size)
