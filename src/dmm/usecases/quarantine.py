"""Quarantine ends by an order that governance executed on the finalized chain, and by nothing else.

The order is of the release family and its body is canonical JSON, ``{"intent_id": "…", "verdict":
"resume" | "dead" | "reversed"}``. `resume` lets the driver go on from the chain's state; `dead`
ends the intent as never paid on the governor's word, which is needed where the deadline is too long
ago to prove anything. `reversed` is for a payment that was final here and that the chain took back
all the same: linked postings undo it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dmm import observe
from dmm.governance.proposal import FAMILY_RELEASE, Link, broken_link
from dmm.ports import Answer, Chain, Clock, ExecutedOrder, Snapshot, Store
from dmm.settlement.batch import reversal, void
from dmm.settlement.intent import Intent, IntentState
from dmm.units.errors import InvariantBroken, Retryable, UsageFault
from dmm.units.ids import Hash32, Json, canonical_json
from dmm.units.json_text import parse_json
from dmm.units.time import NS_PER_S

ORDERS_MAX = 10_000
"""Orders read from the chain in one look."""


class Verdict(StrEnum):
    """What governance found out about an intent in quarantine."""

    RESUME = "resume"
    DEAD = "dead"
    REVERSED = "reversed"
    """Its payment was taken back below finality, and will not come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentRelease:
    """Releases one intent, and only that one."""

    intent_id: Hash32
    verdict: Verdict

    @property
    def canonical_bytes(self) -> bytes:
        """Return the bytes that governance signs."""
        return canonical_json({"intent_id": self.intent_id.hex(), "verdict": self.verdict.value})


def read_release(body: bytes) -> IntentRelease | None:
    """Return what an order of the release family says about an intent; None if it is of another.

    Only canonical bytes count: an order that can be read in two ways releases nothing.
    """
    try:
        fields = parse_json(body)
        if not isinstance(fields, dict) or set(fields) != {"intent_id", "verdict"}:
            return None
        release = IntentRelease(
            intent_id=Hash32(bytes.fromhex(str(fields["intent_id"]))),
            verdict=Verdict(str(fields["verdict"])),
        )
    except ValueError:
        return None
    return release if release.canonical_bytes == body else None


def release_quarantined(
    *,
    store: Store,
    chain: Chain,
    clock: Clock,
    intent_id: Hash32,
    operator: str,
    home: Chain | None = None,
) -> IntentState:
    """End an intent's quarantine by an executed and unused order made for it.

    Parameters
    ----------
    chain : of the intent
    home : where governance executes its orders; the same chain when None

    Raises
    ------
    UsageFault
        If it is in no quarantine, or no such order is executed on the finalized chain.
    Retryable
        If the chain cannot say whether the intent was paid.
    InvariantBroken
        If governance declares an intent dead whose key is used or still undecided on chain.
    """
    intent = _quarantined(store, chain.name, intent_id)
    at = chain.snapshot()
    order, release = _order_for(home or chain, intent_id)
    if release.verdict is Verdict.REVERSED:
        raise UsageFault(f"intent {intent_id.hex()} was never booked as paid: order resume or dead")
    dead = release.verdict is Verdict.DEAD
    if dead:
        _require_unpaid(chain, intent, at)
    proof: dict[str, Json] = {
        "order": order.sequence,
        "order_tx_id": order.tx_id,
        "verdict": release.verdict.value,
        "height": at.finalized_height,
        "block_hash": at.finalized_hash,
    }
    now_ns = clock.now_ns()
    state = store.release_quarantine(
        intent_id,
        order_sequence=order.sequence,
        proof=proof,
        postings=void(intent, at_ns=at.finalized_time_s * NS_PER_S) if dead else (),
    )
    observe.intent_moved(intent_id=intent_id.hex(), state=f"released:{state.value}")
    store.append_audit(
        actor=operator,
        action="release intent",
        body={"intent_id": intent_id.hex(), **proof},
        now_ns=now_ns,
    )
    return state


def reverse_payment(
    *,
    store: Store,
    chain: Chain,
    clock: Clock,
    intent_id: Hash32,
    operator: str,
    home: Chain | None = None,
) -> bool:
    """Undo a payment that was final and is on the finalized chain no more, by linked postings.

    The intent stays FINAL and nothing is overwritten. Again is a no-op: False.

    Parameters
    ----------
    chain : of the intent
    home : where governance executes its orders; the same chain when None

    Raises
    ------
    UsageFault
        If it is not FINAL, or no order to reverse it is executed on the finalized chain.
    Retryable
        If the chain cannot say whether the intent was paid.
    InvariantBroken
        If its key is used on chain, or its deadline has not passed: it may still be paid.
    """
    found = [one for one in store.intents() if one[0].intent_id == intent_id]
    if not found or found[0][1] is not IntentState.FINAL or found[0][0].chain != chain.name:
        raise UsageFault(f"intent {intent_id.hex()} is not FINAL on {chain.name}: nothing to undo")
    intent, at = found[0][0], chain.snapshot()
    order, release = _order_for(home or chain, intent_id)
    if release.verdict is not Verdict.REVERSED:
        raise UsageFault(f"order {order.sequence} says {release.verdict}, not reversed")
    _require_unpaid(chain, intent, at)
    postings = reversal(intent, order_sequence=order.sequence, at_ns=at.finalized_time_s * NS_PER_S)
    if store.post(postings) == 0:
        return False
    store.append_audit(
        actor=operator,
        action="reverse payment",
        body={
            "intent_id": intent_id.hex(),
            "order": order.sequence,
            "height": at.finalized_height,
            "block_hash": at.finalized_hash,
        },
        now_ns=clock.now_ns(),
    )
    return True


def _quarantined(store: Store, chain: str, intent_id: Hash32) -> Intent:
    for intent, state in store.intents():
        if intent.intent_id == intent_id and intent.chain == chain:
            if state is IntentState.QUARANTINED:
                return intent
            raise UsageFault(f"intent {intent_id.hex()} is {state.value}: it is in no quarantine")
    raise UsageFault(f"no intent {intent_id.hex()} on {chain}")


def _order_for(home: Chain, intent_id: Hash32) -> tuple[ExecutedOrder, IntentRelease]:
    orders = home.executed_orders(from_sequence=1, at=home.snapshot())[:ORDERS_MAX]
    why = broken_link(
        [Link(sequence=o.sequence, previous_head=o.previous_head, head=o.head) for o in orders]
    )
    if why is not None:
        raise InvariantBroken(f"governance on {home.name}: {why}")
    for order in reversed(orders):
        release = read_release(order.body) if order.family == FAMILY_RELEASE else None
        if release is not None and release.intent_id == intent_id:
            return order, release
    raise UsageFault(
        f"intent {intent_id.hex()} stays in quarantine: execute a release order for it first"
    )


def _require_unpaid(chain: Chain, intent: Intent, at: Snapshot) -> None:
    match chain.key_state(intent, at=at):
        case Answer.ABSENT | Answer.REFUNDED:
            if at.finalized_time_s <= intent.deadline_s:
                raise InvariantBroken(
                    f"intent {intent.intent_id.hex()} cannot be dead before its deadline: order "
                    "resume instead"
                )
        case Answer.UNKNOWN:
            raise Retryable(f"{chain.name} cannot say whether {intent.intent_id.hex()} was paid")
        case _:
            raise InvariantBroken(
                f"intent {intent.intent_id.hex()} is used on {chain.name}: order resume instead"
            )
