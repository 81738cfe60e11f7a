"""Quote: market events in, decisions and fills out, the same for the same events."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from dmm import observe
from dmm.governance.policy import Policy
from dmm.ledger.position import Position
from dmm.ledger.session import TradingSession
from dmm.market.health import FEED_AGE_NS_MAX, FRESH_TICKS_MIN, is_stale
from dmm.market.instrument import Instrument
from dmm.market.order import Fill, OrderReport, ReportKind
from dmm.market.tape import BestQuote, DepthUpdate, FeedEvent
from dmm.market.view import MarketView
from dmm.ports import LiveControls, Venue, WorkerStore
from dmm.quoting.collect import MarketCollector
from dmm.quoting.decide import decide
from dmm.quoting.decision import Decision, SliceSummary
from dmm.quoting.decision_inputs import DecisionInputs
from dmm.quoting.fill_watch import FillWatch
from dmm.risk.breaker import AFTER_RELEASE, Posture
from dmm.units.amount import Atoms, HalfTicks
from dmm.units.errors import InvariantBroken, JournalStalled
from dmm.units.time import NS_PER_MS, Nanos
from dmm.usecases.halt_watch import HaltWatch
from dmm.usecases.kill_watch import KillWatch
from dmm.usecases.order_desk import OrderDesk
from dmm.usecases.quote_journal import QuoteJournal
from dmm.usecases.situation import EpochInputs, Moment, situation
from dmm.usecases.slice_health import SliceHealth
from dmm.usecases.surroundings import USUAL, Surroundings


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """Bounds of the worker.

    `stale_ns`: silence after which everything is cancelled; `fresh_ticks`: events needed before it
    quotes again; `latch_every`: decisions between two looks at the kill switch; `batch_max`:
    decisions and fills held back; `top_levels`: book levels a slice keeps per side.
    """

    stale_ns: int = FEED_AGE_NS_MAX
    fresh_ticks: int = FRESH_TICKS_MIN
    latch_every: int = 4
    batch_max: int = 256
    top_levels: int = 20


DEFAULT_SETTINGS = WorkerSettings()


class QuotingWorker:
    """One instrument at one venue. Its time is the events' `received_at_ns`; it reads no clock.

    Life: `begin_epoch`, `on_event`…, `end_epoch`, again and again, then `shutdown`. The same events
    and inputs give the same decisions and fills, byte for byte, so a run resumes by playing again
    from its start. A kill stops the journal at once, where a later play continues it. A halt goes
    on deciding, to hold no order, until a person resets it.

    With `live` the present counts: the halt latch is obeyed and written, and the host's clock is
    held against the database's. A play takes neither: its drawdown is the tape's and halts the same
    in every play of it, whoever reset what since, and its time is the recorder's clock.
    """

    def __init__(
        self,
        *,
        run_id: str,
        instrument: Instrument,
        venue: Venue,
        store: WorkerStore,
        settings: WorkerSettings = DEFAULT_SETTINGS,
        live: LiveControls | None = None,
    ) -> None:
        self._run_id = run_id
        self._instrument = instrument
        self._venue = venue
        self._store = store
        self._kill = KillWatch(store)
        self._live = live
        self._halts = None if live is None else HaltWatch(live, run_id)
        self._settings = settings
        self._journal = QuoteJournal(
            store=store, instrument=instrument, batch_max=settings.batch_max
        )
        self._market = MarketView()
        self._collector = MarketCollector()
        self._session = TradingSession(run_id=run_id, venue=venue.name, instrument=instrument)
        self._posture = Posture.QUOTING
        self._signals: tuple[str, ...] = ()
        self._orders = OrderDesk(venue, instrument)
        self._fills = FillWatch()
        self._health = SliceHealth(venue=venue.name, symbol=instrument.symbol)
        self._seen_at_ns = Nanos(0)
        self._fresh_needed = settings.fresh_ticks
        self._refresh_at_ns = Nanos(0)
        self._seq = 0
        self._last_mid = HalfTicks(0)
        self._epoch = -1
        self._started_at_ns = Nanos(0)
        self._events = self._decisions = self._quotes = 0
        self._inputs: EpochInputs | None = None
        self._surroundings = USUAL

    @property
    def killed(self) -> bool:
        """Tell whether the kill switch stopped the worker."""
        return self._posture is Posture.KILLED

    @property
    def posture(self) -> Posture:
        """Return the posture after the last decision."""
        return self._posture

    @property
    def decisions(self) -> int:
        """Return how many decisions were made in the open epoch."""
        return self._decisions

    @property
    def fills(self) -> int:
        """Return how many own fills were booked in the open epoch."""
        return self._session.fills

    @property
    def seen_at_ns(self) -> Nanos:
        """Return the time of the latest event, 0 before the first."""
        return self._seen_at_ns

    @property
    def position(self) -> Position:
        """Return inventory and profit, hedges included."""
        return self._session.position

    # -- epochs -------------------------------------------------------------------------------

    def begin_epoch(self, epoch: int, *, started_at_ns: Nanos, inputs: EpochInputs) -> None:
        """Open an epoch: adopt its policy and estimates, book its hedges and settled firm quotes.

        Raises
        ------
        InvariantBroken
            If it does not follow the epoch before, or that one is still open.
        """
        if self._inputs is not None or epoch != self._epoch + 1:
            raise InvariantBroken(f"epoch {epoch} cannot begin after {self._epoch}")
        self._epoch = epoch
        self._inputs = inputs
        self._started_at_ns = started_at_ns
        self._events = self._decisions = self._quotes = 0
        self._session.open_slice()
        self._collector.open_slice(started_at_ns)
        for fill in (*inputs.hedges, *inputs.settled):
            self.book_elsewhere(fill)
        self.look_at_latch(max(self._seen_at_ns, started_at_ns))

    def book_elsewhere(self, fill: Fill) -> None:
        """Let a fill that the store already holds change inventory and profit.

        Raises
        ------
        InvariantBroken
            If the fill is the worker's own.
        """
        self._session.book_elsewhere(fill)

    def take_surroundings(self, surroundings: Surroundings) -> None:
        """Let gas, peg and firm quotes bend every decision from now on; a play has none of it."""
        self._surroundings = surroundings

    def end_epoch(self, at_ns: Nanos) -> SliceSummary:
        """Close the open epoch in the store and return its summary.

        Raises
        ------
        InvariantBroken
            If no epoch is open, or the kill switch stopped the worker: what a killed worker saw is
            not what a play after the release will see.
        JournalStalled
            If what was decided and filled cannot be handed over yet; the epoch is still open.
        """
        if self._inputs is None or self.killed:
            raise InvariantBroken(f"epoch {self._epoch} cannot end: it is not open, or killed")
        self._journal.flush()
        market = self._collector.close_slice(at_ns)
        bids, asks = self._market.book.top(self._settings.top_levels)
        session = self._session
        summary = SliceSummary(
            run_id=self._run_id,
            epoch=self._epoch,
            started_at_ns=self._started_at_ns,
            ended_at_ns=at_ns,
            events=self._events,
            decisions=self._decisions,
            quotes=self._quotes,
            fills=session.fills,
            position=session.position.inventory,
            mid=self._mid(),
            spread_captured_atoms=Atoms(session.spread_captured_atoms),
            fees_atoms=Atoms(session.fees_atoms),
            bids=bids,
            asks=asks,
            market=market,
        )
        self._store.close_slice(summary)
        observe.epoch_closed(run_id=self._run_id, epoch=self._epoch, head=self._journal.head.hex())
        self._health.take(
            self._fills.close_window(),
            ended_at_ns=at_ns,
            inventory=summary.position,
            sigma_microticks_1s=self._collector.volatility.sigma_microticks,
        )
        self._inputs = None
        return summary

    def shutdown(self) -> None:
        """Cancel everything and hand what is journalled to the store."""
        self._cancel_all(self._seen_at_ns)
        self._journal.flush()

    # -- events -------------------------------------------------------------------------------

    def on_event(self, event: FeedEvent) -> None:
        """Take one market event of the open epoch; quote when a refresh is due."""
        now_ns = event.received_at_ns
        seen_at_ns = self._seen_at_ns
        if now_ns > seen_at_ns:
            if self._is_stale(now_ns):
                # The moment a timer would have fired: a play must not act on the silence later.
                self._go_stale(Nanos(seen_at_ns + self._settings.stale_ns))
            self._seen_at_ns = now_ns
        else:
            now_ns = seen_at_ns  # a recorder's clock may step back; ours does not
        if self._fresh_needed:
            self._count_fresh(now_ns)
        self._events += 1
        market = self._market
        reports = self._venue.advance(now_ns, market)
        if reports:
            self._take(reports)
        kind = type(event)
        if kind is BestQuote:
            market.apply_best_quote(event)  # type: ignore[arg-type]
        elif self.killed:
            self._apply_unseen(event)
        elif kind is DepthUpdate:
            self._apply_depth(event, now_ns)  # type: ignore[arg-type]
        else:
            self._collector.take_trade(event)  # type: ignore[arg-type]
        reports = self._venue.observe(event, market)
        if reports:
            self._take(reports)
        if now_ns >= self._refresh_at_ns:
            self._refresh(now_ns)

    def on_time(self, now_ns: Nanos) -> None:
        """Let time pass without an event: cancel everything once the feed is stale.

        For a loop in real time; in a play the next event tells how long the silence was. While
        killed, what the venue still reports open is cancelled again.
        """
        if self.killed:
            self._orders.pursue_kill(now_ns)
        if not self._fresh_needed and self._is_stale(now_ns):
            self._go_stale(now_ns)

    def _apply_depth(self, update: DepthUpdate, now_ns: Nanos) -> None:
        collector = self._collector
        if now_ns > collector.next_sample_at_ns:
            collector.sample(now_ns)
        mid = self._market.apply_depth(update)
        if mid is not None:
            collector.take_state(update.exchange_at_ns, mid)

    def _apply_unseen(self, event: FeedEvent) -> None:
        """Keep the market current while killed, and collect nothing: no slice will hold it."""
        if isinstance(event, DepthUpdate):
            self._market.apply_depth(event)

    def _is_stale(self, now_ns: Nanos) -> bool:
        return is_stale(
            received_at_ns=self._seen_at_ns, now_ns=now_ns, age_ns_max=self._settings.stale_ns
        )

    def _go_stale(self, at_ns: Nanos) -> None:
        self._cancel_all(at_ns)
        self._fresh_needed = self._settings.fresh_ticks

    def _count_fresh(self, now_ns: Nanos) -> None:
        self._fresh_needed -= 1
        if not self._fresh_needed:
            self._refresh_at_ns = now_ns

    def _take(self, reports: Sequence[OrderReport]) -> None:
        for report in reports:
            record = self._orders.take(report)
            if report.kind is ReportKind.FILLED:
                fill = self._session.book(report, epoch=self._epoch, mid=self._mid())
                self._journal.add_fill(fill, inventory=self._session.position.inventory)
                self._fills.take_fill(
                    fill, reference_microticks=self._collector.reference.twap_microticks
                )
                self._refresh_at_ns = self._seen_at_ns  # quotes lean against it at once
            if record.is_closed:
                self._fills.take_end(report.client_id)

    # -- decisions ----------------------------------------------------------------------------

    def _refresh(self, now_ns: Nanos) -> None:
        self._refresh_at_ns = Nanos(now_ns + self._policy.refresh_ms * NS_PER_MS)
        if self._seq % self._settings.latch_every == 0 or self.killed:
            self.look_at_latch(now_ns)
        if self.killed:
            self._orders.pursue_kill(now_ns)
            return
        if not (self._market.has_mid or self._orders):
            return
        if not self._journal.keeps_up():
            self._cancel_all(now_ns)  # what cannot be recorded is not done
            return
        self._decide(now_ns)

    def _decide(self, now_ns: Nanos) -> None:
        decision = decide(
            self._decision_inputs(now_ns), policy=self._policy, instrument=self._instrument
        )
        self._orders.cancel(decision.cancel, now_ns=now_ns)
        if decision.posture is not self._posture:
            self._change_posture(decision)
        self._signals = decision.signals
        self._orders.send(decision.place, now_ns=now_ns)
        self._fills.take_decision(decision)
        self._journal.add_decision(decision)
        self._refresh_at_ns = Nanos(now_ns + decision.refresh_ms * NS_PER_MS)
        self._quotes += len(decision.place)
        for reason in decision.refused:
            observe.order_refused(order_id=f"{self._seq:08d}", reason=reason)
        if decision.keep or decision.place:
            observe.quoted(run_id=self._run_id, seq=self._seq, epoch=self._epoch)
        self._decisions += 1
        self._seq += 1

    def _change_posture(self, decision: Decision) -> None:
        self._posture = posture = decision.posture
        observe.posture_changed(
            posture=posture.value, severity=posture.severity, signals=decision.signals
        )
        if posture is Posture.HALTED and self._halts is not None:
            reason = f"drawdown of {decision.inputs.drawdown_atoms} atoms"
            self._halts.latch(reason=reason, now_ns=decision.inputs.decided_at_ns)
            observe.halt_latch(halted=True, reason=reason, operator="")

    def _decision_inputs(self, now_ns: Nanos) -> DecisionInputs:
        return situation(
            Moment(
                run_id=self._run_id,
                seq=self._seq,
                epoch=self._epoch,
                now_ns=now_ns,
                received_at_ns=self._seen_at_ns,
                feed_is_fresh=not self._fresh_needed,
                mid=self._mid(),
                posture=self._posture,
                signals=self._signals,
                clock_offset_ns=0 if self._live is None else self._live.clock_offset_ns(),
                surroundings=self._surroundings,
            ),
            inputs=self._epoch_inputs,
            instrument=self._instrument,
            market=self._market,
            collector=self._collector,
            session=self._session,
            orders=self._orders,
            fills=self._fills,
        )

    @property
    def _policy(self) -> Policy:
        return self._epoch_inputs.policy.policy

    # -- safety -------------------------------------------------------------------------------

    def kill(self, now_ns: Nanos) -> None:
        """Stop at once, by a kill that came past the journal: block new orders, cancel the rest."""
        self._kill.hear()
        self._stop(now_ns)

    def look_at_latch(self, now_ns: Nanos) -> None:
        """Re-read kill switch and halt latch; cancel everything when one holds.

        Once released the worker goes on from `AFTER_RELEASE`; after a reset its drawdown starts
        anew, or it would halt again at once.
        """
        holds = self._kill.holds()
        if holds and not self.killed:
            self._stop(now_ns)
            with contextlib.suppress(JournalStalled):
                self._journal.flush()
        elif not holds and self.killed:
            self._orders.end_kill()
            self._posture = AFTER_RELEASE
        if self._halts is not None and not self.killed:
            self._look_at_halt(now_ns, holds=self._halts.holds())

    def _look_at_halt(self, now_ns: Nanos, *, holds: bool) -> None:
        if holds and self._posture is not Posture.HALTED:
            self._posture = Posture.HALTED
            self._cancel_all(now_ns)
        elif not holds and self._posture is Posture.HALTED:
            self._session.restart_peak(self._mid())
            self._posture = AFTER_RELEASE

    def _stop(self, now_ns: Nanos) -> None:
        self._posture = Posture.KILLED
        self._orders.kill(now_ns=now_ns)

    def _cancel_all(self, now_ns: Nanos) -> None:
        self._orders.cancel_all(now_ns=now_ns)

    def _mid(self) -> HalfTicks:
        """Return the mid, or the last one known while there is none."""
        if self._market.has_mid:
            self._last_mid = self._market.mid_half_ticks
        return self._last_mid

    @property
    def _epoch_inputs(self) -> EpochInputs:
        if self._inputs is None:
            raise InvariantBroken("no epoch is open: call begin_epoch before on_event")
        return self._inputs
