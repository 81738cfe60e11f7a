"""Each role can do its work, and nothing of anybody else's, on a real server."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing

import journal_samples as make
import psycopg
import pytest
from psycopg import errors, sql

from dmm.adapters.postgres.migrate import downgrade, migrate
from dmm.adapters.postgres.roles import Role, add_login, as_member
from dmm.adapters.postgres.store import PostgresStore
from dmm.ports import Pruning
from dmm.sandbox.postgres import EmbeddedPostgres
from dmm.settlement.chain_event import BlockRef
from dmm.units.errors import Permanent, Retryable, ServiceFault
from dmm.units.time import Nanos

_numbers = itertools.count()
Login = Callable[[Role], str]


@pytest.fixture
def login(database_url: str) -> Login:
    def made(role: Role) -> str:
        return add_login(database_url, role, name=f"test_{role.value}", password="p'w\"d%/ 7")

    return made


@pytest.fixture
def opened(login: Login) -> Iterator[Callable[[Role], PostgresStore]]:
    stores: list[PostgresStore] = []

    def made(role: Role) -> PostgresStore:
        stores.append(PostgresStore(login(role)))
        return stores[-1]

    yield made
    for store in stores:
        store.close()


def tables_of(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            """SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
               AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname"""
        ).fetchall()
    return [str(name) for (name,) in rows]


def allowed(url: str, *statements: sql.Composable) -> list[bool]:
    """Tell which statements the server lets a login run at all, whatever comes of them."""
    found = []
    with psycopg.connect(url) as connection:
        for statement in statements:
            try:
                connection.execute(statement)
            except errors.InsufficientPrivilege:
                found.append(False)
            except psycopg.Error:
                found.append(True)
            else:
                found.append(True)
            connection.rollback()
    return found


def allowed_on(url: str, text: str, tables: list[str]) -> set[str]:
    """Return the tables on which a login may run a statement."""
    answers = allowed(url, *(named(text, table) for table in tables))
    return {table for table, answer in zip(tables, answers, strict=True) if answer}


def named(text: str, table: str) -> sql.Composed:
    return sql.SQL(text).format(sql.Identifier(table))


READERS = (Role.AUDITOR, Role.WORKER, Role.FLOWS, Role.SETTLER, Role.OPERATOR)

WRITES = {
    Role.AUDITOR: set(),
    Role.SIGNER: set(),
    Role.WORKER: {
        "account", "audit_log", "decision", "epoch_input", "fill", "halt_latch", "kill_switch",
        "market_slice", "run", "transfer",
    },
    Role.SETTLER: {
        "account", "adopt_only", "attempt", "audit_log", "chain_block", "chain_event",
        "dispatch_run", "epoch_claim", "final_block", "halt_latch", "kill_switch", "lane",
        "slot_claim", "transfer",
    },
    Role.OPERATOR: {"audit_log", "deployment", "halt_latch", "kill_switch", "policy"},
    Role.FLOWS: {
        "account", "audit_log", "buyback", "chain_block", "chain_event", "dispatch_run",
        "epoch_claim", "epoch_input", "estimate", "fill", "final_block", "halt_latch",
        "hedge_order", "intent", "journal_anchor", "kill_switch", "parameter_search",
        "parameter_search_piece", "policy", "policy_candidate", "quarantine_release",
        "quote_nonce", "recon_run", "reward", "rfq_quote", "rfq_settlement", "transfer",
    },
}  # fmt: skip
"""Tables into which each role may insert."""


@pytest.mark.parametrize("role", Role)
def test_a_role_inserts_into_its_own_tables_and_no_other(
    role: Role, login: Login, database_url: str
) -> None:
    found = allowed_on(login(role), "INSERT INTO {} DEFAULT VALUES", tables_of(database_url))
    assert found == WRITES[role]


@pytest.mark.parametrize("role", Role)
def test_no_role_deletes_anything(role: Role, login: Login, database_url: str) -> None:
    url, tables = login(role), tables_of(database_url)
    for text in ("DELETE FROM {}", "TRUNCATE {}", "DROP TABLE {}"):
        assert allowed_on(url, text, tables) == set(), text


@pytest.mark.parametrize("role", Role)
def test_a_role_reads_what_it_may(role: Role, login: Login, database_url: str) -> None:
    tables = tables_of(database_url)
    found = allowed_on(login(role), "SELECT 1 FROM {}", tables)
    if role is Role.SIGNER:
        assert found == {"adopt_only", "alembic_version", "halt_latch", "kill_switch"}
    else:
        assert found == set(tables)


@pytest.mark.parametrize("role", Role)
def test_signed_bytes_are_the_driver_s_alone(role: Role, login: Login) -> None:
    raw, whole, rest = allowed(
        login(role),
        sql.SQL("SELECT raw FROM attempt"),
        sql.SQL("SELECT * FROM attempt"),
        sql.SQL("SELECT tx_id, slot FROM attempt"),
    )
    assert raw is whole is (role is Role.SETTLER)
    assert rest is (role in READERS)


@pytest.mark.parametrize("role", Role)
def test_no_role_changes_the_schema_or_a_trigger(role: Role, login: Login) -> None:
    texts = (
        "CREATE TABLE mine (x int)",
        "ALTER TABLE transfer DISABLE TRIGGER no_change",
        "SET session_replication_role = replica",
        "CREATE ROLE mine",
    )
    assert not any(allowed(login(role), *map(sql.SQL, texts)))
    (drops,) = allowed(login(role), sql.SQL("SELECT drop_partition('decision_x_0')"))
    assert drops is (role is Role.FLOWS)


def test_wide_rights_are_narrowed_by_the_triggers(
    opened: Callable[[Role], PostgresStore], login: Login, store: PostgresStore
) -> None:
    """A table lock asks for UPDATE; what it would allow is refused all the same."""
    make.record(store, make.intent(0))
    opened(Role.OPERATOR).kill(reason="fire", operator="ann", now_ns=Nanos(5))
    with psycopg.connect(login(Role.FLOWS), autocommit=True) as connection:
        for text in (
            "UPDATE kill_switch SET killed = false",
            "UPDATE audit_log SET actor = 'nobody'",
            "UPDATE account SET credits = credits + 1",
            "UPDATE intent SET fence = fence - 1",
        ):
            with pytest.raises(errors.CheckViolation):
                connection.execute(text)
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("UPDATE intent SET amount = 1")


def test_the_worker_writes_its_journal_and_makes_its_partitions(
    opened: Callable[[Role], PostgresStore],
) -> None:
    worker = opened(Role.WORKER)
    worker.open_run(make.run())
    worker.append_decisions(make.decisions(3))
    worker.append_fills([make.fill(2)], [make.funding(50)])
    worker.close_slice(make.summary())
    worker.fix_epoch_inputs(make.RUN, 2, {"sigma": 3})
    worker.halt(run_id=make.RUN, reason="drawdown", now_ns=Nanos(7))
    worker.finish_run(make.RUN, finished_at_ns=Nanos(8))
    assert worker.decisions(make.RUN) == make.decisions(3)
    with pytest.raises((Permanent, Retryable), match="permission denied"):
        make.claim(worker)


def test_flows_plan_quote_follow_and_prune_and_never_touch_a_slot(
    opened: Callable[[Role], PostgresStore], store: PostgresStore
) -> None:
    store.open_run(make.run())
    store.append_decisions(make.decisions(3))
    store.finish_run(make.RUN, finished_at_ns=Nanos(500))
    store.open_run(make.run("later", started_at_ns=600))
    flows = opened(Role.FLOWS)
    flows.post([make.funding(90_000)])
    flows.record_epoch(make.claim(flows), make.plan(make.intent(0)))
    assert flows.next_quote_nonce("0xmaker") == 0
    flows.record_quote(make.trade(0))
    flows.accept_quote(make.accepted(make.trade(0)))
    flows.append_policy(make.policy_record(0))
    flows.kill(reason="alarm", operator="audit", now_ns=Nanos(5))
    one = BlockRef(chain="evm", height=5, block_hash="0x5", parent_hash="0x4", time_s=9)
    flows.record_final([one], [], [])
    (part,) = flows.partitions(make.RUN)
    assert len(list(flows.partition_rows(part))) == 3
    pruning = Pruning(
        finished_before_ns=Nanos(600), now_ns=Nanos(900), operator="ann", reason="old"
    )
    assert flows.prune(part, pruning) is not None
    claimed = make.take(store)
    with pytest.raises((Permanent, Retryable), match="permission denied"):
        flows.allocate_slot(claimed, signer="0x1", finalized_slot=0)


def test_the_settler_takes_an_intent_to_its_end(
    opened: Callable[[Role], PostgresStore], store: PostgresStore
) -> None:
    make.record(store, make.intent(0), make.intent(1))
    settler = opened(Role.SETTLER)
    claimed = make.take(settler)
    sent = make.send(settler, claimed)
    settler.mark_landed(claimed, sent.tx_id, height=7, block_hash="0x7")
    settler.mark_unlanded(claimed)
    settler.finish_final(claimed, tx_id=sent.tx_id, height=9, postings=[make.pay(claimed.intent)])
    other = make.take(settler)
    make.send(settler, other)
    settler.retire_slot(other, height=9, proof={"why": "spent"})
    settler.quarantine(other, reason="doubt")
    assert settler.balance(make.PAID) == 1_000
    with pytest.raises((Permanent, Retryable), match="permission denied"):
        settler.record_epoch(make.claim(settler, epoch=3), make.plan(make.intent(9)))


def test_the_signer_reads_the_latches(opened: Callable[[Role], PostgresStore]) -> None:
    opened(Role.OPERATOR).kill(reason="fire", operator="ann", now_ns=Nanos(5))
    signer = opened(Role.SIGNER)
    latch = signer.latch()
    assert latch is not None
    assert latch.reason == "fire"
    with pytest.raises((Permanent, Retryable), match="permission denied"):
        signer.intents()


def test_an_auditor_reads_the_books_and_every_decision(
    opened: Callable[[Role], PostgresStore], store: PostgresStore
) -> None:
    make.record(store, make.intent(0))
    store.append_decisions(make.decisions(3))
    make.send(store, make.take(store))
    auditor = opened(Role.AUDITOR)
    books = auditor.books("evm", ["treasury"])
    assert len(books.attempts) == 1
    assert auditor.decisions(make.RUN) == make.decisions(3)
    assert auditor.latch() is None
    with pytest.raises((Permanent, Retryable), match="permission denied"):
        auditor.post([make.funding(5)])


def test_partitions_from_before_the_roles_are_readable(blank_url: str) -> None:
    migrate(blank_url, "0004")
    with PostgresStore(blank_url) as owner:
        owner.open_run(make.run())
        owner.append_decisions(make.decisions(2))
    migrate(blank_url)
    with (
        as_member(blank_url, Role.AUDITOR) as url,
        closing(PostgresStore(url)) as auditor,
    ):
        (part,) = auditor.partitions(make.RUN)
        assert len(list(auditor.partition_rows(part))) == 2


def test_a_member_s_login_ends_with_its_use(database_url: str, login: Login) -> None:
    with as_member(database_url, Role.AUDITOR) as url:
        name = psycopg.conninfo.conninfo_to_dict(url)["user"]
        assert str(name).startswith("dmm_auditor_")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    # Whoever is that role already needs no other.
    own = login(Role.AUDITOR)
    with as_member(own, Role.AUDITOR) as url:
        assert url == own


def test_a_login_that_may_make_no_roles_is_told_so(login: Login) -> None:
    with (
        pytest.raises(ServiceFault, match="may not make roles"),
        as_member(login(Role.FLOWS), Role.AUDITOR),
    ):
        pass


# -- a database that is not the superuser's ----------------------------------------------------


@pytest.fixture
def owned_url(postgres: EmbeddedPostgres, database_url: str) -> Iterator[str]:
    """Return a blank database owned by a login that may do nothing else on its server."""
    name, password = f"owned_{next(_numbers)}", "migrator-7"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                sql.Identifier(name), sql.Literal(password)
            )
        )
        admin.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(name)
            )
        )
    yield f"postgresql://{name}:{password}@127.0.0.1:{postgres.port}/{name}"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_an_owner_without_other_rights_migrates_up_and_down_and_the_roles_work(
    owned_url: str, postgres: EmbeddedPostgres
) -> None:
    migrate(owned_url)
    worker_url = add_login(
        postgres.url(), Role.WORKER, name="test_dmm_worker", password="p7"
    ).replace("/dmm", "/" + owned_url.rpartition("/")[2])
    with closing(PostgresStore(worker_url)) as worker:
        worker.open_run(make.run())
        worker.append_decisions(make.decisions(2))
        assert worker.decisions(make.RUN) == make.decisions(2)
    downgrade(owned_url, "0004")
    with psycopg.connect(worker_url) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute("SELECT 1 FROM run")
    migrate(owned_url)


def test_a_login_that_may_not_make_the_roles_is_told_what_to_run(
    owned_url: str, postgres: EmbeddedPostgres
) -> None:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute("ALTER ROLE dmm_operator RENAME TO dmm_operator_away")
        try:
            with pytest.raises(ServiceFault, match=r"infra/postgres/roles\.sql"):
                migrate(owned_url)
        finally:
            admin.execute("ALTER ROLE dmm_operator_away RENAME TO dmm_operator")
