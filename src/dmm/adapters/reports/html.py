"""The session as one HTML file that opens offline."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from dmm.adapters.reports.plots import line_plot, price_plot
from dmm.adapters.reports.session import SessionResult
from dmm.adapters.reports.table import CHAIN_COLUMNS
from dmm.units.errors import ServiceFault


def write_report(result: SessionResult, path: Path) -> None:
    """Write the report; nothing is left half-written.

    Raises
    ------
    ServiceFault
        If the file cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("dmm.adapters.reports"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    series = result.series
    text = environment.get_template("session.html").render(
        result=result,
        chain_columns=CHAIN_COLUMNS,
        price=Markup(price_plot(series, unit="price")),  # noqa: S704 - our own SVG
        inventory=Markup(  # noqa: S704
            line_plot(series.seconds, series.inventory, unit="inventory, lots")
        ),
        equity=Markup(  # noqa: S704
            line_plot(series.seconds, series.equity, unit=f"P&L, {result.cash_asset}")
        ),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".tmp")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise ServiceFault(
            f"report {path} cannot be written: {error.strerror}; free space or choose --state"
        ) from error
