"""What our fills tell the next decision."""

from __future__ import annotations

from dataclasses import replace

from decision_values import decision_inputs, working_of
from trading_values import LINEAR, fill, policy

from dmm.governance.policy import Policy
from dmm.market.instrument import Side
from dmm.market.order import Fill
from dmm.quoting.decide import decide
from dmm.quoting.decision import Decision
from dmm.quoting.fill_watch import DEVIATION_NS, JUDGED_MAX, JUDGED_MIN, PENDING_MAX, FillWatch
from dmm.risk.quote_age import SAMPLES_MIN
from dmm.risk.toxicity import HORIZON_NS
from dmm.units.amount import BPS_ONE, HalfTicks, Lots
from dmm.units.time import NS_PER_S, Nanos

RULES = replace(
    policy(),
    toxicity_threshold_ubps=1_000_000,
    toxicity_tau_bps=5_000,
    toxicity_cycles=4,
)
MID = 1_236_005
"""Half ticks, the mid of the shared decision inputs."""

T0 = decision_inputs().decided_at_ns


def quoted(at_ns: int = T0) -> Decision:
    inputs = decision_inputs(decided_at_ns=at_ns, received_at_ns=at_ns)
    return decide(inputs, policy=RULES, instrument=LINEAR)


def bought(decision: Decision, *, after_ns: int, number: int = 0) -> Fill:
    """Return a fill of the innermost bid some time later, at the mid it was quoted at."""
    order = next(order for order in decision.place if order.side is Side.BUY)
    return replace(
        fill(Side.BUY, order.price, 2, mid=MID, ordinal=number),
        client_id=order.client_id,
        filled_at_ns=Nanos(order.created_at_ns + after_ns),
    )


def watched(fills: int, *, after_ns: int = NS_PER_S) -> tuple[FillWatch, Decision]:
    watch, decision = FillWatch(), quoted()
    watch.take_decision(decision)
    for number in range(fills):
        watch.take_fill(bought(decision, after_ns=after_ns, number=number), reference_microticks=0)
    return watch, decision


def later(seconds: float = 10) -> Nanos:
    return Nanos(T0 + round(seconds * NS_PER_S))


def test_nothing_filled_tells_nothing() -> None:
    read = FillWatch().look(T0, HalfTicks(MID), RULES)
    assert (read.toxicity.cycles_left, read.fill_deviation_ubps, read.order_age_ns_max) == (0, 0, 0)
    assert read.realised_spread_bps == BPS_ONE


def test_a_run_of_fills_before_an_adverse_move_is_toxic_and_cools_by_cycles() -> None:
    watch, _ = watched(3)
    fallen = HalfTicks(MID - MID // 1_000)
    before_horizon = Nanos(T0 + NS_PER_S + HORIZON_NS - 1)
    assert watch.look(before_horizon, fallen, RULES).toxicity.cycles_left == 0
    read = watch.look(later(), fallen, RULES)
    assert read.toxicity.cycles_left == RULES.toxicity_cycles
    for left in (3, 2, 1, 0, 0):
        inputs = decision_inputs(
            toxic_run_before=read.toxicity.toxic_run, toxic_cycles_before=read.toxicity.cycles_left
        )
        watch.take_decision(decide(inputs, policy=RULES, instrument=LINEAR))
        read = watch.look(later(), fallen, RULES)
        assert read.toxicity.cycles_left == left


def test_fills_before_a_move_in_our_favour_are_not_toxic() -> None:
    watch, _ = watched(3)
    assert watch.look(later(), HalfTicks(MID + MID // 1_000), RULES).toxicity.cycles_left == 0


def test_a_toxic_fill_widens_the_next_quote() -> None:
    calm = quoted()
    toxic = decide(decision_inputs(toxic_cycles_before=2), policy=RULES, instrument=LINEAR)
    assert toxic.half_spread_microticks > calm.half_spread_microticks


def test_the_realised_spread_is_the_whole_one_when_the_mid_stays_and_less_when_it_falls() -> None:
    watch, decision = watched(JUDGED_MIN)
    stayed = watch.look(later(), HalfTicks(MID), RULES)
    edge = MID * 500_000 - decision.place[0].price * 1_000_000
    assert stayed.realised_spread_bps == edge * BPS_ONE // decision.half_spread_microticks
    watch, decision = watched(JUDGED_MIN)
    at_price = HalfTicks(2 * decision.place[0].price)
    assert watch.look(later(), at_price, RULES).realised_spread_bps == 0


def test_too_few_judged_fills_say_nothing_of_the_spread() -> None:
    watch, _ = watched(JUDGED_MIN - 1)
    assert watch.look(later(), HalfTicks(1), RULES).realised_spread_bps == BPS_ONE


def test_old_fills_leave_the_comparison() -> None:
    watch, decision = watched(JUDGED_MAX)
    at_price = HalfTicks(2 * decision.place[0].price)
    assert watch.look(later(), at_price, RULES).realised_spread_bps == 0
    for number in range(JUDGED_MAX):
        watch.take_fill(bought(decision, after_ns=NS_PER_S, number=number), reference_microticks=0)
    assert watch.look(later(), HalfTicks(MID), RULES).realised_spread_bps > 0


def test_the_worst_fill_off_its_reference_is_told_until_it_has_aged_out() -> None:
    watch, decision = FillWatch(), quoted()
    watch.take_decision(decision)
    one = bought(decision, after_ns=0)
    reference = one.price * 1_000_000
    watch.take_fill(one, reference_microticks=reference + reference // 100)
    watch.take_fill(one, reference_microticks=reference)
    assert watch.look(T0, HalfTicks(MID), RULES).fill_deviation_ubps // 1_000_000 == 99
    old = Nanos(one.filled_at_ns + DEVIATION_NS)
    assert watch.look(old, HalfTicks(MID), RULES).fill_deviation_ubps == 0


def test_quotes_older_than_most_fills_take_are_pulled_and_count_as_samples() -> None:
    watch, decision = watched(SAMPLES_MIN, after_ns=2 * NS_PER_S)
    read = watch.look(later(), HalfTicks(MID), RULES)
    assert read.order_age_ns_max == 2 * NS_PER_S
    inputs = decision_inputs(
        decided_at_ns=later(2.5),
        received_at_ns=later(2.5),
        order_age_ns_max=read.order_age_ns_max,
        working=working_of(decision),
    )
    again = decide(inputs, policy=RULES, instrument=LINEAR)
    assert set(again.cancel) == {order.client_id for order in decision.place}
    watch.take_decision(again)
    assert watch.look(later(), HalfTicks(MID), RULES).order_age_ns_max in {0, 2 * NS_PER_S}


def test_a_percentile_of_the_whole_pulls_nothing() -> None:
    watch, _ = watched(SAMPLES_MIN, after_ns=NS_PER_S)
    never: Policy = replace(RULES, quote_age_percentile_bps=BPS_ONE)
    assert watch.look(later(), HalfTicks(MID), never).order_age_ns_max == 0


def test_more_fills_than_may_wait_are_judged_at_once() -> None:
    watch, _ = watched(PENDING_MAX + 3)
    assert watch.look(T0, HalfTicks(1), RULES).toxicity.cycles_left == RULES.toxicity_cycles


def test_without_a_mid_nothing_is_judged_yet() -> None:
    watch, _ = watched(3)
    assert watch.look(later(), HalfTicks(0), RULES).toxicity.toxic_run == 0
    assert watch.look(later(), HalfTicks(MID // 2), RULES).toxicity.toxic_run == 3


def test_a_fill_of_an_order_nobody_placed_is_judged_without_a_promise() -> None:
    watch = FillWatch()
    watch.take_fill(
        replace(fill(Side.SELL, 618_000, 1, mid=MID), size=Lots(1)), reference_microticks=0
    )
    assert watch.look(later(10**6), HalfTicks(MID), RULES).realised_spread_bps == BPS_ONE
