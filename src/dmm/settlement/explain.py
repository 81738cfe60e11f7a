"""What every transaction that moved a vault's tokens was for, by the events it left.

A transaction's net change of each (vault, asset) is explained, piece by piece, by our contracts'
events in it: the payment of an intent, the fill of a quote we issued, a claw-back by governance.
What no event explains came unannounced or left without reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

from dmm.settlement.batch import VaultAsset, effect
from dmm.settlement.carrier import CARRIERS
from dmm.settlement.chain_event import TOKEN_PREFIX, ChainEvent, legs_of
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.chain import address_key
from dmm.units.ids import Hash32, Json


class Cause(StrEnum):
    """Why tokens of a vault moved, from the expected to the worst."""

    INTENT = "intent"
    """An intent of ours was paid."""
    DIRECT_FILL = "direct_fill"
    """A taker settled a quote of ours before its intent was planned: the quote is our word."""
    PARTIAL = "partial"
    """A taker settled another part of a quote than was planned: what it moved beyond the plan."""
    CLAWBACK = "clawback"
    """Governance took back what the distributor held."""
    DONATION = "donation"
    """Tokens came that nobody announced."""
    OUTFLOW = "outflow"
    """Tokens left and no event says why."""
    MISPAID = "mispaid"
    """An intent's key was used for another recipient or amount."""
    UNKNOWN_KEY = "unknown_key"
    """The treasury paid under a key of no intent: its operator's key is in other hands."""
    UNKNOWN_QUOTE = "unknown_quote"
    """A quote was filled that we never issued: the quote key is in other hands."""

    @property
    def is_alarm(self) -> bool:
        """Tell whether a person must look before anything goes on."""
        return self in _ALARMS


_ALARMS = frozenset({Cause.OUTFLOW, Cause.MISPAID, Cause.UNKNOWN_KEY, Cause.UNKNOWN_QUOTE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the journal knows that may explain an event.

    `intents` are all that may be paid. `quotes` is by quote id what settling each issued quote is,
    planned or not. `vaults` is by `address_key` and gives ledger names.
    """

    vaults: Mapping[str, str]
    intents: Iterable[Intent] = ()
    quotes: Mapping[str, Intent] = field(default_factory=dict)
    distributor: str = ""
    funding_height: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One cause within one transaction; `changes` in atoms by (vault, asset), no zeros.

    `act` is the intent paid, or for a direct fill the one that would have been planned. An alarm
    may have no changes: a key was used for nothing.
    """

    tx_id: str
    height: int
    cause: Cause
    changes: Mapping[VaultAsset, int]
    act: Intent | None = None

    @property
    def source_id(self) -> str:
        """Return what names this finding in postings that are not an intent's own."""
        return f"{self.tx_id}:{self.cause.value}"


_Act: TypeAlias = "tuple[Cause, Intent | None, Mapping[VaultAsset, int]]"


class Explainer:
    """Explains transactions by what the journal knows."""

    def __init__(self, known: Known) -> None:
        self._vaults = dict(known.vaults)
        self._distributor = address_key(known.distributor)
        self._funding_height = known.funding_height
        intents = list(known.intents)
        self._planned = {intent.intent_id: intent for intent in intents}
        self._by_key = {
            intent.intent_id.hex(): intent
            for intent in intents
            if intent.kind not in (IntentKind.QUOTE, *CARRIERS)
        }
        self._quotes = dict(known.quotes)
        self._by_nonce = {(address_key(q.scope), q.ordinal): q for q in self._quotes.values()}

    def explain(self, events: Sequence[ChainEvent]) -> list[Finding]:
        """Return what each transaction above the funding did, in the chain's order.

        Parameters
        ----------
        events : of final blocks, whole transactions, in the chain's order
        """
        by_tx: dict[str, list[ChainEvent]] = {}
        for event in events:
            if event.height > self._funding_height:
                by_tx.setdefault(event.tx_id, []).append(event)
        return [finding for group in by_tx.values() for finding in self._transaction(group)]

    def _transaction(self, events: Sequence[ChainEvent]) -> list[Finding]:
        left = _net(events, self._vaults)
        found: list[Finding] = []
        partial: dict[VaultAsset, int] = {}
        for event in events:
            for cause, act, changes in self._acts(event, events):
                left = _minus(left, changes)
                if cause is Cause.PARTIAL:
                    partial = _sum(partial, changes)
                else:
                    found.append(_finding(event, cause, changes, act))
        if partial:
            found.append(_finding(events[0], Cause.PARTIAL, partial, None))
        return _with_rest(found, left, events[0])

    def _acts(self, event: ChainEvent, events: Sequence[ChainEvent]) -> list[_Act]:
        match event.name:
            case "Paid" | "BoughtBack":
                return [self._payment(event)]
            case "Filled":
                return self._fill(event)
            case "StatementSettled":
                return self._statement(event)
            case "ClawedBack":
                changes = self._clawback(event, events)
                return [(Cause.CLAWBACK, None, changes)] if changes else []
            case _:
                return []

    def _payment(self, event: ChainEvent) -> _Act:
        intent = self._by_key.get(event.text("key"))
        if intent is None:
            return Cause.UNKNOWN_KEY, None, {}
        if event.name == "Paid":
            same = (event.text("to"), event.number("amount")) == (
                address_key(intent.recipient),
                intent.amount,
            )
        else:
            same = event.number("paidAmount") == intent.amount
        return (Cause.INTENT, intent, effect(intent)) if same else (Cause.MISPAID, intent, {})

    def _fill(self, event: ChainEvent) -> list[_Act]:
        maker = event.text("maker")
        if maker not in self._vaults:
            return []
        quote = self._quotes.get(event.text("quoteId"))
        named = (maker, event.number("nonce"))
        if quote is None or (address_key(quote.scope), quote.ordinal) != named:
            return [(Cause.UNKNOWN_QUOTE, None, {})]
        return self._settled(quote, amount=event.number("amount"))

    def _statement(self, event: ChainEvent) -> list[_Act]:
        maker = event.text("maker")
        if maker not in self._vaults:
            return []
        found: list[_Act] = []
        for nonce in statement_nonces(event):
            quote = self._by_nonce.get((maker, nonce))
            found += [(Cause.UNKNOWN_QUOTE, None, {})] if quote is None else self._settled(quote)
        return found

    def _settled(self, quote: Intent, *, amount: int | None = None) -> list[_Act]:
        """Explain a settled quote, by the part that was filled; None: as it was accepted."""
        planned = self._planned.get(quote.intent_id)
        act = quote if amount is None else part_of(quote, amount)
        if planned is None:
            return [(Cause.DIRECT_FILL, act, effect(act))]
        if amount is None or effect(act) == effect(planned):
            return [(Cause.INTENT, planned, effect(planned))]
        beyond = _minus(effect(act), effect(planned))
        return [(Cause.INTENT, planned, effect(planned)), (Cause.PARTIAL, None, beyond)]

    def _clawback(self, event: ChainEvent, events: Sequence[ChainEvent]) -> dict[VaultAsset, int]:
        """Return the transfer that a claw-back made into a vault of ours, if it went to one."""
        vault = self._vaults.get(event.text("to"))
        for other in events:
            from_distributor = (
                other.source.startswith(TOKEN_PREFIX)
                and other.text("sender") == self._distributor
                and other.text("recipient") == event.text("to")
                and other.number("amount") == event.number("amount")
            )
            if vault is not None and from_distributor:
                asset = other.source.removeprefix(TOKEN_PREFIX)
                return {(vault, asset): event.number("amount")}
        return {}


def part_of(quote: Intent, amount: int) -> Intent:
    """Return what filling a part of a quote is.

    Parameters
    ----------
    quote : what settling the whole of it is
    amount : filled, atoms of the taker's asset, > 0
    """
    terms = quote.inputs.get("quote")
    whole = terms.get("taker_amount") if isinstance(terms, dict) else None
    given = terms.get("maker_amount") if isinstance(terms, dict) else None
    if not isinstance(whole, int) or not isinstance(given, int) or amount == whole:
        return quote
    # Rounded down as the contract does, in favour of who gives it.
    inputs: dict[str, Json] = {**quote.inputs, "acceptance": {"amount": amount}}
    return replace(quote, amount=Atoms(given * amount // whole), inputs=inputs)


def statement_nonces(event: ChainEvent) -> list[int]:
    """Return the maker's nonces that a settled statement used up, ascending."""
    words = event.args.get("words")
    found = []
    for row in words if isinstance(words, list) else []:
        word, mask = (row.get("word"), row.get("mask")) if isinstance(row, dict) else (None, None)
        if isinstance(word, int) and isinstance(mask, int):
            found += [256 * word + bit for bit in range(256) if mask >> bit & 1]
    return sorted(found)


def paid_heights(findings: Iterable[Finding]) -> dict[Hash32, tuple[str, int]]:
    """Return (transaction, height) of every intent that findings show as paid."""
    paid = (Cause.INTENT, Cause.DIRECT_FILL)
    return {
        finding.act.intent_id: (finding.tx_id, finding.height)
        for finding in findings
        if finding.act is not None and finding.cause in paid
    }


def _net(events: Iterable[ChainEvent], vaults: dict[str, str]) -> dict[VaultAsset, int]:
    net: dict[VaultAsset, int] = {}
    for event in events:
        for leg in legs_of(event, vaults):
            key = (leg.vault, leg.asset)
            net[key] = net.get(key, 0) + leg.change
    return {key: change for key, change in net.items() if change}


def _minus(
    net: Mapping[VaultAsset, int], changes: Mapping[VaultAsset, int]
) -> dict[VaultAsset, int]:
    keys = sorted({*net, *changes})
    return {k: left for k in keys if (left := net.get(k, 0) - changes.get(k, 0))}


def _sum(one: Mapping[VaultAsset, int], two: Mapping[VaultAsset, int]) -> dict[VaultAsset, int]:
    return _minus(one, {key: -change for key, change in two.items()})


def _with_rest(
    found: list[Finding], left: Mapping[VaultAsset, int], event: ChainEvent
) -> list[Finding]:
    """Add what no event explains: to the transaction's own alarm, or as a donation or outflow."""
    alarms = [finding for finding in found if finding.cause.is_alarm]
    if not left:
        return found
    if alarms:
        worst = max(alarms, key=lambda finding: list(Cause).index(finding.cause))
        found.remove(worst)
        return [*found, _finding(event, worst.cause, left, worst.act)]
    came = {key: change for key, change in left.items() if change > 0}
    went = {key: change for key, change in left.items() if change < 0}
    rest = ((Cause.DONATION, came), (Cause.OUTFLOW, went))
    return found + [_finding(event, cause, part, None) for cause, part in rest if part]


def _finding(
    event: ChainEvent, cause: Cause, changes: Mapping[VaultAsset, int], act: Intent | None
) -> Finding:
    return Finding(tx_id=event.tx_id, height=event.height, cause=cause, changes=changes, act=act)
