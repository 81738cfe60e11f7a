"""No job ever works on a run that only watched."""

from __future__ import annotations

from dataclasses import replace

import journal_samples as make

from dmm.ports import SHADOW, Store


def test_a_shadow_is_never_the_latest_run_but_is_listed(any_store: Store) -> None:
    any_store.open_run(make.run("live", started_at_ns=200))
    any_store.open_run(replace(make.run("watching", started_at_ns=300), kind=SHADOW))
    latest = any_store.latest_run()
    assert latest is not None
    assert latest.run_id == "live"
    assert [run.run_id for run in any_store.runs(limit=9)] == ["watching", "live"]


def test_a_journal_of_shadows_alone_has_no_latest_run(any_store: Store) -> None:
    any_store.open_run(replace(make.run(), kind=SHADOW))
    assert any_store.latest_run() is None
