"""Straight lines through points, with their goodness and the uncertainty of the slope."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmm.calibration.bootstrap import Z95


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """y = intercept + slope·x by ordinary least squares over `points` points.

    `slope_error` is the standard error of the slope, infinite with two points.
    """

    slope: float
    intercept: float
    r_squared: float
    slope_error: float
    points: int

    @property
    def slope_ci95(self) -> tuple[float, float]:
        """Return the slope's normal 95 % interval."""
        return self.slope - Z95 * self.slope_error, self.slope + Z95 * self.slope_error


def least_squares(
    x: NDArray[np.float64], y: NDArray[np.float64], *, through_origin: bool = False
) -> Line | None:
    """Fit a line; None with fewer than two points or when x does not vary.

    The error is White's, scaled by n/(n − k) (HC1): residuals need not be alike. R² through the
    origin is about 0, not about the mean.

    Parameters
    ----------
    x, y : finite, of one length
    through_origin : leave the intercept out

    References
    ----------
    White (1980), Econometrica 48(4); MacKinnon & White (1985), Journal of Econometrics 29(3).
    """
    fitted = 1 if through_origin else 2
    x_mean = 0.0 if through_origin or not x.size else float(np.mean(x))
    y_mean = 0.0 if through_origin or not y.size else float(np.mean(y))
    dx, dy = x - x_mean, y - y_mean
    sxx, sxy, syy = float(np.sum(dx * dx)), float(np.sum(dx * dy)), float(np.sum(dy * dy))
    if x.size < 2 or sxx == 0.0:
        return None
    slope = sxy / sxx
    rest = dy - slope * dx
    error = math.inf
    if x.size > fitted:
        scale = x.size / (x.size - fitted)
        error = math.sqrt(scale * float(np.sum(np.square(dx * rest)))) / sxx
    return Line(
        slope=slope,
        intercept=y_mean - slope * x_mean,
        # A flat line explains nothing: there is no variation to explain.
        r_squared=sxy * sxy / (sxx * syy) if syy > 0 else 0.0,
        slope_error=error,
        points=x.size,
    )
