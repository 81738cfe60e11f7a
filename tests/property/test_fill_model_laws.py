"""Nobody is filled from liquidity that was not there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from trading_values import depth, market_of, order, trade

from dmm.market.instrument import Side
from dmm.market.order import ReportKind
from dmm.market.tape import DepthUpdate, FeedEvent
from dmm.simulation.fill_model import FillModel
from dmm.units.time import NS_PER_MS

PRICES = st.integers(min_value=95, max_value=105)
SIZES = st.integers(min_value=1, max_value=20)
OWN = st.lists(st.tuples(st.sampled_from(list(Side)), PRICES, SIZES), min_size=1, max_size=6)


@st.composite
def events(draw: st.DrawFn) -> list[FeedEvent]:
    made: list[FeedEvent] = []
    for milliseconds in range(1, 1 + draw(st.integers(min_value=1, max_value=25))):
        if draw(st.booleans()):
            made.append(trade(milliseconds, draw(PRICES), draw(SIZES), buyer=draw(st.booleans())))
        else:
            level = (draw(PRICES), draw(st.integers(min_value=0, max_value=30)))
            bids = draw(st.booleans())
            made.append(depth(milliseconds, [level] if bids else [], [] if bids else [level]))
    return made


@given(own=OWN, tape=events())
def test_fills_never_exceed_the_trade_nor_the_order_and_need_a_trade_that_reaches(
    own: list[tuple[Side, int, int]], tape: list[FeedEvent]
) -> None:
    market = market_of([(97, 10), (96, 20)], [(103, 10), (104, 20)])
    model = FillModel(latency_ns=2 * NS_PER_MS)
    left = {}
    for number, (side, price, size) in enumerate(own):
        model.place(order(side, price, size, client_id=f"{number}"))
        left[f"{number}"] = size
    for event in tape:
        for report in model.advance(event.received_at_ns, market):
            assert report.kind is not ReportKind.FILLED
            assert report.size == left[report.client_id]
            if report.kind is not ReportKind.ACCEPTED:
                del left[report.client_id]
        if isinstance(event, DepthUpdate):
            market.apply_depth(event)
            assert list(model.observe(event, market)) == []
            continue
        reports = model.observe(event, market)
        assert sum(report.size for report in reports) <= event.size  # type: ignore[union-attr]
        for report in reports:
            assert report.size > 0
            left[report.client_id] -= report.size
            assert left[report.client_id] >= 0
            aggressor = Side.BUY if event.buyer_is_aggressor else Side.SELL  # type: ignore[union-attr]
            assert report.side is aggressor.opposite
            beyond = report.side.sign * (report.price - event.price)  # type: ignore[union-attr]
            assert beyond >= 0
    still_open = {placed.client_id for placed in model.open_orders}
    assert still_open == {name for name, size in left.items() if size}


@given(queue=SIZES, size=SIZES, volumes=st.lists(SIZES, max_size=12))
def test_at_our_price_exactly_the_volume_beyond_the_queue_is_ours(
    queue: int, size: int, volumes: list[int]
) -> None:
    market = market_of([(100, queue)], [(103, 10)])
    model = FillModel(latency_ns=0)
    model.place(order(Side.BUY, 100, size))
    filled = 0
    for number, volume in enumerate(volumes):
        event = trade(1 + number, 100, volume, buyer=False)
        model.advance(event.received_at_ns, market)
        filled += sum(report.size for report in model.observe(event, market))
    assert filled == min(size, max(0, sum(volumes) - queue))
