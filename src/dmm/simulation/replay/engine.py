"""The pass over the tape: messages and stops in their order, for one block of sets; compiled.

Sets do not touch each other, and every number of a set comes from the same operations in the same
order whichever block it is in. So any blocking gives the same bits.
"""

from __future__ import annotations

from dmm.simulation.replay.agenda import act, open_agenda, stir
from dmm.simulation.replay.arrival import arrive
from dmm.simulation.replay.decisions import decide_all
from dmm.simulation.replay.fills import hold
from dmm.simulation.replay.layout import (
    ARRIVE,
    B_FEES,
    B_FILLS,
    B_INVENTORY,
    B_MARKOUT_1S,
    B_MARKOUT_5S,
    B_MARKOUT_30S,
    B_PLACED,
    B_PNL,
    B_VOLUME,
    BLOCK_END,
    BUY_TRADE,
    DECIDE,
    ENTRY_GROUP,
    ENTRY_VENUES,
    FUND_MARK,
    FUND_RATE,
    FUND_VENUE,
    M_AT,
    M_KIND,
    M_VENUE,
    NEVER_NS,
    NONE,
    SEEN_HEARD,
    SEEN_STRIDE,
    SNAPSHOT,
    STOP_ASK,
    STOP_AT,
    STOP_BID,
    STOP_ENTRY,
    STOP_KIND,
    STOP_MESSAGE,
    STOP_MID,
    STOP_STRIDE,
    STOP_VENUE,
    STOP_VENUES,
    TIER_FROM,
    V_BUSY,
    V_NOW,
    V_STIRRED,
    V_STRIDE,
    V_TIER,
    V_TIER_LAST,
    Floats,
    Ints,
    Longs,
    compiled,
    woven,
)
from dmm.simulation.replay.money import fee_atoms, marked_atoms
from dmm.simulation.replay.reports import wake
from dmm.simulation.replay.resting import apply_snapshot, apply_trade
from dmm.simulation.replay.set_layout import (
    A_CASH,
    A_COLUMNS,
    A_FEES,
    A_FILLS,
    A_FUNDING,
    A_INVENTORY,
    A_KNOWN_CASH,
    A_MARKOUT_1S,
    A_MARKOUT_5S,
    A_MARKOUT_30S,
    A_PLACED,
    A_VOLUME,
    S_ACCOUNTS,
    S_GROUP,
    S_LINK,
    S_NUMBER,
    S_PENDING,
    S_QUIET,
)


@compiled
def run_block(  # noqa: C901 — the order of everything in one place
    m: Longs, f: Floats, levels: Longs, venues: Longs, messages: Longs, shown: Longs, prices: Longs,
    rank: Ints, views: Longs, tiers: Longs, funding: Longs, powers: Floats, stops: Longs,
    entries: Longs, estimates: Floats, actions: Longs, blocks: Longs, fills: Longs, agenda: Longs,
    feed: Longs, market: Longs, told: Longs, breaks: Longs, way: Longs,
) -> None:  # fmt: skip
    """Play the whole tape for the sets in `m`.

    The last stop lies behind the last message. A block's own are `m`, `f`, `levels`, `venues`,
    `blocks`, `fills` and `agenda`; the rest is read only. From `agenda` on all is for sets of the
    desk's own rule.
    """
    message = venues[0, V_NOW] = 0
    open_agenda(m, venues, agenda, feed, breaks)
    for stop in range(len(stops)):
        until = stops[stop, STOP_MESSAGE]
        while message < until:
            if agenda[message] != NONE:
                act(
                    m, f, levels, venues, tiers, prices, rank, views, fills, messages, shown,
                    powers, agenda, feed, market, breaks, way, message, NEVER_NS,
                )  # fmt: skip
            kind, venue = messages[message, M_KIND], messages[message, M_VENUE]
            if kind >= BUY_TRADE:
                _use_tier(venues, tiers, venue, messages[message, M_AT])
                apply_trade(
                    m, f, levels, venues, tiers, messages, shown, powers, prices, told, fills,
                    message,
                )  # fmt: skip
                if venues[0, V_STIRRED] != NONE:
                    stir(m, venues, agenda, feed, breaks)
            elif kind == SNAPSHOT:
                apply_snapshot(m, levels, venues, messages, shown, powers, message)
            message += 1
            venues[0, V_NOW] = message
        kind, entry = stops[stop, STOP_KIND], stops[stop, STOP_ENTRY]
        if kind == DECIDE:
            decide_all(m, f, venues, entries, estimates, actions, entry)
        elif kind == ARRIVE:
            _arrive_all(
                m, f, levels, venues, tiers, prices, rank, views, fills, messages, shown, powers,
                stops, entries, stop,
            )  # fmt: skip
        elif kind == BLOCK_END:
            _note_blocks(m, f, venues, stops, blocks, stop)
        else:
            if agenda[message] != NONE:
                act(
                    m, f, levels, venues, tiers, prices, rank, views, fills, messages, shown,
                    powers, agenda, feed, market, breaks, way, message, stops[stop, STOP_AT],
                )  # fmt: skip
            _fund_all(m, venues, funding, stops, stop)
    if agenda[message] != NONE:
        act(
            m, f, levels, venues, tiers, prices, rank, views, fills, messages, shown, powers,
            agenda, feed, market, breaks, way, message, NEVER_NS,
        )  # fmt: skip


@compiled
def _use_tier(venues: Longs, tiers: Longs, venue: int, at_ns: int) -> None:
    """Move on to the fee tier that holds at an instant."""
    following = venues[venue, V_TIER] + 1
    while following < venues[venue, V_TIER_LAST] and tiers[following, TIER_FROM] <= at_ns:
        venues[venue, V_TIER] = following
        following += 1


@woven
def _arrive_all(
    m: Longs, f: Floats, levels: Longs, venues: Longs, tiers: Longs, prices: Longs, rank: Ints,
    views: Longs, fills: Longs, messages: Longs, shown: Longs, powers: Floats, stops: Longs,
    entries: Longs, stop: int,
) -> None:  # fmt: skip
    entry, venue, at_ns = stops[stop, STOP_ENTRY], stops[stop, STOP_VENUE], stops[stop, STOP_AT]
    _use_tier(venues, tiers, venue, at_ns)
    group = entries[entry, ENTRY_GROUP]
    heard_ns = entries[entry, ENTRY_VENUES + venue * SEEN_STRIDE + SEEN_HEARD]
    at = STOP_VENUES + venue * STOP_STRIDE
    bid, ask = stops[stop, at + STOP_BID], stops[stop, at + STOP_ASK]
    base = venues[0, V_BUSY]
    while base != NONE:
        if m[base + S_PENDING] and m[base + S_GROUP] == group:
            arrive(
                m, f, levels, venues, tiers, prices, rank, views, fills, messages, shown, powers,
                base, entry, venue, at_ns, heard_ns, bid, ask,
            )  # fmt: skip
        base = m[base + S_LINK]


@compiled
def _note_blocks(
    m: Longs, f: Floats, venues: Longs, stops: Longs, blocks: Longs, stop: int
) -> None:
    """Note running totals over all venues, inventory marked at the mid the exchange shows."""
    for base in range(0, m.size, venues[0, V_STRIDE]):
        note = blocks[m[base + S_NUMBER], stops[stop, STOP_ENTRY]]
        for venue in range(len(venues)):
            hold(m, f, base, venue, stops[stop, STOP_AT])
            at = base + S_ACCOUNTS + venue * A_COLUMNS
            mid = stops[stop, STOP_VENUES + venue * STOP_STRIDE + STOP_MID]
            if mid > 0:
                note[B_PNL] += marked_atoms(venues, venue, m[at + A_INVENTORY], mid)
            note[B_PNL] += m[at + A_CASH]
            note[B_VOLUME] += m[at + A_VOLUME]
            note[B_INVENTORY] += m[at + A_INVENTORY]
            note[B_FILLS] += m[at + A_FILLS]
            note[B_MARKOUT_1S] += m[at + A_MARKOUT_1S]
            note[B_MARKOUT_5S] += m[at + A_MARKOUT_5S]
            note[B_MARKOUT_30S] += m[at + A_MARKOUT_30S]
            note[B_FEES] += m[at + A_FEES]
            note[B_PLACED] += m[at + A_PLACED]


@compiled
def _fund_all(m: Longs, venues: Longs, funding: Longs, stops: Longs, stop: int) -> None:
    """Let holders of a position pay funding, rounded against us; a negative one is received."""
    due = funding[stops[stop, STOP_ENTRY]]
    venue, mark = due[FUND_VENUE], due[FUND_MARK]
    if mark == 0:
        mark = stops[stop, STOP_VENUES + venue * STOP_STRIDE + STOP_MID]
    for base in range(0, m.size, venues[0, V_STRIDE]):
        account = base + S_ACCOUNTS + venue * A_COLUMNS
        inventory = m[account + A_INVENTORY]
        if inventory != 0 and mark > 0:
            rate = due[FUND_RATE] if inventory > 0 else -due[FUND_RATE]
            # An inverse long owes coins: its worth has the other sign, its size counts here.
            paid = fee_atoms(abs(marked_atoms(venues, venue, inventory, mark)), rate)
            m[account + A_CASH] -= paid
            m[account + A_FUNDING] += paid
            m[account + A_KNOWN_CASH] -= paid
            m[base + S_QUIET] = 0
            wake(m, venues, base)
