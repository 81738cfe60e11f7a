"""The verdict on a lap: what it calls lost, paid twice, or not on chain."""

from __future__ import annotations

from dataclasses import replace

import journal_samples as make
import pytest

from dmm.rfq.netting import quote_intent
from dmm.sandbox.chaos.verdict import Verdict, verdict
from dmm.settlement.intent import Intent, IntentKind, IntentState
from dmm.units.ids import Hash32
from dmm.usecases.audit import AuditResult

REWARD = make.intent(3)
OTHER = make.intent(4)


def audit(difference: int = 0) -> AuditResult:
    return AuditResult(
        chain="evm",
        difference=difference,
        checked_at_block=77,
        block_hash="0xaa",
        lines=(),
        findings=(),
        events=(),
        paid={},
    )


def judged(
    *states: tuple[Intent, IntentState],
    paid: dict[Hash32, int],
    quotes: tuple[Hash32, ...] = (),
    before: tuple[Hash32, ...] = (),
    difference: int = 0,
    killed: str = "",
) -> Verdict:
    return verdict(
        intents=states,
        paid=paid,
        quotes=quotes,
        before=before,
        audits={"evm": audit(difference)},
        killed=killed,
    )


def test_what_was_paid_once_is_sound() -> None:
    found = judged((REWARD, IntentState.FINAL), paid={REWARD.intent_id: 1})
    assert found.is_sound
    assert (found.planned, found.final) == (1, 1)
    assert found.by_kind == {"reward": 1}


def test_what_the_chain_paid_twice_is_named() -> None:
    found = judged((REWARD, IntentState.FINAL), paid={REWARD.intent_id: 2})
    assert not found.is_sound
    assert found.twice == (f"intent {REWARD.intent_id.hex()[:16]}",)


@pytest.mark.parametrize("state", [state for state in IntentState if state != IntentState.FINAL])
def test_an_intent_that_is_not_final_is_lost(state: IntentState) -> None:
    found = judged((REWARD, state), paid={})
    assert not found.is_sound
    assert len(found.lost) == 1


def test_a_final_intent_that_no_transaction_explains_is_not_believed() -> None:
    found = judged((REWARD, IntentState.FINAL), paid={})
    assert not found.is_sound
    assert len(found.unseen) == 1


def test_a_payment_from_before_the_loss_must_be_final_after_it() -> None:
    states = (REWARD, IntentState.FINAL)
    paid = {REWARD.intent_id: 1}
    assert judged(states, paid=paid, before=(REWARD.intent_id,)).is_sound
    assert not judged(states, paid=paid, before=(OTHER.intent_id,)).is_sound


def test_an_accepted_quote_that_no_intent_settles_is_lost() -> None:
    trade = make.accepted(make.trade(5))
    settled = quote_intent(trade)
    paid = {settled.intent_id: 1}
    quotes = (trade.quote.quote_id,)
    assert judged((settled, IntentState.FINAL), paid=paid, quotes=quotes).is_sound
    missing = judged((REWARD, IntentState.FINAL), paid={REWARD.intent_id: 1}, quotes=quotes)
    assert missing.lost == (f"quote {trade.quote.quote_id.hex()[:16]}",)


def test_a_carrier_pays_nothing_and_is_not_counted() -> None:
    carrier = replace(REWARD, kind=IntentKind.NET)
    found = judged((carrier, IntentState.FAILED), paid={})
    assert found.is_sound
    assert found.planned == 0


def test_a_difference_or_a_kill_is_not_sound() -> None:
    states, paid = (REWARD, IntentState.FINAL), {REWARD.intent_id: 1}
    assert not judged(states, paid=paid, difference=1).is_sound
    assert judged(states, paid=paid, difference=-3).difference == 3
    assert not judged(states, paid=paid, killed="drill").is_sound
