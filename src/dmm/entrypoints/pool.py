"""Positions replayed over a pool's minutes: the part of ``dmm backtest`` for pool files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import typer

from dmm.adapters.feeds.formats import Format, format_of
from dmm.adapters.feeds.pool_minutes import PoolMinutes
from dmm.calibration.bootstrap import ratio_ci95
from dmm.simulation.pool.replay import PoolTerms, PositionOutcome, PositionSet, replay_pool
from dmm.units.amount import Atoms, format_atoms
from dmm.units.errors import UsageFault

USDC_WETH = PoolTerms(fee_ppm=500, decimals0=6, decimals1=18)
"""The pool of the public minutes: Polygon USDC/WETH, 0.05 %."""

DEPOSIT_WHOLE = 100_000
"""Worth of each default position in whole units of token 0: little beside the pool's."""

HALF_TICKS = (0, 200, 500, 1_000, 2_000)
"""Ranges of the default positions: all prices, and about ±2 %, 5 %, 10 % and 22 %."""

RECENTRE_MINUTES = 60


def default_positions(terms: PoolTerms = USDC_WETH) -> list[PositionSet]:
    """Return the positions replayed when none are named: each range left alone, and laid anew.

    Parameters
    ----------
    terms : of the pool
    """
    deposit_atoms0 = Atoms(DEPOSIT_WHOLE * 10**terms.decimals0)
    return [
        PositionSet(
            deposit_atoms0=deposit_atoms0, half_ticks=half_ticks, recentre_minutes=recentre_minutes
        )
        for half_ticks in HALF_TICKS
        for recentre_minutes in ((0, RECENTRE_MINUTES) if half_ticks else (0,))
    ]


def backtest_pool(
    paths: Sequence[Path],
    *,
    terms: PoolTerms = USDC_WETH,
    positions: Sequence[PositionSet] | None = None,
    seed: int = 1,
) -> dict[str, object]:
    """Return what positions came to over a pool's minutes, as plain values.

    `hedged_per_block` is fees, rebalancing loss and costs together, the mean of a block with its
    95 % interval: what is left once the tokens' own move is hedged away.

    Parameters
    ----------
    paths : minute files, the earliest first
    terms : of the pool
    positions : to replay; `default_positions` unless given
    seed : of the interval

    Raises
    ------
    TapeFault
        If a row is cut or impossible, or a minute does not come after the one before.
    UsageFault
        If a file cannot be read, or holds fewer than two minutes.
    """
    minutes = PoolMinutes(paths)
    found = replay_pool(minutes, positions or default_positions(terms), terms=terms)
    rng = np.random.default_rng(seed)
    return {
        "tape": [path.name for path in paths],
        "minutes": minutes.report.rows,
        "missing": minutes.report.missing,
        "warnings": list(minutes.report.warnings),
        "unit": f"token 0 / 1e{terms.decimals0}",
        "results": [{**one.to_json(), "hedged_per_block": _hedged(one, rng)} for one in found],
    }


def is_pool(paths: Sequence[Path]) -> bool:
    """Tell whether files hold a pool's minutes; errors are those of `format_of`."""
    return format_of(paths) is Format.POOL_MINUTES


def run_pool_backtest(
    paths: Sequence[Path], *, params: Mapping[str, Any] | None, seed: int, as_json: bool
) -> None:
    """Print what positions came to over a pool's minutes.

    Parameters
    ----------
    paths : minute files, the earliest first
    params : as `pool_params` reads them; None for the defaults
    seed : of the intervals

    Raises
    ------
    UsageFault
        If a parameter is unknown, missing or out of range: by name and value.
    """
    terms, positions = pool_params(params or {})
    body = backtest_pool(paths, terms=terms, positions=positions, seed=seed)
    if as_json:
        typer.echo(json.dumps(body, allow_nan=False))
        return
    for line in lines(body, terms):
        typer.echo(line)


def pool_params(params: Mapping[str, Any]) -> tuple[PoolTerms, list[PositionSet] | None]:
    """Return terms and positions from an object of parameters, each of which may be left out.

    They are ``fee_ppm``, ``decimals0``, ``decimals1`` and ``positions``, a list of objects with the
    fields of `PositionSet`.

    Raises
    ------
    UsageFault
        If a name is unknown, or a value is no whole number or out of range.
    """
    known = {field.name: getattr(USDC_WETH, field.name) for field in fields(PoolTerms)}
    _require_names(params, {*known, "positions"}, "a pool")
    terms = PoolTerms(
        **{name: _whole(name, params.get(name, value)) for name, value in known.items()}
    )
    if "positions" not in params:
        return terms, None
    rows = params["positions"]
    if not isinstance(rows, list) or not rows:
        raise UsageFault(f"positions must be a list of at least one object, got {rows!r}")
    return terms, [_position(row) for row in rows]


def _position(row: object) -> PositionSet:
    if not isinstance(row, dict):
        raise UsageFault(f"a position must be an object, got {row!r}")
    _require_names(row, {field.name for field in fields(PositionSet)}, "a position")
    if "deposit_atoms0" not in row:
        raise UsageFault("a position needs deposit_atoms0, its worth in atoms of token 0")
    return PositionSet(**{name: _whole(name, value) for name, value in row.items()})  # type: ignore[arg-type]


def _require_names(row: Mapping[str, Any], known: set[str], what: str) -> None:
    unknown = sorted(set(row) - known)
    if unknown:
        raise UsageFault(f"{what} has no {unknown[0]!r}: choose of {', '.join(sorted(known))}")


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageFault(f"{name} must be a whole number, got {value!r}")
    return value


COLUMNS = ("holding", "impermanent", "rebalancing", "fees", "costs", "pnl")


def lines(body: Mapping[str, Any], terms: PoolTerms) -> list[str]:
    """Return the result as a table, a line each; money in whole units of token 0."""
    table = [
        f"{body['minutes']} minutes, {body['missing']} missing; money in units of token 0",
        f"{'range':>8}{'anew':>6}{'in range':>10}" + "".join(f"{name:>16}" for name in COLUMNS),
    ]
    for row in body["results"]:
        params = row["params"]
        active = 100 * row["minutes_active"] / max(1, row["minutes"])
        texts = [format_atoms(row[name], decimals=terms.decimals0) for name in COLUMNS]
        table.append(
            f"{('±' + str(params['half_ticks'])) if params['half_ticks'] else 'all':>8}"
            f"{row['recentred']:>6}{active:>9.1f}%" + "".join(f"{text:>16}" for text in texts)
        )
    return [*table, *(f"warning: {text}" for text in body["warnings"])]


def _hedged(one: PositionOutcome, rng: np.random.Generator) -> dict[str, object]:
    blocks = one.blocks
    gains = (blocks.markout_atoms - blocks.fees_atoms).astype(np.float64)
    at_ns = np.arange(blocks.blocks, dtype=np.int64) * blocks.block_ns
    found = ratio_ci95(gains, np.ones(blocks.blocks), at_ns, rng=rng)
    if found is None or not np.isfinite([found.low, found.high]).all():
        return {"mean": float(gains.mean()), "ci95": None, "blocks": blocks.blocks}
    return {"mean": found.value, "ci95": [found.low, found.high], "blocks": blocks.blocks}
