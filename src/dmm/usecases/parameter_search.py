"""Search for better parameters on recordings, piece by piece; a winner becomes a proposal.

A search is known by its content: asked for again, it goes on where it was cut off, and a piece that
is computed twice is kept once. Nothing here changes a policy.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np

from dmm.market.instrument import Instrument
from dmm.ports import Clock
from dmm.ports.research import Recordings, Search, SearchStore
from dmm.simulation.experiment.choice import Columns
from dmm.simulation.experiment.conclusion import conclude
from dmm.simulation.experiment.grid import DEFAULT_GRID, grid_of
from dmm.simulation.experiment.passes import prepared, run_sets, scale_at_start
from dmm.simulation.experiment.plan import plan_of_file
from dmm.simulation.experiment.trial import Trials, decode, digest_of, encode, figures
from dmm.simulation.replay.prepare import PreparedTape
from dmm.units.errors import UsageFault
from dmm.units.ids import Json
from dmm.units.time import NS_PER_S, WEEK_OFFSET_NS, Nanos, epoch_of
from dmm.usecases.search_proposal import candidate_of
from dmm.usecases.search_report import markdown_of, summary_of
from dmm.usecases.search_spec import PIECE_SETS, SearchSpec, same_market
from dmm.usecases.search_values import Asked, Concluded, InForce, Opened

WEEK_NS = 7 * 86_400 * NS_PER_S

PREPARED_MAX = 2
"""Recordings held ready at once; of a busy day each takes gigabytes."""

BEST_SHOWN = 10
"""Sets in a table of partial results."""


class ParameterSearch:
    """The search as its steps are called, from any process and in any order after `open`.

    Parameters
    ----------
    store : keeps searches, pieces and proposals
    recordings : reads tapes
    in_force : what governance has in force; None where there is nothing yet
    scheduler_address : of a Dask scheduler; empty to work on this machine
    """

    def __init__(
        self,
        *,
        store: SearchStore,
        recordings: Recordings,
        clock: Clock,
        in_force: InForce | None,
        scheduler_address: str = "",
    ) -> None:
        self._store, self._recordings, self._clock = store, recordings, clock
        self._in_force = in_force
        self.scheduler_address = scheduler_address
        self._ready: OrderedDict[tuple[str, int], PreparedTape] = OrderedDict()
        self._lock = threading.Lock()

    def ask(
        self,
        *,
        tapes: Sequence[str] = (),
        week: int = -1,
        params: Mapping[str, object] | None = None,
        grid: Mapping[str, object] | None = None,
        seed: int = 1,
        allow_gaps: bool = False,
        piece_sets: int = PIECE_SETS,
    ) -> Opened:
        """Open a search by plain values, as a flow has them; else as `open`."""
        asked = Asked(
            tapes=tuple(tapes),
            week=week,
            params=params,
            grid=grid,
            seed=seed,
            allow_gaps=allow_gaps,
            piece_sets=piece_sets,
        )
        return self.open(asked)

    def markdown(self, opened: Opened, concluded: Concluded | None) -> str:
        """Return the search as a page."""
        return markdown_of(opened, concluded)

    def summary(self, opened: Opened, concluded: Concluded | None) -> dict[str, Json]:
        """Return the search as plain values."""
        return summary_of(opened, concluded)

    def open(self, asked: Asked) -> Opened:
        """Open a search, or find it as far as it came.

        Raises
        ------
        UsageFault
            If a parameter, the grid or a named tape cannot be used: by name and value.
        """
        found, notes = self._found(asked)
        if not found:
            return Opened(search_id="", todo=(), pieces=0, sets=0, notes=notes)
        spec, more = self._spec(asked, found)
        search = self._store.open_search(
            Search(
                search_id=spec.search_id,
                spec=spec.body,
                pieces=spec.pieces,
                opened_at_ns=self._clock.now_ns(),
            )
        )
        done = set(self._store.pieces_done(search.search_id))
        return Opened(
            search_id=search.search_id,
            todo=tuple(number for number in range(spec.pieces) if number not in done),
            pieces=spec.pieces,
            sets=len(spec.grid.sets),
            notes=(*notes, *more),
        )

    def run_piece(self, search_id: str, number: int) -> bool:
        """Replay a piece's sets on its recording and keep what they did; False if it was there.

        Raises
        ------
        UsageFault
            If there is no such search or piece, or the recording is not what it was.
        InvariantBroken
            If it was kept with other results.
        """
        spec = self._spec_of(search_id)
        recording, sets = spec.piece(number)
        trials = run_sets(self._prepared(search_id, spec, recording), sets, spec.plan)
        body = encode(trials)
        return self._store.add_piece(search_id, number, digest=digest_of(body), body=body)

    def best_so_far(self, search_id: str) -> list[dict[str, Json]]:
        """Return the sets of finished pieces with the highest Sharpe ratio, as rows of a table."""
        spec = self._spec_of(search_id)
        done = set(self._store.pieces_done(search_id))
        rows: list[tuple[float, dict[str, Json]]] = []
        for chunk in range(spec.chunks):
            numbers = range(chunk, spec.pieces, spec.chunks)
            if not done.issuperset(numbers):
                continue
            parts = [decode(self._store.piece(search_id, number)) for number in numbers]
            columns = Columns.stacked([part.columns for part in parts], axis=0)
            for at, one in enumerate(spec.piece(chunk)[1]):
                totals = [part.totals[at] for part in parts]
                row = figures(totals, columns, at=at, block_ns=spec.plan.judging.block_ns)
                shown = {name: f"{value:.6g}" for name, value in row.items()}
                rows.append((row["sharpe"], {**_as_text(one.params), **shown}))
        rows.sort(key=lambda pair: -pair[0])
        return [row for _, row in rows[:BEST_SHOWN]]

    def conclude(self, search_id: str) -> Concluded:
        """Choose, judge and, where the winner may be promoted, record it as a proposal.

        Raises
        ------
        UsageFault
            If pieces are missing, or the recordings are too short to judge.
        """
        spec = self._spec_of(search_id)
        missing = spec.pieces - len(self._store.pieces_done(search_id))
        if missing:
            raise UsageFault(f"{missing} of {spec.pieces} pieces are missing: run the search again")
        parts = [self._whole(search_id, spec, at) for at in range(len(spec.recordings))]
        found = conclude(
            spec.grid,
            parts,
            judging=spec.plan.judging,
            rng=np.random.default_rng(spec.seed),
        )
        candidate, note = candidate_of(search_id, spec, found)
        if candidate is not None:
            self._store.record_candidate(candidate, now_ns=self._clock.now_ns())
        return Concluded(conclusion=found, candidate=candidate, note=note)

    def _found(self, asked: Asked) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
        if asked.tapes:
            return [asked.tapes], ()
        week = asked.week
        if week < 0:
            now_ns = self._clock.now_ns()
            week = epoch_of(now_ns, length_ns=WEEK_NS, offset_ns=WEEK_OFFSET_NS) - 1
        first_ns = WEEK_OFFSET_NS + week * WEEK_NS
        kept = self._recordings.between(Nanos(first_ns), Nanos(first_ns + WEEK_NS))
        notes = list(kept.refused)
        found: list[tuple[str, ...]] = []
        for path in kept.paths:
            if self._is_ours(path, asked):
                found.append((path,))
            else:
                notes.append(f"{path}: of another market than the policy in force")
        if not found:
            notes.append(f"no recording of week {week}: `dmm tape record` makes them")
        return found, tuple(notes)

    def _is_ours(self, path: str, asked: Asked) -> bool:
        if self._in_force is None:
            return True
        found = self._recordings.instrument(
            (path,), allow_gaps=asked.allow_gaps, tick_size=asked.tick_size
        )
        return same_market(found, self._in_force.instrument)

    def _spec(
        self, asked: Asked, found: Sequence[tuple[str, ...]]
    ) -> tuple[SearchSpec, tuple[str, ...]]:
        first = self._recordings.read(
            found[0], allow_gaps=asked.allow_gaps, tick_size=asked.tick_size
        )
        plan = plan_of_file(asked.params or {})
        ours = self._in_force
        if ours is not None and not same_market(ours.instrument, first.instrument):
            ours = None
        base = plan.base(
            first.instrument,
            scale_at_start(first.columns, first.instrument),
            in_force=ours.policy if ours else None,
        )
        spec = SearchSpec(
            recordings=tuple(found),
            fingerprints=tuple(self._recordings.fingerprint(paths) for paths in found),
            instrument=first.instrument.to_json(),
            plan=plan,
            base=base,
            is_in_force=ours is not None and base == ours.policy,
            grid=grid_of(base, asked.grid or DEFAULT_GRID),
            seed=asked.seed,
            allow_gaps=asked.allow_gaps,
            tick_size=asked.tick_size,
            piece_sets=asked.piece_sets,
        )
        return spec, first.warnings

    def _spec_of(self, search_id: str) -> SearchSpec:
        return SearchSpec.from_body(self._store.search(search_id).spec)

    def _prepared(self, search_id: str, spec: SearchSpec, recording: int) -> PreparedTape:
        """Return a recording ready to replay; threads that want the same one wait for one read."""
        with self._lock:
            key = (search_id, recording)
            if key in self._ready:
                self._ready.move_to_end(key)
                return self._ready[key]
            paths = spec.recordings[recording]
            if self._recordings.fingerprint(paths) != spec.fingerprints[recording]:
                raise UsageFault(
                    f"{paths[0]} is not what it was when the search began: search anew"
                )
            read = self._recordings.read(
                paths, allow_gaps=spec.allow_gaps, tick_size=spec.tick_size
            )
            if not same_market(read.instrument, Instrument.from_json(spec.instrument)):
                raise UsageFault(f"{paths[0]} is of another market than the search's first tape")
            self._ready[key] = prepared(read.columns, read.instrument, spec.plan)
            while len(self._ready) > PREPARED_MAX:
                self._ready.popitem(last=False)
            return self._ready[key]

    def _whole(self, search_id: str, spec: SearchSpec, recording: int) -> Trials:
        first = recording * spec.chunks
        parts = [
            decode(self._store.piece(search_id, number))
            for number in range(first, first + spec.chunks)
        ]
        return Trials(
            totals=tuple(one for part in parts for one in part.totals),
            columns=Columns.stacked([part.columns for part in parts], axis=1),
        )


def _as_text(params: Mapping[str, object]) -> dict[str, Json]:
    return {name: "online" if value is None else str(value) for name, value in params.items()}
