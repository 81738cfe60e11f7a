"""From a recording and some sets to their trials: the replay as an experiment asks for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dmm.market.instrument import Instrument
from dmm.market.tape import DepthUpdate
from dmm.market.tape_columns import MessageKind, TapeColumns
from dmm.quoting.presets import InstrumentScale, scale_of
from dmm.simulation.experiment.grid import GridSet
from dmm.simulation.experiment.plan import Plan
from dmm.simulation.experiment.trial import Trials, trials_of
from dmm.simulation.replay.latency import FeedFromTape, Latency, clock_shift
from dmm.simulation.replay.prepare import PreparedTape, VenueTape, prepare
from dmm.simulation.replay.run import Mapper, ReplaySettings, replay
from dmm.simulation.replay.sets import ParameterSet, desk_set
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_MS

LEAST_FEED_NS = NS_PER_MS
"""A recorder's clock that ran behind the venue's is shifted so far that this latency remains."""

WARM_MESSAGES = 64
"""Messages of a replay whose only purpose is to have the engine compiled."""


def scale_at_start(columns: TapeColumns, instrument: Instrument) -> InstrumentScale:
    """Return the scale of a market from the first whole book of its tape.

    Raises
    ------
    UsageFault
        If it has no book with two sides.
    """
    for at in np.flatnonzero(columns.kind == MessageKind.SNAPSHOT).tolist():
        (event,) = columns.piece(at, at + 1).events()
        if isinstance(event, DepthUpdate) and event.bids and event.asks:
            return scale_of(event)
    raise UsageFault(
        f"{instrument.symbol}: the tape has no whole book with two sides, so that nothing says how "
        "large a quote may be: begin with a snapshot"
    )


def prepared(columns: TapeColumns, instrument: Instrument, plan: Plan) -> PreparedTape:
    """Return a tape ready to be replayed under a plan's latency of the feed."""
    feed: FeedFromTape | Latency = (
        FeedFromTape(shift_ns=clock_shift(columns, least_ns=LEAST_FEED_NS))
        if plan.venue.feed_ns is None
        else Latency(constant_ns=plan.venue.feed_ns)
    )
    return prepare([VenueTape(columns=columns, instrument=instrument, feed=feed)])


def parameter_set(one: GridSet, plan: Plan) -> ParameterSet:
    """Return a set of a grid in the engine's words.

    Raises
    ------
    UsageFault
        If the model needs arrivals and the plan has none, or there is no source for its fair value.
    """
    if one.policy.model == "glft" and not plan.a_bid_micro:
        raise UsageFault(
            "the model glft needs how often orders arrive: give arrivals_per_s with bid and ask "
            "(`dmm calibrate` measures A_bid and A_ask)"
        )
    return desk_set(
        one.policy,
        params=dict(one.params),
        a_bid_micro=plan.a_bid_micro,
        a_ask_micro=plan.a_ask_micro,
    )


def run_sets(
    ready: PreparedTape,
    sets: Sequence[GridSet],
    plan: Plan,
    *,
    blocks: int = 1,
    mapper: Mapper = map,
) -> Trials:
    """Replay sets in one pass over the tape.

    Parameters
    ----------
    blocks, mapper : as for the engine; the result does not depend on them
    """
    made = replay(
        ready,
        [parameter_set(one, plan) for one in sets],
        terms=(plan.venue.terms,),
        settings=ReplaySettings(fills_max=0, block_ns=plan.judging.block_ns),
        blocks=blocks,
        mapper=mapper,
    )
    return trials_of(made.outcomes, span_ns=span_of_tape(ready))


def span_of_tape(ready: PreparedTape) -> int:
    """Return how long a tape is by the venue's clock, ns."""
    at_ns = ready.views[0].at_ns
    return int(at_ns[-1] - at_ns[0])


def warm(columns: TapeColumns, instrument: Instrument, one: GridSet, plan: Plan) -> None:
    """Have the engine compiled, so that what is measured afterwards is the replay alone."""
    piece = columns.piece(0, min(WARM_MESSAGES, columns.messages))
    run_sets(prepared(piece, instrument, plan), [one], plan)
