"""What one parameter set did on one tape, in a trader's figures.

References
----------
Huang & Stoll (1996), Journal of Financial Economics 41(3): realised spread.
Sharpe (1994), Journal of Portfolio Management 21(1); Lo (2002), Financial Analysts Journal 58(4).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from dmm.simulation.experiment.blocks import (
    BlockResults,
    Figure,
    Floats,
    Integers,
    checked_column,
    checked_matrix,
    varying,
)
from dmm.units.amount import BPS_ONE
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S

YEAR_NS = 365 * 86_400 * NS_PER_S
"""A year of a market that never closes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Figures of a run; None where nothing happened that could be measured.

    Parameters
    ----------
    blocks : length of the run
    pnl_atoms, fees_atoms, volume_atoms, fills : totals
    sharpe_per_block : mean over standard deviation of a block's P&L
    sharpe_per_year : the same times √(blocks a year), which holds for independent blocks only
    max_drawdown_atoms : largest fall of net worth from an earlier high, the start included, >= 0
    inventory_variance_lots2 : population variance of the position at the ends of blocks
    realised_spread_bps : twice the gain against the later mid, before fees, per volume
    markout_net_bps : once that gain less fees, per volume
    fill_ratio : orders filled over orders that reached the venue
    skew, kurtosis : of a block's P&L, population moments; a normal one has 0 and 3
    """

    blocks: int
    pnl_atoms: int
    fees_atoms: int
    volume_atoms: int
    fills: int
    sharpe_per_block: float | None
    sharpe_per_year: float | None
    max_drawdown_atoms: int
    inventory_variance_lots2: float
    realised_spread_bps: float | None
    markout_net_bps: float | None
    fill_ratio: float | None
    skew: float | None
    kurtosis: float | None

    def to_json(self) -> dict[str, Figure]:
        """Return the figures by name."""
        return asdict(self)


def performance(results: BlockResults) -> Performance:
    """Return the figures of one run.

    Parameters
    ----------
    results : at least 2 blocks
    """
    pnl = checked_column(results.pnl_atoms.astype(np.float64))
    sharpe = float(sharpe_ratios(pnl)[0])
    shape = moments(pnl)
    volume, orders = int(results.volume_atoms.sum()), int(results.orders.sum())
    gain, fees = int(results.markout_atoms.sum()), int(results.fees_atoms.sum())
    fills = int(results.fills.sum())
    return Performance(
        blocks=results.blocks,
        pnl_atoms=int(results.pnl_atoms.sum()),
        fees_atoms=fees,
        volume_atoms=volume,
        fills=fills,
        sharpe_per_block=None if math.isnan(sharpe) else sharpe,
        sharpe_per_year=None
        if math.isnan(sharpe)
        else annualised(sharpe, block_ns=results.block_ns),
        max_drawdown_atoms=max_drawdown(results.pnl_atoms),
        inventory_variance_lots2=float(np.var(results.inventory_lots)),
        realised_spread_bps=2 * gain * BPS_ONE / volume if volume else None,
        markout_net_bps=(gain - fees) * BPS_ONE / volume if volume else None,
        fill_ratio=fills / orders if orders else None,
        skew=shape[0] if shape else None,
        kurtosis=shape[1] if shape else None,
    )


def sharpe_ratios(pnl: Floats) -> Floats:
    """Return mean over sample standard deviation of each column; NaN where it does not vary.

    The risk-free rate of a block is nought.

    Parameters
    ----------
    pnl : (blocks, sets) or (blocks,), any unit
    """
    matrix = checked_matrix(pnl)
    moves = varying(matrix)
    ratios = np.full(matrix.shape[1], np.nan)
    np.divide(matrix.mean(axis=0), matrix.std(axis=0, ddof=1), out=ratios, where=moves)
    return ratios


def annualised(sharpe_per_block: float, *, block_ns: int, year_ns: int = YEAR_NS) -> float:
    """Return SR·√(year/block): the yearly ratio if blocks were independent.

    Parameters
    ----------
    sharpe_per_block : of one block
    block_ns, year_ns : lengths, > 0

    References
    ----------
    Lo (2002), the case of returns without serial correlation.
    """
    if block_ns <= 0 or year_ns <= 0:
        raise UsageFault(f"lengths must be positive, got {block_ns} and {year_ns} ns")
    return sharpe_per_block * math.sqrt(year_ns / block_ns)


def moments(pnl: Floats) -> tuple[float, float] | None:
    """Return skewness γ₃ and kurtosis γ₄ by population moments; None if it does not vary.

    Parameters
    ----------
    pnl : (blocks,), any unit
    """
    column = checked_column(pnl)
    if not varying(column[:, None])[0]:
        return None
    standard = (column - column.mean()) / column.std()
    return float(np.mean(standard**3)), float(np.mean(standard**4))


def max_drawdown(pnl_atoms: Integers) -> int:
    """Return the largest fall of the running sum from an earlier high, the start included.

    Parameters
    ----------
    pnl_atoms : (blocks,), signed
    """
    worth = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(pnl_atoms, dtype=np.int64)])
    return int(np.max(np.maximum.accumulate(worth) - worth))


def inventory_variance_at_volume(results: BlockResults, *, volume_atoms: int) -> float | None:
    """Return the variance of the position had its orders been scaled to trade a given volume.

    Orders c times as large trade c times the volume and hold c times the position, as long as
    nothing of ours moves the market: Var(q)·(V/v)². None without volume.

    Parameters
    ----------
    results : of the run
    volume_atoms : V, > 0, in the same unit as the run's
    """
    if volume_atoms <= 0:
        raise UsageFault(f"the volume to compare at must be positive, got {volume_atoms}")
    own = int(results.volume_atoms.sum())
    if not own:
        return None
    return float(np.var(results.inventory_lots)) * (volume_atoms / own) ** 2
