"""Follow a chain: its blocks and events into the journal, and what is final into the ledger.

One pass reads what became final since the last one, explains it, and posts it together with the
events it rests on. Then it walks from the head down to a block it knows: that is all there is to a
reorganisation, because nothing above the finalized block was ever posted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dmm import observe
from dmm.ledger.account import AccountKind
from dmm.ledger.journal import Posting
from dmm.ports import ChainLog, Clock, Deployment, Store
from dmm.rfq.netting import VAULT
from dmm.rfq.protocol import RfqTrade
from dmm.settlement.batch import account, paid, reserve
from dmm.settlement.chain_event import BlockRef, ChainEvent
from dmm.settlement.explain import Cause, Explainer, Finding, Known, statement_nonces
from dmm.settlement.intent import Intent, IntentKind, IntentState
from dmm.units.amount import Atoms
from dmm.units.chain import address_key, on_chain
from dmm.units.errors import InvariantBroken, Retryable, ServiceFault
from dmm.units.ids import Hash32
from dmm.units.time import NS_PER_S, Nanos

REORG_DEPTH_MAX = 128
"""Blocks above the finalized one that are walked at the most."""

RANGE_BLOCKS_MAX = 2_000
"""Final blocks taken at a time, each time in a transaction of its own."""

RANGES_MAX = 10_000
"""Ranges of one pass."""

NONCES_MAX = 2**63
"""Nonces the desk allots lie below."""

NEVER_PAID = frozenset({IntentState.FAILED, IntentState.CANCELLED})
FUNDING = "funding"
VAULT_PREFIX = "vault:"
OPERATOR = "chain_follower"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """One pass: the finalized height reached, what was new, and how many blocks were left."""

    chain: str
    final_height: int
    events: int
    tip_blocks: int
    reorganised: int
    findings: tuple[Finding, ...]


def follow(
    *, store: Store, log: ChainLog, clock: Clock, depth_max: int = REORG_DEPTH_MAX
) -> Followed:
    """Bring the journal's copy of a chain up to its head; again is a no-op.

    While the journal adopts only, after a restore, nothing is followed.

    Parameters
    ----------
    depth_max : blocks above the finalized one that are read

    Raises
    ------
    Retryable
        If nodes are silent, contradict one another, or the head moved away meanwhile.
    InvariantBroken
        If the chain reorganised below its finalized block. The kill switch is latched then.
    """
    final, head = log.tips()
    if store.adopt_only(log.name) is not None:
        # What a restored journal forgot looks like theft until the driver has adopted it.
        return Followed(
            chain=log.name, final_height=-1, events=0, tip_blocks=0, reorganised=0, findings=()
        )
    try:
        events, findings = _follow_final(store, log, final)
        tip, reorganised = _follow_tip(store, log, final, head, depth_max=depth_max)
    except InvariantBroken as fault:
        _latch(store, clock, str(fault))
        raise
    alarms = [finding for finding in findings if finding.cause.is_alarm]
    if alarms:
        _latch(store, clock, f"on {log.name}: {'; '.join(map(told, alarms))}")
    return Followed(
        chain=log.name,
        final_height=final.height,
        events=events,
        tip_blocks=tip,
        reorganised=reorganised,
        findings=tuple(findings),
    )


def told(finding: Finding) -> str:
    """Return an alarm in words."""
    moved = ", ".join(f"{-c} {asset} of {v}" for (v, asset), c in sorted(finding.changes.items()))
    what = finding.cause.value.replace("_", " ")
    return f"{what} in {finding.tx_id} at block {finding.height}: {moved or 'nothing moved'}"


def _latch(store: Store, clock: Clock, reason: str) -> None:
    store.kill(reason=reason, operator=OPERATOR, now_ns=clock.now_ns())
    observe.kill_switch(killed=True, reason=reason, operator=OPERATOR)


# -- what is final ---------------------------------------------------------------------------------


def _follow_final(store: Store, log: ChainLog, final: BlockRef) -> tuple[int, list[Finding]]:
    deployed = store.deployments(log.name)
    if FUNDING not in deployed:
        raise Retryable(f"what the vaults of {log.name} were funded with is not booked yet")
    known = store.final_head(log.name)
    if known is not None:
        _require_same(log, known, final)
    first = min(d.height for d in deployed.values()) if known is None else known.height + 1
    new, findings = 0, []
    for _ in range(RANGES_MAX):
        if first > final.height:
            break
        last = min(first + RANGE_BLOCKS_MAX - 1, final.height)
        events = log.events(from_height=first, to_height=last)
        blocks = _blocks_of(log, events, last)
        found = explainer(store, log.name, deployed, events).explain(events)
        times_s = {block.height: block.time_s for block in blocks}
        postings = [p for f in found for p in postings_of(f, chain=log.name, time_s=times_s)]
        try:
            new += store.record_final(blocks, events, postings)
        except InvariantBroken as fault:
            if not _is_overtaken(store, log, first, last, events):
                raise
            raise Retryable(
                f"block {last} of {log.name} was overtaken by another follower: ask again"
            ) from fault
        findings += found
        first = last + 1
    return new, findings


def _is_overtaken(
    store: Store, log: ChainLog, first: int, last: int, events: Sequence[ChainEvent]
) -> bool:
    """Tell whether a refused range is refused only because another follower recorded it first.

    Settler and audit follow the same chain. Whoever reads longer finds the other's last block above
    its own, which is no contradiction as long as that block is the chain's and holds what was read.
    """
    head = store.final_head(log.name)
    if head is None or head.height <= last:
        return False
    if log.block(head.height).block_hash != head.block_hash:
        return False
    return store.final_events(log.name, from_height=first, to_height=last) == list(events)


def _require_same(log: ChainLog, known: BlockRef, final: BlockRef) -> None:
    """Refuse a chain whose final past is another than the one we know."""
    if final.height < known.height:
        raise Retryable(
            f"the nodes of {log.name} call block {final.height} final, block {known.height} was "
            "final before: they lag; ask again"
        )
    there = final if final.height == known.height else log.block(known.height)
    if there.block_hash != known.block_hash:
        raise InvariantBroken(
            f"block {known.height} of {log.name} was final as {known.block_hash} and is now "
            f"{there.block_hash}: the chain reorganised below finality, or the nodes are on another"
        )


def _blocks_of(log: ChainLog, events: Sequence[ChainEvent], last: int) -> list[BlockRef]:
    """Return the blocks that hold events, and the last of the range; logs must be of them."""
    blocks = {height: log.block(height) for height in sorted({e.height for e in events} | {last})}
    for event in events:
        if blocks[event.height].block_hash != event.block_hash:
            raise Retryable(
                f"log {event.log_index} of block {event.height} is not of the block that is final "
                "there: the node answered from a fork; ask again"
            )
    return list(blocks.values())


def explainer(
    store: Store, chain: str, deployed: dict[str, Deployment], events: Iterable[ChainEvent]
) -> Explainer:
    """Return what explains a chain's events by the journal's intents and the quotes they name."""
    vaults = vault_names(deployed)
    # The settlement contract is everybody's: what others settle among themselves is not ours.
    filled = [
        event
        for event in events
        if event.name in ("Filled", "StatementSettled") and event.text("maker") in vaults
    ]
    issued = store.rfq_issued(
        quote_ids=[
            Hash32(bytes.fromhex(event.text("quoteId")))
            for event in filled
            if event.name == "Filled"
        ],
        nonces=[
            (event.text("maker"), nonce)
            for event in filled
            if event.name == "StatementSettled"
            for nonce in statement_nonces(event)
            if nonce < NONCES_MAX
        ],
    )
    intents = [i for i, state in store.intents() if i.chain == chain and state not in NEVER_PAID]
    funding, distributor = deployed.get(FUNDING), deployed.get("distributor")
    return Explainer(
        Known(
            vaults=vaults,
            intents=intents,
            quotes={trade.quote.quote_id.hex(): quote_act(trade) for trade in issued},
            distributor="" if distributor is None else distributor.address,
            funding_height=-1 if funding is None else funding.height,
        )
    )


def quote_act(trade: RfqTrade) -> Intent:
    """Return what settling an issued quote is, whether it was accepted or not.

    It has the identity, amounts and postings of the intent that would be planned for it, so that
    one planned later finds everything posted.
    """
    quote = trade.quote
    return Intent(
        kind=IntentKind.QUOTE,
        chain=quote.chain,
        contract="settlement",
        vault=on_chain(VAULT, quote.chain),
        scope=quote.maker,
        epoch=trade.epoch,
        ordinal=quote.nonce,
        asset=quote.maker_asset,
        recipient="",
        amount=quote.maker_amount,
        deadline_s=quote.settle_by_s,
        inputs={"quote": quote.to_json()},
    )


def postings_of(finding: Finding, *, chain: str, time_s: dict[int, int]) -> list[Posting]:
    """Return what a finding posts: intents are posted by the driver, alarms by nobody."""
    at_ns = Nanos(time_s[finding.height] * NS_PER_S)
    match finding.cause:
        case Cause.DIRECT_FILL if finding.act is not None:
            return [reserve(finding.act, at_ns=at_ns), *paid(finding.act, at_ns=at_ns)]
        case Cause.DONATION:
            return _inflow(finding, chain, AccountKind.SUSPENSE, at_ns)
        case Cause.CLAWBACK | Cause.PARTIAL:
            return _inflow(finding, chain, AccountKind.AVAILABLE, at_ns)
        case _:
            return []


def _inflow(finding: Finding, chain: str, kind: AccountKind, at_ns: Nanos) -> list[Posting]:
    postings = []
    for (vault, asset), change in sorted(finding.changes.items()):
        outside = account(vault, asset, AccountKind.OUTSIDE)
        own = account(vault, asset, kind)
        postings.append(
            Posting(
                source_id=inflow_source(chain, finding, vault, asset),
                debit=outside if change > 0 else own,
                credit=own if change > 0 else outside,
                amount=Atoms(abs(change)),
                posted_at_ns=at_ns,
            )
        )
    return postings


def inflow_source(chain: str, finding: Finding, vault: str, asset: str) -> str:
    """Return the source under which an inflow is posted, once."""
    kind = "" if finding.cause is Cause.DONATION else f":{finding.cause.value}"
    return f"{chain}:{finding.tx_id}:{vault}/{asset}{kind}"


def vault_names(deployed: dict[str, Deployment]) -> dict[str, str]:
    """Return ledger vaults by the `address_key` of what holds their tokens.

    Raises
    ------
    ServiceFault
        If there are none, or two share an address.
    """
    names = [name for name in deployed if name.startswith(VAULT_PREFIX)]
    vaults = {
        address_key(deployed[name].address): on_chain(
            name.removeprefix(VAULT_PREFIX), deployed[name].chain
        )
        for name in names
    }
    if not vaults or len(vaults) != len(names):
        raise ServiceFault(f"vaults must be deployed, each at an address of its own: {names}")
    return vaults


# -- what is not final yet -------------------------------------------------------------------------


def _follow_tip(
    store: Store, log: ChainLog, final: BlockRef, head: BlockRef, *, depth_max: int
) -> tuple[int, int]:
    """Add the blocks between the final one and the head; return (new, reorganised away)."""
    top = min(head.height, final.height + depth_max)
    known = {block.block_hash: block for block in store.blocks_above(log.name, final.height - 1)}
    above = _walk_down(log, known, final, top)
    if not above:
        return 0, 0
    events = log.events(from_height=above[0].height, to_height=above[-1].height)
    hashes = {block.block_hash for block in above}
    if any(event.block_hash not in hashes for event in events):
        raise Retryable(f"the head of {log.name} moved while it was read: ask again")
    left = [b for b in known.values() if b.height >= above[0].height and b.height > final.height]
    return store.record_tip(above, events), len(left)


def _walk_down(
    log: ChainLog, known: dict[str, BlockRef], final: BlockRef, top: int
) -> list[BlockRef]:
    """Return blocks from `top` down to one that stands on a known block, lowest first."""
    found: list[BlockRef] = []
    for height in range(top, final.height, -1):
        block = log.block(height)
        if found and block.block_hash != found[-1].parent_hash:
            raise Retryable(f"the head of {log.name} moved while it was read: ask again")
        if block.block_hash in known:
            break
        found.append(block)
    if found and found[-1].height == final.height + 1 and found[-1].parent_hash != final.block_hash:
        raise Retryable(f"the head of {log.name} moved while it was read: ask again")
    return found[::-1]
