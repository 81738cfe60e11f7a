"""A shadow quotes as the desk would, and nothing can leave it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import takewhile
from typing import NoReturn

import numpy as np
import pytest
from ports_memory import MemoryStore
from trading_values import MEASURED, policy_record

from dmm.adapters.shadow_journal import ShadowJournal
from dmm.adapters.venues.paper import PaperVenue
from dmm.adapters.venues.shadow import ShadowVenue
from dmm.market.order import Fill
from dmm.market.tape import FeedEvent
from dmm.ports import HaltLatch, Venue
from dmm.risk.rate import RateWindow
from dmm.sandbox.market import SimulatedMarket
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.quote import QuotingWorker
from dmm.usecases.situation import EpochInputs

WINDOWS = (RateWindow(length_ns=10 * NS_PER_S, weight_max=1_000, cancel_reserve=250),)
SPAN_NS = 40 * NS_PER_S


class Untouchable:
    """A live venue that lets itself be read, and ends the test when anything is asked of it."""

    name = "exchange"
    rate_windows = WINDOWS

    def _touched(self, *_: object, **__: object) -> NoReturn:
        raise AssertionError("something reached the live venue")

    submit = cancel = cancel_all = statement = arm = advance = observe = _touched


class Journal(MemoryStore):
    """A live journal in memory; a halt that reaches it ends the test."""

    def halt(self, *, run_id: str, reason: str, now_ns: Nanos) -> NoReturn:
        raise AssertionError("a shadow halted the desk")

    def halted(self) -> HaltLatch | None:
        raise AssertionError("a shadow asked for the desk's halt")

    def clock_offset_ns(self) -> int | None:
        return 0


def events() -> Iterator[FeedEvent]:
    market = SimulatedMarket(np.random.default_rng(3), duration_s=60)
    everything = list(market.events())
    end_ns = everything[0].received_at_ns + SPAN_NS
    return takewhile(lambda event: event.received_at_ns < end_ns, everything)


def quoted(
    venue: Venue, store: Journal | MemoryStore, *, live: bool, **changes: object
) -> tuple[list[Fill], QuotingWorker]:
    instrument = SimulatedMarket(np.random.default_rng(3)).instrument
    kept = ShadowJournal(store) if live else store  # type: ignore[arg-type]
    worker = QuotingWorker(
        run_id="run",
        instrument=instrument,
        venue=venue,
        store=kept,  # type: ignore[arg-type]
        live=kept if live else None,  # type: ignore[arg-type]
    )
    inputs = EpochInputs(policy=policy_record(**changes), estimates=MEASURED)  # type: ignore[arg-type]
    played = list(events())
    worker.begin_epoch(0, started_at_ns=played[0].received_at_ns, inputs=inputs)
    for event in played:
        worker.on_event(event)
    worker.shutdown()
    return store.fills("run"), worker


def test_a_live_venue_is_never_touched_by_its_shadow() -> None:
    instrument = SimulatedMarket(np.random.default_rng(3)).instrument
    shadow = ShadowVenue.of(Untouchable(), instrument)
    fills, worker = quoted(shadow, Journal(), live=True, refresh_ms=200)
    assert len(fills) > 10
    assert worker.decisions > 100
    assert {fill.venue for fill in fills} == {"shadow:exchange"}


def test_a_shadow_holds_no_way_to_the_venue_it_stands_for() -> None:
    live = Untouchable()
    shadow = ShadowVenue.of(live, SimulatedMarket(np.random.default_rng(3)).instrument)
    assert shadow.rate_windows == WINDOWS
    held: list[object] = [shadow]
    seen: set[int] = set()
    while held:
        one = held.pop()
        # Classes and functions are everybody's; a venue hides in data.
        if id(one) in seen or isinstance(one, type) or callable(one):
            continue
        seen.add(id(one))
        assert one is not live
        held += gc.get_referents(one)
    assert len(seen) > 5


def test_a_shadow_is_filled_as_the_paper_venue_is() -> None:
    instrument = SimulatedMarket(np.random.default_rng(3)).instrument
    paper = PaperVenue(instrument, rate_windows=WINDOWS)
    expected, _ = quoted(paper, MemoryStore(), live=False)
    found, _ = quoted(ShadowVenue.of(Untouchable(), instrument), Journal(), live=True)

    def facts(fills: list[Fill]) -> list[tuple[object, ...]]:
        return [(f.filled_at_ns, f.side, f.price, f.size, f.fee_atoms) for f in fills]

    assert facts(found) == facts(expected)


def test_the_ledger_hears_of_no_hypothetical_fill() -> None:
    instrument = SimulatedMarket(np.random.default_rng(3)).instrument
    store, real = Journal(), MemoryStore()
    fills, _ = quoted(ShadowVenue.of(Untouchable(), instrument), store, live=True)
    quoted(PaperVenue(instrument), real, live=False)
    assert fills
    assert not any(store.balances().values())
    assert any(real.balances().values())


def test_a_shadows_drawdown_halts_the_shadow_alone() -> None:
    instrument = SimulatedMarket(np.random.default_rng(3)).instrument
    venue = ShadowVenue.of(Untouchable(), instrument)
    _, worker = quoted(venue, Journal(), live=True, refresh_ms=200, drawdown_atoms_max=1)
    assert worker.posture.value == "halted"


@pytest.mark.parametrize("read", ["latch", "clock_offset_ns"])
def test_kill_switch_and_clock_are_the_desks_own(read: str) -> None:
    class Read(Journal):
        def latch(self) -> object:  # type: ignore[override]
            return "latch"

        def clock_offset_ns(self) -> int | None:
            return 77

    expected = {"latch": "latch", "clock_offset_ns": 77}[read]
    assert getattr(ShadowJournal(Read()), read)() == expected
