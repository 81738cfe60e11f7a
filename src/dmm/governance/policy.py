"""Policy: what only an executed order may change; canonical bytes, hash chained."""

from __future__ import annotations

from dataclasses import dataclass

from dmm.units.ids import Hash32, Json, canonical_json, content_id

POLICY_BYTES_MAX = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One approved set of limits, floors and bands; integers only.

    Scales: `…_ubps` is in millionths of a basis point of mid (1 bp = 1_000_000), `…_nano_per_bp` is
    per basis point of mid times 1e9, `sigma_…_1s` is over one second, shares are in basis points,
    inventory and sizes in lots.
    """

    preset: str
    gamma_nano_per_bp: int
    kappa_nano_per_bp_min: int
    kappa_nano_per_bp_max: int
    sigma_ubps_1s_min: int
    sigma_ubps_1s_max: int
    horizon_s: int
    spread_floor_ubps: int
    skew_beta_ubps: int
    inventory_soft_lots: int
    inventory_hard_lots: int
    quote_size_lots: int
    refresh_ms: int
    hedge_threshold_lots: int
    reward_budget_atoms: int
    buyback_share_bps: int
    buyback_budget_atoms_max: int
    drawdown_atoms_max: int

    @property
    def canonical_bytes(self) -> bytes:
        """Return the bytes that governance signs and the chain carries, at most 4,096."""
        body: dict[str, Json] = {
            name: getattr(self, name) for name in sorted(type(self).__dataclass_fields__)
        }
        return canonical_json(body)

    @property
    def policy_hash(self) -> Hash32:
        """Return the id of these bytes."""
        return content_id("dmm/policy/v1", self.canonical_bytes)
