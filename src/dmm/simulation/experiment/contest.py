"""Policies against each other on one tape: who they are, and what each leaves per block of time.

The desk's default policy stands against three rules that are public: a fixed symmetric spread,
Hummingbot's Avellaneda–Stoikov and hftbacktest's GLFT grid, each as its own project ships it. All
have the same lots to quote with and the same limit, so that none wins by being allowed more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dmm.governance.policy import BP_UBPS, Policy
from dmm.market.instrument import Instrument
from dmm.simulation.experiment.blocks import BlockResults
from dmm.simulation.replay.layout import (
    B_FEES,
    B_FILLS,
    B_INVENTORY,
    B_MARKOUT_5S,
    B_PNL,
    B_VOLUME,
    Longs,
)
from dmm.simulation.replay.result import SetOutcome
from dmm.simulation.replay.schedule import EveryInterval
from dmm.simulation.replay.sets import (
    Common,
    ParameterSet,
    desk_set,
    glft_grid_set,
    hummingbot_set,
    symmetric_set,
)
from dmm.units.amount import BPS_ONE, HalfTicks
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_MS, NS_PER_S

SYMMETRIC_BPS = 1.0
"""Half of the fixed spread, basis points of the mid at the tape's start."""

HUMMINGBOT_GAMMA = 1.0
"""`risk_factor` of Hummingbot's template, per unit of price."""

HUMMINGBOT_EVERY_NS = NS_PER_S
"""Hummingbot's clock ticks once a second."""

GLFT_GAMMA, GLFT_DELTA, GLFT_ADJUST_HALF, GLFT_ADJUST_SKEW = 0.05, 1.0, 1.0, 0.05
"""γ, δ, adj1 and adj2 of the tutorial."""

GLFT_LEVELS = 20
"""`grid_num` of the tutorial; its position limit is so many orders."""

GLFT_EVERY_NS = 100 * NS_PER_MS
"""How often the tutorial requotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """What every policy gets: lots a quote, the limit of the inventory, how often it may requote.

    Parameters
    ----------
    quote_lots, limit_lots : of the desk's policy, > 0
    every_ns : of those who name no interval of their own, > 0
    """

    quote_lots: int
    limit_lots: int
    every_ns: int

    @classmethod
    def of(cls, policy: Policy) -> Ring:
        """Return the terms that a desk's policy sets for all."""
        return cls(
            quote_lots=policy.quote_size_lots,
            limit_lots=policy.inventory_hard_lots,
            every_ns=policy.refresh_ms * NS_PER_MS,
        )

    def common(
        self, *, every_ns: int | None = None, levels: int = 1, size_lots: int | None = None
    ) -> Common:
        """Return them in the engine's words."""
        return Common(
            size_lots=size_lots or self.quote_lots,
            inventory_max_lots=self.limit_lots,
            levels=levels,
            pace=EveryInterval(interval_ns=every_ns or self.every_ns),
        )


def half_ticks_of(bps: float, mid: HalfTicks) -> float:
    """Return a distance in basis points of a mid in ticks.

    Parameters
    ----------
    bps : > 0
    mid : half ticks, > 0
    """
    return bps * mid / (2 * BPS_ONE)


def symmetric_peer(ring: Ring, mid: HalfTicks, *, half_bps: float = SYMMETRIC_BPS) -> ParameterSet:
    """Return the fixed symmetric spread around the mid, no skew, at the desk's own interval."""
    return symmetric_set(ring.common(), half_ticks=half_ticks_of(half_bps, mid))


def hummingbot_peer(
    ring: Ring, instrument: Instrument, *, gamma: float = HUMMINGBOT_GAMMA
) -> ParameterSet:
    """Return Hummingbot's Avellaneda–Stoikov as its template has it.

    An endless horizon, no least spread, one level, its clock of one second. Left out, in its
    favour: the minute it waits after a fill.

    References
    ----------
    Hummingbot, strategy `avellaneda_market_making`, its default configuration.
    """
    common = ring.common(every_ns=HUMMINGBOT_EVERY_NS)
    return hummingbot_set(common, gamma_per_tick=gamma * float(instrument.tick_size))


def glft_peer(
    ring: Ring, *, gamma: float = GLFT_GAMMA, adjust_skew: float = GLFT_ADJUST_SKEW
) -> ParameterSet:
    """Return hftbacktest's GLFT grid as its tutorial has it: the limit is the grid's orders.

    References
    ----------
    hftbacktest, tutorial "GLFT Market Making Model and Grid Trading".
    """
    lots = max(1, ring.limit_lots // GLFT_LEVELS)
    return glft_grid_set(
        ring.common(every_ns=GLFT_EVERY_NS, levels=GLFT_LEVELS, size_lots=lots),
        gamma=gamma,
        delta=GLFT_DELTA,
        adjust_half=GLFT_ADJUST_HALF,
        adjust_skew=adjust_skew,
    )


def contestants(policy: Policy, instrument: Instrument, mid: HalfTicks) -> dict[str, ParameterSet]:
    """Return the desk under its policy, and its peers, by name.

    Parameters
    ----------
    policy : the desk's, sound
    instrument : of the tape
    mid : at its start, half ticks, > 0

    Raises
    ------
    UsageFault
        If there is no mid.
    """
    if mid <= 0:
        raise UsageFault(f"{instrument.symbol}: a contest needs a mid above 0, got {mid}")
    ring = Ring.of(policy)
    return {
        "default": desk_set(policy),
        "symmetric": symmetric_peer(ring, mid),
        "hummingbot": hummingbot_peer(ring, instrument),
        "glft": glft_peer(ring),
    }


SKEWS = ("tanh", "cubic")
"""Skew functions tried against the linear one."""

FLOORS_BPS = (1, 2, 4, 8)
"""Floors of the full spread tried against the default's."""

GAMMA_PARTS = (15, 5)
"""By these γ is divided to see what it is worth; 15 gives the γ the desk once had."""


def variants(policy: Policy) -> dict[str, ParameterSet]:
    """Return the desk under policies that differ from one in a single setting, by name.

    Parameters
    ----------
    policy : sound
    """
    changed = {
        **{f"skew {skew}": replace(policy, skew=skew) for skew in SKEWS},
        **{
            f"floor {bps} bps": replace(policy, spread_floor_ubps=bps * BP_UBPS)
            for bps in FLOORS_BPS
        },
        **{
            f"γ/{part}": replace(policy, gamma_nano_per_bp=policy.gamma_nano_per_bp // part)
            for part in GAMMA_PARTS
        },
        "no toxicity": replace(policy, toxicity_tau_bps=0),
        "no size cut": replace(policy, size_cut_bps=BPS_ONE),
        "no order age": replace(policy, quote_age_percentile_bps=BPS_ONE),
    }
    return {name: desk_set(one, params={"variant": name}) for name, one in changed.items()}


def block_results(outcome: SetOutcome, *, block_ns: int) -> BlockResults:
    """Return what a set left per block, for the statistics of this package.

    A block's notional is its share of all lots times the whole turnover, rounded so that the sum is
    exact: within minutes prices do not move enough to matter, and the whole is to the atom.

    Parameters
    ----------
    outcome : of one venue
    block_ns : length of the blocks it was replayed with
    """
    running = outcome.blocks
    venue = outcome.venues[0]
    lots = running[:, B_VOLUME]
    turnover = _shared_out(lots, venue.turnover_atoms)
    return BlockResults(
        pnl_atoms=_steps(running[:, B_PNL]),
        markout_atoms=_steps(running[:, B_MARKOUT_5S]),
        fees_atoms=_steps(running[:, B_FEES]),
        volume_atoms=_steps(turnover),
        inventory_lots=running[:, B_INVENTORY].astype(np.int64),
        fills=_steps(running[:, B_FILLS]),
        # Orders per block are not noted: none of the figures compared here reads them.
        orders=np.zeros(len(running), dtype=np.int64),
        block_ns=block_ns,
    )


def _shared_out(running_lots: Longs, whole_atoms: int) -> Longs:
    """Return running shares of a whole, exact at the end."""
    total = int(running_lots[-1]) if len(running_lots) else 0
    if total == 0:
        return np.zeros(len(running_lots), dtype=np.int64)
    # Python's whole numbers: the product does not fit 64 bits.
    return np.array([int(one) * whole_atoms // total for one in running_lots], dtype=np.int64)


def _steps(running: Longs) -> Longs:
    steps: Longs = np.diff(running, prepend=0).astype(np.int64)
    return steps
