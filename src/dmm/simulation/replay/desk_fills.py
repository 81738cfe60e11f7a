"""What a desk's fills tell it, compiled: `dmm.quoting.fill_watch` over the arrays of a set.

Fills wait a horizon for their markout, then bend the next quotes: toxicity widens, a realised
spread far below the promised one cuts the size, a fill off its reference pauses. Whole numbers as
there; where a product would leave 64 bits it is divided or compared in steps, to the same result.
"""

from __future__ import annotations

from dmm.quoting.fill_watch import (
    DEVIATION_NS,
    JUDGED_MAX,
    JUDGED_MIN,
    PENDING_MAX,
    REALISED_BPS_MAX,
)
from dmm.risk.toxicity import HORIZON_NS
from dmm.simulation.replay.desk_ages import take_age
from dmm.simulation.replay.desk_layout import (
    D_TOXIC_CYCLES,
    D_TOXIC_SUSTAINED,
    D_TOXIC_THRESHOLD,
    D_TOXIC_VENUE,
)
from dmm.simulation.replay.layout import (
    APART_MAX,
    PENDING_PLACES,
    Longs,
    compiled,
)
from dmm.simulation.replay.set_layout import (
    O_HALF,
    O_PLACED_AT,
    PENDING_AT,
    PENDING_COLUMNS,
    PENDING_HALF,
    PENDING_LOTS,
    PENDING_MID,
    PENDING_PRICE,
    PENDING_TOOK,
    S_LAST_MID,
    S_REPORTS_LOST,
    S_WHOLE,
    W_APART,
    W_APART_COUNT,
    W_APARTS,
    W_JUDGED,
    W_JUDGED_COUNT,
    W_JUDGEMENTS,
    W_PENDING,
    W_PENDING_COUNT,
    W_PENDINGS,
    W_REALISED,
    W_THEORETICAL,
    W_TOXIC_CYCLES,
    W_TOXIC_RUN,
)

BPS = 10_000
REALISED_DIGITS = 9
PROMISED_MAX = 2**52
"""What one fill may promise, microticks times lots: 64 of them and a digit more fit 63 bits."""

DEVIATION_DIGITS = 10
"""Decimal digits of a share of one in 1e-6 bps."""

_HORIZON, _DEVIATION = int(HORIZON_NS), int(DEVIATION_NS)


@compiled
def take_fill(
    m: Longs, base: int, order: int, lots: int, price: int, at_ns: int, mid: int, twap: int
) -> None:
    """Note a fill that the desk has heard of.

    Parameters
    ----------
    lots : signed
    at_ns : when it happened
    mid : half ticks, as the desk knew it then; 0 while there was none
    twap : microticks, 0 for none
    """
    if mid > 0:
        m[base + S_LAST_MID] = mid
    took_ns = max(0, at_ns - m[order + O_PLACED_AT])
    take_age(m, base, 2 * took_ns)
    count = m[base + W_PENDING_COUNT]
    if count == PENDING_PLACES:
        m[base + S_REPORTS_LOST] += 1
        return
    place = (m[base + W_PENDING] + count) % PENDING_PLACES
    pending = base + W_PENDINGS + place * PENDING_COLUMNS
    m[pending + PENDING_AT] = at_ns
    m[pending + PENDING_LOTS] = lots
    m[pending + PENDING_PRICE] = price
    m[pending + PENDING_MID] = m[base + S_LAST_MID]
    m[pending + PENDING_TOOK] = took_ns
    m[pending + PENDING_HALF] = m[order + O_HALF]
    m[base + W_PENDING_COUNT] = count + 1
    if twap > 0:
        _take_deviation(m, base, at_ns, scaled(abs(price * 1_000_000 - twap), twap))


@compiled
def scaled(part: int, whole: int) -> int:
    """Return ⌊part·10¹⁰/whole⌋ digit by digit: a share in 1e-6 bps; 0 <= part, 0 < whole < 2^59."""
    share, rest = part // whole, part % whole
    for _ in range(DEVIATION_DIGITS):
        rest *= 10
        share = 10 * share + rest // whole
        rest %= whole
    return int(share)


@compiled
def look(m: Longs, base: int, now_ns: int, mid: int) -> None:
    """Judge the fills whose horizon has passed, and forget deviations that are past.

    Parameters
    ----------
    mid : half ticks, the one a decision is made at; 0 judges nothing
    """
    while mid > 0 and m[base + W_PENDING_COUNT]:
        first = m[base + W_PENDING]
        pending = base + W_PENDINGS + first * PENDING_COLUMNS
        is_due = m[pending + PENDING_AT] + _HORIZON <= now_ns
        if not is_due and m[base + W_PENDING_COUNT] <= PENDING_MAX:
            break
        _judge(m, base, pending, mid)
        count = m[base + W_PENDING_COUNT] - 1
        m[base + W_PENDING_COUNT] = count
        # An empty ring starts from its first place again, so that few places are ever touched.
        m[base + W_PENDING] = (first + 1) % PENDING_PLACES if count else 0
    while m[base + W_APART_COUNT]:
        first = m[base + W_APART]
        if m[base + W_APARTS + 2 * first] > now_ns - _DEVIATION:
            break
        m[base + W_APART] = (first + 1) % APART_MAX
        m[base + W_APART_COUNT] -= 1


@compiled
def _judge(m: Longs, base: int, pending: int, mid: int) -> None:
    whole, lots = base + S_WHOLE, m[pending + PENDING_LOTS]
    before, took_ns = m[pending + PENDING_MID], m[pending + PENDING_TOOK]
    if before > 0:
        adverse = before - mid if lots > 0 else mid - before
        threshold = m[whole + D_TOXIC_THRESHOLD]
        # The score's floor exceeds the threshold if and only if the score reaches one more.
        is_toxic = adverse > 0 and not product_is_less(
            adverse * 1_000_000,
            _HORIZON * m[whole + D_TOXIC_VENUE],
            (threshold + 1) * before,
            max(took_ns, _HORIZON),
        )
        run = 0
        if is_toxic:
            run = min(m[base + W_TOXIC_RUN] + 1, m[whole + D_TOXIC_SUSTAINED])
            if run >= m[whole + D_TOXIC_SUSTAINED]:
                m[base + W_TOXIC_CYCLES] = m[whole + D_TOXIC_CYCLES]
        m[base + W_TOXIC_RUN] = run
    kept = lots * (mid - 2 * m[pending + PENDING_PRICE])
    promised = m[pending + PENDING_HALF] * abs(lots)
    if m[pending + PENDING_HALF] > PROMISED_MAX // abs(lots):
        m[base + S_REPORTS_LOST] += 1
    m[base + W_REALISED] += kept
    m[base + W_THEORETICAL] += promised
    count = m[base + W_JUDGED_COUNT]
    if count == JUDGED_MAX:
        oldest = base + W_JUDGEMENTS + 2 * m[base + W_JUDGED]
        m[base + W_REALISED] -= m[oldest]
        m[base + W_THEORETICAL] -= m[oldest + 1]
        m[oldest], m[oldest + 1] = kept, promised
        m[base + W_JUDGED] = (m[base + W_JUDGED] + 1) % JUDGED_MAX
        return
    m[base + W_JUDGEMENTS + 2 * count] = kept
    m[base + W_JUDGEMENTS + 2 * count + 1] = promised
    m[base + W_JUDGED_COUNT] = count + 1


@compiled
def product_is_less(a: int, b: int, c: int, d: int) -> int:
    """Return 1 when a·b < c·d, each factor from 0 to 2^62: products of up to 124 bits."""
    high, low = _product(a, b)
    other_high, other_low = _product(c, d)
    return 1 if high < other_high or (high == other_high and low < other_low) else 0


@compiled
def _product(a: int, b: int) -> tuple[int, int]:
    """Return a·b as (high, low) in units of 2^62: halves of 31 bits, so that no part overflows."""
    mask = (1 << 31) - 1
    a_high, a_low, b_high, b_low = a >> 31, a & mask, b >> 31, b & mask
    low = a_low * b_low
    middle = a_high * b_low + (low >> 31)
    other = a_low * b_high + (middle & mask)
    return a_high * b_high + (middle >> 31) + (other >> 31), ((other & mask) << 31) | (low & mask)


@compiled
def realised_bps(m: Longs, base: int) -> int:
    """Return the realised over the promised spread, basis points of one, within its bound."""
    # 5·10⁹: microticks in a half tick times basis points of one.
    realised, theoretical = 5 * m[base + W_REALISED], m[base + W_THEORETICAL]
    if m[base + W_JUDGED_COUNT] < JUDGED_MIN or theoretical <= 0:
        return BPS
    share, rest = realised // theoretical, realised % theoretical
    if abs(share) > REALISED_BPS_MAX:
        return REALISED_BPS_MAX if share > 0 else -REALISED_BPS_MAX
    for _ in range(REALISED_DIGITS):
        rest *= 10
        share = 10 * share + rest // theoretical
        rest %= theoretical
    return int(max(-REALISED_BPS_MAX, min(REALISED_BPS_MAX, share)))


# -- deviations ---------------------------------------------------------------------------------


@compiled
def _take_deviation(m: Longs, base: int, at_ns: int, apart: int) -> None:
    """Keep the deviations that can still be the largest of the last seconds."""
    first, count = m[base + W_APART], m[base + W_APART_COUNT]
    while count and m[base + W_APARTS + 2 * ((first + count - 1) % APART_MAX) + 1] <= apart:
        count -= 1
    if count == APART_MAX:
        m[base + S_REPORTS_LOST] += 1
        return
    place = base + W_APARTS + 2 * ((first + count) % APART_MAX)
    m[place], m[place + 1] = at_ns, apart
    m[base + W_APART_COUNT] = count + 1


@compiled
def deviation_ubps(m: Longs, base: int) -> int:
    """Return how far the worst of the last fills lay from its reference, 0 without any."""
    if not m[base + W_APART_COUNT]:
        return 0
    return int(m[base + W_APARTS + 2 * m[base + W_APART] + 1])
