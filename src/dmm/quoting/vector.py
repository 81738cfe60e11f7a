"""Many quotes at once: checked arguments in, arrays of prices out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dmm.quoting.kernel import COLUMNS, MODEL_CODES, RESULTS, SKEW_CODES, compiled_loop
from dmm.units.errors import UsageFault


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteArrays:
    """Arguments of many quotes: each a number for all, or an array with one element a quote.

    Prices in ticks, sizes in lots. `floor` is of the full spread; `near_share`, `near_from`,
    `calm_share`, `calm_until`, `hard_share` and `widening` are shares; `guard` is the share of the
    mid that neither half-spread nor largest shift may exceed. The rest is as in `quote_prices`.
    """

    mid: ArrayLike
    inventory: ArrayLike
    sigma: ArrayLike
    kappa: ArrayLike
    gamma: ArrayLike
    horizon_s: ArrayLike
    floor: ArrayLike
    beta: ArrayLike
    soft_long: ArrayLike
    soft_short: ArrayLike
    hard_long: ArrayLike
    hard_short: ArrayLike
    lot: ArrayLike
    arrival: ArrayLike = 1.0
    tilt: ArrayLike = 0.0
    widening: ArrayLike = 1.0
    near_from: ArrayLike = 0.5
    near_share: ArrayLike = 0.0
    calm_share: ArrayLike = 1.0
    calm_until: ArrayLike = 0.3
    hard_share: ArrayLike = 1.0
    guard: ArrayLike = 0.1
    model: str = "as2008"
    skew: str = "linear"

    @property
    def columns(self) -> tuple[NDArray[np.float64], ...]:
        """Return the arguments of `quote_prices` in their order, then the guard.

        Raises
        ------
        UsageFault
            If lengths do not fit together.
        """
        given = {
            name: np.asarray(getattr(self, name), dtype=np.float64)
            for name in QuoteArrays.__dataclass_fields__
            if name not in {"model", "skew"}
        }
        mid, inventory, soft_long, soft_short = (
            given[name] for name in ("mid", "inventory", "soft_long", "soft_short")
        )
        hard_long, hard_short = given["hard_long"], given["hard_short"]
        near_from, calm_until = given["near_from"], given["calm_until"]
        digested = (
            mid,
            inventory,
            *(given[name] for name in ("sigma", "kappa", "arrival", "tilt", "widening", "gamma")),
            given["horizon_s"],
            given["floor"] * 0.5,
            given["beta"],
            near_from,
            2.0 * given["near_share"] / (1.0 - near_from),
            soft_long,
            soft_short,
            1.0 / soft_long,
            1.0 / soft_short,
            _per_span(hard_long - soft_long),
            _per_span(hard_short - soft_short),
            1.0 / given["lot"],
            np.maximum(hard_long, hard_short) / given["lot"],
            given["calm_share"],
            calm_until,
            (1.0 - given["calm_share"]) / (1.0 - calm_until),
            given["hard_share"],
            given["guard"],
        )
        shapes = sorted({array.shape for array in digested} - {()})
        if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
            raise UsageFault(f"arrays of quotes have shapes {shapes}: give one length")
        size = shapes[0][0] if shapes else 1
        return tuple(
            np.ascontiguousarray(array) if array.shape else np.full(size, array)
            for array in digested
        )


def _per_span(span: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(span > 0.0, 1.0 / np.where(span > 0.0, span, 1.0), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quotes:
    """Many quotes in ticks, unrounded; NaN in every array where the guard refused."""

    reservation: NDArray[np.float64]
    shift: NDArray[np.float64]
    half_spread: NDArray[np.float64]
    bid: NDArray[np.float64]
    ask: NDArray[np.float64]


def quote_many(arguments: QuoteArrays) -> Quotes:
    """Return the quotes of arrays of arguments; each equals the scalar path bit for bit.

    Raises
    ------
    UsageFault
        If a model or a skew is unknown, or lengths do not fit together.
    """
    columns = arguments.columns
    results = tuple(np.empty(columns[0].size) for _ in range(RESULTS))
    quote_columns(columns, results, model=arguments.model, skew=arguments.skew)
    reservation, shift, half_spread, bid, ask = results
    return Quotes(reservation=reservation, shift=shift, half_spread=half_spread, bid=bid, ask=ask)


def quote_columns(
    columns: tuple[NDArray[np.float64], ...],
    results: tuple[NDArray[np.float64], ...],
    *,
    model: str,
    skew: str,
) -> None:
    """Fill results from columns made before: for whoever quotes the same arrays again and again.

    Parameters
    ----------
    columns : of `QuoteArrays.columns`; the first ones, market and inventory, may be overwritten
    results : `RESULTS` arrays of their length, in the order of `Quotes`, none of them a column
    model, skew : by name

    Raises
    ------
    UsageFault
        If a name is unknown, or an array is missing, of another length or not contiguous.
    """
    if model not in MODEL_CODES or skew not in SKEW_CODES:
        raise UsageFault(
            f"model is {model!r} and skew {skew!r}: models are {', '.join(MODEL_CODES)}, "
            f"skews {', '.join(SKEW_CODES)}"
        )
    arrays = (*columns, *results)
    size = columns[0].size if columns else 0
    # The compiled loop checks no bounds.
    if (len(columns), len(results)) != (COLUMNS, RESULTS) or any(
        array.shape != (size,) or array.dtype != np.float64 or not array.flags.c_contiguous
        for array in arrays
    ):
        raise UsageFault(
            f"quotes need {COLUMNS} columns and {RESULTS} results of one length, contiguous "
            f"doubles; got {len(columns)} and {len(results)} of lengths "
            f"{sorted({array.size for array in arrays})}"
        )
    compiled_loop()(MODEL_CODES[model], SKEW_CODES[skew], columns, results)
