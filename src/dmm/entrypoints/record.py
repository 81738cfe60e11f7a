"""``dmm tape record``: a venue's public messages into a file, until Ctrl-C or the time is over."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from dataclasses import dataclass
from pathlib import Path

import typer

from dmm.adapters.clock import SystemClock
from dmm.adapters.recorders import Limits, Recorded, Recorder, TapeFile, venue_of
from dmm.adapters.recorders.venue import Venue
from dmm.units.errors import UsageFault

ENDING = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRequest:
    """What to record; `seconds` None for until Ctrl-C, empty addresses for the venue's own."""

    venue: str
    symbol: str
    out: Path
    seconds: float | None
    streams: str
    url: str
    rest_url: str


def run_record(request: RecordRequest, *, as_json: bool) -> None:
    """Record and print the summary.

    Raises
    ------
    UsageFault
        If an option cannot be, the file exists, or the venue does not know the symbol.
    ServiceFault
        If the venue cannot be reached or refuses, no book can be had, or the disk takes no more.
    """
    if request.seconds is not None and not request.seconds > 0:
        raise UsageFault(f"--seconds must be positive, got {request.seconds:g}")
    venue = venue_of(
        request.venue,
        symbol=request.symbol,
        streams=[name.strip() for name in request.streams.split(",")],
        socket_url=request.url,
        rest_url=request.rest_url,
    )
    with TapeFile(request.out) as tape:
        recorded = asyncio.run(_record(venue, tape, seconds_max=request.seconds))
    if as_json:
        typer.echo(json.dumps(recorded.to_json()))
        return
    for line in lines_of(recorded):
        typer.echo(line)


async def _record(venue: Venue, tape: TapeFile, *, seconds_max: float | None) -> Recorded:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in ENDING:
        loop.add_signal_handler(number, stop.set)
    _tell(f"recording {venue.symbol} of {venue.name} into {tape.part}; Ctrl-C ends it")
    recorder = Recorder(
        venue,
        tape,
        clock=SystemClock(),
        rng=random.Random(),  # noqa: S311 - spreads delays, guards nothing
        limits=Limits(),
        notify=_tell,
    )
    return await recorder.run(stop=stop, seconds_max=seconds_max)


def _tell(text: str) -> None:
    typer.echo(f"dmm: {text}", err=True)


def lines_of(recorded: Recorded) -> list[str]:
    """Return a summary for people: what is zero or empty is left out."""
    shown = {
        "file": recorded.file,
        "market": f"{recorded.symbol} of {recorded.venue}",
        "seconds": f"{recorded.seconds:.3f}",
        "messages": f"{recorded.messages} ({_listed(recorded.by_stream)})",
        "nothing came of": ", ".join(recorded.silent),
        "snapshots": recorded.snapshots,
        "snapshots refused": recorded.snapshots_refused,
        "gaps": recorded.gaps,
        "reconnects": recorded.reconnects,
        "rollovers": recorded.rollovers,
        "duplicates": recorded.duplicates,
        "unusable": recorded.unusable,
        "waits for the disk": recorded.stalls,
        "bytes": f"{recorded.file_bytes} of {recorded.raw_bytes}",
    }
    lines = [f"{label:>18}  {value}" for label, value in shown.items() if value]
    if recorded.clock_offset_ms is not None:
        lines.append(
            f"{'clock offset':>18}  {recorded.clock_offset_ms} ms (received − venue, median)"
        )
    return lines


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
