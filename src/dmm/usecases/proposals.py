"""What searches have proposed, and what governance has made of it.

Nothing is stored about an answer: a proposal is accepted when its policy was executed on chain
after it was made, and open while what it would replace is still in force. What the multisig
executed is the only thing that counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dmm.ports import ControlStore, PolicyRecord
from dmm.ports.research import Proposed, SearchStore

PROPOSALS_MAX = 100
"""Proposals shown, the latest first."""

POLICIES_MAX = 1_000
"""Executed policies looked at, the latest first."""


class ProposalState(StrEnum):
    """Where a proposal stands."""

    OPEN = "open"
    """What it would replace is in force."""
    ACCEPTED = "accepted"
    """Its policy was executed after it was made."""
    SUPERSEDED = "superseded"
    """Another policy was: its effect was measured against what no longer holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A proposal with its state; `sequence` is of the order that accepted or superseded it."""

    proposed: Proposed
    state: ProposalState
    sequence: int | None


def proposals(*, searches: SearchStore, controls: ControlStore) -> list[Proposal]:
    """Return the latest proposals, the latest first."""
    executed = controls.policies(limit=POLICIES_MAX)
    return [_judged(one, executed) for one in searches.candidates(limit=PROPOSALS_MAX)]


def _judged(proposed: Proposed, executed: Sequence[PolicyRecord]) -> Proposal:
    """Return a proposal's state; `executed` are all policies, the latest first."""
    candidate = proposed.candidate
    own, replaces = candidate.policy.policy_hash, candidate.replaces
    later = [one for one in executed if one.adopted_at_ns > proposed.proposed_at_ns]
    accepted = next((one for one in later if one.policy.policy_hash == own), None)
    if accepted is not None:
        return Proposal(proposed=proposed, state=ProposalState.ACCEPTED, sequence=accepted.sequence)
    head = executed[0] if executed else None
    if head is None or head.policy.policy_hash == replaces:
        return Proposal(proposed=proposed, state=ProposalState.OPEN, sequence=None)
    return Proposal(proposed=proposed, state=ProposalState.SUPERSEDED, sequence=head.sequence)
