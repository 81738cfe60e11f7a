"""Cartea–Jaimungal–Penalva: market making with running and terminal inventory penalties."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmm.quoting.models.depths import Depths, depths_of_logs
from dmm.quoting.models.propagator import log_propagated


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ValueFunction:
    """h(t, q) = (ℓ_|q| + L)/κ: what the desk's strategy is worth beyond cash and q·mid, in price.

    `log_omega` holds ℓ for q = 0…Q, `log_scale` is L, `arrival_decay` κ.
    """

    log_omega: NDArray[np.float64]
    log_scale: float
    arrival_decay: float

    def at(self, inventory: int) -> float:
        """Return h(t, q); −inf where it is too low to be told from −inf."""
        return (float(self.log_omega[abs(inventory)]) + self.log_scale) / self.arrival_decay

    def depths(self, inventory: int) -> Depths:
        """Return 1/κ + h(q) − h(q+1) for the bid and 1/κ + h(q) − h(q−1) for the ask.

        Parameters
        ----------
        inventory : q, whole units of one quote, −Q to Q

        Raises
        ------
        UsageFault
            If q lies beyond Q, or h(q) is too low to be told from −inf.
        """
        return depths_of_logs(
            self.log_omega,
            inventory=inventory,
            arrival_decay=self.arrival_decay,
            edge=1 / self.arrival_decay,
        )


def value_function(
    *,
    arrival_rate: float,
    arrival_decay: float,
    running_penalty: float,
    terminal_penalty: float,
    horizon_s: float,
    inventory_max: int,
) -> ValueFunction:
    """Return h(t, ·) with T−t = `horizon_s`, exactly.

    h = ln(ω)/κ with ω = exp(A·(T−t))·z, A_qq = −φκq², λ/e beside the diagonal, z_q = exp(−ακq²):
    the transformation by which the Hamilton–Jacobi–Bellman equation becomes linear.

    Parameters
    ----------
    arrival_rate : λ, market orders per second **per side**, > 0
    arrival_decay : κ of the fill probability exp(−κ·depth), 1/price, > 0
    running_penalty : φ of φ·∫q²dt, price/s, >= 0
    terminal_penalty : α of α·q² at the end, price, >= 0
    horizon_s : T−t, s, >= 0
    inventory_max : Q, 1 to `propagator.INVENTORY_MAX`

    Raises
    ------
    UsageFault
        If the rates times the horizon are not finite.

    References
    ----------
    Cartea, Jaimungal & Penalva (2015), Algorithmic and High-Frequency Trading, chapter 10.
    """
    squares = np.arange(inventory_max + 1, dtype=np.float64) ** 2
    log_omega, log_scale = log_propagated(
        curvature=running_penalty * arrival_decay,
        coupling=arrival_rate * math.exp(-1.0),
        horizon_s=horizon_s,
        start=np.exp(-terminal_penalty * arrival_decay * squares),
    )
    return ValueFunction(log_omega=log_omega, log_scale=log_scale, arrival_decay=arrival_decay)
