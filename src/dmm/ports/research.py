"""What a search of parameters needs: recordings to replay, and a place for what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dmm.governance.candidate import Candidate
from dmm.market.instrument import Instrument
from dmm.market.tape_columns import TapeColumns
from dmm.units.ids import Hash32, Json
from dmm.units.time import Nanos


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """A tape as read: its files, what it is about, its columns, and what is wrong with it."""

    names: tuple[str, ...]
    instrument: Instrument
    columns: TapeColumns
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Recordings of a stretch of time by path, the earliest first, and those that were refused."""

    paths: tuple[str, ...]
    refused: tuple[str, ...]
    """A line for each file that could not be used: which and why."""


class Recordings(Protocol):
    """Recordings by path."""

    def fingerprint(self, paths: Sequence[str]) -> str:
        """Return the id of the content of files that continue each other.

        Raises
        ------
        UsageFault
            If a file is missing or unreadable.
        """
        ...

    def read(self, paths: Sequence[str], *, allow_gaps: bool, tick_size: str) -> Recording:
        """Read files that continue each other as one recording.

        Parameters
        ----------
        tick_size : quote per base; empty to tell it from the content

        Raises
        ------
        UsageFault, TapeFault
            If they are no tape, or it has flaws and gaps are not allowed.
        """
        ...

    def instrument(self, paths: Sequence[str], *, allow_gaps: bool, tick_size: str) -> Instrument:
        """Return what files are about, reading no more of them than that takes."""
        ...

    def between(self, first_ns: Nanos, last_ns: Nanos) -> Found:
        """Return the kept recordings that began in [first, last)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search as it was opened: the same content is the same search.

    `spec` holds everything its results depend on; `pieces` is into how many it is cut.
    """

    search_id: str
    spec: dict[str, Json]
    pieces: int
    opened_at_ns: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A proposal, and when it was made."""

    candidate: Candidate
    proposed_at_ns: Nanos


class SearchStore(Protocol):
    """Searches, the results of their pieces, and the proposals they led to; rows are only added."""

    def open_search(self, search: Search) -> Search:
        """Record a search, or return the one already recorded under its id."""
        ...

    def search(self, search_id: str) -> Search:
        """Return a search; `UsageFault` if there is none of that id."""
        ...

    def add_piece(self, search_id: str, number: int, *, digest: Hash32, body: bytes) -> bool:
        """Keep the results of a piece; False when they were kept before.

        Raises
        ------
        InvariantBroken
            If that piece was kept with other results.
        """
        ...

    def pieces_done(self, search_id: str) -> list[int]:
        """Return the numbers of the pieces that were kept, rising."""
        ...

    def piece(self, search_id: str, number: int) -> bytes:
        """Return what was kept of a piece; `UsageFault` if nothing was."""
        ...

    def record_candidate(self, candidate: Candidate, *, now_ns: Nanos) -> bool:
        """Record a proposal and append it to the audit log; False when it was there before."""
        ...

    def candidates(self, *, limit: int) -> list[Proposed]:
        """Return proposals, the latest first."""
        ...
