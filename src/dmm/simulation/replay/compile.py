"""The way into the compiled pass: its signature, and the checksum under which it is kept."""

from __future__ import annotations

import functools
import inspect
import zlib
from collections.abc import Callable

import numba

from dmm.quoting import kernel
from dmm.simulation.replay import (
    agenda,
    arrival,
    decisions,
    desk,
    desk_ages,
    desk_fills,
    desk_layout,
    desk_orders,
    desk_price,
    desk_rate,
    desk_turns,
    engine,
    fills,
    layout,
    levels,
    money,
    orders,
    policies,
    reports,
    resting,
    set_layout,
)
from dmm.simulation.replay.engine import run_block
from dmm.simulation.replay.layout import (
    Floats,
    Ints,
    Longs,
    jit_of,
)

_SOURCES = (
    agenda, arrival, decisions, desk, desk_ages, desk_fills, desk_layout, desk_orders, desk_price,
    desk_rate, desk_turns, engine, fills, kernel, layout, levels, money, orders, policies, reports,
    resting, set_layout,
)  # fmt: skip
"""Modules whose code is compiled into the pass."""

_LONGS, _TABLE, _REALS, _INTS = "int64[::1]", "int64[:, ::1]", "float64[::1]", "int32[::1]"
_SIGNATURE = (
    f"int64({_LONGS}, {_REALS}, {_TABLE}, {_TABLE}, {_TABLE}, {_TABLE}, {_LONGS}, {_INTS}, "
    f"{_TABLE}, {_TABLE}, {_TABLE}, {_REALS}, {_TABLE}, {_TABLE}, float64[:, ::1], {_TABLE}, "
    f"int64[:, :, ::1], int64[:, :, ::1], {_LONGS}, {', '.join([_TABLE] * 4)}, {_LONGS})"
)


def _digest() -> int:
    """Return a checksum of everything compiled.

    Numba looks at the file of the function it caches only; a closure's value is part of its key.
    """
    sources = (inspect.getsource(module) for module in _SOURCES)
    return zlib.crc32("".join((numba.__version__, *sources)).encode())


@functools.cache
def compiled_pass() -> Callable[..., int]:
    """Return the compiled pass, free of the interpreter's lock; the first call loads or compiles.

    NUMBA_CACHE_DIR says where the compiled code is kept.
    """
    digest = _digest()

    def play(
        m: Longs, f: Floats, levels: Longs, venues: Longs, messages: Longs, shown: Longs,
        prices: Longs, rank: Ints, views: Longs, tiers: Longs, funding: Longs, powers: Floats,
        stops: Longs, entries: Longs, estimates: Floats, actions: Longs, blocks: Longs,
        fills: Longs, agenda: Longs, feed: Longs, market: Longs, told: Longs, breaks: Longs,
        way: Longs,
    ) -> int:  # fmt: skip
        run_block(
            m, f, levels, venues, messages, shown, prices, rank, views, tiers, funding, powers,
            stops, entries, estimates, actions, blocks, fills, agenda, feed, market, told, breaks,
            way,
        )  # fmt: skip
        return digest

    ready: Callable[..., int] = jit_of(_SIGNATURE, cache=True, nogil=True, _nrt=False)(play)
    return ready
