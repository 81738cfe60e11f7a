"""What a decision is made from: everything the worker knows at one moment, in one value."""

from __future__ import annotations

from dataclasses import dataclass

from dmm.ledger.session import TradingSession
from dmm.market.fair_value import NO_DEPTH
from dmm.market.instrument import Instrument
from dmm.market.order import Fill
from dmm.market.view import MarketView
from dmm.ports import PolicyRecord
from dmm.quoting.collect import MarketCollector
from dmm.quoting.decision_inputs import DecisionInputs
from dmm.quoting.fill_watch import FillWatch
from dmm.quoting.scale import Estimates
from dmm.risk.breaker import Posture
from dmm.units.amount import HalfTicks, Lots
from dmm.units.fast_init import fast_init
from dmm.units.time import Nanos
from dmm.usecases.order_desk import OrderDesk
from dmm.usecases.surroundings import USUAL, Surroundings

DEPTH_METHODS = frozenset({"depth", "blend"})
"""Fair values that read several levels of the book; the others spare the worker the walk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochInputs:
    """What holds in an epoch: the policy, adopted estimates (None: online ones), hedges to book."""

    policy: PolicyRecord
    estimates: Estimates | None = None
    hedges: tuple[Fill, ...] = ()


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Where the worker stands; `mid` in half ticks is the last one known.

    `clock_offset_ns` is the database's time less the host's, None while it is not measured;
    `surroundings` are gas and peg as last looked at.
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
    estimates = _in_force(inputs, collector)
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
        online_sigma_microticks=collector.volatility.sigma_microticks,
        working=own.working,
        unknown_orders=own.unknown_orders,
        books_disagree=own.books_disagree,
        clock_offset_ns=moment.clock_offset_ns,
        gas_ratio_bps=moment.surroundings.gas_ratio_bps,
        depegged=moment.surroundings.depegged,
        rate_weight_left=own.rate_weight_left,
        depth_bid_microticks=bids.price_microticks,
        depth_bid_lots=Lots(bids.size),
        depth_ask_microticks=asks.price_microticks,
        depth_ask_lots=Lots(asks.size),
        venue_lots=Lots(bids.size + asks.size),
        vwap_microticks=collector.reference.vwap_microticks(now_ns),
        twap_microticks=collector.reference.twap_microticks,
        toxic_run_before=filled.toxicity.toxic_run,
        toxic_cycles_before=filled.toxicity.cycles_left,
        realised_spread_bps=filled.realised_spread_bps,
        fill_deviation_ubps=filled.fill_deviation_ubps,
        order_age_ns_max=filled.order_age_ns_max,
    )


def _in_force(inputs: EpochInputs, collector: MarketCollector) -> Estimates:
    """Return what was adopted, or what the worker measured itself since its start."""
    if inputs.estimates is not None:
        return inputs.estimates
    return Estimates(
        version=0,
        kappa_nano=collector.arrival.kappa_nano,
        sigma_microticks=collector.volatility.sigma_microticks,
    )
