"""Firm quotes as inventory: open from acceptance to their end, then held once and for good."""

from __future__ import annotations

import pytest
from desk_memory import BOTH_SIDES, RUN, Desk, a_slice
from quoted_memory import ask, desk_trading, end, plan, quoted, taken

from dmm.market.instrument import Side
from dmm.risk.gate import RefusalReason
from dmm.risk.inventory import NOTHING_OPEN, OpenLots
from dmm.settlement.intent import IntentState
from dmm.units.amount import Lots
from dmm.units.errors import InvariantBroken
from dmm.units.time import NS_PER_S
from dmm.usecases.epoch_inputs import epoch_inputs
from dmm.usecases.quoted import (
    BEGIN_NS_MAX,
    CHAIN_CLOCKS_APART_S_MAX,
    SETTLE_EPOCHS_BACK_MAX,
    QuotedWatch,
    Stage,
    fixed_quotes,
    stage_of,
)
from dmm.usecases.rfq import Declined, Quoted


@pytest.fixture
def desk() -> Desk:
    """A desk whose first epoch has closed, flat."""
    desk = desk_trading()
    epoch_inputs(desk.store, RUN, 0)
    desk.close_slice(a_slice(), BOTH_SIDES)
    return desk


def buys(lots: int) -> OpenLots:
    return OpenLots(buy=Lots(lots))


def sells(lots: int) -> OpenLots:
    return OpenLots(sell=Lots(lots))


# -- an epoch's inputs


def test_an_accepted_quote_is_open_in_the_next_epoch_and_inventory_in_the_one_after(
    desk: Desk,
) -> None:
    trade = taken(desk, quoted(desk, epoch=0))
    plan(desk, 0)
    assert end(desk) == 1
    first, second = (epoch_inputs(desk.store, RUN, epoch) for epoch in (1, 2))
    assert (first.promised, first.settled) == (sells(5), ())
    assert second.promised == NOTHING_OPEN
    (fill,) = second.settled
    assert (fill.fill_id, fill.side, fill.size) == (trade.quote.quote_id, Side.SELL, 5)
    third = epoch_inputs(desk.store, RUN, 3)
    assert (third.promised, third.settled) == (NOTHING_OPEN, ())


def test_a_quote_nobody_accepted_is_no_inventory(desk: Desk) -> None:
    quoted(desk, epoch=0)
    assert epoch_inputs(desk.store, RUN, 1).promised == NOTHING_OPEN


@pytest.mark.parametrize("planned", [False, True])
def test_while_its_settlement_goes_on_a_quote_stays_open(desk: Desk, planned: bool) -> None:
    taken(desk, quoted(desk, epoch=0, side=Side.SELL))
    if planned:
        plan(desk, 0)
    for epoch in range(1, SETTLE_EPOCHS_BACK_MAX + 1):
        found = epoch_inputs(desk.store, RUN, epoch)
        assert (found.promised, found.settled) == (buys(5), ()), epoch
    # Settlements look back no further: nobody plans it any more. What is planned is not given up.
    late = epoch_inputs(desk.store, RUN, SETTLE_EPOCHS_BACK_MAX + 1)
    assert late.promised == (buys(5) if planned else NOTHING_OPEN)


def test_a_settlement_that_takes_longer_than_the_window_is_still_booked_once(desk: Desk) -> None:
    taken(desk, quoted(desk, epoch=0))
    plan(desk, 0)
    far = SETTLE_EPOCHS_BACK_MAX + 5
    for epoch in range(1, far):
        assert epoch_inputs(desk.store, RUN, epoch).settled == ()
    end(desk)
    assert [len(epoch_inputs(desk.store, RUN, far + n).settled) for n in range(12)] == [
        1,
        *[0] * 11,
    ]


def test_a_quote_that_failed_is_neither_open_nor_inventory(desk: Desk) -> None:
    taken(desk, quoted(desk, epoch=0))
    plan(desk, 0)
    assert end(desk, final=False) == 1
    for epoch in (1, 2, 3):
        found = epoch_inputs(desk.store, RUN, epoch)
        assert (found.promised, found.settled) == (NOTHING_OPEN, ())


def test_a_quote_in_quarantine_may_still_settle(desk: Desk) -> None:
    taken(desk, quoted(desk, epoch=0))
    plan(desk, 0)
    claimed = desk.store.claim_due(chain="evm", owner="test", lease_s=60)
    assert claimed is not None
    desk.store.quarantine(claimed, reason="a test")
    assert epoch_inputs(desk.store, RUN, 1).promised == sells(5)
    assert epoch_inputs(desk.store, RUN, 2).promised == sells(5)


def test_what_an_epoch_began_with_stays_whatever_settles_later(desk: Desk) -> None:
    taken(desk, quoted(desk, epoch=0))
    plan(desk, 0)
    before = [epoch_inputs(desk.store, RUN, epoch) for epoch in (1, 2)]
    end(desk)
    assert [epoch_inputs(desk.store, RUN, epoch) for epoch in (1, 2)] == before
    assert len(epoch_inputs(desk.store, RUN, 3).settled) == 1


def test_inputs_of_an_older_journal_know_no_firm_quotes(desk: Desk) -> None:
    assert fixed_quotes(desk.store, RUN, {"policy": {}}) == ((), NOTHING_OPEN)


def test_a_settled_quote_that_the_journal_lost_is_told(desk: Desk) -> None:
    with pytest.raises(InvariantBroken, match="quote ab12 settled and is not in the journal"):
        fixed_quotes(desk.store, RUN, {"quoted": {"settled": [["ab12", 0]]}})


# -- the gate of firm quotes


def test_a_quote_in_settlement_counts_against_the_desks_limit_until_it_fails(desk: Desk) -> None:
    desk.close_slice(a_slice(epoch=1, position=-64), BOTH_SIDES)
    epoch_inputs(desk.store, RUN, 1)
    for _ in range(2):
        taken(desk, quoted(desk, epoch=1))
    plan(desk, 1)
    # Short 64, 6 of the worker's orders and 10 in settlement reach the limit of 80.
    declined = ask(desk, epoch=1, size=1)
    assert isinstance(declined, Declined)
    assert declined.reason is RefusalReason.TOTAL_INVENTORY
    assert isinstance(ask(desk, epoch=1, side=Side.SELL, size=1), Quoted)
    end(desk, final=False)
    assert isinstance(ask(desk, epoch=1, size=1), Quoted)


def test_a_settled_quote_counts_until_the_worker_has_booked_it_and_then_by_its_position(
    desk: Desk,
) -> None:
    taken(desk, quoted(desk, epoch=0, size=10))
    plan(desk, 0)
    end(desk)
    for epoch, position in ((1, -64), (2, -74)):
        booked = epoch_inputs(desk.store, RUN, epoch).settled
        assert len(booked) == (epoch == 2)
        desk.close_slice(a_slice(epoch=epoch, position=position), BOTH_SIDES)
        # Short 74 by position and settlement together, and 6 of the worker's orders.
        assert ask(desk, epoch=epoch, size=1) == Declined(reason=RefusalReason.TOTAL_INVENTORY)
    desk.close_slice(a_slice(epoch=3, position=-73), [])
    epoch_inputs(desk.store, RUN, 3)
    assert isinstance(ask(desk, epoch=3, size=7), Quoted)


def test_what_is_in_settlement_takes_no_room_of_the_open_quotes(desk: Desk) -> None:
    # Three full quotes may be open on a side: what was accepted and planned is none of them.
    for _ in range(4):
        taken(desk, quoted(desk, epoch=0, size=10))
        plan(desk, len(desk.store.intents()))
    assert isinstance(ask(desk, epoch=0, size=10), Quoted)


# -- the watch beside a live worker


def watch(desk: Desk, epoch: int = 1) -> QuotedWatch:
    found = QuotedWatch(desk.store, RUN, desk.clock)
    found.take_inputs(epoch, epoch_inputs(desk.store, RUN, epoch).settled)
    return found


def test_a_live_worker_leaves_room_for_a_quote_that_may_still_be_taken(desk: Desk) -> None:
    watching = watch(desk)
    assert watching.look() == NOTHING_OPEN
    trade = quoted(desk, epoch=1)
    assert watching.look() == sells(5)
    desk.clock.ns = (trade.quote.expiry_s + CHAIN_CLOCKS_APART_S_MAX) * NS_PER_S
    assert watching.look() == sells(5)
    desk.clock.ns += NS_PER_S
    assert watching.look() == NOTHING_OPEN
    taken(desk, trade)
    assert watching.look() == sells(5)


def test_the_watch_counts_a_settled_quote_until_the_worker_has_begun_the_epoch_that_books_it(
    desk: Desk,
) -> None:
    taken(desk, quoted(desk, epoch=0))
    plan(desk, 0)
    end(desk)
    watching = watch(desk)
    assert watching.look() == sells(5)
    watching.take_inputs(2, epoch_inputs(desk.store, RUN, 2).settled)
    assert watching.look() == sells(5)
    desk.clock.ns += BEGIN_NS_MAX + 1
    assert watching.look() == NOTHING_OPEN


def test_before_the_first_epoch_is_asked_for_the_watch_reads_nothing(desk: Desk) -> None:
    quoted(desk, epoch=0)
    assert QuotedWatch(desk.store, RUN, desk.clock).look() == NOTHING_OPEN


def test_every_end_of_an_intent_has_its_stage(desk: Desk) -> None:
    trade = taken(desk, quoted(desk, epoch=0))
    assert stage_of(desk.store, trade) is None
    plan(desk, 0)
    (entry,) = desk.store.entries.values()
    stages = {}
    for state in IntentState:
        entry.state = state
        stages[state] = stage_of(desk.store, trade)
    ended = {IntentState.FINAL: Stage.SETTLED, IntentState.FAILED: Stage.VOID}
    ended[IntentState.CANCELLED] = Stage.VOID
    assert stages == {state: ended.get(state, Stage.OPEN) for state in IntentState}
