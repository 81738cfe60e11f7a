"""What reading a recording finds: faults that name their place, counts where gaps are allowed."""

from __future__ import annotations

from typing import Literal, TypeAlias

from dmm.market.tape import WARNINGS_MAX, TapeReport
from dmm.units.errors import TapeFault

Flaw: TypeAlias = Literal[
    "gaps",
    "truncated_lines",
    "clock_regressions",
    "crossed_books",
    "out_of_order",
    "zero_sizes",
    "absurd_prices",
]
"""Flaws of a recording that a reader may play over; names of counters in `TapeReport`."""

Note: TypeAlias = Literal["duplicates", "silences"]
"""What is told but never refused; names of counters in `TapeReport`."""


Mark: TypeAlias = tuple[str, str, int]
"""A place: file, unit of its positions, position."""


class Findings:
    """Where the reader is and what it met; nothing is patched without being counted.

    Readers of files that are merged have findings of their own and share one `report`.
    """

    __slots__ = ("_allow_gaps", "cut_short", "file", "position", "report", "unit")

    def __init__(self, *, allow_gaps: bool, report: TapeReport | None = None) -> None:
        self._allow_gaps = allow_gaps
        self.report = report or TapeReport()
        self.file = ""
        self.position = 0
        self.unit = "line"
        self.cut_short = False

    def open_file(self, name: str, *, unit: str = "line") -> None:
        """Name the file that is read from now on and what its positions count."""
        self.file = name
        self.position = 0
        self.unit = unit
        self.cut_short = False

    def mark(self) -> Mark:
        """Return the present place, for a reader that judges later what it reads now."""
        return self.file, self.unit, self.position

    def go(self, mark: Mark) -> None:
        """Stand at a marked place again."""
        self.file, self.unit, self.position = mark

    @property
    def place(self) -> str:
        """Return file and position in words."""
        return f"{self.file}, {self.unit} {self.position}" if self.position else self.file

    def fault(self, text: str) -> TapeFault:
        """Return a fault at the present place, to be raised."""
        return TapeFault(f"{self.place}: {text}")

    def warn(self, text: str) -> None:
        """Keep a sentence for the reader of the report, up to `WARNINGS_MAX` of them."""
        if len(self.report.warnings) < WARNINGS_MAX:
            self.report.warnings.append(f"{self.place}: {text}")

    def meet(self, flaw: Flaw, text: str) -> None:
        """Count a flaw where gaps are allowed.

        Raises
        ------
        TapeFault
            Otherwise.
        """
        if not self._allow_gaps:
            raise self.fault(f"{text}; --allow-gaps counts this and plays on")
        setattr(self.report, flaw, getattr(self.report, flaw) + 1)
        self.warn(text)

    def note(self, what: Note, text: str) -> None:
        """Count what costs the tape nothing, and tell it."""
        setattr(self.report, what, getattr(self.report, what) + 1)
        self.warn(text)
