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
    SAME_PRICES,
    SEEN_ASK,
    SEEN_BID,
    V_STRIDE,
    Floats,
    Longs,
    compiled,
)
from dmm.simulation.replay.orders import cancel_all
from dmm.simulation.replay.policies import glft_grid, hedge, hummingbot, script, symmetric
from dmm.simulation.replay.reports import hear
from dmm.simulation.replay.set_layout import (
    HUMMINGBOT,
    S_DECISIONS,
    S_GROUP,
    S_LAST_MID,
    S_NEXT_AT,
    S_PENDING,
    S_POLICY,
    S_QUIET,
    S_REFUSED,
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
    """Let every set of a cadence decide, or cancel where the feed went stale."""
    group, same = entries[entry, ENTRY_GROUP], entries[entry, ENTRY_SAME]
    for base in range(0, m.size, venues[0, V_STRIDE]):
        if m[base + S_GROUP] != group:
            continue
        hear(m, base, entries[entry, ENTRY_AT])
        if entries[entry, ENTRY_STALE]:
            cancel_all(m, base, entry)
            m[base + S_QUIET] = 0
        else:
            m[base + S_DECISIONS] += 1
            if not 0 < m[base + S_QUIET] <= same:
                _decide(m, f, venues, entries, estimates, actions, base, entry)
        m[base + S_NEXT_AT] = entries[entry, ENTRY_NEXT_AT]


@compiled
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


@compiled
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
