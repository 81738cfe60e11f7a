"""Named estimates of one price."""

from __future__ import annotations

import numpy as np
import pytest

from dmm.market.fair_value import (
    NO_DEPTH,
    SideDepth,
    Source,
    blend,
    depth_mid,
    micro_price,
    side_depth,
    twap,
    vwap,
)
from dmm.market.micro_price import STATES_MIN, MicroPriceTable, fit_micro_price
from dmm.units.amount import HalfTicks, Lots, Ticks
from dmm.units.errors import UsageFault


def levels(*pairs: tuple[int, int]) -> list[tuple[Ticks, Lots]]:
    return [(Ticks(price), Lots(size)) for price, size in pairs]


def test_a_book_without_sizes_is_worth_its_mid() -> None:
    assert micro_price(bid=100, bid_size=0, ask=103, ask_size=0) == 101_500_000


def test_the_heavier_side_pushes_the_micro_price_away_from_it() -> None:
    # I = 30/40: 0.75·103 + 0.25·100 = 102.25.
    assert micro_price(bid=100, bid_size=30, ask=103, ask_size=10) == 102_250_000
    assert micro_price(bid=100, bid_size=10, ask=103, ask_size=30) == 100_750_000


def test_an_empty_side_has_no_depth_and_gives_no_depth_mid() -> None:
    assert side_depth(levels((100, 0))) == NO_DEPTH
    assert depth_mid(side_depth([]), side_depth(levels((103, 5)))) is None


def test_the_depth_mid_weighs_each_side_by_the_other_sides_size() -> None:
    bids, asks = side_depth(levels((100, 10), (98, 30))), side_depth(levels((103, 20)))
    assert bids == SideDepth(price_microticks=98_500_000, size=40)
    # (98.5·20 + 103·40)/60 = 101.5
    assert depth_mid(bids, asks) == 101_500_000


def test_a_vwap_weighs_by_volume_and_is_unknown_without() -> None:
    assert vwap([]) is None
    assert vwap(levels((100, 30), (104, 10))) == 101_000_000


def test_a_twap_weighs_by_the_time_a_mid_held() -> None:
    mids = [(0, HalfTicks(200)), (3, HalfTicks(210)), (4, HalfTicks(400))]
    assert twap(mids, until_ns=4) == (200 * 3 + 210) * 500_000 // 4
    assert twap(mids, until_ns=0) is None
    assert twap([], until_ns=9) is None


def test_a_blend_without_an_answer_is_none() -> None:
    assert blend([Source(price_microticks=None, weight=7)]) is None
    assert blend([Source(price_microticks=5, weight=0)]) is None


def test_sources_that_agree_are_trusted_in_full() -> None:
    fair = blend([Source(price_microticks=10**9, weight=w, depth_lots=3) for w in (2, 5)])
    assert fair is not None
    assert (fair.price_microticks, fair.confidence_bps) == (10**9, 10_000)


def test_a_blend_weighs_by_weight_times_depth() -> None:
    near, far = 1_000_000_000, 1_001_000_000
    fair = blend(
        [
            Source(price_microticks=near, weight=3, depth_lots=20),
            Source(price_microticks=far, weight=1, depth_lots=40),
        ]
    )
    assert fair is not None
    assert fair.price_microticks == 1_000_400_000
    # Mean distance: (60·0.4 + 40·0.6)/100 = 0.48 of 1000.4 = 4.798 bps of the 50 tolerated.
    assert fair.confidence_bps == pytest.approx(10_000 * (1 - 4.798 / 50), abs=2)


def test_a_silent_source_costs_its_share_of_the_confidence() -> None:
    fair = blend(
        [Source(price_microticks=10**9, weight=3), Source(price_microticks=None, weight=1)]
    )
    assert fair is not None
    assert fair.confidence_bps == 7_500


def test_sources_far_apart_confirm_nothing() -> None:
    fair = blend(
        [Source(price_microticks=10**9, weight=1), Source(price_microticks=2 * 10**9, weight=1)]
    )
    assert fair is not None
    assert fair.confidence_bps == 0


def states(seed: int, count: int, *, drift: float = 0.0) -> dict[str, np.ndarray]:
    """Return a book whose mid moves towards the lighter side, one tick at a time."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.02, 0.98, count)
    up = rng.uniform(size=count) < share
    moves = np.where(rng.uniform(size=count) < 0.5, 0, np.where(up, 1, -1))
    moves = np.where(rng.uniform(size=count) < drift, -1, moves)
    bid = 1_000_000 + np.concatenate([[0], np.cumsum(moves)[:-1]])
    size = (1_000 * share).astype(np.int64) + 1
    return {
        "bid": bid.astype(np.int64),
        "bid_size": size,
        "ask": (bid + 1).astype(np.int64),
        "ask_size": 1_002 - size,
    }


def test_a_tape_too_short_or_crossed_is_refused_by_state() -> None:
    with pytest.raises(UsageFault, match="100 book states"):
        fit_micro_price(**states(1, STATES_MIN - 1))
    crossed = states(1, STATES_MIN)
    crossed["ask"][7] = crossed["bid"][7]
    with pytest.raises(UsageFault, match="state 7 is crossed"):
        fit_micro_price(**crossed)


def test_the_fitted_table_finds_the_drift_behind_the_imbalance() -> None:
    # Sizes are drawn anew each state, so only the next move is known: E = (2p − 1)/2 ticks while
    # it lasts, and half of all states stand still, so the first move is 2·that = 2p − 1.
    table = fit_micro_price(**states(2, 60_000))
    light = table.adjustment(bid=5, bid_size=5, ask=6, ask_size=95)
    heavy = table.adjustment(bid=5, bid_size=95, ask=6, ask_size=5)
    even = table.adjustment(bid=5, bid_size=55, ask=6, ask_size=45)
    # Bucket 9 holds p from 0.9 to 0.98; the chance to stand first and see another share halves it.
    expected = 0.5 * (2 * 0.94 - 1)
    assert heavy == pytest.approx(1e6 * expected, rel=0.1)
    assert light == -heavy
    assert abs(even) < 100_000


def test_a_falling_tape_does_not_teach_the_table_to_fall() -> None:
    table = fit_micro_price(**states(3, 20_000, drift=0.3))
    assert int(table.adjust_microticks.sum()) == 0


def test_a_state_without_sizes_is_not_adjusted() -> None:
    table = MicroPriceTable(adjust_microticks=np.full((2, 2), 9, dtype=np.int64), states=1)
    assert table.adjustment(bid=1, bid_size=0, ask=2, ask_size=0) == 0
    assert table.adjustment(bid=1, bid_size=3, ask=9, ask_size=0) == 9
