"""What every store of runs promises."""

from __future__ import annotations

from dataclasses import replace

import journal_samples as make
import pytest

from dmm.ports import Store
from dmm.units.errors import UsageFault
from dmm.units.time import Nanos


def test_a_run_that_is_not_there_is_a_usage_fault(any_store: Store) -> None:
    with pytest.raises(UsageFault):
        any_store.run("nobody")


def test_an_empty_journal_has_no_latest_run(any_store: Store) -> None:
    assert any_store.latest_run() is None


def test_a_run_is_read_back_as_it_was_opened(any_store: Store) -> None:
    opened = any_store.open_run(make.run())
    assert opened == make.run()
    assert any_store.run(make.RUN) == make.run()


def test_opening_a_run_again_returns_the_first_one(any_store: Store) -> None:
    any_store.open_run(make.run())
    again = any_store.open_run(replace(make.run(), epochs=99, started_at_ns=Nanos(999)))
    assert again == make.run()


def test_the_latest_run_is_the_one_started_last(any_store: Store) -> None:
    any_store.open_run(make.run("late", started_at_ns=300))
    any_store.open_run(make.run("early", started_at_ns=200))
    latest = any_store.latest_run()
    assert latest is not None
    assert latest.run_id == "late"


def test_runs_are_listed_by_the_beginning_of_their_id_the_latest_first(any_store: Store) -> None:
    for run_id, started_at_ns in (("ab1", 100), ("ab2", 300), ("a%1", 200)):
        any_store.open_run(make.run(run_id, started_at_ns=started_at_ns))
    assert [run.run_id for run in any_store.runs(limit=9)] == ["ab2", "a%1", "ab1"]
    assert [run.run_id for run in any_store.runs(limit=1)] == ["ab2"]
    assert [run.run_id for run in any_store.runs(prefix="ab", limit=9)] == ["ab2", "ab1"]
    assert any_store.runs(prefix="a_", limit=9) == []


def test_a_run_finishes_once(any_store: Store) -> None:
    any_store.open_run(make.run())
    any_store.finish_run(make.RUN, finished_at_ns=Nanos(500))
    any_store.finish_run(make.RUN, finished_at_ns=Nanos(700))
    assert any_store.run(make.RUN).finished_at_ns == 500


def test_a_run_that_is_not_there_cannot_finish(any_store: Store) -> None:
    with pytest.raises(UsageFault):
        any_store.finish_run("nobody", finished_at_ns=Nanos(500))
