"""What every store promises about searches: by content, once, and never other results."""

from __future__ import annotations

import pytest
import trading_values
from research_values import MemorySearches

from dmm.adapters.postgres.store import PostgresStore
from dmm.governance.candidate import Candidate
from dmm.ports.research import Proposed, Search, SearchStore
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.ids import ZERO_HASH, Hash32
from dmm.units.time import Nanos

SEARCH = Search(
    search_id="5a" * 32,
    spec={"base": {"drawdown_atoms_max": 10**30}, "sets": [["{}", {}]], "is_in_force": True},
    pieces=3,
    opened_at_ns=Nanos(1_700),
)
DIGEST = Hash32(bytes(range(32)))


@pytest.fixture(params=["postgres", "memory"])
def searches(request: pytest.FixtureRequest) -> SearchStore:
    found: SearchStore = (
        MemorySearches() if request.param == "memory" else request.getfixturevalue("store")
    )
    return found


def candidate(effect: str = "profit by +3") -> Candidate:
    return Candidate(
        search_id=SEARCH.search_id,
        symbol="ETHUSDT",
        policy=trading_values.policy(),
        replaces=ZERO_HASH,
        changes={"refresh_ms": [500, 250]},
        standing="promotable",
        reasons=("all passed",),
        effect=effect,
        figures={"profit": ["3.5", "1.25", "6.0", "atoms"]},
    )


def test_what_was_never_opened_is_refused(searches: SearchStore) -> None:
    with pytest.raises(UsageFault, match="no search"):
        searches.search("7b" * 32)
    with pytest.raises(UsageFault, match="was not kept"):
        searches.piece("7b" * 32, 0)
    assert searches.pieces_done("7b" * 32) == []


def test_opening_again_returns_the_first(searches: SearchStore) -> None:
    assert searches.open_search(SEARCH) == SEARCH
    later = Search(
        search_id=SEARCH.search_id, spec=SEARCH.spec, pieces=3, opened_at_ns=Nanos(9_999)
    )
    assert searches.open_search(later) == SEARCH
    assert searches.search(SEARCH.search_id) == SEARCH


def test_a_piece_is_kept_once_and_never_with_other_results(searches: SearchStore) -> None:
    searches.open_search(SEARCH)
    assert searches.add_piece(SEARCH.search_id, 2, digest=DIGEST, body=b"\x00results")
    # The same content may be compressed otherwise.
    assert not searches.add_piece(SEARCH.search_id, 2, digest=DIGEST, body=b"\x01results")
    assert searches.piece(SEARCH.search_id, 2) == b"\x00results"
    with pytest.raises(InvariantBroken, match="other results"):
        searches.add_piece(SEARCH.search_id, 2, digest=Hash32(bytes(32)), body=b"else")
    searches.add_piece(SEARCH.search_id, 0, digest=DIGEST, body=b"first")
    assert searches.pieces_done(SEARCH.search_id) == [0, 2]


def test_a_proposal_is_recorded_once_and_read_back_whole(searches: SearchStore) -> None:
    searches.open_search(SEARCH)
    assert searches.record_candidate(candidate(), now_ns=Nanos(5))
    assert not searches.record_candidate(candidate(), now_ns=Nanos(6))
    assert searches.record_candidate(candidate("profit by +4"), now_ns=Nanos(7))
    first = Proposed(candidate=candidate(), proposed_at_ns=Nanos(5))
    second = Proposed(candidate=candidate("profit by +4"), proposed_at_ns=Nanos(7))
    assert searches.candidates(limit=9) == [second, first]
    assert searches.candidates(limit=1) == [second]


def test_a_proposal_stands_in_the_audit_log_and_no_policy_changes(store: PostgresStore) -> None:
    store.open_search(SEARCH)
    store.record_candidate(candidate(), now_ns=Nanos(5))
    assert store.policy_head() is None
    rows = store._session.transact(
        lambda cursor: cursor.execute("SELECT actor, action, body FROM audit_log").fetchall()
    )
    ((actor, action, body),) = rows
    assert (actor, action) == ("parameter_search", "propose_policy")
    assert body["candidate_id"] == candidate().candidate_id.hex()
    assert body["policy_hash"] == trading_values.policy().policy_hash.hex()
