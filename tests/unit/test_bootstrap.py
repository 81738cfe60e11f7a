from __future__ import annotations

import functools

import pytest
from journal_memory import MemoryJournal

from dmm import bootstrap
from dmm.bootstrap.jobs import JOBS, countersign
from dmm.ports import Run
from dmm.settings import Settings
from dmm.settlement.epoch import Job, JobStatus
from dmm.units.errors import UsageFault
from dmm.units.time import Nanos


def test_every_epoch_job_has_a_use_case_behind_it() -> None:
    # Governance is applied per order, not per epoch.
    assert set(JOBS) == set(Job) - {Job.GOVERNANCE_APPLY}


def test_an_unknown_job_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageFault, match=r"'lunch': choose one of .*hedge_batch"):
        bootstrap.run_job("lunch")


class NothingYet:
    """A journal before the first run, or before the first epoch of one."""

    def __init__(self, run: Run | None) -> None:
        self._run = run

    def latest_run(self) -> Run | None:
        return self._run

    def last_slice(self, _run_id: str) -> None:
        return None


RUN = Run(run_id="r", kind="up", symbol="DCT-TON", epochs=0, spec={}, started_at_ns=Nanos(7))


@pytest.mark.parametrize(
    ("run", "words"), [(None, "no run yet"), (RUN, "no epoch of this run has closed")]
)
def test_a_schedule_that_comes_too_early_waits_instead_of_failing(
    run: Run | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = bootstrap.Desk(Settings())
    early.__dict__["store"] = NothingYet(run)
    monkeypatch.setattr(bootstrap, "desk", lambda: early)
    outcome = bootstrap.run_job("hedge_batch")
    assert outcome.status is JobStatus.WAITING
    assert words in outcome.note
    assert outcome.rows == {}


def test_nets_become_statements_only_where_a_taker_is_named_and_the_chain_has_them() -> None:
    silent = bootstrap.Desk(Settings(chains=("evm", "solana")))
    silent.__dict__["store"] = MemoryJournal()
    assert countersign(silent, "evm") is None
    asking = bootstrap.Desk(
        Settings(chains=("evm", "solana"), statement_taker_url="http://127.0.0.1:1")
    )
    asking.__dict__["store"] = MemoryJournal()
    assert countersign(asking, "solana") is None
    found = countersign(asking, "evm")
    assert isinstance(found, functools.partial)
    # The maker's word is the quote signer's: no other process has the key.
    assert found.keywords["maker"] is asking.quote_signer("evm")
    assert found.keywords["taker"] is asking.statement_taker


def test_what_is_warmed_exists() -> None:
    bootstrap.warm()
