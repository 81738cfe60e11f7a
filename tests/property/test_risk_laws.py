"""Laws of limits, orders, postures, budgets and risk figures."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trading_values import INSTRUMENTS, LINEAR, START_NS, at_ms, fill, levels, order

from dmm.ledger.position import Position
from dmm.market.instrument import Instrument, Side
from dmm.risk.breaker import AFTER_RELEASE, Posture, Signals, demanded, next_posture
from dmm.risk.concentration import concentration
from dmm.risk.gate import Accepted, Exposure, gate
from dmm.risk.inventory import apply_with_gas
from dmm.risk.kill import ROUNDS_MAX, KillAct, begin_kill
from dmm.risk.limits import Limits
from dmm.risk.orders import ENDINGS, OrderEvent, OrderRecord, OrderState, step
from dmm.risk.outstanding import Outstanding
from dmm.risk.quote_age import FillTimes
from dmm.risk.rate import BUCKETS_MAX, GRANTED, RateBudget, RateWindow
from dmm.risk.release import ExecutedRelease, Held, ManualReset, release
from dmm.risk.stress import Scenario, StressBook, run
from dmm.risk.toxicity import COOL, ToxicityRules, after_score, score_ubps
from dmm.risk.var import TailRisk, tail_risk
from dmm.units.amount import Atoms, HalfTicks, Lots, Ticks
from dmm.units.errors import InvariantBroken
from dmm.units.time import NS_PER_S, Nanos

# -- posture ----------------------------------------------------------------------------------

SIGNALS = st.builds(Signals, **{field.name: st.booleans() for field in fields(Signals)})
# Mostly calm, for random signals are nearly always deadly.
RARELY = st.integers(0, 7).map(lambda drawn: drawn == 0)
USUAL = st.builds(
    Signals,
    **{
        field.name: RARELY.map(lambda drawn: not drawn)
        if field.name in {"latch_readable", "market_visible"}
        else RARELY
        for field in fields(Signals)
    },
)


@given(first=st.sampled_from(list(Posture)), moments=st.lists(USUAL, max_size=40))
def test_a_posture_never_loosens_without_its_release(
    first: Posture, moments: list[Signals]
) -> None:
    posture = first
    for signals in moments:
        before, wanted = posture, demanded(signals)
        posture = next_posture(before, signals)
        assert posture.severity >= wanted.severity
        if posture.severity < before.severity:
            assert not before.is_latched
            assert posture is wanted


@given(
    held=st.builds(
        Held,
        posture=st.sampled_from(list(Posture)),
        latch_id=st.integers(1, 3),
        latched_at_ns=st.integers(0, 3).map(at_ms),
    ),
    given_release=st.one_of(
        st.builds(
            ManualReset,
            operator=st.sampled_from(["", "ann"]),
            reason=st.sampled_from(["", "why"]),
            reset_at_ns=st.integers(0, 3).map(at_ms),
        ),
        st.builds(
            ExecutedRelease,
            kill_id=st.integers(1, 3),
            order_sequence=st.integers(-1, 2),
            tx_id=st.sampled_from(["", "0xab"]),
        ),
    ),
)
def test_a_reset_opens_a_halt_only_and_an_order_its_own_kill_only(
    held: Held, given_release: ManualReset | ExecutedRelease
) -> None:
    after = release(held, given_release)
    if not isinstance(after, Posture):
        return
    assert after is AFTER_RELEASE
    if isinstance(given_release, ManualReset):
        assert held.posture is Posture.HALTED
    else:
        assert (held.posture, held.latch_id) == (Posture.KILLED, given_release.kill_id)


@given(signals=SIGNALS, name=st.sampled_from([field.name for field in fields(Signals)]))
def test_one_more_bad_signal_never_makes_the_desk_bolder(signals: Signals, name: str) -> None:
    bad = name not in {"latch_readable", "market_visible"}
    worse = replace(signals, **{name: bad})
    assert demanded(worse).severity >= demanded(signals).severity


# -- orders -----------------------------------------------------------------------------------

EVENTS = st.lists(
    st.tuples(st.sampled_from(list(OrderEvent)), st.integers(-1, 12)), min_size=1, max_size=25
)


@given(events=EVENTS, size=st.integers(1, 12))
def test_an_order_conserves_its_size_and_never_rises_from_its_end(
    events: list[tuple[OrderEvent, int]], size: int
) -> None:
    record = OrderRecord(order=order(Side.BUY, 100, size))
    for number, (event, lots) in enumerate(events):
        wanted = lots if event is OrderEvent.FILLED or event in ENDINGS else 0
        try:
            after = step(record, event, at_ns=at_ms(number), size=Lots(wanted))
        except InvariantBroken:
            continue
        assert after.filled + after.lost + after.remaining == size
        assert min(after.filled, after.lost, after.remaining, after.late) >= 0
        assert after.filled - record.filled == (wanted if event is OrderEvent.FILLED else 0)
        assert after.late <= after.filled
        if record.state.is_terminal:
            assert after.state is record.state
            assert after.remaining <= record.remaining
        assert (after.state is OrderState.FILLED) <= (after.filled == size)
        record = after


HARD_LONG, HARD_SHORT = 20, 13
LIMITS = Limits(
    inventory_hard=Lots(99),
    inventory_hard_long=Lots(HARD_LONG),
    inventory_hard_short=Lots(HARD_SHORT),
    order_size_max=Lots(9),
    outstanding_lots_max=Lots(1_000),
    price_band_bps=1_000,
    drawdown_atoms_max=0,
    unknown_orders_max=1_000,
)


class VenueAndDesk:
    """A venue that fills and ends orders, whose messages arrive in any order, and a desk."""

    def __init__(self) -> None:
        self.outstanding = Outstanding()
        self.booked = 0
        self.at_venue = 0
        self.open: dict[str, tuple[Side, int]] = {}
        self.messages: list[tuple[str, OrderEvent, int]] = []
        self.sent = 0

    def send(self, side: Side, size: int) -> None:
        judged = order(side, 1_000 if side is Side.BUY else 1_002, size, client_id=f"o{self.sent}")
        exposure = Exposure(
            posture=Posture.QUOTING,
            feed_is_fresh=True,
            best_bid=Ticks(1_000),
            best_ask=Ticks(1_002),
            inventory=Lots(self.booked),
            outstanding_buy=self.outstanding.lots(Side.BUY),
            outstanding_sell=self.outstanding.lots(Side.SELL),
            drawdown_atoms=Atoms(0),
            unknown_orders=self.outstanding.unknown_orders,
        )
        if isinstance(gate(judged, instrument=LINEAR, limits=LIMITS, exposure=exposure), Accepted):
            self.sent += 1
            self.outstanding.add(judged)
            self.open[judged.client_id] = (side, size)

    def pick(self, number: int) -> str | None:
        return sorted(self.open)[number % len(self.open)] if self.open else None

    def fill(self, number: int, size: int) -> None:
        client_id = self.pick(number)
        if client_id is not None:
            side, left = self.open[client_id]
            size = min(size, left)
            self.at_venue += side.sign * size
            self.messages.append((client_id, OrderEvent.FILLED, size))
            self.open[client_id] = (side, left - size)
            if size == left:
                del self.open[client_id]

    def end(self, number: int, event: OrderEvent) -> None:
        client_id = self.pick(number)
        if client_id is not None:
            self.messages.append((client_id, event, self.open.pop(client_id)[1]))

    def hear(self, number: int) -> None:
        if self.messages:
            client_id, event, size = self.messages.pop(number % len(self.messages))
            record = self.outstanding.hear(client_id, event, at_ns=START_NS, size=Lots(size))
            if event is OrderEvent.FILLED:
                self.booked += record.order.side.sign * size

    def tell(self, number: int, event: OrderEvent) -> None:
        records = self.outstanding.records()
        live = [one.order.client_id for one in records if not one.state.is_terminal]
        if live:
            self.outstanding.hear(live[number % len(live)], event, at_ns=START_NS)

    def check(self) -> None:
        long = self.booked + self.outstanding.lots(Side.BUY)
        short = self.outstanding.lots(Side.SELL) - self.booked
        assert long <= HARD_LONG
        assert short <= HARD_SHORT
        assert -HARD_SHORT <= self.at_venue <= HARD_LONG
        assert -short <= self.at_venue <= long


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "fill", "end", "hear", "hear", "cancel", "lose"]),
        st.integers(0, 30),
        st.sampled_from(list(Side)),
        st.integers(1, 9),
        st.sampled_from([OrderEvent.CANCELLED, OrderEvent.EXPIRED]),
    ),
    max_size=60,
)


@settings(max_examples=300)
@given(steps=STEPS)
def test_whatever_happens_position_and_all_that_may_fill_stay_within_the_hard_limits(
    steps: list[tuple[str, int, Side, int, OrderEvent]],
) -> None:
    both = VenueAndDesk()
    for action, number, side, size, ending in steps:
        match action:
            case "send":
                both.send(side, size)
            case "fill":
                both.fill(number, size)
            case "end":
                both.end(number, ending)
            case "hear":
                both.hear(number)
            case "cancel":
                both.tell(number, OrderEvent.CANCEL_SENT)
            case _:
                both.tell(number, OrderEvent.LOST)
        both.check()
    for number in range(both.sent):
        both.end(number, OrderEvent.CANCELLED)
    while both.messages:
        both.hear(both.sent * 7)
        both.check()
    assert both.booked == both.at_venue
    assert not both.outstanding
    assert both.outstanding.unknown_orders == 0


@given(
    open_by_round=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=2 * ROUNDS_MAX
    )
)
def test_a_kill_ends_with_nothing_open_or_with_a_person(
    open_by_round: list[tuple[int, int]],
) -> None:
    rounds, acts = begin_kill(START_NS), []
    for number, (at_venue, in_books) in enumerate(open_by_round, 1):
        now_ns = at_ms(1_000 * number)
        if not rounds.is_due(now_ns):
            break
        rounds, act = rounds.after_look(now_ns, at_venue=at_venue, in_books=in_books)
        acts.append(act)
        assert act is not KillAct.CANCEL or at_venue > 0
        is_clear = at_venue == in_books == 0
        assert rounds.is_over is (is_clear or act is KillAct.CALL_A_PERSON)
    assert acts.count(KillAct.CALL_A_PERSON) <= 1
    assert len(acts) <= ROUNDS_MAX + 1


# -- budgets ----------------------------------------------------------------------------------

REQUESTS = st.lists(
    st.tuples(st.integers(-200, 700), st.integers(1, 6), st.booleans()), max_size=120
)


@given(requests=REQUESTS, weight_max=st.integers(2, 40), reserve=st.integers(1, 39), data=st.data())
def test_a_budget_is_never_exceeded_and_always_leaves_room_for_cancels(
    requests: list[tuple[int, int, bool]], weight_max: int, reserve: int, data: st.DataObject
) -> None:
    reserve = min(reserve, weight_max - 1)
    short = RateWindow(length_ns=NS_PER_S, weight_max=weight_max, cancel_reserve=reserve)
    long = RateWindow(
        length_ns=4 * NS_PER_S,
        weight_max=2 * weight_max,
        cancel_reserve=data.draw(st.integers(0, reserve)),
    )
    budget = RateBudget((short, long))
    spent: list[tuple[int, int]] = []
    now_ns = int(START_NS)
    latest_ns = 0  # the budget's time is the latest it was given, and begins with the first
    for moved_ms, weight, is_cancel in requests:
        now_ns += moved_ms * 1_000_000
        latest_ns = max(latest_ns, now_ns)
        if budget.spend(weight, now_ns=Nanos(now_ns), is_cancel=is_cancel) is not GRANTED:
            continue
        spent.append((latest_ns, weight))
        for window in (short, long):
            recent = sum(w for at, w in spent if at > latest_ns - window.length_ns)
            assert recent <= window.weight_max
            if not is_cancel:
                assert recent <= window.weight_max - window.cancel_reserve
        if not is_cancel:
            room = budget.left(now_ns=Nanos(now_ns), is_cancel=True)
            assert room >= min(short.cancel_reserve, long.cancel_reserve)
    assert all(len(used._steps) <= BUCKETS_MAX + 1 for used in budget._used)


@given(requests=REQUESTS, weight=st.integers(1, 7))
def test_a_request_that_was_withheld_fits_when_it_was_told_to_come_back(
    requests: list[tuple[int, int, bool]], weight: int
) -> None:
    budget = RateBudget((RateWindow(length_ns=NS_PER_S, weight_max=10, cancel_reserve=3),))
    now_ns = int(START_NS)
    for moved_ms, other, is_cancel in requests:
        now_ns += abs(moved_ms) * 100_000
        budget.spend(other, now_ns=Nanos(now_ns), is_cancel=is_cancel)
    verdict = budget.spend(weight, now_ns=Nanos(now_ns))
    if verdict is not GRANTED:
        retry_at_ns: Any = getattr(verdict, "retry_at_ns")  # noqa: B009
        assert now_ns < retry_at_ns
        assert budget.spend(weight, now_ns=retry_at_ns) is GRANTED


# -- quality ----------------------------------------------------------------------------------


@given(
    ages=st.lists(st.integers(0, 1_000), min_size=1, max_size=200),
    percentile=st.integers(1, 9_999),
)
def test_with_nothing_pulled_the_age_limit_is_the_nearest_rank_percentile(
    ages: list[int], percentile: int
) -> None:
    times = FillTimes(samples_min=1)
    for age in ages:
        times.take_fill(age)
    rank = -(-len(ages) * percentile // 10_000)
    assert times.age_ns_max(percentile_bps=percentile) == sorted(ages)[rank - 1]


MIDS = st.integers(1, 10**9)


@given(before=MIDS, after=MIDS, faster=st.integers(0, 10**11), slower=st.integers(0, 10**11))
def test_a_toxicity_score_is_bounded_by_the_move_and_never_grows_with_the_wait(
    before: int, after: int, faster: int, slower: int
) -> None:
    faster, slower = sorted((faster, slower))
    quick, slow = (
        score_ubps(
            side=Side.SELL,
            mid_before=HalfTicks(before),
            mid_after=HalfTicks(after),
            time_to_fill_ns=time_ns,
        )
        for time_ns in (faster, slower)
    )
    move = Fraction((after - before) * 10**10, before)
    assert abs(quick) <= abs(move) + 1
    assert (quick >= slow) if after >= before else (quick <= slow)


@given(
    scores=st.lists(st.integers(-10, 10), max_size=60),
    sustained=st.integers(1, 4),
    cycles=st.integers(0, 6),
)
def test_widening_ends_within_its_cycles_of_the_last_toxic_fill(
    scores: list[int], sustained: int, cycles: int
) -> None:
    rules = ToxicityRules(threshold_ubps=3, tau_bps=500, cycles=cycles, sustained=sustained)
    state, since_toxic = COOL, 0
    for score in scores:
        state = after_score(state, score, rules=rules)
        since_toxic = 0 if score > 3 else since_toxic + 1
        assert 0 <= state.cycles_left <= cycles
        assert state.toxic_run <= sustained
        if since_toxic > cycles:
            assert state.cycles_left == 0
        # As a decision does: each cycle that was quoted takes one off.
        state = replace(state, cycles_left=max(0, state.cycles_left - 1))


# -- figures ----------------------------------------------------------------------------------

PNL = st.lists(st.integers(-(10**12), 10**12), min_size=20, max_size=200)
LEVELS = st.integers(1, 9_500)


def figures(pnl: list[int], level_bps: int) -> TailRisk:
    found = tail_risk(pnl, level_bps=level_bps)
    assert isinstance(found, TailRisk)
    return found


@given(pnl=PNL, level=LEVELS, other=LEVELS)
def test_var_is_below_cvar_and_both_rise_with_the_level(
    pnl: list[int], level: int, other: int
) -> None:
    low, high = (figures(pnl, one) for one in sorted((level, other)))
    for one in (low, high):
        assert one.var_atoms <= one.cvar_atoms <= -min(pnl)
        assert -one.var_atoms in pnl
    assert low.var_atoms <= high.var_atoms
    assert low.cvar_atoms <= high.cvar_atoms


@given(
    pnl=PNL,
    level=LEVELS,
    more=st.integers(-(10**12), 10**12),
    times=st.integers(1, 1_000),
)
def test_risk_moves_with_cash_and_scales_with_the_book(
    pnl: list[int], level: int, more: int, times: int
) -> None:
    plain = figures(pnl, level)
    moved = figures([one + more for one in pnl], level)
    assert moved.var_atoms == plain.var_atoms - more
    assert moved.cvar_atoms == plain.cvar_atoms - more
    scaled = figures([one * times for one in pnl], level)
    assert scaled.var_atoms == plain.var_atoms * times
    # The mean of the tail is rounded up once, before or after the scaling.
    assert (plain.cvar_atoms - 1) * times < scaled.cvar_atoms <= plain.cvar_atoms * times


@given(
    pairs=st.lists(
        st.tuples(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9)),
        min_size=20,
        max_size=80,
    ),
    level=LEVELS,
)
def test_cvar_never_punishes_putting_two_books_together(
    pairs: list[tuple[int, int]], level: int
) -> None:
    together = figures([a + b for a, b in pairs], level).cvar_atoms
    apart = sum(figures([pair[n] for pair in pairs], level).cvar_atoms for n in (0, 1))
    assert together <= apart


@given(
    exposures=st.dictionaries(st.text(max_size=3), st.integers(-(10**20), 10**20), max_size=12),
    times=st.integers(1, 1_000),
)
def test_concentration_lies_between_equal_parts_and_one_and_knows_no_currency(
    exposures: dict[str, int], times: int
) -> None:
    found = concentration(exposures)
    held = [size for size in exposures.values() if size]
    if found is None:
        assert not held
        return
    assert Fraction(1, len(held)) <= found.hhi <= 1
    assert found.hhi <= Fraction(max(map(abs, held)), sum(map(abs, held)))
    scaled = concentration({name: -size * times for name, size in exposures.items()})
    assert scaled == found


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda one: one.kind.value)
@given(data=st.data())
def test_gas_in_the_basis_changes_when_profit_is_shown_and_never_how_much(
    instrument: Instrument, data: st.DataObject
) -> None:
    plain = with_gas = Position(instrument=instrument)
    total = 0
    for number in range(data.draw(st.integers(1, 12))):
        one = fill(
            data.draw(st.sampled_from(list(Side))),
            data.draw(st.integers(1, 10_000)),
            data.draw(st.integers(1, 50)),
            instrument=instrument,
            ordinal=number,
        )
        gas = data.draw(st.integers(0, 10**6))
        total += gas
        plain, with_gas = plain.apply(one), apply_with_gas(with_gas, one, gas_atoms=Atoms(gas))
        assert with_gas.inventory == plain.inventory
        assert plain.cash_atoms - with_gas.cash_atoms == total
        if not with_gas.inventory:
            assert with_gas.basis_atoms == 0


@given(
    inventory=st.integers(-500, 500),
    shock=st.integers(-9_000, 9_000),
    sigma=st.integers(0, 50_000_000),
    thin=st.integers(0, 10_000),
    worse=st.integers(0, 10_000),
)
def test_a_worse_day_never_costs_less(
    inventory: int, shock: int, sigma: int, thin: int, worse: int
) -> None:
    book = StressBook(
        instrument=LINEAR,
        inventory=Lots(inventory),
        bids=levels((99_990, 40), (99_900, 300)),
        asks=levels((100_010, 40), (100_100, 300)),
        sigma_microticks_1s=sigma,
        hold_ns=NS_PER_S,
        gas_atoms=5,
        stable_atoms=10**6,
    )
    day = Scenario(name="bad", price_shock_bps=shock, depth_bps=thin)
    bad = run(book, day)
    thinner = run(book, replace(day, depth_bps=max(0, thin - worse)))
    dearer = run(book, replace(day, gas_bps=10_000 + worse, depeg_ppm=worse))
    wilder = run(book, replace(day, sigma_bps=10_000 + worse))
    assert thinner.liquidation_atoms <= bad.liquidation_atoms <= 0
    assert dearer.total_atoms <= bad.total_atoms
    assert wilder.volatility_atoms <= bad.volatility_atoms <= 0
