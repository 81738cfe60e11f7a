"""Orders whose end nobody told: no new ones meanwhile, and the venue's word resolves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ports_memory import MemoryStore
from trading_values import LINEAR, MEASURED, at_ms, depth, policy_record

from dmm.adapters.venues.paper import PaperVenue
from dmm.market.order import OrderReport, ReportKind
from dmm.market.tape import FeedEvent
from dmm.market.view import MarketView
from dmm.risk.breaker import Posture
from dmm.risk.reconcile import VenueReport
from dmm.units.time import Nanos
from dmm.usecases.quote import QuotingWorker, WorkerSettings
from dmm.usecases.situation import EpochInputs

BOOK = ([(618_000, 50), (617_990, 80)], [(618_010, 50), (618_020, 80)])
MOVED = ([(619_000, 50), (618_990, 80)], [(619_010, 50), (619_020, 80)])


class Forgetful(PaperVenue):
    """Loses cancels, or the word that an order was cancelled, until it is told to remember."""

    loses_cancels = loses_word = False

    def cancel(self, client_id: str, *, now_ns: Nanos) -> None:
        if not self.loses_cancels:
            super().cancel(client_id, now_ns=now_ns)

    def advance(self, now_ns: Nanos, market: MarketView) -> Sequence[OrderReport]:
        reports = super().advance(now_ns, market)
        if not self.loses_word:
            return reports
        return [one for one in reports if one.kind is not ReportKind.CANCELLED]


class Desk:
    def __init__(self) -> None:
        self.venue = Forgetful(LINEAR)
        self.worker = QuotingWorker(
            run_id="run",
            instrument=LINEAR,
            venue=self.venue,
            store=MemoryStore(),
            settings=WorkerSettings(latch_every=1),
        )
        self.worker.begin_epoch(
            0,
            started_at_ns=at_ms(0),
            inputs=EpochInputs(policy=policy_record(), estimates=MEASURED),
        )
        self.play(*still(BOOK, 0, 1_000))
        assert len(self.open_ids) == 6
        self.postures: set[Posture] = set()

    def play(self, *events: FeedEvent) -> None:
        for event in events:
            self.worker.on_event(event)
            if hasattr(self, "postures"):
                self.postures.add(self.worker.posture)

    @property
    def open_ids(self) -> set[str]:
        return {order.client_id for order in self.venue.open_orders}


def still(
    book: tuple[list[tuple[int, int]], list[tuple[int, int]]], from_ms: int, to_ms: int
) -> list[FeedEvent]:
    first = depth(from_ms, *book, is_snapshot=True)
    return [first, *(depth(at) for at in range(from_ms + 100, to_ms, 100))]


def test_an_order_whose_cancel_was_lost_is_found_open_and_cancelled_again() -> None:
    desk = Desk()
    before = desk.open_ids
    desk.venue.loses_cancels = True
    desk.play(*still(MOVED, 1_000, 7_000))
    assert before & desk.open_ids
    desk.venue.loses_cancels = False
    desk.play(*still(MOVED, 7_000, 20_000))
    assert Posture.CANCEL_ONLY in desk.postures
    assert not before & desk.open_ids
    assert desk.worker.posture is Posture.QUOTING
    assert len(desk.open_ids) == 6


def test_an_order_that_is_gone_without_a_word_is_resolved_by_the_venues_list() -> None:
    desk = Desk()
    desk.venue.loses_word = True
    desk.play(*still(MOVED, 1_000, 2_000))
    desk.venue.loses_word = False
    desk.play(*still(MOVED, 2_000, 6_000))
    assert Posture.CANCEL_ONLY not in desk.postures
    desk.play(*still(MOVED, 6_000, 14_000))
    assert Posture.CANCEL_ONLY in desk.postures
    assert desk.worker.posture is Posture.QUOTING
    assert len(desk.open_ids) == 6


def test_an_order_that_filled_more_than_we_heard_stays_unknown() -> None:
    desk = Desk()
    gone = min(desk.open_ids)
    told = desk.venue.statement

    def statement(*, now_ns: Nanos, cursor: int) -> VenueReport:
        report = told(now_ns=now_ns, cursor=cursor)
        return replace(report, filled={gone: 3})

    desk.venue.statement = statement  # type: ignore[method-assign]
    desk.venue.loses_word = True
    desk.play(*still(MOVED, 1_000, 2_000))
    desk.venue.loses_word = False
    desk.play(*still(MOVED, 2_000, 20_000))
    assert desk.worker.posture is Posture.CANCEL_ONLY
    assert desk.worker._orders._orders.unknown_orders == 1
