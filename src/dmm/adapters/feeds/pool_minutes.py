"""Minutes of a concentrated-liquidity pool, a CSV for each day, as demeter downloads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dmm.adapters.feeds.calendar import utc_ns
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.messages import understood
from dmm.adapters.feeds.rows import Row, rows_of
from dmm.market.series import PoolMinute, SeriesReport
from dmm.market.tape import WARNINGS_MAX
from dmm.units.amount import Atoms
from dmm.units.time import NS_PER_S

MINUTE_NS = 60 * NS_PER_S
COLUMNS = (
    "timestamp",
    "openTick",
    "closeTick",
    "lowestTick",
    "highestTick",
    "currentLiquidity",
    "netAmount0",
    "netAmount1",
    "inAmount0",
    "inAmount1",
)
TICK_MAX = 887_272
"""The pool's greatest tick; Uniswap v3 core, `TickMath`."""


class PoolMinutes:
    """Pool minutes from one or several files; iterate as often as needed."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._report = SeriesReport()

    @property
    def report(self) -> SeriesReport:
        """Return what the present reading counted; nothing is made up or mended.

        A minute may close outside its own range: the collector ranges over the swaps' starts.
        """
        return self._report

    def __iter__(self) -> Iterator[PoolMinute]:
        """Yield the minutes in order.

        Raises
        ------
        TapeFault
            If a row is cut or impossible, or a minute does not come after the one before.
        UsageFault
            If a file cannot be read.
        """
        self._report = report = SeriesReport()
        findings = Findings(allow_gaps=False)
        before_ns = 0
        for path in self._paths:
            for row in rows_of(path, COLUMNS, findings):
                minute = understood(_minute, row, findings)
                _require_possible(minute, findings)
                if minute.at_ns <= before_ns:
                    raise findings.fault(
                        f"the minute {row[0]} does not come after the one before: name the earlier "
                        "file first, each once"
                    )
                if before_ns and minute.at_ns - before_ns > MINUTE_NS:
                    missing = (minute.at_ns - before_ns) // MINUTE_NS - 1
                    report.missing += missing
                    if len(report.warnings) < WARNINGS_MAX:
                        report.warnings.append(f"{findings.place}: {missing} minutes are missing")
                before_ns = minute.at_ns
                if not minute.lowest_tick <= minute.close_tick <= minute.highest_tick:
                    report.contradictions += 1
                report.rows += 1
                yield minute


def _minute(row: Row) -> PoolMinute:
    open_tick, close_tick, lowest, highest, liquidity, net0, net1, in0, in1 = map(int, row[1:])
    return PoolMinute(
        at_ns=utc_ns(row[0]),
        open_tick=open_tick,
        close_tick=close_tick,
        lowest_tick=lowest,
        highest_tick=highest,
        liquidity=liquidity,
        net_amount0=Atoms(net0),
        net_amount1=Atoms(net1),
        in_amount0=Atoms(in0),
        in_amount1=Atoms(in1),
    )


def _require_possible(minute: PoolMinute, findings: Findings) -> None:
    ticks = (minute.open_tick, minute.close_tick, minute.lowest_tick, minute.highest_tick)
    if max(map(abs, ticks)) > TICK_MAX or minute.lowest_tick > minute.highest_tick:
        raise findings.fault(f"ticks {ticks} are no pool's: fetch the file again")
    if min(minute.liquidity, minute.in_amount0, minute.in_amount1) < 0:
        raise findings.fault("liquidity or paid-in amounts are negative: fetch the file again")
    if minute.at_ns % MINUTE_NS:
        raise findings.fault("the time is no whole minute: this is no minute file")
