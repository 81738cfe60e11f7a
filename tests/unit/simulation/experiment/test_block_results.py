from __future__ import annotations

import numpy as np
import pytest

from dmm.simulation.experiment import blocks
from dmm.simulation.experiment.blocks import (
    BlockResults,
    checked_column,
    checked_matrix,
    pnl_matrix,
    varying,
)
from dmm.units.errors import UsageFault


def results(block_ns: int = 10**10, **columns: list[int] | np.ndarray) -> BlockResults:
    size = len(next(iter(columns.values()))) if columns else 3
    names = (
        "pnl_atoms",
        "markout_atoms",
        "fees_atoms",
        "volume_atoms",
        "inventory_lots",
        "fills",
        "orders",
    )
    filled = {name: np.asarray(columns.get(name, [0] * size)) for name in names}
    return BlockResults(block_ns=block_ns, **filled)


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"pnl_atoms": [1, 2], "fills": [1]}, "fills must be 2 values of int64 in a row"),
        ({"pnl_atoms": np.array([0.5, 1.0])}, "pnl_atoms must be 2 values of int64"),
        ({"pnl_atoms": np.zeros((2, 2), dtype=np.int64)}, "of shape"),
        ({"volume_atoms": [3, -1]}, "volume_atoms must not be negative, got -1"),
        ({"fills": [-2]}, "fills must not be negative"),
        ({"pnl_atoms": np.zeros(0, dtype=np.int64)}, "got 0"),
        ({"pnl_atoms": [2**62, 2**62]}, "pnl_atoms adds up to"),
        ({"markout_atoms": [-(2**62), 1]}, "markout_atoms adds up to"),
    ],
)
def test_a_run_that_makes_no_sense_is_refused_by_name(columns: dict, text: str) -> None:
    with pytest.raises(UsageFault, match=text):
        results(**columns)


def test_a_block_has_a_length() -> None:
    with pytest.raises(UsageFault, match="block_ns must be positive, got 0"):
        results(block_ns=0)


def test_rebates_and_losses_may_be_negative() -> None:
    assert results(fees_atoms=[-3, 4], pnl_atoms=[-7, 5]).blocks == 2


def test_sets_become_columns_in_their_order() -> None:
    matrix = pnl_matrix([results(pnl_atoms=[1, -2, 3]), results(pnl_atoms=[40, 50, 60])])
    assert matrix.tolist() == [[1, 40], [-2, 50], [3, 60]]


@pytest.mark.parametrize(
    "sets",
    [
        [],
        [results(pnl_atoms=[1, 2]), results(pnl_atoms=[1, 2, 3])],
        [results(pnl_atoms=[1, 2]), results(pnl_atoms=[1, 2], block_ns=7)],
    ],
)
def test_sets_that_were_cut_differently_do_not_mix(sets: list[BlockResults]) -> None:
    with pytest.raises(UsageFault, match="must share one cut"):
        pnl_matrix(sets)


def test_a_value_that_is_no_number_is_refused_by_place() -> None:
    bad = np.ones((4, 3))
    bad[2, 1] = np.nan
    with pytest.raises(UsageFault, match="nan in block 2 of set 1"):
        checked_matrix(bad)


def test_matrices_out_of_bounds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageFault, match="needs 2 to"):
        checked_matrix(np.ones((1, 3)))
    with pytest.raises(UsageFault, match="one value a block"):
        checked_column(np.ones((3, 2)))
    with pytest.raises(UsageFault, match="out of bounds"):
        checked_matrix(np.ones((3, 0)))
    monkeypatch.setattr(blocks, "CELLS_MAX", 5)
    with pytest.raises(UsageFault, match="5 cells: take longer blocks or fewer sets"):
        checked_matrix(np.ones((3, 2)))


def test_rounding_is_no_variation() -> None:
    nearly = np.full(100, 0.1)
    nearly[::2] += 1e-15
    columns = np.stack([nearly, np.zeros(100), np.arange(100) * 1e-9], axis=1)
    assert varying(columns).tolist() == [False, False, True]
