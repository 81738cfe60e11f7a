"""What a set hears of its orders, and when; compiled."""

from __future__ import annotations

from dmm.simulation.replay.desk_fills import take_fill
from dmm.simulation.replay.layout import (
    ORDERS_MAX,
    REPORTS_MAX,
    V_BUSY,
    V_COLUMNS,
    V_STIRRED,
    Longs,
    compiled,
    woven,
)
from dmm.simulation.replay.set_layout import (
    A_COLUMNS,
    A_KNOWN_CASH,
    A_KNOWN_INVENTORY,
    DESK,
    FREE,
    O_KNOWN_LEFT,
    O_SET,
    O_STATE,
    O_VENUE,
    R_AT,
    R_CASH,
    R_COLUMNS,
    R_ENDED,
    R_HEARD_AT,
    R_LOTS,
    R_MID,
    R_ORDER,
    R_PRICE,
    R_TWAP,
    S_ACCOUNTS,
    S_COUNT,
    S_DUE,
    S_FREE,
    S_GROUP,
    S_HEARD_AT,
    S_IS_BUSY,
    S_LINE,
    S_LINK,
    S_NEXT_AT,
    S_POLICY,
    S_QUIET,
    S_REPORT_COUNT,
    S_REPORT_FIRST,
    S_REPORTS,
    S_REPORTS_LOST,
    S_STIR_LINK,
    S_STIRRED,
    S_TOLD,
)


@compiled
def tell(
    m: Longs, venues: Longs, order: int, heard_ns: int, lots: int, cash: int, ended: int,
    at_ns: int, price: int, told: tuple[int, int, int],
) -> None:  # fmt: skip
    """Report to a set: what its next decision will know is noted at once, the rest waits.

    Parameters
    ----------
    heard_ns : when the desk hears it; never before an earlier report
    lots : signed lots filled
    cash : signed cash after fees, atoms
    ended : 1 when the order is over
    at_ns, price : of a fill
    told : what the desk's own rule knows by then (columns `TOLD_…`)
    """
    base = m[order + O_SET]
    heard_ns = max(heard_ns, m[base + S_HEARD_AT])
    m[base + S_HEARD_AT] = heard_ns
    is_desk = m[base + S_POLICY] == DESK
    if is_desk:
        next_ns = m[base + S_NEXT_AT]
    else:
        next_ns = venues[0, V_COLUMNS + m[base + S_GROUP]]
        wake(m, venues, base)
    if heard_ns <= next_ns:
        _note(m, order, lots, cash, ended, at_ns, price, told[1], told[2])
        if is_desk and lots:
            _stir(m, venues, base, heard_ns, told[0])
        return
    count = m[base + S_REPORT_COUNT]
    if count == REPORTS_MAX:
        m[base + S_REPORTS_LOST] += 1
        return
    at = (m[base + S_REPORT_FIRST] + count) % REPORTS_MAX
    report = base + S_REPORTS + at * R_COLUMNS
    m[report + R_HEARD_AT] = heard_ns
    m[report + R_ORDER] = order
    m[report + R_LOTS] = lots
    m[report + R_CASH] = cash
    m[report + R_ENDED] = ended
    if is_desk:
        m[report + R_AT] = at_ns
        m[report + R_PRICE] = price
        m[report + R_MID] = told[1]
        m[report + R_TWAP] = told[2]
    m[base + S_REPORT_COUNT] = count + 1


@woven
def wake(m: Longs, venues: Longs, base: int) -> None:
    """Put a set whose decisions are laid out among those that are looked at each time."""
    if not m[base + S_IS_BUSY] and m[base + S_POLICY] != DESK:
        m[base + S_IS_BUSY] = 1
        m[base + S_LINK] = venues[0, V_BUSY]
        venues[0, V_BUSY] = base


@woven
def _stir(m: Longs, venues: Longs, base: int, heard_ns: int, index: int) -> None:
    """Let a desk decide anew with the first message after a fill is heard of."""
    m[base + S_DUE] = min(m[base + S_DUE], heard_ns)
    if m[base + S_STIRRED]:
        m[base + S_TOLD] = min(m[base + S_TOLD], index)
        return
    m[base + S_STIRRED] = 1
    m[base + S_TOLD] = index
    m[base + S_STIR_LINK] = venues[0, V_STIRRED]
    venues[0, V_STIRRED] = base


@compiled
def hear(m: Longs, base: int, now_ns: int) -> None:
    """Note every report that has reached the desk by now."""
    while m[base + S_REPORT_COUNT]:
        first = m[base + S_REPORT_FIRST]
        report = base + S_REPORTS + first * R_COLUMNS
        if m[report + R_HEARD_AT] > now_ns:
            return
        m[base + S_REPORT_COUNT] -= 1
        # An empty ring begins anew in its first place, which is near the processor.
        following = first + 1 if first + 1 < REPORTS_MAX else 0
        m[base + S_REPORT_FIRST] = following if m[base + S_REPORT_COUNT] else 0
        _note(
            m, m[report + R_ORDER], m[report + R_LOTS], m[report + R_CASH], m[report + R_ENDED],
            m[report + R_AT], m[report + R_PRICE], m[report + R_MID], m[report + R_TWAP],
        )  # fmt: skip


@woven
def _note(
    m: Longs, order: int, lots: int, cash: int, ended: int, at_ns: int, price: int, mid: int,
    twap: int,
) -> None:  # fmt: skip
    base = m[order + O_SET]
    if lots and m[base + S_POLICY] == DESK:
        take_fill(m, base, order, lots, price, at_ns, mid, twap)
    m[base + S_QUIET] = 0
    account = base + S_ACCOUNTS + m[order + O_VENUE] * A_COLUMNS
    m[account + A_KNOWN_INVENTORY] += lots
    m[account + A_KNOWN_CASH] += cash
    m[order + O_KNOWN_LEFT] -= abs(lots)
    if not ended:
        return
    m[order + O_STATE] = FREE
    count = m[base + S_COUNT] - 1
    place = base + S_LINE
    while m[place] != order:
        place += 1
    for later in range(place, base + S_LINE + count):
        m[later] = m[later + 1]
    m[base + S_COUNT] = count
    m[base + S_FREE + ORDERS_MAX - 1 - count] = order
