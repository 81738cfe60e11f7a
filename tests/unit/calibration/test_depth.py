from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dmm.calibration import depth
from dmm.calibration.depth import (
    GRID_STEP_NS,
    Depths,
    States,
    Trades,
    grid_depths,
    mid_on_grid,
    positive_depths,
    trade_depths,
)


def states(*pairs: tuple[int, int]) -> States:
    at_ns, mids = zip(*pairs, strict=True) if pairs else ((), ())
    return States(
        at_ns=np.array(at_ns, dtype=np.int64), mid_half_ticks=np.array(mids, dtype=np.int64)
    )


def trades(*rows: tuple[int, int, bool]) -> Trades:
    at_ns, price, is_buy = zip(*rows, strict=True) if rows else ((), (), ())
    return Trades(
        at_ns=np.array(at_ns, dtype=np.int64),
        price_ticks=np.array(price, dtype=np.int64),
        is_buy=np.array(is_buy, dtype=np.bool_),
    )


def rows(depths: Depths) -> list[tuple[Any, ...]]:
    return list(
        zip(
            depths.at_ns.tolist(),
            depths.depth_half_ticks.tolist(),
            depths.is_buy.tolist(),
            strict=True,
        )
    )


def test_an_observation_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="duration must be positive, got 0 ns"):
        trade_depths(states((7, 200)), trades(), started_at_ns=0, duration_ns=0)


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="of one length"):
        positive_depths(
            depth_half_ticks=np.array([3, 5]),
            at_ns=np.array([7]),
            is_buy=np.array([True, False]),
            started_at_ns=0,
            duration_ns=9,
        )


def test_a_grid_without_states_or_of_less_than_two_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one book state"):
        mid_on_grid(states())
    with pytest.raises(ValueError, match="less than two steps"):
        grid_depths(states((5, 200), (5 + GRID_STEP_NS, 202)), trades())


def test_a_grid_beyond_its_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depth, "STEPS_MAX", 3)
    with pytest.raises(ValueError, match="4 steps of 10 ns are more than 3"):
        mid_on_grid(states((5, 200), (45, 202)), step_ns=10)


def test_a_trade_is_measured_from_the_state_strictly_before_it() -> None:
    book = states((10, 201), (20, 231))
    found = trade_depths(
        book,
        trades((10, 107, True), (20, 104, True), (21, 104, True), (21, 109, False)),
        started_at_ns=0,
        duration_ns=50,
    )
    # At 10 there is no state yet; at 20 the first still holds; at 21 the buyer is inside the mid.
    assert rows(found) == [(20, 7, True), (21, 13, False)]


def test_a_grid_carries_the_mid_forward_to_the_end_of_each_step() -> None:
    book = states((100, 200), (109, 203), (110, 207), (135, 211), (149, 215))
    assert mid_on_grid(book, step_ns=10).tolist() == [207, 207, 207, 211]


def test_a_step_keeps_its_deepest_trade_from_the_mid_before_it() -> None:
    book = states((100, 200), (112, 210), (125, 220), (149, 230))
    found = grid_depths(
        book,
        trades(
            (105, 190, True),  # the first step has no mid before it
            (111, 103, True),
            (118, 108, True),
            (119, 97, False),
            (123, 99, False),
            (131, 110, True),  # at the mid: no depth
            (160, 150, True),  # after the grid
        ),
        step_ns=10,
    )
    assert rows(found) == [(110, 16, True), (120, 12, False)]
    assert (found.started_at_ns, found.duration_ns) == (100, 40)


def test_a_grid_without_trades_has_no_depths() -> None:
    assert rows(grid_depths(states((100, 200), (149, 230)), trades(), step_ns=10)) == []
