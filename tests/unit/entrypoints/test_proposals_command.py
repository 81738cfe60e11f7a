"""``dmm proposals`` lists what searches proposed and what governance made of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from journal_memory import MemoryJournal
from research_values import MemorySearches
from trading_values import policy
from typer.testing import CliRunner, Result

from dmm.entrypoints import proposals as entrypoint
from dmm.entrypoints.cli import app
from dmm.governance.candidate import Candidate, changes_between
from dmm.governance.policy import Policy
from dmm.governance.proposal import read_order
from dmm.ports import PolicyRecord
from dmm.units.ids import ZERO_HASH, Hash32, content_id
from dmm.units.time import NS_PER_S, Nanos

OLD = policy()
NEW = replace(OLD, refresh_ms=OLD.refresh_ms * 2)
OTHER = replace(OLD, refresh_ms=OLD.refresh_ms * 3)


class Journal:
    """A journal in memory with policies and searches."""

    def __init__(self) -> None:
        self.journal, self.searches = MemoryJournal(), MemorySearches()
        self.head: Hash32 = ZERO_HASH

    def __getattr__(self, name: str) -> Any:
        return getattr(self.searches if name == "candidates" else self.journal, name)

    def execute(self, of: Policy, *, at_s: int) -> None:
        """Put a policy in force, as an executed order would."""
        sequence = len(self.journal.policies(limit=99))
        head = content_id("test", sequence)
        self.journal.append_policy(
            PolicyRecord(
                sequence=sequence,
                policy=of,
                previous_head=self.head,
                head=head,
                chain="evm",
                height=sequence,
                tx_id="",
                adopted_at_ns=Nanos(at_s * NS_PER_S),
            )
        )
        self.head = head

    def propose(self, of: Policy, *, at_s: int, replaces: Policy = OLD) -> Candidate:
        made = Candidate(
            search_id="5a" * 32,
            symbol="ETHUSDT",
            policy=of,
            replaces=replaces.policy_hash,
            changes=changes_between(replaces, of),
            standing="promotable",
            reasons=("all passed",),
            effect="It would have changed profit by +4 atoms (95 %: +1 to +7).",
            figures={"profit": ["4.0", "1.0", "7.0", "atoms"]},
        )
        self.searches.record_candidate(made, now_ns=Nanos(at_s * NS_PER_S))
        return made


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> Journal:
    made = Journal()
    made.execute(OLD, at_s=1_000)

    @contextmanager
    def journal_of(_state: Path | None) -> Iterator[Any]:
        yield made

    monkeypatch.setattr(entrypoint, "journal_of", journal_of)
    return made


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["proposals", *words])


def listed() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(run("--json").stdout)
    return rows


def test_without_a_proposal_it_says_where_one_comes_from(journal: Journal) -> None:
    del journal
    assert "no proposals: the flow parameter_search makes one" in run().stdout
    assert listed() == []


def test_a_proposal_is_shown_with_winner_effect_and_how_to_adopt_it(journal: Journal) -> None:
    made = journal.propose(NEW, at_s=1_700_000_000)
    own = made.candidate_id.hex()
    text = run().stdout
    assert f"{own[:12]}  open  ETHUSDT, 2023-11-14 22:13 UTC" in text
    assert f"refresh_ms: {OLD.refresh_ms} → {NEW.refresh_ms}" in text
    assert "profit by +4 atoms (95 %: +1 to +7)" in text
    assert f"dmm proposals {own[:12]} --body" in text
    (row,) = listed()
    assert (row["id"], row["state"], row["order_sequence"]) == (own, "open", None)
    assert row["figures"] == {"profit": ["4.0", "1.0", "7.0", "atoms"]}


def test_the_body_is_exactly_the_order_that_governance_takes(journal: Journal) -> None:
    made = journal.propose(NEW, at_s=2_000)
    written = run(made.candidate_id.hex()[:6], "--body").stdout.encode()
    assert read_order(family="policy", body=written) == NEW
    (row,) = listed()
    assert row["order"] == {"chain": "evm", "family": "policy", "body": written.decode()}


def test_what_the_multisig_executed_decides_what_became_of_a_proposal(journal: Journal) -> None:
    journal.propose(NEW, at_s=2_000)
    journal.propose(OTHER, at_s=2_001)
    journal.execute(NEW, at_s=3_000)
    # The winner of the next week starts from what is in force now.
    journal.propose(OLD, at_s=4_000, replaces=NEW)
    states = [(row["state"], row["order_sequence"]) for row in listed()]
    assert states == [("open", None), ("superseded", 1), ("accepted", 1)]
    assert "to adopt" in run().stdout
    journal.execute(OTHER, at_s=5_000)
    states = [(row["state"], row["order_sequence"]) for row in listed()]
    assert states == [("superseded", 2), ("accepted", 2), ("accepted", 1)]
    assert "to adopt" not in run().stdout


def test_an_earlier_order_of_the_same_policy_accepts_nothing(journal: Journal) -> None:
    journal.execute(NEW, at_s=1_500)
    journal.execute(OLD, at_s=1_600)
    journal.propose(NEW, at_s=2_000)
    assert [row["state"] for row in listed()] == ["open"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--body"], "--body is of one proposal"),
        (["abc"], "at least 6 characters"),
        (["abcdef"], "no proposal begins with 'abcdef'"),
    ],
)
def test_a_proposal_that_is_not_named_well_is_refused(
    journal: Journal, words: list[str], reason: str
) -> None:
    journal.propose(NEW, at_s=2_000)
    done = run(*words)
    assert done.exit_code == 2
    assert reason in done.stderr
