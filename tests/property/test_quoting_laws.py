"""Laws of every quote."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from trading_values import policy

from dmm.market.instrument import Side
from dmm.quoting.decision import RestingQuote
from dmm.quoting.ladder import build_ladder, side_size, split_size
from dmm.quoting.price import Priced, price_quote
from dmm.quoting.refresh import Working, plan_refresh
from dmm.quoting.scale import QuoteInputs, inputs_in_ticks
from dmm.units.amount import HalfTicks, Lots, Ticks

SIZES = st.integers(min_value=1, max_value=10_000)


@st.composite
def quote_inputs(draw: st.DrawFn) -> QuoteInputs:
    size = draw(SIZES)
    soft = size * draw(st.integers(min_value=1, max_value=8))
    hard = soft + size * draw(st.integers(min_value=1, max_value=8))
    body = policy(
        quote_size_lots=size,
        inventory_soft_lots=soft,
        inventory_hard_lots=hard,
        gamma_nano_per_bp=draw(st.integers(min_value=1, max_value=10**8)),
        spread_floor_ubps=draw(st.integers(min_value=0, max_value=50_000_000)),
        skew_beta_ubps=draw(st.integers(min_value=0, max_value=5_000_000)),
    )
    return inputs_in_ticks(
        body,
        mid=HalfTicks(draw(st.integers(min_value=2_001, max_value=10**9))),
        inventory=Lots(draw(st.integers(min_value=-2 * hard, max_value=2 * hard))),
        sigma_microticks=draw(st.integers(min_value=0, max_value=10**12)),
        kappa_nano=draw(st.integers(min_value=0, max_value=10**12)),
    )


@given(inputs=quote_inputs(), spread=st.integers(min_value=1, max_value=50))
def test_no_order_crosses_rounds_inwards_or_exceeds_the_size(
    inputs: QuoteInputs, spread: int
) -> None:
    priced = price_quote(inputs, widened=False)
    if not isinstance(priced, Priced):
        return
    best_bid = Ticks((inputs.mid - spread) // 2)
    best_ask = Ticks(best_bid + spread)
    ladder = build_ladder(priced, inputs, best_bid=best_bid, best_ask=best_ask)
    for quote in ladder:
        if quote.side is Side.BUY:
            assert quote.price < best_ask
            assert quote.price <= priced.bid_ticks
        else:
            assert quote.price > best_bid
            assert quote.price >= priced.ask_ticks
    for side in Side:
        total = sum(quote.size for quote in ladder if quote.side is side)
        assert total <= inputs.quote_size
        assert side.sign * inputs.inventory + total <= max(
            inputs.inventory_hard, side.sign * inputs.inventory
        )


@given(inputs=quote_inputs())
def test_the_spread_keeps_its_floor_whatever_the_inventory(inputs: QuoteInputs) -> None:
    priced = price_quote(inputs, widened=False)
    if isinstance(priced, Priced):
        # A floor in microticks is no binary fraction of ticks: allow the last digit of a double.
        assert 2_000_000 * priced.half_spread_ticks >= inputs.floor_microticks * (1 - 1e-15)


@given(size=st.integers(min_value=0, max_value=10**15))
def test_tiers_sum_to_the_size_and_none_is_negative(size: int) -> None:
    parts = split_size(Lots(size))
    assert sum(parts) == size
    assert min(parts) >= 0


@given(inputs=quote_inputs(), more=st.integers(min_value=1, max_value=1_000))
def test_more_inventory_never_bids_for_more(inputs: QuoteInputs, more: int) -> None:
    longer = inputs_with(inputs, inputs.inventory + more)
    assert side_size(longer, Side.BUY) <= side_size(inputs, Side.BUY)
    assert side_size(longer, Side.SELL) >= side_size(inputs, Side.SELL)


def inputs_with(inputs: QuoteInputs, inventory: int) -> QuoteInputs:
    values = {name: getattr(inputs, name) for name in QuoteInputs.__dataclass_fields__}
    return QuoteInputs(**(values | {"inventory": Lots(inventory)}))


PRICES = st.integers(min_value=95, max_value=105)
ORDERS = st.lists(st.tuples(st.sampled_from(list(Side)), PRICES, st.integers(1, 12)), max_size=8)


@given(
    resting=ORDERS, wanted=ORDERS, tolerance=st.integers(min_value=0, max_value=3), again=st.data()
)
def test_a_refresh_never_rests_more_than_wanted_and_settles_at_once(
    resting: list[tuple[Side, int, int]],
    wanted: list[tuple[Side, int, int]],
    tolerance: int,
    again: st.DataObject,
) -> None:
    targets = [
        RestingQuote(side=side, price=Ticks(price), size=Lots(size))
        for (side, price), size in {(s, p): z for s, p, z in wanted}.items()
    ]
    working = [
        Working(client_id=f"{n}", side=side, price=Ticks(price), remaining=Lots(size))
        for n, (side, price, size) in enumerate(resting)
    ]
    plan = plan_refresh(working, targets, tolerance=tolerance)
    assert {order.client_id for order in plan.keep} | set(plan.cancel) == {
        order.client_id for order in working
    }
    after = [*plan.keep] + [
        Working(client_id=f"new {n}", side=q.side, price=q.price, remaining=q.size)
        for n, q in enumerate(plan.place)
    ]
    for side in Side:
        assert sum(order.remaining for order in after if order.side is side) <= sum(
            target.size for target in targets if target.side is side
        )
    exact = [order for order in after if tolerance == 0]
    if exact:
        second = plan_refresh(again.draw(st.permutations(exact)), targets, tolerance=0)
        assert second.cancel == ()
