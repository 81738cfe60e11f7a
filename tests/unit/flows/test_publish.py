from __future__ import annotations

import pytest
from prefect.states import Failed

from dmm.units.errors import (
    InvariantBroken,
    OutcomeUnknown,
    Retryable,
    ServiceFault,
    TapeFault,
    UsageFault,
)
from flows import publish


@pytest.mark.parametrize(
    "fault",
    [
        InvariantBroken("sum broken"),
        OutcomeUnknown("sent?"),
        UsageFault("no run"),
        TapeFault("bad line"),
        ServiceFault("no signer"),
        RuntimeError("anything else"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_a_fault_after_which_something_may_have_been_sent_is_not_retried(fault: Exception) -> None:
    assert not publish.may_retry(publish.attempt_job, None, Failed(data=fault))  # type: ignore[arg-type]


def test_only_a_fault_that_says_nothing_was_sent_is_retried() -> None:
    assert publish.may_retry(publish.attempt_job, None, Failed(data=Retryable("node down")))  # type: ignore[arg-type]


@pytest.mark.parametrize("task", [publish.attempt_job, publish.attempt_order])
def test_retries_are_bounded_and_leave_nothing_in_prefects_cache(task: object) -> None:
    assert task.retries == publish.RETRIES_MAX == len(publish.RETRY_DELAYS_S)  # type: ignore[attr-defined]
    assert task.persist_result is False  # type: ignore[attr-defined]
