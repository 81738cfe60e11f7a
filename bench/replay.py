"""The replay engine beside hftbacktest: same tape, strategy, interval, queue model and latency.

Both sides have the tape in memory, in the form they replay. A pass of ours and a pass of the peer
take turns, so that both see the machine in the same state. The strategy is the fixed symmetric
spread with a skew, requoted every 100 ms; best quotes are left out, for the peer has no such
message. The peer runs in an environment of its own, made from `oracle/requirements.lock`.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from dmm.adapters.feeds import open_tape, read_columns
from dmm.adapters.feeds.native_write import write_tape
from dmm.market.instrument import Instrument
from dmm.market.tape import DepthUpdate
from dmm.market.tape_columns import MESSAGE_COLUMNS, ROW_COLUMNS, MessageKind, TapeColumns
from dmm.quoting.presets import paper_cex_policy, scale_of
from dmm.settings import PROJECT_ROOT
from dmm.simulation.replay.latency import FeedFromTape, Latency, clock_shift
from dmm.simulation.replay.layout import F_AT, F_PRICE, F_SIDE, F_SIZE
from dmm.simulation.replay.prepare import PreparedTape, VenueTape, prepare
from dmm.simulation.replay.run import ReplaySettings, VenueTerms, replay
from dmm.simulation.replay.schedule import EveryInterval, OrderLatency
from dmm.simulation.replay.sets import Common, ParameterSet, desk_set, symmetric_set

ORACLE = Path(__file__).resolve().parent / "oracle"
DEFAULT_TAPE = PROJECT_ROOT.parent / "shared/data/binance_ws_l2/usdm_btcusdt_20240808.gz"
OTHER_TAPE = DEFAULT_TAPE.with_name("usdm_ethusdt_20240808.gz")
LATENCY_NS = 5_000_000
INTERVAL_NS = 100_000_000
MOST_LOTS = 20
PEER_PASSES = 24
GRID = 1_000
TILES = (1, 10, 100)
COMPARED = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)


def measure(tape: Path | None, *, smoke: bool = False) -> dict[str, object]:
    """Return the figures of ours and the peer, and how far their fills agree; fewer in a smoke."""
    path = tape or DEFAULT_TAPE
    if not path.is_file():
        raise SystemExit(f"replay: no tape at {path}: name one with --tape")
    instrument = open_tape([path]).instrument
    decode, whole = _decode(path)
    columns = without_quotes(whole)
    shift_ns = clock_shift(columns, least_ns=1_000_000)
    venue = VenueTape(columns=columns, instrument=instrument, feed=FeedFromTape(shift_ns=shift_ns))
    started = time.perf_counter()
    ready = prepare([venue])
    cold_s = time.perf_counter() - started
    started = time.perf_counter()
    ready = prepare([venue])
    prepare_s = time.perf_counter() - started
    run([_set(20.0, 0.0)], ready)
    with tempfile.TemporaryDirectory(prefix="dmm-oracle-") as folder:
        peer = Peer(Path(folder), ready, instrument)
        try:
            figures = _side_by_side(ready, peer, prepare_s, passes=4 if smoke else PEER_PASSES)
            table = [_compare(ready, peer, half, instrument) for half in COMPARED]
        finally:
            peer.close()
    others = {} if smoke or tape is not None else {OTHER_TAPE.name: _compare_tape(OTHER_TAPE)}
    return {
        "tape": path.name,
        **figures,
        "prepare_s": {"cold": round(cold_s, 3), "warm": round(prepare_s, 4)},
        "decode": decode,
        "desk": _desk(path, whole, instrument, shift_ns, count=10 if smoke else GRID),
        "memory": _memory(ready),
        "scaling": _scaling(ready, columns, venue, tiles=TILES[:1] if smoke else TILES),
        "oracle": table,
        "oracle_of_others": others,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def run(
    sets: Sequence[ParameterSet], ready: PreparedTape, *, threads: int = 1, fills_max: int = 20_000
) -> tuple[float, Any]:
    """Replay the sets; return the seconds of the whole call and the result."""
    latency = Latency(constant_ns=LATENCY_NS)
    terms = [VenueTerms(delays=OrderLatency(entry=latency, response=latency))]
    settings = ReplaySettings(fills_max=fills_max)
    if threads == 1:
        started = time.perf_counter()
        result = replay(ready, sets, terms=terms, settings=settings)
        return time.perf_counter() - started, result
    with ThreadPoolExecutor(threads) as pool:
        started = time.perf_counter()
        result = replay(
            ready, sets, terms=terms, settings=settings, blocks=threads, mapper=pool.map
        )
        return time.perf_counter() - started, result


def _decode(path: Path) -> tuple[dict[str, object], TapeColumns]:
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
    figures: dict[str, object] = {
        "rows": columns.rows,
        "decode_s": round(decode_s, 3),
        "convert_s": round(convert_s, 3),
        "native_decode_s": round(native_s, 4),
    }
    return figures, columns


def _desk(
    path: Path, columns: TapeColumns, instrument: Instrument, shift_ns: int, *, count: int
) -> dict[str, object]:
    """Return the seconds of the desk's own rule, which decides on its fills: one set and many."""
    events = open_tape([path]).events()
    book = next(one for one in events if isinstance(one, DepthUpdate) and one.is_snapshot)
    policy = paper_cex_policy(
        instrument, scale_of(book), reward_budget_atoms=1, buyback_budget_atoms_max=1
    )
    feed = FeedFromTape(shift_ns=shift_ns)
    ready = prepare([VenueTape(columns=columns, instrument=instrument, feed=feed)])
    sets = [
        desk_set(replace(policy, skew_beta_ubps=policy.skew_beta_ubps + 1_000 * number))
        for number in range(count)
    ]
    one_s = min(run(sets[:1], ready)[0] for _ in range(3))
    threads = os.cpu_count() or 1
    all_s = min(run(sets, ready, threads=threads, fills_max=0)[0] for _ in range(2))
    return {"one_s": round(one_s, 4), f"sets_{count}_s": round(all_s, 3), "threads": threads}


def _memory(ready: PreparedTape) -> dict[str, object]:
    """Return what a single run reads of the tape, how long that takes, and how long reading takes.

    The reading of the same bytes, as fast as the machine adds them up, is what no engine can beat.
    """
    tables = (ready.messages, ready.rows)
    size = sum(table.nbytes for table in tables)

    def read() -> float:
        started = time.perf_counter()
        for table in tables:
            table.sum()
        return time.perf_counter() - started

    single_s = min(run([_set(20.0, 0.0)], ready)[0] for _ in range(9))
    read_s = min(read() for _ in range(9))
    return {
        "tape_mb": round(size / 2**20, 1),
        "single_s": round(single_s, 5),
        "read_s": round(read_s, 5),
        "ns_per_event": round(single_s / ready.book_rows * 1e9, 1),
        "ns_per_event_to_read": round(read_s / ready.book_rows * 1e9, 1),
    }


def _side_by_side(
    ready: PreparedTape, peer: Peer, prepare_s: float, *, passes: int = PEER_PASSES
) -> dict[str, object]:
    sets = grid(GRID)
    threads = os.cpu_count() or 1
    ours_s: list[float] = []
    grid_s: list[float] = []
    peer_s: list[float] = []
    for number in range(passes):
        one = sets[number * (GRID // passes)]
        peer_s.append(float(peer.ask(one.params)["seconds"]))
        ours_s.append(run([one], ready)[0])
        if number % 4 == 0:
            grid_s.append(run(sets, ready, threads=threads, fills_max=0)[0])
    single, other, whole = (statistics.median(times) for times in (ours_s, peer_s, grid_s))
    all_s = sum(peer_s) / len(peer_s) * GRID
    events = ready.book_rows
    return {
        "single": {
            "ours_events_per_s": round(events / single),
            "peer_events_per_s": round(events / other),
            "ratio": round(other / single, 2),
            "ratio_with_prepare": round(other / (single + prepare_s), 2),
        },
        "grid_1000": {
            "ours_s": round(whole, 4),
            "peer_s": round(all_s, 2),
            "ratio": round(all_s / whole, 1),
            "peer_passes": len(peer_s),
            "threads": threads,
        },
    }


def _scaling(
    ready: PreparedTape, columns: TapeColumns, venue: VenueTape, *, tiles: Sequence[int]
) -> dict[str, object]:
    sets = {
        f"sets_{count}": round(min(run(grid(count), ready, fills_max=0)[0] for _ in range(3)), 4)
        for count in (1, 10, 100, 1_000)
    }
    speeds = {}
    for count in tiles:
        longer = prepare([replace(venue, columns=tiled(columns, count))]) if count > 1 else ready
        seconds = min(run(grid(1), longer, fills_max=0)[0] for _ in range(3))
        speeds[f"tape_x{count}"] = round(longer.book_rows / seconds)
    return {"seconds_by_sets": sets, "events_per_s_by_length": speeds}


def grid(count: int) -> list[ParameterSet]:
    """Return parameter sets over half-spread and skew, the same for every call."""
    rng = np.random.default_rng(20240808)
    halves, skews = rng.uniform(2.0, 160.0, count), rng.uniform(0.0, 2.0, count)
    return [_set(float(half), float(skew)) for half, skew in zip(halves, skews, strict=True)]


def _set(half: float, skew: float, start_ns: int | None = None) -> ParameterSet:
    pace = EveryInterval(interval_ns=INTERVAL_NS, start_ns=start_ns)
    common = Common(size_lots=1, inventory_max_lots=MOST_LOTS, pace=pace)
    return symmetric_set(common, half_ticks=half, skew_ticks_per_lot=skew)


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


# -- the peer -----------------------------------------------------------------------------------


class Peer:
    """hftbacktest in a process of its own."""

    def __init__(self, folder: Path, ready: PreparedTape, instrument: Instrument) -> None:
        rows = folder / "rows.npy"
        np.save(rows, _peer_rows(ready))
        tick = float(instrument.tick_size)
        mids = ready.views[0].mid
        middle = float(np.median(mids)) / 2 * tick
        setup = {
            "rows": str(rows),
            "tick": tick,
            "lot": float(instrument.lot_size),
            "entry_ns": LATENCY_NS,
            "response_ns": LATENCY_NS,
            "interval_ns": INTERVAL_NS,
            "most": MOST_LOTS,
            "low": middle * 0.5,
            "high": middle * 1.5,
        }
        self._process = subprocess.Popen(  # noqa: S603 — our own script in its own environment
            [str(_environment()), str(ORACLE / "peer.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._write(setup)
        self._read()

    def ask(self, params: Any) -> dict[str, Any]:
        """Return the peer's answer for a symmetric set."""
        self._write({"half": params["half_ticks"], "skew": params["skew_ticks_per_lot"]})
        return self._read()

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=30)

    def _write(self, body: dict[str, Any]) -> None:
        if self._process.stdin is None:
            raise SystemExit("replay: the peer has no input")
        self._process.stdin.write(json.dumps(body) + "\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise SystemExit("replay: the peer ended without an answer: see its message above")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _environment() -> Path:
    """Return the peer's interpreter; its environment is made when the lock is new."""
    folder = PROJECT_ROOT / ".dmm" / "oracle"
    lock, python = ORACLE / "requirements.lock", folder / "bin" / "python"
    stamp = folder / "synced"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == lock.read_text(encoding="utf-8"):
        return python
    options = ["--quiet", "--no-deps", "--require-hashes", "--requirement", str(lock)]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", *options],
    ):
        if subprocess.run(command, check=False).returncode:  # noqa: S603 — as locked
            raise SystemExit("replay: the peer's environment could not be made from its lock")
    stamp.write_text(lock.read_text(encoding="utf-8"), encoding="utf-8")
    return python


CLEAR, DEPTH, SNAPSHOT, TRADE = 0, 1, 2, 3


def _peer_rows(ready: PreparedTape) -> np.ndarray:
    """Return the tape as rows of (kind, side, at, heard, price, size), clocks as we have them."""
    view, columns = ready.views[0], ready.tapes[0].columns
    happened, heard = np.empty_like(view.at_ns), np.empty_like(view.local_ns)
    happened[np.argsort(_stamps(ready), kind="stable")] = view.at_ns
    heard[view.heard_message] = view.local_ns
    parts = []
    kinds = {MessageKind.UPDATE: DEPTH, MessageKind.SNAPSHOT: SNAPSHOT, MessageKind.TRADE: TRADE}
    for message, (begin, end) in enumerate(pairwise(columns.starts.tolist())):
        kind = kinds[MessageKind(int(columns.kind[message]))]
        body = np.empty((end - begin, 6), dtype=np.int64)
        body[:, 0], body[:, 1] = kind, columns.side[begin:end]
        body[:, 2], body[:, 3] = happened[message], heard[message]
        body[:, 4], body[:, 5] = columns.price_ticks[begin:end], columns.size_lots[begin:end]
        if kind == SNAPSHOT:
            for side in (1, -1):
                own = body[body[:, 1] == side]
                parts += [np.array([[CLEAR, side, *own[-1, 2:5], 0]]), own]
        else:
            parts.append(body)
    return np.concatenate(parts)


def _stamps(ready: PreparedTape) -> np.ndarray:
    columns = ready.tapes[0].columns
    at_ns = columns.exchange_at_ns.copy()
    for stream in (columns.kind <= MessageKind.SNAPSHOT, columns.kind == MessageKind.TRADE):
        at_ns[stream] = np.maximum.accumulate(at_ns[stream])
    return at_ns


# -- fill by fill ---------------------------------------------------------------------------------


def _compare(
    ready: PreparedTape, peer: Peer, half: float, instrument: Instrument
) -> dict[str, object]:
    """Return both sides' totals and how many fills are the same: side, price and time."""
    # The peer's timer starts with the first event at the venue.
    one = _set(half, 0.0, int(ready.views[0].at_ns[0]))
    theirs = peer.ask(one.params)
    outcome = run([one], ready)[1].outcomes[0]
    ours = [tuple(row) for row in outcome.fills[:, [F_AT, F_SIDE, F_PRICE, F_SIZE]].tolist()]
    others = [tuple(row) for row in theirs["fills"]]
    same = len(set(ours) & set(others))
    early, crossed, followed = _causes(ready, ours, others)
    unit = 10**instrument.cash.decimals
    apart = (n for n, (one, two) in enumerate(zip(ours, others, strict=False)) if one != two)
    first = next(apart, None)
    return {
        "half_ticks": half,
        "ours": {
            "fills": len(ours),
            "position": outcome.venues[0].inventory_lots,
            "pnl": outcome.summary.pnl / unit,
        },
        "peer": {
            "fills": theirs["trades"],
            "position": theirs["position"],
            "pnl": round(float(theirs["pnl"]), 6),
        },
        "same_fills": same,
        "peer_fills_at_the_update_that_crosses_us_ours_at_the_trade": early,
        "peer_fills_at_such_an_update_ours_by_no_trade": crossed,
        "other": followed,
        "first_difference": None if first is None else [ours[first], others[first]],
    }


def _compare_tape(path: Path) -> list[dict[str, object]]:
    """Return the comparison on another tape."""
    instrument = open_tape([path]).instrument
    columns = without_quotes(read_columns([path]))
    feed = FeedFromTape(shift_ns=clock_shift(columns, least_ns=1_000_000))
    ready = prepare([VenueTape(columns=columns, instrument=instrument, feed=feed)])
    with tempfile.TemporaryDirectory(prefix="dmm-oracle-") as folder:
        peer = Peer(Path(folder), ready, instrument)
        try:
            return [_compare(ready, peer, half, instrument) for half in COMPARED]
        finally:
            peer.close()


MATCH_NS = 1_000_000_000


def _causes(
    ready: PreparedTape, ours: Sequence[tuple[int, ...]], others: Sequence[tuple[int, ...]]
) -> tuple[int, int, int]:
    """Count the peer's fills that differ, by cause.

    The peer fills an order when the opposite best comes to its price; ours waits for the trade. So
    at the peer's time our book crosses the order, and ours fills at the same price later, or never.
    What is left follows from earlier differences: another inventory, other orders.
    """
    view = ready.views[0]
    left = sorted(set(ours) - set(others))
    early = crossed = followed = 0
    for fill in sorted(set(others) - set(ours)):
        at_ns, side, price, size = fill
        last = int(np.searchsorted(view.at_ns, at_ns, side="right")) - 1
        bid, ask = int(view.seen[last, 0]), int(view.seen[last, 2])
        is_crossed = 0 < ask <= price if side > 0 else bid >= price
        match = next(
            (o for o in left if o[1:] == (side, price, size) and 0 <= o[0] - at_ns < MATCH_NS),
            None,
        )
        if match is not None:
            left.remove(match)
            early += 1
        elif is_crossed:
            crossed += 1
        else:
            followed += 1
    return early, crossed, followed
