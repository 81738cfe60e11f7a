"""Playing a feed epoch by epoch, and playing it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from ports_memory import MemoryStore, same_slice
from trading_values import LINEAR, at_ms, depth, fill, policy_record

from dmm.adapters.venues.paper import PaperVenue
from dmm.governance.policy import Policy
from dmm.market.instrument import Instrument, Side
from dmm.market.tape import DepthUpdate, FeedEvent, TapeReport
from dmm.quoting.decision import Decision, SliceSummary
from dmm.quoting.decision_inputs import DecisionInputs
from dmm.quoting.presets import paper_cex_policy, scale_of
from dmm.sandbox.market import SimulatedMarket
from dmm.units.amount import Lots, Ticks
from dmm.units.errors import InvariantBroken, ServiceFault, UsageFault
from dmm.units.time import Nanos
from dmm.usecases.play import PlayEnd, equal_boundaries, play
from dmm.usecases.quote import QuotingWorker
from dmm.usecases.situation import EpochInputs

INPUTS = EpochInputs(policy=policy_record())


class ListFeed:
    """A feed of given events."""

    def __init__(self, events: Sequence[FeedEvent]) -> None:
        self._events = events

    @property
    def instrument(self) -> Instrument:
        return LINEAR

    @property
    def report(self) -> TapeReport:
        return TapeReport()

    def events(self) -> Iterator[FeedEvent]:
        return iter(self._events)


def worker_of(store: MemoryStore, instrument: Instrument = LINEAR) -> QuotingWorker:
    return QuotingWorker(
        run_id="run", instrument=instrument, venue=PaperVenue(instrument), store=store
    )


def play_list(
    events: Sequence[FeedEvent], boundaries: Sequence[Nanos], store: MemoryStore
) -> tuple[PlayEnd, list[SliceSummary]]:
    closed: list[SliceSummary] = []

    def on_boundary(epoch: int, summary: SliceSummary) -> EpochInputs:
        assert epoch == summary.epoch == len(closed)
        closed.append(summary)
        return INPUTS

    end = play(
        ListFeed(events),
        worker_of(store),
        first=INPUTS,
        boundaries=boundaries,
        on_boundary=on_boundary,
    )
    return end, closed


@pytest.mark.parametrize("boundaries", [(), (at_ms(5), at_ms(5)), (at_ms(9), at_ms(5))])
def test_boundaries_that_do_not_rise_are_refused(boundaries: tuple[Nanos, ...]) -> None:
    with pytest.raises(UsageFault, match="rising boundaries"):
        play_list([], boundaries, MemoryStore())


def test_every_epoch_yields_a_slice_even_without_events() -> None:
    ends = [at_ms(n) for n in (100, 200, 300, 400)]
    events = [depth(at, [(10, 1)], [(12, 1)]) for at in (10, 20, 250)]
    end, closed = play_list(events, ends, MemoryStore())
    assert end is PlayEnd.COMPLETED
    assert [summary.events for summary in closed] == [2, 0, 1, 0]
    assert [summary.ended_at_ns for summary in closed] == ends
    assert [summary.started_at_ns for summary in closed] == [at_ms(10), *ends[:-1]]


def test_an_empty_feed_yields_every_slice() -> None:
    end, closed = play_list([], [at_ms(100), at_ms(200)], MemoryStore())
    assert end is PlayEnd.COMPLETED
    assert [summary.events for summary in closed] == [0, 0]


def test_an_event_on_a_boundary_belongs_to_the_next_epoch_and_the_rest_is_left_alone() -> None:
    events = [depth(at, [(10, 1)], [(12, 1)]) for at in (99, 100, 200, 300)]
    _, closed = play_list(events, [at_ms(100), at_ms(200)], MemoryStore())
    assert [summary.events for summary in closed] == [1, 1]


def test_a_killed_play_stops_and_closes_nothing() -> None:
    store = MemoryStore()
    store.kill(reason="test", operator="me", now_ns=at_ms(0))
    end, closed = play_list([depth(1)], [at_ms(100)], store)
    assert (end, closed) == (PlayEnd.KILLED, [])
    assert store.decisions("run") == []
    end, closed = play_list([], [at_ms(100)], store)
    assert (end, closed) == (PlayEnd.KILLED, [])


def test_equal_boundaries_cover_the_span_and_end_just_after_it() -> None:
    ends = equal_boundaries(started_at_ns=100, ended_at_ns=199, epochs=3)
    assert ends == (133, 166, 200)
    with pytest.raises(UsageFault, match="0 epochs"):
        equal_boundaries(started_at_ns=0, ended_at_ns=9, epochs=0)


class Stopped(Exception):
    """The process died between two epochs."""


def simulated_feed() -> SimulatedMarket:
    return SimulatedMarket(np.random.default_rng(21), duration_s=60)


def simulated_policy() -> Policy:
    feed = simulated_feed()
    snapshot = next(feed.events())
    assert isinstance(snapshot, DepthUpdate)
    return paper_cex_policy(
        feed.instrument, scale_of(snapshot), reward_budget_atoms=0, buyback_budget_atoms_max=0
    )


def simulated(store: MemoryStore, *, epochs: int = 3, die_after: int | None = None) -> PlayEnd:
    feed, body = simulated_feed(), simulated_policy()
    record = policy_record(
        **{
            name: getattr(body, name)
            for name in type(body).__dataclass_fields__
            if name != "preset"
        }
    )
    inputs = EpochInputs(policy=record)

    def on_boundary(epoch: int, summary: SliceSummary) -> EpochInputs:
        if epoch == die_after:
            raise Stopped
        if not summary.position:
            return inputs
        side = Side.SELL if summary.position > 0 else Side.BUY
        hedge = fill(
            side,
            Ticks(summary.mid // 2),
            Lots(abs(summary.position)),
            instrument=feed.instrument,
            ordinal=1_000_000 + epoch,
            is_hedge=True,
            epoch=epoch,
        )
        return EpochInputs(policy=record, hedges=(hedge,))

    started_at_ns, ended_at_ns = feed.span
    return play(
        feed,
        worker_of(store, feed.instrument),
        first=inputs,
        boundaries=equal_boundaries(
            started_at_ns=started_at_ns, ended_at_ns=ended_at_ns, epochs=epochs
        ),
        on_boundary=on_boundary,
    )


class CountingStore(MemoryStore):
    """Counts fills that were new."""

    new_fills = 0

    def append_fills(self, fills, postings) -> int:  # type: ignore[no-untyped-def]
        new = super().append_fills(fills, postings)
        self.new_fills += new
        return new


def test_the_simulated_market_gives_dozens_of_fills() -> None:
    store = MemoryStore()
    assert simulated(store) is PlayEnd.COMPLETED
    assert len(store.fills("run")) > 36


def test_a_play_from_the_start_after_a_crash_is_the_same_byte_for_byte() -> None:
    whole = MemoryStore()
    simulated(whole)
    cut = CountingStore()
    with pytest.raises(Stopped):
        simulated(cut, die_after=1)
    booked = cut.new_fills
    assert 0 < booked < len(whole.fills("run"))
    simulated(cut)
    assert cut.decisions("run") == whole.decisions("run")
    assert cut.fills("run") == whole.fills("run")
    assert cut.new_fills == len(whole.fills("run"))
    assert cut.balances() == whole.balances()
    for epoch in range(3):
        one, other = cut.slice("run", epoch), whole.slice("run", epoch)
        assert one is not None
        assert other is not None
        assert same_slice(one, other)


def test_a_killed_play_goes_on_where_it_stopped_after_the_release() -> None:
    whole, store = MemoryStore(), MemoryStore()
    simulated(whole)

    class DyingSwitch(MemoryStore):
        looks = 0

        def latch(self):  # type: ignore[no-untyped-def]
            self.looks += 1
            if self.looks == 9:
                self.kill(reason="test", operator="me", now_ns=at_ms(0))
            return super().latch()

    store = DyingSwitch()
    assert simulated(store) is PlayEnd.KILLED
    assert 0 < len(store.decisions("run")) < len(whole.decisions("run"))
    store.release_kill(kill_id=1, order_sequence=1, operator="owners", now_ns=at_ms(1))
    assert simulated(store) is PlayEnd.COMPLETED
    assert store.decisions("run") == whole.decisions("run")
    assert store.fills("run") == whole.fills("run")


def test_another_outcome_of_the_same_run_breaks_the_journal() -> None:
    store = MemoryStore()
    simulated(store, epochs=3)
    with pytest.raises(InvariantBroken):
        simulated(store, epochs=2)


def test_a_decision_keeps_every_input_as_an_integer() -> None:
    store = MemoryStore()
    simulated(store)
    fields = {*Decision.__dataclass_fields__, *DecisionInputs.__dataclass_fields__} - {"inputs"}
    for record in store.decisions("run")[:20]:
        assert b"." not in record.body.replace(b'"', b"")
        for name in fields:
            assert f'"{name}"'.encode() in record.body


class FullDisk(MemoryStore):
    """Refuses writes of fills once some were taken, as a database on a full disk does."""

    def __init__(self, *, batches: int) -> None:
        super().__init__()
        self.batches_left = batches

    def append_fills(self, fills, postings) -> int:  # type: ignore[no-untyped-def]
        if not self.batches_left:
            raise ServiceFault("the database's disk is full: free space, then start again")
        self.batches_left -= 1
        return super().append_fills(fills, postings)


@pytest.mark.parametrize("batches", [0, 1])
def test_a_full_disk_stops_the_play_and_what_was_booked_is_whole(batches: int) -> None:
    whole = MemoryStore()
    simulated(whole)
    store = FullDisk(batches=batches)
    with pytest.raises(ServiceFault, match="disk is full"):
        simulated(store)
    booked = len(store.fills("run"))
    assert (booked > 0) == (batches > 0)
    assert booked < len(whole.fills("run"))
    # Space is free again: the run goes on to the same end.
    store.batches_left = 1_000
    simulated(store)
    assert store.fills("run") == whole.fills("run")
    assert store.balances() == whole.balances()
