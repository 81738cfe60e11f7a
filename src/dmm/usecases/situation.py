"""What a decision is made from: everything the worker knows at one moment, in one value."""

from __future__ import annotations

from dataclasses import dataclass

from dmm.governance.policy import Policy
from dmm.ledger.fills import paper_vault
from dmm.ledger.session import TradingSession
from dmm.market.fair_value import NO_DEPTH
from dmm.market.instrument import Instrument
from dmm.market.order import Fill
from dmm.market.view import MarketView
from dmm.ports import PolicyRecord
from dmm.quoting.collect import MarketCollector
from dmm.quoting.decision_inputs import STILL, DecisionInputs
from dmm.quoting.fill_watch import FillWatch
from dmm.quoting.scale import Estimates
from dmm.risk.breaker import Posture
from dmm.risk.inventory import NOTHING_OPEN, OpenLots, Scoped, scoped_caps
from dmm.risk.limits import Cap
from dmm.units.amount import HalfTicks, Lots
from dmm.units.fast_init import fast_init
from dmm.units.time import Nanos
from dmm.usecases.order_desk import OrderDesk, OrderReadings
from dmm.usecases.surroundings import USUAL, Surroundings

DEPTH_METHODS = frozenset({"depth", "blend"})
"""Fair values that read several levels of the book; the others spare the worker the walk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochInputs:
    """What holds in an epoch: policy, adopted estimates, hedges and settled firm quotes to book.

    `estimates` is None, or its σ or κ 0, while none was adopted: the worker's online one is used.
    `promised` are the lots that accepted firm quotes may still move.
    """

    policy: PolicyRecord
    estimates: Estimates | None = None
    hedges: tuple[Fill, ...] = ()
    settled: tuple[Fill, ...] = ()
    promised: OpenLots = NOTHING_OPEN


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Where the worker stands; `mid` in half ticks is the last one known.

    `clock_offset_ns` is the database's time less the host's, None while it is not measured;
    `surroundings` are gas, peg and firm quotes as last looked at.
    """

    run_id: str
    seq: int
    epoch: int
    now_ns: Nanos
    received_at_ns: Nanos
    feed_is_fresh: bool
    mid: HalfTicks
    posture: Posture
    signals: tuple[str, ...]
    clock_offset_ns: int | None = 0
    surroundings: Surroundings = USUAL


def situation(
    moment: Moment,
    *,
    inputs: EpochInputs,
    instrument: Instrument,
    market: MarketView,
    collector: MarketCollector,
    session: TradingSession,
    orders: OrderDesk,
    fills: FillWatch,
) -> DecisionInputs:
    """Return the inputs of a decision at this moment.

    Looking is not without effect: the order desk gives its sign of life and compares with the venue
    when that is due, and fills whose horizon has passed are judged.
    """
    now_ns, policy = moment.now_ns, inputs.policy.policy
    own = orders.look(now_ns)
    filled = fills.look(now_ns, moment.mid, policy)
    estimates, volatility = _in_force(inputs, collector), collector.volatility
    bids = asks = NO_DEPTH
    if policy.fair_value in DEPTH_METHODS:
        bids, asks = market.depth(policy.fair_levels)
    return DecisionInputs(
        run_id=moment.run_id,
        seq=moment.seq,
        epoch=moment.epoch,
        decided_at_ns=now_ns,
        policy_sequence=inputs.policy.sequence,
        estimate_version=estimates.version,
        instrument_valid_from_ns=instrument.valid_from_ns,
        best_bid=market.best_bid,
        best_bid_size=market.best_bid_size,
        best_ask=market.best_ask,
        best_ask_size=market.best_ask_size,
        mid=moment.mid,
        inventory=session.position.inventory,
        outstanding_buy=own.outstanding_buy,
        outstanding_sell=own.outstanding_sell,
        drawdown_atoms=session.drawdown(moment.mid),
        posture_before=moment.posture,
        signals_before=moment.signals,
        received_at_ns=moment.received_at_ns,
        feed_is_fresh=moment.feed_is_fresh,
        estimated_sigma_microticks=estimates.sigma_microticks,
        estimated_kappa_nano=estimates.kappa_nano,
        a_bid_micro=estimates.a_bid_micro,
        a_ask_micro=estimates.a_ask_micro,
        online_sigma_microticks=volatility.sigma_microticks if not volatility.is_still else STILL,
        working=own.working,
        unknown_orders=own.unknown_orders,
        books_disagree=own.books_disagree,
        clock_offset_ns=moment.clock_offset_ns,
        gas_ratio_bps=moment.surroundings.gas_ratio_bps,
        depegged=moment.surroundings.depegged,
        rate_weight_left=own.rate_weight_left,
        caps=_caps(moment, own, policy, inputs, instrument, session),
        depth_bid_microticks=bids.price_microticks,
        depth_bid_lots=Lots(bids.size),
        depth_ask_microticks=asks.price_microticks,
        depth_ask_lots=Lots(asks.size),
        venue_lots=Lots(bids.size + asks.size),
        micro_adjust_microticks=_micro_adjust(policy, now_ns, market, collector),
        vwap_microticks=collector.reference.vwap_microticks(now_ns),
        twap_microticks=collector.reference.twap_microticks,
        toxic_run_before=filled.toxicity.toxic_run,
        toxic_cycles_before=filled.toxicity.cycles_left,
        realised_spread_bps=filled.realised_spread_bps,
        fill_deviation_ubps=filled.fill_deviation_ubps,
        order_age_ns_max=filled.order_age_ns_max,
    )


def _caps(
    moment: Moment,
    own: OrderReadings,
    policy: Policy,
    inputs: EpochInputs,
    instrument: Instrument,
    session: TradingSession,
) -> tuple[Cap, ...]:
    """Return the room under the limits of venue, vault and desk; none while they are one."""
    promised = moment.surroundings.promised
    if promised is None:
        promised = inputs.promised
    if session.is_alone and not (promised.buy or promised.sell):
        return ()  # the gate's own limits say the same
    total = session.position.inventory
    vault = total - session.quoted_lots
    return scoped_caps(
        Scoped(
            venue=Lots(vault - session.hedged_lots),
            vault=Lots(vault),
            total=total,
        ),
        venue=instrument.venue,
        vault=paper_vault(moment.run_id),
        own=OpenLots(buy=own.outstanding_buy, sell=own.outstanding_sell),
        others=promised,
        hard_long=policy.hard_long_lots,
        hard_short=policy.hard_short_lots,
    )


def _micro_adjust(
    policy: Policy, now_ns: Nanos, market: MarketView, collector: MarketCollector
) -> int:
    """Let the micro-price's table see the book, where the policy quotes on it; 0 where not."""
    if policy.fair_value != "stoikov":
        return 0
    return collector.micro.look(
        now_ns,
        bid=market.best_bid,
        bid_size=market.best_bid_size,
        ask=market.best_ask,
        ask_size=market.best_ask_size,
    )


def _in_force(inputs: EpochInputs, collector: MarketCollector) -> Estimates:
    """Return what was adopted, and for what was not what the worker measured since its start."""
    adopted = inputs.estimates or _ONLINE
    if adopted.sigma_microticks and adopted.kappa_nano:
        return adopted
    return Estimates(
        version=adopted.version,
        kappa_nano=adopted.kappa_nano or collector.arrival.kappa_nano,
        sigma_microticks=adopted.sigma_microticks or collector.volatility.sigma_microticks,
        a_bid_micro=adopted.a_bid_micro,
        a_ask_micro=adopted.a_ask_micro,
    )


_ONLINE = Estimates(version=0, kappa_nano=0, sigma_microticks=0)
