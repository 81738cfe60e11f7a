"""The simulation of Avellaneda & Stoikov (2008): inventory-based against symmetric quotes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmm.quoting.models.avellaneda_stoikov import half_spread, inventory_shift
from dmm.quoting.models.evaluate import GUARD_SHARE
from dmm.quoting.models.inputs import MODEL_INPUTS, InputRefused, number_in_range
from dmm.units.errors import UsageFault

START_PRICE = 100.0
VOLATILITY = 2.0
ARRIVAL_RATE = 140.0
ARRIVAL_DECAY = 1.5
STEPS = 200
STEP_S = 0.005
"""The paper's s, σ, A, k, and its unit of time in 200 steps."""

PATHS_MIN = 2
PATHS_MAX = 1_000_000
"""Paths of one table; a deviation needs two, and a million take half a minute."""

BLOCK_PATHS_MAX = 16_384
"""Paths that run side by side: their arrays stay in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyRow:
    """One strategy's row: mean spread, and mean and standard deviation over paths, all in price.

    `profit` is cash plus inventory at the last mid, `final_q` the inventory left.
    """

    spread: float
    profit_mean: float
    profit_std: float
    final_q_mean: float
    final_q_std: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTable:
    """The table of one risk aversion."""

    gamma: float
    paths: int
    seed: int
    inventory: StrategyRow
    symmetric: StrategyRow


def simulate_table(*, gamma: float, paths: int, seed: int) -> PaperTable:
    """Return the paper's table for a risk aversion.

    Each step quotes from (s, q, t); ask and bid fill independently with probability
    A·exp(−k·depth)·dt; then s moves by ±σ√dt. The inventory strategy quotes r ± δ(t), the symmetric
    one the mid ± the mean of δ(t) over the steps. The same seed gives the same table.

    Parameters
    ----------
    gamma : γ, 1/price, > 0; refused where the widest half-spread exceeds the unit guard
    paths : `PATHS_MIN` to `PATHS_MAX`, for each strategy
    seed : >= 0

    Raises
    ------
    UsageFault
        If an argument is out of its range.
    """
    gamma = number_in_range("gamma", gamma, MODEL_INPUTS["gamma"])
    if not PATHS_MIN <= paths <= PATHS_MAX:
        raise UsageFault(f"paths = {paths}: takes a whole number from {PATHS_MIN} to {PATHS_MAX:,}")
    if seed < 0:
        raise UsageFault(f"seed = {seed}: takes a whole number >= 0")
    halves = _half_spreads(gamma)
    skewed = _Quoting(halves=halves, skews=_skews(gamma))
    mean_half = float(halves.mean())
    symmetric = _Quoting(halves=np.full(STEPS, mean_half), skews=np.zeros(STEPS))
    streams = np.random.SeedSequence(seed).spawn(2)
    return PaperTable(
        gamma=gamma,
        paths=paths,
        seed=seed,
        inventory=_row(skewed, spread=2 * mean_half, paths=paths, stream=streams[0]),
        symmetric=_row(symmetric, spread=2 * mean_half, paths=paths, stream=streams[1]),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Quoting:
    """At each step δ(t) and by how much one unit of inventory lowers both quotes; in price."""

    halves: NDArray[np.float64]
    skews: NDArray[np.float64]


def _times_left() -> list[float]:
    return [(STEPS - step) * STEP_S for step in range(STEPS)]


def _half_spreads(gamma: float) -> NDArray[np.float64]:
    halves = [
        half_spread(risk_aversion=gamma, variance=VOLATILITY**2 * left, arrival_decay=ARRIVAL_DECAY)
        for left in _times_left()
    ]
    if not max(halves) <= GUARD_SHARE * START_PRICE:
        raise InputRefused(
            f"gamma = {gamma!r}: half_spread = {max(halves):.6g} exceeds {GUARD_SHARE:.0%} of the "
            f"paper's price {START_PRICE:g}; it takes risk aversions like 0.01, 0.1 and 0.5"
        )
    return np.array(halves)


def _skews(gamma: float) -> NDArray[np.float64]:
    return np.array(
        [
            inventory_shift(inventory=1.0, risk_aversion=gamma, variance=VOLATILITY**2 * left)
            for left in _times_left()
        ]
    )


def _row(
    quoting: _Quoting, *, spread: float, paths: int, stream: np.random.SeedSequence
) -> StrategyRow:
    sizes = [min(BLOCK_PATHS_MAX, paths - done) for done in range(0, paths, BLOCK_PATHS_MAX)]
    blocks = [
        _simulate_block(quoting, paths=size, rng=np.random.default_rng(own))
        for size, own in zip(sizes, stream.spawn(len(sizes)), strict=True)
    ]
    profit = np.concatenate([profits for profits, _ in blocks])
    final_q = np.concatenate([inventories for _, inventories in blocks])
    return StrategyRow(
        spread=spread,
        profit_mean=float(profit.mean()),
        profit_std=float(profit.std(ddof=1)),
        final_q_mean=float(final_q.mean()),
        final_q_std=float(final_q.std(ddof=1)),
    )


def _simulate_block(
    quoting: _Quoting, *, paths: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return profit and final inventory of each path."""
    price = np.full(paths, START_PRICE)
    cash, inventory = np.zeros(paths), np.zeros(paths)
    move = VOLATILITY * math.sqrt(STEP_S)
    for half, skew in zip(quoting.halves, quoting.skews, strict=True):
        ask_depth, bid_depth = half - skew * inventory, half + skew * inventory
        sold = rng.random(paths) < _fill_chance(ask_depth)
        bought = rng.random(paths) < _fill_chance(bid_depth)
        cash += sold * (price + ask_depth) - bought * (price - bid_depth)
        inventory += bought
        inventory -= sold
        price += np.where(rng.random(paths) < 1 / 2, move, -move)
    return cash + inventory * price, inventory


def _fill_chance(depth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return A·exp(−k·depth)·dt; beyond 1, which a depth far below zero gives, it is certain."""
    with np.errstate(over="ignore"):
        chance: NDArray[np.float64] = np.exp(-ARRIVAL_DECAY * depth) * (ARRIVAL_RATE * STEP_S)
    return chance
