"""The steps of a search without a scheduler: pieces in any order, weeks, markets, proposals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from research_values import GRID, MONDAY_NS, PARAMS, FixedClock, MemorySearches, tape_file
from trading_values import LINEAR

from dmm.adapters.feeds.recording import RecordingFiles
from dmm.governance.candidate import Candidate
from dmm.governance.policy import Policy
from dmm.sandbox.market import SimulatedMarket
from dmm.simulation.experiment.conclusion import conclude
from dmm.simulation.experiment.passes import scale_at_start
from dmm.simulation.experiment.plan import plan_of_file
from dmm.simulation.experiment.trial import decode
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.ids import Hash32
from dmm.usecases.parameter_search import ParameterSearch
from dmm.usecases.search_proposal import candidate_of
from dmm.usecases.search_report import markdown_of
from dmm.usecases.search_spec import SearchSpec
from dmm.usecases.search_values import Asked, InForce

DAY_NS = 86_400 * 10**9
MARKET = SimulatedMarket(np.random.default_rng(1)).instrument


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tape_file(tmp_path_factory.mktemp("tapes"), seconds=60)


def made(folder: Path, store: MemorySearches, **more: Any) -> ParameterSearch:
    return ParameterSearch(
        store=store,
        recordings=RecordingFiles(folder),
        clock=more.get("clock", FixedClock()),
        in_force=more.get("in_force"),
    )


def asked(*tapes: Path, **more: Any) -> Asked:
    values: dict[str, Any] = {"params": PARAMS, "grid": GRID, "piece_sets": 2, **more}
    return Asked(tapes=tuple(str(path) for path in tapes), **values)


def in_force(tape: Path) -> InForce:
    """The policy that the plan would take by itself, as if governance had put it in force."""
    read = RecordingFiles(tape.parent).read([str(tape)], allow_gaps=False, tick_size="")
    policy = plan_of_file(PARAMS).base(
        read.instrument, scale_at_start(read.columns, read.instrument)
    )
    return InForce(policy=policy, instrument=read.instrument)


def test_an_unknown_search_and_an_unknown_piece_are_refused(tape: Path) -> None:
    search = made(tape.parent, MemorySearches())
    with pytest.raises(UsageFault, match="no search 'abc'"):
        search.run_piece("abc", 0)
    opened = search.open(asked(tape))
    with pytest.raises(UsageFault, match="no piece 3: the search has 3"):
        search.run_piece(opened.search_id, 3)


def test_a_search_with_missing_pieces_is_not_judged(tape: Path) -> None:
    search = made(tape.parent, MemorySearches())
    opened = search.open(asked(tape))
    search.run_piece(opened.search_id, 1)
    with pytest.raises(UsageFault, match="2 of 3 pieces are missing"):
        search.conclude(opened.search_id)


def test_a_recording_that_changed_since_is_refused(tmp_path: Path) -> None:
    path = tape_file(tmp_path, seconds=20)
    search = made(tmp_path, MemorySearches())
    opened = search.open(asked(path))
    tape_file(tmp_path, seconds=20, seed=99)
    with pytest.raises(UsageFault, match="is not what it was when the search began"):
        search.run_piece(opened.search_id, 0)


def test_pieces_in_any_order_and_of_any_size_come_to_the_same(tape: Path) -> None:
    found = []
    for piece_sets, order in ((2, (2, 0, 1)), (6, (0,)), (1, (5, 4, 3, 2, 1, 0))):
        search = made(tape.parent, MemorySearches())
        opened = search.open(asked(tape, piece_sets=piece_sets))
        assert sorted(order) == list(opened.todo)
        for number in order:
            assert search.run_piece(opened.search_id, number)
        found.append(search.conclude(opened.search_id).conclusion)
    assert found[0].to_json() == found[1].to_json() == found[2].to_json()
    assert [dict(row) for row in found[0].results] == [dict(row) for row in found[2].results]


def test_asking_again_finds_what_is_done_and_a_piece_twice_is_kept_once(tape: Path) -> None:
    store = MemorySearches()
    search = made(tape.parent, store)
    opened = search.open(asked(tape))
    assert search.run_piece(opened.search_id, 2)
    kept = store.piece(opened.search_id, 2)
    again = made(tape.parent, store).open(asked(tape))
    assert (again.search_id, again.todo) == (opened.search_id, (0, 1))
    assert not made(tape.parent, store).run_piece(opened.search_id, 2)
    assert store.piece(opened.search_id, 2) is kept


def test_another_seed_grid_or_fee_is_another_search(tape: Path) -> None:
    search = made(tape.parent, MemorySearches())
    fees = {**PARAMS, "venue": {"maker_fee_bps": 1}}
    ids = {
        search.open(one).search_id
        for one in (
            asked(tape),
            asked(tape, seed=2),
            asked(tape, params=fees),
            asked(tape, grid={"gamma": {"times": [2]}}),
        )
    }
    assert len(ids) == 4


def test_the_last_whole_week_is_searched_and_what_is_left_out_is_named(tmp_path: Path) -> None:
    tape_file(tmp_path, "before.parquet", seconds=10, began_ns=MONDAY_NS - 60 * 10**9)
    tape_file(tmp_path, "b.parquet", seconds=10, began_ns=MONDAY_NS + 2 * DAY_NS, seed=4)
    tape_file(tmp_path, "a.parquet", seconds=10, began_ns=MONDAY_NS + 5 * DAY_NS)
    tape_file(tmp_path, "after.parquet", seconds=10, began_ns=MONDAY_NS + 7 * DAY_NS)
    (tmp_path / "notes.txt").write_text("no tape")
    (tmp_path / ".half.partial").write_text("being written")
    store = MemorySearches()
    opened = made(tmp_path, store).open(asked())
    paths = store.search(opened.search_id).spec["recordings"]
    assert paths == [[str(tmp_path / "b.parquet")], [str(tmp_path / "a.parquet")]]
    assert opened.pieces == 6
    assert [note.partition(":")[0] for note in opened.notes] == ["notes.txt"]


def test_a_week_without_recordings_opens_nothing(tmp_path: Path) -> None:
    store = MemorySearches()
    opened = made(tmp_path / "missing", store).open(asked())
    assert (opened.search_id, opened.todo, store.opened) == ("", (), {})
    assert "no recording of week 2848" in opened.notes[0]
    assert "Nothing to search" in markdown_of(opened, None)


def test_recordings_of_another_market_than_the_desks_are_left_out_by_name(tmp_path: Path) -> None:
    path = tape_file(tmp_path, seconds=10)
    force = replace(in_force(path), instrument=LINEAR)
    opened = made(tmp_path, MemorySearches(), in_force=force).open(asked())
    assert opened.search_id == ""
    assert "of another market than the policy in force" in opened.notes[0]


def test_the_search_starts_from_the_policy_in_force(tape: Path) -> None:
    force = in_force(tape)
    force = replace(force, policy=replace(force.policy, refresh_ms=777))
    store = MemorySearches()
    opened = made(tape.parent, store, in_force=force).open(asked(tape))
    spec = SearchSpec.from_body(store.search(opened.search_id).spec)
    assert (spec.base, spec.is_in_force) == (force.policy, True)
    assert spec.search_id == opened.search_id
    changed = {**PARAMS, "policy": {"refresh_ms": 250}}
    opened = made(tape.parent, store, in_force=force).open(asked(tape, params=changed))
    assert not SearchSpec.from_body(store.search(opened.search_id).spec).is_in_force


def promoted(tape: Path, *, known: bool = True) -> tuple[Candidate | None, str, Policy]:
    """A search whose second set was made to win clearly, on paper."""
    store = MemorySearches()
    search = made(tape.parent, store, in_force=in_force(tape) if known else None)
    params = {"judging": {"block_s": 0.25, "resamples": 200, "weights": {"sharpe": 1}}}
    opened = search.open(asked(tape, params=params, piece_sets=6))
    search.run_piece(opened.search_id, 0)
    spec = SearchSpec.from_body(store.search(opened.search_id).spec)
    trials = decode(store.piece(opened.search_id, 0))
    pnl = trials.columns.pnl_atoms
    noise = np.random.default_rng(8).integers(-40, 60, len(pnl))
    pnl[:] = 0
    pnl[:, 1] = noise + 300
    trials.columns.volume_atoms[:] += 1
    found = conclude(
        spec.grid, [trials], judging=spec.plan.judging, rng=np.random.default_rng(spec.seed)
    )
    return *candidate_of(opened.search_id, spec, found), spec.grid.sets[1].policy


def test_a_winner_becomes_a_proposal_with_its_counterfactual_and_changes_nothing(
    tape: Path,
) -> None:
    candidate, note, policy = promoted(tape)
    assert candidate is not None
    assert (candidate.policy, candidate.standing) == (policy, "promotable")
    assert candidate.replaces == in_force(tape).policy.policy_hash
    assert set(candidate.changes) <= {"gamma_nano_per_bp", "skew_beta_ubps"}
    assert "profit by +" in candidate.effect
    assert "nothing changes until the multisig" in note
    assert Candidate.from_body(candidate.body) == candidate
    assert candidate.candidate_id == Candidate.from_body(candidate.body).candidate_id


def test_without_a_policy_in_force_a_winner_is_no_proposal(tape: Path) -> None:
    candidate, note, _ = promoted(tape, known=False)
    assert candidate is None
    assert "did not start from the policy in force" in note


def test_a_piece_with_other_results_stops_the_search(tape: Path) -> None:
    store = MemorySearches()
    search = made(tape.parent, store)
    opened = search.open(asked(tape))
    store.add_piece(opened.search_id, 0, digest=Hash32(bytes(32)), body=b"")
    with pytest.raises(InvariantBroken, match="other results"):
        search.run_piece(opened.search_id, 0)


def test_partial_results_name_the_best_of_what_is_done(tape: Path) -> None:
    search = made(tape.parent, MemorySearches())
    opened = search.open(asked(tape))
    assert search.best_so_far(opened.search_id) == []
    search.run_piece(opened.search_id, 1)
    rows = search.best_so_far(opened.search_id)
    assert len(rows) == 2
    assert float(str(rows[0]["sharpe"])) >= float(str(rows[1]["sharpe"]))
