"""Laws of whole decisions: limits hold whatever fills, and the journal decides the same again."""

from __future__ import annotations

from dataclasses import dataclass, replace

from decision_values import decision_inputs, working_of
from hypothesis import given
from hypothesis import strategies as st
from trading_values import INVERSE, LINEAR, at_ms, policy

from dmm.governance.policy import Policy
from dmm.market.instrument import Side
from dmm.quoting.decide import decide, decide_again
from dmm.quoting.decision import Decision
from dmm.quoting.decision_inputs import DecisionInputs, Working
from dmm.risk.breaker import Posture
from dmm.risk.limits import Cap, CapScope
from dmm.units.amount import Lots, Ticks

SHARES = st.integers(min_value=2_000, max_value=20_000)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    size = draw(st.integers(min_value=1, max_value=40))
    soft = size * draw(st.integers(min_value=1, max_value=4))
    short = draw(SHARES)
    return replace(
        policy(),
        model=draw(st.sampled_from(["as2008", "glft"])),
        fair_value=draw(st.sampled_from(["mid", "micro", "stoikov", "blend"])),
        skew=draw(st.sampled_from(["linear", "tanh", "cubic"])),
        quote_size_lots=size,
        inventory_soft_lots=soft,
        inventory_hard_lots=soft + size * draw(st.integers(min_value=0, max_value=4)),
        inventory_soft_short_bps=short,
        inventory_hard_short_bps=short,
        gamma_calm_bps=draw(st.integers(min_value=1_000, max_value=10_000)),
        gamma_hard_bps=draw(st.integers(min_value=10_000, max_value=40_000)),
        skew_near_spread_bps=draw(st.integers(min_value=0, max_value=10_000)),
        toxicity_tau_bps=draw(st.integers(min_value=0, max_value=20_000)),
        fair_reference_bps=5_000,
        fair_doubt_bps=draw(st.integers(min_value=0, max_value=20_000)),
        gas_size_bps=5_000,
        gas_stretch_bps_max=30_000,
    )


@st.composite
def situations(draw: st.DrawFn) -> DecisionInputs:
    bid = draw(st.integers(min_value=0, max_value=700_000))
    spread = draw(st.integers(min_value=0, max_value=50))
    working = draw(
        st.lists(
            st.builds(
                Working,
                client_id=st.text(max_size=5),
                side=st.sampled_from(list(Side)),
                price=st.integers(min_value=1, max_value=700_000).map(Ticks),
                remaining=st.integers(min_value=1, max_value=50).map(Lots),
            ),
            max_size=6,
            unique_by=lambda order: order.client_id,
        )
    )
    open_lots = st.integers(min_value=0, max_value=200)
    return decision_inputs(
        best_bid=bid,
        best_ask=bid + spread,
        best_bid_size=draw(open_lots),
        best_ask_size=draw(open_lots),
        mid=draw(st.integers(min_value=0, max_value=2)) and 2 * bid + spread,
        inventory=draw(st.integers(min_value=-300, max_value=300)),
        outstanding_buy=draw(open_lots),
        outstanding_sell=draw(open_lots),
        drawdown_atoms=draw(st.integers(min_value=0, max_value=2 * 10**9)),
        posture_before=draw(st.sampled_from(list(Posture))),
        feed_is_fresh=draw(st.booleans()),
        estimated_sigma_microticks=draw(st.integers(min_value=0, max_value=10**10)),
        estimated_kappa_nano=draw(st.integers(min_value=0, max_value=10**10)),
        online_sigma_microticks=draw(st.integers(min_value=0, max_value=10**10)),
        a_bid_micro=draw(st.integers(min_value=0, max_value=10**7)),
        a_ask_micro=draw(st.integers(min_value=0, max_value=10**7)),
        working=tuple(working),
        clock_offset_ns=draw(st.one_of(st.none(), st.integers(-(10**9), 10**9))),
        rate_weight_left=draw(st.one_of(st.none(), st.integers(0, 10))),
        caps=draw(
            st.just(())
            | st.tuples(
                st.builds(
                    Cap,
                    scope=st.sampled_from(list(CapScope)),
                    name=st.text(max_size=3),
                    room_buy=st.integers(-5, 50).map(Lots),
                    room_sell=st.integers(-5, 50).map(Lots),
                )
            )
        ),
        micro_adjust_microticks=draw(st.integers(-(10**6), 10**6)),
        reference_microticks=draw(st.sampled_from([0, 10**6 * bid])),
        toxic_cycles_before=draw(st.integers(0, 3)),
        gas_ratio_bps=draw(st.integers(0, 10**5)),
        realised_spread_bps=draw(st.integers(0, 20_000)),
        order_age_ns_max=draw(st.sampled_from([0, 10**9])),
    )


@given(inputs=situations(), body=policies(), instrument=st.sampled_from([LINEAR, INVERSE]))
def test_the_journal_decides_the_same_again_byte_for_byte(
    inputs: DecisionInputs, body: Policy, instrument: object
) -> None:
    decision = decide(inputs, policy=body, instrument=instrument)  # type: ignore[arg-type]
    journalled = decision.canonical_bytes
    again = decide_again(journalled, policy=body, instrument=instrument)  # type: ignore[arg-type]
    assert again == journalled


@given(inputs=situations(), body=policies())
def test_no_decision_crosses_repeats_an_order_or_forgets_one(
    inputs: DecisionInputs, body: Policy
) -> None:
    decision = decide(inputs, policy=body, instrument=LINEAR)
    working = {order.client_id for order in inputs.working}
    kept = {order.client_id for order in decision.keep}
    assert kept | set(decision.cancel) == working
    assert not kept & set(decision.cancel)
    for order in decision.place:
        assert decision.posture.may_quote
        if order.side is Side.BUY:
            assert 0 < order.price < inputs.best_ask
        else:
            assert order.price > inputs.best_bid
    if decision.place:
        full_ticks = 2 * decision.half_spread_microticks
        assert full_ticks >= body.spread_floor_ubps * inputs.mid // 20_000 - 2


@dataclass
class Book:
    """What may still fill: an order lives until it is filled or its cancel arrives."""

    inventory: int
    open: dict[str, Working]
    leaving: dict[str, int]

    def lots(self, side: Side) -> int:
        return sum(order.remaining for order in self.open.values() if order.side is side)

    def take(self, decision: Decision) -> None:
        for client_id in decision.cancel:
            self.leaving.setdefault(client_id, 2)
        for order in working_of(replace(decision, keep=())):
            assert order.client_id not in self.open
            self.open[order.client_id] = order

    def fill(self, client_id: str, lots: int) -> None:
        order = self.open[client_id]
        size = min(lots, order.remaining)
        self.inventory += order.side.sign * size
        if size == order.remaining:
            del self.open[client_id]
        else:
            self.open[client_id] = replace(order, remaining=Lots(order.remaining - size))

    def age(self) -> None:
        """Let cancels arrive two decisions after they were sent."""
        for client_id, left in list(self.leaving.items()):
            if left == 1:
                self.leaving.pop(client_id)
                self.open.pop(client_id, None)
            else:
                self.leaving[client_id] = left - 1


@given(body=policies(), data=st.data(), steps=st.integers(min_value=1, max_value=12))
def test_no_fills_of_anything_outstanding_ever_pass_a_hard_limit(
    body: Policy, data: st.DataObject, steps: int
) -> None:
    book = Book(inventory=0, open={}, leaving={})
    posture, mid = Posture.QUOTING, 1_236_005
    for seq in range(steps):
        mid += data.draw(st.integers(min_value=-200, max_value=200))
        bid = (mid - 1) // 2
        inputs = decision_inputs(
            seq=seq,
            decided_at_ns=at_ms(seq),
            received_at_ns=at_ms(seq),
            best_bid=bid,
            best_ask=mid - bid,
            mid=mid,
            inventory=book.inventory,
            outstanding_buy=book.lots(Side.BUY),
            outstanding_sell=book.lots(Side.SELL),
            posture_before=posture,
            a_bid_micro=10**6,
            a_ask_micro=10**6,
            working=tuple(order for name, order in book.open.items() if name not in book.leaving),
        )
        decision = decide(inputs, policy=body, instrument=LINEAR)
        posture = decision.posture
        book.take(decision)
        assert book.inventory + book.lots(Side.BUY) <= body.hard_long_lots
        assert book.lots(Side.SELL) - book.inventory <= body.hard_short_lots
        for client_id in data.draw(
            st.lists(st.sampled_from(sorted(book.open) or [""]), unique=True)
        ):
            if client_id:
                book.fill(client_id, data.draw(st.integers(min_value=1, max_value=50)))
        book.age()
        assert -body.hard_short_lots <= book.inventory <= body.hard_long_lots
