"""Jobs with a part on each chain: one that is down holds up its own part and nothing else."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from desk_memory import BOTH_SIDES, POLICY, RUN, Desk, a_slice

from dmm.settlement.epoch import Job, JobOutcome, JobStatus
from dmm.settlement.intent import Intent
from dmm.units.chain import on_chain
from dmm.units.errors import OutcomeUnknown, Permanent, Retryable
from dmm.usecases.each_chain import EPOCHS_BACK_MAX, merged, on_each_chain, with_missed
from dmm.usecases.epoch import scope_of
from dmm.usecases.reward import PROGRAM, distribute_rewards

CHAINS = ("evm", "solana", "ton")


def done(
    chain: str, *, rows: int = 1, note: str = "", status: JobStatus = JobStatus.RECORDED
) -> JobOutcome:
    return JobOutcome(
        job=Job.LIQUIDITY_REWARDS,
        scope=f"r:{chain}",
        epoch=7,
        status=status,
        rows={"reward": rows} if rows else {},
        note=note,
    )


def joined(parts: dict[str, JobOutcome | Retryable | OutcomeUnknown]) -> JobOutcome:
    return merged(parts, job=Job.LIQUIDITY_REWARDS, run_id="r", subject="x", epoch=7)


@pytest.mark.parametrize("at_once", [False, True])
def test_a_chain_that_is_down_keeps_its_own_part_and_the_others_go_on(at_once: bool) -> None:
    def act(chain: str) -> JobOutcome:
        if chain == "solana":
            raise Retryable("no node answers")
        return done(chain, rows=3)

    outcome = joined(on_each_chain(act, chains=CHAINS, at_once=at_once))
    assert outcome.status is JobStatus.RECORDED
    assert outcome.rows == {"reward": 6}
    assert outcome.note == "solana: waits (no node answers)"
    assert outcome.chains == {
        "evm": "recorded",
        "ton": "recorded",
        "solana": "waits: no node answers",
    }


def test_parts_at_once_do_not_wait_for_one_another() -> None:
    both = threading.Barrier(2, timeout=5)

    def act(chain: str) -> JobOutcome:
        both.wait()
        return done(chain)

    assert set(on_each_chain(act, chains=("evm", "ton"), at_once=True)) == {"evm", "ton"}


def test_when_every_chain_waits_the_job_is_tried_again() -> None:
    def act(chain: str) -> JobOutcome:
        raise Retryable(f"{chain} is silent")

    with pytest.raises(Retryable, match="evm is silent"):
        joined(on_each_chain(act, chains=CHAINS))


def test_a_fault_that_will_not_pass_is_no_reason_to_wait() -> None:
    def act(_chain: str) -> JobOutcome:
        raise Permanent("the intent is no call")

    with pytest.raises(Permanent):
        on_each_chain(act, chains=CHAINS)


def test_one_chain_alone_says_what_it_always_said() -> None:
    outcome = joined({"evm": done("evm", rows=0, note="no rewards: the reward budget is 0")})
    assert outcome.note == "no rewards: the reward budget is 0"


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (JobStatus.ALREADY, JobStatus.ALREADY, JobStatus.ALREADY),
        (JobStatus.ALREADY, JobStatus.RECORDED, JobStatus.RECORDED),
        (JobStatus.RECORDED, JobStatus.QUARANTINED, JobStatus.QUARANTINED),
        (JobStatus.WAITING, JobStatus.ALREADY, JobStatus.WAITING),
    ],
)
def test_the_gravest_status_stands_for_all(
    first: JobStatus, second: JobStatus, status: JobStatus
) -> None:
    assert joined({"evm": done("evm", status=first), "ton": done("ton", status=second)}).status is (
        status
    )


# -- what was missed -------------------------------------------------------------------------------


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.add_chain("solana")
    desk.store._runs.clear()
    desk.open_run({"0xa1": 50, "0xa2": 20}, solana={"9aE": 30})
    desk.fund("treasury", "DCT", 100_000)
    desk.fund("treasury@solana", "DCT", 100_000)
    for epoch in range(EPOCHS_BACK_MAX + 3):
        desk.close_slice(a_slice(epoch=epoch), BOTH_SIDES)
    return desk


def reward(desk: Desk, chain: str, epoch: int) -> JobOutcome:
    return distribute_rewards(
        store=desk.store,
        chain=desk.on(chain),
        clock=desk.clock,
        run_id=RUN,
        epoch=epoch,
        intent_deadline_s=600,
    )


def caught_up(desk: Desk, chain: str, epoch: int) -> JobOutcome:
    return with_missed(
        lambda past: reward(desk, chain, past),
        store=desk.store,
        job=Job.LIQUIDITY_REWARDS,
        run_id=RUN,
        scope=scope_of(RUN, on_chain(PROGRAM, chain)),
        epoch=epoch,
    )


def paid(desk: Desk) -> list[Intent]:
    return [intent for intent, _ in desk.store.intents()]


def test_each_provider_is_paid_on_its_chain_and_all_together_get_the_budget(desk: Desk) -> None:
    for chain in ("evm", "solana"):
        reward(desk, chain, 0)
    assert [(i.chain, i.vault, i.recipient, i.amount) for i in paid(desk)] == [
        ("evm", "treasury", "0xa1", 500),
        ("evm", "treasury", "0xa2", 200),
        ("solana", "treasury@solana", "9aE", 300),
    ]


def test_a_deadline_is_in_the_time_of_the_chain_that_pays(desk: Desk) -> None:
    desk.on("solana").time_s += 77
    for chain in ("evm", "solana"):
        reward(desk, chain, 0)
    deadlines = {intent.chain: intent.deadline_s for intent in paid(desk)}
    assert deadlines == {
        "evm": desk.chain.time_s + 600,
        "solana": desk.on("solana").time_s + 600,
    }
    assert deadlines["solana"] - deadlines["evm"] == 77


def test_a_chain_planned_later_splits_the_budget_its_epoch_was_quoted_with(desk: Desk) -> None:
    reward(desk, "evm", 0)
    desk.adopt(replace(POLICY, reward_budget_atoms=9_999))
    reward(desk, "solana", 0)
    assert sum(intent.amount for intent in paid(desk)) == POLICY.reward_budget_atoms


def test_a_chain_that_comes_back_makes_up_for_the_epochs_it_missed(desk: Desk) -> None:
    reward(desk, "solana", 0)
    outcome = caught_up(desk, "solana", 3)
    assert outcome.rows == {"reward": 3}
    assert [intent.epoch for intent in paid(desk)] == [0, 1, 2, 3]
    again = caught_up(desk, "solana", 3)
    assert (again.status, len(paid(desk))) == (JobStatus.ALREADY, 4)


def test_it_looks_back_no_further_than_its_bound(desk: Desk) -> None:
    caught_up(desk, "solana", EPOCHS_BACK_MAX + 2)
    epochs = [intent.epoch for intent in paid(desk)]
    assert epochs == list(range(2, EPOCHS_BACK_MAX + 3))
