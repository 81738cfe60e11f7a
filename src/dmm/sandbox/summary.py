"""What a session came to, read back from the journal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from dmm.adapters.reports.session import EpochResult, Series, SessionResult, Settled
from dmm.ledger.position import Position
from dmm.market.instrument import ContractKind, Instrument
from dmm.market.order import Fill
from dmm.ports import Run, Store
from dmm.quoting.decision import SliceSummary
from dmm.settlement.carrier import carrier_of, is_carrier
from dmm.settlement.epoch import Job
from dmm.settlement.intent import Intent, IntentKind, IntentState
from dmm.units.amount import format_atoms
from dmm.units.ids import Hash32, Json
from dmm.units.time import NS_PER_S
from dmm.usecases.epoch import scope_of
from dmm.usecases.risk_positions import settled_fills

KINDS = {
    "rewards": IntentKind.REWARD,
    "buybacks": IntentKind.BUYBACK,
    "quotes": IntentKind.QUOTE,
}
"""What the final settlements of a chain are counted by."""

CARRIER_KINDS = {"nets": IntentKind.NET, "statements": IntentKind.STATEMENT}
"""What settles quotes together and pays nothing itself; "netted" counts the quotes."""


@dataclass(slots=True, kw_only=True)
class EpochLog:
    """What the conductor saw of an epoch: flow runs by name, notes, and its duration."""

    flow_runs: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """The closing audit: unexplained atoms and the height looked at, both by chain."""

    differences: dict[str, int]
    checked_at_block: dict[str, int]

    @property
    def difference_atoms(self) -> int:
        """Return the unexplained atoms of all chains, without regard to their signs."""
        return sum(map(abs, self.differences.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlements:
    """Final settlements and how many payments came to what, by chain; carriers are none."""

    settled: tuple[Settled, ...]
    planned: int
    final: int
    failed: int
    chain_counts: dict[str, dict[str, Json]]
    paid: dict[str, str]
    """Totals paid by kind, as text: ``"12.5 DCT"``."""


def summarize(
    *,
    store: Store,
    run: Run,
    instrument: Instrument,
    tape: tuple[str, ...],
    events: int,
    logs: dict[int, EpochLog],
    audited: Audited,
    report: str,
    seconds: float,
    timings: dict[str, float],
    warnings: tuple[str, ...],
    findings: dict[str, int],
) -> SessionResult:
    """Return the session's result; everything but wall-clock figures comes from the journal."""
    slices = [s for epoch in range(run.epochs) if (s := store.slice(run.run_id, epoch)) is not None]
    fills = store.fills(run.run_id)
    ends = {part.epoch: part.ended_at_ns for part in slices}
    quoted = settled_fills(store, run.run_id, instrument, ended_at_ns=ends)
    curve = _Curve.of(instrument, [*fills, *quoted], slices)
    settlements = summarize_settlements(store, run.run_id)
    audits = _audits(store, run.run_id)
    decimals = instrument.cash.decimals
    quoted_fills = [fill for fill in fills if not fill.is_hedge]
    return SessionResult(
        run_id=run.run_id,
        symbol=instrument.symbol,
        venue=instrument.venue,
        cash_asset=instrument.cash.symbol,
        tape=tape,
        is_simulated=not tape,
        events=events,
        quotes=sum(s.quotes for s in slices),
        fills=len(quoted_fills),
        epochs=tuple(
            EpochResult(
                epoch=s.epoch,
                flow_runs=logs[s.epoch].flow_runs,
                rows=logs[s.epoch].rows,
                notes=logs[s.epoch].notes,
                quotes=s.quotes,
                fills=s.fills,
                position_lots=s.position,
                pnl=format_atoms(curve.pnl_by_epoch.get(s.epoch, 0), decimals=decimals),
                seconds=logs[s.epoch].seconds,
            )
            for s in slices
        ),
        planned=settlements.planned,
        final=settlements.final,
        failed=settlements.failed,
        settled=settlements.settled,
        chain_counts={
            chain: {
                **settlements.chain_counts.get(chain, _no_counts()),
                "audited": audits[chain],
                "difference": audited.differences[chain],
                "checked_at_block": height,
            }
            for chain, height in audited.checked_at_block.items()
        },
        difference_atoms=audited.difference_atoms,
        checked_at_block=audited.checked_at_block,
        pnl_quote=format_atoms(curve.pnl_atoms, decimals=decimals),
        rewards_paid=settlements.paid.get(IntentKind.REWARD.value, "0"),
        buyback_paid=settlements.paid.get(IntentKind.BUYBACK.value, "0"),
        spread_captured=format_atoms(
            sum(s.spread_captured_atoms for s in slices), decimals=decimals
        ),
        position=_position_text(instrument, curve.inventory),
        report=report,
        seconds=seconds,
        timings=timings,
        warnings=(*_counted(findings), *warnings, *_without_end(settlements)),
        findings=findings,
        series=curve.series,
    )


def summarize_settlements(store: Store, run_id: str) -> Settlements:
    """Return what the run's payments came to, and how many of them went together."""
    every = store.intents(run_id)
    intents = [(intent, state) for intent, state in every if not is_carrier(intent)]
    landed = {
        intent.intent_id: intent.kind
        for intent, state in every
        if is_carrier(intent) and state is IntentState.FINAL
    }
    chains = sorted({intent.chain for intent, _ in intents})
    settled: list[Settled] = []
    counts: dict[str, dict[str, Json]] = {}
    paid: Counter[tuple[str, str]] = Counter()
    netted: Counter[tuple[str, IntentKind | None]] = Counter()
    decimals: dict[str, int] = {}
    for chain in chains:
        deployed = store.deployments(chain)
        states = [(intent, state) for intent, state in intents if intent.chain == chain]
        of_run = {intent.intent_id for intent, _ in states}
        final = [entry for entry in store.final_transactions(chain) if entry[0].intent_id in of_run]
        for intent, tx_id, height in final:
            decimals[intent.asset] = deployed[f"token:{intent.asset}"].decimals
            paid[intent.kind.value, intent.asset] += intent.amount
            by = landed.get(carrier_of(intent) or Hash32(b""))
            netted[chain, by] += 1
            carried = "" if by is None else f", in a {by.value}"
            settled.append(_settled(intent, tx_id, height, decimals[intent.asset], carried))
        counts[chain] = _no_counts() | {
            "planned": len(states),
            "final": sum(state is IntentState.FINAL for _, state in states),
            "failed": sum(state is IntentState.FAILED for _, state in states),
            "settlements": len(final),
            "by_kind": dict(Counter(intent.kind.value for intent, _, _ in final)),
        }
        for name, counted in KINDS.items():
            counts[chain][name] = sum(intent.kind is counted for intent, _, _ in final)
        for name, counted in CARRIER_KINDS.items():
            counts[chain][name] = sum(
                intent.kind is counted and intent.chain == chain and intent.intent_id in landed
                for intent, _ in every
            )
        counts[chain]["netted"] = sum(netted[chain, kind] for kind in CARRIER_KINDS.values())
    text: dict[str, str] = {}
    for (kind, asset), amount in sorted(paid.items()):
        part = f"{format_atoms(amount, decimals=decimals[asset])} {asset}"
        text[kind] = f"{text[kind]} + {part}" if kind in text else part
    return Settlements(
        settled=tuple(settled),
        planned=len(intents),
        final=sum(state is IntentState.FINAL for _, state in intents),
        failed=sum(state is IntentState.FAILED for _, state in intents),
        chain_counts=counts,
        paid=text,
    )


def _no_counts() -> dict[str, Json]:
    numbers: dict[str, Json] = dict.fromkeys(
        ("planned", "final", "failed", "settlements", *KINDS, *CARRIER_KINDS, "netted"), 0
    )
    return numbers | {"by_kind": {}}


def _audits(store: Store, run_id: str) -> Counter[str]:
    """Count the audits that epochs recorded, by chain."""
    prefix = scope_of(run_id, "")
    return Counter(
        claim.scope.removeprefix(prefix)
        for claim in store.epoch_claims(run_id)
        if claim.job is Job.SETTLEMENT_AUDIT and claim.plan_hash is not None
    )


def _counted(findings: dict[str, int]) -> tuple[str, ...]:
    found = [f"{n} {kind.replace('_', ' ')}" for kind, n in findings.items() if n]
    return (f"the tape has {', '.join(found)}",) if found else ()


def _without_end(settlements: Settlements) -> tuple[str, ...]:
    left = settlements.planned - settlements.final - settlements.failed
    if not left:
        return ()
    return (f"{left} settlements are quarantined or cancelled: a person must look at each",)


def _settled(intent: Intent, tx_id: str, height: int, decimals: int, carried: str) -> Settled:
    return Settled(
        chain=intent.chain,
        kind=intent.kind.value + carried,
        asset=intent.asset,
        amount=format_atoms(intent.amount, decimals=decimals),
        recipient=intent.recipient,
        tx_id=tx_id,
        height=height,
    )


def _position_text(instrument: Instrument, lots: int) -> str:
    if instrument.kind is ContractKind.INVERSE:
        return f"{lots} contracts"
    atoms = lots * instrument.position_atoms_per_lot
    decimals = instrument.position.decimals
    return f"{format_atoms(atoms, decimals=decimals)} {instrument.position.symbol}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Curve:
    """Inventory and profit over event time."""

    series: Series
    pnl_by_epoch: dict[int, int]
    pnl_atoms: int
    inventory: int

    @classmethod
    def of(cls, instrument: Instrument, fills: list[Fill], slices: list[SliceSummary]) -> _Curve:
        tick = float(instrument.tick_size)
        scale = 10.0**-instrument.cash.decimals
        start_ns = slices[0].started_at_ns if slices else 0
        position = Position(instrument=instrument)
        waiting = sorted(fills, key=lambda fill: (fill.filled_at_ns, fill.ordinal))
        times: list[float] = []
        mids: list[float] = []
        inventory: list[float] = []
        equity: list[float] = []
        by_epoch: dict[int, int] = {}
        pnl = 0
        for part in slices:
            for second, mid in enumerate(part.market.mid_half_ticks.tolist()):
                at_ns = part.started_at_ns + (second + 1) * NS_PER_S
                while waiting and waiting[0].filled_at_ns <= at_ns:
                    position = position.apply(waiting.pop(0))
                times.append((at_ns - start_ns) / NS_PER_S)
                mids.append(mid * tick / 2)
                inventory.append(float(position.inventory))
                equity.append(position.pnl_atoms(mid) * scale)
            while waiting and waiting[0].epoch <= part.epoch:
                position = position.apply(waiting.pop(0))
            pnl = position.pnl_atoms(part.mid)
            by_epoch[part.epoch] = pnl
        return cls(
            series=Series(
                seconds=tuple(times),
                mid=tuple(mids),
                inventory=tuple(inventory),
                equity=tuple(equity),
                fill_seconds=tuple((f.filled_at_ns - start_ns) / NS_PER_S for f in fills),
                fill_price=tuple(f.price * tick for f in fills),
                fill_is_buy=tuple(f.side.sign > 0 for f in fills),
            ),
            pnl_by_epoch=by_epoch,
            pnl_atoms=pnl,
            inventory=position.inventory,
        )
