"""How σ is spread over the pieces of a long stretch, and what a silence leaves of it."""

from __future__ import annotations

import numpy as np
import pytest

from dmm.calibration.volatility import PIECES_MIN, ewma_sigma_ticks, sigma_spread_ticks


def test_less_than_an_hour_of_pieces_has_no_spread() -> None:
    assert sigma_spread_ticks(np.ones(PIECES_MIN * 300 - 1)) is None
    assert sigma_spread_ticks(np.ones(PIECES_MIN * 300)) == (0.0, 0.0, 0.0)


def test_quantiles_are_those_of_the_pieces_standard_deviations() -> None:
    # Piece k alternates between ±k ticks, so its σ is k: 1 to 21.
    pieces = [k * np.where(np.arange(4) % 2, 1.0, -1.0) for k in range(1, 22)]
    assert sigma_spread_ticks(np.concatenate(pieces), piece=4) == pytest.approx((2.0, 11.0, 20.0))


def test_the_rest_of_a_piece_is_taken_from_the_oldest_changes() -> None:
    whole = np.tile([3.0, -3.0], 24)
    with_rest = np.concatenate([[900.0, -900.0, 900.0], whole])
    assert sigma_spread_ticks(with_rest, piece=4) == pytest.approx((3.0, 3.0, 3.0))


def test_a_change_across_a_silence_is_no_volatility() -> None:
    mids = np.array([7_000, 7_014, 7_000, 9_000, 9_014, 9_000], dtype=np.int64)
    heard = np.array([True, True, False, True, True])
    assert ewma_sigma_ticks(mids, heard=heard) == pytest.approx(7.0)
    assert ewma_sigma_ticks(mids) > 100.0
    with pytest.raises(ValueError, match="two mids that no silence parts"):
        ewma_sigma_ticks(mids, heard=np.zeros(5, dtype=np.bool_))
