"""Laws of every quote."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from trading_values import policy

from dmm.market.instrument import Side
from dmm.quoting.decision import RestingQuote
from dmm.quoting.decision_inputs import Working
from dmm.quoting.ladder import build_ladder, side_size, split_size
from dmm.quoting.price import Priced, price_quote
from dmm.quoting.refresh import plan_refresh
from dmm.quoting.scale import (
    MICRO,
    NANO,
    Conditions,
    QuoteInputs,
    inputs_in_ticks,
    widening_micro,
)
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
            inputs.hard(side.sign), side.sign * inputs.inventory
        )


@given(inputs=quote_inputs())
def test_the_spread_keeps_its_floor_whatever_the_inventory(inputs: QuoteInputs) -> None:
    priced = price_quote(inputs, widened=False)
    if isinstance(priced, Priced):
        # A floor in microticks is no binary fraction of ticks: allow the last digit of a double.
        assert 2_000_000 * priced.half_spread_ticks >= inputs.floor_microticks * (1 - 1e-15)


@given(size=st.integers(min_value=0, max_value=10**15))
def test_tiers_sum_to_the_size_and_none_is_negative(size: int) -> None:
    parts = split_size(Lots(size), policy())
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


def prices(inputs: QuoteInputs, *, widened: bool = False) -> Priced:
    result = price_quote(inputs, widened=widened)
    assume(isinstance(result, Priced))
    assert isinstance(result, Priced)
    return result


@given(inputs=quote_inputs(), lots=st.integers(min_value=1, max_value=10**6))
def test_a_long_desk_lowers_both_quotes_and_a_short_one_raises_both(
    inputs: QuoteInputs, lots: int
) -> None:
    flat = prices(inputs_with(inputs, 0))
    half = flat.half_spread_ticks
    for sign in (1, -1):
        loaded = prices(inputs_with(inputs, sign * lots))
        # γ moves with the inventory, and with it the spread: what shifts is the middle.
        middle = loaded.reservation_ticks - loaded.shift_ticks
        assert sign * middle <= sign * flat.reservation_ticks
        if loaded.half_spread_ticks == half:
            assert sign * loaded.bid_ticks <= sign * flat.bid_ticks
            assert sign * loaded.ask_ticks <= sign * flat.ask_ticks
    assert prices(inputs_with(inputs, lots)).shift_ticks >= 0


@given(inputs=quote_inputs(), more=st.integers(min_value=1, max_value=10**9))
def test_more_volatility_never_narrows_the_spread(inputs: QuoteInputs, more: int) -> None:
    wilder = replace(inputs, sigma_microticks=inputs.sigma_microticks + more)
    assert prices(wilder).half_spread_ticks >= prices(inputs).half_spread_ticks


@given(inputs=quote_inputs(), factor=st.integers(min_value=2, max_value=1_000))
def test_more_risk_aversion_never_narrows_the_spread_where_risk_outweighs_the_edge(
    inputs: QuoteInputs, factor: int
) -> None:
    # The edge ln(1+γ/κ)/γ falls with γ, by at most 1/(2κ²) for each unit; the risk term rises by
    # σ²T/2. So the model itself widens with γ only where σ²T >= 1/κ².
    sigma, kappa = inputs.sigma_microticks / MICRO, inputs.kappa_nano / NANO
    assume(sigma * sigma * inputs.horizon_s * kappa * kappa >= 1.0)
    bolder = prices(inputs).half_spread_ticks
    shyer = prices(replace(inputs, gamma_nano=inputs.gamma_nano * factor)).half_spread_ticks
    assert shyer >= bolder * (1 - 1e-12)


@given(inputs=quote_inputs(), tau=st.integers(min_value=1, max_value=100_000))
def test_toxic_flow_and_a_volatility_spike_widen(inputs: QuoteInputs, tau: int) -> None:
    body = replace(inputs.policy, toxicity_tau_bps=tau)
    toxic = replace(inputs, widening_micro=widening_micro(body, Conditions(is_toxic=True)))
    calm = prices(inputs)
    assert prices(toxic).half_spread_ticks > calm.half_spread_ticks
    assert prices(inputs, widened=True).half_spread_ticks > calm.half_spread_ticks


@given(inputs=quote_inputs(), power=st.integers(min_value=1, max_value=6))
def test_prices_scale_when_price_and_tick_and_the_units_of_gamma_and_kappa_do(
    inputs: QuoteInputs, power: int
) -> None:
    # The same market in a tick 2^k times as fine: every price 2^k times as many ticks, γ and κ per
    # tick 2^k times smaller. A power of two leaves every digit as it is.
    unit = 1 << power
    coarse = replace(
        inputs, gamma_nano=inputs.gamma_nano * unit, kappa_nano=inputs.kappa_nano * unit
    )
    fine = replace(
        inputs,
        mid=HalfTicks(inputs.mid * unit),
        fair_microticks=inputs.fair_microticks * unit,
        sigma_microticks=inputs.sigma_microticks * unit,
        floor_microticks=inputs.floor_microticks * unit,
        beta_microticks=inputs.beta_microticks * unit,
    )
    one, other = prices(coarse), prices(fine)
    assert other.half_spread_ticks == pytest.approx(unit * one.half_spread_ticks, rel=1e-13)
    assert other.shift_ticks == pytest.approx(unit * one.shift_ticks, rel=1e-13, abs=1e-300)
    assert other.reservation_ticks == pytest.approx(unit * one.reservation_ticks, rel=1e-12)


@given(
    inputs=quote_inputs(),
    lots=st.integers(min_value=0, max_value=10**5),
    more=st.integers(min_value=1, max_value=10**5),
    calm=st.integers(min_value=1, max_value=10_000),
    hard=st.integers(min_value=10_000, max_value=50_000),
)
def test_more_inventory_never_lowers_the_risk_aversion(
    inputs: QuoteInputs, lots: int, more: int, calm: int, hard: int
) -> None:
    body = replace(inputs.policy, gamma_calm_bps=calm, gamma_hard_bps=hard)
    given_ = replace(inputs, policy=body)

    def slope(inventory: int) -> float:
        quote = prices(inputs_with(given_, inventory))
        return (inputs.fair_microticks / MICRO - quote.reservation_ticks) / inventory

    assume(inputs.sigma_microticks * inputs.gamma_nano > 10**9)
    light, heavy = slope(lots + 1), slope(lots + 1 + more)
    # The difference of two prices keeps their last digit only.
    assert heavy >= light * (1 - 1e-9) - 1e-9 * inputs.mid / (lots + 1)


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
