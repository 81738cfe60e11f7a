"""What goes into the steps of a parameter search and what comes out of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dmm.governance.candidate import Candidate
from dmm.governance.policy import Policy
from dmm.market.instrument import Instrument
from dmm.simulation.experiment.conclusion import Conclusion
from dmm.usecases.search_spec import PIECE_SETS


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The policy in force and the instrument whose lots it speaks of."""

    policy: Policy
    instrument: Instrument


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a search is asked for.

    Parameters
    ----------
    tapes : files of one recording; empty for every recording kept from a week
    week : number of the week (Monday 00:00 UTC), −1 for the last whole one; without `tapes`
    params, grid : as the files of ``dmm backtest``; an empty grid is `DEFAULT_GRID`
    piece_sets : sets of a piece, > 0
    """

    tapes: tuple[str, ...] = ()
    week: int = -1
    params: Mapping[str, object] | None = None
    grid: Mapping[str, object] | None = None
    seed: int = 1
    allow_gaps: bool = False
    tick_size: str = ""
    piece_sets: int = PIECE_SETS


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A search with the pieces still to do; without recordings there is none, and `notes` say why.

    `notes` name what was left out: recordings that were refused or are of another market.
    """

    search_id: str
    todo: tuple[int, ...]
    pieces: int
    sets: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Concluded:
    """A search's conclusion, the proposal it led to, and why it led to none."""

    conclusion: Conclusion
    candidate: Candidate | None
    note: str
