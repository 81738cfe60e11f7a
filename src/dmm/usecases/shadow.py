"""What a shadow run would have earned, beside the live run of the same time."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import cast

from dmm.ledger.position import Position
from dmm.market.instrument import Instrument
from dmm.market.order import Fill
from dmm.ports import SHADOW, Run, Store
from dmm.units.amount import BPS_ONE, Atoms, HalfTicks
from dmm.units.errors import UsageFault
from dmm.units.ids import Json
from dmm.units.json_text import parse_json
from dmm.units.time import NS_PER_S, Nanos

MARKOUT_NS = 5 * NS_PER_S

EPOCHS_MAX = 100_000
"""Epochs read of one run; ten weeks of minutes."""

RUNS_MAX = 1_000
"""Runs looked through for the live one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a run's own fills came to within the window; hedges apart, flat at its beginning.

    Money in atoms of the cash asset, sizes in lots. `pnl_atoms` marks the position at the last mid,
    fees paid. `spread_bps` is twice what the fills captured against the mid of their moment,
    `markout_bps_5s` their net gain against the mid five seconds later, both of the turnover;
    `quoted_spread_bps` is the mean full spread of the decisions that had a price. None: no figure.
    """

    fills: int
    volume_lots: int
    turnover_atoms: int
    pnl_atoms: int
    fees_atoms: int
    inventory_lots: int
    decisions: int
    spread_bps: float | None
    markout_bps_5s: float | None
    quoted_spread_bps: float | None

    def to_json(self) -> dict[str, Json]:
        """Return the figures by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """A shadow run's figures, and the live run's, both within the time that both ran.

    `window_ns` is that time; where there is no live run it is the shadow's own.
    """

    run_id: str
    symbol: str
    window_ns: tuple[int, int]
    shadow: Figures
    live_run_id: str | None
    live: Figures | None

    def to_json(self) -> dict[str, Json]:
        """Return the report as plain values."""
        return {
            "run_id": self.run_id,
            "kind": SHADOW,
            "symbol": self.symbol,
            "window_ns": list(self.window_ns),
            "shadow": self.shadow.to_json(),
            "live_run_id": self.live_run_id,
            "live": None if self.live is None else self.live.to_json(),
        }


def shadow_report(*, store: Store, run_id: str, against: str | None = None) -> ShadowReport:
    """Return what a shadow run came to, beside a live run.

    Parameters
    ----------
    run_id : a run of kind ``shadow``
    against : a live run's id; the latest of the same symbol that ran at the same time unless given

    Raises
    ------
    UsageFault
        If the run is no shadow, the other one is, or they never ran at the same time.
    """
    run = store.run(run_id)
    if run.kind != SHADOW:
        raise UsageFault(f"run {run_id} is of kind {run.kind}: name one of kind {SHADOW}")
    seen = _Seen.of(store, run)
    live = _live(store, run, seen, against)
    if live is None:
        window = (run.started_at_ns, seen.ended_at_ns)
        return ShadowReport(
            run_id=run_id,
            symbol=run.symbol,
            window_ns=window,
            shadow=seen.figures(window),
            live_run_id=None,
            live=None,
        )
    other_run, other = live
    window = (
        max(run.started_at_ns, other_run.started_at_ns),
        Nanos(min(seen.ended_at_ns, other.ended_at_ns)),
    )
    return ShadowReport(
        run_id=run_id,
        symbol=run.symbol,
        window_ns=window,
        shadow=seen.figures(window),
        live_run_id=other_run.run_id,
        live=other.figures(window),
    )


def _live(store: Store, run: Run, seen: _Seen, against: str | None) -> tuple[Run, _Seen] | None:
    """Return the live run to compare with and what it saw."""
    if against is not None:
        chosen = store.run(against)
        if chosen.kind == SHADOW or chosen.symbol != run.symbol:
            raise UsageFault(f"run {against} is no live run in {run.symbol}: name another")
        other = _Seen.of(store, chosen)
        if not _overlap(run, seen, chosen, other):
            raise UsageFault(f"run {against} and the shadow never ran at the same time")
        return chosen, other
    for candidate in store.runs(limit=RUNS_MAX):
        if candidate.kind == SHADOW or candidate.symbol != run.symbol:
            continue
        if candidate.started_at_ns >= seen.ended_at_ns:
            continue
        other = _Seen.of(store, candidate)
        if _overlap(run, seen, candidate, other):
            return candidate, other
    return None


def _overlap(run: Run, seen: _Seen, other_run: Run, other: _Seen) -> bool:
    return run.started_at_ns < other.ended_at_ns and other_run.started_at_ns < seen.ended_at_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a run's journal shows: mids and quoted spreads of its decisions, and its fills."""

    instrument: Instrument
    at_ns: list[int]
    mids: list[int]
    spreads_bps: list[float | None]
    fills: list[Fill]
    started_at_ns: int

    @classmethod
    def of(cls, store: Store, run: Run) -> _Seen:
        """Read a run, epoch by epoch."""
        at_ns: list[int] = []
        mids: list[int] = []
        spreads: list[float | None] = []
        last = store.last_slice(run.run_id)
        # The open epoch lies after the last closed one.
        for epoch in range(min(EPOCHS_MAX, 1 if last is None else last.epoch + 2)):
            for record in store.decisions(run.run_id, epoch):
                body = cast("dict[str, Json]", parse_json(record.body))
                at_ns.append(record.decided_at_ns)
                mids.append(int(str(body["mid"])))
                spreads.append(_spread_bps(body))
        return cls(
            instrument=Instrument.from_json(cast("dict[str, Json]", run.spec["instrument"])),
            at_ns=at_ns,
            mids=mids,
            spreads_bps=spreads,
            fills=[fill for fill in store.fills(run.run_id) if not fill.is_hedge],
            started_at_ns=run.started_at_ns,
        )

    @property
    def ended_at_ns(self) -> int:
        """Return when it last decided or was filled."""
        fills = [fill.filled_at_ns for fill in self.fills[-1:]]
        return max((self.started_at_ns, *self.at_ns[-1:], *fills))

    def mid_at(self, when_ns: int) -> HalfTicks | None:
        """Return the mid of the first decision from an instant on; None after the last."""
        place = bisect.bisect_left(self.at_ns, when_ns)
        while place < len(self.mids) and self.mids[place] <= 0:
            place += 1
        return HalfTicks(self.mids[place]) if place < len(self.mids) else None

    def last_mid(self, until_ns: int) -> HalfTicks:
        """Return the last mid known at an instant; 0 for none."""
        known = self.mids[: bisect.bisect_right(self.at_ns, until_ns)]
        return HalfTicks(next((mid for mid in reversed(known) if mid > 0), 0))

    def figures(self, window: tuple[int, int]) -> Figures:
        """Return what the fills within a window came to."""
        first_ns, last_ns = window
        own = [fill for fill in self.fills if first_ns <= fill.filled_at_ns <= last_ns]
        position = Position(instrument=self.instrument)
        for fill in own:
            position = position.apply(fill)
        begin, end = (
            bisect.bisect_left(self.at_ns, first_ns), bisect.bisect_right(self.at_ns, last_ns),
        )  # fmt: skip
        spreads = [bps for bps in self.spreads_bps[begin:end] if bps is not None]
        mid = self.last_mid(last_ns) or (own[-1].mid if own else HalfTicks(0))
        turnover = sum(self._cash(fill) for fill in own)
        captured = sum(self._gain(fill, fill.mid) + fill.fee_atoms for fill in own)
        return Figures(
            fills=len(own),
            volume_lots=sum(fill.size for fill in own),
            turnover_atoms=turnover,
            pnl_atoms=position.pnl_atoms(mid) if own else 0,
            fees_atoms=position.fees_atoms,
            inventory_lots=position.inventory,
            decisions=end - begin,
            spread_bps=2 * BPS_ONE * captured / turnover if turnover else None,
            markout_bps_5s=self._markout_bps(own),
            quoted_spread_bps=sum(spreads) / len(spreads) if spreads else None,
        )

    def _markout_bps(self, own: Sequence[Fill]) -> float | None:
        """Return the net markout of the fills whose five seconds are over."""
        marked = [
            (fill, mid)
            for fill in own
            if (mid := self.mid_at(fill.filled_at_ns + MARKOUT_NS)) is not None
        ]
        turnover = sum(self._cash(fill) for fill, _ in marked)
        gain = sum(self._gain(fill, mid) for fill, mid in marked)
        return BPS_ONE * gain / turnover if turnover else None

    def _cash(self, fill: Fill) -> Atoms:
        return self.instrument.cash_atoms(price=fill.price, size=fill.size, rounded_up=False)

    def _gain(self, fill: Fill, mid: HalfTicks) -> Atoms:
        """Return a fill's worth at a mid over its cost, fee paid."""
        return Position(instrument=self.instrument).apply(fill).pnl_atoms(mid)


def _spread_bps(body: dict[str, Json]) -> float | None:
    half, fair = int(str(body["half_spread_microticks"])), int(str(body["fair_microticks"]))
    return 2 * BPS_ONE * half / fair if half > 0 and fair > 0 else None
