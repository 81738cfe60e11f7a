"""exp(T·A)·z for the matrices of market making under an inventory limit, without cancellation.

Both Guéant–Lehalle–Fernandez-Tapia and Cartea–Jaimungal turn their Hamilton–Jacobi–Bellman equation
into ω' = Aω over q = −Q…Q, where A holds −c·q² on its diagonal and b > 0 beside it. Quotes need
logarithms of ratios of neighbouring ω_q, also far from the centre, where ω_q is smaller by many
orders of magnitude. An eigendecomposition is exact to a share of the largest ω only and returns
negative numbers out there. Here nothing negative is ever added: A plus a multiple of the identity
has no negative entry, so series, squaring and product keep the relative accuracy of each entry.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dmm.units.errors import UsageFault

INVENTORY_MAX = 1_000
"""The largest inventory limit Q: the matrix has (Q + 1)² entries."""

TERMS_MAX = 24
"""Terms of the exponential series of a matrix of norm 1; the rest is below 1e-23."""

SQUARINGS_MAX = 1_000
"""Doublings of the time step; nearly all are free, because the direction stands still by then."""

STILL = 1e-15
"""Largest change of the normalised matrix by which a squaring finds it at rest."""

TINY = 1e-290
"""Entries of the normalised matrix below this count as 0."""

LOG_RATIO_MIN = -640.0
"""Logarithm of ω_q over the largest ω below which `TINY` entries could be missed in ω_q."""


def log_propagated(
    *, curvature: float, coupling: float, horizon_s: float, start: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return ℓ and L with ω_q = e^(ℓ_q + L), ω = exp(T·A)·z, for q = 0…Q; ω is even in q.

    The two stay apart because L grows with T: adding it would cost ℓ its digits.

    Parameters
    ----------
    curvature : c of the diagonal −c·q², 1/s, >= 0
    coupling : b beside the diagonal, 1/s, > 0
    horizon_s : T, s, >= 0
    start : z_q for q = 0…Q, even in q, z₀ > 0, none negative; Q from 1 to `INVENTORY_MAX`

    Returns
    -------
    ℓ_q, −inf where ω_q is too small beside the largest ω to be held, and L

    Raises
    ------
    UsageFault
        If a rate times the horizon is not a finite number.
    """
    inventory_max = start.size - 1
    shift = curvature * inventory_max**2
    norm = (shift + 2 * coupling) * horizon_s
    if not math.isfinite(norm):
        raise UsageFault(
            f"horizon_s = {horizon_s}: times the model's rates ({shift:.3g} and {coupling:.3g} "
            "per s) it is not a finite number; check the units of the inputs"
        )
    squarings = max(0, math.ceil(math.log2(norm))) if norm > 0 else 0
    if squarings > SQUARINGS_MAX:
        raise UsageFault(
            f"horizon_s = {horizon_s} is 2^{squarings} times the model's shortest time; "
            f"at most 2^{SQUARINGS_MAX}: check the units of the inputs"
        )
    step = _exponential(curvature, coupling, horizon_s / 2.0**squarings, inventory_max)
    matrix, log_scale = _squared(step, squarings)
    with np.errstate(divide="ignore"):
        log_omega: NDArray[np.float64] = np.log(matrix @ start)
    log_omega[log_omega < log_omega.max() + LOG_RATIO_MIN] = -math.inf
    return log_omega, log_scale


def _exponential(
    curvature: float, coupling: float, step_s: float, inventory_max: int
) -> NDArray[np.float64]:
    """Return exp(step·A) folded to q = 0…Q: row 0 sees its two neighbours as one.

    The series is that of A + s·I, which has no negative entry; the factor exp(−s·step) follows.
    """
    squares = np.arange(inventory_max + 1, dtype=np.float64) ** 2
    shift = curvature * inventory_max**2
    diagonal = (shift - curvature * squares) * step_s
    beside = coupling * step_s
    term = np.eye(inventory_max + 1)
    total = term.copy()
    for order in range(1, TERMS_MAX + 1):
        following = diagonal[:, None] * term
        following[:-1] += beside * term[1:]
        following[1:] += beside * term[:-1]
        following[0] += beside * term[1]
        term = following / order
        total += term
    return total * math.exp(-shift * step_s)


def _squared(matrix: NDArray[np.float64], squarings: int) -> tuple[NDArray[np.float64], float]:
    """Return M and ℓ with matrix^(2^squarings) = e^ℓ·M; the largest entry of M is 1."""
    largest = float(matrix.max())
    matrix, log_scale = matrix / largest, math.log(largest)
    at_rest = False
    for _ in range(squarings):
        if not at_rest:
            square = matrix @ matrix
            largest = float(square.max())
            square /= largest
            # Denormal numbers are slow and have lost their digits.
            square[square < TINY] = 0.0
            at_rest = bool(np.abs(square - matrix).max() <= STILL)
            matrix = square
        log_scale = 2 * log_scale + math.log(largest)
    return matrix, log_scale
