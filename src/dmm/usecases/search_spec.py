"""What a search of parameters is, whole numbers and text: the same content is the same search."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from dmm.governance.policy import Policy
from dmm.governance.policy_rules import policy_of
from dmm.market.instrument import Instrument
from dmm.simulation.experiment.grid import Grid, GridSet
from dmm.simulation.experiment.plan import Plan
from dmm.simulation.experiment.values import changed
from dmm.units.errors import UsageFault
from dmm.units.ids import Json, canonical_json, content_id

VERSION = 2
"""Of the results: a change of the engine or of the figures that makes kept pieces another's."""

PIECE_SETS = 64
"""Sets of a piece unless told otherwise: so much is lost by a kill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpec:
    """Everything the results of a search depend on.

    Parameters
    ----------
    recordings : each one or several files that continue each other
    fingerprints : of their content, one a recording
    instrument : of all of them, as canonical JSON
    base : the policy that the grid is laid around
    is_in_force : `base` is what governance has in force, so that a winner may be proposed
    piece_sets : sets of a piece, > 0
    """

    recordings: tuple[tuple[str, ...], ...]
    fingerprints: tuple[str, ...]
    instrument: dict[str, Json]
    plan: Plan
    base: Policy
    is_in_force: bool
    grid: Grid
    seed: int
    allow_gaps: bool
    tick_size: str
    piece_sets: int

    def __post_init__(self) -> None:
        if not self.recordings or self.piece_sets <= 0 or self.seed < 0:
            raise UsageFault(
                f"a search needs a recording, sets a piece above 0 and a seed of 0 or more, got "
                f"{len(self.recordings)}, {self.piece_sets} and {self.seed}"
            )

    @property
    def chunks(self) -> int:
        """Return into how many pieces the sets are cut on each recording."""
        return -(-len(self.grid.sets) // self.piece_sets)

    @property
    def pieces(self) -> int:
        """Return how many pieces there are: all sets' chunks of one recording after another's."""
        return self.chunks * len(self.recordings)

    @property
    def search_id(self) -> str:
        """Return the id of this content."""
        return content_id("dmm/search/v1", canonical_json(self.body)).hex()

    def piece(self, number: int) -> tuple[int, tuple[GridSet, ...]]:
        """Return which recording and which sets a piece is.

        Raises
        ------
        UsageFault
            If there is no such piece.
        """
        if not 0 <= number < self.pieces:
            raise UsageFault(f"no piece {number}: the search has {self.pieces}")
        recording, chunk = divmod(number, self.chunks)
        first = chunk * self.piece_sets
        return recording, self.grid.sets[first : first + self.piece_sets]

    @property
    def body(self) -> dict[str, Json]:
        """Return it as canonical JSON values; parameters have fractions and travel as text."""
        own = self.base.body
        sets: list[Json] = [
            [
                json.dumps(dict(one.params), sort_keys=False),
                {name: value for name, value in one.policy.body.items() if value != own[name]},
            ]
            for one in self.grid.sets
        ]
        return {
            "version": VERSION,
            "recordings": [list(paths) for paths in self.recordings],
            "fingerprints": list(self.fingerprints),
            "instrument": self.instrument,
            "plan": self.plan.to_json(),
            "base": own,
            "is_in_force": self.is_in_force,
            "sets": sets,
            "axes": list(self.grid.axes),
            "own_set": self.grid.in_force,
            "seed": self.seed,
            "allow_gaps": self.allow_gaps,
            "tick_size": self.tick_size,
            "piece_sets": self.piece_sets,
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Json]) -> SearchSpec:
        """Read what `body` wrote.

        Raises
        ------
        UsageFault
            If another version of the program wrote it.
        """
        known = cast("dict[str, Any]", body)
        if known.get("version") != VERSION:
            raise UsageFault(
                f"this search is of version {known.get('version')}, known is {VERSION}: "
                "search again"
            )
        base = policy_of(known["base"])
        sets = tuple(
            GridSet(params=json.loads(params), policy=changed(base, changes, what="a kept set"))
            for params, changes in known["sets"]
        )
        return cls(
            recordings=tuple(tuple(paths) for paths in known["recordings"]),
            fingerprints=tuple(known["fingerprints"]),
            instrument=known["instrument"],
            plan=Plan.from_json(known["plan"]),
            base=base,
            is_in_force=known["is_in_force"],
            grid=Grid(sets=sets, in_force=known["own_set"], axes=tuple(known["axes"])),
            seed=known["seed"],
            allow_gaps=known["allow_gaps"],
            tick_size=known["tick_size"],
            piece_sets=known["piece_sets"],
        )


def same_market(one: Instrument, other: Instrument) -> bool:
    """Tell whether numbers in ticks, lots and atoms mean the same for both."""
    names = ("symbol", "kind", "cash", "tick_size", "lot_size", "contract_size")
    return all(getattr(one, name) == getattr(other, name) for name in names)
