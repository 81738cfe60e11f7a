"""The default policy under stress: what each scenario costs it, and whether it stops itself.

Scenarios run on a simulated market, whose σ is known and can be raised, and on a recording. Prints
``{"tapes": {name: {scenario: {"pnl_bps_5s", "pnl_bps", "drawdown_bps", "volume", "inventory_sd",
"posture"}}}}``: gain per volume net of fees, deepest drawdown in basis points of the value of the
hard limit (200 of them halt the desk), lots, and the posture at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dmm.adapters.feeds import open_tape, read_columns
from dmm.governance.policy import BP_UBPS, Policy
from dmm.market.instrument import Instrument
from dmm.market.tape import DepthUpdate, FeedEvent
from dmm.market.tape_columns import TapeColumns, columns_of
from dmm.quoting.presets import paper_cex_policy, scale_of
from dmm.risk.breaker import Posture
from dmm.sandbox.market import DEFAULT_FLOW, SimulatedMarket
from dmm.settings import PROJECT_ROOT
from dmm.simulation.experiment.stress import Window, crossed, delayed, gapped, hurried, thinned
from dmm.simulation.replay.latency import FeedFromTape, Latency, clock_shift
from dmm.simulation.replay.prepare import VenueTape, prepare
from dmm.simulation.replay.result import SetOutcome
from dmm.simulation.replay.run import FeeTerms, VenueTerms, replay
from dmm.simulation.replay.schedule import OrderLatency
from dmm.simulation.replay.sets import desk_set
from dmm.units.amount import BPS_ONE
from dmm.units.time import NS_PER_S

HOUR = "shared/data/binance_spot_hour/ETHBTC_2020-11-01T09-00-00_update.json"
LATENCY_NS = 5_000_000
LEAST_FEED_NS = 1_000_000
SIGMA_FACTORS = (2, 5, 10)
THIN_FACTORS = (5, 20)
GAP_BPS = 100
CROSSED_BPS = 5
OUTAGE_NS = 30 * NS_PER_S
CROSSED_NS = 60 * NS_PER_S
SURCHARGE_BPS = 5
SIMULATED_S, SMOKE_S = 900, 150
SEED = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """A tape, a policy and a fee to play it with; the fee in millionths of a basis point."""

    columns: TapeColumns
    policy: Policy
    fee_ubps: int = 0


def measure(tape: Path | None, *, smoke: bool = False) -> dict[str, object]:
    """Return every scenario on a simulated market and on a recording."""
    duration_s = SMOKE_S if smoke else SIMULATED_S
    instrument, base = simulated(duration_s, 1)
    factors = {f"σ ×{factor}": factor for factor in SIGMA_FACTORS}
    louder = {
        name: replace(base, columns=simulated(duration_s, factor)[1].columns)
        for name, factor in factors.items()
    }
    tables = {"simulated": _table(instrument, {**scenarios(instrument, base), **louder})}
    path = tape or PROJECT_ROOT.parent / HOUR
    if path.is_file() and not (smoke and tape is None):
        instrument, base = recorded(path)
        faster = {
            f"hurried, σ ×{factor}": replace(base, columns=hurried(base.columns, factor=factor))
            for factor in SIGMA_FACTORS
        }
        tables[path.name] = _table(instrument, {**scenarios(instrument, base), **faster})
    return {"tapes": tables}


def simulated(duration_s: int, factor: int) -> tuple[Instrument, Case]:
    """Return a simulated market whose σ is so many times the usual."""
    flow = replace(DEFAULT_FLOW, sigma_ticks_1s=DEFAULT_FLOW.sigma_ticks_1s * factor)
    market = SimulatedMarket(np.random.default_rng(SEED), duration_s=duration_s, flow=flow)
    return market.instrument, _case(market.instrument, market.events, columns_of(market.events()))


def recorded(path: Path) -> tuple[Instrument, Case]:
    """Return a recording."""
    feed = open_tape([path])
    return feed.instrument, _case(feed.instrument, feed.events, read_columns([path]))


def _case(
    instrument: Instrument, events: Callable[[], Iterator[FeedEvent]], columns: TapeColumns
) -> Case:
    first = next(e for e in events() if isinstance(e, DepthUpdate) and e.bids and e.asks)
    policy = paper_cex_policy(
        instrument, scale_of(first), reward_budget_atoms=0, buyback_budget_atoms_max=0
    )
    return Case(columns=columns, policy=policy)


def scenarios(instrument: Instrument, base: Case) -> dict[str, Case]:
    """Return what can be done to any tape, by name, as it is first."""
    columns = base.columns
    price = int(np.median(columns.price_ticks))
    surcharge_ubps = SURCHARGE_BPS * BP_UBPS
    outage = Window.middle(columns, length_ns=OUTAGE_NS)
    tape = {
        "as it is": columns,
        **{f"book ÷{factor}": thinned(columns, factor=factor) for factor in THIN_FACTORS},
        "gap −1 %": gapped(
            columns, at_ns=outage.from_ns, shift_ticks=-max(1, price * GAP_BPS // BPS_ONE)
        ),
        "crossed 60 s": crossed(
            columns,
            window=Window.middle(columns, length_ns=CROSSED_NS),
            by_ticks=max(1, price * CROSSED_BPS // BPS_ONE),
        ),
        "outage 30 s": delayed(columns, window=outage),
    }
    aware = replace(
        base.policy,
        spread_floor_ubps=base.policy.spread_floor_ubps + 2 * surcharge_ubps,
        floor_fee_ubps=base.policy.floor_fee_ubps + 2 * surcharge_ubps,
    )
    return {
        **{name: replace(base, columns=changed) for name, changed in tape.items()},
        "gas +5 bps, unknown": replace(base, fee_ubps=surcharge_ubps),
        "gas +5 bps, in the floor": replace(base, policy=aware, fee_ubps=surcharge_ubps),
    }


def _table(instrument: Instrument, cases: Mapping[str, Case]) -> dict[str, object]:
    return {
        name: _figures(instrument, one.policy, _play(instrument, one))
        for name, one in cases.items()
    }


def _play(instrument: Instrument, one: Case) -> SetOutcome:
    latency = Latency(constant_ns=LATENCY_NS)
    terms = VenueTerms(
        delays=OrderLatency(entry=latency, response=latency),
        fees=(FeeTerms(maker_ubps=one.fee_ubps),),
    )
    shift_ns = clock_shift(one.columns, least_ns=LEAST_FEED_NS)
    feed = FeedFromTape(shift_ns=shift_ns)
    ready = prepare([VenueTape(columns=one.columns, instrument=instrument, feed=feed)])
    return replay(ready, [desk_set(one.policy)], terms=[terms]).outcomes[0]


def _figures(instrument: Instrument, policy: Policy, outcome: SetOutcome) -> dict[str, object]:
    venue, summary = outcome.venues[0], outcome.summary
    turnover = venue.turnover_atoms
    price = max(1, turnover // max(1, venue.volume_lots))
    # The limit's value at the mean price traded; an inverse contract's is in coin like the rest.
    worth = price * policy.hard_long_lots
    gain = venue.markout_atoms[1] - venue.fees_atoms
    return {
        "pnl_bps_5s": round(BPS_ONE * gain / turnover, 3) if turnover else None,
        "pnl_bps": round(BPS_ONE * summary.pnl / turnover, 3) if turnover else None,
        "drawdown_bps": round(BPS_ONE * summary.max_drawdown / worth, 2),
        "volume": summary.volume,
        "inventory_sd": round(summary.inventory_variance**0.5, 1),
        "posture": POSTURES[outcome.posture].value,
    }


POSTURES = (
    Posture.QUOTING, Posture.WIDENED, Posture.ONE_SIDED, Posture.PAUSED, Posture.HALTED,
)  # fmt: skip
"""The engine's numbers of postures."""
