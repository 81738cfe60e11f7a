"""A set tried on a recording: totals and blocks of time, and the bytes they are kept as.

Results of a search are kept as bytes that are equal for equal results: whoever computes a block of
sets again, on whatever machine and cut in whatever pieces, gets the same bytes.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from dmm.simulation.experiment.blocks import BlockResults, Integers
from dmm.simulation.experiment.choice import Columns
from dmm.simulation.experiment.performance import annualised, max_drawdown, sharpe_ratios
from dmm.simulation.replay.layout import (
    B_FEES,
    B_FILLS,
    B_INVENTORY,
    B_MARKOUT_5S,
    B_PLACED,
    B_PNL,
    B_VOLUME,
)
from dmm.simulation.replay.result import SetOutcome
from dmm.units.amount import BPS_ONE
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.ids import Hash32, content_id

LEVEL = 6
"""Of the compression; its bytes depend on it."""

BODY_BYTES_MAX = 64 * 2**20
"""Largest body of a block of sets: beyond it sets are cut smaller or blocks of time longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """A set's totals on a recording: lots, and atoms of the cash asset.

    `inventory_variance` is over time, lots²; `max_drawdown` includes what happened inside blocks;
    `sharpe` is the engine's, annualised; `span_ns` the length of the recording.
    """

    fills: int
    volume: int
    placed: int
    pnl: int
    fees: int
    turnover: int
    markout: int
    sharpe: float
    max_drawdown: int
    inventory_variance: float
    span_ns: int
    decisions: int
    orders_refused: int
    orders_rejected: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trials:
    """Sets on one recording: totals in the order of the sets, and their blocks side by side."""

    totals: tuple[Totals, ...]
    columns: Columns


def trials_of(outcomes: Sequence[SetOutcome], *, span_ns: int) -> Trials:
    """Return what a replay left.

    A block's notional is its share of the lots times the whole turnover, rounded so that the sum is
    exact: over minutes prices do not move enough to matter.

    Parameters
    ----------
    outcomes : of one venue
    span_ns : length of the recording
    """
    running = np.stack([outcome.blocks for outcome in outcomes], axis=1)
    turnover = [outcome.venues[0].turnover_atoms for outcome in outcomes]
    shares = [_shared_out(running[:, at, B_VOLUME], whole) for at, whole in enumerate(turnover)]
    return Trials(
        totals=tuple(_totals(outcome, span_ns) for outcome in outcomes),
        columns=Columns(
            pnl_atoms=_steps(running[:, :, B_PNL]),
            markout_atoms=_steps(running[:, :, B_MARKOUT_5S]),
            fees_atoms=_steps(running[:, :, B_FEES]),
            volume_atoms=_steps(np.stack(shares, axis=1)),
            inventory_lots=np.ascontiguousarray(running[:, :, B_INVENTORY]),
            filled_lots=_steps(running[:, :, B_VOLUME]),
            placed_lots=_steps(running[:, :, B_PLACED]),
            fills=_steps(running[:, :, B_FILLS]),
        ),
    )


def figures(
    parts: Sequence[Totals], columns: Columns, *, at: int, block_ns: int
) -> dict[str, float]:
    """Return the figures of one set over all recordings.

    Money in atoms of the cash asset, `volume` in lots, `realized_spread` in basis points of the
    turnover, `fill_ratio` lots filled of lots accepted, `inventory_variance` in lots² weighted by
    time, `sharpe` annualised over blocks as if they were independent.

    Parameters
    ----------
    parts : the set's totals, one a recording
    columns : of all recordings in a row
    at : the set
    """
    turnover, placed = sum(one.turnover for one in parts), sum(one.placed for one in parts)
    volume, span_ns = sum(one.volume for one in parts), sum(one.span_ns for one in parts)
    weighted = math.fsum(one.inventory_variance * one.span_ns for one in parts)
    pnl = columns.pnl_atoms[:, at]
    return {
        "fills": sum(one.fills for one in parts),
        "volume": volume,
        "pnl": sum(one.pnl for one in parts),
        "fees": sum(one.fees for one in parts),
        "sharpe": parts[0].sharpe if len(parts) == 1 else _sharpe(pnl, block_ns),
        "max_drawdown": max(max_drawdown(pnl), *(one.max_drawdown for one in parts)),
        "inventory_variance": weighted / span_ns if span_ns else 0.0,
        "realized_spread": 2 * BPS_ONE * sum(o.markout for o in parts) / turnover
        if turnover
        else 0.0,
        "fill_ratio": volume / placed if placed else 0.0,
    }


def block_results(columns: Columns, at: int, *, block_ns: int) -> BlockResults:
    """Return one set's blocks for the paired comparison; orders are counted in lots accepted."""
    return BlockResults(
        pnl_atoms=columns.pnl_atoms[:, at].copy(),
        markout_atoms=columns.markout_atoms[:, at].copy(),
        fees_atoms=columns.fees_atoms[:, at].copy(),
        volume_atoms=columns.volume_atoms[:, at].copy(),
        inventory_lots=columns.inventory_lots[:, at].copy(),
        fills=columns.fills[:, at].copy(),
        orders=columns.placed_lots[:, at].copy(),
        block_ns=block_ns,
    )


def encode(trials: Trials) -> bytes:
    """Return the bytes of some sets on one recording: a line of JSON, then columns, compressed.

    Raises
    ------
    UsageFault
        If they are more than `BODY_BYTES_MAX`.
    """
    names = [one.name for one in fields(Columns)]
    head = json.dumps(
        {
            "blocks": trials.columns.blocks,
            "sets": trials.columns.sets,
            "columns": names,
            "totals": [[getattr(t, one.name) for one in fields(Totals)] for t in trials.totals],
        },
        separators=(",", ":"),
    ).encode()
    body = b"".join(
        np.ascontiguousarray(getattr(trials.columns, name).T, dtype="<i8").tobytes()
        for name in names
    )
    packed = zlib.compress(head + b"\n" + body, LEVEL)
    if len(packed) > BODY_BYTES_MAX:
        raise UsageFault(
            f"{trials.columns.sets} sets of {trials.columns.blocks} blocks take {len(packed):,} "
            f"bytes, at most {BODY_BYTES_MAX:,}: give a smaller piece_sets or a larger block_s"
        )
    return packed


def decode(body: bytes) -> Trials:
    """Read what `encode` wrote.

    Raises
    ------
    InvariantBroken
        If the bytes are of another form: another version of the program wrote them.
    """
    try:
        head, _, raw = zlib.decompress(body).partition(b"\n")
        about: dict[str, Any] = json.loads(head)
        return _trials(about, np.frombuffer(raw, dtype="<i8"))
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise InvariantBroken(
            f"a kept block of a search cannot be read ({error}): start the search anew"
        ) from error


def digest_of(body: bytes) -> Hash32:
    """Return the id of what `encode` wrote: of the content, whichever library compressed it."""
    return content_id("dmm/search-block/v1", zlib.decompress(body))


def _trials(about: Mapping[str, Any], raw: Integers) -> Trials:
    names = [one.name for one in fields(Columns)]
    if about["columns"] != names or len(about["totals"]) != about["sets"]:
        raise ValueError(f"columns {about['columns']}, {len(about['totals'])} totals")
    table = raw.reshape(len(names), about["sets"], about["blocks"])
    known = [one.name for one in fields(Totals)]
    return Trials(
        totals=tuple(Totals(**dict(zip(known, row, strict=True))) for row in about["totals"]),
        columns=Columns(
            **{name: np.array(table[at].T, dtype=np.int64) for at, name in enumerate(names)}
        ),
    )


def _totals(outcome: SetOutcome, span_ns: int) -> Totals:
    summary, venue = outcome.summary, outcome.venues[0]
    return Totals(
        fills=summary.fills,
        volume=summary.volume,
        placed=venue.placed_lots,
        pnl=summary.pnl,
        fees=summary.fees,
        turnover=venue.turnover_atoms,
        markout=venue.markout_atoms[1],
        sharpe=summary.sharpe,
        max_drawdown=summary.max_drawdown,
        inventory_variance=summary.inventory_variance,
        span_ns=span_ns,
        decisions=outcome.decisions,
        orders_refused=outcome.orders_refused,
        orders_rejected=outcome.orders_rejected,
    )


def _shared_out(running_lots: Integers, whole_atoms: int) -> Integers:
    """Return running shares of a whole, exact at the end."""
    total = int(running_lots[-1])
    if total == 0:
        return np.zeros(len(running_lots), dtype=np.int64)
    # Python's whole numbers: the product does not fit 64 bits.
    return np.array([int(one) * whole_atoms // total for one in running_lots], dtype=np.int64)


def _steps(running: Integers) -> Integers:
    steps: Integers = np.diff(running, axis=0, prepend=0).astype(np.int64)
    return steps


def _sharpe(pnl: Integers, block_ns: int) -> float:
    if pnl.size < 2:
        return 0.0
    ratio = float(sharpe_ratios(pnl.astype(np.float64))[0])
    return 0.0 if math.isnan(ratio) else annualised(ratio, block_ns=block_ns)
