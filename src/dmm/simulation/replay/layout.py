"""What the engine's arrays hold: the number of every column.

Compiled code sees plain arrays and columns by number, for every array more that is handed around
costs time to compile. Prices are ticks, mids half ticks, sizes lots, cash atoms, times nanoseconds.
Everything whole that belongs to a set lies in one stretch of one array (`m` in the code), a set's
own numbers first, then its venues, parameters, orders and reports; `S_…`, `A_…`, `O_…` count from
the beginning of the set, of the venue, of the order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Longs = NDArray[np.int64]
Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Let compiled code call a function; Python code finds it as `py_func`.

    Nothing here owns memory, so that references need not be counted, and without a way in from
    Python there is half as much to compile.
    """
    return cast("Function", jit_of(**LEAF)(function))


jit_of: Callable[..., Callable[..., Any]] = njit
"""Numba's decorator; its stubs do not know all of its options."""

LEAF = {
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

WHOLE_MAX, REAL_MAX = 32, 24
"""Parameters of a set."""

QUEUE_MICRO = 1_000_000
"""Unit of `O_AHEAD` under the probabilistic model: millionths of a lot."""

# -- the tape -------------------------------------------------------------------------------------

UPDATE, SNAPSHOT, BUY_TRADE, SELL_TRADE = 0, 1, 2, 3
"""Kinds of messages the exchange's side plays; a trade is named after its aggressor."""

(
    M_BEGIN,
    M_END,
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
"""A message: its rows, when the exchange took it (the order) and how it stamped it, the mid then
and later, and when the desk hears what it did to our orders."""

ROW_LEVEL, ROW_SIZE, ROW_COLUMNS = range(3)
"""A row; a level is twice the number of its price, asks one more."""

L_SIZE, L_LOW, L_LOW_AT, L_HEAD, L_TAIL, L_EARLIER, L_FELL, L_COLUMNS = range(8)
"""A level: displayed size, the least of it since the level was looked at and when, the first and
last of our orders, the size before a snapshot, and whether the least fell since the last look."""

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
    V_COLUMNS,
) = range(17)
"""A venue: its price numbers (the last above any price), where they are looked up, its mids by
time, its contract (atoms of one tick times one lot; of an inverse one, atoms of coin of a lot at
one tick), the fee tier in force and the end of its tiers, its queue model, and the numbers beyond
which no order of ours rests. A block has its own copy."""

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

# -- a set ----------------------------------------------------------------------------------------

(
    S_POLICY,
    S_GROUP,
    S_NEXT_AT,
    S_COUNT,
    S_PENDING,
    S_LEFT,
    S_LEFT_OF,
    S_REPORT_FIRST,
    S_REPORT_COUNT,
    S_PEAK,
    S_DRAWDOWN_MAX,
    S_POSTURE,
    S_SIGMA_HIGH,
    S_SIGMA_EXTREME,
    S_LAST_MID,
    S_HEARD_AT,
    S_SENT,
    S_REFUSED,
    S_REJECTED,
    S_DECISIONS,
    S_ACTION,
    S_ACTION_LAST,
    S_REPORTS_LOST,
    S_FILLS,
    S_NUMBER,
    S_QUIET,
    S_SCRATCH,
) = range(27)
"""`S_COUNT` orders, `S_PENDING` messages under way, `S_LEFT` of trade `S_LEFT_OF`; what it knows:
peak and drawdown of its profit, posture and breakers; counts; its script; its number; `S_QUIET`
when its last decision changed nothing and nothing was heard since: the same inputs would change
nothing again."""

SCRATCH = 18
S_ACCOUNTS = S_SCRATCH + SCRATCH

(
    A_INVENTORY,
    A_CASH,
    A_FEES,
    A_VOLUME,
    A_TURNOVER,
    A_MARKOUT_1S,
    A_MARKOUT_5S,
    A_MARKOUT_30S,
    A_FILLS,
    A_PLACED,
    A_FUNDING,
    A_CHANGED_AT,
    A_KNOWN_INVENTORY,
    A_KNOWN_CASH,
    A_COLUMNS,
) = range(15)
"""The truth at a venue, and what the desk knows of it; `A_CASH` has fees and funding in it, fees
and funding paid are > 0."""

S_WHOLE = S_ACCOUNTS + VENUES_MAX * A_COLUMNS
S_LINE = S_WHOLE + WHOLE_MAX
S_FREE = S_LINE + ORDERS_MAX
S_ORDERS = S_FREE + ORDERS_MAX
"""Orders in the order they were sent, and the places that are free; then the places themselves."""

FREE, SENT, LIVE, ENDED = 0, 1, 2, 3
"""States of an order: no order, under way, resting, over at the venue but not heard of yet."""

POST_ONLY, GTC, IOC, FOK = 0, 1, 2, 3

(
    O_STATE,
    O_SIDE,
    O_PRICE,
    O_SIZE,
    O_LEFT,
    O_AHEAD,
    O_CUT,
    O_CUT_AT,
    O_LEVEL,
    O_NEXT,
    O_PREVIOUS,
    O_TIF,
    O_KNOWN_LEFT,
    O_LEAVING,
    O_ENTRY,
    O_CANCEL_ENTRY,
    O_VENUE,
    O_TAG,
    O_REPLACES,
    O_SET,
    O_COLUMNS,
) = range(21)
"""`O_LEFT` is what the venue has, `O_KNOWN_LEFT` what the desk knows; `O_ENTRY` and
`O_CANCEL_ENTRY` the decisions that sent order and cancel; links and sets are places in `m`."""

S_TAKEN = S_ORDERS + ORDERS_MAX * O_COLUMNS
T_LEVEL, T_SIZE, T_TAKEN, T_COLUMNS = range(4)
"""What a set took of a level while the venue still displayed `T_SIZE` there."""

S_REPORTS = S_TAKEN + TAKEN_MAX * T_COLUMNS
R_HEARD_AT, R_ORDER, R_LOTS, R_CASH, R_ENDED, R_COLUMNS = range(6)
"""A report on its way to the desk."""

SET_COLUMNS = S_REPORTS + REPORTS_MAX * R_COLUMNS

X_HELD, X_HELD_SQUARED, X_VENUE_COLUMNS = 0, 1, 2
X_REAL = VENUES_MAX * X_VENUE_COLUMNS
X_COLUMNS = X_REAL + REAL_MAX
"""What is real of a set (`f` in the code): inventory and its square over time, then parameters."""

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
    B_COLUMNS,
) = range(9)
"""What is noted at the end of each time block, running totals all of them."""

F_AT, F_VENUE, F_SIDE, F_PRICE, F_SIZE, F_FEE, F_MID, F_IS_MAKER, F_TAG, F_COLUMNS = range(10)
"""A fill."""

ACT_AT, ACT_KIND, ACT_TAG, ACT_VENUE, ACT_SIDE, ACT_PRICE, ACT_SIZE, ACT_TIF, ACT_COLUMNS = range(9)
PLACE, CANCEL, REPLACE = 0, 1, 2
"""An action of a script; of a cancel only the tag counts."""
