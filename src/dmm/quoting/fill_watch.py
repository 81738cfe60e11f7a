"""What our fills tell: how toxic the flow is, what spread they keep, how old a quote may grow."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from dmm.governance.policy import Policy
from dmm.market.fair_value import MICROTICKS_PER_HALF
from dmm.market.order import Fill
from dmm.quoting.decision import Decision
from dmm.quoting.limits import toxicity_rules_of
from dmm.risk.quote_age import FillTimes
from dmm.risk.toxicity import (
    COOL,
    HORIZON_NS,
    ToxicityRules,
    ToxicityState,
    after_score,
    score_ubps,
)
from dmm.units.amount import BPS_ONE, HalfTicks
from dmm.units.fast_init import fast_init
from dmm.units.time import NS_PER_S, Nanos

PENDING_MAX = 1_024
"""Fills that wait for their markout; beyond it the oldest is judged at once."""

JUDGED_MAX = 64
"""Latest judged fills whose realised spread is compared with the theoretical one."""

JUDGED_MIN = 10
"""Judged fills below which the comparison says nothing."""

REALISED_BPS_MAX = 100 * BPS_ONE
"""A realised spread counts as this multiple of the theoretical one at the most."""

DEVIATION_NS = 10 * NS_PER_S
"""How long a fill that lay off its reference is held against the market."""


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class FillReadings:
    """What a decision is told of our fills; scales of `DecisionInputs`."""

    toxicity: ToxicityState
    realised_spread_bps: int
    fill_deviation_ubps: int
    order_age_ns_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FillWindow:
    """What the fills of one window came to; `horizon_ns` is that of their markouts.

    `filled_lots` were traded in it; the rest is about the `judged` fills whose horizon passed in
    it: moves against us summed in microticks, realised and theoretical half-spread in microticks
    times lots.
    """

    filled_lots: int = 0
    judged: int = 0
    adverse_microticks: int = 0
    realised: int = 0
    theoretical: int = 0
    horizon_ns: int = HORIZON_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    fill: Fill
    time_to_fill_ns: int
    half_spread_microticks: int


class FillWatch:
    """Follows orders from their placing to the markout of their fills; integers and given times.

    The realised spread of a fill is 2·D·(mid a horizon later − price), D = 1 for a buy of ours, and
    is compared with twice the half-spread it was quoted at, both weighted by size.

    References
    ----------
    Huang & Stoll (1996), Dealer versus auction markets, J. Financial Economics 41(3), section 3:
    the realised spread.
    """

    def __init__(self, *, horizon_ns: int = HORIZON_NS) -> None:
        """Start without fills; `horizon_ns` is that of the markouts, > 0."""
        self._horizon_ns = horizon_ns
        self._quoted: dict[str, tuple[Nanos, int]] = {}
        self._pending: deque[_Pending] = deque()
        self._judged: deque[tuple[int, int]] = deque()
        self._realised = self._theoretical = 0
        self._deviations: deque[tuple[Nanos, int]] = deque()
        self._times = FillTimes()
        self._toxicity = COOL
        self._open_window()

    # -- what happens -------------------------------------------------------------------------

    def take_decision(self, decision: Decision) -> None:
        """Take a decision that was carried out: its orders, and the cycle that it was."""
        inputs = decision.inputs
        self._toxicity = ToxicityState(
            toxic_run=decision.toxic_run, cycles_left=decision.toxic_cycles_left
        )
        if inputs.order_age_ns_max > 0:
            cancelled = frozenset(decision.cancel)
            for order in inputs.working:
                age_ns = inputs.decided_at_ns - order.placed_at_ns
                if order.client_id in cancelled and age_ns > inputs.order_age_ns_max:
                    self._times.take_pulled(age_ns)
        for placed in decision.place:
            self._quoted[placed.client_id] = (placed.created_at_ns, decision.half_spread_microticks)

    def take_fill(self, fill: Fill, *, reference_microticks: int) -> None:
        """Take a fill of an order that a decision placed.

        Parameters
        ----------
        fill : ours, with the mid it met
        reference_microticks : the TWAP it is measured against, 0 when there is none
        """
        created_at_ns, half_spread = self._quoted.get(fill.client_id, (fill.filled_at_ns, 0))
        time_to_fill_ns = max(0, fill.filled_at_ns - created_at_ns)
        self._times.take_fill(time_to_fill_ns)
        self._window_lots += fill.size
        self._pending.append(
            _Pending(fill=fill, time_to_fill_ns=time_to_fill_ns, half_spread_microticks=half_spread)
        )
        if reference_microticks:
            apart = abs(fill.price * 2 * MICROTICKS_PER_HALF - reference_microticks)
            deviation_ubps = apart * BPS_ONE * 1_000_000 // reference_microticks
            self._deviations.append((fill.filled_at_ns, deviation_ubps))

    def take_end(self, client_id: str) -> None:
        """Forget an order that ended."""
        self._quoted.pop(client_id, None)

    # -- what it tells ------------------------------------------------------------------------

    def look(self, now_ns: Nanos, mid: HalfTicks, policy: Policy) -> FillReadings:
        """Judge fills whose horizon has passed and return what a decision must know.

        Parameters
        ----------
        now_ns : time of the decision
        mid : the present one, half ticks; 0 judges nothing yet
        policy : thresholds, coefficients and the percentile of the quote age
        """
        rules = toxicity_rules_of(policy)
        while mid > 0 and self._pending and self._is_due(self._pending[0], now_ns):
            self._judge(self._pending.popleft(), mid, rules, venue_bps=policy.toxicity_venue_bps)
        while self._deviations and self._deviations[0][0] <= now_ns - DEVIATION_NS:
            self._deviations.popleft()
        percentile_bps = policy.quote_age_percentile_bps
        age_ns_max = None
        if percentile_bps < BPS_ONE:  # the whole is beyond every fill: no quote is too old
            age_ns_max = self._times.age_ns_max(percentile_bps=percentile_bps)
        return FillReadings(
            toxicity=self._toxicity,
            realised_spread_bps=self._realised_bps(),
            fill_deviation_ubps=max((apart for _, apart in self._deviations), default=0),
            order_age_ns_max=age_ns_max or 0,
        )

    def close_window(self) -> FillWindow:
        """Return what came since the last call, and start anew."""
        window = FillWindow(
            filled_lots=self._window_lots,
            judged=self._window_judged,
            adverse_microticks=self._window_adverse,
            realised=self._window_realised,
            theoretical=self._window_theoretical,
            horizon_ns=self._horizon_ns,
        )
        self._open_window()
        return window

    def _open_window(self) -> None:
        self._window_lots = self._window_judged = 0
        self._window_adverse = self._window_realised = self._window_theoretical = 0

    def _is_due(self, pending: _Pending, now_ns: Nanos) -> bool:
        return (
            pending.fill.filled_at_ns + self._horizon_ns <= now_ns
            or len(self._pending) > PENDING_MAX
        )

    def _judge(
        self, pending: _Pending, mid: HalfTicks, rules: ToxicityRules, *, venue_bps: int
    ) -> None:
        fill = pending.fill
        if fill.mid > 0:
            score = score_ubps(
                side=fill.side,
                mid_before=fill.mid,
                mid_after=mid,
                time_to_fill_ns=pending.time_to_fill_ns,
                horizon_ns=self._horizon_ns,
                venue_bps=venue_bps,
            )
            self._toxicity = after_score(self._toxicity, score, rules=rules)
        kept = fill.side.sign * (mid - 2 * fill.price) * MICROTICKS_PER_HALF * fill.size
        promised = pending.half_spread_microticks * fill.size
        self._window_judged += 1
        self._window_adverse += fill.side.sign * (fill.mid - mid) * MICROTICKS_PER_HALF
        self._window_realised += kept
        self._window_theoretical += promised
        self._judged.append((kept, promised))
        self._realised += kept
        self._theoretical += promised
        if len(self._judged) > JUDGED_MAX:
            kept, promised = self._judged.popleft()
            self._realised -= kept
            self._theoretical -= promised

    def _realised_bps(self) -> int:
        if len(self._judged) < JUDGED_MIN or self._theoretical <= 0:
            return BPS_ONE
        share_bps = self._realised * BPS_ONE // self._theoretical
        return max(-REALISED_BPS_MAX, min(REALISED_BPS_MAX, share_bps))
