"""The desk's parameters in a set: the number of every column."""

from __future__ import annotations

QUOTING, WIDENED, ONE_SIDED, PAUSED, HALTED = range(5)
"""Postures by severity; a replay knows no others."""

FAIR_MID, FAIR_MICRO = 0, 1
"""Fair values a replay can compute."""

(
    D_SIZE,
    D_GAMMA,
    D_KAPPA_MIN,
    D_KAPPA_MAX,
    D_SIGMA_MIN,
    D_SIGMA_MAX,
    D_SIGMA_CALM,
    D_CALM_UNTIL,
    D_FLOOR,
    D_FLOOR_CALM,
    D_BETA,
    D_SOFT_LONG,
    D_SOFT_SHORT,
    D_HARD_LONG,
    D_HARD_SHORT,
    D_SIDE_SIZE,
    D_TIER_MIDDLE,
    D_TIER_OUTER,
    D_MODEL,
    D_SKEW,
    D_FAIR,
    D_DRAWDOWN_MAX,
    D_PAUSE_SHARE,
    D_ADOPTED_SIGMA,
    D_ADOPTED_KAPPA,
    D_ARRIVAL_BID,
    D_ARRIVAL_ASK,
    D_REPLACE_COST,
    D_HORIZON_S,
    D_REFRESH,
    D_SIDE_SIZE_CUT,
    D_REALISED_MIN,
    D_TOXIC_THRESHOLD,
    D_TOXIC_CYCLES,
    D_TOXIC_SUSTAINED,
    D_TOXIC_VENUE,
    D_AGE_PERCENTILE,
    D_DEVIATION_MAX,
    D_COLUMNS,
) = range(39)
"""Whole parameters, in the policy's own scales; adopted estimates are `NONE` for online ones;
`D_REFRESH` in ns."""

(
    G_NEAR_FROM,
    G_NEAR_GAIN,
    G_SOFT_LONG,
    G_SOFT_SHORT,
    G_PER_SOFT_LONG,
    G_PER_SOFT_SHORT,
    G_PER_SPAN_LONG,
    G_PER_SPAN_SHORT,
    G_PER_LOT,
    G_HARD_UNITS,
    G_CALM_SHARE,
    G_CALM_UNTIL,
    G_CALM_RISE,
    G_HARD_SHARE,
    G_GUARD,
    G_WIDENING,
    G_WIDENED,
    G_TOXIC,
    G_TOXIC_WIDENED,
    G_TIER_STEP,
    G_HYSTERESIS,
    G_COLUMNS,
) = range(22)
"""Real parameters: what `quote_prices` wants from `near_from` on, then shares of one and the four
widenings, the last two while flow is toxic."""
