"""The pass over the tape: messages and stops in their order, for one block of sets; compiled.

Sets do not touch each other, and every number of a set comes from the same operations in the same
order whichever block it is in. So any blocking gives the same bits.
"""

from __future__ import annotations

import functools
import inspect
import zlib
from collections.abc import Callable

import numba

from dmm.quoting import kernel
from dmm.simulation.replay import arrival, desk, layout, money, orders, policies, resting
from dmm.simulation.replay.arrival import arrive
from dmm.simulation.replay.desk import desk as decide_desk
from dmm.simulation.replay.desk import known_drawdown
from dmm.simulation.replay.layout import (
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
    A_VOLUME,
    ARRIVE,
    B_FEES,
    B_FILLS,
    B_INVENTORY,
    B_MARKOUT_1S,
    B_MARKOUT_5S,
    B_MARKOUT_30S,
    B_PNL,
    B_VOLUME,
    BLOCK_END,
    BUY_TRADE,
    DECIDE,
    ENTRY_AT,
    ENTRY_GROUP,
    ENTRY_NEXT_AT,
    ENTRY_SAME,
    ENTRY_STALE,
    ENTRY_VENUES,
    FUND_MARK,
    FUND_RATE,
    FUND_VENUE,
    M_AT,
    M_KIND,
    M_VENUE,
    S_ACCOUNTS,
    S_DECISIONS,
    S_GROUP,
    S_LAST_MID,
    S_NEXT_AT,
    S_NUMBER,
    S_PENDING,
    S_POLICY,
    S_QUIET,
    S_REFUSED,
    S_SENT,
    SAME_IN_ALL,
    SAME_PRICES,
    SEEN_ASK,
    SEEN_BID,
    SEEN_HEARD,
    SEEN_STRIDE,
    SET_COLUMNS,
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
    V_TIER,
    V_TIER_LAST,
    Floats,
    Ints,
    Longs,
    compiled,
    jit_of,
)
from dmm.simulation.replay.money import fee_atoms, marked_atoms
from dmm.simulation.replay.orders import cancel_all, hear, hold
from dmm.simulation.replay.policies import (
    DESK,
    HUMMINGBOT,
    SCRIPT,
    SYMMETRIC,
    glft_grid,
    hedge,
    hummingbot,
    script,
    symmetric,
)
from dmm.simulation.replay.resting import apply_depth, apply_snapshot, apply_trade


@compiled
def run_block(
    m: Longs,
    f: Floats,
    levels: Longs,
    venues: Longs,
    messages: Longs,
    rows: Longs,
    prices: Longs,
    rank: Ints,
    views: Longs,
    tiers: Longs,
    funding: Longs,
    powers: Floats,
    stops: Longs,
    entries: Longs,
    estimates: Floats,
    actions: Longs,
    blocks: Longs,
    fills: Longs,
) -> None:
    """Play the whole tape for the sets in `m`.

    The last stop lies behind the last message. A block's own are `m`, `f`, `levels`, `venues`,
    `blocks` and `fills`; the rest is read only.
    """
    message = 0
    for stop in range(len(stops)):
        until = stops[stop, STOP_MESSAGE]
        while message < until:
            kind, venue = messages[message, M_KIND], messages[message, M_VENUE]
            if kind >= BUY_TRADE:
                _use_tier(venues, tiers, venue, messages[message, M_AT])
                apply_trade(m, f, levels, venues, tiers, messages, rows, prices, fills, message)
            elif kind == SNAPSHOT:
                apply_snapshot(m, levels, venues, messages, rows, powers, message)
            else:
                apply_depth(m, levels, venues, messages, rows, powers, message)
            message += 1
        kind, entry = stops[stop, STOP_KIND], stops[stop, STOP_ENTRY]
        if kind == DECIDE:
            _decide_all(m, f, venues, entries, estimates, actions, entry)
        elif kind == ARRIVE:
            _arrive_all(
                m, f, levels, venues, tiers, prices, rank, views, fills, stops, entries, stop
            )
        elif kind == BLOCK_END:
            _note_blocks(m, f, venues, stops, blocks, stop)
        else:
            _fund_all(m, venues, funding, stops, stop)


@compiled
def _use_tier(venues: Longs, tiers: Longs, venue: int, at_ns: int) -> None:
    """Move on to the fee tier that holds at an instant."""
    following = venues[venue, V_TIER] + 1
    while following < venues[venue, V_TIER_LAST] and tiers[following, TIER_FROM] <= at_ns:
        venues[venue, V_TIER] = following
        following += 1


@compiled
def _arrive_all(
    m: Longs,
    f: Floats,
    levels: Longs,
    venues: Longs,
    tiers: Longs,
    prices: Longs,
    rank: Ints,
    views: Longs,
    fills: Longs,
    stops: Longs,
    entries: Longs,
    stop: int,
) -> None:
    entry, venue, at_ns = stops[stop, STOP_ENTRY], stops[stop, STOP_VENUE], stops[stop, STOP_AT]
    _use_tier(venues, tiers, venue, at_ns)
    group = entries[entry, ENTRY_GROUP]
    heard_ns = entries[entry, ENTRY_VENUES + venue * SEEN_STRIDE + SEEN_HEARD]
    at = STOP_VENUES + venue * STOP_STRIDE
    bid, ask = stops[stop, at + STOP_BID], stops[stop, at + STOP_ASK]
    for base in range(0, m.size, SET_COLUMNS):
        if m[base + S_PENDING] and m[base + S_GROUP] == group:
            arrive(
                m, f, levels, venues, tiers, prices, rank, views, fills, base, entry, venue,
                at_ns, heard_ns, bid, ask,
            )  # fmt: skip


@compiled
def _decide_all(
    m: Longs,
    f: Floats,
    venues: Longs,
    entries: Longs,
    estimates: Floats,
    actions: Longs,
    entry: int,
) -> None:
    group, same = entries[entry, ENTRY_GROUP], entries[entry, ENTRY_SAME]
    for base in range(0, m.size, SET_COLUMNS):
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
    if policy == DESK:
        decide_desk(m, f, venues, entries, base, entry)
    elif policy == SCRIPT:
        script(m, entries, actions, base, entry)
    else:
        _decide_other(m, f, venues, entries, estimates, base, entry)
    after = m[base + S_SENT] + m[base + S_REFUSED], m[base + S_PENDING]
    # These two read nothing but what the entry shows and what the set knows.
    quiet = SAME_PRICES if policy == SYMMETRIC else (SAME_IN_ALL if policy == DESK else 0)
    m[base + S_QUIET] = quiet if before == after else 0


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


@compiled
def _note_blocks(
    m: Longs, f: Floats, venues: Longs, stops: Longs, blocks: Longs, stop: int
) -> None:
    """Note running totals over all venues, inventory marked at the mid the exchange shows."""
    for base in range(0, m.size, SET_COLUMNS):
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


@compiled
def _fund_all(m: Longs, venues: Longs, funding: Longs, stops: Longs, stop: int) -> None:
    """Let holders of a position pay funding, rounded against us; a negative one is received."""
    due = funding[stops[stop, STOP_ENTRY]]
    venue, mark = due[FUND_VENUE], due[FUND_MARK]
    if mark == 0:
        mark = stops[stop, STOP_VENUES + venue * STOP_STRIDE + STOP_MID]
    for base in range(0, m.size, SET_COLUMNS):
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


# -- the way in ---------------------------------------------------------------------------------

_SOURCES = (arrival, desk, kernel, layout, money, orders, policies, resting)
"""Modules whose code is compiled into the pass, besides this one."""

_LONGS, _TABLE, _REALS = "int64[::1]", "int64[:, ::1]", "float64[::1]"
_SIGNATURE = (
    f"int64({_LONGS}, {_REALS}, {_TABLE}, {_TABLE}, {_TABLE}, {_TABLE}, {_LONGS}, int32[::1], "
    f"{_TABLE}, {_TABLE}, {_TABLE}, {_REALS}, {_TABLE}, {_TABLE}, float64[:, ::1], {_TABLE}, "
    "int64[:, :, ::1], int64[:, :, ::1])"
)


def _digest() -> int:
    """Return a checksum of everything compiled.

    Numba looks at the file of the function it caches only; a closure's value is part of its key.
    """
    own = inspect.getmodule(_digest)
    sources = (inspect.getsource(module) for module in (*_SOURCES, own) if module is not None)
    return zlib.crc32("".join((numba.__version__, *sources)).encode())


@functools.cache
def compiled_pass() -> Callable[..., int]:
    """Return the compiled pass, free of the interpreter's lock; the first call loads or compiles.

    NUMBA_CACHE_DIR says where the compiled code is kept.
    """
    digest = _digest()

    def play(
        m: Longs, f: Floats, levels: Longs, venues: Longs, messages: Longs, rows: Longs,
        prices: Longs, rank: Ints, views: Longs, tiers: Longs, funding: Longs, powers: Floats,
        stops: Longs, entries: Longs, estimates: Floats, actions: Longs, blocks: Longs,
        fills: Longs,
    ) -> int:  # fmt: skip
        run_block(
            m, f, levels, venues, messages, rows, prices, rank, views, tiers, funding, powers,
            stops, entries, estimates, actions, blocks, fills,
        )  # fmt: skip
        return digest

    ready: Callable[..., int] = jit_of(_SIGNATURE, cache=True, nogil=True, _nrt=False)(play)
    return ready
