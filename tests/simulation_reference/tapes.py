"""Small tapes and replays that several tests of the engine share."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st
from trading_values import LINEAR, START_NS

from dmm.market.instrument import Instrument
from dmm.market.tape import BestQuote, DepthUpdate, FeedEvent, TradePrint
from dmm.market.tape_columns import columns_of
from dmm.simulation.replay.latency import Latency
from dmm.simulation.replay.prepare import PreparedTape, VenueTape, prepare
from dmm.simulation.replay.result import SetOutcome
from dmm.simulation.replay.run import FeeTerms, Funding, QueueModel, VenueTerms, replay
from dmm.simulation.replay.schedule import OrderLatency
from dmm.simulation.replay.sets import ParameterSet
from dmm.units.amount import Lots, Ticks
from dmm.units.time import NS_PER_MS, Nanos

Levels = Sequence[tuple[int, int]]


def ms(milliseconds: float) -> Nanos:
    return Nanos(START_NS + int(milliseconds * NS_PER_MS))


def book(at: float, bids: Levels = (), asks: Levels = (), *, whole: bool = False) -> DepthUpdate:
    return DepthUpdate(
        exchange_at_ns=ms(at),
        received_at_ns=ms(at),
        first_id=1,
        last_id=1,
        is_snapshot=whole,
        bids=tuple((Ticks(price), Lots(size)) for price, size in bids),
        asks=tuple((Ticks(price), Lots(size)) for price, size in asks),
    )


def print_of(at: float, price: int, size: int, *, buyer: bool) -> TradePrint:
    return TradePrint(
        exchange_at_ns=ms(at),
        received_at_ns=ms(at),
        price=Ticks(price),
        size=Lots(size),
        buyer_is_aggressor=buyer,
        trade_id=1,
    )


def quote(at: float, bid: int, ask: int) -> BestQuote:
    return BestQuote(
        exchange_at_ns=ms(at),
        received_at_ns=ms(at),
        bid=Ticks(bid),
        bid_size=Lots(5),
        ask=Ticks(ask),
        ask_size=Lots(5),
    )


def prepared(
    events: Sequence[FeedEvent],
    *,
    instrument: Instrument = LINEAR,
    feed_ns: int = 0,
    clock: str = "both",
) -> PreparedTape:
    tape = VenueTape(
        columns=columns_of(events), instrument=instrument, feed=Latency(constant_ns=feed_ns)
    )
    return prepare([tape], clock=clock)


def terms_of(
    *,
    entry_ns: int = 0,
    response_ns: int = 0,
    queue: str = "risk_averse",
    power: float = 2.0,
    maker_ubps: int = 0,
    taker_ubps: int = 0,
) -> VenueTerms:
    return VenueTerms(
        delays=OrderLatency(
            entry=Latency(constant_ns=entry_ns), response=Latency(constant_ns=response_ns)
        ),
        queue=QueueModel(name=queue, power=power),
        fees=(FeeTerms(maker_ubps=maker_ubps, taker_ubps=taker_ubps),),
    )


def replayed(
    tape: PreparedTape,
    one: ParameterSet,
    terms: VenueTerms,
    *,
    funding: Sequence[tuple[int, int]] = (),
) -> SetOutcome:
    due = [Funding(at_ns=Nanos(at_ns), rate_ubps=rate) for at_ns, rate in funding]
    return replay(tape, [one], terms=[terms], funding=due).outcomes[0]


PRICES = st.integers(min_value=97, max_value=103)


@st.composite
def tapes(draw: st.DrawFn, *, count: int = 30) -> list[FeedEvent]:
    """Return a snapshot and what follows it, a millisecond apart or at once."""
    made: list[FeedEvent] = [
        book(
            0,
            [(99, draw(st.integers(1, 9))), (97, 8)],
            [(101, draw(st.integers(1, 9))), (103, 8)],
            whole=True,
        )
    ]
    at = 0
    for _ in range(draw(st.integers(min_value=1, max_value=count))):
        at += draw(st.sampled_from((0, 1, 1, 3)))
        choice = draw(st.integers(0, 9))
        if choice < 4:
            made.append(
                print_of(at, draw(PRICES), draw(st.integers(1, 12)), buyer=draw(st.booleans()))
            )
        elif choice == 9:
            bid = draw(st.integers(95, 100))
            made.append(quote(at, bid, draw(st.integers(bid + 1, 105))))
        else:
            sizes = st.integers(min_value=0, max_value=12)
            bids = draw(st.dictionaries(st.integers(95, 100), sizes, max_size=3))
            asks = draw(st.dictionaries(st.integers(100, 105), sizes, max_size=3))
            whole = choice == 8
            made.append(book(at, list(bids.items()), list(asks.items()), whole=whole))
    return made
