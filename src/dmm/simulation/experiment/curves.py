"""What one set did over a tape, for eyes: lines thinned to what a page can show, and its fills."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from dmm.market.instrument import ContractKind
from dmm.quoting.price import Priced, price_quote
from dmm.quoting.scale import inputs_in_ticks, sigma_ceiling_microticks
from dmm.simulation.experiment.blocks import Floats, Integers
from dmm.simulation.experiment.grid import GridSet
from dmm.simulation.experiment.passes import parameter_set
from dmm.simulation.experiment.plan import Plan
from dmm.simulation.replay.layout import (
    B_FEES,
    B_MARKOUT_1S,
    B_MARKOUT_5S,
    B_MARKOUT_30S,
    B_PNL,
    F_AT,
    F_MID,
    F_PRICE,
    F_SIDE,
    F_SIZE,
)
from dmm.simulation.replay.prepare import PreparedTape
from dmm.simulation.replay.result import SetOutcome
from dmm.simulation.replay.run import ReplaySettings, replay
from dmm.simulation.replay.schedule import EveryRefresh
from dmm.simulation.replay.sets import Common, symmetric_set
from dmm.simulation.replay.signals import online_estimates
from dmm.units.amount import BPS_ONE, HalfTicks, Lots
from dmm.units.time import NS_PER_MS, NS_PER_S

FILLS_MAX = 20_000
"""Fills kept for the page; more are counted and said."""

POINTS_MAX = 1_500
"""Instants at which mid and quotes are shown."""

DISTANCES = 14
"""Distances at which the fill ratio is measured."""

DISTANCE_BPS_MAX = 5.0

QUOTES_HELD = 1_000_000
"""How many quotes the ladder of distances may hold before a side stops: never."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curves:
    """Lines of a page; seconds from the start of the tape, prices in ticks, money in atoms.

    `bid` and `ask` are what the rule wants at that instant (NaN where it wants no quote), before
    hysteresis lets a resting order stand. Markouts are of all fills 1, 5 and 30 s later.
    `distance_bps` with `fill_share`: of lots resting that far from the mid, the share that filled.
    """

    seconds: Floats
    mid: Floats
    bid: Floats
    ask: Floats
    block_seconds: Floats
    equity: Integers
    fees: Integers
    markouts: dict[int, Integers]
    fill_seconds: Floats
    fill_price: Integers
    fill_side: Integers
    inventory_seconds: Floats
    inventory: Integers
    captured: Integers
    """Running gain of the fills against the mid at the fill, atoms."""
    fills_dropped: int
    distance_bps: Floats
    fill_share: Floats
    turnover: int


def curves_of(ready: PreparedTape, one: GridSet, plan: Plan) -> Curves:
    """Replay a set once more, with its fills, and return what a page shows of it."""
    settings = ReplaySettings(fills_max=FILLS_MAX, block_ns=plan.judging.block_ns)
    made = replay(ready, [parameter_set(one, plan)], terms=(plan.venue.terms,), settings=settings)
    outcome = made.outcomes[0]
    view = ready.views[0]
    start_ns = int(view.at_ns[0])
    at_ns, held = _held(outcome, start_ns)
    samples = np.unique(np.linspace(0, len(view.local_ns) - 1, POINTS_MAX).astype(np.int64))
    heard = view.heard[samples]
    has_mid = (heard[:, 0] > 0) & (heard[:, 0] < heard[:, 2])
    samples, heard = samples[has_mid], heard[has_mid]
    inventory = held[np.searchsorted(at_ns, view.local_ns[samples], side="right") - 1]
    bid, ask = _quotes(ready, one, plan, samples, heard, inventory)
    distance_bps, share = _by_distance(ready, one, plan)
    fills = outcome.fills
    return Curves(
        seconds=(view.local_ns[samples] - start_ns) / NS_PER_S,
        mid=(heard[:, 0] + heard[:, 2]) / 2,
        bid=bid,
        ask=ask,
        block_seconds=(made.block_ends_ns - start_ns) / NS_PER_S,
        equity=outcome.blocks[:, B_PNL].copy(),
        fees=outcome.blocks[:, B_FEES].copy(),
        markouts={
            1: outcome.blocks[:, B_MARKOUT_1S].copy(),
            5: outcome.blocks[:, B_MARKOUT_5S].copy(),
            30: outcome.blocks[:, B_MARKOUT_30S].copy(),
        },
        fill_seconds=(fills[:, F_AT] - start_ns) / NS_PER_S,
        fill_price=fills[:, F_PRICE].copy(),
        fill_side=fills[:, F_SIDE].copy(),
        inventory_seconds=(at_ns - start_ns) / NS_PER_S,
        inventory=held,
        captured=_captured(ready, outcome),
        fills_dropped=outcome.fills_dropped,
        distance_bps=distance_bps,
        fill_share=share,
        turnover=outcome.venues[0].turnover_atoms,
    )


def _held(outcome: SetOutcome, start_ns: int) -> tuple[Integers, Integers]:
    """Return when the inventory changed and what it was from then on, its start included."""
    fills = outcome.fills
    moves = fills[:, F_SIDE] * fills[:, F_SIZE]
    return (
        np.concatenate([[start_ns], fills[:, F_AT]]),
        np.concatenate([[0], np.cumsum(moves)]).astype(np.int64),
    )


def _captured(ready: PreparedTape, outcome: SetOutcome) -> Integers:
    """Return the running gain against the mid at each fill; of inverse contracts in coin."""
    instrument, fills = ready.views[0].instrument, outcome.fills
    away = fills[:, F_SIDE] * (fills[:, F_MID] / 2 - fills[:, F_PRICE])
    one_lot = np.array(
        [
            instrument.cash_atoms(price=price, size=Lots(1_000_000), rounded_up=False) / 1e6
            for price in fills[:, F_PRICE].tolist()
        ]
    ).reshape(-1)
    # A tick's worth at the fill's own price; of an inverse contract by the price at the mid.
    worth = one_lot / np.maximum(fills[:, F_PRICE], 1)
    if instrument.kind is ContractKind.INVERSE:
        worth = one_lot / np.maximum(fills[:, F_MID] / 2, 1)
    return np.cumsum(np.rint(away * worth * fills[:, F_SIZE])).astype(np.int64)


def _quotes(
    ready: PreparedTape,
    one: GridSet,
    plan: Plan,
    samples: Integers,
    heard: Integers,
    inventory: Integers,
) -> tuple[Floats, Floats]:
    """Return the best bid and ask the rule wants at each sample, by the desk's own function."""
    view, policy = ready.views[0], one.policy
    online = online_estimates(
        ready.tapes[0].columns, view.heard_message, view.local_ns, view.book_mid
    )
    bids, asks = np.full(len(samples), np.nan), np.full(len(samples), np.nan)
    for at, sample in enumerate(samples.tolist()):
        best_bid, bid_size, best_ask, ask_size = heard[at].tolist()
        mid, held = HalfTicks(best_bid + best_ask), Lots(int(inventory[at]))
        sigma, kappa = online[sample, :2].tolist()
        inputs = inputs_in_ticks(
            policy,
            mid=mid,
            inventory=held,
            sigma_microticks=sigma,
            kappa_nano=kappa,
            a_bid_micro=plan.a_bid_micro,
            a_ask_micro=plan.a_ask_micro,
            fair_microticks=_fair(policy.fair_value, best_bid, bid_size, best_ask, ask_size),
        )
        priced = price_quote(inputs, widened=sigma > sigma_ceiling_microticks(policy, mid))
        if not isinstance(priced, Priced):
            continue
        if held < policy.hard_long_lots:
            bids[at] = min(math.floor(priced.bid_ticks), best_ask - 1)
        if held > -policy.hard_short_lots:
            asks[at] = max(math.ceil(priced.ask_ticks), best_bid + 1)
    return bids, asks


def _fair(method: str, bid: int, bid_size: int, ask: int, ask_size: int) -> int | None:
    total = bid_size + ask_size
    if method != "micro" or total <= 0:
        return None
    return (2 * (bid * ask_size + ask * bid_size) * 1_000_000 + total) // (2 * total)


def _by_distance(ready: PreparedTape, one: GridSet, plan: Plan) -> tuple[Floats, Floats]:
    """Measure the fill ratio at fixed distances from the mid: one symmetric set for each."""
    view = ready.views[0]
    known = view.mid[view.mid > 0]
    mid_ticks = float(np.median(known)) / 2 if len(known) else 1.0
    widest = max(4.0, DISTANCE_BPS_MAX * mid_ticks / BPS_ONE)
    ticks = np.unique(np.rint(np.geomspace(1.0, widest, DISTANCES) * 2) / 2)
    size = max(1, one.policy.quote_size_lots // 4)
    common = Common(
        size_lots=size,
        inventory_max_lots=size * QUOTES_HELD,
        pace=EveryRefresh(refresh_ns=one.policy.refresh_ms * NS_PER_MS),
    )
    made = replay(
        ready,
        [symmetric_set(common, half_ticks=float(distance)) for distance in ticks],
        terms=(plan.venue.terms,),
        settings=replace(ReplaySettings(), fills_max=0, block_ns=plan.judging.block_ns),
    )
    share = np.array([outcome.summary.fill_ratio for outcome in made.outcomes])
    return ticks * BPS_ONE / mid_ticks, share
