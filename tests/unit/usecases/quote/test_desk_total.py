"""The worker under the limits of its venue, its vault and the whole desk."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from desk_memory import RUN, Desk
from quoted_memory import desk_trading, end, plan, quoted, taken
from trading_values import MEASURED, policy_record

from dmm.adapters.venues.paper import PaperVenue
from dmm.market.instrument import Side
from dmm.quoting.decision import SliceSummary
from dmm.risk.inventory import OpenLots
from dmm.sandbox.market import SimulatedMarket
from dmm.settlement.epoch import RowTable
from dmm.units.amount import Lots
from dmm.units.time import NS_PER_S
from dmm.usecases.epoch_inputs import epoch_inputs
from dmm.usecases.hedge import hedge_batch
from dmm.usecases.play import equal_boundaries, play
from dmm.usecases.quote import QuotingWorker
from dmm.usecases.replay_journal import replay_journal
from dmm.usecases.situation import EpochInputs
from dmm.usecases.surroundings import Surroundings

EPOCHS = 4
DURATION_S = 12
POLICY = replace(
    policy_record(
        quote_size_lots=40, inventory_soft_lots=200, inventory_hard_lots=400,
        hedge_threshold_lots=30,
    ).policy,
    preset="wide",
)  # fmt: skip


def market() -> SimulatedMarket:
    return SimulatedMarket(np.random.default_rng(5), duration_s=DURATION_S)


def play_on(desk: Desk, at_end: Callable[[int], None]) -> list[SliceSummary]:
    """Play the market, with something that happens at the end of every epoch."""
    feed = market()
    events = list(feed.events())
    closed: list[SliceSummary] = []

    def on_boundary(epoch: int, summary: SliceSummary) -> EpochInputs:
        closed.append(summary)
        at_end(epoch)
        return epoch_inputs(desk.store, RUN, epoch + 1)

    play(
        market(),
        QuotingWorker(
            run_id=RUN,
            instrument=feed.instrument,
            venue=PaperVenue(feed.instrument),
            store=desk.store,
        ),
        first=epoch_inputs(desk.store, RUN, 0),
        boundaries=equal_boundaries(
            started_at_ns=events[0].received_at_ns,
            ended_at_ns=events[-1].received_at_ns,
            epochs=EPOCHS,
        ),
        on_boundary=on_boundary,
    )
    return closed


def traded_desk() -> Desk:
    desk = desk_trading(market().instrument)
    desk.adopt(POLICY)
    return desk


def trading(desk: Desk, *, taker: Side = Side.SELL, hedge: bool = False) -> Callable[[int], None]:
    """Return what happens at an epoch's end: in the first a firm quote is taken and settles."""

    def at_end(epoch: int) -> None:
        instrument = market().instrument
        if epoch == 0:
            taken(desk, quoted(desk, epoch=0, side=taker, size=37, instrument=instrument))
            plan(desk, 0)
            end(desk)
        if hedge:
            hedge_batch(
                store=desk.store,
                chain=desk.chain,
                clock=desk.clock,
                instrument=instrument,
                run_id=RUN,
                epoch=epoch,
            )

    return at_end


def bodies(desk: Desk, epoch: int) -> list[dict[str, Any]]:
    return [json.loads(record.body) for record in desk.store.decisions(RUN, epoch)]


def test_alone_the_worker_passes_no_caps_for_its_own_limits_say_the_same() -> None:
    desk = traded_desk()
    play_on(desk, lambda _: None)
    assert all(body["caps"] == [] for epoch in range(EPOCHS) for body in bodies(desk, epoch))


def test_an_accepted_quote_takes_room_first_and_becomes_inventory_when_it_has_settled() -> None:
    desk = traded_desk()
    closed = play_on(desk, trading(desk))
    assert all(body["caps"] == [] for body in bodies(desk, 0))
    waiting, booked = bodies(desk, 1), bodies(desk, 2)
    for body in waiting:
        held, (buy, sell) = body["inventory"], (body["outstanding_buy"], body["outstanding_sell"])
        assert body["caps"] == [
            ["venue", market().instrument.venue, 400 - held - buy, 400 + held - sell],
            ["vault", f"paper:{RUN}", 400 - held - buy, 400 + held - sell],
            ["total", "total", 400 - held - buy - 37, 400 + held - sell],
        ]
    assert waiting
    for body in booked:
        by_name = {name: (room_buy, room_sell) for name, _, room_buy, room_sell in body["caps"]}
        (venue_buy, _), (total_buy, total_sell) = by_name["venue"], by_name["total"]
        assert total_buy == 400 - body["inventory"] - body["outstanding_buy"] == venue_buy - 37
        assert total_sell == 400 + body["inventory"] - body["outstanding_sell"]
    own = [sum(f.side.sign * f.size for f in desk.store.fills(RUN, e)) for e in range(EPOCHS)]
    positions = [one.position for one in closed]
    assert positions == [own[0], sum(own[:2]), sum(own[:3]) + 37, sum(own) + 37]


def test_what_settled_is_hedged_with_the_rest_of_the_desk() -> None:
    desk = traded_desk()
    closed = play_on(desk, trading(desk, taker=Side.BUY, hedge=True))
    fills = [fill for epoch in (0, 1, 2) for fill in desk.store.fills(RUN, epoch)]
    held = sum(f.side.sign * f.size for f in fills if not (f.is_hedge and f.epoch == 2))
    # The slice holds what settled, and so does the job that hedges by it.
    assert closed[2].position == held - 37
    hedge = desk.store.epoch_rows(RUN, RowTable.HEDGE_ORDER, 2)[0]
    assert (hedge.body["side"], hedge.body["size"]) == ("buy", -closed[2].position)
    bought = sum(fill.size for fill in fills if fill.is_hedge and fill.epoch == 2)
    assert bodies(desk, 3)[0]["inventory"] == closed[2].position + bought


def test_a_play_with_firm_quotes_is_derived_again_byte_for_byte_and_resumes_as_it_was() -> None:
    desk = traded_desk()
    first = play_on(desk, trading(desk))
    assert replay_journal(store=desk.store, run_id=RUN).is_sound
    records = desk.store.decisions(RUN)
    again = play_on(desk, lambda _: None)
    assert [one.position for one in again] == [one.position for one in first]
    assert desk.store.decisions(RUN) == records


def test_the_desks_limit_stops_the_side_that_would_add_while_the_venue_has_room() -> None:
    desk = traded_desk()
    feed = market()
    worker = QuotingWorker(
        run_id=RUN, instrument=feed.instrument, venue=PaperVenue(feed.instrument), store=desk.store
    )
    inputs = replace(
        epoch_inputs(desk.store, RUN, 0), promised=OpenLots(buy=Lots(400)), estimates=MEASURED
    )
    events = list(feed.events())
    worker.begin_epoch(0, started_at_ns=events[0].received_at_ns, inputs=inputs)
    start_ns = events[0].received_at_ns
    for event in events:
        if event.received_at_ns - start_ns > 4 * NS_PER_S:
            worker.take_surroundings(Surroundings(promised=OpenLots()))
        worker.on_event(event)
    worker.shutdown()
    placed = [
        (body["decided_at_ns"], {side for side, *_ in body["quotes"]}, set(body["refused"]))
        for body in bodies(desk, 0)
        if body["quotes"] or body["refused"]
    ]
    before = [one for one in placed if one[0] - start_ns <= 4 * NS_PER_S]
    after = [one for one in placed if one[0] - start_ns > 4 * NS_PER_S]
    # While flat nothing may be bought; what is sold may be bought back.
    assert before[0][1:] == ({"sell"}, {"total_inventory"})
    assert any({"buy", "sell"} <= sides for _, sides, _ in after)
    assert not any("total_inventory" in refused for _, _, refused in after)
