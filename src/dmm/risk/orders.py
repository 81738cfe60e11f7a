"""The life of one order: its states, what may follow what, and what of it may still fill.

::

    state             acknowl.  cancel_sent  cancel_ref.  replace_sent  replace_ref.  lost     ends
    pending_new       live      p_cancel     -            p_replace     -             unknown  yes
    live              live      p_cancel     live         p_replace     live          unknown  yes
    pending_cancel    same      same         live         -             same          unknown  yes
    pending_replace   same      p_cancel     same         same          live          unknown  yes
    unknown           live      unknown      unknown      -             unknown       unknown  yes

A fill leaves the state as it is until nothing is left; in `pending_new` it is a receipt too. An
order ends filled, cancelled, rejected or expired and never comes back. A replacement is an order
of its own from the moment it is sent, so that both count until the venue ends the first.

Messages overtake each other. An ending that gives up less than is left says that fills are still
under way: the rest counts until they are heard. A fill beyond that, of size already given up,
contradicts the venue's own word; it is money all the same and is booked, against what was lost.

At any time size = filled + lost + remaining, and `remaining` counts as filled for every limit,
whatever the state: unknown or ended too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from dmm.market.order import Order, ReportKind
from dmm.units.amount import Lots
from dmm.units.errors import InvariantBroken
from dmm.units.fast_init import fast_init
from dmm.units.time import Nanos


class OrderState(StrEnum):
    """Where an order is in its life."""

    PENDING_NEW = "pending_new"
    """Sent; the venue has not said a word about it."""
    LIVE = "live"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
    UNKNOWN = "unknown"
    """Something was sent and nothing is known: only a look at the venue tells."""
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def is_terminal(self) -> bool:
        """Tell whether the order has ended."""
        return self in _TERMINAL


class OrderEvent(StrEnum):
    """What may happen to an order; from `CANCELLED` on it ends it."""

    ACKNOWLEDGED = "acknowledged"
    """A receipt, or a look-up that found it open."""
    CANCEL_SENT = "cancel_sent"
    CANCEL_REFUSED = "cancel_refused"
    REPLACE_SENT = "replace_sent"
    REPLACE_REFUSED = "replace_refused"
    LOST = "lost"
    """A time-out, a broken connection, a receipt that is overdue."""
    FILLED = "filled"
    CANCELLED = "cancelled"
    """Also: replaced by another order."""
    REJECTED = "rejected"
    EXPIRED = "expired"
    RESOLVED = "resolved"
    """A look-up told that what is left will never fill; it may follow another ending."""


S, E = OrderState, OrderEvent
_TERMINAL = frozenset({S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED})
OPEN_STATES = tuple(state for state in OrderState if state not in _TERMINAL)
ENDINGS = {
    E.CANCELLED: S.CANCELLED,
    E.REJECTED: S.REJECTED,
    E.EXPIRED: S.EXPIRED,
    E.RESOLVED: S.CANCELLED,
}

TRANSITIONS: dict[tuple[OrderState, OrderEvent], OrderState] = {
    (S.PENDING_NEW, E.ACKNOWLEDGED): S.LIVE,
    (S.PENDING_NEW, E.CANCEL_SENT): S.PENDING_CANCEL,
    (S.PENDING_NEW, E.REPLACE_SENT): S.PENDING_REPLACE,
    (S.PENDING_NEW, E.FILLED): S.LIVE,
    (S.LIVE, E.ACKNOWLEDGED): S.LIVE,
    (S.LIVE, E.CANCEL_SENT): S.PENDING_CANCEL,
    (S.LIVE, E.CANCEL_REFUSED): S.LIVE,
    (S.LIVE, E.REPLACE_SENT): S.PENDING_REPLACE,
    (S.LIVE, E.REPLACE_REFUSED): S.LIVE,
    (S.LIVE, E.FILLED): S.LIVE,
    (S.PENDING_CANCEL, E.ACKNOWLEDGED): S.PENDING_CANCEL,
    (S.PENDING_CANCEL, E.CANCEL_SENT): S.PENDING_CANCEL,
    (S.PENDING_CANCEL, E.CANCEL_REFUSED): S.LIVE,
    (S.PENDING_CANCEL, E.REPLACE_REFUSED): S.PENDING_CANCEL,
    (S.PENDING_CANCEL, E.FILLED): S.PENDING_CANCEL,
    (S.PENDING_REPLACE, E.ACKNOWLEDGED): S.PENDING_REPLACE,
    (S.PENDING_REPLACE, E.CANCEL_SENT): S.PENDING_CANCEL,
    (S.PENDING_REPLACE, E.CANCEL_REFUSED): S.PENDING_REPLACE,
    (S.PENDING_REPLACE, E.REPLACE_SENT): S.PENDING_REPLACE,
    (S.PENDING_REPLACE, E.REPLACE_REFUSED): S.LIVE,
    (S.PENDING_REPLACE, E.FILLED): S.PENDING_REPLACE,
    (S.UNKNOWN, E.ACKNOWLEDGED): S.LIVE,
    (S.UNKNOWN, E.CANCEL_SENT): S.UNKNOWN,
    (S.UNKNOWN, E.CANCEL_REFUSED): S.UNKNOWN,
    (S.UNKNOWN, E.REPLACE_REFUSED): S.UNKNOWN,
    (S.UNKNOWN, E.FILLED): S.UNKNOWN,
    **{(state, E.LOST): S.UNKNOWN for state in OPEN_STATES},
    **{(state, event): end for state in OPEN_STATES for event, end in ENDINGS.items()},
}
"""Every change of an open order that is legal; after a fill that leaves nothing it is filled."""

OUR_ACTS = frozenset({E.CANCEL_SENT, E.REPLACE_SENT})
"""Acts of ours; for an order that has ended they are mistakes, not news."""

EVENT_OF_REPORT = {
    ReportKind.ACCEPTED: E.ACKNOWLEDGED,
    ReportKind.FILLED: E.FILLED,
    ReportKind.CANCELLED: E.CANCELLED,
    ReportKind.REJECTED: E.REJECTED,
}

NO_LOTS = Lots(0)
LONG_AGO_NS = Nanos(0)
NEVER_NS = Nanos(2**63 - 1)


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """An order and how far its life has come.

    `lost` is what the venue gave up, `late` what was heard filled after the end; both in lots.
    `since_ns` is when it came into its state. `expires_at_ns` is when the venue ends it by itself;
    `venue_order_id` is its receipt.
    """

    order: Order
    state: OrderState = OrderState.PENDING_NEW
    filled: Lots = NO_LOTS
    lost: Lots = NO_LOTS
    late: Lots = NO_LOTS
    since_ns: Nanos = LONG_AGO_NS
    expires_at_ns: Nanos = NEVER_NS
    venue_order_id: str = ""

    @property
    def remaining(self) -> Lots:
        """Return what may still fill as far as anybody knows, lots."""
        return Lots(self.order.size - self.filled - self.lost)

    @property
    def is_closed(self) -> bool:
        """Tell whether nothing of it is awaited any more: it ended and all its fills are heard."""
        return self.state in _TERMINAL and not self.remaining

    @property
    def is_uncertain(self) -> bool:
        """Tell whether its state is unknown, or it ended with fills that nobody has heard."""
        return self.state is S.UNKNOWN or (self.state in _TERMINAL and self.remaining > 0)

    @property
    def is_leaving(self) -> bool:
        """Tell whether it should not count as resting: its end was asked for, or is possible."""
        return self.state not in _STAYING


_STAYING = frozenset({S.PENDING_NEW, S.LIVE})


def step(
    record: OrderRecord,
    event: OrderEvent,
    *,
    at_ns: Nanos,
    size: Lots = NO_LOTS,
    venue_order_id: str = "",
) -> OrderRecord:
    """Return the record after an event.

    Parameters
    ----------
    record : the order before
    event : what happened
    at_ns : when, ns since 1970 UTC
    size : lots of a fill, > 0; or what an ending gives up, at most what is left
    venue_order_id : the venue's own id, when a receipt brings it

    Raises
    ------
    InvariantBroken
        If the event cannot follow: an act on an ended order, a fill beyond the size, an ending
        that gives up more than is left.
    """
    if event is E.FILLED:
        return _filled(record, size=size, at_ns=at_ns)
    if record.state in _TERMINAL:
        return _after_the_end(record, event, size=size)
    state = TRANSITIONS.get((record.state, event))
    most = record.remaining if event in ENDINGS else 0
    least = most if event is E.RESOLVED else 0
    if state is None or not least <= size <= most:
        raise _broken(record, event, size)
    return OrderRecord(
        order=record.order,
        state=state,
        filled=record.filled,
        lost=size,
        late=record.late,
        since_ns=record.since_ns if state is record.state else at_ns,
        expires_at_ns=record.expires_at_ns,
        venue_order_id=venue_order_id or record.venue_order_id,
    )


def _filled(record: OrderRecord, *, size: Lots, at_ns: Nanos) -> OrderRecord:
    left, is_late = record.remaining, record.state in _TERMINAL
    if not 0 < size <= (left + record.lost if is_late else left):
        raise _broken(record, E.FILLED, size)
    state = record.state
    if not is_late:
        state = S.FILLED if size == left else TRANSITIONS[state, E.FILLED]
    return OrderRecord(
        order=record.order,
        state=state,
        filled=Lots(record.filled + size),
        lost=Lots(record.lost - max(0, size - left)),
        late=Lots(record.late + size if is_late else record.late),
        since_ns=record.since_ns if state is record.state else at_ns,
        expires_at_ns=record.expires_at_ns,
        venue_order_id=record.venue_order_id,
    )


def _after_the_end(record: OrderRecord, event: OrderEvent, *, size: Lots) -> OrderRecord:
    """Return the record as it is: news that crossed with the end, or repeats it, changes nothing.

    A cancel that met a filled order is answered by a refusal, or by a cancellation of nothing. Only
    a look-up gives up what an ending left open.
    """
    if event is E.RESOLVED and size == record.remaining:
        return replace(record, lost=Lots(record.lost + size))
    repeats = event in ENDINGS and size in {0, record.lost, record.lost + record.late}
    if event in OUR_ACTS or (event in ENDINGS and not repeats):
        raise _broken(record, event, size)
    return record


def _broken(record: OrderRecord, event: OrderEvent, size: int) -> InvariantBroken:
    return InvariantBroken(
        f"{event.value} of {size} lots cannot follow for order {record.order.client_id}, which is "
        f"{record.state.value} with {record.filled} filled, {record.lost} lost and "
        f"{record.remaining} open of {record.order.size}: reconcile with the venue"
    )
