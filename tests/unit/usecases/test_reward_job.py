"""Rewards: planned once, budget exactly, or a named reason."""

from __future__ import annotations

import pytest
from desk_memory import BOTH_SIDES, RUN, Desk, a_slice

from dmm.ledger.account import AccountKind
from dmm.settlement.epoch import JobOutcome, JobStatus, RowTable
from dmm.units.errors import UsageFault
from dmm.usecases.reward import distribute_rewards


def run(desk: Desk, epoch: int = 0) -> JobOutcome:
    return distribute_rewards(
        store=desk.store,
        chain=desk.chain,
        clock=desk.clock,
        run_id=RUN,
        epoch=epoch,
        intent_deadline_s=600,
    )


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.fund("treasury", "DCT", 1_500)
    desk.close_slice(a_slice(), BOTH_SIDES)
    return desk


def test_without_a_closed_slice_nothing_is_claimed() -> None:
    desk = Desk()
    assert run(desk).status is JobStatus.WAITING
    assert desk.store.epoch_claims(RUN) == []


def test_each_provider_gets_its_share_and_the_sum_is_the_budget(desk: Desk) -> None:
    outcome = run(desk)
    assert outcome.status is JobStatus.RECORDED
    assert outcome.rows == {"reward": 3}
    bodies = [row.body for row in desk.store.epoch_rows(RUN, RowTable.REWARD)]
    assert [(b["recipient"], b["amount"]) for b in bodies] == [
        ("0xa1", 500),
        ("0xa2", 300),
        ("0xa3", 200),
    ]
    assert desk.held("treasury", "DCT", AccountKind.PENDING) == 1_000
    assert desk.held("treasury", "DCT", AccountKind.AVAILABLE) == 500


def test_the_deadline_counts_from_the_claim_in_chain_time(desk: Desk) -> None:
    run(desk)
    assert {i.deadline_s for i, _ in desk.store.intents()} == {desk.chain.time_s + 600}


def test_running_again_changes_nothing_even_when_the_clock_and_the_chain_moved(desk: Desk) -> None:
    first = run(desk)
    before = desk.store.balances()
    desk.clock.sleep_s(1_000)
    desk.chain.time_s += 1_000
    again = run(desk)
    assert (again.status, again.rows) == (JobStatus.ALREADY, first.rows)
    assert desk.store.balances() == before
    assert len(desk.store.intents()) == 3


def test_a_treasury_without_enough_pays_nobody_and_says_so(desk: Desk) -> None:
    run(desk)
    desk.close_slice(a_slice(epoch=1), BOTH_SIDES)
    outcome = run(desk, epoch=1)
    assert outcome.rows == {}
    assert "treasury has 500 atoms of DCT, needs 1000" in outcome.note


def test_one_sided_quotes_earn_nothing() -> None:
    desk = Desk()
    desk.fund("treasury", "DCT", 1_500)
    desk.close_slice(a_slice(), [["buy", 99_980, 4]])
    assert run(desk).note == "no rewards: no quote stood on both sides"
    assert desk.store.intents() == []


def test_a_share_table_with_an_address_twice_is_refused() -> None:
    desk = Desk()
    desk.store._runs.clear()
    desk.open_run({"0xA1": 5, "0xa1": 6})
    desk.close_slice(a_slice(), BOTH_SIDES)
    with pytest.raises(UsageFault, match="0xa1 twice"):
        run(desk)
