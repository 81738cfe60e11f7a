"""How old an order may grow, compiled: `dmm.risk.quote_age` over the arrays of a set."""

from __future__ import annotations

from dmm.risk.quote_age import SAMPLES_MAX, SAMPLES_MIN
from dmm.simulation.replay.desk_layout import (
    D_AGE_PERCENTILE,
)
from dmm.simulation.replay.layout import (
    Longs,
    compiled,
)
from dmm.simulation.replay.set_layout import (
    S_WHOLE,
    W_AGE_IS_KNOWN,
    W_AGE_MAX,
    W_AGES,
    W_AGES_COUNT,
    W_AGES_FILLS,
    W_AGES_LATEST,
    W_AGES_ORDERED,
)

BPS = 10_000


@compiled
def take_pulled(m: Longs, base: int, age_ns: int) -> None:
    """Take the age at which an order was pulled for its age."""
    take_age(m, base, 2 * age_ns + 1)


@compiled
def take_age(m: Longs, base: int, sample: int) -> None:
    """Take a sample, twice an age and one more for a pulled order, so that fills sort first."""
    count, latest, ordered = m[base + W_AGES_COUNT], base + W_AGES_LATEST, base + W_AGES_ORDERED
    if count == SAMPLES_MAX:
        place = m[base + W_AGES]
        oldest = m[latest + place]
        m[base + W_AGES_FILLS] -= 1 - (oldest & 1)
        m[latest + place] = sample
        m[base + W_AGES] = (place + 1) % SAMPLES_MAX
        count -= 1
        at = ordered
        while m[at] != oldest:
            at += 1
        for later in range(at, ordered + count):
            m[later] = m[later + 1]
    else:
        m[latest + count] = sample
        m[base + W_AGES_COUNT] = count + 1
    at = ordered + count
    while at > ordered and m[at - 1] > sample:
        m[at] = m[at - 1]
        at -= 1
    m[at] = sample
    m[base + W_AGES_FILLS] += 1 - (sample & 1)
    m[base + W_AGE_IS_KNOWN] = 0


@compiled
def age_ns_max(m: Longs, base: int) -> int:
    """Return the age beyond which an order is stale, 0 while there is no telling.

    The percentile of the product-limit estimate, as in `dmm.risk.quote_age`.
    """
    percentile = m[base + S_WHOLE + D_AGE_PERCENTILE]
    if percentile >= BPS or m[base + W_AGES_FILLS] < SAMPLES_MIN:
        return 0
    if not m[base + W_AGE_IS_KNOWN]:
        m[base + W_AGE_IS_KNOWN] = 1
        m[base + W_AGE_MAX] = 0
        survival, at_risk = 1.0, m[base + W_AGES_COUNT]
        enough = (BPS - percentile) / BPS + 1e-12
        for at in range(base + W_AGES_ORDERED, base + W_AGES_ORDERED + at_risk):
            if not m[at] & 1:
                survival *= (at_risk - 1) / at_risk
                if survival <= enough:
                    m[base + W_AGE_MAX] = m[at] >> 1
                    break
            at_risk -= 1
    return int(m[base + W_AGE_MAX])
