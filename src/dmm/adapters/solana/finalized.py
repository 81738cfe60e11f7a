"""What a node says at, or after, one finalized block that it must have."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from solders.pubkey import Pubkey

from dmm.adapters.solana.node import FINALIZED, Block, NoAnswer, Node
from dmm.ports import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What lies at an address at a slot; without an account `owner` is None and there is no data.

    Nodes tell accounts of their present slot of a commitment only, never of an earlier one.
    """

    slot: int
    owner: Pubkey | None
    data: bytes


def anchored(node: Node, at: Snapshot) -> Block:
    """Return the snapshot's finalized block; `NoAnswer` from a node that has another one there."""
    block = node.block(at.finalized_height)
    if block.block_hash != at.finalized_hash:
        raise NoAnswer(f"node {node.name} has another block in slot {at.finalized_height}")
    return block


def held(node: Node, address: str, *, slot_min: int, commitment: str = FINALIZED) -> Held:
    """Return what lies at an address at the node's slot of a commitment, not below `slot_min`.

    Raises
    ------
    NoAnswer
        If the node answers from an earlier slot, or with what is no account.
    """
    answer = node.call("getAccountInfo", address, _config(slot_min, commitment))
    return _read(node, answer, slot_min, lambda body: [body])[0]


def held_many(
    node: Node, addresses: Sequence[str], *, slot_min: int, commitment: str
) -> list[Held]:
    """Return what lies at addresses, all at one slot of a commitment; otherwise as `held`."""
    answer = node.call("getMultipleAccounts", list(addresses), _config(slot_min, commitment))
    found = _read(node, answer, slot_min, list)
    if len(found) != len(addresses):
        raise NoAnswer(f"node {node.name} answers other accounts than were asked for")
    return found


def _config(slot_min: int, commitment: str) -> dict[str, object]:
    return {"encoding": "base64", "commitment": commitment, "minContextSlot": slot_min}


def _read(
    node: Node, answer: Any, slot_min: int, bodies_of: Callable[[Any], list[Any]]
) -> list[Held]:
    try:
        slot = int(answer["context"]["slot"])
        if slot < slot_min:
            raise NoAnswer(f"node {node.name} answers from before slot {slot_min}")
        return [_held(slot, body) for body in bodies_of(answer["value"])]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise NoAnswer(f"node {node.name} answers an account that is none: {error}") from error


def _held(slot: int, body: Any) -> Held:
    if body is None:
        return Held(slot=slot, owner=None, data=b"")
    return Held(
        slot=slot,
        owner=Pubkey.from_string(body["owner"]),
        data=base64.b64decode(body["data"][0]),
    )
