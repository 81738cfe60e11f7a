"""``dmm proposals``: what searches have proposed, and the order that would put one in force."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import typer

from dmm.entrypoints.journal import PREFIX_MIN, journal_of
from dmm.governance.proposal import FAMILY_POLICY
from dmm.units.chain import HOME_CHAIN
from dmm.units.errors import UsageFault
from dmm.units.ids import Json
from dmm.units.time import NS_PER_S
from dmm.usecases.proposals import Proposal, ProposalState, proposals


def run_proposals(name: str | None, *, body: bool, state: Path | None, as_json: bool) -> None:
    """Print proposals, or the body of the order that would put one in force.

    Parameters
    ----------
    name : a proposal's id or its beginning; None for all
    body : write the order's bytes and nothing else

    Raises
    ------
    UsageFault
        If no proposal, or more than one, is meant.
    """
    if body and name is None:
        raise UsageFault("--body is of one proposal: name it, `dmm proposals` lists them")
    with journal_of(state) as store:
        found = proposals(searches=store, controls=store)
    if name is not None:
        found = [_named(found, name)]
    if body:
        # Exactly what is to be executed: no line end follows.
        sys.stdout.write(found[0].proposed.candidate.policy.canonical_bytes.decode())
        sys.stdout.flush()
        return
    if as_json:
        typer.echo(json.dumps([to_json(one) for one in found]))
        return
    if not found:
        typer.echo("no proposals: the flow parameter_search makes one when a set is promotable")
    for one in found:
        _print(one)


def to_json(proposal: Proposal) -> dict[str, Json]:
    """Return a proposal as plain values."""
    candidate = proposal.proposed.candidate
    changes: dict[str, Json] = {name: list(pair) for name, pair in candidate.changes.items()}
    return {
        "id": candidate.candidate_id.hex(),
        "search_id": candidate.search_id,
        "symbol": candidate.symbol,
        "proposed_at_ns": proposal.proposed.proposed_at_ns,
        "state": proposal.state.value,
        "order_sequence": proposal.sequence,
        "changes": changes,
        "standing": candidate.standing,
        "reasons": list(candidate.reasons),
        "effect": candidate.effect,
        # Change, low and high of the 95 % interval, unit.
        "figures": candidate.figures,
        "policy_hash": candidate.policy.policy_hash.hex(),
        "replaces": candidate.replaces.hex(),
        "order": {
            "chain": HOME_CHAIN,
            "family": FAMILY_POLICY,
            "body": candidate.policy.canonical_bytes.decode(),
        },
    }


def _named(found: list[Proposal], name: str) -> Proposal:
    if len(name) < PREFIX_MIN:
        raise UsageFault(f"proposal {name!r}: give at least {PREFIX_MIN} characters of its id")
    own = [one for one in found if one.proposed.candidate.candidate_id.hex().startswith(name)]
    if len(own) != 1:
        many = "more than one proposal begins" if own else "no proposal begins"
        raise UsageFault(f"{many} with {name!r}: `dmm proposals` lists them")
    return own[0]


def _print(proposal: Proposal) -> None:
    candidate = proposal.proposed.candidate
    own = candidate.candidate_id.hex()
    at_s = proposal.proposed.proposed_at_ns // NS_PER_S
    day = datetime.fromtimestamp(at_s, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
    by = "" if proposal.sequence is None else f" by order {proposal.sequence}"
    typer.echo(f"{own[:12]}  {proposal.state.value}{by}  {candidate.symbol}, {day}")
    typer.echo(f"  search   {candidate.search_id[:12]}, {candidate.standing.replace('_', ' ')}")
    for name, (old, new) in candidate.changes.items():
        typer.echo(f"  winner   {name}: {old} → {new}")
    typer.echo(f"  effect   {candidate.effect or 'not known'}")
    if proposal.state is ProposalState.OPEN:
        typer.echo(
            f"  to adopt: `dmm proposals {own[:12]} --body > body`, and the owners execute it on "
            f"{HOME_CHAIN} as an order of family {FAMILY_POLICY}, on a local chain by "
            "`dmm gov policy --body body`; nothing changes before that"
        )
