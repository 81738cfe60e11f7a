"""``python -m dmm.sandbox.ton``: the local TON chain as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from dmm.sandbox.ton.node import GLOBAL_ID
from dmm.sandbox.ton.service import Options, serve
from dmm.units.errors import Fault


def main() -> int:
    """Serve until SIGTERM or SIGINT; 0 then, 1 on a fault, whose line goes to stderr."""
    parser = argparse.ArgumentParser(prog="python -m dmm.sandbox.ton", description=__doc__)
    parser.add_argument("--modules", type=Path, required=True, help="installed npm packages")
    parser.add_argument("--folder", type=Path, required=True, help="the chain's own folder")
    parser.add_argument("--port", type=int, action="append", help="liteserver port; 0 picks one")
    parser.add_argument("--tick-ms", type=int, default=100)
    parser.add_argument("--idle-ms", type=int, default=1_000)
    parser.add_argument("--global-id", type=int, default=GLOBAL_ID)
    asked = parser.parse_args()
    options = Options(
        modules=asked.modules,
        folder=asked.folder,
        ports=tuple(asked.port or (0,)),
        tick_ms=asked.tick_ms,
        idle_ms=asked.idle_ms,
        global_id=asked.global_id,
    )
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        serve(options)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 0
    except Fault as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    return 0


def _interrupt(*_: object) -> None:
    # asyncio's runner turns an interrupt into a cancellation: everything is closed in order.
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
