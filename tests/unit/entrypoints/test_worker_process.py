"""What a start of the worker records."""

from __future__ import annotations

import numpy as np
import pytest
from journal_memory import MemoryJournal

from dmm.entrypoints.worker import open_run
from dmm.market.tape import DepthUpdate
from dmm.sandbox.market import SimulatedMarket
from dmm.units.time import NS_PER_S, Nanos


class TurnedClock:
    def __init__(self) -> None:
        self.now = 1_800_000_000 * NS_PER_S

    def now_ns(self) -> Nanos:
        return Nanos(self.now)

    def sleep_s(self, seconds: float) -> None:
        self.now += round(seconds * NS_PER_S)


def test_a_run_of_its_own_begins_with_every_start() -> None:
    store, clock = MemoryJournal(), TurnedClock()
    market = SimulatedMarket(np.random.default_rng(5), duration_s=30)
    first = open_run(store, clock, market, seed=5)
    clock.sleep_s(1)
    assert open_run(store, clock, market, seed=5).run_id != first.run_id


@pytest.mark.parametrize("seed", [1, 2])
def test_the_market_of_a_session_starts_with_a_snapshot(seed: int) -> None:
    market = SimulatedMarket(np.random.default_rng(seed), duration_s=None)
    first = next(market.events())
    assert isinstance(first, DepthUpdate)
    assert first.is_snapshot
