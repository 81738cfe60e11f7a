"""What the server's failures mean: nothing half written, and the type says what to do next."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import journal_samples as make
import pytest
from cut_connection import STATEMENTS_MAX, CutAt, cut

from dmm.adapters.postgres import session as session_module
from dmm.adapters.postgres.session import TRANSACTION_ATTEMPTS_MAX, Cursor, Session
from dmm.adapters.postgres.store import PostgresStore
from dmm.sandbox.postgres import EmbeddedPostgres
from dmm.settlement.epoch import RowTable
from dmm.units.errors import Fault, InvariantBroken, Permanent, Retryable, ServiceFault


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    opened = Session(database_url)
    yield opened
    opened.close()


def failing(code: str, calls: list[int] | None = None) -> Callable[[Cursor], None]:
    def work(cursor: Cursor) -> None:
        if calls is not None:
            calls.append(1)
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$")

    return work


@pytest.mark.parametrize(
    ("code", "fault", "says"),
    [
        ("53100", ServiceFault, "free disk"),
        ("53200", ServiceFault, "out of space"),
        ("53300", Retryable, "DMM_DATABASE_URL"),
        ("55P03", Retryable, "unreachable"),
        ("57014", Retryable, "unreachable"),
        ("57P03", Retryable, "start it"),
        ("42P01", ServiceFault, "migrate"),
        ("23514", InvariantBroken, "refuses"),
        ("23505", InvariantBroken, "refuses"),
        ("22003", Permanent, "cannot hold"),
        ("25006", ServiceFault, "25006"),
    ],
)
def test_a_failure_of_the_server_has_one_meaning(
    session: Session, code: str, fault: type[Fault], says: str
) -> None:
    with pytest.raises(fault, match=says) as raised:
        session.transact(failing(code))
    assert "\n" not in str(raised.value)
    assert session.transact(lambda cursor: cursor.execute("SELECT 5").fetchall()) == [(5,)]


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_a_conflict_is_tried_again_but_not_for_ever(session: Session, code: str) -> None:
    calls: list[int] = []
    with pytest.raises(Retryable, match="conflict"):
        session.transact(failing(code, calls))
    assert len(calls) == TRANSACTION_ATTEMPTS_MAX


def test_a_conflict_that_passes_is_not_noticed(session: Session) -> None:
    calls: list[int] = []

    def work(cursor: Cursor) -> int:
        if len(calls) < TRANSACTION_ATTEMPTS_MAX - 1:
            failing("40001", calls)(cursor)
        return 7

    assert session.transact(work) == 7


def test_a_database_that_is_not_there_is_retryable_and_hides_the_password() -> None:
    with PostgresStore("postgresql://dmm:hunter2@127.0.0.1:1/dmm") as store:
        with pytest.raises(Retryable, match="start it or check DMM_DATABASE_URL") as fault:
            store.latest_run()
        assert "hunter2" not in str(fault.value)


def test_an_exception_of_ours_takes_everything_back(session: Session) -> None:
    def work(cursor: Cursor) -> None:
        cursor.execute("INSERT INTO quote_nonce VALUES ('0xa', 5)")
        raise UnicodeError

    with pytest.raises(UnicodeError):
        session.transact(work)
    assert session.transact(lambda c: c.execute("SELECT * FROM quote_nonce").fetchall()) == []


def test_a_restarted_database_is_retryable_once_and_then_works(
    store: PostgresStore, postgres: EmbeddedPostgres
) -> None:
    store.open_run(make.run())
    url = postgres.url()
    postgres.stop()
    with pytest.raises(Retryable):
        store.latest_run()
    with pytest.raises(Retryable):
        store.latest_run()
    postgres.start()
    assert postgres.url() == url
    assert store.run(make.RUN) == make.run()


def test_a_connection_ended_by_the_server_is_retryable_once_and_then_works(
    store: PostgresStore, database_url: str
) -> None:
    store.open_run(make.run())
    cut(database_url)
    with pytest.raises(Retryable):
        store.latest_run()
    assert store.latest_run() == make.run()


def test_a_plan_cut_off_at_any_statement_leaves_nothing(
    store: PostgresStore, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.open_run(make.run())
    store.post([make.funding()])
    claim, plan = make.claim(store), make.plan(make.intent(0), make.intent(3))
    wire = CutAt(monkeypatch, database_url)
    for statements in range(STATEMENTS_MAX):
        wire.left = statements
        with contextlib.suppress(Retryable):
            store.record_epoch(claim, plan)
            break
        wire.left = STATEMENTS_MAX
        assert store.intents() == []
        assert store.epoch_rows(make.RUN, RowTable.REWARD) == []
        assert store.epoch_claims(make.RUN) == [claim]
        assert store.balance(make.PENDING) == 0
    wire.left = STATEMENTS_MAX
    assert statements > 6
    assert len(store.intents()) == 2
    assert store.balance(make.PENDING) == 2_000


def test_a_payment_cut_off_at_any_statement_leaves_nothing(
    store: PostgresStore, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.record(store, make.intent(0))
    claimed = make.take(store)
    sent = make.send(store, claimed)
    wire = CutAt(monkeypatch, database_url)
    for statements in range(STATEMENTS_MAX):
        wire.left = statements
        with contextlib.suppress(Retryable):
            store.finish_final(
                claimed, tx_id=sent.tx_id, height=31, postings=[make.pay(claimed.intent)]
            )
            break
        wire.left = STATEMENTS_MAX
        assert store.final_transactions(make.CHAIN) == []
        assert store.balance(make.PAID) == 0
    wire.left = STATEMENTS_MAX
    assert statements > 4
    assert store.balance(make.PAID) == 1_000


def test_threads_share_one_store(store: PostgresStore) -> None:
    got: list[int] = []

    def allot() -> None:
        got.extend(store.next_quote_nonce("0xmaker") for _ in range(20))

    threads = [threading.Thread(target=allot) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == list(range(80))


def test_every_wait_of_a_session_is_bounded(session: Session) -> None:
    def read(name: str) -> object:
        return session.transact(lambda cursor: cursor.execute(f"SHOW {name}").fetchall())[0][0]

    assert read("statement_timeout") == f"{session_module.STATEMENT_MS_MAX // 60_000}min"
    assert read("lock_timeout") == f"{session_module.LOCK_MS_MAX // 1_000}s"
