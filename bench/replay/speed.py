"""What passes cost: ours and the peer's in turns, and ours by sets, by length and by rule."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.replay.passes import GRID, Pass, grid, one_set, run
from bench.replay.peer import Peer
from bench.replay.tape import Loaded, tiled
from dmm.adapters.feeds import open_tape
from dmm.market.tape import DepthUpdate
from dmm.quoting.presets import paper_cex_policy, scale_of
from dmm.simulation.replay.latency import FeedFromTape
from dmm.simulation.replay.prepare import PreparedTape, VenueTape, prepare
from dmm.simulation.replay.sets import desk_set

THREADS = os.cpu_count() or 1
HALF_TICKS = 20.0


def side_by_side(
    ready: PreparedTape, peer: Peer, *, passes: int, prepare_s: float
) -> dict[str, object]:
    """Return the speeds of both, taken in turns; the peer's passes stand for its thousand.

    Beside the wall's seconds stand the processor's, of all threads together: on a machine that
    others use, the wall also counts the turns of others.
    """
    sets = grid(GRID)
    ours: list[Pass] = []
    grids: list[Pass] = []
    theirs: list[tuple[float, float]] = []
    run(sets[:1], ready)
    for number in range(passes):
        one = sets[number * (GRID // passes)]
        answer = peer.ask(one.params)
        theirs.append((float(answer["seconds"]), float(answer["cpu_seconds"])))
        ours.append(run([one], ready))
        if number % 4 == 0:
            grids.append(run(sets, ready, threads=THREADS, fills_max=0))
    single_s = statistics.median(one.wall_s for one in ours)
    single_cpu_s = statistics.median(one.cpu_s for one in ours)
    peer_s = statistics.median(wall_s for wall_s, _ in theirs)
    peer_cpu_s = statistics.median(cpu_s for _, cpu_s in theirs)
    grid_s = statistics.median(one.wall_s for one in grids)
    grid_cpu_s = statistics.median(one.cpu_s for one in grids)
    all_s, all_cpu_s = (statistics.fmean(times) * GRID for times in zip(*theirs, strict=True))
    return {
        "single": {
            "ours_events_per_s": round(ready.book_rows / single_s),
            "peer_events_per_s": round(ready.book_rows / peer_s),
            "ratio": round(peer_s / single_s, 2),
            "ratio_of_cpu": round(peer_cpu_s / single_cpu_s, 2),
            "ratio_with_prepare": round(peer_s / (single_s + prepare_s), 2),
        },
        "grid_1000": {
            "ours_s": round(grid_s, 4),
            "peer_s": round(all_s, 2),
            "ratio": round(all_s / grid_s, 1),
            "ours_cpu_s": round(grid_cpu_s, 4),
            "peer_cpu_s": round(all_cpu_s, 2),
            "ratio_of_cpu": round(all_cpu_s / grid_cpu_s, 1),
            "peer_passes": len(theirs),
            "threads": THREADS,
        },
    }


def desk_seconds(path: Path, loaded: Loaded, *, count: int) -> dict[str, object]:
    """Return the seconds of the desk's own rule, which decides on its fills: one set and many."""
    events = open_tape([path]).events()
    book = next(one for one in events if isinstance(one, DepthUpdate) and one.is_snapshot)
    policy = paper_cex_policy(
        loaded.instrument, scale_of(book), reward_budget_atoms=1, buyback_budget_atoms_max=1
    )
    feed = FeedFromTape(shift_ns=loaded.shift_ns)
    ready = prepare([VenueTape(columns=loaded.whole, instrument=loaded.instrument, feed=feed)])
    sets = [
        desk_set(replace(policy, skew_beta_ubps=policy.skew_beta_ubps + 1_000 * number))
        for number in range(count)
    ]
    one_s = min(run(sets[:1], ready).wall_s for _ in range(3))
    all_s = min(run(sets, ready, threads=THREADS, fills_max=0).wall_s for _ in range(2))
    return {"one_s": round(one_s, 4), f"sets_{count}_s": round(all_s, 3), "threads": THREADS}


def memory_figures(ready: PreparedTape) -> dict[str, object]:
    """Return the size of a tape as it is played, a single run's time, and that of reading it all.

    Reading the same bytes as fast as the machine adds them up is what an engine that looks at every
    row cannot beat. Ours looks only at the levels where orders are.
    """
    tables = (ready.messages, ready.shown, ready.levels)
    size = sum(table.nbytes for table in tables)

    def read_s() -> float:
        started = time.perf_counter()
        for table in tables:
            table.sum()
        return time.perf_counter() - started

    single_s = min(run([one_set(HALF_TICKS)], ready).wall_s for _ in range(9))
    all_s = min(read_s() for _ in range(9))
    return {
        "tape_mb": round(size / 2**20, 1),
        "single_s": round(single_s, 5),
        "read_s": round(all_s, 5),
        "ns_per_event": round(single_s / ready.book_rows * 1e9, 1),
        "ns_per_event_to_read": round(all_s / ready.book_rows * 1e9, 1),
    }


def scaling_figures(loaded: Loaded, *, tiles: Sequence[int]) -> dict[str, object]:
    """Return seconds by sets on one thread, and a single run's events a second by length."""
    seconds = {
        f"sets_{count}": round(
            min(run(grid(count), loaded.ready, fills_max=0).wall_s for _ in range(3)), 4
        )
        for count in (1, 10, 100, GRID)
    }
    speeds = {}
    for count in tiles:
        longer = loaded.ready
        if count > 1:
            longer = prepare([replace(loaded.venue, columns=tiled(loaded.venue.columns, count))])
        wall_s = min(run(grid(1), longer, fills_max=0).wall_s for _ in range(3))
        speeds[f"tape_x{count}"] = round(longer.book_rows / wall_s)
    return {"seconds_by_sets": seconds, "events_per_s_by_length": speeds}
