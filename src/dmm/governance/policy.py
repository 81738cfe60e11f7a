"""Policy: what only an executed order may change; canonical bytes, hash chained.

What may stand in one, and within which range, is said in `dmm.governance.policy_rules`.
"""

from __future__ import annotations

from dataclasses import dataclass

from dmm.units.amount import BPS_ONE
from dmm.units.ids import Hash32, Json, canonical_json, content_id

POLICY_BYTES_MAX = 4_096

BP_UBPS = 1_000_000
"""One basis point of mid, in the scale of `…_ubps`."""

PER_BP_NANO = 1_000_000_000
"""One per basis point of mid, in the scale of `…_nano_per_bp`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One approved set of limits, floors and bands; integers and a few names only.

    Scales: `…_ubps` is in millionths of a basis point of mid (1 bp = 1_000_000), `…_nano_per_bp` is
    per basis point of mid times 1e9, `sigma_…_1s` is over one second, `…_bps` are shares in
    hundredths of a percent (10_000 = one), inventory and sizes in lots. The defaults of the later
    fields change nothing: shares of one, widenings and cushions of nought.

    Limits: `inventory_soft_lots` and `inventory_hard_lots` bound the long side; the `…_short_bps`
    give the short side's as a share of them. Where a circulating float is governed (`float_lots`
    above 0) neither may exceed its share of that float.

    Risk aversion: `gamma_calm_bps` of γ holds while |inventory| is at most `gamma_calm_until_bps`
    of the soft limit, then it rises to γ at the soft limit and to `gamma_hard_bps` of it at the
    hard one.

    Floor: `spread_floor_ubps` is the whole floor of the full spread; of it `floor_fee_ubps` covers
    the fees of both legs and `floor_gas_ubps` is the gas cushion, which a gas spike raises up to
    `floor_gas_ubps_max`. While σ is at most `sigma_calm_ubps_1s` and the inventory balanced, what
    is neither fees nor gas is cut by `floor_calm_cut_ubps`, never below 0.

    Skew: both quotes shift by `skew_beta_ubps` · f(inventory / soft limit); beyond
    `skew_near_from_bps` of the soft limit a pull joins that reaches `skew_near_spread_bps` of the
    full spread at the soft limit.

    Refresh: every `refresh_ms`, stretched by the gas price over its baseline up to
    `gas_stretch_bps_max`; from `gas_spike_bps` of the baseline on, tiers shrink to `gas_size_bps`.
    An order moves when its target lies further away than `hysteresis_bps` of the half-spread plus
    `replace_cost_ubps`.

    Toxicity: `toxicity_sustained` fills in a row whose score, times the venue's coefficient
    `toxicity_venue_bps`, lies above `toxicity_threshold_ubps` widen the half-spread by
    `toxicity_tau_bps` of itself for `toxicity_cycles` decisions.

    Breakers: `spike_widening_bps` is k while volatility is above its band, and above
    `spike_pause_bps` of the band's top the desk pauses; fills may lie `fill_deviation_ubps_max`
    from the TWAP, a reference price `venue_gap_ubps_max` from the mid;
    below `realised_spread_bps_min` of the theoretical spread the size falls to `size_cut_bps`;
    `quote_age_percentile_bps` is the percentile of the time to fill beyond which an order is stale;
    no half-spread or shift may exceed `guard_bps` of the mid.

    Fair value: the method, the weights of a blend, the book levels of `depth`, and how much wider a
    quote stands when nothing confirms its price.
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
    model: str = "as2008"
    fair_value: str = "mid"
    skew: str = "linear"
    inventory_soft_short_bps: int = BPS_ONE
    inventory_hard_short_bps: int = BPS_ONE
    float_lots: int = 0
    float_soft_bps: int = 400
    float_hard_bps: int = 600
    gamma_calm_bps: int = BPS_ONE
    gamma_calm_until_bps: int = 3_000
    gamma_hard_bps: int = BPS_ONE
    sigma_calm_ubps_1s: int = 0
    floor_calm_cut_ubps: int = 0
    floor_fee_ubps: int = 0
    floor_gas_ubps: int = 0
    floor_gas_ubps_max: int = 0
    skew_near_from_bps: int = 5_000
    skew_near_spread_bps: int = 0
    tier_inner_bps: int = 2_500
    tier_middle_bps: int = 5_000
    tier_outer_bps: int = 2_500
    tier_step_bps: int = 5_000
    gas_spike_bps: int = 20_000
    gas_stretch_bps_max: int = BPS_ONE
    gas_size_bps: int = BPS_ONE
    hysteresis_bps: int = 1_250
    replace_cost_ubps: int = 0
    toxicity_threshold_ubps: int = BP_UBPS
    toxicity_tau_bps: int = 0
    toxicity_cycles: int = 0
    toxicity_sustained: int = 3
    toxicity_venue_bps: int = BPS_ONE
    spike_widening_bps: int = 15_000
    spike_pause_bps: int = 100 * BPS_ONE
    fill_deviation_ubps_max: int = 1_000 * BP_UBPS
    venue_gap_ubps_max: int = 1_000 * BP_UBPS
    realised_spread_bps_min: int = 5_000
    size_cut_bps: int = 5_000
    quote_age_percentile_bps: int = 9_000
    guard_bps: int = 1_000
    fair_levels: int = 5
    fair_mid_bps: int = BPS_ONE
    fair_micro_bps: int = 0
    fair_depth_bps: int = 0
    fair_vwap_bps: int = 0
    fair_twap_bps: int = 0
    fair_reference_bps: int = 0
    fair_doubt_bps: int = 0

    @property
    def body(self) -> dict[str, Json]:
        """Return every field by its name."""
        return {name: getattr(self, name) for name in type(self).__dataclass_fields__}

    def __hash__(self) -> int:
        # Of a few fields: every quote looks up by its policy what follows from that alone.
        return hash((self.gamma_nano_per_bp, self.spread_floor_ubps, self.quote_size_lots))

    @property
    def canonical_bytes(self) -> bytes:
        """Return the bytes that governance signs and the chain carries, at most 4,096."""
        return canonical_json(self.body)

    @property
    def policy_hash(self) -> Hash32:
        """Return the id of these bytes."""
        return content_id("dmm/policy/v1", self.canonical_bytes)

    @property
    def soft_long_lots(self) -> int:
        """Return the inventory from which the desk leans against being longer, in lots, > 0."""
        return self._soft(self.inventory_soft_lots)

    @property
    def soft_short_lots(self) -> int:
        """Return the same for being shorter, in lots, > 0."""
        return self._soft(self.inventory_soft_lots * self.inventory_soft_short_bps // BPS_ONE)

    @property
    def hard_long_lots(self) -> int:
        """Return the inventory the desk never exceeds, in lots, > 0."""
        return self._hard(self.inventory_hard_lots)

    @property
    def hard_short_lots(self) -> int:
        """Return the short inventory the desk never exceeds, in lots, > 0."""
        return self._hard(self.inventory_hard_lots * self.inventory_hard_short_bps // BPS_ONE)

    def _soft(self, lots: int) -> int:
        if self.float_lots:
            lots = min(lots, self.float_lots * self.float_soft_bps // BPS_ONE)
        return max(1, lots)

    def _hard(self, lots: int) -> int:
        if self.float_lots:
            lots = min(lots, self.float_lots * self.float_hard_bps // BPS_ONE)
        return max(1, lots)
