"""A pass of ours: the parameter sets, and a replay of them with its time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from dmm.simulation.replay.latency import Latency
from dmm.simulation.replay.prepare import PreparedTape
from dmm.simulation.replay.result import ReplayResult
from dmm.simulation.replay.run import ReplaySettings, VenueTerms, replay
from dmm.simulation.replay.schedule import EveryInterval, OrderLatency
from dmm.simulation.replay.sets import Common, ParameterSet, symmetric_set

LATENCY_NS = 5_000_000
INTERVAL_NS = 100_000_000
LOTS_MAX = 20
GRID = 1_000
SEED = 20240808


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A replay: seconds of the whole call on the wall and of the processor, and its result."""

    wall_s: float
    cpu_s: float
    result: ReplayResult


def run(
    sets: Sequence[ParameterSet],
    ready: PreparedTape,
    *,
    threads: int = 1,
    fills_max: int = 20_000,
    latency_ns: int = LATENCY_NS,
) -> Pass:
    """Replay the sets; threads are started before the clock."""
    latency = Latency(constant_ns=latency_ns)
    terms = [VenueTerms(delays=OrderLatency(entry=latency, response=latency))]
    settings = ReplaySettings(fills_max=fills_max)
    with ThreadPoolExecutor(threads) as pool:
        pool.submit(int).result()
        mapper = map if threads == 1 else pool.map
        started, cpu = time.perf_counter(), time.process_time()
        result = replay(ready, sets, terms=terms, settings=settings, blocks=threads, mapper=mapper)
        wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    return Pass(wall_s=wall_s, cpu_s=cpu_s, result=result)


def grid(count: int) -> list[ParameterSet]:
    """Return parameter sets over half-spread and skew, the same for every call."""
    rng = np.random.default_rng(SEED)
    halves, skews = rng.uniform(2.0, 160.0, count), rng.uniform(0.0, 2.0, count)
    return [one_set(float(half), float(skew)) for half, skew in zip(halves, skews, strict=True)]


def one_set(half: float, skew: float = 0.0, start_ns: int | None = None) -> ParameterSet:
    """Return a symmetric set by timer."""
    pace = EveryInterval(interval_ns=INTERVAL_NS, start_ns=start_ns)
    common = Common(size_lots=1, inventory_max_lots=LOTS_MAX, pace=pace)
    return symmetric_set(common, half_ticks=half, skew_ticks_per_lot=skew)
