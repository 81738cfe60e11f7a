"""The engine against the reference, and the laws no replay may break."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from simulation_reference.reference import Reference, Terms, scripted, symmetric
from simulation_reference.tapes import PRICES, ms, prepared, print_of, replayed, tapes, terms_of
from trading_values import INSTRUMENTS

from dmm.market.instrument import Instrument
from dmm.market.order import TimeInForce
from dmm.market.tape import FeedEvent, TradePrint
from dmm.simulation.replay.layout import F_AT, F_FEE, F_IS_MAKER, F_PRICE, F_SIDE, F_SIZE, F_TAG
from dmm.simulation.replay.result import SetOutcome
from dmm.simulation.replay.run import ReplaySettings, replay
from dmm.simulation.replay.schedule import EveryInterval
from dmm.simulation.replay.sets import Action, Common, script_set, symmetric_set
from dmm.units.time import NS_PER_MS

COLUMNS = [F_AT, F_SIDE, F_PRICE, F_SIZE, F_FEE, F_IS_MAKER, F_TAG]
LATENCIES = st.sampled_from((0, NS_PER_MS // 2, 2 * NS_PER_MS))
QUEUES = st.sampled_from((("risk_averse", 1.0), ("power", 1.0), ("power", 2.5)))


@st.composite
def scripts(draw: st.DrawFn) -> list[Action]:
    actions = []
    for number in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(("place", "place", "place", "cancel", "replace")))
        actions.append(
            Action(
                at_ns=ms(0.25 + 2 * number),
                kind=kind,
                tag=draw(st.integers(0, 3)) if kind != "place" else number % 4,
                side=draw(st.sampled_from((1, -1))),
                price=draw(PRICES),
                size=draw(st.integers(1, 15)),
                time_in_force=draw(st.sampled_from(list(TimeInForce))),
            )
        )
    return actions


@st.composite
def all_terms(draw: st.DrawFn) -> Terms:
    queue, power = draw(QUEUES)
    return Terms(
        entry_ns=draw(LATENCIES),
        response_ns=draw(LATENCIES),
        feed_ns=draw(LATENCIES),
        queue=queue,
        power=power,
        maker_ubps=draw(st.sampled_from((-500_000, 0, 1_234_567))),
        taker_ubps=draw(st.sampled_from((0, 4_000_001))),
        funding=[(ms(7.5), draw(st.sampled_from((-1_000_000, 3_333_333))))],
    )


def engine_terms(terms: Terms) -> object:
    return terms_of(
        entry_ns=terms.entry_ns,
        response_ns=terms.response_ns,
        queue=terms.queue,
        power=terms.power,
        maker_ubps=terms.maker_ubps,
        taker_ubps=terms.taker_ubps,
    )


def require_equal(outcome: SetOutcome, reference: Reference) -> None:
    assert [tuple(row) for row in outcome.fills[:, COLUMNS].tolist()] == reference.fills
    venue = outcome.venues[0]
    assert venue.inventory_lots == reference.inventory
    assert venue.cash_atoms == reference.cash
    assert venue.fees_atoms == reference.fees
    assert venue.funding_atoms == reference.funding_paid
    assert outcome.orders_rejected == reference.rejected
    assert outcome.summary.pnl == reference.pnl


@given(tape=tapes(), actions=scripts(), terms=all_terms(), instrument=st.sampled_from(INSTRUMENTS))
def test_the_engine_does_what_the_reference_does_with_any_orders(
    tape: list[FeedEvent], actions: list[Action], terms: Terms, instrument: Instrument
) -> None:
    reference = Reference(instrument, terms).play(
        tape, scripted(actions), [action.at_ns for action in actions]
    )
    outcome = replayed(
        prepared(tape, instrument=instrument, feed_ns=terms.feed_ns),
        script_set(actions),
        engine_terms(terms),
        funding=terms.funding,
    )
    require_equal(outcome, reference)


@given(
    tape=tapes(),
    terms=all_terms(),
    half=st.sampled_from((0.3, 1.0, 1.7)),
    skew=st.sampled_from((0.0, 0.21)),
    levels=st.integers(1, 3),
)
def test_the_engine_does_what_the_reference_does_when_it_quotes(
    tape: list[FeedEvent], terms: Terms, half: float, skew: float, levels: int
) -> None:
    last_ns = max(event.exchange_at_ns for event in tape) + terms.feed_ns
    first_ns = tape[0].exchange_at_ns + terms.feed_ns
    times_ns = range(first_ns + 2 * NS_PER_MS, last_ns + 1, 2 * NS_PER_MS)
    reference = Reference(INSTRUMENTS[0], terms).play(
        tape, symmetric(half=half, skew=skew, size=3, most=7, levels=levels), times_ns
    )
    common = Common(
        size_lots=3,
        inventory_max_lots=7,
        levels=levels,
        pace=EveryInterval(interval_ns=2 * NS_PER_MS),
    )
    outcome = replayed(
        prepared(tape, feed_ns=terms.feed_ns),
        symmetric_set(common, half_ticks=half, skew_ticks_per_lot=skew),
        engine_terms(terms),
        funding=terms.funding,
    )
    require_equal(outcome, reference)


COMMON = Common(size_lots=4, inventory_max_lots=9, pace=EveryInterval(interval_ns=NS_PER_MS))


@given(tape=tapes(), later=tapes(), terms=all_terms(), cut=st.integers(1, 25))
def test_what_comes_later_never_changes_an_earlier_fill(
    tape: list[FeedEvent], later: list[FeedEvent], terms: Terms, cut: int
) -> None:
    kept = [event for event in tape if event.exchange_at_ns < ms(cut)]
    changed = [*kept, *(event for event in later if event.exchange_at_ns >= ms(cut))]
    one = symmetric_set(COMMON, half_ticks=0.6, skew_ticks_per_lot=0.1)
    fills = [
        replayed(prepared(events, feed_ns=terms.feed_ns), one, engine_terms(terms)).fills
        for events in (tape, changed)
    ]
    before = [rows[rows[:, F_AT] < ms(cut)][:, COLUMNS] for rows in fills]
    assert np.array_equal(before[0], before[1])


@given(tape=tapes(), side=st.sampled_from((1, -1)), price=PRICES, delay=st.integers(1, 5))
def test_more_latency_never_gives_more_queue_priority(
    tape: list[FeedEvent], side: int, price: int, delay: int
) -> None:
    order = script_set(
        [Action(at_ns=ms(0.25), kind="place", tag=0, side=side, price=price, size=500)]
    )
    filled = []
    for entry_ns in (0, delay * NS_PER_MS):
        outcome = replayed(prepared(tape), order, terms_of(entry_ns=entry_ns))
        if outcome.orders_rejected:
            return  # it never rested: there is no priority to compare
        filled.append(outcome.fills)
    for at_ns in {event.exchange_at_ns for event in tape}:
        early, late = (int(rows[rows[:, F_AT] <= at_ns][:, F_SIZE].sum()) for rows in filled)
        assert late <= early


@given(tape=tapes(), terms=all_terms(), levels=st.integers(1, 4))
def test_two_own_orders_never_fill_from_the_same_liquidity(
    tape: list[FeedEvent], terms: Terms, levels: int
) -> None:
    common = Common(
        size_lots=2, inventory_max_lots=50, levels=levels,
        pace=EveryInterval(interval_ns=NS_PER_MS),
    )  # fmt: skip
    outcome = replayed(
        prepared(tape, feed_ns=terms.feed_ns),
        symmetric_set(common, half_ticks=0.5),
        engine_terms(terms),
    )
    traded: dict[tuple[int, int], int] = {}
    for event in tape:
        if isinstance(event, TradePrint):
            key = event.exchange_at_ns, -1 if event.buyer_is_aggressor else 1
            traded[key] = traded.get(key, 0) + event.size
    for at_ns, side in {(int(row[F_AT]), int(row[F_SIDE])) for row in outcome.fills}:
        rows = outcome.fills[(outcome.fills[:, F_AT] == at_ns) & (outcome.fills[:, F_SIDE] == side)]
        assert rows[:, F_SIZE].sum() <= traded[at_ns, side]


@given(tape=tapes(), terms=all_terms(), blocks=st.integers(1, 7))
def test_a_grid_is_its_single_runs_bit_for_bit_however_it_is_cut(
    tape: list[FeedEvent], terms: Terms, blocks: int
) -> None:
    sets = [
        symmetric_set(COMMON, half_ticks=0.2 * number, skew_ticks_per_lot=0.05 * number)
        for number in range(1, 8)
    ]
    ready, at = prepared(tape, feed_ns=terms.feed_ns), [engine_terms(terms)]
    settings = ReplaySettings(fills_max=40)
    with ThreadPoolExecutor(3) as pool:
        grid = replay(ready, sets, terms=at, settings=settings, blocks=blocks, mapper=pool.map)
    for number, one in enumerate(sets):
        alone = replay(ready, [one], terms=at, settings=settings)
        outcome, single = grid.outcomes[number], alone.outcomes[0]
        assert outcome.fills.tobytes() == single.fills.tobytes()
        assert outcome.blocks.tobytes() == single.blocks.tobytes()
        assert outcome.summary == single.summary
        assert outcome.venues == single.venues


def sum_of(rows: Sequence[int]) -> int:
    return int(np.sum(rows))


@given(tape=tapes(), terms=all_terms())
def test_fills_beyond_the_bound_are_counted_never_dropped_in_silence(
    tape: list[FeedEvent], terms: Terms
) -> None:
    one = symmetric_set(COMMON, half_ticks=0.4)
    ready, at = prepared(tape, feed_ns=terms.feed_ns), [engine_terms(terms)]
    full = replay(ready, [one], terms=at).outcomes[0]
    short = replay(ready, [one], terms=at, settings=ReplaySettings(fills_max=1)).outcomes[0]
    assert full.fills_dropped == 0
    assert len(short.fills) + short.fills_dropped == len(full.fills) == full.summary.fills
    assert short.summary == full.summary
    assert sum_of(full.fills[:, F_SIZE]) == full.summary.volume


def test_the_tapes_of_these_laws_do_fill() -> None:
    tape = [
        *prepared_events(),
        print_of(3, 95, 12, buyer=False),
    ]
    outcome = replayed(prepared(tape), symmetric_set(COMMON, half_ticks=0.4), terms_of())
    assert outcome.summary.fills > 0


def prepared_events() -> list[FeedEvent]:
    from simulation_reference.tapes import book  # noqa: PLC0415

    return [book(0, [(99, 1)], [(101, 1)], whole=True), book(2, [(98, 1)], [(102, 1)])]
