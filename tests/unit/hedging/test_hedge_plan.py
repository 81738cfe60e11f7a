"""Sizing and ranking of hedges."""

from __future__ import annotations

import pytest
from desk_memory import INSTRUMENT

from dmm.hedging.plan import Hedge, NoHedge, plan_batch
from dmm.hedging.venue_rank import HedgeVenue, impact_ubps, rank, walk_book
from dmm.market.instrument import Side
from dmm.units.amount import Lots, Ticks


def venue(name: str, **changes: object) -> HedgeVenue:
    values: dict[str, object] = {
        "name": name,
        "taker_fee_ubps": 5_000_000,
        "latency_ms": 5,
        "reliability_bps": 10_000,
        "bids": ((Ticks(9_990), Lots(50)), (Ticks(9_988), Lots(50))),
        "asks": ((Ticks(10_010), Lots(50)), (Ticks(10_012), Lots(50))),
    }
    return HedgeVenue(**(values | changes))  # type: ignore[arg-type]


def order(*venues: HedgeVenue) -> list[str]:
    ranked = rank(venues, side=Side.BUY, size=Lots(60), slippage_ubps_max=5_000_000)
    return [v.name for v in ranked]


def test_the_cheaper_venue_comes_first_and_ties_go_by_name() -> None:
    assert order(venue("b"), venue("a"), venue("c", taker_fee_ubps=4_000_000)) == ["c", "a", "b"]


def test_an_unreliable_venue_comes_last_however_cheap() -> None:
    assert order(venue("cheap", taker_fee_ubps=0, reliability_bps=9_499), venue("b")) == [
        "b",
        "cheap",
    ]


def test_latency_counts_as_cost() -> None:
    assert order(venue("slow", latency_ms=900), venue("zz", latency_ms=1)) == ["zz", "slow"]


def test_a_venue_that_fills_more_comes_before_a_cheaper_one() -> None:
    thin = venue("thin", taker_fee_ubps=0, asks=((Ticks(10_010), Lots(9)),))
    assert order(thin, venue("deep")) == ["deep", "thin"]


def test_impact_is_the_mean_distance_from_the_touch() -> None:
    walk = walk_book(
        ((Ticks(10_000), Lots(30)), (Ticks(10_004), Lots(30))),
        side=Side.BUY,
        size=Lots(40),
        slippage_ubps_max=5_000_000,
    )
    assert walk.taken == ((10_000, 30), (10_004, 10))
    assert walk.limit == 10_005
    # 10 of 40 lots at 4 ticks: one tick of 10,000 on average is 1 bp.
    assert impact_ubps(walk, side=Side.BUY) == 1_000_000


def test_an_empty_book_fills_nothing() -> None:
    walk = walk_book((), side=Side.SELL, size=Lots(5), slippage_ubps_max=0)
    assert (walk.filled, impact_ubps(walk, side=Side.SELL)) == (0, 0)


def test_negative_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        walk_book((), side=Side.SELL, size=Lots(-1), slippage_ubps_max=0)


def test_the_hedge_goes_to_the_target_not_to_the_threshold() -> None:
    hedge = plan_batch(
        position=Lots(-40),
        target=Lots(3),
        threshold=Lots(20),
        venues=[venue("a")],
        instrument=INSTRUMENT,
    )
    assert isinstance(hedge, Hedge)
    assert (hedge.side, hedge.size) == (Side.BUY, 43)


def test_without_any_depth_the_reason_is_named() -> None:
    found = plan_batch(
        position=Lots(40),
        target=Lots(0),
        threshold=Lots(20),
        venues=[venue("a", bids=())],
        instrument=INSTRUMENT,
    )
    assert found == NoHedge(reason="position 40 lots should be hedged, but no venue has depth")
