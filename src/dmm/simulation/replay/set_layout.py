"""What a set's numbers are: the number of every column.

Everything whole that belongs to a set lies in one stretch of one array (`m` in the code), a set's
own numbers first, then its venues, parameters, orders and reports; `S_…`, `A_…`, `O_…` count from
the beginning of the set, of the venue, of the order.
"""

from __future__ import annotations

from dmm.quoting.fill_watch import JUDGED_MAX
from dmm.risk.quote_age import SAMPLES_MAX
from dmm.simulation.replay.layout import (
    APART_MAX,
    BATCHES_MAX,
    ORDERS_MAX,
    PENDING_PLACES,
    RATE_PLACES,
    RATE_WINDOWS_MAX,
    REAL_MAX,
    REPORTS_MAX,
    TAKEN_MAX,
    VENUES_MAX,
    WHOLE_MAX,
)

(
    S_GROUP,
    S_LINK,
    S_IS_BUSY,
    S_QUIET,
    S_PENDING,
    S_COUNT,
    S_REPORT_COUNT,
    S_POLICY,
    S_PEAK,
    S_DRAWDOWN_MAX,
    S_LAST_MID,
    S_SENT,
    S_REFUSED,
    S_NUMBER,
    S_HEARD_AT,
    S_REPORT_FIRST,
    S_LEFT,
    S_LEFT_OF,
    S_FILLS,
    S_REJECTED,
    S_REPORTS_LOST,
    S_NEXT_AT,
    S_ACTION,
    S_ACTION_LAST,
    S_DECISIONS,
    S_POSTURE,
    S_SIGMA_HIGH,
    S_SIGMA_EXTREME,
    S_DUE,
    S_INDEX,
    S_POSITION,
    S_LINK_BEFORE,
    S_STIRRED,
    S_STIR_LINK,
    S_TOLD,
    S_BREAK,
    S_BATCH,
    S_BATCH_FIRST,
    S_BATCH_COUNT,
    S_ARRIVES,
    S_NOW,
    S_BID,
    S_BID_SIZE,
    S_ASK,
    S_ASK_SIZE,
    S_SIGMA,
    S_KAPPA,
    S_FRESH,
    S_FILLS_OFF,
    S_RATE_LEFT,
    S_SCRATCH,
) = range(51)
"""`S_IS_BUSY` when it must be looked at with every decision of its cadence, `S_LINK` the next such
set; `S_COUNT` orders, `S_PENDING` messages under way, `S_LEFT` of trade `S_LEFT_OF`; what it knows:
peak and drawdown of its profit, posture and breakers; counts; its script; its number; `S_QUIET`
when its last decision changed nothing and nothing was heard since: the same inputs would change
nothing again.

From `S_DUE` on for the desk's own rule: when it wants to decide, the message heard with which it
does, where it stands on the agenda and its neighbours there, whether it must look again (and who
comes next to look, and from which message on), its next break; number of its last batch and the
ring of those under way, the latest arrival; what it sees; a breaker; what requests are left."""

SCRATCH = 18
LINE = 8
"""Numbers in a line of the processor's cache; what is read together stands in one."""

S_ACCOUNTS = -(-(S_SCRATCH + SCRATCH) // LINE) * LINE

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
S_ORDERS = -(-(S_FREE + ORDERS_MAX) // LINE) * LINE
"""Orders in the order they were sent, and the places that are free; then the places themselves."""

FREE, SENT, LIVE, ENDED = 0, 1, 2, 3
"""States of an order: no order, under way, resting, over at the venue but not heard of yet."""

POST_ONLY, GTC, IOC, FOK = 0, 1, 2, 3

SCRIPT, DESK, SYMMETRIC, HUMMINGBOT, GLFT_GRID = range(5)
"""Numbers of the policies."""

(
    O_NEXT,
    O_PREVIOUS,
    O_PRICE,
    O_SIDE,
    O_AHEAD,
    O_LEFT,
    O_SET,
    O_LEVEL,
    O_STATE,
    O_LEAVING,
    O_VENUE,
    O_ENTRY,
    O_CANCEL_ENTRY,
    O_TIF,
    O_REPLACES,
    O_KNOWN_LEFT,
    O_CUT,
    O_CUT_AT,
    O_SIZE,
    O_TAG,
    O_PLACED_AT,
    O_HALF,
) = range(22)
O_COLUMNS = 3 * LINE
"""`O_LEFT` is what the venue has, `O_KNOWN_LEFT` what the desk knows; `O_ENTRY` and
`O_CANCEL_ENTRY` the decisions that sent order and cancel; links and sets are places in `m`. Of the
desk's own: when it was sent and the half-spread it was quoted at, in microticks."""

S_TAKEN = S_ORDERS + ORDERS_MAX * O_COLUMNS
T_LEVEL, T_SIZE, T_TAKEN, T_COLUMNS = range(4)
"""What a set took of a level while the venue still displayed `T_SIZE` there."""

S_REPORTS = S_TAKEN + TAKEN_MAX * T_COLUMNS
(
    R_HEARD_AT,
    R_ORDER,
    R_LOTS,
    R_CASH,
    R_ENDED,
    R_AT,
    R_PRICE,
    R_MID,
    R_TWAP,
    R_COLUMNS,
) = range(10)
"""A report on its way to the desk; the last four for its own rule, of a fill."""

SET_COLUMNS = -(-(S_REPORTS + REPORTS_MAX * R_COLUMNS) // LINE) * LINE

# -- more of a set that follows the desk's own rule ---------------------------------------------

(
    W_PENDING,
    W_PENDING_COUNT,
    W_JUDGED,
    W_JUDGED_COUNT,
    W_REALISED,
    W_THEORETICAL,
    W_TOXIC_RUN,
    W_TOXIC_CYCLES,
    W_APART,
    W_APART_COUNT,
    W_AGES,
    W_AGES_COUNT,
    W_AGES_FILLS,
    W_AGE_IS_KNOWN,
    W_AGE_MAX,
    W_RATES,
) = range(SET_COLUMNS, SET_COLUMNS + 16)
"""Rings (first place and count) of fills waiting to be judged, judged, off their reference, and of
times to fill; what they add up to; toxicity; the age beyond which an order is stale."""

RATE_SPENT, RATE_FIRST, RATE_COUNT, RATE_STEPS = range(4)
RATE_COLUMNS = RATE_STEPS + 2 * RATE_PLACES
"""A window of requests: weight spent, and the ring of (end of a step, weight in it)."""

BATCH_NUMBER, BATCH_AT, BATCH_POSITION, BATCH_HEARD, BATCH_SEEN, BATCH_COLUMNS = range(6)
"""What was sent with one decision: its number, when and where it arrives, when it is answered, and
the row of the venue's market it meets."""

PENDING_AT, PENDING_LOTS, PENDING_PRICE, PENDING_MID, PENDING_TOOK, PENDING_HALF = range(6)
PENDING_COLUMNS = 6
"""A fill that waits for its markout: when, signed lots, price, mid, time to fill, half-spread."""

W_BATCHES = W_RATES + RATE_WINDOWS_MAX * RATE_COLUMNS
W_JUDGEMENTS = W_BATCHES + BATCHES_MAX * BATCH_COLUMNS
W_AGES_LATEST = W_JUDGEMENTS + 2 * JUDGED_MAX
W_AGES_ORDERED = W_AGES_LATEST + SAMPLES_MAX
W_APARTS = W_AGES_ORDERED + SAMPLES_MAX
W_PENDINGS = W_APARTS + 2 * APART_MAX
DESK_SET_COLUMNS = -(-(W_PENDINGS + PENDING_PLACES * PENDING_COLUMNS) // LINE) * LINE
"""Columns of a set where any follows the desk's own rule."""

X_HELD, X_HELD_SQUARED, X_VENUE_COLUMNS = 0, 1, 2
X_REAL = VENUES_MAX * X_VENUE_COLUMNS
X_COLUMNS = X_REAL + REAL_MAX
"""What is real of a set (`f` in the code): inventory and its square over time, then parameters."""
