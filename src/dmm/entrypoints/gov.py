"""``dmm gov policy``: another policy for the running desk, by an order that is executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import typer

from dmm.bootstrap import Desk
from dmm.entrypoints.control import running_desk, state_folder
from dmm.governance.candidate import changes_between
from dmm.governance.policy import POLICY_BYTES_MAX, Policy
from dmm.governance.proposal import FAMILY_POLICY, read_order
from dmm.ports import PolicyRecord
from dmm.quoting.presets import Preset, VenueKind
from dmm.sandbox.demo_program import (
    demo_policy,
    market_of,
    opening_book,
    preset_of,
    venue_in_force,
    venue_of,
)
from dmm.sandbox.state import RUN_FOLDER
from dmm.units.chain import HOME_CHAIN
from dmm.units.errors import Permanent, ServiceFault, UsageFault
from dmm.units.ids import Json
from dmm.usecases.epoch import policy_in_force


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPreset:
    """A preset by name; `venue` None is the kind that the policy in force was made for."""

    preset: Preset
    venue: VenueKind | None = None


Wanted: TypeAlias = WantedPreset | bytes
"""A preset, or the bytes of an order."""


def run_gov_policy(
    *, preset: str | None, venue: str | None, body: Path | None, state: Path | None, as_json: bool
) -> None:
    """Have two of the three DEMO owners execute a policy, and wait until the desk adopted it.

    Raises
    ------
    UsageFault
        If the call names no policy or two, or the policy changes nothing or would not be adopted.
    ServiceFault
        If no desk runs, the chain refuses the order, or the order is not adopted in time.
    """
    from dmm.sandbox.demo_governance import DemoGovernance
    from dmm.sandbox.evm.actors import Actors

    wanted = wanted_policy(preset=preset, venue=venue, body=body)
    with running_desk(state) as desk:
        before = policy_in_force(desk.store)
        policy = policy_for(desk, wanted, before=before)
        changes = changes_between(before.policy, policy)
        if not as_json:
            _print_changes(before, policy, changes)
        actors = Actors.of(state_folder(state) / RUN_FOLDER / HOME_CHAIN)
        governance = DemoGovernance(desk=desk, actors=actors)
        sequence, tx_id = governance.execute_policy(policy)
        if not as_json:
            typer.echo(f"order {sequence} executed on {HOME_CHAIN} by transaction {tx_id}")
        governance.wait_final(sequence)
        governance.hint(sequence)
        governance.wait_in_force(sequence)
    if as_json:
        told: dict[str, Json] = {
            "sequence": sequence,
            "tx_id": tx_id,
            "preset": policy.preset,
            "policy_hash": policy.policy_hash.hex(),
            "replaces": before.policy.policy_hash.hex(),
            "changes": {name: list(pair) for name, pair in changes.items()},
        }
        typer.echo(json.dumps(told))
        return
    typer.echo("it is final and adopted: the worker quotes by it from its next epoch")


def wanted_policy(*, preset: str | None, venue: str | None, body: Path | None) -> Wanted:
    """Return what a call asks for.

    Raises
    ------
    UsageFault
        If it names no policy or two, an unknown one, or a file that cannot be read.
    """
    if preset is not None and body is not None:
        raise UsageFault("--preset and --body name two policies: leave one out")
    if preset is not None:
        kind = None if venue is None else venue_of(venue)
        return WantedPreset(preset=preset_of(preset), venue=kind)
    if venue is not None:
        raise UsageFault("--venue goes with --preset: a body holds every field itself")
    if body is None:
        raise UsageFault("no policy is named: --preset NAME, or --body FILE")
    return _bytes_of(body)


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            # One byte more than an order may have shows that it has too many.
            return file.read(POLICY_BYTES_MAX + 1)
    except OSError as error:
        raise UsageFault(
            f"{path} cannot be read ({error.strerror}): `dmm proposals ID --body > FILE` writes one"
        ) from error


def policy_for(desk: Desk, wanted: Wanted, *, before: PolicyRecord) -> Policy:
    """Return the policy to execute: one that changes something, and that the desk will adopt.

    A preset is scaled to the market as the latest run found it, so the same preset is the same
    policy all through a run.

    Raises
    ------
    UsageFault
        If it is the one in force, or adoption would refuse it.
    ServiceFault
        If no run has a market to scale a preset to.
    Permanent
        If a preset is no sound policy on a market of that size.
    """
    body = wanted if isinstance(wanted, bytes) else _preset_body(desk, wanted, before.policy)
    try:
        policy = _read(body)
    except Permanent as fault:
        raise UsageFault(f"the desk would not adopt this policy: {fault}") from fault
    if policy.policy_hash == before.policy.policy_hash:
        raise UsageFault(
            f"policy {policy.preset} is in force already, by order {before.sequence}: nothing "
            "would change"
        )
    return policy


def _read(body: bytes) -> Policy:
    """Read an order's body as its adoption will; `Permanent` says what is wrong with it."""
    order = read_order(family=FAMILY_POLICY, body=body)
    if not isinstance(order, Policy):
        raise Permanent(f"an order of family {FAMILY_POLICY} holds a policy, got {order!r}")
    return order


def _preset_body(desk: Desk, wanted: WantedPreset, before: Policy) -> bytes:
    runs = desk.store.runs(limit=1)
    if not runs:
        raise ServiceFault("the desk has no run yet: ask again when its worker has begun to quote")
    feed = market_of(runs[0])
    policy = demo_policy(
        feed.instrument,
        opening_book(feed),
        preset=wanted.preset,
        venue=wanted.venue or venue_in_force(before),
    )
    return policy.canonical_bytes


def _print_changes(before: PolicyRecord, policy: Policy, changes: Mapping[str, list[Json]]) -> None:
    typer.echo(f"policy {policy.preset} for {before.policy.preset} of order {before.sequence}")
    for name, (old, new) in changes.items():
        typer.echo(f"  {name}: {old} → {new}")
