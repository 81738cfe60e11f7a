"""The pure decision: from inputs, policy and instrument to orders, the same bytes every time.

Nothing else enters: no state, no clock, no market. So whoever holds the journal can decide again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dmm.governance.policy import Policy
from dmm.market.fair_value import MICROTICKS_PER_HALF, FairValue
from dmm.market.instrument import Instrument
from dmm.market.order import Order, TimeInForce
from dmm.quoting.decision import Decision, RestingQuote
from dmm.quoting.decision_inputs import STILL, DecisionInputs
from dmm.quoting.fair import fair_value
from dmm.quoting.ladder import build_ladder
from dmm.quoting.limits import limits_of, thresholds_of
from dmm.quoting.price import Priced, UnpriceableReason, price_quote
from dmm.quoting.refresh import Refresh, is_crossed, plan_refresh, refresh_ms, tolerance_ticks
from dmm.quoting.scale import (
    Conditions,
    QuoteInputs,
    inputs_in_ticks,
    is_calm,
    sigma_ceiling_microticks,
)
from dmm.risk.breaker import CALM, Posture, Signals, next_posture
from dmm.risk.gate import Exposure, Refused, gate
from dmm.risk.signals import Readings, signals_of
from dmm.units.amount import HalfTicks
from dmm.units.errors import InvariantBroken
from dmm.units.fast_init import fast_init
from dmm.units.json_text import parse_json


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What the model wants: inputs in ticks, prices or why there are none, the change of orders."""

    fair: FairValue
    quote: QuoteInputs | None
    priced: Priced | None
    refresh: Refresh
    unpriceable: tuple[str, ...]


_NO_PRICE = FairValue(price_microticks=0, confidence_bps=0)


def decide(inputs: DecisionInputs, *, policy: Policy, instrument: Instrument) -> Decision:
    """Return the decision that follows from the inputs.

    Posture from the breakers; fair value, γ ladder, model, floor, widening and skew to prices;
    tiers, rounding and hysteresis to a change of orders; every new order through the gate, each
    counted before the next is judged. Without a price everything is cancelled.

    Parameters
    ----------
    inputs : everything seen
    policy : in force, sound
    instrument : the version in force
    """
    signals = _signals(inputs, policy)
    posture = next_posture(inputs.posture_before, signals)
    wanted = _want(inputs, policy, posture)
    place, refused = _judge(wanted.refresh.place, inputs, policy, instrument, posture)
    quote, priced = wanted.quote, wanted.priced
    return Decision(
        inputs=inputs,
        posture=posture,
        signals=_names(signals),
        toxic_run=inputs.toxic_run_before,
        toxic_cycles_left=max(0, inputs.toxic_cycles_before - 1),
        fair_microticks=wanted.fair.price_microticks,
        confidence_bps=wanted.fair.confidence_bps,
        sigma_microticks=quote.sigma_microticks if quote else 0,
        kappa_nano=quote.kappa_nano if quote else 0,
        gamma_nano=quote.gamma_nano if quote else 0,
        reservation_microticks=priced.reservation_microticks if priced else 0,
        shift_microticks=priced.shift_microticks if priced else 0,
        half_spread_microticks=priced.half_spread_microticks if priced else 0,
        cancel=wanted.refresh.cancel,
        keep=wanted.refresh.keep,
        place=tuple(place),
        refused=(*wanted.unpriceable, *refused),
        refresh_ms=refresh_ms(policy, gas_ratio_bps=inputs.gas_ratio_bps),
    )


def decide_again(body: bytes, *, policy: Policy, instrument: Instrument) -> bytes:
    """Return the bytes that a journalled decision's inputs give now.

    They equal the journalled ones if and only if policy, instrument and code decide as they did.

    Parameters
    ----------
    body : as journalled

    Raises
    ------
    InvariantBroken
        If the bytes hold no inputs.
    """
    try:
        fields = parse_json(body)
    except ValueError as fault:
        raise InvariantBroken(f"a journalled decision is not JSON: {fault}") from fault
    if not isinstance(fields, dict):
        raise InvariantBroken("a journalled decision is no JSON object")
    inputs = DecisionInputs.from_body(fields)
    return decide(inputs, policy=policy, instrument=instrument).canonical_bytes


def _want(inputs: DecisionInputs, policy: Policy, posture: Posture) -> _Wanted:
    if inputs.mid <= 0:
        return _nothing(inputs, _NO_PRICE, None, (UnpriceableReason.MID_NOT_POSITIVE.value,))
    fair = fair_value(inputs, policy)
    quote = _quote_inputs(inputs, policy, fair)
    if not posture.may_quote:
        return _nothing(inputs, fair, quote, ())
    unmeasured = _unmeasured(inputs)
    if unmeasured:
        return _nothing(inputs, fair, quote, unmeasured)
    priced = price_quote(quote, widened=posture is Posture.WIDENED)
    if not isinstance(priced, Priced):
        return _nothing(inputs, fair, quote, (priced.reason.value,))
    refresh = _refresh(priced, quote, inputs)
    return _Wanted(fair=fair, quote=quote, priced=priced, refresh=refresh, unpriceable=())


def _nothing(
    inputs: DecisionInputs, fair: FairValue, quote: QuoteInputs | None, why: tuple[str, ...]
) -> _Wanted:
    refresh = plan_refresh(inputs.working, (), tolerance=0)
    return _Wanted(fair=fair, quote=quote, priced=None, refresh=refresh, unpriceable=why)


def _unmeasured(inputs: DecisionInputs) -> tuple[str, ...]:
    """Return which estimate nobody measured: not known yet, or of a book that stands still.

    The policy's band would make a number of it, and the desk would quote on that.
    """
    if inputs.online_sigma_microticks == STILL:
        return (UnpriceableReason.BOOK_STANDS_STILL.value,)
    reasons = []
    if inputs.estimated_sigma_microticks <= 0:
        reasons.append(UnpriceableReason.SIGMA_NOT_POSITIVE.value)
    if inputs.estimated_kappa_nano <= 0:
        reasons.append(UnpriceableReason.KAPPA_NOT_POSITIVE.value)
    return tuple(reasons)


def _quote_inputs(inputs: DecisionInputs, policy: Policy, fair: FairValue) -> QuoteInputs:
    sigma = inputs.estimated_sigma_microticks
    return inputs_in_ticks(
        policy,
        mid=inputs.mid,
        inventory=inputs.inventory,
        sigma_microticks=sigma,
        kappa_nano=inputs.estimated_kappa_nano,
        a_bid_micro=inputs.a_bid_micro,
        a_ask_micro=inputs.a_ask_micro,
        fair_microticks=fair.price_microticks,
        conditions=Conditions(
            gas_ratio_bps=inputs.gas_ratio_bps,
            is_calm=is_calm(
                policy,
                mid=inputs.mid,
                inventory=inputs.inventory,
                sigma_microticks=max(sigma, inputs.online_sigma_microticks),
            ),
            is_toxic=inputs.toxic_cycles_before > 0,
            confidence_bps=fair.confidence_bps,
            realised_bps=inputs.realised_spread_bps,
        ),
    )


def _refresh(priced: Priced, quote: QuoteInputs, inputs: DecisionInputs) -> Refresh:
    best_bid, best_ask = inputs.best_bid, inputs.best_ask
    placed_ns_min = 0
    if inputs.order_age_ns_max > 0:
        placed_ns_min = inputs.decided_at_ns - inputs.order_age_ns_max
    gone = [
        order.client_id
        for order in inputs.working
        if order.placed_at_ns < placed_ns_min
        or is_crossed(order, best_bid=best_bid, best_ask=best_ask)
    ]
    refresh = plan_refresh(
        [order for order in inputs.working if order.client_id not in gone]
        if gone
        else inputs.working,
        build_ladder(priced, quote, best_bid=best_bid, best_ask=best_ask),
        tolerance=tolerance_ticks(
            priced.half_spread_ticks,
            policy=quote.policy,
            mid=inputs.mid,
            gas_ratio_bps=inputs.gas_ratio_bps,
        ),
    )
    if not gone:
        return refresh
    return Refresh(keep=refresh.keep, cancel=(*gone, *refresh.cancel), place=refresh.place)


def _judge(
    quotes: Sequence[RestingQuote],
    inputs: DecisionInputs,
    policy: Policy,
    instrument: Instrument,
    posture: Posture,
) -> tuple[list[Order], list[str]]:
    """Return the orders the gate accepts and the reasons for which it refuses others."""
    placed: list[Order] = []
    refused: list[str] = []
    if not quotes:
        return placed, refused
    limits, exposure = limits_of(policy), _exposure(inputs, posture)
    for number, quote in enumerate(quotes):
        order = Order(
            client_id=f"{inputs.seq:08d}-{number}",
            side=quote.side,
            price=quote.price,
            size=quote.size,
            time_in_force=TimeInForce.POST_ONLY,
            created_at_ns=inputs.decided_at_ns,
        )
        verdict = gate(order, instrument=instrument, limits=limits, exposure=exposure)
        if isinstance(verdict, Refused):
            refused.append(verdict.reason.value)
        else:
            placed.append(order)
            exposure = exposure.after(order)
    return placed, refused


def _exposure(inputs: DecisionInputs, posture: Posture) -> Exposure:
    return Exposure(
        posture=posture,
        feed_is_fresh=inputs.feed_is_fresh,
        best_bid=inputs.best_bid,
        best_ask=inputs.best_ask,
        inventory=inputs.inventory,
        outstanding_buy=inputs.outstanding_buy,
        outstanding_sell=inputs.outstanding_sell,
        drawdown_atoms=inputs.drawdown_atoms,
        unknown_orders=inputs.unknown_orders,
        clock_offset_ns=inputs.clock_offset_ns,
        rate_weight_left=inputs.rate_weight_left,
        order_weight=inputs.order_weight,
        caps=inputs.caps,
    )


# -- breakers ---------------------------------------------------------------------------------


def _signals(inputs: DecisionInputs, policy: Policy) -> Signals:
    mids: tuple[HalfTicks, ...] = ()
    if inputs.reference_microticks and inputs.mid > 0:
        mids = (inputs.mid, HalfTicks(inputs.reference_microticks // MICROTICKS_PER_HALF))
    readings = Readings(
        now_ns=inputs.decided_at_ns,
        received_at_ns=inputs.received_at_ns,
        trusts_feed=inputs.feed_is_fresh,
        has_mid=inputs.has_mid,
        inventory=inputs.inventory,
        sigma_microticks=inputs.online_sigma_microticks,
        drawdown_atoms=inputs.drawdown_atoms,
        clock_offset_ns=inputs.clock_offset_ns,
        unknown_orders=inputs.unknown_orders,
        books_disagree=inputs.books_disagree,
        depegged=inputs.depegged,
        latch_readable=inputs.latch_readable,
        killed=inputs.killed,
        fill_deviation_ubps=inputs.fill_deviation_ubps,
        venue_mids=mids,
    )
    thresholds = thresholds_of(policy, sigma_ceiling_microticks(policy, inputs.mid))
    return signals_of(readings, thresholds=thresholds, before=_before(inputs.signals_before))


def _before(names: tuple[str, ...]) -> Signals:
    if not names:
        return CALM
    on = {name: name in names for name in _OFF}
    return Signals(latch_readable=True, market_visible=True, **on)


def _names(signals: Signals) -> tuple[str, ...]:
    return tuple(name for name in _OFF if getattr(signals, name))


_OFF = tuple(
    name
    for name in Signals.__dataclass_fields__
    if name not in {"latch_readable", "market_visible"}
)
"""Signals that are off while all is well; the other two are on."""
