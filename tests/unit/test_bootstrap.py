from __future__ import annotations

import pytest

from dmm import bootstrap
from dmm.settlement.epoch import Job
from dmm.units.errors import UsageFault


def test_every_epoch_job_has_a_use_case_behind_it() -> None:
    # Governance is applied per order, not per epoch.
    assert set(bootstrap._jobs()) == set(Job) - {Job.GOVERNANCE_APPLY}


def test_an_unknown_job_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageFault, match="'lunch': choose one of .*hedge_batch"):
        bootstrap.run_job("lunch")


def test_what_is_warmed_exists() -> None:
    bootstrap.warm()
