"""What a replay leaves per block of time: the input of every statistic in this package.

A block is a fixed stretch of event time, ten seconds unless told otherwise. All figures of one
parameter set on one tape are `BlockResults`; many sets on one tape become a matrix with a row per
block and a column per set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S

Integers: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

Figure: TypeAlias = "bool | int | float | str | list[Figure] | dict[str, Figure] | None"
"""What a report may hold: plain JSON; a figure that does not exist is None, never NaN."""

BLOCK_NS = 10 * NS_PER_S
"""Length of a block unless told otherwise."""

BLOCKS_MAX = 1_000_000
"""Longest run, 115 days of ten seconds."""

SETS_MAX = 10_000
"""Most parameter sets in one matrix."""

CELLS_MAX = 50_000_000
"""Largest matrix, 400 MB; above it blocks must be longer or sets fewer."""

TOTAL_ATOMS_MAX = 2**62
"""Sums of absolute amounts stay below it, so that no running sum in 64 bits wraps."""

NEGLIGIBLE = 1e-12
"""A spread this small against the largest value is rounding: the column does not vary."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockResults:
    """One parameter set on one tape, one element per block, whole numbers.

    Parameters
    ----------
    pnl_atoms : change of net worth over the block, fees paid, inventory marked at the mid; signed
    markout_atoms : for the fills of the block, their gain against the mid one markout later, before
        fees; signed
    fees_atoms : on those fills, positive when paid, negative for a rebate
    volume_atoms : notional traded, >= 0
    inventory_lots : position at the end of the block, long is positive
    fills : orders that were filled, wholly or in part, >= 0
    orders : orders that reached the venue, >= 0
    block_ns : length of a block, > 0

    Raises
    ------
    UsageFault
        If a column is no row of whole numbers, lengths differ, a count is negative, or a total
        leaves 64 bits.
    """

    pnl_atoms: Integers
    markout_atoms: Integers
    fees_atoms: Integers
    volume_atoms: Integers
    inventory_lots: Integers
    fills: Integers
    orders: Integers
    block_ns: int = BLOCK_NS

    def __post_init__(self) -> None:
        if self.block_ns <= 0:
            raise UsageFault(f"block_ns must be positive, got {self.block_ns}")
        for field in fields(self):
            if field.name != "block_ns":
                self._check(field.name)

    def _check(self, name: str) -> None:
        column = getattr(self, name)
        if column.dtype != np.int64 or column.shape != (self.pnl_atoms.size,):
            raise UsageFault(
                f"{name} must be {self.pnl_atoms.size} values of int64 in a row, "
                f"got {column.dtype} of shape {column.shape}"
            )
        if not 1 <= column.size <= BLOCKS_MAX:
            raise UsageFault(f"a run has 1 to {BLOCKS_MAX} blocks, got {column.size}")
        total = float(np.sum(np.abs(column.astype(np.float64))))
        if total >= TOTAL_ATOMS_MAX:
            raise UsageFault(f"{name} adds up to {total:.3g}, 64 bits hold {TOTAL_ATOMS_MAX:.3g}")
        if name in ("volume_atoms", "fills", "orders") and int(column.min()) < 0:
            raise UsageFault(f"{name} must not be negative, got {int(column.min())}")

    @property
    def blocks(self) -> int:
        """Return how many blocks there are."""
        return int(self.pnl_atoms.size)


def pnl_matrix(sets: Sequence[BlockResults]) -> Floats:
    """Return P&L in atoms, a row per block and a column per set.

    Parameters
    ----------
    sets : of one tape, so of one length and one length of block

    Raises
    ------
    UsageFault
        If there is none, or they were not cut alike.
    """
    shapes = {(results.blocks, results.block_ns) for results in sets}
    if len(shapes) != 1:
        raise UsageFault(
            f"{len(sets)} sets must share one cut into blocks, got {len(shapes)} different ones"
        )
    return checked_matrix(np.stack([r.pnl_atoms for r in sets], axis=1).astype(np.float64))


def checked_matrix(columns: Floats, *, blocks_min: int = 2) -> Floats:
    """Return a matrix of finite numbers within bounds; a single row of numbers is one column.

    Parameters
    ----------
    columns : (blocks, sets) or (blocks,)
    blocks_min : fewest rows

    Raises
    ------
    UsageFault
        If it has another shape, is too small or too large, or holds something that is no number.
    """
    matrix = np.asarray(columns, dtype=np.float64)
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2 or not blocks_min <= matrix.shape[0] <= BLOCKS_MAX:
        raise UsageFault(
            f"needs {blocks_min} to {BLOCKS_MAX} blocks in rows, got shape {columns.shape}"
        )
    if not 1 <= matrix.shape[1] <= SETS_MAX or matrix.size > CELLS_MAX:
        raise UsageFault(
            f"shape {matrix.shape} is out of bounds: 1 to {SETS_MAX} sets, {CELLS_MAX} cells: "
            "take longer blocks or fewer sets"
        )
    if not np.isfinite(matrix).all():
        block, column = (int(at) for at in np.argwhere(~np.isfinite(matrix))[0])
        raise UsageFault(f"{matrix[block, column]} in block {block} of set {column} is no number")
    return matrix


def checked_column(values: Floats, *, blocks_min: int = 2) -> Floats:
    """Return one row of finite numbers within bounds; errors are those of `checked_matrix`."""
    if np.ndim(values) != 1:
        raise UsageFault(f"needs one value a block, got shape {np.shape(values)}")
    return checked_matrix(values, blocks_min=blocks_min)[:, 0]


def varying(columns: Floats) -> NDArray[np.bool_]:
    """Tell for each column whether it varies by more than rounding.

    Parameters
    ----------
    columns : (blocks, sets), finite
    """
    largest = np.max(np.abs(columns), axis=0)
    moves: NDArray[np.bool_] = np.ptp(columns, axis=0) > NEGLIGIBLE * largest
    return moves
