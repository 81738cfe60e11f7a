"""Prices from inputs, the unit guard, and tiers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from trading_values import policy

from dmm.market.instrument import Side
from dmm.quoting.ladder import build_ladder, side_size, split_size
from dmm.quoting.price import Priced, Unpriceable, UnpriceableReason, price_quote
from dmm.quoting.scale import QuoteInputs, inputs_in_ticks
from dmm.units.amount import HalfTicks, Lots, Ticks

MID = HalfTicks(1_236_005)  # 61,800.25 at a tick of 0.1


def inputs(*, inventory: int = 0, kappa_nano: int = 97_000_000, **changes: int) -> QuoteInputs:
    return inputs_in_ticks(
        policy(**changes),
        mid=MID,
        inventory=Lots(inventory),
        sigma_microticks=79_000_000,
        kappa_nano=kappa_nano,
    )


def priced(given: QuoteInputs, *, widened: bool = False) -> Priced:
    result = price_quote(given, widened=widened)
    assert isinstance(result, Priced)
    return result


def test_a_risk_aversion_of_the_wrong_unit_is_refused_by_name() -> None:
    # γ = 0.1 and κ = 1 taken per tick of a coarse price, as a price-unit set would be.
    wrong = replace(
        inputs(),
        mid=HalfTicks(2),
        fair_microticks=1_000_000,
        gamma_nano=100_000_000,
        kappa_nano=1_000_000_000,
    )
    refused = price_quote(wrong, widened=False)
    assert refused == Unpriceable(reason=UnpriceableReason.HALF_SPREAD_BEYOND_GUARD)


def test_inventory_in_atoms_instead_of_lots_is_refused_by_name() -> None:
    given = replace(inputs(), inventory_hard_long=Lots(10**12))
    refused = price_quote(given, widened=False)
    assert refused == Unpriceable(reason=UnpriceableReason.SHIFT_AT_HARD_BEYOND_GUARD)


def test_a_market_without_a_price_is_refused_by_name() -> None:
    refused = price_quote(replace(inputs(), mid=HalfTicks(0)), widened=False)
    assert refused == Unpriceable(reason=UnpriceableReason.MID_NOT_POSITIVE)


def test_the_half_spread_is_about_one_over_kappa() -> None:
    assert priced(inputs()).half_spread_ticks == pytest.approx(1 / 0.097, rel=0.25)


def test_the_spread_never_falls_below_its_floor() -> None:
    given = inputs(kappa_nano=10**12, kappa_nano_per_bp_max=10**15, spread_floor_ubps=3_000_000)
    assert 2 * priced(given).half_spread_ticks == pytest.approx(3 * 61.80025, rel=1e-6)


def test_a_widened_posture_stands_half_as_far_again() -> None:
    wide, normal = priced(inputs(), widened=True), priced(inputs())
    assert wide.half_spread_ticks == pytest.approx(1.5 * normal.half_spread_ticks)


def test_a_long_desk_lowers_both_quotes_and_a_short_one_raises_both() -> None:
    long, flat, short = (priced(inputs(inventory=lots)) for lots in (30, 0, -30))
    assert long.bid_ticks < flat.bid_ticks < short.bid_ticks
    assert long.ask_ticks < flat.ask_ticks < short.ask_ticks
    assert long.half_spread_ticks == flat.half_spread_ticks == short.half_spread_ticks


def test_estimates_outside_their_bands_are_put_at_the_edge() -> None:
    low, high = inputs(kappa_nano=0), inputs(kappa_nano=10**15)
    assert low.kappa_nano == pytest.approx(1e9 / 61.80025, rel=1e-6)
    assert high.kappa_nano == pytest.approx(50e9 / 61.80025, rel=1e-6)


@pytest.mark.parametrize(
    ("size", "parts"), [(0, (0, 0, 0)), (1, (1, 0, 0)), (7, (3, 3, 1)), (100, (25, 50, 25))]
)
def test_a_size_splits_25_50_25_to_the_last_lot(size: int, parts: tuple[int, int, int]) -> None:
    assert split_size(Lots(size), policy()) == parts


@pytest.mark.parametrize(
    ("inventory", "bid_size", "ask_size"),
    [(0, 10, 10), (50, 10, 10), (75, 5, 10), (99, 0, 10), (100, 0, 10), (-75, 10, 5)],
)
def test_the_side_that_adds_shrinks_from_soft_to_hard(
    inventory: int, bid_size: int, ask_size: int
) -> None:
    given = inputs(inventory=inventory)
    assert side_size(given, Side.BUY) == bid_size
    assert side_size(given, Side.SELL) == ask_size


def test_each_side_shrinks_towards_its_own_limit() -> None:
    lopsided = inputs(inventory=-22, inventory_soft_short_bps=4_000, inventory_hard_short_bps=2_500)
    assert side_size(lopsided, Side.SELL) == 3
    assert side_size(inputs(inventory=-22), Side.SELL) == 10


def test_the_skew_is_full_at_each_sides_own_soft_limit() -> None:
    lopsided = {"inventory_soft_short_bps": 4_000, "inventory_hard_short_bps": 6_000}
    full = [priced(inputs(inventory=lots, **lopsided)).shift_ticks for lots in (50, 20, -20)]
    beta_ticks = 0.2 * 61.80025
    assert full == pytest.approx([beta_ticks, 0.4 * beta_ticks, -beta_ticks], rel=1e-6)


def test_tier_shares_and_steps_are_the_policys() -> None:
    given = inputs(
        tier_inner_bps=5_000, tier_middle_bps=3_000, tier_outer_bps=2_000, tier_step_bps=10_000
    )
    ladder = build_ladder(priced(given), given, best_bid=Ticks(618_002), best_ask=Ticks(618_003))
    bids = [quote for quote in ladder if quote.side is Side.BUY]
    assert [quote.size for quote in bids] == [5, 3, 2]
    step = int(priced(given).half_spread_ticks)
    assert bids[0].price - bids[1].price == bids[1].price - bids[2].price == step


def test_a_quote_never_takes_even_when_the_model_price_crosses() -> None:
    given = inputs(inventory=-100)
    skewed = replace(priced(given), shift_ticks=-500.0)
    ladder = build_ladder(skewed, given, best_bid=Ticks(618_002), best_ask=Ticks(618_003))
    bids = [quote.price for quote in ladder if quote.side is Side.BUY]
    assert max(bids) == 618_002
    assert all(quote.price > 618_002 for quote in ladder if quote.side is Side.SELL)


def test_tiers_stand_behind_one_another_and_sum_to_the_size() -> None:
    given = inputs()
    ladder = build_ladder(priced(given), given, best_bid=Ticks(618_002), best_ask=Ticks(618_003))
    bids = [quote for quote in ladder if quote.side is Side.BUY]
    asks = [quote for quote in ladder if quote.side is Side.SELL]
    assert [quote.size for quote in bids] == [quote.size for quote in asks] == [3, 5, 2]
    assert bids[0].price > bids[1].price > bids[2].price
    assert asks[0].price < asks[1].price < asks[2].price
