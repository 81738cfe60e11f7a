"""The matrix exponential of the models against one in sixty decimal digits."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from dmm.quoting.models.depths import depths_of_logs
from dmm.quoting.models.propagator import log_propagated
from dmm.units.errors import UsageFault


def decimal_logs(
    *, curvature: str, coupling: str, horizon_s: str, start: list[str]
) -> tuple[list[float], float]:
    """Return ln ω_q − ln ω₀ for q = 0…Q and ln ω₀, by the series on the whole matrix."""
    with localcontext() as context:
        context.prec = 120
        c, b, left = Decimal(curvature), Decimal(coupling), Decimal(horizon_s)
        limit = len(start) - 1
        omega = [Decimal(start[abs(q)]) for q in range(-limit, limit + 1)]
        term = list(omega)
        for order in range(1, 600):
            term = [
                left
                / order
                * (
                    -c * (i - limit) ** 2 * term[i]
                    + b * ((term[i - 1] if i else 0) + (term[i + 1] if i < 2 * limit else 0))
                )
                for i in range(2 * limit + 1)
            ]
            omega = [whole + part for whole, part in zip(omega, term, strict=True)]
        assert max(abs(part) for part in term) < Decimal("1e-60") * min(omega)
        assert all(omega[limit - q] == omega[limit + q] for q in range(limit + 1))
        logs = [value.ln() for value in omega[limit:]]
        return [float(log - logs[0]) for log in logs], float(logs[0])


@pytest.mark.parametrize(
    ("curvature", "coupling", "horizon_s", "start"),
    [
        ("0.015", "3.7", "1.3", ["1", "0.9", "0.7", "0.4"]),
        ("2.5", "0.3", "3.1", ["1", "0.5", "0.25", "0.125", "0.0625"]),
        ("7", "0.001", "1.7", ["1", "1", "1"]),
        ("0", "1.9", "2.3", ["1", "0.99", "0.96"]),
        ("3", "11", "0.0001", ["1", "0.3"]),
    ],
)
def test_every_weight_keeps_its_digits_however_small_it_is(
    curvature: str, coupling: str, horizon_s: str, start: list[str]
) -> None:
    ratios, log_centre = decimal_logs(
        curvature=curvature, coupling=coupling, horizon_s=horizon_s, start=start
    )
    logs, scale = log_propagated(
        curvature=float(curvature),
        coupling=float(coupling),
        horizon_s=float(horizon_s),
        start=np.array([float(value) for value in start]),
    )
    assert list(logs - logs[0]) == pytest.approx(ratios, abs=1e-12)
    assert logs[0] + scale == pytest.approx(log_centre, abs=1e-12)


def test_at_the_centre_an_eigendecomposition_says_the_same() -> None:
    limit, c, b, left = 40, 0.02, 5.0, 3.0
    q = np.arange(-limit, limit + 1.0)
    matrix = (
        np.diag(-c * q**2) + np.diag(np.full(2 * limit, b), 1) + np.diag(np.full(2 * limit, b), -1)
    )
    values, vectors = np.linalg.eigh(matrix)
    top = values[-1]
    omega = vectors @ (np.exp((values - top) * left) * (vectors.T @ np.ones(2 * limit + 1)))
    logs, scale = log_propagated(curvature=c, coupling=b, horizon_s=left, start=np.ones(limit + 1))
    assert logs[:6] + scale == pytest.approx(
        np.log(omega[limit : limit + 6]) + top * left, abs=1e-9
    )


def test_a_week_neither_overflows_nor_costs_the_ratios_their_digits() -> None:
    def logs_at(horizon_s: float) -> list[float]:
        logs, _ = log_propagated(
            curvature=0.3, coupling=40.0, horizon_s=horizon_s, start=np.ones(31)
        )
        return list(logs - logs[0])

    hour, week = logs_at(3_600.0), logs_at(604_800.0)
    assert all(math.isfinite(log) for log in week)
    assert week == pytest.approx(hour, abs=1e-12)


def test_the_largest_limit_is_solved() -> None:
    logs, scale = log_propagated(
        curvature=0.015, coupling=51.5, horizon_s=1.0, start=np.ones(1_001)
    )
    assert math.isfinite(scale)
    assert np.isfinite(logs[:200]).all()
    assert (np.diff(logs[:200]) < 0).all()


def test_a_weight_too_small_for_a_double_is_refused_by_name() -> None:
    logs, _ = log_propagated(curvature=50.0, coupling=0.01, horizon_s=9.0, start=np.ones(201))
    near = depths_of_logs(logs, inventory=20, arrival_decay=1.5, edge=0.6)
    assert near.bid is not None
    assert near.bid > 0.6
    with pytest.raises(UsageFault, match=r"inventory = 150 within q_max = 200: .* smaller q_max"):
        depths_of_logs(logs, inventory=150, arrival_decay=1.5, edge=0.6)


def test_rates_beyond_all_numbers_are_refused_by_name() -> None:
    with pytest.raises(UsageFault, match=r"horizon_s = 1e\+300: .* not a finite number"):
        log_propagated(curvature=1e10, coupling=1.0, horizon_s=1e300, start=np.ones(3))


@pytest.mark.parametrize(("inventory", "forbidden"), [(2, "bid"), (-2, "ask")])
def test_at_its_limit_the_desk_quotes_one_side(inventory: int, forbidden: str) -> None:
    depths = depths_of_logs(
        np.array([0.0, -0.3, -1.1]), inventory=inventory, arrival_decay=2.0, edge=0.5
    )
    other = "ask" if forbidden == "bid" else "bid"
    assert getattr(depths, forbidden) is None
    assert getattr(depths, other) == pytest.approx(0.5 + (-1.1 + 0.3) / 2)


def test_an_inventory_beyond_the_limit_is_refused() -> None:
    with pytest.raises(UsageFault, match="inventory = -3 lies beyond q_max = 2"):
        depths_of_logs(np.zeros(3), inventory=-3, arrival_decay=2.0, edge=0.5)
