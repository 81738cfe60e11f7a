"""The pattern of every job: another plan for the same epoch is quarantined, not recorded."""

from __future__ import annotations

from collections.abc import Iterator

from desk_memory import RUN, Desk

from dmm.settlement.epoch import EpochClaim, EpochPlan, EpochRow, Job, JobStatus, RowTable
from dmm.usecases.epoch import run_job


def plans() -> Iterator[EpochPlan]:
    for sent in range(9):
        body = {"chain": "evm", "sent": sent, "final": 0, "failed": 0, "still_open": 0}
        yield EpochPlan(rows=(EpochRow(table=RowTable.DISPATCH_RUN, ordinal=0, body={**body}),))


def test_two_workers_with_different_plans_leave_the_first_and_a_mark() -> None:
    desk, made = Desk(), plans()

    def run(*, rival: bool) -> JobStatus:
        def plan(_claim: EpochClaim) -> EpochPlan:
            if rival:
                assert run(rival=False) is JobStatus.RECORDED
            return next(made)

        return run_job(
            store=desk.store,
            chain=desk.chain,
            clock=desk.clock,
            run_id=RUN,
            job=Job.OUTBOX_DISPATCH,
            subject="evm",
            epoch=4,
            plan=plan,
        ).status

    assert run(rival=True) is JobStatus.QUARANTINED
    (row,) = desk.store.epoch_rows(RUN, RowTable.DISPATCH_RUN, 4)
    assert row.body["sent"] == 0
    assert run(rival=False) is JobStatus.ALREADY


def test_the_scope_names_the_run() -> None:
    desk = Desk()
    outcome = run_job(
        store=desk.store,
        chain=desk.chain,
        clock=desk.clock,
        run_id=RUN,
        job=Job.OUTBOX_DISPATCH,
        subject="evm",
        epoch=4,
        plan=lambda _: EpochPlan(note="nothing to do"),
    )
    assert (outcome.scope, outcome.note, outcome.rows) == ("r1:evm", "nothing to do", {})
