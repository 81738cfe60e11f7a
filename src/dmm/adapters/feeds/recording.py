"""Recordings by path, read whole into columns, with everything that is wrong with them in words."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from dmm.adapters.feeds.native import NativeFeed
from dmm.adapters.feeds.tape import fingerprint, open_tape, span
from dmm.market.instrument import Instrument
from dmm.market.tape import FLAWS, NOTES, TapeReport
from dmm.market.tape_columns import columns_of, joined
from dmm.ports.research import Found, Recording
from dmm.units.errors import Fault, TapeFault
from dmm.units.time import Nanos

FILES_MAX = 10_000
"""Files of a folder that are looked at."""


class RecordingFiles:
    """Implements `ports.research.Recordings` over files; `folder` holds the kept ones.

    Parameters
    ----------
    folder : may be missing, which is no recordings
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fingerprint(self, paths: Sequence[str]) -> str:
        """Return the id of the content of files that continue each other."""
        return fingerprint([Path(path) for path in paths]).hex()

    def read(self, paths: Sequence[str], *, allow_gaps: bool, tick_size: str) -> Recording:
        """Read files that continue each other as one recording."""
        return read_recording(
            [Path(path) for path in paths],
            allow_gaps=allow_gaps,
            tick_size=Decimal(tick_size) if tick_size else None,
        )

    def instrument(self, paths: Sequence[str], *, allow_gaps: bool, tick_size: str) -> Instrument:
        """Return what files are about, reading no more of them than that takes."""
        return open_tape(
            [Path(path) for path in paths],
            allow_gaps=allow_gaps,
            tick_size=Decimal(tick_size) if tick_size else None,
        ).instrument

    def between(self, first_ns: Nanos, last_ns: Nanos) -> Found:
        """Return the kept recordings that began in [first, last)."""
        paths: list[tuple[int, str]] = []
        refused: list[str] = []
        # What begins with a dot is a file that is still being written.
        files = sorted(
            one for one in self._folder.glob("*") if one.is_file() and one.name[0] != "."
        )
        for path in files[:FILES_MAX]:
            try:
                began_ns, _ = span([path])
            except Fault as fault:
                refused.append(f"{path.name}: {fault}")
                continue
            if first_ns <= began_ns < last_ns:
                paths.append((int(began_ns), str(path)))
        if len(files) > FILES_MAX:
            refused.append(f"{len(files) - FILES_MAX} files beyond the first {FILES_MAX}")
        return Found(paths=tuple(path for _, path in sorted(paths)), refused=tuple(refused))


def read_recording(
    paths: Sequence[Path],
    *,
    allow_gaps: bool = False,
    tick_size: Decimal | None = None,
    symbol: str | None = None,
    book_from_quotes: bool = False,
) -> Recording:
    """Return a whole recording as columns.

    Raises
    ------
    UsageFault, TapeFault, ServiceFault
        As for `open_tape`; `TapeFault` also where there is nothing on the tape.
    """
    feed = open_tape(
        paths,
        allow_gaps=allow_gaps,
        tick_size=tick_size,
        symbol=symbol,
        book_from_quotes=book_from_quotes,
    )
    columns = joined(feed.pieces()) if isinstance(feed, NativeFeed) else columns_of(feed.events())
    if not columns.messages:
        raise TapeFault(f"{paths[0].name}: the tape holds no messages")
    return Recording(
        names=tuple(path.name for path in paths),
        instrument=feed.instrument,
        columns=columns,
        warnings=warnings_of(feed.report),
    )


def warnings_of(report: TapeReport) -> tuple[str, ...]:
    """Return what the reader counted and met, in words; nothing is left out."""
    counts = {name: int(getattr(report, name)) for name in (*FLAWS, *NOTES)}
    counted = [f"{n} {name.replace('_', ' ')} on the tape" for name, n in counts.items() if n]
    if report.clock_offset_ms < 0:
        counted.append(
            f"the recorder's clock was {-report.clock_offset_ms} ms behind the venue's: shifted"
        )
    return (*counted, *report.warnings)
