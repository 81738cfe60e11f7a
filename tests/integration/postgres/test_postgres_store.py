"""What the journal in Postgres promises beyond the ports: several processes, repeats, doubt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import journal_samples as make
import psycopg
import pytest

from dmm.adapters.postgres.store import PostgresStore
from dmm.ports import Store
from dmm.settlement.epoch import EpochPlan, EpochRow, JobStatus, RowTable
from dmm.settlement.intent import IntentState
from dmm.settlement.lifecycle import Fenced
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.time import Nanos

WORKERS = 4


@pytest.fixture
def stores(database_url: str) -> Iterator[list[PostgresStore]]:
    opened = [PostgresStore(database_url) for _ in range(WORKERS)]
    yield opened
    for store in opened:
        store.close()


def at_once(work: Callable[[int], None]) -> None:
    """Run one call per worker side by side; raise what any of them raised."""
    faults: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as fault:  # noqa: BLE001 - handed to the test below
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]


def test_workers_never_claim_one_intent_twice(stores: list[PostgresStore]) -> None:
    make.record(stores[0], *[make.intent(ordinal) for ordinal in range(24)])
    got: list[int] = []

    def drain(number: int) -> None:
        while claimed := stores[number].claim_due(chain="evm", owner=f"w{number}", lease_s=30):
            slot = stores[number].allocate_slot(claimed, signer=make.SIGNER, finalized_slot=3)
            got.append(slot)

    at_once(drain)
    assert sorted(got) == list(range(3, 27))


def test_the_same_plan_recorded_at_once_is_recorded_once(stores: list[PostgresStore]) -> None:
    stores[0].open_run(make.run())
    stores[0].post([make.funding()])
    claim, plan = make.claim(stores[0]), make.plan(make.intent(0), make.intent(3))
    statuses: list[JobStatus] = []
    at_once(lambda number: statuses.append(stores[number].record_epoch(claim, plan)))
    assert sorted(statuses) == ["already"] * 3 + ["recorded"]
    assert stores[0].balance(make.PENDING) == 2_000


def test_postings_at_once_lose_no_update_and_meet_no_deadlock(stores: list[PostgresStore]) -> None:
    stores[0].post([make.funding()])

    def post(number: int) -> None:
        forth, back = (make.AVAILABLE, make.PENDING), (make.PENDING, make.AVAILABLE)
        for turn in range(15):
            source = f"{number}/{turn}"
            stores[number].post(
                [
                    make.posting(f"{source}/forth", *forth, 7),
                    make.posting(f"{source}/back", *back, 5),
                    make.posting(f"shared/{turn}", *forth, 3),
                ]
            )

    at_once(post)
    moved = 2 * 15 * WORKERS + 3 * 15
    assert stores[0].balance(make.PENDING) == moved
    assert stores[0].balance(make.AVAILABLE) == make.HUGE - moved


def test_the_same_decisions_appended_at_once_stand_once(stores: list[PostgresStore]) -> None:
    stores[0].open_run(make.run())
    records = make.decisions(200)
    at_once(lambda number: stores[number].append_decisions(records))
    assert stores[0].decisions(make.RUN) == records


def test_a_latch_and_its_audit_record_are_one_transaction(
    stores: list[PostgresStore], database_url: str
) -> None:
    store = stores[0]
    store.open_run(make.run())
    with psycopg.connect(database_url) as thief:
        # Whatever refuses the record must take the latch with it.
        thief.execute("ALTER TABLE audit_log ADD CONSTRAINT nothing_more CHECK (false) NOT VALID")
    try:
        with pytest.raises(InvariantBroken, match="nothing_more"):
            store.kill(reason="drill", operator="ann", now_ns=Nanos(1))
        with pytest.raises(InvariantBroken, match="nothing_more"):
            store.halt(run_id=make.RUN, reason="drawdown", now_ns=Nanos(1))
    finally:
        with psycopg.connect(database_url) as thief:
            thief.execute("ALTER TABLE audit_log DROP CONSTRAINT nothing_more")
    assert (store.latch(), store.halted()) == (None, None)
    store.kill(reason="drill", operator="ann", now_ns=Nanos(1))
    store.release_kill(kill_id=1, order_sequence=4, operator="bob", now_ns=Nanos(2), tx_id="0xab")
    store.halt(run_id=make.RUN, reason="drawdown", now_ns=Nanos(3))
    store.reset_halt(operator="eve", reason="hedged", now_ns=Nanos(4))
    with psycopg.connect(database_url) as reader:
        told = reader.execute("SELECT actor, action, body FROM audit_log ORDER BY seq").fetchall()
    assert told == [
        ("ann", "kill", {"kill_id": 1, "reason": "drill"}),
        ("bob", "resume", {"kill_id": 1, "order": 4, "tx_id": "0xab"}),
        ("worker", "halt", {"halt_id": 1, "run_id": make.RUN, "reason": "drawdown"}),
        ("eve", "reset", {"halt_id": 1, "reason": "hedged"}),
    ]


def test_the_controls_tell_the_databases_time(stores: list[PostgresStore]) -> None:
    first, second = (stores[0].controls().database_at_ns for _ in range(2))
    assert 0 < first <= second


def test_halts_at_once_latch_once(stores: list[PostgresStore]) -> None:
    stores[0].open_run(make.run())
    at_once(
        lambda number: stores[number].halt(run_id=make.RUN, reason="drawdown", now_ns=Nanos(number))
    )
    latch = stores[0].halted()
    assert latch is not None
    assert (latch.halt_id, latch.halted) == (1, True)


def test_kills_at_once_latch_once(stores: list[PostgresStore]) -> None:
    at_once(lambda number: _kill_and_log(stores[number], number))
    latch = stores[0].latch()
    assert latch is not None
    assert latch.kill_id == 1


def _kill_and_log(store: PostgresStore, number: int) -> None:
    store.kill(reason=f"drill {number}", operator="ann", now_ns=Nanos(number))
    for turn in range(5):
        store.append_audit(actor="ann", action="kill", body={"n": turn}, now_ns=Nanos(turn))


def test_quarantining_an_intent_fences_whoever_works_on_it(store: Store) -> None:
    make.record(store, make.intent(0))
    claimed = make.take(store)
    replanned = make.plan(make.intent(0, amount=2_000))
    assert store.record_epoch(make.claim(store, epoch=3), replanned) is JobStatus.QUARANTINED
    with pytest.raises(Fenced):
        store.release(claimed, due_in_s=0.0)


def test_a_paid_intent_replanned_otherwise_stays_paid(store: Store) -> None:
    make.record(store, make.intent(0))
    store.finish_final(make.take(store), tx_id=None, height=3, postings=[])
    replanned = make.plan(make.intent(0, amount=2_000))
    assert store.record_epoch(make.claim(store, epoch=3), replanned) is JobStatus.QUARANTINED
    assert store.intents() == [(make.intent(0), IntentState.FINAL)]


def test_a_quarantined_claim_takes_no_plan_any_more(store: Store) -> None:
    make.record(store, make.intent(0))
    later = make.claim(store, epoch=3)
    store.record_epoch(later, make.plan(make.intent(0, amount=2_000)))
    assert store.record_epoch(later, EpochPlan()) is JobStatus.QUARANTINED


def test_a_row_that_does_not_fit_its_table_is_refused_whole(store: Store) -> None:
    store.open_run(make.run())
    good = make.reward_row(make.intent(0))
    claim = make.claim(store)
    lacking = {name: value for name, value in good.body.items() if name != "score"}
    for body in (good.body | {"run_id); --": 3}, lacking):
        row = EpochRow(table=RowTable.REWARD, ordinal=0, body=body)
        with pytest.raises(InvariantBroken, match="differ"):
            store.record_epoch(claim, EpochPlan(rows=(row,)))
    assert store.epoch_rows(make.RUN, RowTable.REWARD) == []


def test_a_scope_belongs_to_one_run(store: Store) -> None:
    store.open_run(make.run())
    store.open_run(make.run("other"))
    claim = make.claim(store)
    with pytest.raises(InvariantBroken, match="scope"):
        store.open_epoch(
            run_id="other",
            job=claim.job,
            scope=claim.scope,
            epoch=claim.epoch,
            now_ns=Nanos(5),
            chain_time_s=6,
        )


def test_a_journal_of_an_unknown_run_is_a_usage_fault(store: Store) -> None:
    with pytest.raises(UsageFault, match="run-7"):
        store.append_decisions(make.decisions(2))


def test_a_slot_that_another_sender_used_up_is_given_up_with_its_generation(store: Store) -> None:
    make.record(store, make.intent(0))
    claimed = make.take(store, lease_s=0)
    assert store.allocate_slot(claimed, signer=make.SIGNER, finalized_slot=4) == 4
    with pytest.raises(Fenced):
        store.allocate_slot(claimed, signer=make.SIGNER, finalized_slot=6)
    heir = make.take(store)
    assert heir.generation == 1
    assert store.allocate_slot(heir, signer=make.SIGNER, finalized_slot=6) == 6


def test_a_signed_slot_is_never_given_up_by_allocation(store: Store) -> None:
    make.record(store, make.intent(0))
    claimed = make.take(store)
    make.send(store, claimed)
    assert store.allocate_slot(claimed, signer=make.SIGNER, finalized_slot=6) == 0


def test_writes_repeated_after_a_lost_answer_are_no_ops(store: Store) -> None:
    """A commit whose answer was lost is repeated by the caller: `Retryable` promises that."""
    make.record(store, make.intent(0))
    claimed = make.take(store)
    for _ in range(2):
        sent = make.send(store, claimed)
    for _ in range(2):
        store.mark_landed(claimed, sent.tx_id, height=30, block_hash="0xb")
    for _ in range(2):
        store.retire_slot(claimed, height=40, proof={"nonce": 3})
    store.release(claimed, due_in_s=0.0)
    again = make.take(store)
    resent = make.send(store, again)
    for _ in range(2):
        store.finish_final(again, tx_id=resent.tx_id, height=50, postings=[make.pay(again.intent)])
    assert store.balance(make.PAID) == 1_000
    assert store.intents() == [(make.intent(0), IntentState.FINAL)]


def test_an_attempt_of_other_bytes_under_a_known_id_is_refused(store: Store) -> None:
    make.record(store, make.intent(0))
    claimed = make.take(store)
    sent = make.send(store, claimed)
    with pytest.raises(InvariantBroken, match="other content"):
        store.store_attempt(claimed, replace(sent, raw=b"other"))


def test_a_transaction_that_was_not_stored_cannot_end_an_intent(store: Store) -> None:
    make.record(store, make.intent(0))
    claimed = make.take(store)
    make.send(store, claimed)
    with pytest.raises(InvariantBroken, match="not stored"):
        store.finish_final(claimed, tx_id="0xforeign", height=9, postings=[])


def test_an_adopted_intent_is_listed_as_final_without_a_transaction(store: Store) -> None:
    make.record(store, make.intent(0))
    claimed = make.take(store)
    store.finish_final(claimed, tx_id=None, height=31, postings=[])
    assert store.final_transactions("evm") == [(claimed.intent, "", 31)]


def test_a_reverted_payment_ends_with_its_slot_used(store: Store, database_url: str) -> None:
    make.record(store, make.intent(0))
    claimed = make.take(store)
    sent = make.send(store, claimed)
    store.mark_landed(claimed, sent.tx_id, height=30, block_hash="0xb")
    store.finish_failed(
        claimed, height=40, proof={"key": "unset"}, postings=[make.void(claimed.intent)]
    )
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT a.state, s.retired_height FROM attempt a JOIN slot_claim s USING (slot)"
        ).fetchall()
    assert rows == [("FINAL_REVERTED", 40)]


def test_content_changed_behind_the_journals_back_is_noticed(
    store: Store, database_url: str
) -> None:
    make.record(store, make.intent(0))
    with psycopg.connect(database_url) as thief:
        thief.execute("SET session_replication_role = replica")
        thief.execute("UPDATE intent SET recipient = 'thief'")
    with pytest.raises(InvariantBroken, match="backup"):
        store.claim_due(chain="evm", owner="driver", lease_s=30)


def test_a_slice_is_stored_as_little_endian_integers(store: Store, database_url: str) -> None:
    store.open_run(make.run())
    store.close_slice(make.summary())
    with psycopg.connect(database_url) as connection:
        (stored,) = connection.execute(
            "SELECT grid_mid_half_ticks, trade_is_buy, bids FROM market_slice"
        ).fetchall()
    grid = b"".join(value.to_bytes(8, "little", signed=True) for value in (8_641, 8_643, -5))
    assert stored == (grid, b"\x01\x00", [[4_321, 11], [4_320, 13]])
