"""The audit's verdicts: what each vault holds, against what its ledger says it must."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dmm.ledger.account import AccountKind
from dmm.ports import Books, ChainLog, Deployment, Store
from dmm.settlement.batch import VaultAsset, effect
from dmm.settlement.chain_event import TOKEN_PREFIX, BlockRef, ChainEvent, legs_of
from dmm.settlement.explain import Cause, Finding, paid_heights
from dmm.settlement.intent import IntentState
from dmm.settlement.reconcile import Flows, Leg, Line, reconcile
from dmm.units.ids import Hash32
from dmm.usecases.follow import explainer, inflow_source, vault_names

_BY_FOLLOWER = frozenset({Cause.DIRECT_FILL, Cause.PARTIAL, Cause.CLAWBACK})
"""What the follower books, not the driver."""

REVERSED = ":reversed:"
"""In the source of a posting that undoes another; the order that allows it follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flow:
    ahead: dict[VaultAsset, int] = field(default_factory=dict)
    behind: dict[VaultAsset, int] = field(default_factory=dict)


def lines_of(
    store: Store,
    log: ChainLog,
    at: BlockRef,
    deployed: dict[str, Deployment],
    books: Books,
    events: Sequence[ChainEvent],
    findings: Sequence[Finding],
) -> tuple[Line, ...]:
    """Return the verdict on every (vault, asset) at a finalized block.

    Parameters
    ----------
    events : all of the chain up to that block
    findings : what explains them
    """
    vaults = vault_names(deployed)
    assets = sorted(n.removeprefix(TOKEN_PREFIX) for n in deployed if n.startswith(TOKEN_PREFIX))
    logged: dict[VaultAsset, int] = {}
    for leg in vault_legs(events, vaults):
        logged[leg.vault, leg.asset] = logged.get((leg.vault, leg.asset), 0) + leg.change
    booked = _booked(books)
    flow = _flow(store, log.name, at, deployed, books, findings)
    return tuple(
        reconcile(
            vault=vault,
            asset=asset,
            chain_atoms=log.balance(holder=address, asset=asset, height=at.height),
            logged_atoms=logged.get((vault, asset), 0),
            booked_atoms=booked.get((vault, asset), 0),
            flows=_flows(flow, findings, (vault, asset)),
        )
        for address, vault in vaults.items()
        for asset in assets
    )


def _flow(
    store: Store,
    chain: str,
    at: BlockRef,
    deployed: dict[str, Deployment],
    books: Books,
    findings: Sequence[Finding],
) -> _Flow:
    """Return what is executed at the block and not booked, and what is booked ahead of it.

    Booked means: its own posting is in the ledger, whoever posted it. What was undone because the
    chain took it back is neither; seen on chain again it is a difference, for a person to look at.
    """
    flow = _Flow()
    posted = {posting.source_id for posting in books.postings}
    undone = _undone(posted)
    for finding in findings:
        if _is_bookable(finding) and not _is_posted(finding, chain, posted):
            _add(flow.behind, finding.changes)
    paid = paid_heights(findings)
    for view in books.intents:
        later = view.closed_height is not None and view.closed_height > at.height
        is_final = view.state is IntentState.FINAL and later
        if is_final and view.intent.intent_id not in paid.keys() | undone:
            _add(flow.ahead, effect(view.intent))
    if books.followed_height > at.height:
        newer = store.final_events(
            chain, from_height=at.height + 1, to_height=books.followed_height
        )
        for finding in explainer(store, chain, deployed, newer).explain(newer):
            by_follower = finding.cause in _BY_FOLLOWER
            if by_follower and _is_posted(finding, chain, posted):
                _add(flow.ahead, finding.changes)
    return flow


def _is_bookable(finding: Finding) -> bool:
    return finding.cause is Cause.INTENT or finding.cause in _BY_FOLLOWER


def _is_posted(finding: Finding, chain: str, posted: set[str]) -> bool:
    if finding.act is not None:
        return f"{finding.act.intent_id.hex()}:paid" in posted
    return all(inflow_source(chain, finding, *key) in posted for key in finding.changes)


def _undone(posted: set[str]) -> set[Hash32]:
    """Return the intents whose payment was booked and reversed."""
    paid = (source.partition(":paid" + REVERSED) for source in posted)
    return {Hash32(bytes.fromhex(intent_id)) for intent_id, found, _ in paid if found}


def _flows(flow: _Flow, findings: Sequence[Finding], key: VaultAsset) -> Flows:
    unexplained = [
        finding.changes.get(key, 0)
        for finding in findings
        if finding.cause.is_alarm or finding.cause is Cause.DONATION
    ]
    return Flows(
        ahead=flow.ahead.get(key, 0),
        behind=flow.behind.get(key, 0),
        inflow=sum(change for change in unexplained if change > 0),
        outflow=-sum(change for change in unexplained if change < 0),
    )


def _add(total: dict[VaultAsset, int], changes: Mapping[VaultAsset, int]) -> None:
    for key, change in changes.items():
        total[key] = total.get(key, 0) + change


def _booked(books: Books) -> dict[VaultAsset, int]:
    """Return `AVAILABLE` + `PENDING` by (vault, asset)."""
    own = (AccountKind.AVAILABLE, AccountKind.PENDING)
    total: dict[VaultAsset, int] = {}
    for posting in books.postings:
        for side, sign in ((posting.debit, -1), (posting.credit, 1)):
            if side.kind in own:
                _add(total, {(side.vault, side.asset): sign * posting.amount})
    return total


def unlike_events(
    store: Store, chain: str, books: Books, at: BlockRef, events: Sequence[ChainEvent]
) -> int:
    """Count events in which the follower's record and the auditor's node differ."""
    last = min(books.followed_height, at.height)
    recorded = {_place(e): e for e in store.final_events(chain, from_height=0, to_height=last)}
    seen = {_place(event): event for event in events if event.height <= last}
    return sum(recorded.get(place) != seen.get(place) for place in recorded.keys() | seen.keys())


def _place(event: ChainEvent) -> tuple[str, int]:
    return event.block_hash, event.log_index


def vault_legs(events: Sequence[ChainEvent], vaults: dict[str, str]) -> list[Leg]:
    """Return our vaults' transfer logs in the chain's order; a transfer between two is two legs."""
    return [leg for event in events for leg in legs_of(event, vaults)]
