"""A run's risk from its journal: positions, tail, stress and limits by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from desk_memory import BOTH_SIDES, INSTRUMENT, POLICY, RUN, START_NS, Desk, a_slice
from quoted_memory import desk_trading, end, plan, quoted, taken
from trading_values import INVERSE

from dmm.market.instrument import Instrument, Side
from dmm.market.order import Fill
from dmm.ports import Run
from dmm.quoting.decision import MarketSlice
from dmm.risk.breaker import Posture
from dmm.risk.inventory import Band, OpenLots
from dmm.risk.var import InsufficientData, TailRisk
from dmm.units.amount import Atoms, HalfTicks, Lots, Ticks
from dmm.units.errors import UsageFault
from dmm.units.ids import content_id
from dmm.units.time import Nanos
from dmm.usecases.epoch_inputs import epoch_inputs
from dmm.usecases.risk import RiskQuestion, RiskReport, assess_risk
from dmm.usecases.risk_positions import settled_fills


def market(*mids: int) -> MarketSlice:
    empty = np.zeros(0, dtype=np.int64)
    return MarketSlice(
        mid_half_ticks=np.array(mids, dtype=np.int64),
        trade_at_ns=empty,
        trade_depth_half_ticks=empty,
        trade_size_lots=empty,
        trade_is_buy=np.zeros(0, dtype=np.bool_),
    )


def fill(venue: str, side: Side, price: int, size: int, number: int, **changes: Any) -> Fill:
    return replace(
        Fill(
            fill_id=content_id("test/risk", number),
            run_id=RUN,
            epoch=0,
            ordinal=number,
            venue=venue,
            symbol=INSTRUMENT.symbol,
            client_id=f"c{number}",
            side=side,
            price=Ticks(price),
            size=Lots(size),
            mid=HalfTicks(200_000),
            fee_atoms=Atoms(0),
            filled_at_ns=Nanos(START_NS),
            is_hedge=venue != "paper",
        ),
        **changes,
    )


def desk_with(instrument: Instrument = INSTRUMENT) -> Desk:
    desk = Desk()
    desk.store._runs.clear()
    desk.store.open_run(
        Run(
            run_id=RUN,
            kind="demo",
            symbol=instrument.symbol,
            epochs=3,
            spec={"instrument": instrument.to_json(), "lp_shares": {}},
            started_at_ns=Nanos(START_NS),
        )
    )
    return desk


def close(desk: Desk, epoch: int = 0, *, mids: tuple[int, ...] = (200_000,), **inputs: Any) -> None:
    epoch_inputs(desk.store, RUN, epoch)
    desk.close_slice(a_slice(epoch=epoch, market=market(*mids)), BOTH_SIDES, **inputs)


def assess(desk: Desk, **question: Any) -> RiskReport:
    return assess_risk(
        store=desk.store,
        run_id=RUN,
        question=RiskQuestion(**question),
        rng=np.random.default_rng(1),
    )


def test_a_run_without_a_closed_epoch_has_nothing_to_assess() -> None:
    with pytest.raises(UsageFault, match="no closed epoch"):
        assess(desk_with())


@pytest.mark.parametrize(
    "bad",
    [
        {"level_bps": 0},
        {"level_bps": 10_000},
        {"horizon_s": 0},
        {"hold_s": 86_401},
        {"gas_per_fill_atoms": -1},
        {"gas_per_settlement_atoms": -1},
        {"unwind_gas_atoms": -1},
        {"cash_price_ppm": 0},
    ],
)
def test_a_question_out_of_range_is_refused_by_name(bad: dict[str, int]) -> None:
    (name,) = bad
    with pytest.raises(UsageFault, match=name):
        RiskQuestion(**bad)  # type: ignore[arg-type]


def test_positions_are_told_by_venue_with_hedges_and_their_sum() -> None:
    desk = desk_with()
    close(desk)
    desk.store.append_fills(
        [
            fill("paper", Side.BUY, 99_900, 30, 0),
            fill("paper-hedge", Side.SELL, 99_950, 21, 1),
        ],
        [],
    )
    report = assess(desk)
    assert {venue: held.inventory for venue, held in report.positions.items()} == {
        "paper": 30,
        "paper-hedge": -21,
    }
    # 100 atoms are a tick times a lot, the mid is 100,000 ticks.
    assert report.inventory.quote_atoms == 9 * 100_000 * 100
    assert report.inventory.gross_quote_atoms == 51 * 100_000 * 100
    assert report.concentration is not None
    assert report.concentration.largest == "paper"
    assert report.concentration.largest_share_bps == 5_883  # 30 of 51, rounded up
    assert (report.band, report.posture) == (Band.INSIDE, Posture.QUOTING)


def test_gas_of_fills_is_part_of_what_the_inventory_cost() -> None:
    desk = desk_with()
    close(desk)
    desk.store.append_fills([fill("paper", Side.BUY, 99_900, 30, 0)], [])
    held = assess(desk, gas_per_fill_atoms=Atoms(77)).positions["paper"]
    assert -held.basis_atoms == 30 * 99_900 * 100 + 77


def test_settled_firm_quotes_are_held_in_their_vault_and_others_may_still_move() -> None:
    desk = desk_trading()
    close(desk)
    desk.store.append_fills([fill("paper", Side.BUY, 99_900, 30, 0)], [])
    trade = taken(desk, quoted(desk, epoch=0, size=7))
    plan(desk, 0)
    end(desk)
    taken(desk, quoted(desk, epoch=1, side=Side.SELL, size=4))
    report = assess(desk)
    assert {venue: held.inventory for venue, held in report.positions.items()} == {
        "paper": 30,
        "rfq": -7,
    }
    per_lot = INSTRUMENT.position_atoms_per_lot
    assert report.inventory.by_vault == {f"paper:{RUN}": 30 * per_lot, "desk": -7 * per_lot}
    assert report.positions["rfq"].cash_atoms == trade.quote.taker_amount
    assert report.promised == OpenLots(buy=Lots(4))
    used = {one.name: one.used for one in report.limits}
    assert used["inventory_hard_lots"] == 23
    assert used["long_if_filled_lots"] == 23 + 4 + 4  # the worker's own bid, and the quote


def test_what_settled_is_told_as_fills_at_the_ends_of_the_epochs_asked_for() -> None:
    desk = desk_trading()
    close(desk)
    first = taken(desk, quoted(desk, epoch=0, size=7))
    taken(desk, quoted(desk, epoch=1, size=3))
    plan(desk, 1)
    end(desk)
    taken(desk, quoted(desk, epoch=0, size=2))  # accepted, not settled
    (fill,) = settled_fills(desk.store, RUN, INSTRUMENT, ended_at_ns={0: Nanos(77)})
    assert (fill.fill_id, fill.filled_at_ns) == (first.quote.quote_id, 77)
    assert settled_fills(desk.store, RUN, INSTRUMENT, ended_at_ns={}) == []


def test_quotes_that_settled_in_one_transaction_share_its_gas_in_their_cost() -> None:
    desk = desk_trading()
    close(desk)
    trades = [taken(desk, quoted(desk, epoch=0, size=size)) for size in (3, 4, 5)]
    plan(desk, 0)
    for entry, trade in zip(list(desk.store.entries.values())[:2], trades, strict=False):
        assert entry.intent.ordinal == trade.quote.nonce
        carried = entry.intent.inputs | {"carrier": "ab" * 32}
        entry.intent = replace(entry.intent, inputs=carried)
    end(desk)
    free, costly = assess(desk), assess(desk, gas_per_settlement_atoms=Atoms(101))
    # Two share a net: 51 each, rounded up; the third has a transaction of its own.
    before, after = free.positions["rfq"], costly.positions["rfq"]
    assert before.basis_atoms - after.basis_atoms == 51 + 51 + 101
    assert before.realised_atoms == after.realised_atoms == 0


def test_too_few_scenarios_are_no_risk_figure() -> None:
    desk = desk_with()
    close(desk, mids=(200_000, 200_002))
    report = assess(desk)
    assert report.tail == InsufficientData(scenarios=1, scenarios_min=100)
    assert (report.var, report.cvar) == (None, None)


@pytest.mark.parametrize("instrument", [INSTRUMENT, replace(INVERSE, symbol="BTCUSDT")])
def test_the_tail_is_that_of_the_runs_own_mids_on_the_position_held_now(
    instrument: Instrument,
) -> None:
    desk = desk_with(instrument)
    # Ten returns: nine of nought, one fall of 1 %; two epochs, whose border is no scenario.
    close(desk, 0, mids=(200_000,) * 6)
    close(desk, 1, mids=(200_000, 200_000, 198_000, 198_000, 198_000, 198_000))
    desk.store.append_fills([fill("paper", Side.BUY, 100_000, 40, 0)], [])
    tail = assess(desk, level_bps=9_000).tail
    assert isinstance(tail, TailRisk)
    assert tail.scenarios == 10
    assert tail.var_atoms == 0
    worth = 40 * 100_000 * 100 // 100
    if instrument is INSTRUMENT:
        # A return is a double; the loss is rounded up.
        assert worth <= tail.cvar_atoms <= worth + 1
    else:
        # 40 · 100 USD / 10,000: 0.4 coins at 10,000 are 0.404040… at 9,900.
        assert tail.cvar_atoms == 404_041


def test_scenarios_of_a_longer_horizon_do_not_overlap() -> None:
    desk = desk_with()
    close(desk, mids=tuple(range(200_000, 200_061)))
    tail = assess(desk, horizon_s=10, level_bps=5_000).tail
    assert isinstance(tail, TailRisk)
    assert tail.scenarios == 6


def test_stress_is_worst_first_and_carries_what_the_question_names() -> None:
    desk = desk_with()
    close(desk)
    desk.store.append_fills([fill("paper", Side.SELL, 100_000, 10, 0)], [])
    report = assess(desk, unwind_gas_atoms=Atoms(500))
    totals = [one.total_atoms for one in report.scenarios]
    assert totals == sorted(totals)
    by_name = {one.scenario: one for one in report.scenarios}
    assert by_name["gas tenfold"].gas_atoms == -5_000
    # The cash of the short sale would fall with its coin.
    assert by_name["stable coin at 0.90"].depeg_atoms == -(10 * 100_000 * 100) // 10


def test_a_book_with_one_side_is_not_stressed() -> None:
    desk = desk_with()
    epoch_inputs(desk.store, RUN, 0)
    desk.close_slice(replace(a_slice(), bids=()))
    assert assess(desk).scenarios == ()


def test_limits_in_use_count_what_may_still_fill() -> None:
    desk = desk_with()
    close(desk, outstanding_buy=Lots(3), outstanding_sell=Lots(1), drawdown_atoms=Atoms(42))
    desk.store.append_fills([fill("paper", Side.BUY, 100_000, 41, 0)], [])
    report = assess(desk)
    assert {one.name: (one.used, one.limit) for one in report.limits} == {
        "inventory_soft_lots": (41, 40),
        "inventory_hard_lots": (41, 80),
        "long_if_filled_lots": (41 + 3 + 4, 80),
        "short_if_filled_lots": (0, 80),
        "drawdown_atoms": (42, POLICY.drawdown_atoms_max),
    }
    assert report.band is Band.SOFT


@pytest.mark.parametrize(("price_ppm", "is_off"), [(1_000_000, False), (994_999, True)])
def test_cash_is_worth_its_price_and_the_breaker_says_when_that_is_not_par(
    price_ppm: int, is_off: bool
) -> None:
    desk = desk_with()
    close(desk)
    desk.store.append_fills([fill("paper", Side.SELL, 100_000, 10, 0)], [])
    report = assess(desk, cash_price_ppm=price_ppm)
    assert report.cash_worth_atoms == 10 * 100_000 * 100 * price_ppm // 1_000_000
    assert report.is_off_peg is is_off
