"""A simulated tape in a file, a small grid, and a store of searches in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dmm.adapters.feeds.native_write import write_tape
from dmm.governance.candidate import Candidate
from dmm.ports.research import Proposed, Search
from dmm.sandbox.market import SimulatedMarket
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.ids import Hash32
from dmm.units.time import NS_PER_S, Nanos

MONDAY_NS = 1_722_816_000 * NS_PER_S
"""2024-08-05 00:00 UTC."""

GRID: dict[str, object] = {"gamma": {"times": [0.5, 1, 3]}, "beta": {"times": [1, 2]}}
PARAMS: dict[str, object] = {"judging": {"block_s": 5, "resamples": 200}}


def tape_file(
    folder: Path,
    name: str = "tape.parquet",
    *,
    seed: int = 7,
    seconds: int = 60,
    began_ns: int = MONDAY_NS,
) -> Path:
    """Write a simulated market of some seconds as a native tape."""
    market = SimulatedMarket(
        np.random.default_rng(seed), duration_s=seconds, started_at_ns=Nanos(began_ns)
    )
    path = folder / name
    write_tape(market, path, sources=[], is_replacing=True)
    return path


class MemorySearches:
    """A store of searches that forgets at the end of the process."""

    def __init__(self) -> None:
        self.opened: dict[str, Search] = {}
        self.pieces: dict[tuple[str, int], tuple[Hash32, bytes]] = {}
        self.proposed: list[Proposed] = []

    def open_search(self, search: Search) -> Search:
        return self.opened.setdefault(search.search_id, search)

    def search(self, search_id: str) -> Search:
        if search_id not in self.opened:
            raise UsageFault(f"no search {search_id!r}")
        return self.opened[search_id]

    def add_piece(self, search_id: str, number: int, *, digest: Hash32, body: bytes) -> bool:
        known = self.pieces.setdefault((search_id, number), (digest, body))
        if known[0] != digest:
            raise InvariantBroken(f"piece {number} came to other results")
        return known[1] is body

    def pieces_done(self, search_id: str) -> list[int]:
        return sorted(number for own, number in self.pieces if own == search_id)

    def piece(self, search_id: str, number: int) -> bytes:
        if (search_id, number) not in self.pieces:
            raise UsageFault(f"piece {number} was not kept")
        return self.pieces[search_id, number][1]

    def record_candidate(self, candidate: Candidate, *, now_ns: Nanos) -> bool:
        if any(candidate == known.candidate for known in self.proposed):
            return False
        self.proposed.append(Proposed(candidate=candidate, proposed_at_ns=now_ns))
        return True

    def candidates(self, *, limit: int) -> list[Proposed]:
        return list(reversed(self.proposed))[:limit]


class FixedClock:
    """Always the same instant."""

    def __init__(self, now_ns: int = MONDAY_NS + 8 * 86_400 * NS_PER_S) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> Nanos:
        return Nanos(self._now_ns)

    def sleep_s(self, seconds: float) -> None:
        pass
