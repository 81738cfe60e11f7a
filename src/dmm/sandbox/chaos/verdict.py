"""The end of a lap: was everything that was promised paid, once, and does chain equal ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dmm.bootstrap import Desk
from dmm.ports import Store
from dmm.rfq.protocol import FirmQuote
from dmm.settlement.carrier import is_carrier
from dmm.settlement.explain import Cause, Finding
from dmm.settlement.intent import Intent, IntentKind, IntentState
from dmm.units.ids import Hash32
from dmm.usecases.audit import AuditResult, audit_all

PAYING = frozenset({Cause.INTENT, Cause.DIRECT_FILL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Promised:
    """What the desk owed at a moment: accepted quotes by id, and intents already final."""

    quotes: frozenset[Hash32] = frozenset()
    final: frozenset[Hash32] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a lap came to.

    `lost` names what was promised and never paid, `twice` what the chain paid more than once,
    `unseen` what the journal calls final and no transaction of the chain explains. `differences`
    are in atoms by chain, `alarms` in words.
    """

    planned: int
    final: int
    by_kind: Mapping[str, int]
    lost: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    differences: Mapping[str, int] = field(default_factory=dict)
    checked_at_block: Mapping[str, int] = field(default_factory=dict)
    alarms: tuple[str, ...] = ()
    killed: str = ""
    """Why the kill switch is latched; empty when it is not."""

    @property
    def difference(self) -> int:
        """Return the sum of the chains' differences, atoms of unlike assets."""
        return sum(abs(difference) for difference in self.differences.values())

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing is lost, paid twice, unexplained or stopped."""
        wrong = self.lost or self.twice or self.unseen or self.alarms or self.killed
        return self.difference == 0 and not wrong


def promised(store: Store, run_id: str, epochs: int) -> Promised:
    """Return what a run's journal says was promised and paid so far."""
    return Promised(
        quotes=frozenset(_accepted(store, run_id, epochs)),
        final=frozenset(
            intent.intent_id
            for intent, state in store.intents(run_id)
            if state is IntentState.FINAL and not is_carrier(intent)
        ),
    )


def judge(
    desk: Desk, *, run_id: str, epochs: int, chains: Iterable[str], before: Promised
) -> Verdict:
    """Audit every chain and compare what it paid with what was promised, also before a loss.

    Raises
    ------
    Retryable
        If a chain's node cannot answer.
    """
    audits = {name: audit_all(store=desk.store, log=desk.audit_log(name)) for name in chains}
    intents = desk.store.intents(run_id)
    paid = _payments(finding for audit in audits.values() for finding in audit.findings)
    latch = desk.store.latch()
    quotes = before.quotes | _accepted(desk.store, run_id, epochs)
    return verdict(
        intents=intents,
        paid=paid,
        quotes=quotes,
        before=before.final,
        audits=audits,
        killed="" if latch is None or not latch.killed else latch.reason,
    )


def verdict(
    *,
    intents: Iterable[tuple[Intent, IntentState]],
    paid: Mapping[Hash32, int],
    quotes: Iterable[Hash32],
    before: Iterable[Hash32],
    audits: Mapping[str, AuditResult],
    killed: str = "",
) -> Verdict:
    """Return the verdict on a run.

    Parameters
    ----------
    intents : the run's, with the state the journal has them in
    paid : by intent id, how many transactions of the chain paid it
    quotes : ids of the firm quotes that takers accepted
    before : intents that were final before the journal was lost
    """
    paying = [(intent, state) for intent, state in intents if not is_carrier(intent)]
    final = [intent for intent, state in paying if state is IntentState.FINAL]
    settled = {intent.intent_id for intent in final}
    carried = {str(_quote_id(intent)) for intent in final}
    lost = [_named(intent) for intent, state in paying if state is not IntentState.FINAL]
    lost += [f"intent {one.hex()[:16]}, paid before" for one in before if one not in settled]
    lost += [f"quote {one.hex()[:16]}" for one in quotes if one.hex() not in carried]
    return Verdict(
        planned=len(paying),
        final=len(final),
        by_kind=dict(Counter(intent.kind.value for intent in final)),
        lost=tuple(sorted(lost)),
        twice=tuple(sorted(f"intent {one.hex()[:16]}" for one, n in paid.items() if n > 1)),
        unseen=tuple(sorted(_named(one) for one in final if not paid.get(one.intent_id))),
        differences={name: audit.difference for name, audit in audits.items()},
        checked_at_block={name: audit.checked_at_block for name, audit in audits.items()},
        alarms=tuple(
            f"{name}: {finding.cause.value} in {finding.tx_id}"
            for name, audit in audits.items()
            for finding in audit.alarms
        ),
        killed=killed,
    )


def _accepted(store: Store, run_id: str, epochs: int) -> set[Hash32]:
    return {
        trade.quote.quote_id
        for epoch in range(epochs)
        for trade in store.rfq_trades(run_id, epoch)
        if trade.acceptance is not None
    }


def _payments(findings: Iterable[Finding]) -> Counter[Hash32]:
    return Counter(
        finding.act.intent_id
        for finding in findings
        if finding.cause in PAYING and finding.act is not None
    )


def _quote_id(intent: Intent) -> str:
    """Return the id of the firm quote that an intent settles, in hex; empty for any other."""
    body = intent.inputs.get("quote")
    if intent.kind is not IntentKind.QUOTE or not isinstance(body, dict):
        return ""
    return FirmQuote.from_json(body).quote_id.hex()


def _named(intent: Intent) -> str:
    return f"{intent.kind.value} {intent.intent_id.hex()[:16]} of epoch {intent.epoch}"
