"""``dmm risk``: a run's risk from its journal; ``dmm risk greeks``: Greeks of options."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import typer

from dmm.entrypoints.inputs_option import read_inputs
from dmm.entrypoints.journal import LATEST, journal_of, resolve
from dmm.quoting.models.inputs import shown
from dmm.risk.greeks import Greeks, Option, OptionKind, greeks, net_greeks
from dmm.risk.var import InsufficientData, Interval
from dmm.units.errors import UsageFault
from dmm.usecases.risk import RiskQuestion, RiskReport, assess_risk

OPTIONS_MAX = 1_000
"""Options of one book."""

_REQUIRED = ("kind", "spot", "strike", "expiry_years", "volatility", "rate")
_OPTIONAL = ("dividend", "quantity")
_BOOK = frozenset({"options", "spot_units"})


def run_risk(
    run: str | None, question: RiskQuestion, *, seed: int, state: Path | None, as_json: bool
) -> None:
    """Print the risk of a run at the end of its last closed epoch."""
    with journal_of(state) as store:
        report = assess_risk(
            store=store,
            run_id=resolve(store, run or LATEST),
            question=question,
            rng=np.random.default_rng(seed),
        )
    if as_json:
        typer.echo(json.dumps(to_json(report)))
    else:
        _print(report)


def to_json(report: RiskReport) -> dict[str, object]:
    """Return a report as plain values; money in atoms of the cash asset."""
    found, tail = report.concentration, report.tail
    enough = not isinstance(tail, InsufficientData)
    return {
        "run_id": report.run_id,
        "symbol": report.symbol,
        "epoch": report.epoch,
        "mid_half_ticks": report.mid,
        "posture": report.posture,
        "positions": {
            venue: {
                "inventory_lots": held.inventory,
                "cost_atoms": -held.basis_atoms,
                "realised_atoms": held.realised_atoms,
                "unrealised_atoms": held.unrealised_atoms(report.mid),
                "fees_atoms": held.fees_atoms,
            }
            for venue, held in report.positions.items()
        },
        "inventory": {
            "base_atoms": report.inventory.base_atoms,
            "quote_atoms": report.inventory.quote_atoms,
            "gross_quote_atoms": report.inventory.gross_quote_atoms,
            "band": report.band,
            "by_vault_atoms": dict(report.inventory.by_vault),
            "promised_lots": asdict(report.promised),
        },
        "tail": asdict(tail) | {"is_enough": enough},
        "var_interval": _interval(report.var),
        "cvar_interval": _interval(report.cvar),
        "concentration": None
        if found is None
        else {
            "hhi_ppm": found.hhi_ppm,
            "largest": found.largest,
            "largest_share_bps": found.largest_share_bps,
        },
        "stress": [asdict(one) | {"total_atoms": one.total_atoms} for one in report.scenarios],
        "limits": [asdict(one) for one in report.limits],
        "cash": {"worth_atoms": report.cash_worth_atoms, "is_off_peg": report.is_off_peg},
    }


def _interval(found: Interval | None) -> dict[str, int] | None:
    return None if found is None else asdict(found)


def _print(report: RiskReport) -> None:
    posture = "no decision yet" if report.posture is None else report.posture.value
    typer.echo(f"run {report.run_id}, {report.symbol}, epoch {report.epoch}: {posture}")
    for venue, held in report.positions.items():
        typer.echo(
            f"  {venue:<14} {held.inventory:>10,} lots  realised {held.realised_atoms:,}, "
            f"unrealised {held.unrealised_atoms(report.mid):,}, fees {held.fees_atoms:,} atoms"
        )
    typer.echo(
        f"inventory worth {report.inventory.quote_atoms:,} atoms net, "
        f"{report.inventory.gross_quote_atoms:,} gross; {report.band.value} its limits"
    )
    if report.promised.buy or report.promised.sell:
        typer.echo(
            f"accepted firm quotes may still buy {report.promised.buy:,} and sell "
            f"{report.promised.sell:,} lots"
        )
    tail = report.tail
    if isinstance(tail, InsufficientData):
        typer.echo(f"{tail.scenarios} scenarios, {tail.scenarios_min} are needed: no VaR, no CVaR")
    else:
        level = f"{tail.level_bps / 100:g} % of {tail.scenarios:,} scenarios"
        typer.echo(f"VaR {tail.var_atoms:,} atoms{_range(report.var)}, {level}")
        typer.echo(f"CVaR {tail.cvar_atoms:,} atoms{_range(report.cvar)}")
    if report.concentration is not None:
        found = report.concentration
        typer.echo(
            f"concentration: HHI {found.hhi_ppm / 1e6:.3f}, {found.largest} holds "
            f"{found.largest_share_bps / 100:g} %"
        )
    typer.echo("stress, worst first (atoms):")
    for one in report.scenarios:
        typer.echo(f"  {one.scenario:<22} {one.total_atoms:>20,}")
    if not report.scenarios:
        typer.echo("  none: the book has one side only")
    typer.echo("limits in use:")
    for limit in report.limits:
        typer.echo(f"  {limit.name:<22} {limit.used:>16,} of {limit.limit:,}")
    if report.is_off_peg:
        typer.echo("the cash asset is off its peg: the depeg breaker would pause the desk")


def _range(found: Interval | None) -> str:
    if found is None:
        return ""
    share = found.confidence_bps / 100
    return f" ({found.low_atoms:,} to {found.high_atoms:,} at {share:g} %)"


# -- Greeks -----------------------------------------------------------------------------------


def run_greeks(inputs: str | None, *, as_json: bool) -> None:
    """Print the Greeks of an option, or of a book of options and units of the asset."""
    if inputs is None:
        raise UsageFault("--inputs is missing: a JSON object, @FILE, or - for stdin")
    given = read_inputs(inputs)
    found = _book_greeks(given) if _BOOK & set(given) else _one(given)
    values = asdict(found)
    if as_json:
        typer.echo(json.dumps(values, allow_nan=False))
        return
    for name, value in values.items():
        typer.echo(f"{name:>6}  {value:.10g}")


def _one(given: dict[str, object]) -> Greeks:
    option, quantity = _option(given, "option")
    return net_greeks([(quantity, greeks(option))])


def _book_greeks(given: dict[str, object]) -> Greeks:
    _require_names(given, "book", required=(), optional=tuple(_BOOK))
    rows = given.get("options", [])
    if not isinstance(rows, list) or len(rows) > OPTIONS_MAX:
        raise UsageFault(f"options must be a list of up to {OPTIONS_MAX:,}, got {shown(rows)}")
    positions = []
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise UsageFault(f"options[{number}] must be an object, got {shown(row)}")
        option, quantity = _option(row, f"options[{number}]")
        positions.append((quantity, greeks(option)))
    units = _number(given, "spot_units", "book", otherwise=0.0)
    return net_greeks(positions, spot_units=units)


def _option(given: dict[str, object], where: str) -> tuple[Option, float]:
    _require_names(given, where, required=_REQUIRED, optional=_OPTIONAL)
    kind = given["kind"]
    if kind not in set(OptionKind):
        raise UsageFault(f"kind of {where} takes {' or '.join(OptionKind)}, got {shown(kind)}")
    option = Option(
        kind=OptionKind(str(kind)),
        spot=_number(given, "spot", where),
        strike=_number(given, "strike", where),
        expiry_years=_number(given, "expiry_years", where),
        volatility=_number(given, "volatility", where),
        rate=_number(given, "rate", where),
        dividend=_number(given, "dividend", where, otherwise=0.0),
    )
    return option, _number(given, "quantity", where, otherwise=1.0)


def _require_names(
    given: dict[str, object], where: str, *, required: tuple[str, ...], optional: tuple[str, ...]
) -> None:
    missing = [name for name in required if name not in given]
    if missing:
        raise UsageFault(f"{missing[0]} of {where} is missing: give {', '.join(required)}")
    strange = sorted(set(given) - {*required, *optional})
    if strange:
        raise UsageFault(
            f"{where} takes no {shown(strange[0])}: {', '.join((*required, *optional))}"
        )


def _number(
    given: dict[str, object], name: str, where: str, *, otherwise: float | None = None
) -> float:
    value = given.get(name, otherwise)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageFault(f"{name} of {where} must be a number, got {shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise UsageFault(f"{name} of {where} must be finite, got {shown(value)}")
    return number
