"""Double-entry accounts; the schema moves totals and refuses overdrafts."""

from __future__ import annotations

from collections.abc import Sequence

from dmm.adapters.postgres.runs import Part
from dmm.adapters.postgres.session import Cursor
from dmm.ledger.account import Account
from dmm.ledger.journal import Posting
from dmm.units.amount import Atoms
from dmm.units.errors import InvariantBroken


class Ledger(Part):
    """Implements `ports.LedgerStore`."""

    def post(self, postings: Sequence[Posting]) -> int:
        """Post all or nothing; a source already posted with the same content is skipped.

        Same content means debit, credit and amount: the time of a repeat is another.
        Returns the number newly posted.

        Raises
        ------
        InvariantBroken
            If a source is known with other content, or an account would be overdrawn.
        """
        return self._session.transact(lambda cursor: post(cursor, postings))

    def balance(self, account: Account) -> Atoms:
        """Return credits − debits; 0 for an account never used."""
        return self._session.transact(lambda cursor: _balance(cursor, account))

    def balances(self, vault: str | None = None) -> dict[str, Atoms]:
        """Return balances by account id."""
        return self._session.transact(lambda cursor: _balances(cursor, vault))


def post(cursor: Cursor, postings: Sequence[Posting]) -> int:
    """Post within the caller's transaction; see `Ledger.post`."""
    if not postings:
        return 0
    _lock_accounts(cursor, postings)
    cursor.execute(
        "SELECT source_id, debit, credit, amount FROM transfer WHERE source_id = ANY(%s)",
        [[posting.source_id for posting in postings]],
    )
    known = {source_id: content for source_id, *content in cursor}
    new: list[Posting] = []
    for posting in postings:
        content = [posting.debit.account_id, posting.credit.account_id, posting.amount]
        if posting.source_id not in known:
            known[posting.source_id] = content
            new.append(posting)
        elif known[posting.source_id] != content:
            raise InvariantBroken(
                f"source {posting.source_id} is posted as {known[posting.source_id]}, not {content}"
            )
    if new:
        _insert(cursor, new)
    return len(new)


def _insert(cursor: Cursor, new: Sequence[Posting]) -> None:
    """Insert transfers in one statement: its trigger moves each account once."""
    cursor.execute(
        """INSERT INTO transfer (transfer_id, source_id, debit, credit, amount, posted_at_ns)
           SELECT transfer_id, source_id, debit, credit, amount, posted_at_ns
           FROM unnest(%s::bytea[], %s::text[], %s::text[], %s::text[], %s::numeric[], %s::bigint[])
             WITH ORDINALITY t (transfer_id, source_id, debit, credit, amount, posted_at_ns, place)
           ORDER BY place""",
        [
            [posting.transfer_id for posting in new],
            [posting.source_id for posting in new],
            [posting.debit.account_id for posting in new],
            [posting.credit.account_id for posting in new],
            [posting.amount for posting in new],
            [posting.posted_at_ns for posting in new],
        ],
    )


def _lock_accounts(cursor: Cursor, postings: Sequence[Posting]) -> None:
    """Make and lock the accounts in one order everywhere: no deadlock, and repeats are seen."""
    sides = [side for posting in postings for side in (posting.debit, posting.credit)]
    accounts = {account.account_id: account for account in sides}
    if _lock(cursor, sorted(accounts)) < len(accounts):
        _make(cursor, [accounts[account_id] for account_id in sorted(accounts)])
        _lock(cursor, sorted(accounts))


def _lock(cursor: Cursor, ids: Sequence[str]) -> int:
    """Lock those that are there; return how many."""
    cursor.execute(
        """SELECT account_id FROM account WHERE account_id = ANY(%s)
           ORDER BY account_id FOR NO KEY UPDATE""",
        [ids],
    )
    return cursor.rowcount


def _make(cursor: Cursor, accounts: Sequence[Account]) -> None:
    cursor.executemany(
        """INSERT INTO account (account_id, vault, asset, kind, may_overdraw)
           VALUES (%s, %s, %s, %s, %s) ON CONFLICT (account_id) DO NOTHING""",
        [
            (one.account_id, one.vault, one.asset, one.kind.value, one.may_overdraw)
            for one in accounts
        ],
    )


def _balance(cursor: Cursor, account: Account) -> Atoms:
    cursor.execute(
        "SELECT credits - debits FROM account WHERE account_id = %s", [account.account_id]
    )
    row = cursor.fetchone()
    return Atoms(0) if row is None else Atoms(row[0])


def _balances(cursor: Cursor, vault: str | None) -> dict[str, Atoms]:
    cursor.execute(
        """SELECT account_id, credits - debits FROM account
           WHERE %(vault)s::text IS NULL OR vault = %(vault)s ORDER BY account_id""",
        {"vault": vault},
    )
    return {account_id: Atoms(atoms) for account_id, atoms in cursor}
