"""Orders of governance: what their bodies say, and the hash chain that holds them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dmm.governance.policy import POLICY_BYTES_MAX, Policy
from dmm.governance.policy_rules import policy_of, validated
from dmm.units.errors import Permanent
from dmm.units.ids import Hash32, canonical_json
from dmm.units.json_text import parse_json

FAMILY_POLICY = "policy"
FAMILY_RELEASE = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Releases one kill, and only that one."""

    kill_id: int

    @property
    def canonical_bytes(self) -> bytes:
        """Return the bytes that governance signs."""
        return canonical_json({"kill_id": self.kill_id})


Order: TypeAlias = Policy | Release


def read_order(*, family: str, body: bytes) -> Order:
    """Read an order's body; only the canonical bytes of a sound order pass.

    Raises
    ------
    Permanent
        If family, form or a value is wrong; the text names it.
    """
    if len(body) > POLICY_BYTES_MAX:
        raise Permanent(f"an order's body has {len(body)} bytes, at most {POLICY_BYTES_MAX}")
    fields = _fields(body)
    match family:
        case "policy":
            order: Order = policy_of(fields)
        case "release":
            order = _release(fields)
        case _:
            raise Permanent(f"orders are of family policy or release, got {family!r}")
    if order.canonical_bytes != body:
        raise Permanent(f"the {family} order's body is not in canonical form")
    return order


def _fields(body: bytes) -> dict[str, object]:
    try:
        fields = parse_json(body)
    except ValueError as fault:
        raise Permanent(f"an order's body is not JSON: {fault}") from fault
    if not isinstance(fields, dict):
        raise Permanent(f"an order's body must be an object, got {type(fields).__name__}")
    return fields


def _integers(fields: dict[str, object], names: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        value = fields.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise Permanent(f"{name} must be an integer >= 0, got {value!r}")
        found[name] = value
    return found


def _release(fields: dict[str, object]) -> Release:
    if set(fields) != {"kill_id"}:
        raise Permanent(f"a release holds kill_id alone, got {sorted(fields)}")
    return Release(**_integers(fields, ["kill_id"]))


def check_policy(policy: Policy) -> None:
    """Refuse a policy that `validated` refuses.

    Raises
    ------
    Permanent
        The text names the field, its value and what is allowed.
    """
    validated(policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One executed order as a link: its place, the head before it and the head it made."""

    sequence: int
    previous_head: Hash32
    head: Hash32


def broken_link(links: Sequence[Link]) -> str | None:
    """Return why executed orders are no gapless chain from sequence 1, or None when they are."""
    for index, link in enumerate(links):
        if link.sequence != index + 1:
            return f"order {index + 1} is missing: found order {link.sequence} in its place"
        if index > 0 and link.previous_head != links[index - 1].head:
            return f"order {link.sequence} does not extend the head of order {link.sequence - 1}"
        if link.head == link.previous_head:
            return f"order {link.sequence} leaves the head as it was"
    return None
