"""The result of a backtest, and in words what it rests on."""

from __future__ import annotations

from dataclasses import dataclass

from dmm.governance.policy import BP_UBPS
from dmm.market.instrument import Instrument
from dmm.simulation.experiment.blocks import Figure
from dmm.simulation.experiment.conclusion import Conclusion
from dmm.simulation.experiment.grid import Grid
from dmm.simulation.experiment.plan import Plan
from dmm.simulation.experiment.trial import Totals
from dmm.units.time import NS_PER_MS, NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Backtest:
    """What a backtest came to, with all it assumed and all that is wrong with its data.

    `names` are the tape's files, `events` its rows of depth and trades.
    """

    names: tuple[str, ...]
    instrument: Instrument
    plan: Plan
    grid: Grid
    events: int
    conclusion: Conclusion
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]

    def verdict_json(self) -> dict[str, Figure]:
        """Return the verdict with assumptions and warnings beside it."""
        return {
            **self.conclusion.to_json(),
            "assumptions": list(self.assumptions),
            "warnings": list(self.warnings),
        }


def assumptions_of(plan: Plan) -> tuple[str, ...]:
    """Return what every figure of a replay rests on, in words."""
    venue, judging = plan.venue, plan.judging
    feed = (
        "as recorded, the recorder's clock shifted so that nothing is heard before it happened"
        if venue.feed_ns is None
        else f"{venue.feed_ns / NS_PER_MS:g} ms"
    )
    queue = venue.queue.replace("_", "-")
    if venue.queue == "power":
        queue += f", exponent {venue.power_milli / 1_000:g}"
    block_s = judging.block_ns / NS_PER_S
    entry_ms, response_ms = venue.entry_ns / NS_PER_MS, venue.response_ns / NS_PER_MS
    maker_bps, taker_bps = venue.maker_fee_ubps / BP_UBPS, venue.taker_fee_ubps / BP_UBPS
    fills = (
        "A resting order fills by a recorded trade through its price, or at it once the queue ahead"
        f" is used up (queue model: {queue}). A touch fills nothing."
    )
    delays = (
        f"Orders and cancels take {entry_ms:g} ms to the venue, answers {response_ms:g} ms back. "
        f"Market data: {feed}."
    )
    fees = f"Maker fee {maker_bps:g} bps, taker fee {taker_bps:g} bps, no funding."
    cuts = (
        f"Blocks of {block_s:g} s; before a test {judging.horizon_blocks} purged and "
        f"{judging.embargo_blocks} embargoed."
    )
    return (
        fills,
        "Our orders move neither the market nor other makers.",
        delays,
        fees,
        "Every recording starts without inventory and ends marked at its last mid.",
        cuts,
    )


def trial_warnings(totals: tuple[Totals, ...]) -> tuple[str, ...]:
    """Return what a reader must know of how the sets fared; empty where there is nothing."""
    idle = sum(not one.fills for one in totals)
    refused = sum(one.orders_refused for one in totals)
    of_sets = f"{idle} of {len(totals)} sets" if len(totals) > 1 else "the one set"
    told = (
        (idle, f"{of_sets} never traded"),
        (refused, f"{refused} orders found no place among a set's 64: its levels are too many"),
    )
    return tuple(text for count, text in told if count)
