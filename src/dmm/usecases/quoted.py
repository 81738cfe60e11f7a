"""Firm quotes as inventory: what accepted ones may still move, and what they have moved for good.

From its acceptance on a quote counts as an open order of the desk, until its settlement ends on the
finalized chain: then it is inventory of its vault, or nothing. Which quotes count as what is an
input of an epoch and fixed with it, so that a play goes the same way each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Protocol, cast

from dmm.market.instrument import Instrument
from dmm.market.order import Fill
from dmm.ports import Clock, IntentStore, QuoteStore, RfqStore, RunStore
from dmm.rfq.fills import open_lots, quoted_fill
from dmm.rfq.netting import quote_intent
from dmm.rfq.protocol import RfqTrade
from dmm.risk.inventory import NOTHING_OPEN, OpenLots
from dmm.settlement.intent import IntentState
from dmm.units.amount import Lots
from dmm.units.errors import InvariantBroken
from dmm.units.ids import Json
from dmm.units.time import NS_PER_S, Nanos

SETTLE_EPOCHS_BACK_MAX = 8
"""Epochs a settlement looks back for quotes accepted after their own epoch was settled."""

CHAIN_CLOCKS_APART_S_MAX = 120
"""How far one chain's time may lie behind another's, or behind this host's."""

BOOKED_AFTER_EPOCHS = 2
"""A quote is inventory in the second epoch after its own at the earliest: by then two dispatches
have driven its settlement, so that what an epoch begins with does not hang on a chain's pace."""

BEGIN_NS_MAX = 2 * NS_PER_S
"""How long after an epoch's inputs were asked for the worker may still be in the one before."""

BODY = "quoted"
"""The name of all this among an epoch's fixed inputs; older ones have none."""


class QuotedStore(RunStore, QuoteStore, RfqStore, IntentStore, Protocol):
    """What is read of the journal to tell how far firm quotes came."""


class Stage(StrEnum):
    """How far an accepted quote came."""

    OPEN = "open"
    """It may still settle; one in quarantine too."""
    SETTLED = "settled"
    VOID = "void"
    """It will never settle."""


def stage_of(store: IntentStore, trade: RfqTrade) -> Stage | None:
    """Return how far an accepted quote came; None when no settlement has planned it yet.

    Raises
    ------
    UsageFault
        If it was never accepted.
    """
    match store.intent_state(quote_intent(trade).intent_id):
        case None:
            return None
        case IntentState.FINAL:
            return Stage.SETTLED
        case IntentState.FAILED | IntentState.CANCELLED:
            return Stage.VOID
        case _:
            return Stage.OPEN


def quotes_of_epoch(store: QuotedStore, run_id: str, epoch: int) -> dict[str, Json]:
    """Return what an epoch that is about to begin is to take of firm quotes, as it is fixed.

    `settled` become inventory in it, `open` may still settle, `ended` are done with and still
    looked past; each is a quote's id and epoch. `buy` and `sell` are the lots of the open ones.
    """
    found: dict[str, list[Json]] = {
        "open": [],
        "settled": [],
        "ended": _ended(store, run_id, epoch),
    }
    waiting: list[RfqTrade] = []
    for trade in _unended(store, run_id, known=epoch - 1, until=epoch - 1):
        if trade.acceptance is None:
            continue
        stage = stage_of(store, trade)
        if stage is None:
            # Settlements look back so far and no further.
            late = trade.epoch < epoch - SETTLE_EPOCHS_BACK_MAX
            stage = Stage.VOID if late else Stage.OPEN
        if stage is Stage.SETTLED and trade.epoch > epoch - BOOKED_AFTER_EPOCHS:
            stage = Stage.OPEN
        if stage is Stage.OPEN:
            waiting.append(trade)
        name = "ended" if stage is Stage.VOID else stage.value
        found[name].append([trade.quote.quote_id.hex(), trade.epoch])
    lots = lots_of(waiting, _instrument(store, run_id)) if waiting else NOTHING_OPEN
    return {**found, "buy": lots.buy, "sell": lots.sell}


def fixed_quotes(
    store: QuotedStore, run_id: str, fixed: dict[str, Json]
) -> tuple[tuple[Fill, ...], OpenLots]:
    """Return the fills that an epoch's fixed inputs make inventory, and the lots still open.

    Raises
    ------
    InvariantBroken
        If a quote that settled is not in the journal.
    """
    body = _body(fixed)
    settled = _places(body, "settled")
    buy, sell = cast("int", body.get("buy", 0)), cast("int", body.get("sell", 0))
    if not settled:
        return (), OpenLots(buy=Lots(buy), sell=Lots(sell))
    instrument = _instrument(store, run_id)
    trades = {
        trade.quote.quote_id.hex(): trade
        for epoch in sorted(set(settled.values()))
        for trade in store.rfq_trades(run_id, epoch)
    }
    missing = sorted(set(settled) - set(trades))
    if missing:
        raise InvariantBroken(f"quote {missing[0]} settled and is not in the journal: restore it")
    fills = tuple(quoted_fill(trades[quote_id], instrument) for quote_id in settled)
    return fills, OpenLots(buy=Lots(buy), sell=Lots(sell))


def unbooked(store: QuotedStore, run_id: str, *, known: int, until: int) -> list[RfqTrade]:
    """Return accepted quotes that count beside a worker's position: open ones and settled ones.

    Parameters
    ----------
    known : the epoch whose inputs the worker had; what those before it and its own made inventory
        is in its position
    until : the last epoch whose quotes are looked at
    """
    return [
        trade
        for trade in _unended(store, run_id, known=known, until=until)
        if trade.acceptance is not None and stage_of(store, trade) is not Stage.VOID
    ]


def lots_of(trades: Iterable[RfqTrade], instrument: Instrument) -> OpenLots:
    """Return the lots that quotes may still move, all together."""
    each = [open_lots(trade, instrument) for trade in trades]
    return OpenLots(
        buy=Lots(sum(one.buy for one in each)), sell=Lots(sum(one.sell for one in each))
    )


class QuotedWatch:
    """What firm quotes may still move, for a live worker: looked up beside it, not by it.

    A quote that nobody has accepted counts while it may be: a worker must leave room for it.
    """

    def __init__(self, store: QuotedStore, run_id: str, clock: Clock) -> None:
        """Prepare; nothing is read yet.

        Parameters
        ----------
        clock : of this host; chains' clocks lie at most `CHAIN_CLOCKS_APART_S_MAX` behind it
        """
        self._store, self._run_id, self._clock = store, run_id, clock
        self._epoch = -1
        self._asked_at_ns = Nanos(0)
        self._booked: tuple[Fill, ...] = ()

    def take_inputs(self, epoch: int, settled: tuple[Fill, ...]) -> None:
        """Note which epoch the worker has asked for, and what becomes inventory in it."""
        self._epoch, self._booked = epoch, settled
        self._asked_at_ns = self._clock.now_ns()

    def look(self) -> OpenLots:
        """Return the lots that may still move, those included that become inventory just now."""
        if self._epoch < 0:
            return NOTHING_OPEN
        now_ns = self._clock.now_ns()
        trades = [
            trade
            for trade in _unended(
                self._store, self._run_id, known=self._epoch, until=self._epoch + 1
            )
            if self._may_move(trade, now_ns // NS_PER_S)
        ]
        found = lots_of(trades, _instrument(self._store, self._run_id)) if trades else NOTHING_OPEN
        if now_ns - self._asked_at_ns > BEGIN_NS_MAX or not self._booked:
            return found
        buying = sum(fill.size for fill in self._booked if fill.side.sign > 0)
        selling = sum(fill.size for fill in self._booked if fill.side.sign < 0)
        return OpenLots(buy=Lots(found.buy + buying), sell=Lots(found.sell + selling))

    def _may_move(self, trade: RfqTrade, now_s: int) -> bool:
        if trade.acceptance is None:
            return now_s <= trade.quote.expiry_s + CHAIN_CLOCKS_APART_S_MAX
        return stage_of(self._store, trade) is not Stage.VOID


def _unended(store: QuotedStore, run_id: str, *, known: int, until: int) -> Iterator[RfqTrade]:
    """Yield quotes up to an epoch that the inputs of the epochs up to `known` have not ended."""
    body = _body(store.epoch_inputs(run_id, known) if known >= 0 else None)
    carried = _places(body, "open")
    ended = {*_places(body, "settled"), *_places(body, "ended")}
    first = max(0, known + 1 - SETTLE_EPOCHS_BACK_MAX)
    for epoch in sorted({*range(first, until + 1), *carried.values()}):
        for trade in store.rfq_trades(run_id, epoch):
            quote_id = trade.quote.quote_id.hex()
            if quote_id not in ended and (epoch >= first or quote_id in carried):
                yield trade


def _ended(store: QuotedStore, run_id: str, epoch: int) -> list[Json]:
    """Return what earlier epochs ended and the next one would find again."""
    body = _body(store.epoch_inputs(run_id, epoch - 1) if epoch > 0 else None)
    places = _places(body, "settled") | _places(body, "ended")
    first = epoch + 1 - SETTLE_EPOCHS_BACK_MAX
    return [[quote_id, at] for quote_id, at in places.items() if at >= first]


def _body(fixed: dict[str, Json] | None) -> dict[str, Json]:
    return cast("dict[str, Json]", (fixed or {}).get(BODY) or {})


def _places(body: dict[str, Json], name: str) -> dict[str, int]:
    """Return the epochs of quotes by their ids."""
    rows = cast("list[list[str | int]]", body.get(name, []))
    return {str(quote_id): int(epoch) for quote_id, epoch in rows}


def _instrument(store: RunStore, run_id: str) -> Instrument:
    return Instrument.from_json(cast("dict[str, Json]", store.run(run_id).spec["instrument"]))
