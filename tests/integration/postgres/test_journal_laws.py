"""The laws the database holds by itself, against statements that no store would send."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import journal_samples as make
import psycopg
import pytest

from dmm.adapters.postgres import tables
from dmm.adapters.postgres.store import PostgresStore
from dmm.ports import Deployment, Pruning
from dmm.settlement.chain_event import BlockRef, ChainEvent
from dmm.settlement.intent import IntentState
from dmm.settlement.lifecycle import LEGAL
from dmm.units.ids import ZERO_HASH
from dmm.units.time import Nanos

Connection = psycopg.Connection[tuple[object, ...]]

REFUSED = {
    "a run is changed": "UPDATE run SET symbol = 'BTCUSDT'",
    "a run is deleted": "DELETE FROM run",
    "a finished run is finished again": "UPDATE run SET finished_at_ns = 9",
    "a decision is changed": "UPDATE decision SET epoch = 9",
    "a decision is deleted": "DELETE FROM decision WHERE seq = 1",
    "decisions are truncated": "TRUNCATE decision",
    "a second chain begins": """
        INSERT INTO decision VALUES ('run-7', 9, 2, 5, 'x', decode(repeat('00', 32), 'hex'),
        sha256(decode(repeat('00', 32), 'hex') || sha256('x')))""",
    "a chain begins on something": """
        SELECT open_partition('decision', 'open', 0); INSERT INTO decision
        SELECT 'open', 0, 2, 5, 'x', sha256('y'), sha256(sha256('y') || sha256('x'))""",
    "a decision does not follow the last": """
        INSERT INTO decision SELECT 'run-7', 2, 2, 5, 'x', sha256('y'), sha256(sha256('y') ||
        sha256('x'))""",
    "a decision leaves a number out": """
        INSERT INTO decision SELECT 'run-7', 3, 2, 5, 'x', link_hash, sha256(link_hash ||
        sha256('x')) FROM decision WHERE seq = 1""",
    "a link hash is not its body's": """
        INSERT INTO decision SELECT 'run-7', 2, 2, 5, 'x', link_hash, sha256('z') FROM decision
        WHERE seq = 1""",
    "a decision is changed in its partition": 'UPDATE "decision_run-7_0" SET epoch = 9',
    "a decision is deleted from its partition": 'DELETE FROM "decision_run-7_0" WHERE false',
    "a partition is truncated": 'TRUNCATE "decision_run-7_0"',
    "a partition takes a link that does not follow": """
        INSERT INTO "decision_run-7_0" SELECT 'run-7', 2, 2, 5, 'x', sha256('y'),
        sha256(sha256('y') || sha256('x'))""",
    "a partition takes a row of another": """
        INSERT INTO "decision_run-7_0" SELECT 'run-7', 100000, 2, 5, 'x', link_hash,
        sha256(link_hash || sha256('x')) FROM decision WHERE seq = 1""",
    "a decision has no partition": """
        INSERT INTO decision SELECT 'other', 0, 2, 5, 'x', h, sha256(h || sha256('x'))
        FROM (SELECT decode(repeat('00', 32), 'hex') h) zero""",
    "a fill is deleted from its partition": 'DELETE FROM "fill_run-7_0" WHERE false',
    "a fill of another run is deleted from its partition": 'DELETE FROM "fill_open_0" WHERE false',
    "a slice is deleted from its partition": 'DELETE FROM "market_slice_run-7_0" WHERE false',
    "a partition goes without its anchor": "SELECT drop_partition('fill_run-7_0')",
    "a pruned partition is written to": "SELECT open_partition('market_slice', 'old', 3)",
    "a partition is made twice": """
        INSERT INTO journal_partition VALUES ('other', 'run-7', 'decision', 0, 5)""",
    "a partition changes its run": "UPDATE journal_partition SET run_id = 'run-7'",
    "an anchor is changed": "UPDATE journal_anchor SET digest = sha256('other')",
    "an anchor is deleted": "DELETE FROM journal_anchor",
    "a run is anchored that is not finished": """
        INSERT INTO journal_anchor VALUES ('fill_open_0', 'open', 'fill', 2, 3, 2, 2, 2, NULL,
        NULL, sha256('x'), '', 'ann', 'old', 9000)""",
    "a run is anchored before it finished": """
        INSERT INTO journal_anchor VALUES ('fill_run-7_0', 'run-7', 'fill', 2, 3, 2, 2, 2, NULL,
        NULL, sha256('x'), '', 'ann', 'old', 5)""",
    "an anchor is of a partition nobody made": """
        INSERT INTO journal_anchor VALUES ('fill_run-7_9', 'run-7', 'fill', 2, 3, 2, 2, 2, NULL,
        NULL, sha256('x'), '', 'ann', 'old', 9000)""",
    "an anchor is of another run than its partition": """
        INSERT INTO journal_anchor VALUES ('fill_run-7_0', 'old', 'fill', 2, 3, 2, 2, 2, NULL,
        NULL, sha256('x'), '', 'ann', 'old', 9000)""",
    "an anchor of decisions has no links": """
        INSERT INTO journal_anchor VALUES ('decision_run-7_0', 'run-7', 'decision', 0, 1, 2, 2, 2,
        decode(repeat('00', 32), 'hex'), NULL, sha256('x'), '', 'ann', 'old', 9000)""",
    "an anchor of fills has links": """
        INSERT INTO journal_anchor VALUES ('fill_run-7_0', 'run-7', 'fill', 2, 3, 2, 2, 2,
        sha256('a'), sha256('b'), sha256('x'), '', 'ann', 'old', 9000)""",
    "an anchor leaves decisions out": """
        INSERT INTO journal_anchor VALUES ('decision_run-7_0', 'run-7', 'decision', 0, 2, 2, 2, 2,
        decode(repeat('00', 32), 'hex'), sha256('b'), sha256('x'), '', 'ann', 'old', 9000)""",
    "an anchor stands on nothing": """
        INSERT INTO journal_anchor VALUES ('decision_run-7_0', 'run-7', 'decision', 5, 6, 2, 2, 2,
        sha256('a'), sha256('b'), sha256('x'), '', 'ann', 'old', 9000)""",
    "an anchor is of nobody's": """
        INSERT INTO journal_anchor VALUES ('fill_run-7_0', 'run-7', 'fill', 2, 3, 2, 2, 2, NULL,
        NULL, sha256('x'), '', '', 'old', 9000)""",
    "a fill is changed": "UPDATE fill SET price = 1",
    "a fill is booked under another id": """
        INSERT INTO fill SELECT sha256('other'), run_id, epoch, ordinal, venue, symbol, client_id,
        side, price, size, mid, fee_atoms, filled_at_ns, is_hedge FROM fill""",
    "a slice is changed": "UPDATE market_slice SET position_lots = 3",
    "an epoch's inputs are changed": "UPDATE epoch_input SET body = '{}'",
    "a claim loses its plan": "UPDATE epoch_claim SET plan_hash = NULL",
    "a claim changes its plan": "UPDATE epoch_claim SET plan_hash = sha256('other')",
    "a claim moves to another epoch": "UPDATE epoch_claim SET epoch = 99",
    "a claim is deleted": "DELETE FROM epoch_claim",
    "an epoch is claimed twice": """
        INSERT INTO epoch_claim (job, scope, epoch, run_id, opened_at_ns, opened_chain_s) SELECT
        job, scope, epoch, run_id, 5, 6 FROM epoch_claim""",
    "a reward is changed": "UPDATE reward SET amount = amount + 1",
    "a reward is deleted": "DELETE FROM reward",
    "an intent pays more": "UPDATE intent SET amount = amount + 1",
    "an intent pays another": "UPDATE intent SET recipient = 'thief'",
    "an intent gets another ordinal": "UPDATE intent SET ordinal = 77",
    "an intent gets another epoch": "UPDATE intent SET epoch = 77",
    "an intent gets another kind": "UPDATE intent SET kind = 'buyback'",
    "an intent gets a later deadline": "UPDATE intent SET deadline_s = deadline_s + 1",
    "an intent gets other inputs": "UPDATE intent SET inputs = '{}'",
    "an intent is deleted": "DELETE FROM intent",
    "a fence goes back": "UPDATE intent SET fence = fence - 1 WHERE fence > 0",
    "a generation goes back": "UPDATE intent SET generation = generation - 1",
    "an intent fails without a proof": """
        UPDATE intent SET state = 'FAILED', closed_height = 5""",
    "an identity is planned under another contract": """
        INSERT INTO intent (intent_id, run_id, content_hash, kind, chain, contract, vault, scope,
        epoch, ordinal, asset, recipient, amount, deadline_s, inputs) SELECT sha256('other'),
        run_id, content_hash, kind, chain, 'other', vault, scope, epoch, ordinal, asset,
        recipient, amount, deadline_s, inputs FROM intent""",
    "an intent is born paid": """
        INSERT INTO intent (intent_id, run_id, content_hash, kind, chain, contract, vault, scope,
        epoch, ordinal, asset, recipient, amount, deadline_s, inputs, state, closed_height) SELECT
        sha256('other'), run_id, content_hash, kind, chain, contract, vault, scope, epoch, 99,
        asset, recipient, amount, deadline_s, inputs, 'FINAL', 5 FROM intent""",
    "a lane goes back": "UPDATE lane SET next_slot = next_slot - 1",
    "a lane is deleted": "DELETE FROM lane",
    "a slot is given to another": "UPDATE slot_claim SET intent_id = sha256('other')",
    "a slot is retired without a proof": """
        UPDATE slot_claim SET retired_height = 5 WHERE retired_height IS NULL""",
    "a retired slot is retired otherwise": """
        UPDATE slot_claim SET retired_height = 99 WHERE retired_height IS NOT NULL""",
    "a retired slot is opened again": """
        UPDATE slot_claim SET retired_height = NULL, proof = NULL
        WHERE retired_height IS NOT NULL""",
    "bytes are stored on a retired slot": """
        INSERT INTO attempt (chain, tx_id, intent_id, generation, bump, signer, slot, raw,
        fee_atoms_max) SELECT chain, 'late', intent_id, generation, 5, signer, slot, 'x', 5
        FROM slot_claim WHERE retired_height IS NOT NULL""",
    "a slot is deleted": "DELETE FROM slot_claim",
    "an intent holds two live slots": """
        INSERT INTO slot_claim (chain, signer, slot, intent_id, generation)
        SELECT chain, signer, slot + 50, intent_id, generation + 50 FROM slot_claim
        WHERE retired_height IS NULL""",
    "a slot is claimed twice": """
        INSERT INTO slot_claim (chain, signer, slot, intent_id, generation) SELECT chain, signer,
        slot, intent_id, generation + 1 FROM slot_claim""",
    "signed bytes are changed": "UPDATE attempt SET raw = 'other'",
    "an attempt is deleted": "DELETE FROM attempt",
    "an attempt was never signed": "UPDATE attempt SET state = 'SIGNED'",
    "an attempt is born final": """
        INSERT INTO attempt (chain, tx_id, intent_id, generation, bump, signer, slot, raw,
        fee_atoms_max, state) SELECT chain, 'other', intent_id, generation, 5, signer, slot, raw,
        fee_atoms_max, 'FINAL_OK' FROM attempt WHERE state = 'BROADCAST'""",
    "an attempt uses a slot of nobody": """
        INSERT INTO attempt (chain, tx_id, intent_id, generation, bump, signer, slot, raw,
        fee_atoms_max) SELECT chain, 'other', intent_id, generation, 5, signer, slot + 50, raw,
        fee_atoms_max FROM attempt WHERE state = 'BROADCAST'""",
    "an account moves without a transfer": "UPDATE account SET credits = credits + 1",
    "an account is allowed to overdraw": "UPDATE account SET may_overdraw = true",
    "an account is deleted": "DELETE FROM account",
    "an account is born rich": """
        INSERT INTO account VALUES ('a/b/available', 'a', 'b', 'available', false, 0, 5)""",
    "a transfer is changed": "UPDATE transfer SET amount = amount + 1",
    "a transfer is deleted": "DELETE FROM transfer",
    "a transfer is of nothing": """
        INSERT INTO transfer (transfer_id, source_id, debit, credit, amount, posted_at_ns) SELECT
        sha256('other'), 'other', debit, credit, 0, 5 FROM transfer LIMIT 1""",
    "a source is posted twice": """
        INSERT INTO transfer (transfer_id, source_id, debit, credit, amount, posted_at_ns) SELECT
        sha256('other'), source_id, debit, credit, amount, 5 FROM transfer LIMIT 1""",
    "a transfer crosses vaults": """
        INSERT INTO account (account_id, vault, asset, kind, may_overdraw) VALUES
        ('desk/DCT/available', 'desk', 'DCT', 'available', false); INSERT INTO transfer
        (transfer_id, source_id, debit, credit, amount, posted_at_ns) VALUES (sha256('other'),
        'other', 'treasury/DCT/outside', 'desk/DCT/available', 5, 5)""",
    "a transfer crosses assets": """
        INSERT INTO account (account_id, vault, asset, kind, may_overdraw) VALUES
        ('treasury/USDT/available', 'treasury', 'USDT', 'available', false); INSERT INTO transfer
        (transfer_id, source_id, debit, credit, amount, posted_at_ns) VALUES (sha256('other'),
        'other', 'treasury/DCT/outside', 'treasury/USDT/available', 5, 5)""",
    "a transfer overdraws": """
        INSERT INTO transfer (transfer_id, source_id, debit, credit, amount, posted_at_ns) VALUES
        (sha256('other'), 'other', 'treasury/DCT/pending', 'treasury/DCT/available', 1001, 5)""",
    "a kill is taken back": "UPDATE kill_switch SET killed = false",
    "a kill is deleted": "DELETE FROM kill_switch",
    "a kill is released without an order": """
        INSERT INTO kill_switch VALUES (2, 1, false, 'drill', 'bob', 9, NULL)""",
    "a halt is taken back": "UPDATE halt_latch SET halted = false",
    "a halt is deleted": "DELETE FROM halt_latch",
    "a halt is halted again": "INSERT INTO halt_latch VALUES (2, 2, true, 'run-7', 'x', '', 9)",
    "a halt is reset by nobody": "INSERT INTO halt_latch VALUES (2, 1, false, 'run-7', 'x', '', 9)",
    "a halt is reset without a reason": """
        INSERT INTO halt_latch VALUES (2, 1, false, 'run-7', '', 'bob', 9)""",
    "a halt is reset for another run": """
        INSERT INTO halt_latch VALUES (2, 1, false, 'open', 'x', 'bob', 9)""",
    "a reset leaves a number out": """
        INSERT INTO halt_latch VALUES (7, 1, false, 'run-7', 'x', 'bob', 9)""",
    "another halt is reset than the one that holds": """
        INSERT INTO halt_latch VALUES (2, 9, false, 'run-7', 'x', 'bob', 9)""",
    "a kill is killed again": "INSERT INTO kill_switch VALUES (2, 2, true, 'x', 'bob', 9, NULL)",
    "a kill switch event leaves a number out": """
        INSERT INTO kill_switch VALUES (7, 1, false, 'drill', 'bob', 9, 3)""",
    "a policy is changed": "UPDATE policy SET tx_id = 'other'",
    "a policy does not extend the head": """
        INSERT INTO policy VALUES (5, '{}', decode(repeat('00', 32), 'hex'), sha256('x'), 'evm',
        5, 'x', 5)""",
    "an audit record is changed": "UPDATE audit_log SET actor = 'nobody'",
    "an audit record is deleted": "DELETE FROM audit_log",
    "an audit record does not follow the last": """
        INSERT INTO audit_log SELECT 4, 5, 'a', 'b', '{}', r, decode(repeat('00', 32), 'hex'),
        sha256(decode(repeat('00', 32), 'hex') || sha256(r)) FROM (SELECT convert_to(
        '{"seq":4,"at_ns":5,"actor":"a","action":"b","body":{}}', 'UTF8') r) line""",
    "an audit record says other than its bytes": """
        INSERT INTO audit_log SELECT 4, 5, 'liar', 'b', '{}', r, link_hash, sha256(link_hash ||
        sha256(r)) FROM audit_log, (SELECT convert_to(
        '{"seq":4,"at_ns":5,"actor":"a","action":"b","body":{}}', 'UTF8') r) line WHERE seq = 3""",
    "a block does not stand on its parent": """
        INSERT INTO chain_block VALUES ('evm', '0x7', 7, '0x6', 9, true)""",
    "a block stands on a block of another height": """
        INSERT INTO chain_block VALUES ('evm', '0x7', 7, '0x5', 9, true)""",
    "a block is changed": "UPDATE chain_block SET parent_hash = '0xother'",
    "a block is deleted": "DELETE FROM chain_block",
    "an event is changed": "UPDATE chain_event SET args = '{}'",
    "an event is deleted": "DELETE FROM chain_event",
    "an event is of a block nobody knows": """
        INSERT INTO chain_event VALUES ('evm', '0xother', 3, 't', 'treasury', 'Paid', '{}')""",
    "a log is recorded twice": "INSERT INTO chain_event SELECT * FROM chain_event",
    "finality goes back": "INSERT INTO final_block VALUES ('evm', 4, '0x4')",
    "a block is final at another height": "INSERT INTO final_block VALUES ('evm', 9, '0x4')",
    "a height is final twice": "INSERT INTO final_block VALUES ('evm', 5, '0x5')",
    "a final block is changed": "UPDATE final_block SET block_hash = '0x4'",
    "a final block is deleted": "DELETE FROM final_block",
    "a deployment moves": "UPDATE deployment SET address = '0xother'",
    "nonces go back": "UPDATE quote_nonce SET next_nonce = 0",
    "a quote is changed": "UPDATE rfq_quote SET maker_signature = 'other'",
    "an accepted quote is accepted otherwise": "UPDATE rfq_quote SET accepted_recipient = 'thief'",
    "a nonce is used for two quotes": """
        INSERT INTO rfq_quote (quote_id, run_id, epoch, maker, nonce, quote, maker_signature,
        fair_half_ticks, issued_at_ns) SELECT sha256('other'), run_id, epoch, maker, nonce, quote,
        maker_signature, fair_half_ticks, issued_at_ns FROM rfq_quote""",
}

# Refused even where no row is: some rows are kept by foreign keys as well.
REFUSED |= {
    f"something is deleted from {table}": f"DELETE FROM {table} WHERE false"  # noqa: S608
    for table in (getattr(tables, name).__tablename__ for name in tables.__all__)
}


def record_blocks(store: PostgresStore) -> None:
    """Put a final block with an event, and one that is not final, into the journal."""
    first, last = (
        BlockRef(
            chain="evm",
            height=height,
            block_hash=f"0x{height}",
            parent_hash=f"0x{height - 1}",
            time_s=9,
        )
        for height in (4, 5)
    )
    event = ChainEvent(
        chain="evm",
        height=5,
        block_hash="0x5",
        tx_id="t",
        log_index=3,
        source="treasury",
        name="Paid",
        args={"amount": 2**80},
    )
    store.record_final([replace(first, height=3, block_hash="0x3", parent_hash="0x2")], [], [])
    store.record_tip([first], [])
    store.record_final([last], [event], [])


@pytest.fixture
def journal(store: PostgresStore, database_url: str) -> Iterator[Connection]:
    """Yield a connection to a journal with something in every table that has a law."""
    make.record(store, make.intent(0))
    store.append_decisions(make.decisions(2))
    store.append_fills([make.fill(2)], [])
    _prune_a_slice(store)
    store.open_run(make.run("open", started_at_ns=30))
    store.append_fills([make.fill(2, run_id="open")], [])
    store.close_slice(make.summary())
    store.fix_epoch_inputs(make.RUN, 2, {"sigma": 3})
    store.finish_run(make.RUN, finished_at_ns=Nanos(5))
    claimed = make.take(store)
    make.send(store, claimed)
    store.retire_slot(claimed, height=8, proof={"nonce": 3})
    store.release(claimed, due_in_s=0.0)
    make.send(store, make.take(store))
    store.kill(reason="drill", operator="ann", now_ns=Nanos(5))
    store.halt(run_id=make.RUN, reason="drawdown", now_ns=Nanos(5))
    store.append_policy(make.policy_record(0))
    store.record_deployments([Deployment(chain="evm", name="treasury", address="0xa", height=3)])
    record_blocks(store)
    quote = make.trade(store.next_quote_nonce("0xmaker"))
    store.record_quote(quote)
    store.accept_quote(make.accepted(quote))
    with psycopg.connect(database_url) as connection:
        yield connection


def _prune_a_slice(store: PostgresStore) -> None:
    store.open_run(make.run("old", started_at_ns=20))
    store.close_slice(replace(make.summary(), run_id="old"))
    store.finish_run("old", finished_at_ns=Nanos(25))
    (old,) = store.partitions("old")
    store.prune(
        old,
        Pruning(finished_before_ns=Nanos(26), now_ns=Nanos(40), operator="ann", reason="old"),
    )


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED)
def test_the_database_refuses_that(journal: Connection, statement: str) -> None:
    with pytest.raises(psycopg.IntegrityError):
        journal.execute(statement)


def test_the_database_knows_exactly_the_legal_moves_of_an_intent(journal: Connection) -> None:
    stored = journal.execute("SELECT old_state, new_state FROM legal_transition").fetchall()
    assert set(stored) == {(before.value, after.value) for before, after in LEGAL}


@pytest.mark.parametrize("before", IntentState)
def test_an_intent_makes_only_legal_moves(journal: Connection, before: IntentState) -> None:
    journal.execute("SET session_replication_role = replica")
    journal.execute("UPDATE intent SET state = %s, closed_height = 5, proof = '{}'", [before.value])
    journal.execute("SET session_replication_role = DEFAULT")
    for after in IntentState:
        if after is before:
            continue
        journal.execute("SAVEPOINT here")
        if (before, after) in LEGAL:
            journal.execute("UPDATE intent SET state = %s", [after.value])
        else:
            with pytest.raises(psycopg.errors.CheckViolation):
                journal.execute("UPDATE intent SET state = %s", [after.value])
        journal.execute("ROLLBACK TO SAVEPOINT here")


def test_an_intent_is_final_through_one_attempt(journal: Connection) -> None:
    journal.execute(
        """INSERT INTO attempt (chain, tx_id, intent_id, generation, bump, signer, slot, raw,
             fee_atoms_max)
           SELECT chain, 'bumped', intent_id, generation, 5, signer, slot, 'x', 5
           FROM slot_claim WHERE retired_height IS NULL"""
    )
    with pytest.raises(psycopg.errors.UniqueViolation):
        journal.execute(
            "UPDATE attempt SET state = 'FINAL_OK' WHERE state IN ('SIGNED', 'BROADCAST')"
        )


def test_an_order_releases_one_kill_in_the_database_too(journal: Connection) -> None:
    journal.execute("INSERT INTO kill_switch VALUES (2, 1, false, 'drill', 'bob', 9, 3)")
    journal.execute("INSERT INTO kill_switch VALUES (3, 2, true, 'again', 'ann', 9, NULL)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        journal.execute("INSERT INTO kill_switch VALUES (4, 2, false, 'again', 'bob', 9, 3)")


def test_the_audit_log_is_a_hash_chain_over_canonical_bytes(
    store: PostgresStore, database_url: str
) -> None:
    for number in (3, 5):
        store.append_audit(
            actor="ann", action="kill", body={"n": number, "é": [2**80]}, now_ns=Nanos(number)
        )
    with psycopg.connect(database_url) as connection:
        links = connection.execute(
            "SELECT previous_hash, link_hash, record FROM audit_log ORDER BY seq"
        ).fetchall()
    assert links[0][0] == ZERO_HASH
    assert links[1][0] == links[0][1]
    assert (
        links[0][2]
        == (
            '{"action":"kill","actor":"ann","at_ns":3,"body":{"n":3,"é":[1208925819614629174706176]},'
            '"seq":1}'
        ).encode()
    )


WITNESSED = """
SELECT format('DROP TRIGGER %I ON %I', tgname, relname)
FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
WHERE NOT tgisinternal AND tgname NOT IN ('apply', 'readable')
UNION ALL
SELECT format('ALTER TABLE %I DROP CONSTRAINT %I', relname, conname)
FROM pg_constraint JOIN pg_class c ON c.oid = conrelid
WHERE coninhcount = 0 AND conname IN ('account_overdraft', 'intent_failed_with_proof',
  'decision_link', 'decision_genesis', 'journal_anchor_links', 'journal_anchor_dense',
  'slot_claim_retired_with_proof', 'kill_switch_released_by_order', 'audit_log_record',
  'halt_latch_reset_by_a_person',
  'transfer_source_id_key', 'transfer_amount_check', 'fill_run_id_venue_ordinal_key',
  'intent_kind_chain_vault_scope_epoch_ordinal_key', 'rfq_quote_maker_nonce_key')
UNION ALL
SELECT format('DROP INDEX %I', name)
FROM unnest(ARRAY['slot_claim_live']) name
ORDER BY 1
"""
"""Statements that each take one law away."""


def test_every_law_is_what_refuses_something(journal: Connection) -> None:
    """Without any one of them some statement above goes through: none is there for show."""
    laws = [str(row[0]) for row in journal.execute(WITNESSED)]
    assert len(laws) > 50
    idle = [law for law in laws if not _lets_through(journal, law)]
    assert not idle, "\n".join(idle)


def _lets_through(journal: Connection, law: str) -> bool:
    journal.execute("SAVEPOINT lawful")
    journal.execute(law)
    try:
        for statement in REFUSED.values():
            journal.execute("SAVEPOINT attempt")
            try:
                journal.execute(statement)
            except psycopg.IntegrityError:
                journal.execute("ROLLBACK TO SAVEPOINT attempt")
            else:
                return True
        return False
    finally:
        journal.execute("ROLLBACK TO SAVEPOINT lawful")
