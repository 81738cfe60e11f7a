"""Orders of governance: what their bodies say, and the hash chain that holds them together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dmm.governance.policy import POLICY_BYTES_MAX, Policy
from dmm.units.amount import BPS_ONE
from dmm.units.errors import Permanent
from dmm.units.ids import Hash32, canonical_json

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
            order: Order = _policy(fields)
        case "release":
            order = _release(fields)
        case _:
            raise Permanent(f"orders are of family policy or release, got {family!r}")
    if order.canonical_bytes != body:
        raise Permanent(f"the {family} order's body is not in canonical form")
    return order


def _fields(body: bytes) -> dict[str, object]:
    try:
        fields = json.loads(body)
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


def _policy(fields: dict[str, object]) -> Policy:
    names = set(Policy.__dataclass_fields__)
    if set(fields) != names:
        raise Permanent(f"policy fields differ: {sorted(names ^ set(fields))}")
    preset = fields["preset"]
    if not isinstance(preset, str) or not preset:
        raise Permanent(f"preset must be a name, got {preset!r}")
    policy = Policy(preset=preset, **_integers(fields, sorted(names - {"preset"})))
    check_policy(policy)
    return policy


def check_policy(policy: Policy) -> None:
    """Refuse a policy whose limits contradict each other.

    Raises
    ------
    Permanent
        The text names the first contradiction.
    """
    rules: tuple[tuple[bool, str], ...] = (
        (policy.gamma_nano_per_bp > 0, "gamma_nano_per_bp must be > 0"),
        (policy.horizon_s > 0, "horizon_s must be > 0"),
        (policy.refresh_ms > 0, "refresh_ms must be > 0"),
        (policy.kappa_nano_per_bp_min > 0, "kappa_nano_per_bp_min must be > 0"),
        (
            policy.kappa_nano_per_bp_min <= policy.kappa_nano_per_bp_max,
            "kappa_nano_per_bp_min lies above kappa_nano_per_bp_max",
        ),
        (
            policy.sigma_ubps_1s_min <= policy.sigma_ubps_1s_max,
            "sigma_ubps_1s_min lies above sigma_ubps_1s_max",
        ),
        (
            policy.inventory_soft_lots <= policy.inventory_hard_lots,
            "inventory_soft_lots lies above inventory_hard_lots",
        ),
        (policy.buyback_share_bps <= BPS_ONE, f"buyback_share_bps lies above {BPS_ONE}"),
    )
    for holds, what in rules:
        if not holds:
            raise Permanent(f"policy {policy.preset!r}: {what}")


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
