"""How the desk's default policy trades beside its peers, on every public tape that can be played.

All stand in the same market: recorded feed, 5 ms to the venue and 5 ms back, queue ahead of us as
displayed, no fees, the same lots and limits. What is compared is the net gain of fills against the
mid five seconds later per volume, and the variance of the inventory at equal volume; intervals come
from blocks of ten seconds drawn in pairs.

The tapes are split: parameters were chosen on `select` alone, `confirm` was replayed afterwards.

Prints ``{"tapes": {name: {policy: {"pnl_bps_5s", "inventory_variance", "volume", …}}},
"against_default": {policy: {tape: {"difference", "ci95"}}}, …}``; a difference is the policy's
less the default's, so that a negative one speaks for the default. ``inventory_against_default`` has
the logarithm of the ratio of variances at equal volume: there a positive one does. ``ab`` holds the
same for policies that differ from the default in one setting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dmm.adapters.feeds import open_tape, read_columns
from dmm.governance.policy import Policy
from dmm.market.instrument import Instrument
from dmm.market.tape import DepthUpdate
from dmm.quoting.presets import InstrumentScale, paper_cex_policy, scale_of
from dmm.settings import PROJECT_ROOT
from dmm.simulation.experiment.blocks import BLOCK_NS, BlockResults
from dmm.simulation.experiment.compare import Difference, Metric, Pair, compare
from dmm.simulation.experiment.contest import block_results, contestants, variants
from dmm.simulation.replay.latency import FeedFromTape, Latency, clock_shift
from dmm.simulation.replay.prepare import PreparedTape, VenueTape, prepare
from dmm.simulation.replay.result import SetOutcome
from dmm.simulation.replay.run import ReplaySettings, VenueTerms, replay
from dmm.simulation.replay.schedule import OrderLatency
from dmm.simulation.replay.sets import ParameterSet
from dmm.units.amount import BPS_ONE

DATA = PROJECT_ROOT.parent / "shared/data"
RAW, HOURS = "binance_ws_l2", "binance_spot_hour"

SELECT: Mapping[str, tuple[str, ...]] = {
    "usdm_btcusdt": (f"{RAW}/usdm_btcusdt_20240808.gz",),
    "cm_ethusd": (f"{RAW}/cm_ethusd_perp_20240808.gz", f"{RAW}/cm_ethusd_perp_20240809.gz"),
    "spot_btcusdt": (f"{RAW}/spot_btcusdt_20240808.gz", f"{RAW}/spot_btcusdt_20240809.gz"),
    "hyperliquid_eth": ("hyperliquid_eth_l2top20/*.parquet",),
}
"""Tapes on which parameters may be chosen."""

CONFIRM: Mapping[str, tuple[str, ...]] = {
    "usdm_ethusdt": (f"{RAW}/usdm_ethusdt_20240808.gz",),
    "cm_btcusd": (f"{RAW}/cm_btcusd_perp_20240808.gz", f"{RAW}/cm_btcusd_perp_20240809.gz"),
    "spot_ethusdt": (f"{RAW}/spot_ethusdt_20240808.gz", f"{RAW}/spot_ethusdt_20240809.gz"),
    "ethbtc_hour": (f"{HOURS}/ETHBTC_2020-11-01T09-00-00_update.json",),
    "hyperliquid_btc": ("hyperliquid_btc_bbo_trades/*.csv",),
}
"""Tapes that nothing was chosen on."""

SMOKE_TAPE = "ethbtc_hour"
LATENCY_NS = 5_000_000
LEAST_FEED_NS = 1_000_000
SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Market:
    """A tape ready to be played, and what a policy is scaled by."""

    tape: PreparedTape
    instrument: Instrument
    scale: InstrumentScale

    @property
    def policy(self) -> Policy:
        """Return the policy that the desk begins with in this market."""
        return paper_cex_policy(
            self.instrument, self.scale, reward_budget_atoms=0, buyback_budget_atoms_max=0
        )


def measure(tape: Path | None, *, smoke: bool = False) -> dict[str, object]:
    """Return figures and differences on all tapes, on one that is named, or on a small one."""
    files = _tapes(tape, smoke=smoke)
    figures: dict[str, dict[str, dict[str, object]]] = {}
    blocks: dict[str, dict[str, BlockResults]] = {}
    tried: dict[str, dict[str, BlockResults]] = {}
    # One tape in memory at a time.
    for name, paths in files.items():
        one = market(paths)
        others = variants(one.policy)
        outcomes = play(one, {**contenders(one), **others})
        left = {policy: block_results(o, block_ns=BLOCK_NS) for policy, o in outcomes.items()}
        figures[name] = {policy: _figures(o) for policy, o in outcomes.items()}
        blocks[name] = {policy: r for policy, r in left.items() if policy not in others}
        tried[name] = {policy: left[policy] for policy in ("default", *others)}
    return {
        "tapes": {
            name: {policy: found[policy] for policy in blocks[name]}
            for name, found in figures.items()
        },
        "against_default": differences(blocks, Metric.MARKOUT_NET_BPS),
        "inventory_against_default": differences(blocks, Metric.INVENTORY_VARIANCE),
        "ab": {
            "tapes": {
                name: {policy: found[policy] for policy in tried[name]}
                for name, found in figures.items()
            },
            "against_default": differences(tried, Metric.MARKOUT_NET_BPS),
            "inventory_against_default": differences(tried, Metric.INVENTORY_VARIANCE),
        },
        "split": {"select": sorted(SELECT), "confirm": sorted(CONFIRM)},
        "latency_ms": LATENCY_NS / 1e6,
        "fee_bps": 0,
    }


def contenders(one: Market) -> dict[str, ParameterSet]:
    """Return the default policy and its peers in a market."""
    return contestants(one.policy, one.instrument, one.scale.mid)


def _tapes(tape: Path | None, *, smoke: bool) -> dict[str, list[Path]]:
    if tape is not None:
        return {tape.name: [tape]}
    known = {**SELECT, **CONFIRM}
    chosen = {SMOKE_TAPE: known[SMOKE_TAPE]} if smoke else known
    found = {
        name: [path for pattern in patterns for path in sorted(DATA.glob(pattern))]
        for name, patterns in chosen.items()
    }
    missing = sorted(name for name, paths in found.items() if not paths)
    if missing:
        raise SystemExit(
            f"trading: no recordings of {', '.join(missing)} in {DATA}: name one with --tape"
        )
    return found


def market(paths: Sequence[Path]) -> Market:
    """Read a tape."""
    feed = open_tape(paths)
    columns = read_columns(paths)
    instrument = feed.instrument
    shift_ns = clock_shift(columns, least_ns=LEAST_FEED_NS)
    tape = prepare(
        [VenueTape(columns=columns, instrument=instrument, feed=FeedFromTape(shift_ns=shift_ns))]
    )
    first = next(
        event
        for event in feed.events()
        if isinstance(event, DepthUpdate) and event.bids and event.asks
    )
    return Market(tape=tape, instrument=instrument, scale=scale_of(first))


def play(one: Market, sets: Mapping[str, ParameterSet]) -> dict[str, SetOutcome]:
    """Replay policies in a market, all in one pass."""
    latency = Latency(constant_ns=LATENCY_NS)
    terms = VenueTerms(delays=OrderLatency(entry=latency, response=latency))
    settings = ReplaySettings(fills_max=0, block_ns=BLOCK_NS)
    result = replay(one.tape, list(sets.values()), terms=[terms], settings=settings)
    return dict(zip(sets, result.outcomes, strict=True))


def _figures(outcome: SetOutcome) -> dict[str, object]:
    venue, summary = outcome.venues[0], outcome.summary
    gain = venue.markout_atoms[1] - venue.fees_atoms
    turnover = venue.turnover_atoms
    return {
        "pnl_bps_5s": round(BPS_ONE * gain / turnover, 4) if turnover else None,
        "inventory_variance": summary.inventory_variance,
        "volume": summary.volume,
        "fills": summary.fills,
        "pnl_bps": round(BPS_ONE * summary.pnl / turnover, 4) if turnover else None,
    }


def differences(
    blocks: Mapping[str, Mapping[str, BlockResults]], metric: Metric
) -> dict[str, dict[str, object]]:
    """Return each peer less the default by tape, and pooled over select and confirm."""
    peers = [name for name in next(iter(blocks.values())) if name != "default"]
    found: dict[str, dict[str, object]] = {}
    for peer in peers:
        pairs = [
            Pair(tape=tape, a=by_policy[peer], b=by_policy["default"])
            for tape, by_policy in blocks.items()
        ]
        told: dict[str, object] = {}
        one = compare(pairs, metric=metric, rng=np.random.default_rng(SEED))
        for tape, difference in one.by_tape.items():
            told[tape] = None if difference is None else _told(difference)
        for group, names in (("select", SELECT), ("confirm", CONFIRM)):
            chosen = [pair for pair in pairs if pair.tape in names]
            if len(chosen) > 1:
                pooled = compare(chosen, metric=metric, rng=np.random.default_rng(SEED)).pooled
                told[f"pooled:{group}"] = None if pooled is None else _told(pooled)
        found[peer] = told
    return found


def _told(found: Difference) -> dict[str, object]:
    return {
        "difference": round(found.difference, 4),
        "ci95": [round(found.low, 4), round(found.high, 4)],
    }
