"""Laws of the engine's desk, and of money: fees by time, funding at its instant, several venues."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace as changed

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from numba import njit
from simulation_reference.tapes import book, ms, prepared, print_of, replayed, tapes, terms_of
from trading_values import INSTRUMENTS, policy

from dmm.ledger.fills import cash_flow, marked_atoms
from dmm.market.instrument import Instrument, Side
from dmm.market.order import TimeInForce
from dmm.market.tape import FeedEvent, TradePrint
from dmm.market.tape_columns import columns_of
from dmm.simulation.replay import desk_fills
from dmm.simulation.replay.latency import Latency
from dmm.simulation.replay.layout import F_AT, F_FEE, F_IS_MAKER, F_PRICE, F_SIDE, F_SIZE
from dmm.simulation.replay.prepare import VenueTape, prepare
from dmm.simulation.replay.result import SetOutcome
from dmm.simulation.replay.run import FeeTerms, Funding, ReplaySettings, VenueTerms, replay
from dmm.simulation.replay.schedule import EveryInterval, OrderLatency
from dmm.simulation.replay.sets import Action, Common, desk_set, script_set, symmetric_set
from dmm.units.amount import HalfTicks, Lots, Ticks, ceil_div
from dmm.units.time import NS_PER_MS, Nanos

UBPS_ONE = 10_000_000_000
LATENCIES = st.sampled_from((0, NS_PER_MS // 2, 2 * NS_PER_MS))

QUICK = {
    "refresh_ms": 2,
    "quote_size_lots": 4,
    "inventory_soft_lots": 4,
    "inventory_hard_lots": 9,
    "spread_floor_ubps": 0,
    "guard_bps": 5_000,
    "sigma_ubps_1s_min": 1,
    "sigma_ubps_1s_max": 2_000_000_000,
    "toxicity_threshold_ubps": 1,
    "toxicity_tau_bps": 5_000,
    "toxicity_cycles": 3,
    "toxicity_sustained": 1,
    "drawdown_atoms_max": 10**12,
}
MEASURED = {"sigma_microticks": 1, "kappa_nano": 1}
"""Tapes of milliseconds tell no volatility, and the desk quotes on none that nobody measured."""

DESK = desk_set(policy(**QUICK), **MEASURED)


def delayed(entry_ns: int, response_ns: int = 0) -> VenueTerms:
    return terms_of(entry_ns=entry_ns, response_ns=response_ns, maker_ubps=150_000)


def rising(tape: Sequence[FeedEvent]) -> list[FeedEvent]:
    """Return the events with no two at one instant."""
    return [
        changed(
            event,
            exchange_at_ns=event.exchange_at_ns + number,
            received_at_ns=event.received_at_ns + number,
        )
        for number, event in enumerate(tape)
    ]


def same(one: SetOutcome, other: SetOutcome) -> bool:
    return (
        one.fills.tobytes() == other.fills.tobytes()
        and one.venues == other.venues
        and one.decisions == other.decisions
        and one.orders_sent == other.orders_sent
        and one.summary == other.summary
    )


@given(tape=tapes(count=60), entry_ns=LATENCIES)
def test_a_desk_without_feed_latency_trades_on_two_clocks_as_on_one(
    tape: list[FeedEvent], entry_ns: int
) -> None:
    events = rising(tape)
    one, two = (
        replayed(prepared(events, clock=clock), DESK, delayed(entry_ns))
        for clock in ("received", "both")
    )
    assert same(one, two)


@given(
    tape=tapes(count=60), later=tapes(count=60), cut=st.integers(3, 40), entry_ns=LATENCIES,
    feed_ns=LATENCIES, response_ns=LATENCIES,
)  # fmt: skip
def test_what_comes_later_never_changes_an_earlier_fill_of_a_desk(
    tape: list[FeedEvent], later: list[FeedEvent], cut: int, entry_ns: int, feed_ns: int,
    response_ns: int,
) -> None:  # fmt: skip
    kept = [event for event in tape if event.exchange_at_ns < ms(cut)]
    perturbed = [*kept, *(event for event in later if event.exchange_at_ns >= ms(cut))]
    fills = [
        replayed(prepared(events, feed_ns=feed_ns), DESK, delayed(entry_ns, response_ns)).fills
        for events in (tape, perturbed)
    ]
    columns = [F_AT, F_SIDE, F_PRICE, F_SIZE, F_FEE]
    before = [rows[rows[:, F_AT] < ms(cut)][:, columns] for rows in fills]
    assert np.array_equal(before[0], before[1])


@given(tape=tapes(count=50), feed_ns=LATENCIES, entry_ns=LATENCIES, blocks=st.integers(1, 6))
def test_a_desk_among_others_trades_as_it_does_alone_however_the_sets_are_cut(
    tape: list[FeedEvent], feed_ns: int, entry_ns: int, blocks: int
) -> None:
    common = Common(size_lots=3, inventory_max_lots=9, pace=EveryInterval(interval_ns=NS_PER_MS))
    sets = [
        desk_set(
            policy(**{**QUICK, "refresh_ms": refresh, "skew_beta_ubps": 200_000 * refresh}),
            **MEASURED,
        )
        for refresh in (1, 2, 3, 5)
    ]
    sets[1:1] = [symmetric_set(common, half_ticks=0.6), symmetric_set(common, half_ticks=1.1)]
    samples = (0, NS_PER_MS // 3, 2 * NS_PER_MS)
    drawn = OrderLatency(
        entry=Latency(samples_ns=samples, seed=2**64 - entry_ns),
        response=Latency(samples_ns=samples, seed=7),
    )
    terms = [VenueTerms(delays=drawn)]
    ready, settings = prepared(tape, feed_ns=feed_ns), ReplaySettings(fills_max=60)
    with ThreadPoolExecutor(3) as pool:
        grid = replay(ready, sets, terms=terms, settings=settings, blocks=blocks, mapper=pool.map)
    for number, one in enumerate(sets):
        alone = replay(ready, [one], terms=terms, settings=settings).outcomes[0]
        assert same(grid.outcomes[number], alone)


@given(tape=tapes(count=60), entry_ns=LATENCIES, feed_ns=LATENCIES)
def test_a_desk_s_orders_never_fill_from_the_same_liquidity_nor_beyond_its_limits(
    tape: list[FeedEvent], entry_ns: int, feed_ns: int
) -> None:
    outcome = replayed(prepared(tape, feed_ns=feed_ns), DESK, delayed(entry_ns))
    traded: dict[tuple[int, int], int] = {}
    for event in tape:
        if isinstance(event, TradePrint):
            key = event.exchange_at_ns, -1 if event.buyer_is_aggressor else 1
            traded[key] = traded.get(key, 0) + event.size
    filled: dict[tuple[int, int], int] = {}
    held = 0
    for row in outcome.fills.tolist():
        key = row[F_AT], row[F_SIDE]
        filled[key] = filled.get(key, 0) + row[F_SIZE]
        held += row[F_SIDE] * row[F_SIZE]
        assert abs(held) <= QUICK["inventory_hard_lots"]
    assert all(lots <= traded[key] for key, lots in filled.items())


def test_the_desk_of_these_laws_does_fill() -> None:
    tape = [book(0, [(99, 1)], [(101, 1)], whole=True)]
    tape += [book(at, [(98, 1 + at % 3)]) for at in range(1, 9)]
    tape += [print_of(10, 95, 3, buyer=False), print_of(11, 105, 9, buyer=True)]
    outcome = replayed(prepared(tape), DESK, delayed(0))
    assert outcome.summary.fills >= 2


# -- money --------------------------------------------------------------------------------------

ORDERS = st.lists(
    st.tuples(st.integers(97, 103), st.sampled_from((1, -1)), st.integers(1, 9)),
    min_size=1,
    max_size=8,
)


def scripted(orders: Sequence[tuple[int, int, int]], venue: int = 0) -> list[Action]:
    return [
        Action(
            at_ns=ms(0.25 + 2 * number), kind="place", tag=number, side=side, price=price,
            size=size, time_in_force=TimeInForce.GTC, venue=venue,
        )
        for number, (price, side, size) in enumerate(orders)
    ]  # fmt: skip


@given(
    tape=tapes(),
    orders=ORDERS,
    instrument=st.sampled_from(INSTRUMENTS),
    tiers=st.lists(
        st.tuples(st.integers(1, 40), st.integers(-500_000, 900_000), st.integers(0, 9_000_000)),
        max_size=3,
        unique_by=lambda tier: tier[0],
    ),
    rates=st.lists(
        st.tuples(st.integers(1, 40), st.integers(-4_000_000, 4_000_000)),
        max_size=3,
        unique_by=lambda due: due[0],
    ),
)
def test_profit_is_cash_and_the_marked_inventory_with_fees_and_funding_of_their_times(
    tape: list[FeedEvent],
    orders: list[tuple[int, int, int]],
    instrument: Instrument,
    tiers: list[tuple[int, int, int]],
    rates: list[tuple[int, int]],
) -> None:
    later = [
        FeeTerms(from_ns=ms(at), maker_ubps=maker, taker_ubps=taker)
        for at, maker, taker in sorted(tiers)
    ]
    fees = (FeeTerms(maker_ubps=150_000, taker_ubps=4_000_001), *later)
    mark = HalfTicks(201)
    # Between two messages, where what is held is beyond doubt.
    due = [
        Funding(at_ns=Nanos(ms(at) + 1), rate_ubps=rate, mark_half_ticks=mark)
        for at, rate in sorted(rates)
    ]
    ready = prepared(tape, instrument=instrument)
    outcome = replay(
        ready, [script_set(scripted(orders))], terms=[VenueTerms(fees=fees)], funding=due
    ).outcomes[0]
    cash = held = paid = 0
    pending = list(due)
    for row in outcome.fills.tolist():
        while pending and pending[0].at_ns <= row[F_AT]:
            paid += _funded(instrument, held, pending.pop(0), mark)
        tier = [one for one in fees if one.from_ns <= row[F_AT]][-1]
        rate = tier.maker_ubps if row[F_IS_MAKER] else tier.taker_ubps
        worth = instrument.cash_atoms(
            price=Ticks(row[F_PRICE]), size=Lots(row[F_SIZE]), rounded_up=rate > 0
        )
        assert row[F_FEE] == ceil_div(worth * rate, UBPS_ONE)
        side = Side.BUY if row[F_SIDE] > 0 else Side.SELL
        cash += cash_flow(instrument, side=side, price=Ticks(row[F_PRICE]), size=Lots(row[F_SIZE]))
        cash -= row[F_FEE]
        held += row[F_SIDE] * row[F_SIZE]
    paid += sum(_funded(instrument, held, one, mark) for one in pending)
    venue = outcome.venues[0]
    assert (venue.inventory_lots, venue.funding_atoms) == (held, paid)
    assert venue.cash_atoms == cash - paid
    mid = HalfTicks(int(ready.views[0].mid[-1]))
    worth = marked_atoms(instrument, inventory=Lots(held), mid=mid) if held and mid else 0
    assert outcome.summary.pnl == cash - paid + worth


def _funded(instrument: Instrument, held: int, due: Funding, mark: HalfTicks) -> int:
    if not held:
        return 0
    worth = abs(marked_atoms(instrument, inventory=Lots(held), mid=mark))
    return ceil_div(worth * (due.rate_ubps if held > 0 else -due.rate_ubps), UBPS_ONE)


@given(first=tapes(), second=tapes(), orders=ORDERS, entry_ns=LATENCIES)
def test_a_venue_beside_another_fills_as_it_does_alone(
    first: list[FeedEvent], second: list[FeedEvent], orders: list[tuple[int, int, int]],
    entry_ns: int,
) -> None:  # fmt: skip
    linear, inverse = INSTRUMENTS
    venues = [
        VenueTape(columns=columns_of(first), instrument=linear),
        VenueTape(columns=columns_of(second), instrument=inverse),
    ]
    terms = [delayed(entry_ns)] * 2
    actions = sorted(
        itertools.chain(scripted(orders), scripted(orders[::-1], venue=1)), key=lambda a: a.at_ns
    )
    together = replay(prepare(venues), [script_set(actions)], terms=terms).outcomes[0]
    for venue, one in enumerate(venues):
        own = [changed(action, venue=0) for action in actions if action.venue == venue]
        alone = replay(prepare([one]), [script_set(own)], terms=terms[:1]).outcomes[0]
        rows = together.fills[together.fills[:, 1] == venue]
        columns = [F_AT, F_SIDE, F_PRICE, F_SIZE, F_FEE, F_IS_MAKER]
        assert np.array_equal(rows[:, columns], alone.fills[:, columns])
        assert together.venues[venue] == alone.venues[0]


# -- what a judgement is made of ----------------------------------------------------------------

FACTOR = st.integers(0, 2**62)


@njit
def _is_less(a: int, b: int, c: int, d: int) -> int:
    return desk_fills.product_is_less(a, b, c, d)


@njit
def _scaled(part: int, whole: int) -> int:
    return desk_fills.scaled(part, whole)


@given(a=FACTOR, b=FACTOR, c=FACTOR, d=FACTOR)
def test_products_beyond_64_bits_are_compared_exactly(a: int, b: int, c: int, d: int) -> None:
    assert _is_less(a, b, c, d) == (a * b < c * d)
    assert _is_less(a, b, b, a) == 0


@given(part=st.integers(0, 2**58), whole=st.integers(1, 2**59 - 1))
def test_a_deviation_is_the_quotient_of_whole_numbers(part: int, whole: int) -> None:
    assume(part // whole < 10**8)
    assert _scaled(part, whole) == part * UBPS_ONE // whole
