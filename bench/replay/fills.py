"""Both sides' fills, one by one, and the cause of each that only one of them has.

The peer fills an order when the opposite best comes to its price; ours waits for the trade. So at
the peer's time our book crosses the order, and ours fills at the same price later, or never. A side
that stands at its limit by then has no order where the other still has one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.replay.passes import LATENCY_NS, LOTS_MAX, one_set, run
from bench.replay.peer import Peer
from dmm.market.instrument import Instrument
from dmm.simulation.replay.layout import F_AT, F_PRICE, F_SIDE, F_SIZE
from dmm.simulation.replay.prepare import PreparedTape

COMPARED = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
APART_NS = LATENCY_NS + 1
"""The latency compared with. Stamps and timers are whole milliseconds: with 5 ms some orders arrive
at the very instant of a trade, which ours lets happen after the arrival and the peer before it."""

MATCH_NS = 1_000_000_000

Fill = tuple[int, int, int, int]
"""When, side, price, size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Causes:
    """Fills that differ, by cause, and those without one.

    `earlier` at the peer, of one order; `crossed` at the peer alone; `peer_at_limit` and
    `ours_at_limit` where that side held all it may and the other not.
    """

    earlier: int
    crossed: int
    ours_at_limit: int
    peer_at_limit: int
    unexplained: int


def compare_fills(
    ready: PreparedTape, peer: Peer, instrument: Instrument
) -> list[dict[str, object]]:
    """Return for each half-spread both sides' totals, and how their fills differ."""
    return [_compare(ready, peer, half, instrument) for half in COMPARED]


def _compare(
    ready: PreparedTape, peer: Peer, half: float, instrument: Instrument
) -> dict[str, object]:
    # The peer's timer starts with the first event at the venue.
    one = one_set(half, start_ns=int(ready.views[0].at_ns[0]))
    theirs = peer.ask(one.params, latency_ns=APART_NS)
    outcome = run([one], ready, latency_ns=APART_NS).result.outcomes[0]
    ours = _fills(outcome.fills[:, [F_AT, F_SIDE, F_PRICE, F_SIZE]].tolist())
    others = _fills(theirs["fills"])
    causes = causes_of(ready, ours, others)
    at_once = run([one], ready).result.outcomes[0].fills[:, [F_AT, F_SIDE, F_PRICE, F_SIZE]]
    peer_at_once = _fills(peer.ask(one.params)["fills"])
    unit = 10**instrument.cash.decimals
    return {
        "half_ticks": half,
        "ours": {
            "fills": len(ours),
            "position": outcome.venues[0].inventory_lots,
            "pnl": outcome.summary.pnl / unit,
        },
        "peer": {
            "fills": theirs["trades"],
            "position": theirs["position"],
            "pnl": round(float(theirs["pnl"]), 6),
        },
        "same_fills": len(set(ours) & set(others)),
        "peer_fills_at_the_update_that_crosses_us_ours_at_the_trade": causes.earlier,
        "peer_fills_at_such_an_update_ours_by_no_trade": causes.crossed,
        "peer_fills_while_ours_is_at_its_limit": causes.ours_at_limit,
        "ours_fills_while_the_peer_is_at_its_limit": causes.peer_at_limit,
        "unexplained": causes.unexplained,
        "unexplained_with_5_ms": causes_of(
            ready, _fills(at_once.tolist()), peer_at_once
        ).unexplained,
    }


def _fills(rows: Sequence[Sequence[int]]) -> list[Fill]:
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def causes_of(ready: PreparedTape, ours: Sequence[Fill], others: Sequence[Fill]) -> Causes:
    """Count the fills that only one side has, by cause."""
    left = sorted(set(ours) - set(others))
    earlier = crossed = ours_at_limit = unexplained = 0
    for fill in sorted(set(others) - set(ours)):
        match = next(
            (o for o in left if o[1:] == fill[1:] and 0 <= o[0] - fill[0] < MATCH_NS), None
        )
        if _is_crossed(ready, fill):
            if match is None:
                crossed += 1
            else:
                left.remove(match)
                earlier += 1
        elif _is_at_limit(ours, fill):
            ours_at_limit += 1
        else:
            unexplained += 1
    at_limit = sum(_is_at_limit(others, fill) for fill in left)
    return Causes(
        earlier=earlier,
        crossed=crossed,
        ours_at_limit=ours_at_limit,
        peer_at_limit=at_limit,
        unexplained=unexplained + len(left) - at_limit,
    )


def _is_crossed(ready: PreparedTape, fill: Fill) -> bool:
    """Return whether the book crosses an order at the time of its fill."""
    view = ready.views[0]
    at_ns, side, price, _ = fill
    last = int(np.searchsorted(view.at_ns, at_ns, side="right")) - 1
    bid, ask = int(view.seen[last, 0]), int(view.seen[last, 2])
    return 0 < ask <= price if side > 0 else bid >= price


def _is_at_limit(fills: Sequence[Fill], fill: Fill) -> bool:
    """Return whether the side with these fills held all it may just before another's fill."""
    held = sum(side * size for at_ns, side, _, size in fills if at_ns < fill[0])
    return held * fill[1] >= LOTS_MAX
