"""The paper venue's fees and early rejections."""

from __future__ import annotations

import pytest
from trading_values import INSTRUMENTS, LINEAR, at_ms, market_of, order, trade

from dmm.adapters.venues.paper import PaperVenue
from dmm.ledger.balances import Balances
from dmm.market.instrument import Instrument, Side
from dmm.market.order import ReportKind, TimeInForce


@pytest.mark.parametrize(("fee_ubps", "fee_atoms"), [(0, 0), (150_001, 1), (-150_001, 0)])
def test_fees_are_rounded_up_and_rebates_down(fee_ubps: int, fee_atoms: int) -> None:
    venue = PaperVenue(LINEAR, latency_ns=0, maker_fee_ubps=fee_ubps)
    market = market_of([(100, 5)], [(103, 5)])
    venue.submit(order(Side.BUY, 101, 2))
    event = trade(1, 101, 9, buyer=False)
    venue.advance(event.received_at_ns, market)
    (report,) = venue.observe(event, market)
    # 101 ticks times 2 lots are 20,200 atoms; 0.15 bps of them are 0.3.
    assert report.fee_atoms == fee_atoms


def test_an_order_the_venue_does_not_take_is_reported_with_the_next_event() -> None:
    venue = PaperVenue(LINEAR)
    venue.submit(order(Side.BUY, 101, 2, time_in_force=TimeInForce.IOC))
    market = market_of([(100, 5)], [(103, 5)])
    (report,) = venue.advance(at_ms(1), market)
    assert report.kind is ReportKind.REJECTED
    assert list(venue.advance(at_ms(2), market)) == []


def test_everything_open_is_cancelled_at_once() -> None:
    venue = PaperVenue(LINEAR, latency_ns=0)
    market = market_of([(100, 5)], [(103, 5)])
    for number in range(3):
        venue.submit(order(Side.BUY, 90, 2, client_id=f"{number}"))
    venue.advance(at_ms(1), market)
    venue.cancel_all(now_ns=at_ms(2))
    reports = venue.advance(at_ms(2), market)
    assert [report.kind for report in reports] == [ReportKind.CANCELLED] * 3
    assert venue.open_orders == ()


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda one: one.kind.value)
def test_the_statement_tells_position_and_cash_since_the_opening_fees_paid(
    instrument: Instrument,
) -> None:
    venue = PaperVenue(instrument, latency_ns=0, maker_fee_ubps=150_001)
    market = market_of([(100, 5)], [(103, 5)])
    nothing = {instrument.position.symbol: 0, instrument.cash.symbol: 0}
    assert venue.statement(now_ns=at_ms(0), cursor=0).balances == nothing
    booked = Balances(instrument)
    for side, price, through in (
        (Side.BUY, 101, 100),
        (Side.SELL, 102, 103),
        (Side.SELL, 102, 103),
    ):
        venue.submit(order(side, price, 2, client_id=f"{side}{through}{booked.position}"))
        event = trade(1, through, 2, buyer=side is Side.SELL)
        venue.advance(event.received_at_ns, market)
        for report in venue.observe(event, market):
            booked.take(report)
    found = venue.statement(now_ns=at_ms(2), cursor=0)
    assert found.position == booked.position == -2
    assert found.balances == booked.atoms
    if instrument is LINEAR:
        # Bought 2 for 101 and sold 4 for 102 ticks of 100 atoms; three fees of an atom.
        assert found.balances["USDT"] == (-2 * 101 + 4 * 102) * 100 - 3
        assert found.balances["BTC"] == -2 * instrument.position_atoms_per_lot
