"""What the worker last knew and decided, read from its journal for the gate of other orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from dmm.market.instrument import Side
from dmm.ports import QuoteStore
from dmm.quoting.decision import SliceSummary
from dmm.quoting.decision_inputs import DecisionInputs
from dmm.risk.breaker import Posture
from dmm.risk.gate import Exposure
from dmm.risk.limits import Cap
from dmm.units.amount import Lots, Ticks
from dmm.units.errors import InvariantBroken
from dmm.units.json_text import parse_json

NO_PRICE = Ticks(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDecision:
    """A journalled decision: its inputs, and what other orders must know of its outputs.

    `open_buy` and `open_sell` are lots that may still fill once it was carried out, those being
    cancelled included; half-spread and σ over one second are in 1e-6 ticks.
    """

    inputs: DecisionInputs
    posture: Posture
    half_spread_microticks: int
    sigma_microticks: int
    open_buy: Lots
    open_sell: Lots


def last_decision(store: QuoteStore, run_id: str, epoch: int) -> LastDecision | None:
    """Return the last decision of an epoch, or None when nothing was decided in it.

    Raises
    ------
    InvariantBroken
        If it cannot be read.
    """
    records = store.decisions(run_id, epoch)
    if not records:
        return None
    try:
        body = cast("dict[str, Any]", parse_json(records[-1].body))
        inputs = DecisionInputs.from_body(body)
        placed = body["quotes"][len(body["keep"]) :]
        new = {side: sum(size for name, _, size in placed if name == side.value) for side in Side}
        return LastDecision(
            inputs=inputs,
            posture=Posture(body["posture"]),
            half_spread_microticks=int(body["half_spread_microticks"]),
            sigma_microticks=int(body["sigma_microticks"]),
            open_buy=Lots(inputs.outstanding_buy + new[Side.BUY]),
            open_sell=Lots(inputs.outstanding_sell + new[Side.SELL]),
        )
    except (KeyError, TypeError, ValueError) as fault:
        raise InvariantBroken(
            f"decision {records[-1].seq} of run {run_id} cannot be read: {fault!r}"
        ) from fault


def exposure_after(
    last: LastDecision,
    summary: SliceSummary,
    *,
    posture: Posture,
    open_buy: Lots,
    open_sell: Lots,
    caps: tuple[Cap, ...] = (),
) -> Exposure:
    """Return what an order of another line of business is judged against at a slice's end.

    Parameters
    ----------
    last : the slice's last decision
    summary : the slice, for its book and position
    posture : the desk's present one
    open_buy, open_sell : lots open at the venue the order goes to
    caps : of the whole desk
    """
    inputs = last.inputs
    return Exposure(
        posture=posture,
        feed_is_fresh=inputs.feed_is_fresh,
        best_bid=summary.bids[0][0] if summary.bids else NO_PRICE,
        best_ask=summary.asks[0][0] if summary.asks else NO_PRICE,
        inventory=summary.position,
        outstanding_buy=open_buy,
        outstanding_sell=open_sell,
        drawdown_atoms=inputs.drawdown_atoms,
        unknown_orders=inputs.unknown_orders,
        clock_offset_ns=inputs.clock_offset_ns,
        caps=caps,
    )
