"""The node's own process: ``python -m dmm.sandbox.solana --folder … --port …``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import uvicorn
from solders.pubkey import Pubkey

from dmm.adapters.clock import SystemClock
from dmm.sandbox.solana.chain import Chain, Pace
from dmm.sandbox.solana.server import Server
from dmm.units.errors import Fault, UsageFault


def main(arguments: list[str] | None = None) -> int:
    """Serve one chain on loopback until a signal comes."""
    wanted = _parser().parse_args(arguments)
    try:
        chain = Chain(
            folder=wanted.folder,
            programs=dict(_program(text) for text in wanted.program),
            now_ns=SystemClock().now_ns,
            pace=Pace(
                slot_ms=wanted.slot_ms,
                confirmed_slots=wanted.confirmed_slots,
                finalized_slots=wanted.finalized_slots,
            ),
        )
    except Fault as fault:
        print(fault, file=sys.stderr)  # noqa: T201 - the parent reads the log's last line
        return 2 if isinstance(fault, UsageFault) else 1
    uvicorn.run(
        Server(chain).app,
        host="127.0.0.1",
        port=wanted.port,
        log_level="warning",
        ws="websockets-sansio",
        timeout_graceful_shutdown=2,
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dmm.sandbox.solana", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    usual = Pace()
    parser.add_argument("--slot-ms", type=int, default=usual.slot_ms)
    parser.add_argument("--confirmed-slots", type=int, default=usual.confirmed_slots)
    parser.add_argument("--finalized-slots", type=int, default=usual.finalized_slots)
    parser.add_argument("--program", action="append", default=[], metavar="ADDRESS=FILE")
    return parser


def _program(text: str) -> tuple[Pubkey, Path]:
    address, _, path = text.partition("=")
    try:
        return Pubkey.from_string(address), Path(path)
    except ValueError as error:
        raise UsageFault(f"{text!r} is no ADDRESS=FILE: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
