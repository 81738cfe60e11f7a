"""What the engine's arrays hold: the number of every column.

Compiled code sees plain arrays and columns by number, for every array more that is handed around
costs time to compile. Prices are ticks, mids half ticks, sizes lots, cash atoms, times nanoseconds.
What belongs to a set is in `set_layout`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

Longs = NDArray[np.int64]
Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Let compiled code call a function; Python code finds it as `py_func`.

    Nothing here owns memory, so that references need not be counted, and without a way in from
    Python there is half as much to compile. A constant passed to it is a number like any other:
    numba would compile the function anew for each.
    """
    return _leaf(function, LEAF)


def woven(function: Function) -> Function:
    """Do the same for a function that is to stand in the code of whoever calls it.

    An array is handed over as up to ten words, which a small function would take longer to pass on
    than to work with.
    """
    return _leaf(function, LEAF | {"forceinline": True})


def _leaf(function: Function, options: Mapping[str, bool | str]) -> Function:
    dispatcher = jit_of(**options)(function)
    template_of = getattr(dispatcher, "get_call_template", None)
    if template_of is not None:  # not with compilation switched off

        def general(args: Sequence[Any], named: Mapping[str, Any]) -> Any:
            plain = {name: _without_value(kind) for name, kind in named.items()}
            return template_of(tuple(_without_value(kind) for kind in args), plain)

        dispatcher.get_call_template = general
    return cast("Function", dispatcher)


_without_value: Callable[[Any], Any] = types.unliteral

jit_of: Callable[..., Callable[..., Any]] = njit
"""Numba's decorator; its stubs do not know all of its options."""

LEAF: dict[str, bool | str] = {
    "error_model": "numpy",
    "_nrt": False,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "no_rewrites": True,
}
"""Options of functions that only compiled code calls."""


NEVER_NS = 2**62
"""Later than any tape."""

NONE = -1

# -- bounds ---------------------------------------------------------------------------------------

VENUES_MAX = 4
ORDERS_MAX = 64
"""Orders of a set at once, those under way included; more are refused and counted."""

REPORTS_MAX = 64
"""Reports on their way to one set at once; more end the replay."""

TAKEN_MAX = 8
"""Levels a set may have taken from while they stand as they stood; it takes from no more."""

WHOLE_MAX, REAL_MAX = 48, 24
"""Parameters of a set."""

BATCHES_MAX = 2 * ORDERS_MAX
"""Decisions of a desk whose messages are under way: each has an order or a cancel in it."""

PENDING_PLACES = 1_280
"""Fills of a desk that wait for their markout, those of one instant beyond the bound included."""

APART_MAX = 256
"""Fills of ten seconds, each nearer to its reference than the one before; more end the replay."""

RATE_WINDOWS_MAX = 2
"""Windows in which a venue counts requests."""

RATE_PLACES = 136
"""Steps of such a window: `dmm.risk.rate` counts in 127 and lets each end."""

QUEUE_MICRO = 1_000_000
"""Unit of `O_AHEAD` under the probabilistic model: millionths of a lot."""

# -- the tape -------------------------------------------------------------------------------------

UPDATE, SNAPSHOT, BUY_TRADE, SELL_TRADE = 0, 1, 2, 3
"""Kinds of messages the exchange's side plays; a trade is named after its aggressor."""

(
    M_LEVEL,
    M_SIZE,
    M_KIND,
    M_VENUE,
    M_AT,
    M_STAMP,
    M_MID,
    M_LATER_1S,
    M_LATER_5S,
    M_LATER_30S,
    M_HEARD,
    M_COLUMNS,
) = range(12)
"""A message: of a trade its level and size; when the exchange took it (the order) and how it
stamped it, the mid then and later, and when the desk hears what it did to our orders."""

SHOWN_MESSAGE, SHOWN_SIZE, SHOWN_COLUMNS = range(3)
"""A size displayed at a level from a message on. A level is twice the number of its price, asks one
more."""

(
    L_HEAD,
    L_TAIL,
    L_NEXT,
    L_UNTIL,
    L_SIZE,
    L_LOW,
    L_LOW_AT,
    L_COLUMNS,
) = range(8)
"""A level: the first and last of our orders, and as far as it has been looked up: the next size to
be shown there and by which message, the last one, the least since the queues were capped by it and
when that came (`NONE`: not since)."""

(
    V_FIRST,
    V_LAST,
    V_RANK_FIRST,
    V_RANK_LAST,
    V_RANK_FROM,
    V_VIEW_FIRST,
    V_VIEW_LAST,
    V_INVERSE,
    V_ATOMS,
    V_NUMERATOR,
    V_DENOMINATOR,
    V_TIER,
    V_TIER_LAST,
    V_QUEUE,
    V_BEST_BID,
    V_BEST_ASK,
    V_STRIDE,
    V_STIRRED,
    V_BUSY,
    V_NOW,
    V_COLUMNS,
) = range(21)
"""A venue: its price numbers (the last above any price), where they are looked up, its mids by
time, its contract (atoms of one tick times one lot; of an inverse one, atoms of coin of a lot at
one tick), the fee tier in force and the end of its tiers, its queue model, and the numbers beyond
which no order of ours rests. Of the first venue alone: columns of a set, the first desk that must
look at its time again, the first set that is busy, the message before which the pass stands, and
behind that when each cadence decides next. A block has its own copy."""

RISK_AVERSE, POWER = 0, 1
"""Queue models."""

TIER_FROM, TIER_MAKER, TIER_TAKER, TIER_COLUMNS = range(4)
"""A fee tier: when it begins, fees in 1e-6 bps of the cash value."""

FUND_VENUE, FUND_RATE, FUND_MARK, FUND_COLUMNS = range(4)
"""A funding: rate in 1e-6 bps, mark in half ticks or 0 for the mid."""

# -- stops and entries ----------------------------------------------------------------------------

DECIDE, ARRIVE, FUND, BLOCK_END = 0, 1, 2, 3
"""Kinds of stops: a decision, its messages reaching a venue, funding, the end of a time block."""

STOP_MESSAGE, STOP_KIND, STOP_ENTRY, STOP_VENUE, STOP_AT, STOP_VENUES = range(6)
"""`STOP_MESSAGE`: before which message; `STOP_ENTRY`: number of decision, funding or block."""

STOP_BID, STOP_ASK, STOP_MID, STOP_STRIDE = range(4)
"""What follows for each venue: as the exchange has it at that moment."""

(
    ENTRY_AT,
    ENTRY_GROUP,
    ENTRY_STALE,
    ENTRY_FRESH,
    ENTRY_SIGMA,
    ENTRY_KAPPA,
    ENTRY_NEXT_AT,
    ENTRY_SAME,
    ENTRY_VENUES,
) = range(9)
"""A decision's time, schedule, whether it only cancels, whether the feed is trusted, σ and κ, and
when the same schedule decides next, and whether all it sees is what the one before saw."""

SAME_PRICES, SAME_IN_ALL = 1, 2
"""`ENTRY_SAME`: best prices are as before; so are their sizes, σ and κ."""

SEEN_BID, SEEN_BID_SIZE, SEEN_ASK, SEEN_ASK_SIZE, SEEN_ARRIVES, SEEN_HEARD, SEEN_STRIDE = range(7)
"""What follows for each venue: what a decision sees of it, when its messages arrive there, and
when the answers are heard."""

E_RMS, E_ARRIVAL, E_DECAY, E_SIGMA, E_COLUMNS = range(5)
"""Market estimates of a decision: root mean square of 1 s changes of the mid over the last 200;
the arrival fit A and k of the last ten minutes and σ over one second, all in ticks."""

# -- what the desk's own rule hears ---------------------------------------------------------------

(
    H_AT,
    H_POSITION,
    H_BID,
    H_BID_SIZE,
    H_ASK,
    H_ASK_SIZE,
    H_SIGMA,
    H_KAPPA,
    H_FRESH,
    H_COLUMNS,
) = range(10)
"""A message as the desk hears it: when, before which message the exchange then stands, what is
known of the market and of σ and κ after it, whether the feed is trusted by then."""

P_AT, P_STAND, P_BID, P_ASK, P_COLUMNS = range(5)
"""A message as the venue has it: when, the number of the first one to be played from there on, and
its best prices; one more row stands for the end of the tape."""

TOLD_INDEX, TOLD_MID, TOLD_TWAP, TOLD_COLUMNS = range(4)
"""What a desk knows when it hears of a fill by a message: number of the first message heard from
then on, the mid in half ticks (0: none), the reference in microticks (0: none)."""

BREAK_STALE, BREAK_RESUME = 0, 1
BREAK_KIND, BREAK_AT, BREAK_POSITION, BREAK_INDEX, BREAK_RESUMES, BREAK_COLUMNS = range(6)
"""A silence that makes the feed stale, or the message with which it is trusted again: when, where,
the number of the message heard that ends the silence or restores the trust, and the number of the
next one that restores it. The last row is neither."""

(
    K_ONE_CLOCK,
    K_ENTRY,
    K_ENTRY_SEED,
    K_ENTRY_FIRST,
    K_ENTRY_COUNT,
    K_RESPONSE,
    K_RESPONSE_SEED,
    K_RESPONSE_FIRST,
    K_RESPONSE_COUNT,
    K_WINDOWS,
    K_WINDOW,
) = range(11)
K_LENGTH, K_MOST, K_RESERVE, K_WINDOW_COLUMNS = range(4)
K_SAMPLES = K_WINDOW + RATE_WINDOWS_MAX * K_WINDOW_COLUMNS
"""What holds on the way to the first venue: clocks, delays (constant, else drawn from the samples
behind), windows in which it counts requests."""

# -- results --------------------------------------------------------------------------------------

(
    B_PNL,
    B_VOLUME,
    B_INVENTORY,
    B_FILLS,
    B_MARKOUT_1S,
    B_MARKOUT_5S,
    B_MARKOUT_30S,
    B_FEES,
    B_PLACED,
    B_COLUMNS,
) = range(10)
"""What is noted at the end of each time block, running totals all of them; `B_PLACED` in lots."""

F_AT, F_VENUE, F_SIDE, F_PRICE, F_SIZE, F_FEE, F_MID, F_IS_MAKER, F_TAG, F_COLUMNS = range(10)
"""A fill."""

ACT_AT, ACT_KIND, ACT_TAG, ACT_VENUE, ACT_SIDE, ACT_PRICE, ACT_SIZE, ACT_TIF, ACT_COLUMNS = range(9)
PLACE, CANCEL, REPLACE = 0, 1, 2
"""An action of a script; of a cancel only the tag counts."""
