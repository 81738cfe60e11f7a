# ruff: noqa: S608 - constants of this file make up each other's statements
"""Invariants that the database holds by itself: with the law it refuses, without it it does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import journal_samples as make
import psycopg
import pytest

from dmm.adapters.postgres.store import PostgresStore
from dmm.settlement.intent import IntentState
from dmm.units.time import Nanos

Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True, kw_only=True)
class Law:
    """A statement that breaks an invariant, and the one that takes away what refuses it."""

    invariant: int
    breaks: str
    drops: str


SECOND = """INSERT INTO attempt (chain, tx_id, intent_id, generation, bump, signer, slot, raw,
  fee_atoms_max) SELECT chain, 'second', intent_id, generation, 5, signer, slot, 'x', 5
  FROM slot_claim WHERE retired_height IS NULL AND intent_id =
  (SELECT intent_id FROM intent WHERE ordinal = 0); """
BURN = """INSERT INTO attempt (chain, tx_id, intent_id, generation, bump, signer, slot, raw,
  fee_atoms_max, purpose) SELECT chain, 'burn', intent_id, generation, 6, signer, slot, 'x', 5,
  'BURN' FROM slot_claim WHERE retired_height IS NULL AND intent_id =
  (SELECT intent_id FROM intent WHERE ordinal = 0); """
ANOTHER = """INSERT INTO intent (intent_id, run_id, content_hash, kind, chain, contract, vault,
  scope, epoch, ordinal, asset, recipient, amount, deadline_s, inputs{more}) SELECT sha256('other'),
  run_id, content_hash, kind, chain, contract, vault, scope, epoch, {ordinal}, asset, recipient,
  amount, deadline_s, inputs{values} FROM intent WHERE ordinal = 0"""
TRANSFER = """INSERT INTO transfer (transfer_id, source_id, debit, credit, amount, posted_at_ns)
  VALUES (sha256('other'), {source}, {debit}, {credit}, {amount}, 5)"""
USDT = """INSERT INTO account (account_id, vault, asset, kind, may_overdraw) VALUES
  ('treasury/USDT/available', 'treasury', 'USDT', 'available', false); """

LAWS = {
    "two attempts are final": Law(
        invariant=2,
        breaks=f"""{SECOND} UPDATE attempt SET state = 'FINAL_OK' WHERE state <> 'RETIRED'
          AND intent_id = (SELECT intent_id FROM intent WHERE ordinal = 0)""",
        drops="DROP INDEX attempt_final",
    ),
    "an intent has two live slots": Law(
        invariant=3,
        breaks="""INSERT INTO slot_claim (chain, signer, slot, intent_id, generation)
          SELECT chain, signer, slot + 50, intent_id, generation + 50 FROM slot_claim
          WHERE retired_height IS NULL""",
        drops="DROP INDEX slot_claim_live",
    ),
    "signed bytes change": Law(
        invariant=5,
        breaks="UPDATE attempt SET raw = 'other'",
        drops="DROP TRIGGER guard ON attempt",
    ),
    "a payment becomes a burn": Law(
        invariant=5,
        breaks="UPDATE attempt SET purpose = 'BURN'",
        drops="DROP TRIGGER guard ON attempt",
    ),
    "a slot is given to two": Law(
        invariant=6,
        breaks="""INSERT INTO slot_claim (chain, signer, slot, intent_id, generation) SELECT chain,
          signer, slot, (SELECT intent_id FROM intent WHERE ordinal = 2), 7 FROM slot_claim
          WHERE retired_height IS NULL LIMIT 1""",
        drops="ALTER TABLE slot_claim DROP CONSTRAINT slot_claim_pkey",
    ),
    "a slot is forgotten": Law(
        invariant=7,
        breaks="""DELETE FROM attempt; DELETE FROM slot_claim""",
        drops="DROP TRIGGER no_delete ON attempt; DROP TRIGGER no_delete ON slot_claim",
    ),
    "an intent pays more": Law(
        invariant=8,
        breaks="UPDATE intent SET amount = amount + 1",
        drops="DROP TRIGGER guard ON intent",
    ),
    "a slot lives longer": Law(
        invariant=8,
        breaks="UPDATE slot_claim SET expires = 99 WHERE retired_height IS NULL",
        drops="DROP TRIGGER guard ON slot_claim",
    ),
    "an intent jumps": Law(
        invariant=9,
        breaks="UPDATE intent SET state = 'CONFIRMED' WHERE state = 'READY'",
        drops="DROP TRIGGER guard ON intent",
    ),
    "another move becomes legal": Law(
        invariant=9,
        breaks="INSERT INTO legal_transition VALUES ('FAILED', 'READY')",
        drops="DROP TRIGGER no_change ON legal_transition",
    ),
    "a fence goes back": Law(
        invariant=10,
        breaks="UPDATE intent SET fence = fence - 1 WHERE fence > 0",
        drops="DROP TRIGGER guard ON intent",
    ),
    "a lane goes back": Law(
        invariant=10,
        breaks="UPDATE lane SET next_slot = next_slot - 1",
        drops="DROP TRIGGER guard ON lane",
    ),
    "an end has no height": Law(
        invariant=12,
        breaks="UPDATE intent SET state = 'FINAL' WHERE state = 'IN_FLIGHT'",
        drops="ALTER TABLE intent DROP CONSTRAINT intent_closed_at_height",
    ),
    "a burn counts as a payment": Law(
        invariant=12,
        breaks=f"{BURN} UPDATE attempt SET state = 'FINAL_OK' WHERE purpose = 'BURN'",
        drops="ALTER TABLE attempt DROP CONSTRAINT attempt_final_paid",
    ),
    "an intent fails without proof": Law(
        invariant=13,
        breaks="UPDATE intent SET state = 'FAILED', closed_height = 5",
        drops="ALTER TABLE intent DROP CONSTRAINT intent_failed_with_proof",
    ),
    "what is not proven dead is superseded": Law(
        invariant=13,
        breaks=ANOTHER.format(more=", supersedes", ordinal=99, values=", intent_id"),
        drops="DROP TRIGGER guard_new ON intent",
    ),
    "a slot is retired without proof": Law(
        invariant=14,
        breaks="UPDATE slot_claim SET retired_height = 5 WHERE retired_height IS NULL",
        drops="ALTER TABLE slot_claim DROP CONSTRAINT slot_claim_retired_with_proof",
    ),
    "bytes are stored for a retired slot": Law(
        invariant=14,
        breaks="""INSERT INTO attempt (chain, tx_id, intent_id, generation, bump, signer, slot,
          raw, fee_atoms_max) SELECT chain, 'late', intent_id, generation, 5, signer, slot, 'x', 5
          FROM slot_claim WHERE retired_height IS NOT NULL AND intent_id =
          (SELECT intent_id FROM intent WHERE ordinal = 0)""",
        drops="DROP TRIGGER guard_new ON attempt",
    ),
    "an account moves by itself": Law(
        invariant=16,
        breaks="UPDATE account SET credits = credits + 1",
        drops="DROP TRIGGER guard ON account",
    ),
    "a transfer changes": Law(
        invariant=16,
        breaks="UPDATE transfer SET amount = amount + 1",
        drops="DROP TRIGGER no_change ON transfer",
    ),
    "an account is overdrawn": Law(
        invariant=17,
        breaks=TRANSFER.format(
            source="'o'",
            debit="'treasury/DCT/pending'",
            credit="'treasury/DCT/available'",
            amount=99_999,
        ),
        drops="ALTER TABLE account DROP CONSTRAINT account_overdraft",
    ),
    "a transfer crosses assets": Law(
        invariant=18,
        breaks=USDT
        + TRANSFER.format(
            source="'o'",
            debit="'treasury/DCT/outside'",
            credit="'treasury/USDT/available'",
            amount=5,
        ),
        drops="DROP TRIGGER apply ON transfer",
    ),
    "a source is posted twice": Law(
        invariant=19,
        breaks=TRANSFER.format(
            source="'funding:treasury'",
            debit="'treasury/DCT/outside'",
            credit="'treasury/DCT/available'",
            amount=5,
        ),
        drops="ALTER TABLE transfer DROP CONSTRAINT transfer_source_id_key",
    ),
    "an order releases two intents": Law(
        invariant=23,
        breaks="""INSERT INTO quarantine_release SELECT 3, intent_id, 'READY', '{}' FROM intent
          WHERE ordinal = 1""",
        drops="ALTER TABLE quarantine_release DROP CONSTRAINT quarantine_release_pkey",
    ),
    "a release is taken back": Law(
        invariant=23,
        breaks="DELETE FROM quarantine_release",
        drops="DROP TRIGGER no_change ON quarantine_release",
    ),
    "adoption ends without proof": Law(
        invariant=34,
        breaks="INSERT INTO adopt_only VALUES ('evm', 2, false, 9, 'drill', 5, NULL)",
        drops="ALTER TABLE adopt_only DROP CONSTRAINT adopt_only_left_with_proof",
    ),
    "a restore is forgotten": Law(
        invariant=34,
        breaks="DELETE FROM adopt_only",
        drops="DROP TRIGGER no_change ON adopt_only",
    ),
    "an identity is planned twice": Law(
        invariant=36,
        breaks=ANOTHER.format(more="", ordinal=0, values=""),
        drops="""ALTER TABLE intent
          DROP CONSTRAINT intent_kind_chain_vault_scope_epoch_ordinal_key""",
    ),
    "a signed byte is read outside the driver": Law(
        invariant=32,
        breaks="SET LOCAL ROLE dmm_auditor; SELECT raw FROM attempt",
        drops="GRANT SELECT ON attempt TO dmm_auditor",
    ),
    "an auditor writes": Law(
        invariant=32,
        breaks="SET LOCAL ROLE dmm_auditor; UPDATE intent SET fence = fence + 1",
        drops="GRANT UPDATE ON intent TO dmm_auditor",
    ),
}
REFUSES = (psycopg.IntegrityError, psycopg.errors.InsufficientPrivilege)


@pytest.fixture
def journal(store: PostgresStore, database_url: str) -> Iterator[Connection]:
    """Yield a connection to a journal with intents in flight, ready and in quarantine."""
    make.record(store, *[make.intent(ordinal) for ordinal in range(3)])
    claims = {claimed.intent.ordinal: claimed for claimed in (make.take(store) for _ in range(3))}
    for claimed in claims.values():
        make.send(store, claimed)
    for ordinal in (0, 2):
        store.retire_slot(claims[ordinal], height=8, proof={"nonce": 3})
    store.release(claims[0], due_in_s=0.0)
    make.send(store, make.take(store))
    store.quarantine(claims[2], reason="doubt")
    store.release_quarantine(
        claims[2].intent.intent_id, order_sequence=3, proof={"order": 3, "height": 9}
    )
    store.enter_adopt_only(chain="evm", until_s=9, reason="drill", now_ns=Nanos(4))
    with psycopg.connect(database_url) as connection:
        yield connection
        connection.rollback()


def test_the_journal_of_these_tests_holds_what_the_laws_are_about(
    store: PostgresStore, journal: Connection
) -> None:
    states = {intent.ordinal: state for intent, state in store.intents()}
    assert states == {
        0: IntentState.IN_FLIGHT,
        1: IntentState.IN_FLIGHT,
        2: IntentState.READY,
    }


@pytest.mark.parametrize("law", LAWS.values(), ids=[f"{LAWS[n].invariant:02}-{n}" for n in LAWS])
def test_invariant_is_held_by_the_database_and_by_that_law(journal: Connection, law: Law) -> None:
    journal.execute("SAVEPOINT lawful")
    with pytest.raises(REFUSES):
        journal.execute(law.breaks)
    journal.execute("ROLLBACK TO SAVEPOINT lawful")
    journal.execute(law.drops)
    journal.execute(law.breaks)


def _holds(number: int) -> None:
    def test(journal: Connection) -> None:
        found = [law for law in LAWS.values() if law.invariant == number]
        assert found
        for law in found:
            journal.execute("SAVEPOINT lawful")
            with pytest.raises(REFUSES):
                journal.execute(law.breaks)
            journal.execute("ROLLBACK TO SAVEPOINT lawful")

    globals()[f"test_invariant_{number:02}_{NAMES[number]}"] = test


NAMES = {
    2: "one_attempt_is_final_in_the_database",
    3: "an_intent_has_one_live_slot",
    5: "signed_bytes_never_change_in_the_database",
    6: "a_slot_belongs_to_one_intent_in_the_database",
    8: "the_content_of_an_intent_never_changes",
    9: "only_legal_moves_are_made",
    10: "fence_generation_and_lane_never_go_back",
    16: "debits_and_credits_sum_to_the_same",
    17: "nothing_is_overdrawn",
    18: "no_posting_crosses_vaults_or_assets",
    19: "one_posting_per_source",
    32: "signed_bytes_are_readable_by_the_driver_alone",
}
for _number in NAMES:
    _holds(_number)
