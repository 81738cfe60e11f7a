"""The policy's fair value: one of the named methods, on what a decision knows."""

from __future__ import annotations

from dmm.governance.policy import Policy
from dmm.market.fair_value import (
    FairValue,
    SideDepth,
    Source,
    blend,
    depth_mid,
    micro_price,
    mid_microticks,
)
from dmm.quoting.decision_inputs import DecisionInputs
from dmm.units.amount import BPS_ONE


def fair_value(inputs: DecisionInputs, policy: Policy) -> FairValue:
    """Return what the quote is centred on, and how far that is confirmed.

    ``mid``; ``micro`` and ``depth`` are the touch and several levels weighted by imbalance;
    ``stoikov`` is the mid with the adjustment of a fitted table; ``vwap`` and ``twap`` are the
    trades' and the mid's mean; ``blend`` weighs them all with a reference price of another venue.
    A method that lacks its measurement gives the mid, with no confidence at all.

    Parameters
    ----------
    inputs : with a mid > 0
    policy : method and weights
    """
    mid = mid_microticks(inputs.mid)
    if policy.fair_value == "mid":
        return FairValue(price_microticks=mid, confidence_bps=BPS_ONE)
    if policy.fair_value == "blend":
        blended = blend(_sources(inputs, policy))
    else:
        price = _price(policy.fair_value, inputs)
        blended = (
            None if price is None else FairValue(price_microticks=price, confidence_bps=BPS_ONE)
        )
    if blended is None:
        return FairValue(price_microticks=mid, confidence_bps=0)
    return blended


def _price(method: str, inputs: DecisionInputs) -> int | None:
    if method == "mid":
        return mid_microticks(inputs.mid)
    if method == "vwap":
        return inputs.vwap_microticks or None
    if method == "twap":
        return inputs.twap_microticks or None
    if not inputs.has_mid:
        return None
    if method == "stoikov":
        adjust = inputs.micro_adjust_microticks
        return mid_microticks(inputs.mid) + adjust if adjust else None
    if method == "depth":
        return depth_mid(
            SideDepth(price_microticks=inputs.depth_bid_microticks, size=inputs.depth_bid_lots),
            SideDepth(price_microticks=inputs.depth_ask_microticks, size=inputs.depth_ask_lots),
        )
    return micro_price(
        bid=inputs.best_bid,
        bid_size=inputs.best_bid_size,
        ask=inputs.best_ask,
        ask_size=inputs.best_ask_size,
    )


def _sources(inputs: DecisionInputs, policy: Policy) -> list[Source]:
    """Return the blend's sources, each with the depth of the venue it comes from."""
    own = max(1, inputs.venue_lots)
    weights = (
        ("mid", policy.fair_mid_bps),
        ("micro", policy.fair_micro_bps),
        ("depth", policy.fair_depth_bps),
        ("vwap", policy.fair_vwap_bps),
        ("twap", policy.fair_twap_bps),
    )
    sources = [
        Source(price_microticks=_price(method, inputs), weight=weight, depth_lots=own)
        for method, weight in weights
        if weight
    ]
    if policy.fair_reference_bps:
        sources.append(
            Source(
                price_microticks=inputs.reference_microticks or None,
                weight=policy.fair_reference_bps,
                depth_lots=max(1, inputs.reference_lots),
            )
        )
    return sources
