"""What an audit reads, as of one instant."""

from __future__ import annotations

from collections.abc import Sequence

from dmm.adapters.postgres.intents import CONTENT, intent_from_row
from dmm.adapters.postgres.runs import Part
from dmm.adapters.postgres.session import Cursor
from dmm.ledger.account import Account, AccountKind
from dmm.ledger.journal import Posting
from dmm.ports import AttemptView, Books, IntentView
from dmm.settlement.intent import IntentState
from dmm.units.amount import Atoms
from dmm.units.ids import Hash32


class AuditReads(Part):
    """Implements `ports.AuditStore`; a role without rights to signed bytes can run it."""

    def books(self, chain: str, vaults: Sequence[str]) -> Books:
        """Return a chain's intents and attempts, and the postings of vaults, as of one instant.

        Raises
        ------
        InvariantBroken
            If an intent's stored content does not give the id and hash it was recorded under.
        """
        return self._session.transact(lambda cursor: _books(cursor, chain, vaults))


def _books(cursor: Cursor, chain: str, vaults: Sequence[str]) -> Books:
    # What ends between two of these reads must show in all or in none.
    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    return Books(
        intents=_intents(cursor, chain),
        attempts=_attempts(cursor, chain),
        postings=_postings(cursor, vaults),
        followed_height=_followed(cursor, chain),
    )


def _intents(cursor: Cursor, chain: str) -> tuple[IntentView, ...]:
    cursor.execute(
        "SELECT "  # noqa: S608 - a constant list of columns
        + CONTENT
        + """, i.state, i.generation, coalesce(i.final_tx_id, ''), i.closed_height, i.proof
             FROM intent i WHERE i.chain = %s ORDER BY i.recorded_no""",
        [chain],
    )
    return tuple(
        IntentView(
            intent=intent_from_row(content),
            state=IntentState(state),
            generation=generation,
            final_tx_id=tx_id,
            closed_height=height,
            proof=proof,
        )
        for *content, state, generation, tx_id, height, proof in cursor
    )


def _attempts(cursor: Cursor, chain: str) -> tuple[AttemptView, ...]:
    cursor.execute(
        """SELECT tx_id, intent_id, generation, bump, signer, slot, state FROM attempt
           WHERE chain = %s ORDER BY stored_no""",
        [chain],
    )
    return tuple(
        AttemptView(
            tx_id=tx_id,
            intent_id=Hash32(intent_id),
            generation=generation,
            bump=bump,
            signer=signer,
            slot=slot,
            state=state,
        )
        for tx_id, intent_id, generation, bump, signer, slot, state in cursor
    )


def _postings(cursor: Cursor, vaults: Sequence[str]) -> tuple[Posting, ...]:
    cursor.execute(
        """SELECT t.source_id, d.vault, d.asset, d.kind, c.kind, t.amount, t.posted_at_ns
           FROM transfer t JOIN account d ON d.account_id = t.debit
           JOIN account c ON c.account_id = t.credit
           WHERE d.vault = ANY(%s) ORDER BY t.posted_no""",
        [list(vaults)],
    )
    return tuple(
        Posting(
            source_id=source_id,
            debit=Account(vault=vault, asset=asset, kind=AccountKind(debit)),
            credit=Account(vault=vault, asset=asset, kind=AccountKind(credit)),
            amount=Atoms(amount),
            posted_at_ns=at_ns,
        )
        for source_id, vault, asset, debit, credit, amount, at_ns in cursor
    )


def _followed(cursor: Cursor, chain: str) -> int:
    cursor.execute("SELECT coalesce(max(height), -1) FROM final_block WHERE chain = %s", [chain])
    row = cursor.fetchone()
    return -1 if row is None else int(row[0])
