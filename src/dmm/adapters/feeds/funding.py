"""Funding histories: CSV files of one perpetual of one venue, named ``PAIR_venue_…csv``.

The collector wrote some venues' times as wall time of its own zone, three hours ahead of UTC, and
others' in UTC; the venues' published schedules tell which. Every rate leaves here in UTC.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np

from dmm.adapters.feeds.calendar import utc_ns
from dmm.adapters.feeds.files import name_of
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.messages import understood
from dmm.adapters.feeds.rows import Row, rows_of
from dmm.market.series import RATE_ONE, FundingHistory, SeriesReport
from dmm.market.tape import WARNINGS_MAX
from dmm.units.errors import TapeFault, UsageFault
from dmm.units.time import NS_PER_S

COLUMNS = ("Symbol", "Date", "Funding Rate")
HOUR_NS = 3_600 * NS_PER_S
AHEAD_NS = {
    "binance": 3 * HOUR_NS,
    "bybit": 3 * HOUR_NS,
    "htx": 3 * HOUR_NS,
    "kucoin": 3 * HOUR_NS,
    "mexc": 3 * HOUR_NS,
    "gate": 0,
    "dydx": 0,
}
"""How far a venue's recorded times run ahead of UTC."""

JITTER_NS_MAX = NS_PER_S
"""How far from its due instant a rate may be stamped and still belong to it."""

ROWS_MAX = 10_000_000
RATE_MAX = RATE_ONE
"""No funding interval moves the whole notional."""


def open_funding(path: Path) -> FundingHistory:
    """Return a funding history in UTC, each rate at the instant it was due.

    The interval is the most common distance of two rows. A row beside the schedule stays at its own
    time and is counted; so are intervals without a row.

    Raises
    ------
    UsageFault
        If the name tells no venue known here, or the file cannot be read.
    TapeFault
        If a row is cut or no rate, the rows mix symbols, or times do not rise.
    """
    venue = _venue_of(path)
    findings = Findings(allow_gaps=False)
    symbols: set[str] = set()
    at_ns: list[int] = []
    rates: list[int] = []
    for row in rows_of(path, COLUMNS, findings):
        if len(at_ns) >= ROWS_MAX:
            raise findings.fault(f"more than {ROWS_MAX} rows: no funding history")
        due_ns, rate = understood(_rate, row, findings)
        due_ns -= AHEAD_NS[venue]
        symbols.add(row[0])
        if len(symbols) > 1:
            raise findings.fault(f"mixed instruments {sorted(symbols)}: give one at a time")
        if at_ns and due_ns <= at_ns[-1]:
            raise findings.fault(f"{row[1]} does not come after the row before: sort the file")
        at_ns.append(due_ns)
        rates.append(rate)
    if len(at_ns) <= 1:
        raise TapeFault(f"{name_of(path)}: fewer than two rates tell no interval")
    report = SeriesReport(rows=len(at_ns), shifted_ns=AHEAD_NS[venue])
    interval_ns = _interval_ns(at_ns)
    return FundingHistory(
        symbol=symbols.pop(),
        venue=venue,
        interval_ns=interval_ns,
        at_ns=np.array(_on_schedule(at_ns, interval_ns, report), dtype=np.int64),
        rate_e18=np.array(rates, dtype=np.int64),
        report=report,
    )


def _venue_of(path: Path) -> str:
    for part in path.stem.lower().split("_"):
        if part in AHEAD_NS:
            return part
    raise UsageFault(
        f"{path.name}: its name tells no venue, so the zone of its times is unknown; known are "
        f"{', '.join(AHEAD_NS)}"
    )


def _rate(row: Row) -> tuple[int, int]:
    rate = Decimal(row[2]) * RATE_ONE
    if not rate.is_finite() or rate != rate.to_integral_value() or abs(rate) >= RATE_MAX:
        raise ValueError(f"{row[2]} is no funding rate of at most 18 decimals")
    return utc_ns(row[1]), int(rate)


def _interval_ns(at_ns: list[int]) -> int:
    hours = Counter(round((after - before) / HOUR_NS) for before, after in pairwise(at_ns))
    return max(1, hours.most_common(1)[0][0]) * HOUR_NS


def _on_schedule(at_ns: list[int], interval_ns: int, report: SeriesReport) -> list[int]:
    nearest = [round(at / HOUR_NS) * HOUR_NS for at in at_ns]
    phase_ns = Counter(at % interval_ns for at in nearest).most_common(1)[0][0]
    dues = []
    for at, due in zip(at_ns, nearest, strict=True):
        if abs(at - due) <= JITTER_NS_MAX and due % interval_ns == phase_ns:
            dues.append(due)
            continue
        report.off_schedule += 1
        if len(report.warnings) < WARNINGS_MAX:
            report.warnings.append(f"a rate lies beside the schedule, at {at}")
        dues.append(at)
    held = {due for due in dues if due % interval_ns == phase_ns}
    report.missing = (max(held) - min(held)) // interval_ns + 1 - len(held)
    return dues
