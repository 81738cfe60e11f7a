"""What a run holds, by venue, at average cost: fills, hedges and firm quotes that have settled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from dmm.ledger.fills import paper_vault
from dmm.ledger.position import Position
from dmm.market.instrument import Instrument
from dmm.market.order import Fill
from dmm.rfq.fills import quoted_fill, quoted_vault
from dmm.rfq.protocol import RfqTrade
from dmm.risk.inventory import NOTHING_OPEN, Holding, OpenLots, apply_with_gas
from dmm.settlement.carrier import carrier_of
from dmm.settlement.intent import Intent, IntentKind, IntentState
from dmm.units.amount import Atoms, HalfTicks, ceil_div
from dmm.units.ids import Hash32
from dmm.units.time import Nanos
from dmm.usecases.quoted import SETTLE_EPOCHS_BACK_MAX, QuotedStore, Stage, lots_of, stage_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is held at a venue, and the ledger vault it lies in."""

    vault: str
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Gas:
    """Network fees in atoms of the cash asset, >= 0.

    `fill_atoms` goes with each fill of a trading venue. `settlement_atoms` is what a settlement's
    transaction costs: quotes that settled in one share it, rounded up.
    """

    fill_atoms: Atoms
    settlement_atoms: Atoms


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPositions:
    """Everything a run holds by venue, and the lots that accepted firm quotes may still move."""

    by_venue: Mapping[str, Held]
    promised: OpenLots

    def holdings(self, instrument: Instrument, mid: HalfTicks) -> tuple[Holding, ...]:
        """Return it as the inventory vector takes it, at a mid."""
        return tuple(
            Holding(
                vault=held.vault,
                instrument=replace(instrument, venue=venue),
                mid=mid,
                inventory=held.position.inventory,
            )
            for venue, held in self.by_venue.items()
        )


def positions_of(
    store: QuotedStore, run_id: str, instrument: Instrument, *, last_epoch: int, gas: Gas
) -> RunPositions:
    """Return average cost and profit by venue, gas in the cost of what is still held.

    Parameters
    ----------
    last_epoch : the last closed one
    """
    held: dict[str, Held] = {}
    nothing = Position(instrument=instrument)
    for fill in store.fills(run_id):
        before = held.get(fill.venue, Held(vault=paper_vault(run_id), position=nothing))
        after = apply_with_gas(before.position, fill, gas_atoms=gas.fill_atoms)
        held[fill.venue] = replace(before, position=after)
    intents = _quote_intents(store, run_id)
    shares = _settled_together(intents)
    settled, waiting = _accepted(store, run_id, intents, last_epoch)
    for trade in settled:
        fill = quoted_fill(trade, instrument)
        before = held.get(fill.venue, Held(vault=quoted_vault(trade.quote.chain), position=nothing))
        share = Atoms(ceil_div(gas.settlement_atoms, shares[trade.quote.maker, trade.quote.nonce]))
        after = apply_with_gas(before.position, fill, gas_atoms=share)
        held[fill.venue] = replace(before, position=after)
    promised = lots_of(waiting, instrument) if waiting else NOTHING_OPEN
    return RunPositions(by_venue=held, promised=promised)


def settled_fills(
    store: QuotedStore, run_id: str, instrument: Instrument, *, ended_at_ns: Mapping[int, Nanos]
) -> list[Fill]:
    """Return the firm quotes of a run that settled, as fills at the ends of their epochs.

    Parameters
    ----------
    ended_at_ns : of the closed epochs; quotes of others are left out
    """
    if not ended_at_ns:
        return []
    settled, _ = _accepted(store, run_id, _quote_intents(store, run_id), max(ended_at_ns))
    fills = [quoted_fill(trade, instrument) for trade in settled]
    return [
        replace(fill, filled_at_ns=ended_at_ns[fill.epoch])
        for fill in fills
        if fill.epoch in ended_at_ns
    ]


def _quote_intents(store: QuotedStore, run_id: str) -> list[tuple[Intent, IntentState]]:
    return [(i, state) for i, state in store.intents(run_id) if i.kind is IntentKind.QUOTE]


def _accepted(
    store: QuotedStore,
    run_id: str,
    intents: list[tuple[Intent, IntentState]],
    last_epoch: int,
) -> tuple[list[RfqTrade], list[RfqTrade]]:
    """Return accepted quotes that settled, and those that still may."""
    recent = range(max(0, last_epoch + 1 - SETTLE_EPOCHS_BACK_MAX), last_epoch + 2)
    settled, waiting = [], []
    for epoch in sorted({*recent, *(intent.epoch for intent, _ in intents)}):
        for trade in store.rfq_trades(run_id, epoch):
            stage = None if trade.acceptance is None else stage_of(store, trade)
            if stage is Stage.SETTLED:
                settled.append(trade)
            elif trade.acceptance is not None and stage is not Stage.VOID:
                waiting.append(trade)
    return settled, waiting


def _settled_together(
    intents: list[tuple[Intent, IntentState]],
) -> dict[tuple[str, int], int]:
    """Return by maker and nonce how many quotes settled in the transaction that settled it."""
    of = {
        (intent.scope, intent.ordinal): _transaction(intent)
        for intent, state in intents
        if state is IntentState.FINAL
    }
    counts = Counter(of.values())
    return {key: counts[transaction] for key, transaction in of.items()}


def _transaction(intent: Intent) -> Hash32:
    """Return what stands for the transaction that settled a quote: its carrier's id, or its own."""
    return carrier_of(intent) or intent.intent_id
