"""What a recording costs to read: as its venue sent it, into our columns, and from them.

Prints, by tape, ``{"events", "rows", "bytes", "decode_s", "events_per_s", "convert_s",
"native_bytes", "columns_s", "rows_per_s", "decode_to_columns"}``; the last is how many times faster
the columns are than the venue's own form. Each figure is the best of `ROUNDS`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dmm.adapters.feeds.native_write import write_tape
from dmm.adapters.feeds.tape import open_tape, read_columns
from dmm.ports import Feed
from dmm.sandbox.market import SimulatedMarket
from dmm.settings import PROJECT_ROOT

ROUNDS = 3
SIMULATED_S = 600
SMOKE_S = 20
DATA = PROJECT_ROOT.parent / "shared" / "data"
TAPES = {
    "btcusdt_perpetual": DATA / "binance_ws_l2" / "usdm_btcusdt_20240808.gz",
    "ethbtc_hour": DATA / "binance_spot_hour" / "ETHBTC_2020-11-01T09-00-00_update.json",
}


def measure(tape: Path | None, *, smoke: bool = False) -> dict[str, object]:
    """Return the figures of the tape named, else of the recordings that are there."""
    tapes = {name: path for name, path in TAPES.items() if path.exists() and not smoke}
    if tape is not None:
        tapes = {tape.name: tape}
    rounds = 1 if smoke else ROUNDS
    with tempfile.TemporaryDirectory(prefix="dmm-tapes-") as folder:
        if not tapes:
            tapes = {"simulated": _simulated(Path(folder), SMOKE_S if smoke else SIMULATED_S)}
        return {name: _tape(path, Path(folder), rounds) for name, path in tapes.items()}


def _simulated(folder: Path, duration_s: int) -> Path:
    """Write a simulated market as a native tape: there is always something to read."""
    path = folder / "simulated.parquet"
    write_tape(SimulatedMarket(np.random.default_rng(1), duration_s=duration_s), path, sources=())
    return path


def _tape(path: Path, folder: Path, rounds: int) -> dict[str, object]:
    native = folder / "columns.parquet"

    def decode() -> int:
        return sum(1 for _ in open_tape([path]).events())

    def convert() -> None:
        feed: Feed = open_tape([path])
        write_tape(feed, native, sources=[path], is_replacing=True)

    events = decode()
    decode_s = _best(decode, rounds)
    convert_s = _best(convert, rounds)
    rows = read_columns([native]).price_ticks.size
    columns_s = _best(lambda: read_columns([native]), rounds)
    return {
        "events": events,
        "rows": int(rows),
        "bytes": path.stat().st_size,
        "decode_s": round(decode_s, 3),
        "events_per_s": round(events / decode_s),
        "convert_s": round(convert_s, 3),
        "native_bytes": native.stat().st_size,
        "columns_s": round(columns_s, 4),
        "rows_per_s": round(rows / columns_s),
        "decode_to_columns": round(decode_s / columns_s, 1),
    }


def _best(work: Callable[[], object], rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best
