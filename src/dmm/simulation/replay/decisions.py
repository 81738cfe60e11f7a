"""Decisions laid out before the pass, of every policy but the desk's own; compiled."""

from __future__ import annotations

from dmm.simulation.replay.desk import known_drawdown
from dmm.simulation.replay.layout import (
    ENTRY_AT,
    ENTRY_GROUP,
    ENTRY_NEXT_AT,
    ENTRY_SAME,
    ENTRY_STALE,
    ENTRY_VENUES,
    NONE,
    SAME_PRICES,
    SEEN_ASK,
    SEEN_BID,
    V_BUSY,
    V_COLUMNS,
    V_STRIDE,
    Floats,
    Longs,
    compiled,
    woven,
)
from dmm.simulation.replay.orders import cancel_all
from dmm.simulation.replay.policies import glft_grid, hedge, hummingbot, script, symmetric
from dmm.simulation.replay.reports import hear, wake
from dmm.simulation.replay.set_layout import (
    HUMMINGBOT,
    S_GROUP,
    S_IS_BUSY,
    S_LAST_MID,
    S_LINK,
    S_PENDING,
    S_POLICY,
    S_QUIET,
    S_REFUSED,
    S_REPORT_COUNT,
    S_SENT,
    SCRIPT,
    SYMMETRIC,
)


@compiled
def decide_all(
    m: Longs,
    f: Floats,
    venues: Longs,
    entries: Longs,
    estimates: Floats,
    actions: Longs,
    entry: int,
) -> None:
    """Let every set of a cadence decide, or cancel where the feed went stale.

    Where a decision sees what the one before saw, only sets that are busy are looked at: with
    messages or answers under way, or something heard since.
    """
    group = entries[entry, ENTRY_GROUP]
    venues[0, V_COLUMNS + group] = entries[entry, ENTRY_NEXT_AT]
    if not entries[entry, ENTRY_SAME] or entries[entry, ENTRY_STALE]:
        for base in range(0, m.size, venues[0, V_STRIDE]):
            if m[base + S_GROUP] == group:
                _turn(m, f, venues, entries, estimates, actions, base, entry)
                if not _is_idle(m, base):
                    wake(m, venues, base)
        return
    before, base = NONE, venues[0, V_BUSY]
    while base != NONE:
        following = m[base + S_LINK]
        if m[base + S_GROUP] == group:
            _turn(m, f, venues, entries, estimates, actions, base, entry)
        if not _is_idle(m, base):
            before = base
        else:
            m[base + S_IS_BUSY] = 0
            if before == NONE:
                venues[0, V_BUSY] = following
            else:
                m[before + S_LINK] = following
        base = following


@woven
def _is_idle(m: Longs, base: int) -> bool:
    """Return whether a set would do nothing at a decision that sees what the last one saw."""
    under_way = m[base + S_PENDING] + m[base + S_REPORT_COUNT]
    return bool(m[base + S_QUIET] and not under_way)


@woven
def _turn(
    m: Longs, f: Floats, venues: Longs, entries: Longs, estimates: Floats, actions: Longs,
    base: int, entry: int,
) -> None:  # fmt: skip
    if m[base + S_REPORT_COUNT]:
        hear(m, base, entries[entry, ENTRY_AT])
    if entries[entry, ENTRY_STALE]:
        cancel_all(m, base, entry)
        m[base + S_QUIET] = 0
    elif not 0 < m[base + S_QUIET] <= entries[entry, ENTRY_SAME]:
        _decide(m, f, venues, entries, estimates, actions, base, entry)


@woven
def _decide(
    m: Longs,
    f: Floats,
    venues: Longs,
    entries: Longs,
    estimates: Floats,
    actions: Longs,
    base: int,
    entry: int,
) -> None:
    before = m[base + S_SENT] + m[base + S_REFUSED], m[base + S_PENDING]
    policy = m[base + S_POLICY]
    if policy == SCRIPT:
        script(m, entries, actions, base, entry)
    else:
        _decide_other(m, f, venues, entries, estimates, base, entry)
    after = m[base + S_SENT] + m[base + S_REFUSED], m[base + S_PENDING]
    # This one reads nothing but the prices the entry shows and what the set knows.
    m[base + S_QUIET] = SAME_PRICES if policy == SYMMETRIC and before == after else 0


@woven
def _decide_other(
    m: Longs,
    f: Floats,
    venues: Longs,
    entries: Longs,
    estimates: Floats,
    base: int,
    entry: int,
) -> None:
    bid, ask = entries[entry, ENTRY_VENUES + SEEN_BID], entries[entry, ENTRY_VENUES + SEEN_ASK]
    if not 0 < bid < ask:
        cancel_all(m, base, entry)
        return
    m[base + S_LAST_MID] = bid + ask
    known_drawdown(m, venues, base, bid + ask)
    policy = m[base + S_POLICY]
    if policy == SYMMETRIC:
        symmetric(m, f, entries, base, entry)
    elif policy == HUMMINGBOT:
        hummingbot(m, f, entries, estimates, base, entry)
    else:
        glft_grid(m, f, entries, estimates, base, entry)
    hedge(m, entries, base, entry)
