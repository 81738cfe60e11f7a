"""From what is seen to what should rest: posture, model prices, and the change of orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dmm.governance.policy import Policy
from dmm.market.view import MarketView
from dmm.quoting.ladder import build_ladder
from dmm.quoting.price import Priced, price_quote
from dmm.quoting.refresh import Refresh, Working, is_crossed, plan_refresh, tolerance_ticks
from dmm.quoting.scale import QuoteInputs, inputs_in_ticks, sigma_ceiling_microticks
from dmm.risk.breaker import Posture, Signals, next_posture
from dmm.units.amount import Atoms, HalfTicks, Lots


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a decision is made from.

    `mid` is the last one known, in half ticks; `feed_is_fresh` is False until enough events
    followed a silence; σ and κ are the adopted estimates, or the online ones;
    `online_sigma_microticks` is what the volatility breaker looks at whichever is quoted on.
    """

    mid: HalfTicks
    inventory: Lots
    drawdown_atoms: Atoms
    feed_is_fresh: bool
    sigma_microticks: int
    kappa_nano: int
    online_sigma_microticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What should be done; without a price everything is cancelled and `unpriceable` says why."""

    posture: Posture
    inputs: QuoteInputs
    priced: Priced | None
    refresh: Refresh
    unpriceable: tuple[str, ...]


def propose(
    situation: Situation,
    *,
    policy: Policy,
    posture: Posture,
    market: MarketView,
    working: Sequence[Working],
) -> Proposal:
    """Return the posture the situation demands and the orders that follow from it.

    Parameters
    ----------
    situation : what is seen now
    policy : in force
    posture : after the decision before; not killed
    market : for the best quote
    working : our resting orders that are not being cancelled
    """
    inputs = inputs_in_ticks(
        policy,
        mid=situation.mid,
        inventory=situation.inventory,
        sigma_microticks=situation.sigma_microticks,
        kappa_nano=situation.kappa_nano,
    )
    posture = next_posture(posture, _signals(situation, policy, market))
    priced = None
    unpriceable: tuple[str, ...] = ()
    if posture.may_quote:
        pricing = price_quote(inputs, widened=posture is Posture.WIDENED)
        if isinstance(pricing, Priced):
            priced = pricing
        else:
            unpriceable = (pricing.reason.value,)
    if priced is None:
        refresh = plan_refresh(working, (), tolerance=0)
    else:
        refresh = _refresh(priced, inputs, market, working)
    return Proposal(
        posture=posture, inputs=inputs, priced=priced, refresh=refresh, unpriceable=unpriceable
    )


def _refresh(
    priced: Priced, inputs: QuoteInputs, market: MarketView, working: Sequence[Working]
) -> Refresh:
    best_bid, best_ask = market.best_bid, market.best_ask
    crossed = [
        order for order in working if is_crossed(order, best_bid=best_bid, best_ask=best_ask)
    ]
    refresh = plan_refresh(
        [order for order in working if order not in crossed],
        build_ladder(priced, inputs, best_bid=best_bid, best_ask=best_ask),
        tolerance=tolerance_ticks(priced.half_spread_ticks),
    )
    cancel = (*(order.client_id for order in crossed), *refresh.cancel)
    return replace(refresh, cancel=cancel)


def _signals(situation: Situation, policy: Policy, market: MarketView) -> Signals:
    sigma_max = sigma_ceiling_microticks(policy, situation.mid)
    return Signals(
        latch_readable=True,
        killed=False,
        drawdown_exceeded=situation.drawdown_atoms > policy.drawdown_atoms_max,
        market_visible=market.has_mid and situation.feed_is_fresh,
        inventory_at_hard=abs(situation.inventory) >= policy.inventory_hard_lots,
        volatility_above_band=situation.online_sigma_microticks > sigma_max,
    )
