"""Inputs of decisions that several tests of quoting share."""

from __future__ import annotations

from typing import Any

from trading_values import at_ms

from dmm.quoting.decision import Decision
from dmm.quoting.decision_inputs import DecisionInputs, Working
from dmm.risk.breaker import Posture

BEST_BID, BEST_ASK = 618_002, 618_003


def decision_inputs(**changes: Any) -> DecisionInputs:
    """Return a calm market at 61,800.25 with a tick of 0.1, and a flat desk."""
    values: dict[str, Any] = {
        "run_id": "run",
        "seq": 7,
        "epoch": 0,
        "decided_at_ns": at_ms(10_000),
        "policy_sequence": 2,
        "estimate_version": 3,
        "instrument_valid_from_ns": 0,
        "best_bid": BEST_BID,
        "best_bid_size": 50,
        "best_ask": BEST_ASK,
        "best_ask_size": 60,
        "mid": BEST_BID + BEST_ASK,
        "inventory": 0,
        "outstanding_buy": 0,
        "outstanding_sell": 0,
        "drawdown_atoms": 0,
        "posture_before": Posture.QUOTING,
        "received_at_ns": at_ms(10_000),
        "feed_is_fresh": True,
        "estimated_sigma_microticks": 79_000_000,
        "estimated_kappa_nano": 97_000_000,
        "online_sigma_microticks": 79_000_000,
        "working": (),
    }
    return DecisionInputs(**(values | changes))


def working_of(decision: Decision) -> tuple[Working, ...]:
    """Return what rests after a decision, as the next one sees it."""
    placed = (
        Working(
            client_id=order.client_id,
            side=order.side,
            price=order.price,
            remaining=order.size,
            placed_at_ns=order.created_at_ns,
        )
        for order in decision.place
    )
    return (*decision.keep, *placed)
