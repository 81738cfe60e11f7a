"""When each set of the desk's own rule acts next, and what it does then; compiled.

Such a set decides with the first message `refresh` after its last decision and at once after a fill
of its own, so its times are its own and cannot be laid out before. Every set therefore stands on an
agenda under the message before which it acts next: a chain of sets for each message, so that a
message without any costs one look. Sets never touch each other; their order in a chain is nothing.
"""

from __future__ import annotations

from dmm.simulation.replay.desk_turns import (
    arrive_desk,
    decide_desk,
    first_at,
    look_ahead,
    silence_desk,
)
from dmm.simulation.replay.layout import (
    BREAK_AT,
    BREAK_KIND,
    BREAK_POSITION,
    BREAK_STALE,
    H_AT,
    H_POSITION,
    NEVER_NS,
    NONE,
    V_STIRRED,
    V_STRIDE,
    Floats,
    Ints,
    Longs,
    compiled,
)
from dmm.simulation.replay.set_layout import (
    BATCH_AT,
    BATCH_COLUMNS,
    BATCH_POSITION,
    DESK,
    S_BATCH_COUNT,
    S_BATCH_FIRST,
    S_BREAK,
    S_DUE,
    S_INDEX,
    S_LINK,
    S_LINK_BEFORE,
    S_NEXT_AT,
    S_POLICY,
    S_POSITION,
    S_STIR_LINK,
    S_STIRRED,
    S_TOLD,
    W_BATCHES,
)


@compiled
def open_agenda(m: Longs, venues: Longs, agenda: Longs, feed: Longs, breaks: Longs) -> None:
    """Put every set of the desk's own rule under its first decision."""
    for base in range(0, m.size, venues[0, V_STRIDE]):
        if m[base + S_POLICY] == DESK:
            look_ahead(m, feed, breaks, base, 0)
            _link(m, agenda, feed, breaks, base)


@compiled
def act(
    m: Longs, f: Floats, levels: Longs, venues: Longs, tiers: Longs, prices: Longs, rank: Ints,
    views: Longs, fills: Longs, messages: Longs, shown: Longs, powers: Floats, agenda: Longs,
    feed: Longs, market: Longs, breaks: Longs, way: Longs, position: int, before_ns: int,
) -> None:  # fmt: skip
    """Let the sets under a message do what they do before it, and before an instant."""
    base = agenda[position]
    agenda[position] = NONE
    while base != NONE:
        following = m[base + S_LINK]
        while _position(m, feed, breaks, base) <= position:
            at_ns, kind = _next(m, feed, breaks, base)
            if at_ns >= before_ns:
                break
            if kind == ARRIVING:
                arrive_desk(
                    m, f, levels, venues, tiers, prices, rank, views, fills, messages, shown,
                    powers, market, base,
                )  # fmt: skip
            elif kind == GOING_STALE:
                silence_desk(m, feed, market, breaks, way, base, at_ns)
            else:
                decide_desk(m, f, venues, feed, market, breaks, way, base)
        _link(m, agenda, feed, breaks, base)
        base = following


@compiled
def stir(m: Longs, venues: Longs, agenda: Longs, feed: Longs, breaks: Longs) -> None:
    """Bring forward the decisions of sets that hear of a fill."""
    base = venues[0, V_STIRRED]
    venues[0, V_STIRRED] = NONE
    while base != NONE:
        m[base + S_STIRRED] = 0
        index = first_at(feed, m[base + S_TOLD], m[base + S_DUE])
        if index < m[base + S_INDEX]:
            m[base + S_INDEX] = index
            m[base + S_NEXT_AT] = feed[index, H_AT]
            _unlink(m, agenda, base)
            _link(m, agenda, feed, breaks, base)
        base = m[base + S_STIR_LINK]


# -- what comes next ----------------------------------------------------------------------------

ARRIVING, GOING_STALE, DECIDING = 0, 1, 2


@compiled
def _next(m: Longs, feed: Longs, breaks: Longs, base: int) -> tuple[int, int]:
    """Return when a set acts next, and how; what arrives at an instant comes first."""
    at_ns, kind = m[base + S_NEXT_AT], DECIDING
    row = m[base + S_BREAK]
    if breaks[row, BREAK_KIND] == BREAK_STALE and breaks[row, BREAK_AT] <= at_ns:
        at_ns, kind = breaks[row, BREAK_AT], GOING_STALE
    if m[base + S_BATCH_COUNT]:
        batch = base + W_BATCHES + m[base + S_BATCH_FIRST] * BATCH_COLUMNS
        if m[batch + BATCH_AT] <= at_ns:
            at_ns, kind = m[batch + BATCH_AT], ARRIVING
    return int(at_ns), kind


@compiled
def _position(m: Longs, feed: Longs, breaks: Longs, base: int) -> int:
    """Return before which message a set acts next; beyond any when it never does."""
    position = NEVER_NS
    if m[base + S_INDEX] < len(feed):
        position = feed[m[base + S_INDEX], H_POSITION]
    row = m[base + S_BREAK]
    if breaks[row, BREAK_KIND] == BREAK_STALE:
        position = min(position, breaks[row, BREAK_POSITION])
    if m[base + S_BATCH_COUNT]:
        batch = base + W_BATCHES + m[base + S_BATCH_FIRST] * BATCH_COLUMNS
        position = min(position, m[batch + BATCH_POSITION])
    return int(position)


@compiled
def _link(m: Longs, agenda: Longs, feed: Longs, breaks: Longs, base: int) -> None:
    position = _position(m, feed, breaks, base)
    m[base + S_POSITION] = NONE
    if position >= len(agenda):
        return
    head = agenda[position]
    m[base + S_POSITION] = position
    m[base + S_LINK_BEFORE] = NONE
    m[base + S_LINK] = head
    if head != NONE:
        m[head + S_LINK_BEFORE] = base
    agenda[position] = base


@compiled
def _unlink(m: Longs, agenda: Longs, base: int) -> None:
    if m[base + S_POSITION] == NONE:
        return
    before, after = m[base + S_LINK_BEFORE], m[base + S_LINK]
    if before == NONE:
        agenda[m[base + S_POSITION]] = after
    else:
        m[before + S_LINK] = after
    if after != NONE:
        m[after + S_LINK_BEFORE] = before
