"""The simulated table: blocks, bounds and repetition."""

from __future__ import annotations

import numpy as np
import pytest

from dmm.simulation import paper_table
from dmm.simulation.paper_table import simulate_table
from dmm.units.errors import UsageFault


@pytest.mark.parametrize(
    ("gamma", "paths", "seed", "name"),
    [(0.0, 5, 1, "gamma"), (9.0, 5, 1, "gamma"), (0.1, 1, 1, "paths"), (0.1, 5, -1, "seed")],
)
def test_bad_arguments_are_refused_by_name(gamma: float, paths: int, seed: int, name: str) -> None:
    with pytest.raises(UsageFault, match=f"^{name} = "):
        simulate_table(gamma=gamma, paths=paths, seed=seed)


def test_paths_run_in_bounded_blocks_that_all_count(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    simulate = paper_table._simulate_block

    def counting(
        quoting: paper_table._Quoting, *, paths: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        sizes.append(paths)
        return simulate(quoting, paths=paths, rng=rng)

    monkeypatch.setattr(paper_table, "BLOCK_PATHS_MAX", 64)
    monkeypatch.setattr(paper_table, "_simulate_block", counting)
    simulate_table(gamma=0.1, paths=150, seed=3)
    assert sizes == [64, 64, 22] * 2


def test_blocks_draw_from_different_streams() -> None:
    table = simulate_table(gamma=0.1, paths=2, seed=3)
    assert table.inventory.profit_std > 0
    assert table.inventory.profit_mean != table.symmetric.profit_mean


def test_the_highest_risk_aversion_it_takes_neither_overflows_nor_fails() -> None:
    table = simulate_table(gamma=4.7, paths=50, seed=3)
    assert np.isfinite(table.inventory.profit_mean)
    assert table.inventory.final_q_std < 2
