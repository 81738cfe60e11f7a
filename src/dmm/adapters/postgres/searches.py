"""Searches of parameters: what was asked, what pieces found, what was proposed."""

from __future__ import annotations

from psycopg.types.json import Jsonb

from dmm.adapters.postgres.audit_log import append_audit
from dmm.adapters.postgres.runs import Part
from dmm.adapters.postgres.session import Cursor
from dmm.governance.candidate import Candidate
from dmm.ports.research import Proposed, Search
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.ids import Hash32
from dmm.units.time import Nanos

ACTOR = "parameter_search"


class Searches(Part):
    """Implements `ports.research.SearchStore`."""

    def open_search(self, search: Search) -> Search:
        """Record a search, or return the one already recorded under its id."""
        return self._session.transact(lambda cursor: _open(cursor, search))

    def search(self, search_id: str) -> Search:
        """Return a search; `UsageFault` if there is none of that id."""
        return self._session.transact(lambda cursor: _search(cursor, search_id))

    def add_piece(self, search_id: str, number: int, *, digest: Hash32, body: bytes) -> bool:
        """Keep the results of a piece; False when they were kept before.

        Raises
        ------
        InvariantBroken
            If that piece was kept with other results.
        """
        return self._session.transact(
            lambda cursor: _add_piece(cursor, search_id, number, digest, body)
        )

    def pieces_done(self, search_id: str) -> list[int]:
        """Return the numbers of the pieces that were kept, rising."""
        return self._session.transact(lambda cursor: _pieces_done(cursor, search_id))

    def piece(self, search_id: str, number: int) -> bytes:
        """Return what was kept of a piece; `UsageFault` if nothing was."""
        return self._session.transact(lambda cursor: _piece(cursor, search_id, number))

    def record_candidate(self, candidate: Candidate, *, now_ns: Nanos) -> bool:
        """Record a proposal and append it to the audit log; False when it was there before."""
        return self._session.transact(lambda cursor: _record(cursor, candidate, now_ns))

    def candidates(self, *, limit: int) -> list[Proposed]:
        """Return proposals, the latest first."""
        return self._session.transact(lambda cursor: _candidates(cursor, limit))


def _open(cursor: Cursor, search: Search) -> Search:
    cursor.execute(
        """INSERT INTO parameter_search (search_id, spec, pieces, opened_at_ns)
           VALUES (%s, %s, %s, %s) ON CONFLICT (search_id) DO NOTHING""",
        [search.search_id, Jsonb(search.spec), search.pieces, search.opened_at_ns],
    )
    return _search(cursor, search.search_id)


def _search(cursor: Cursor, search_id: str) -> Search:
    cursor.execute(
        "SELECT spec, pieces, opened_at_ns FROM parameter_search WHERE search_id = %s", [search_id]
    )
    row = cursor.fetchone()
    if row is None:
        raise UsageFault(f"no search {search_id!r}: open it first")
    return Search(
        search_id=search_id, spec=row[0], pieces=int(row[1]), opened_at_ns=Nanos(int(row[2]))
    )


def _add_piece(cursor: Cursor, search_id: str, number: int, digest: Hash32, body: bytes) -> bool:
    cursor.execute(
        """INSERT INTO parameter_search_piece (search_id, number, digest, body)
           VALUES (%s, %s, %s, %s) ON CONFLICT (search_id, number) DO NOTHING""",
        [search_id, number, digest, body],
    )
    if cursor.rowcount:
        return True
    cursor.execute(
        "SELECT digest FROM parameter_search_piece WHERE search_id = %s AND number = %s",
        [search_id, number],
    )
    row = cursor.fetchone()
    if row is None or bytes(row[0]) != digest:
        raise InvariantBroken(
            f"piece {number} of search {search_id[:12]} came to other results than before: the "
            "replay is not the same program on every machine; search anew with one version"
        )
    return False


def _pieces_done(cursor: Cursor, search_id: str) -> list[int]:
    cursor.execute(
        "SELECT number FROM parameter_search_piece WHERE search_id = %s ORDER BY number",
        [search_id],
    )
    return [int(number) for (number,) in cursor]


def _piece(cursor: Cursor, search_id: str, number: int) -> bytes:
    cursor.execute(
        "SELECT body FROM parameter_search_piece WHERE search_id = %s AND number = %s",
        [search_id, number],
    )
    row = cursor.fetchone()
    if row is None:
        raise UsageFault(f"piece {number} of search {search_id!r} was not kept: run it")
    return bytes(row[0])


def _record(cursor: Cursor, candidate: Candidate, now_ns: Nanos) -> bool:
    cursor.execute(
        """INSERT INTO policy_candidate (candidate_id, search_id, body, proposed_at_ns)
           VALUES (%s, %s, %s, %s) ON CONFLICT (candidate_id) DO NOTHING""",
        [candidate.candidate_id, candidate.search_id, Jsonb(candidate.body), now_ns],
    )
    if not cursor.rowcount:
        return False
    append_audit(
        cursor,
        ACTOR,
        "propose_policy",
        {
            "candidate_id": candidate.candidate_id.hex(),
            "search_id": candidate.search_id,
            "policy_hash": candidate.policy.policy_hash.hex(),
            "replaces": candidate.replaces.hex(),
        },
        now_ns,
    )
    return True


def _candidates(cursor: Cursor, limit: int) -> list[Proposed]:
    cursor.execute(
        """SELECT body, proposed_at_ns FROM policy_candidate
           ORDER BY proposed_at_ns DESC, candidate_id LIMIT %s""",
        [limit],
    )
    return [
        Proposed(candidate=Candidate.from_body(body), proposed_at_ns=Nanos(int(at_ns)))
        for body, at_ns in cursor
    ]
