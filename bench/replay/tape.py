"""The tape both sides replay: loaded, without its best quotes, and played many times in a row."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dmm.adapters.feeds import open_tape, read_columns
from dmm.adapters.feeds.native_write import write_tape
from dmm.market.instrument import Instrument
from dmm.market.tape_columns import MESSAGE_COLUMNS, ROW_COLUMNS, MessageKind, TapeColumns
from dmm.settings import PROJECT_ROOT
from dmm.simulation.replay.latency import FeedFromTape, clock_shift
from dmm.simulation.replay.prepare import PreparedTape, VenueTape, prepare

DEFAULT_TAPE = PROJECT_ROOT.parent / "shared/data/binance_ws_l2/usdm_btcusdt_20240808.gz"
OTHER_TAPE = DEFAULT_TAPE.with_name("usdm_ethusdt_20240808.gz")
FEED_NS_MIN = 1_000_000
"""Feed latency that is left where a recorder's clock must be shifted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A tape in memory: as recorded, and what both sides are given of it."""

    whole: TapeColumns
    venue: VenueTape
    ready: PreparedTape
    instrument: Instrument
    shift_ns: int


def load(path: Path) -> Loaded:
    """Return a recording ready to be replayed."""
    instrument = open_tape([path]).instrument
    whole = read_columns([path])
    columns = without_quotes(whole)
    shift_ns = clock_shift(columns, least_ns=FEED_NS_MIN)
    venue = VenueTape(columns=columns, instrument=instrument, feed=FeedFromTape(shift_ns=shift_ns))
    return Loaded(
        whole=whole,
        venue=venue,
        ready=prepare([venue]),
        instrument=instrument,
        shift_ns=shift_ns,
    )


def decode_figures(path: Path) -> dict[str, object]:
    """Return what it costs to read a tape as recorded, to convert it, and to read it converted."""
    started = time.perf_counter()
    columns = read_columns([path])
    decode_s = time.perf_counter() - started
    with tempfile.TemporaryDirectory(prefix="dmm-native-") as folder:
        native = Path(folder) / "tape.parquet"
        started = time.perf_counter()
        write_tape(open_tape([path]), native, sources=[path])
        convert_s = time.perf_counter() - started
        started = time.perf_counter()
        read_columns([native])
        native_s = time.perf_counter() - started
    return {
        "rows": columns.rows,
        "decode_s": round(decode_s, 3),
        "convert_s": round(convert_s, 3),
        "native_decode_s": round(native_s, 4),
    }


def prepare_figures(loaded: Loaded) -> dict[str, float]:
    """Return the seconds in which a tape is prepared, its code compiled and loaded."""
    times_s = []
    for _ in range(3):
        started = time.perf_counter()
        prepare([loaded.venue])
        times_s.append(time.perf_counter() - started)
    return {"warm": round(min(times_s), 4)}


def without_quotes(columns: TapeColumns) -> TapeColumns:
    """Return a tape without its best quotes."""
    keep = columns.kind != MessageKind.QUOTE
    counts = np.diff(columns.starts)
    rows = np.repeat(keep, counts)
    return TapeColumns(
        starts=np.concatenate([[0], np.cumsum(counts[keep])]).astype(np.int64),
        **{name: getattr(columns, name)[keep] for name in MESSAGE_COLUMNS},
        **{name: getattr(columns, name)[rows] for name in ROW_COLUMNS},
    )


def tiled(columns: TapeColumns, count: int) -> TapeColumns:
    """Return a tape played so many times in a row; each time begins with its snapshot."""
    span_ns = int(columns.received_at_ns[-1] - columns.received_at_ns[0]) + 1_000_000_000
    names = [name for name in (*MESSAGE_COLUMNS, *ROW_COLUMNS) if not name.endswith("_ns")]
    starts = np.concatenate([[0], *(columns.starts[1:] + n * columns.rows for n in range(count))])
    times = {
        name: np.concatenate([getattr(columns, name) + n * span_ns for n in range(count)])
        for name in ("exchange_at_ns", "received_at_ns")
    }
    return TapeColumns(
        starts=starts.astype(np.int64),
        **times,
        **{name: np.tile(getattr(columns, name), count) for name in names},
    )
