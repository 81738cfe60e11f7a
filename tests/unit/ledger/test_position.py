"""Average cost and profit, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from trading_values import INVERSE, LINEAR, fill

from dmm.ledger.position import Position
from dmm.ledger.session import TradingSession
from dmm.market.instrument import Side
from dmm.market.order import OrderReport, ReportKind
from dmm.units.amount import Atoms, HalfTicks, Lots, Ticks
from dmm.units.errors import InvariantBroken
from dmm.units.ids import content_id
from dmm.units.time import Nanos


def test_a_fill_of_another_instrument_is_refused() -> None:
    with pytest.raises(InvariantBroken, match="BTCUSD_PERP"):
        Position(instrument=LINEAR).apply(fill(Side.BUY, 1, 1, instrument=INVERSE))


def test_a_linear_long_closed_in_parts_realises_at_average_cost() -> None:
    # One lot times one tick is 100 atoms of USDT.
    position = Position(instrument=LINEAR)
    for side, price, size in ((Side.BUY, 1_000, 4), (Side.BUY, 1_300, 2), (Side.SELL, 1_250, 3)):
        position = position.apply(fill(side, price, size))
    assert position.inventory == 3
    assert position.basis_atoms == -330_000  # average cost 1,100
    assert position.realised_atoms == 45_000  # 3 lots, 150 ticks each
    assert position.unrealised_atoms(HalfTicks(2_400)) == 30_000
    assert position.pnl_atoms(HalfTicks(2_400)) == 75_000


def test_a_fill_beyond_zero_opens_the_other_side_at_its_own_price() -> None:
    position = Position(instrument=LINEAR)
    for side, price, size in ((Side.BUY, 1_000, 2), (Side.SELL, 1_100, 5)):
        position = position.apply(fill(side, price, size))
    assert (position.inventory, position.realised_atoms) == (-3, 20_000)
    assert position.basis_atoms == 330_000
    assert position.unrealised_atoms(HalfTicks(2_100)) == 15_000


def test_an_inverse_long_earns_coins_by_the_difference_of_reciprocals() -> None:
    # 10 contracts of 100 USD from 50,000.0 to 62,500.0: 1,000·(1/50,000 − 1/62,500) = 0.004 BTC.
    position = Position(instrument=INVERSE).apply(fill(Side.BUY, 500_000, 10, instrument=INVERSE))
    assert position.unrealised_atoms(HalfTicks(1_250_000)) == 400_000
    closed = position.apply(fill(Side.SELL, 625_000, 10, instrument=INVERSE))
    assert (closed.inventory, closed.realised_atoms, closed.basis_atoms) == (0, 400_000, 0)


def test_fees_lower_profit_and_cash_and_nothing_else() -> None:
    position = Position(instrument=LINEAR).apply(fill(Side.BUY, 1_000, 4, fee=77))
    assert position.cash_atoms == -400_077
    assert position.pnl_atoms(HalfTicks(2_000)) == -77


def report(side: Side, price: int, size: int) -> OrderReport:
    return OrderReport(
        client_id="c",
        kind=ReportKind.FILLED,
        side=side,
        price=Ticks(price),
        size=Lots(size),
        fee_atoms=Atoms(0),
        at_ns=Nanos(5),
    )


def test_fill_ids_count_own_fills_and_hedges_do_not_move_the_count() -> None:
    session = TradingSession(run_id="run", venue="paper", instrument=LINEAR)
    session.book(report(Side.BUY, 1_000, 2), epoch=0, mid=HalfTicks(2_001))
    hedge = fill(Side.SELL, 1_000, 2, ordinal=1_000_000, is_hedge=True)
    session.book_elsewhere(replace(hedge, venue="paper-hedge"))
    second = session.book(report(Side.BUY, 1_000, 3), epoch=1, mid=HalfTicks(2_001))
    assert second.fill_id == content_id("dmm/fill/v1", "run", "paper", 1)
    assert session.position.inventory == 3
    assert session.fills == 2


def test_a_fill_of_the_sessions_own_venue_is_not_booked_from_elsewhere() -> None:
    session = TradingSession(run_id="run", venue="paper", instrument=LINEAR)
    with pytest.raises(InvariantBroken, match="is of paper: the session books its own itself"):
        session.book_elsewhere(fill(Side.SELL, 1_000, 2))
    assert session.is_alone


def test_what_hedges_and_firm_quotes_add_is_told_apart_from_the_venues_own() -> None:
    session = TradingSession(run_id="run", venue="paper", instrument=LINEAR)
    session.book(report(Side.BUY, 1_000, 7), epoch=0, mid=HalfTicks(2_001))
    hedge = replace(fill(Side.SELL, 1_000, 4, is_hedge=True), venue="paper-hedge")
    session.book_elsewhere(hedge)
    session.book_elsewhere(replace(fill(Side.BUY, 990, 3), venue="rfq"))
    assert (session.position.inventory, session.hedged_lots, session.quoted_lots) == (6, -4, 3)
    assert not session.is_alone
    # Three bought for 990 are worth 1,000 each, a tick and lot being 100 atoms.
    assert session.position.pnl_atoms(HalfTicks(2_000)) == 3 * 10 * 100


def test_drawdown_is_measured_from_the_highest_profit() -> None:
    session = TradingSession(run_id="run", venue="paper", instrument=LINEAR)
    session.book(report(Side.BUY, 1_000, 1), epoch=0, mid=HalfTicks(2_000))
    assert session.drawdown(HalfTicks(1_980)) == 1_000  # below the start is below the peak
    assert session.drawdown(HalfTicks(2_060)) == 0
    assert session.drawdown(HalfTicks(2_040)) == 1_000
