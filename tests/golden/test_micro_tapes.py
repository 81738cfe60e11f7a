"""Tapes of a dozen events with the fills worked out by hand, one for every rule of the engine.

Times are milliseconds; the book starts with 5 lots bid at 99 and 5 offered at 101 unless said
otherwise. A fill is (time, side, price, lots). LINEAR has 100 atoms a tick and lot.
"""

from __future__ import annotations

import pytest
from simulation_reference.tapes import (
    book,
    ms,
    prepared,
    print_of,
    quote,
    replayed,
    terms_of,
)
from trading_values import INVERSE, LINEAR

from dmm.market.instrument import Instrument
from dmm.market.order import TimeInForce
from dmm.market.tape import FeedEvent
from dmm.simulation.replay.layout import F_AT, F_FEE, F_PRICE, F_SIDE, F_SIZE
from dmm.simulation.replay.prepare import VenueTape, prepare
from dmm.simulation.replay.result import SetOutcome
from dmm.simulation.replay.run import (
    FeeTerms,
    Funding,
    QueueModel,
    VenueTerms,
    replay,
)
from dmm.simulation.replay.schedule import EveryInterval
from dmm.simulation.replay.sets import Action, Common, Hedge, script_set, symmetric_set
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_MS

START = book(0, [(99, 5), (98, 7)], [(101, 5), (102, 7)], whole=True)
POST_ONLY, GTC, IOC, FOK = (
    TimeInForce.POST_ONLY,
    TimeInForce.GTC,
    TimeInForce.IOC,
    TimeInForce.FOK,
)


def place(
    at: float, side: int, price: int, size: int, tif: TimeInForce = POST_ONLY, tag: int = 0
) -> Action:
    return Action(
        at_ns=ms(at), kind="place", tag=tag, side=side, price=price, size=size, time_in_force=tif
    )


def cancel(at: float, tag: int = 0) -> Action:
    return Action(at_ns=ms(at), kind="cancel", tag=tag)


def replace(at: float, side: int, price: int, size: int, tag: int = 0) -> Action:
    return Action(at_ns=ms(at), kind="replace", tag=tag, side=side, price=price, size=size)


def play(
    events: list[FeedEvent], actions: list[Action], *, instrument: Instrument = LINEAR, **terms: int
) -> SetOutcome:
    tape = prepared([START, *events], instrument=instrument)
    return replayed(tape, script_set(actions), terms_of(**terms))  # type: ignore[arg-type]


def fills(outcome: SetOutcome) -> list[tuple[float, int, int, int]]:
    rows = outcome.fills[:, [F_AT, F_SIDE, F_PRICE, F_SIZE]].tolist()
    return [((at - ms(0)) / NS_PER_MS, side, price, size) for at, side, price, size in rows]


def test_a_touch_without_a_trade_fills_nothing() -> None:
    # The market comes down to our bid at 98 and through it; nobody ever traded.
    outcome = play([book(2, [(99, 0), (98, 0), (97, 3)], [(98, 4)])], [place(1, 1, 98, 2)])
    assert fills(outcome) == []


def test_a_trade_through_our_price_fills_us_whatever_was_ahead() -> None:
    # 5 lots are ahead at 99; a seller trades 2 at 98: he would have met us first, with all of it.
    outcome = play([print_of(2, 98, 2, buyer=False)], [place(1, 1, 99, 3)])
    assert fills(outcome) == [(2, 1, 99, 2)]


def test_a_trade_at_our_price_fills_what_is_left_after_the_queue_ahead() -> None:
    # Ahead 5. Sold 4: ahead 1, nothing for us. Sold 3: 1 for the queue, 2 for us. Sold 9: our last.
    events = [
        print_of(2, 99, 4, buyer=False),
        print_of(3, 99, 3, buyer=False),
        print_of(4, 99, 9, buyer=False),
    ]
    outcome = play(events, [place(1, 1, 99, 3)])
    assert fills(outcome) == [(3, 1, 99, 2), (4, 1, 99, 1)]
    # 3 lots at 99 for 100 atoms a tick and lot; the last mid is 100.
    assert outcome.venues[0].cash_atoms == -3 * 99 * 100
    assert outcome.summary.pnl == 3 * 1 * 100


def test_the_queue_ahead_is_capped_by_what_is_displayed() -> None:
    # Ahead 5; 4 are cancelled (1 displayed), then 8 join behind us: ahead stays 1.
    events = [
        book(2, [(99, 1)]),
        book(3, [(99, 9)]),
        print_of(4, 99, 3, buyer=False),
    ]
    assert fills(play(events, [place(1, 1, 99, 9)])) == [(4, 1, 99, 2)]


def test_a_print_that_follows_its_depth_update_moves_us_forward_once() -> None:
    # The update at 3 shows the trade of 4 already (5 → 1): its print, stamped 3, is used up by the
    # cut. The next print of 2 finds 1 ahead: 1 for us.
    late = print_of(3, 99, 4, buyer=False)
    events = [book(3, [(99, 1)]), late, print_of(4, 99, 2, buyer=False)]
    assert fills(play(events, [place(1, 1, 99, 9)])) == [(4, 1, 99, 1)]


def test_the_probabilistic_queue_gives_up_its_share_of_what_leaves() -> None:
    # Power 1: ahead 5, then 15 displayed, so 10 behind. 6 leave: behind has 10/15 of them, 4, and
    # we move forward by 2: ahead 3. A trade of 4 leaves 1 for us.
    events = [book(2, [(99, 15)]), book(3, [(99, 9)]), print_of(4, 99, 4, buyer=False)]
    tape = prepared([START, *events])
    terms = terms_of(queue="power", power=1.0)
    outcome = replayed(tape, script_set([place(1, 1, 99, 9)]), terms)
    assert fills(outcome) == [(4, 1, 99, 1)]


def test_the_probabilistic_queue_does_not_count_a_trade_twice() -> None:
    # Ahead 5. A trade of 2: ahead 3; the update that shows it (5 → 3) moves nothing further.
    events = [
        print_of(2, 99, 2, buyer=False),
        book(3, [(99, 3)]),
        print_of(4, 99, 4, buyer=False),
    ]
    terms = terms_of(queue="power", power=3.0)
    outcome = replayed(prepared([START, *events]), script_set([place(1, 1, 99, 9)]), terms)
    assert fills(outcome) == [(4, 1, 99, 1)]


def test_two_own_orders_share_a_trade_best_price_first_then_the_older() -> None:
    # Sold 6 down to 98: the bid at 99 takes 2, of the two at 98 the older takes its 3, the other 1.
    # 98 shows 7 ahead: the trade at 97 is through it, so the queue does not matter.
    events = [print_of(3, 97, 6, buyer=False)]
    actions = [place(1, 1, 98, 3, tag=1), place(1.5, 1, 98, 3, tag=2), place(2, 1, 99, 2, tag=3)]
    assert fills(play(events, actions)) == [(3, 1, 99, 2), (3, 1, 98, 3), (3, 1, 98, 1)]


def test_a_post_only_order_that_would_take_is_rejected_at_the_venue() -> None:
    # Sent while 101 is offered, it arrives at 3 when 100 is: a bid of 100 would take.
    events = [book(2, (), [(100, 4)]), print_of(5, 90, 9, buyer=False)]
    outcome = play(events, [place(1, 1, 100, 2)], entry_ns=2 * NS_PER_MS)
    assert fills(outcome) == []
    assert outcome.orders_rejected == 1


def test_a_fresher_best_quote_is_what_an_order_is_checked_against() -> None:
    outcome = play(
        [quote(2, 97, 98), print_of(5, 90, 9, buyer=False)],
        [place(3, 1, 98, 2)],
    )
    assert (fills(outcome), outcome.orders_rejected) == ([], 1)


def test_an_immediate_order_takes_level_by_level_and_the_rest_is_gone() -> None:
    # 5 at 101, then 3 of the 7 at 102 would be wanted: 8 with a limit of 102; 103 is beyond.
    outcome = play([print_of(9, 90, 9, buyer=False)], [place(1, 1, 102, 8, IOC)])
    assert fills(outcome) == [(1, 1, 101, 5), (1, 1, 102, 3)]
    outcome = play([print_of(9, 90, 9, buyer=False)], [place(1, 1, 101, 8, IOC)])
    assert fills(outcome) == [(1, 1, 101, 5)]


def test_all_or_nothing_is_nothing_when_one_lot_is_missing() -> None:
    assert fills(play([], [place(1, -1, 98, 13, FOK)])) == []
    assert fills(play([], [place(1, -1, 98, 12, FOK)])) == [(1, -1, 99, 5), (1, -1, 98, 7)]


def test_an_order_good_till_cancelled_takes_and_rests_with_what_is_left() -> None:
    # 5 at once at 101; the other 2 rest there with nobody ahead: a buyer's... a seller's 1 at 101.
    outcome = play([print_of(2, 101, 1, buyer=False)], [place(1, 1, 101, 7, GTC)])
    assert fills(outcome) == [(1, 1, 101, 5), (2, 1, 101, 1)]


def test_the_same_displayed_lots_are_taken_once_until_the_level_changes() -> None:
    # 4 of 5, then 1; after the update to 6 they are new lots.
    events = [book(4, (), [(101, 6)])]
    actions = [
        place(1, 1, 101, 4, IOC, 1),
        place(2, 1, 101, 4, IOC, 2),
        place(3, 1, 101, 4, IOC, 3),
        place(5, 1, 101, 4, IOC, 4),
    ]
    assert fills(play(events, actions)) == [(1, 1, 101, 4), (2, 1, 101, 1), (5, 1, 101, 4)]


def test_a_cancel_under_way_does_not_protect() -> None:
    # Sent at 2, it arrives at 4; the trade at 3 fills 2, the one at 5 finds nobody.
    events = [print_of(3, 98, 2, buyer=False), print_of(5, 98, 2, buyer=False)]
    outcome = play(events, [place(0.5, 1, 99, 9), cancel(2)], entry_ns=2 * NS_PER_MS)
    # Placed at 0.5 it arrives at 2.5.
    assert fills(outcome) == [(3, 1, 99, 2)]


def test_a_replacement_loses_its_place_and_never_doubles_a_filled_order() -> None:
    # Moved from 99 to 98 at 2, where 7 are ahead: the 8 sold there leave 1.
    outcome = play([print_of(3, 98, 8, buyer=False)], [place(1, 1, 99, 4), replace(2, 1, 98, 4)])
    assert fills(outcome) == [(3, 1, 98, 1)]
    # Filled at 3 while the replacement is under way: it arrives at 4 and is refused.
    events = [print_of(3, 98, 9, buyer=False), print_of(5, 90, 9, buyer=False)]
    outcome = play(
        events, [place(0.5, 1, 99, 4), replace(2, 1, 98, 4)], entry_ns=2 * NS_PER_MS,
        response_ns=2 * NS_PER_MS,
    )  # fmt: skip
    assert (fills(outcome), outcome.orders_rejected) == ([(3, 1, 99, 4)], 1)


def test_fees_and_rebates_follow_the_tier_of_their_time() -> None:
    # 2 lots at 99: 19,800 atoms. 0.5 bps rounded up: 1; then a rebate of 1 bp: −1 (1.98 down).
    events = [print_of(2, 98, 2, buyer=False), print_of(6, 98, 2, buyer=False)]
    tiers = (FeeTerms(maker_ubps=500_000), FeeTerms(from_ns=ms(5), maker_ubps=-1_000_000))
    tape = prepared([START, *events])
    one = script_set([place(1, 1, 99, 4)])
    outcome = replay(tape, [one], terms=[VenueTerms(fees=tiers)]).outcomes[0]
    assert outcome.fills[:, F_FEE].tolist() == [1, -1]


def test_funding_is_paid_by_who_holds_at_its_instant() -> None:
    # Long 2 from 2 on; at 3 the mid is 100: worth 20,000 atoms, 0.01 % is 2. At 1.5 nobody held.
    events = [print_of(2, 98, 2, buyer=False), book(4, [(99, 1)])]
    due = [Funding(at_ns=ms(at), rate_ubps=1_000_000) for at in (1.5, 3)]
    tape, one = prepared([START, *events]), script_set([place(1, 1, 99, 2)])
    outcome = replay(tape, [one], funding=due).outcomes[0]
    assert outcome.venues[0].funding_atoms == 2


def test_an_inverse_contract_is_booked_in_coins_rounded_against_us() -> None:
    # 3 contracts of 100 USD at 9.9 USD: 3·100/9.9 = 30.30303030… coins come, rounded down; at the
    # mid of 10.0 USD they owe 30 coins.
    outcome = play([print_of(2, 98, 3, buyer=False)], [place(1, 1, 99, 3)], instrument=INVERSE)
    assert outcome.venues[0].cash_atoms == 3_030_303_030
    assert outcome.summary.pnl == 30_303_030


def test_a_fill_here_is_hedged_there() -> None:
    # Bid 99 fills 4 at 2 on the first venue; heard at once, the timer at 3 sells 4 on the second.
    events = [START, print_of(2, 98, 4, buyer=False), book(9, [(98, 1)])]
    here = VenueTape(columns=prepared(events).tapes[0].columns, instrument=LINEAR)
    there = VenueTape(
        columns=prepared([book(0, [(99, 3), (98, 9)], [(100, 9)], whole=True)]).tapes[0].columns,
        instrument=LINEAR,
    )
    common = Common(
        size_lots=4, inventory_max_lots=4, pace=EveryInterval(interval_ns=NS_PER_MS),
        hedge=Hedge(venue=1, lots=2),
    )  # fmt: skip
    one = symmetric_set(common, half_ticks=1.0)
    tape = prepare([here, there])
    outcome = replay(tape, [one], terms=[VenueTerms(), VenueTerms()]).outcomes[0]
    # The hedge sells at the best bid only: 3 at once at 99; what is left is below its threshold.
    assert [venue.inventory_lots for venue in outcome.venues] == [4, -3]


def test_a_queue_that_needs_order_ids_is_refused_by_name() -> None:
    one, tape = script_set([place(1, 1, 99, 1)]), prepared([START])
    with pytest.raises(UsageFault, match="fifo needs the id of every order"):
        replay(tape, [one], terms=[VenueTerms(queue=QueueModel(name="fifo"))])
