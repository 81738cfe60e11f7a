"""``dmm settle``: what is on its way, and what governance has decided about what is in doubt."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from dmm.bootstrap import Desk
from dmm.entrypoints.control import operator, running_desk
from dmm.ports import Chain
from dmm.settlement.intent import IntentState
from dmm.units.errors import Retryable, UsageFault
from dmm.units.ids import Hash32, Json
from dmm.usecases import quarantine
from dmm.usecases.dispatch import kill_is_complete


def run_status(*, state: Path | None, as_json: bool) -> None:
    """Print open intents, those in quarantine, live slots, and whether a kill is complete."""
    with running_desk(state) as desk:
        latch = desk.store.latch()
        chains: dict[str, Json] = {name: _status(desk, name) for name in desk.chains()}
    killed = latch is not None and latch.killed
    if as_json:
        typer.echo(json.dumps({"killed": killed, "chains": chains}))
        return
    typer.echo(f"killed: {json.dumps(killed)}")
    for name, status in chains.items():
        typer.echo(f"{name}: {json.dumps(status)}")


def _status(desk: Desk, name: str) -> dict[str, Json]:
    counts: dict[str, Json] = {}
    doubt: list[Json] = []
    for intent, intent_state in desk.store.intents():
        if intent.chain != name:
            continue
        count = counts.get(intent_state.value, 0)
        counts[intent_state.value] = (count if isinstance(count, int) else 0) + 1
        if intent_state is IntentState.QUARANTINED:
            doubt.append(intent.intent_id.hex())
    adopt = desk.store.adopt_only(name)
    return {
        "intents": counts,
        "in_quarantine": doubt,
        "live_slots": len(desk.store.live_slots(name)),
        "adopt_only_until_s": None if adopt is None else adopt.until_s,
        "nothing_can_move": _nothing_can_move(desk, name),
    }


def _nothing_can_move(desk: Desk, name: str) -> bool | None:
    """Tell whether what is signed on a chain can move nothing any more; None while it is silent."""
    try:
        return kill_is_complete(store=desk.store, chain=desk.chain(name))
    except Retryable:
        return None


def run_release(*, intent: str, state: Path | None) -> None:
    """End an intent's quarantine by the order that governance executed for it."""
    intent_id = _intent_id(intent)
    with running_desk(state) as desk:
        new = quarantine.release_quarantined(
            store=desk.store,
            chain=_chain_of(desk, intent_id),
            clock=desk.clock,
            intent_id=intent_id,
            operator=operator(),
            home=desk.chain(),
        )
    typer.echo(f"intent {intent} is {new.value} now")


def run_reverse(*, intent: str, state: Path | None) -> None:
    """Undo a payment that the chain took back below finality, by the order executed for it."""
    intent_id = _intent_id(intent)
    with running_desk(state) as desk:
        done = quarantine.reverse_payment(
            store=desk.store,
            chain=_chain_of(desk, intent_id),
            clock=desk.clock,
            intent_id=intent_id,
            operator=operator(),
            home=desk.chain(),
        )
    typer.echo(f"intent {intent}: {'its postings are undone' if done else 'undone before'}")


def _chain_of(desk: Desk, intent_id: Hash32) -> Chain:
    for intent, _ in desk.store.intents():
        if intent.intent_id == intent_id:
            return desk.chain(intent.chain)
    raise UsageFault(f"no intent {intent_id.hex()} is known: see dmm settle status")


def _intent_id(text: str) -> Hash32:
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise UsageFault(f"an intent's id is 64 hex digits, got {text!r}: see dmm settle status")
    return Hash32(raw)
