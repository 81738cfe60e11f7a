"""A policy that a search proposes: what governance may sign, and what speaks for it.

A proposal changes nothing. Its policy comes into force when the multisig executes it as an order,
as any other policy does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from dmm.governance.policy import Policy
from dmm.governance.policy_rules import policy_of
from dmm.units.errors import Permanent
from dmm.units.ids import Hash32, Json, canonical_json, content_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A proposed policy.

    Parameters
    ----------
    search_id : the search it won
    symbol : of the instrument it was searched on
    policy : what would come into force; its canonical bytes are the order's body
    replaces : hash of the policy in force then
    changes : field by field, the value in force and the proposed one
    standing, reasons : of the verdict
    effect : what it would have changed over the recordings, with intervals, in a sentence
    figures : the same, every number as text
    """

    search_id: str
    symbol: str
    policy: Policy
    replaces: Hash32
    changes: dict[str, list[Json]]
    standing: str
    reasons: tuple[str, ...]
    effect: str
    figures: dict[str, Json]

    @property
    def body(self) -> dict[str, Json]:
        """Return the proposal as canonical JSON values."""
        return {
            "search_id": self.search_id,
            "symbol": self.symbol,
            "policy": self.policy.body,
            "replaces": self.replaces.hex(),
            "changes": {name: list(pair) for name, pair in self.changes.items()},
            "standing": self.standing,
            "reasons": list(self.reasons),
            "effect": self.effect,
            "figures": self.figures,
        }

    @property
    def candidate_id(self) -> Hash32:
        """Return the id of the whole proposal."""
        return content_id("dmm/candidate/v1", canonical_json(self.body))

    @classmethod
    def from_body(cls, body: dict[str, Json]) -> Candidate:
        """Read what `body` wrote.

        Raises
        ------
        Permanent
            If a field is missing or the policy is not sound.
        """
        known = cast("dict[str, Any]", body)
        try:
            return cls(
                search_id=str(known["search_id"]),
                symbol=str(known["symbol"]),
                policy=policy_of(known["policy"]),
                replaces=Hash32(bytes.fromhex(known["replaces"])),
                changes={name: list(pair) for name, pair in known["changes"].items()},
                standing=str(known["standing"]),
                reasons=tuple(known["reasons"]),
                effect=str(known["effect"]),
                figures=dict(known["figures"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Permanent(f"a proposal's body is not whole: {error!r}") from error


def changes_between(before: Policy, after: Policy) -> dict[str, list[Json]]:
    """Return the fields in which two policies differ, each with both values."""
    return {
        name: [value, after.body[name]]
        for name, value in before.body.items()
        if after.body[name] != value
    }
