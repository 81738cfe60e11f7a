"""The composition root: who is wired to whom, and nowhere else.

A `Desk` holds one adapter per port, each made when it is first asked for. Flows call `run_job` and
`apply_order`, which hand the desk's ports to the use-case of a job.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dmm import observe
from dmm.market.instrument import Instrument
from dmm.settings import PROJECT_ROOT, Settings, settings
from dmm.settlement.epoch import Job, JobOutcome
from dmm.settlement.lifecycle import LaneBounds
from dmm.units.errors import UsageFault

if TYPE_CHECKING:
    from dmm.adapters.journal.link import JournalLink
    from dmm.ports import (
        Archive,
        BuybackQuoter,
        Chain,
        ChainLog,
        Clock,
        ControlStore,
        QuoteSigner,
        Run,
        Scheduler,
        Signer,
        Store,
    )
    from dmm.settlement.latch_bounds import LatchBounds
    from dmm.units.ids import Json
    from dmm.usecases.retain import Retained

_PACKAGED_ARTEFACTS = Path(__file__).with_name("adapters") / "evm" / "build"
ARTEFACT_DIR = (
    _PACKAGED_ARTEFACTS
    if _PACKAGED_ARTEFACTS.exists()
    else PROJECT_ROOT / "contracts" / "evm" / "build"
)
"""The compiled contracts: inside an installed wheel, else in the checkout."""

WARM_MODULES = (
    "adapters.evm.client",
    "adapters.evm.events",
    "adapters.makers.http",
    "adapters.postgres.store",
    "adapters.reports.calibration_evidence",
    "adapters.scheduler.prefect",
    "adapters.signers.socket",
    "usecases.audit",
    "usecases.buyback",
    "usecases.control",
    "usecases.dispatch",
    "usecases.hedge",
    "usecases.recalibrate",
    "usecases.reward",
    "usecases.rfq",
)

CHAIN = "evm"
"""The home chain: the one the desk settles on and governance executes on."""


JOURNAL_WRITER = "dmm.entrypoints.journal_writer"
"""The program that keeps a live worker's journal."""


class Desk:
    """The desk's ports, wired by settings."""

    def __init__(self, config: Settings) -> None:
        self.settings = config

    @functools.cached_property
    def clock(self) -> Clock:
        """Return the machine's clock."""
        from dmm.adapters.clock import SystemClock

        return SystemClock()

    @functools.cached_property
    def store(self) -> Store:
        """Return the journal in Postgres."""
        from dmm.adapters.postgres.store import PostgresStore

        return PostgresStore(self.settings.database_url.get_secret_value())

    @functools.cached_property
    def driver_store(self) -> Store:
        """Return the journal by the driver's own login, alone to read signed bytes."""
        from dmm.adapters.postgres.store import PostgresStore

        url = self.settings.driver_database_url.get_secret_value()
        return PostgresStore(url) if url else self.store

    @functools.cached_property
    def chain(self) -> Chain:
        """Return the chain through the desk's nodes."""
        return self._evm(self.settings.evm_rpc_urls)

    @functools.cached_property
    def chain_log(self) -> ChainLog:
        """Return the chain's own record through the desk's nodes."""
        return self._evm_log(self.settings.evm_rpc_urls)

    @functools.cached_property
    def audit_log(self) -> ChainLog:
        """Return the chain's own record through the auditor's own node."""
        return self._evm_log((self.settings.evm_audit_rpc_url or self.settings.evm_rpc_urls[-1],))

    @functools.cached_property
    def signer(self) -> Signer:
        """Return the settlement signer, another process."""
        from dmm.adapters.signers.socket import SocketSigner

        return SocketSigner(self.settings.signer_socket)

    @functools.cached_property
    def quote_signer(self) -> QuoteSigner:
        """Return the quote signer, another process."""
        from dmm.adapters.signers.socket import SocketQuoteSigner

        return SocketQuoteSigner(self.settings.quote_signer_socket)

    @functools.cached_property
    def buyback_quoter(self) -> BuybackQuoter:
        """Return who sells the desk its token back."""
        from dmm.adapters.makers.http import HttpMaker

        if not self.settings.buyback_maker_url:
            raise UsageFault("no market maker for buybacks is known: set DMM_BUYBACK_MAKER_URL")
        return HttpMaker(self.settings.buyback_maker_url)

    @functools.cached_property
    def scheduler(self) -> Scheduler:
        """Return Prefect's REST interface."""
        from dmm.adapters.scheduler.prefect import PrefectScheduler

        return PrefectScheduler(
            self.settings.prefect_api_url, self.settings.prefect_api_auth.get_secret_value()
        )

    @functools.cached_property
    def archive(self) -> Archive:
        """Return where rows go before retention prunes them."""
        from dmm.adapters.archive import FolderArchive

        return FolderArchive(self.settings.archive_folder)

    @property
    def lane_bounds(self) -> LaneBounds:
        """Return what the driver may have on its way at once."""
        return LaneBounds(
            in_flight_max=self.settings.settle_in_flight_max,
            value_atoms_max=self.settings.settle_value_max,
        )

    @property
    def owner(self) -> str:
        """Return the name under which this process leases work."""
        return f"pid-{os.getpid()}"

    @contextlib.contextmanager
    def worker_journal(self, run: Run) -> Iterator[JournalLink]:
        """Give the live worker a journal that never makes it wait, kept by a process of its own.

        Leaving the context writes what is left.
        """
        from dmm.adapters.journal.process import journal_process

        with journal_process([sys.executable, "-m", JOURNAL_WRITER, run.run_id]) as journal:
            yield journal

    def instrument(self, run: Run) -> Instrument:
        """Return what a run trades."""
        return Instrument.from_json(cast("dict[str, Json]", run.spec["instrument"]))

    def _evm(self, urls: tuple[str, ...]) -> Chain:
        from dmm.adapters.evm.client import EvmChain

        return EvmChain(
            rpc_urls=urls,
            chain_id=self.settings.evm_chain_id,
            deployments=self.store.deployments(CHAIN),
            artefact_dir=ARTEFACT_DIR,
            fee_gwei_max=self.settings.evm_fee_gwei_max,
            tip_gwei=self.settings.evm_tip_gwei,
        )

    def _evm_log(self, urls: tuple[str, ...]) -> ChainLog:
        from dmm.adapters.evm.events import EvmLog

        return EvmLog(
            rpc_urls=urls,
            chain_id=self.settings.evm_chain_id,
            deployments=self.store.deployments(CHAIN),
            artefact_dir=ARTEFACT_DIR,
        )

    def close(self) -> None:
        """Close what was opened."""
        for name in ("store", "driver_store"):
            if name in self.__dict__:
                self.__dict__[name].close()


@functools.cache
def desk() -> Desk:
    """Return the process's desk, wired by its environment."""
    config = settings()
    observe.configure_logging(config.log_level)
    return Desk(config)


def control_store(database_url: str) -> ControlStore:
    """Return the control part of the journal for a process that needs nothing else."""
    from dmm.adapters.postgres.store import PostgresStore

    return PostgresStore(database_url)


def run_job(job: str, *, run_id: str = "", epoch: int = -1) -> JobOutcome:
    """Run one epoch job with the desk's ports.

    Parameters
    ----------
    job : name of the job, as in `dmm.settlement.epoch.Job`
    run_id : empty for the latest run
    epoch : −1 for the run's last closed epoch

    Raises
    ------
    UsageFault
        If there is no such job or run.
    """
    jobs = _jobs()
    if job not in jobs:
        raise UsageFault(f"no epoch job {job!r}: choose one of {', '.join(sorted(jobs))}")
    wired = desk()
    run = wired.store.run(run_id) if run_id else wired.store.latest_run()
    if run is None:
        return _too_early(job, "", "the journal holds no run yet")
    if epoch < 0:
        last = wired.store.last_slice(run.run_id)
        if last is None:
            return _too_early(job, run.run_id, "no epoch of this run has closed yet")
        epoch = last.epoch
    observe.correlate(run=run.run_id, epoch=epoch, job=job)
    return jobs[job](wired, run, epoch)


def estimate_report(job: str, *, run_id: str = "", epoch: int) -> str:
    """Return what an epoch's estimate rests on as markdown; empty when it left none.

    Parameters
    ----------
    job : ``volatility_recalibration`` or ``arrival_fit``
    run_id : empty for the latest run
    """
    from dmm.adapters.reports.calibration_evidence import arrival_markdown, volatility_markdown
    from dmm.usecases.estimates import ARRIVAL, VOLATILITY, estimate_of
    from dmm.usecases.recalibrate import depths_of

    store = desk().store
    run = store.run(run_id) if run_id else store.latest_run()
    kind = VOLATILITY if job == Job.VOLATILITY_RECALIBRATION else ARRIVAL
    known = None if run is None else estimate_of(store, run.run_id, kind, epoch)
    summary = None if run is None else store.slice(run.run_id, epoch)
    if known is None or summary is None:
        return ""
    if kind == VOLATILITY:
        return volatility_markdown(known, summary)
    return arrival_markdown(known, depths_of(summary))


def correlate(*, flow_run: str) -> None:
    """Name the flow run behind everything that is logged from here on in this context."""
    observe.correlate(flow_run=flow_run)


def _too_early(job: str, run_id: str, note: str) -> JobOutcome:
    """Return that a schedule asked before there was anything to do: nothing was claimed."""
    from dmm.usecases.epoch import waiting

    return waiting(run_id=run_id, job=Job(job), subject="schedule", epoch=0, note=note)


def warm() -> None:
    """Import what the jobs use, so that the first of them does not wait a second for it."""
    for name in WARM_MODULES:
        importlib.import_module(f"dmm.{name}")


def apply_order(sequence: int) -> JobOutcome:
    """Apply executed governance orders up to a sequence, as the finalized chain has them."""
    from dmm.usecases.control import apply_order as apply

    wired = desk()
    run = wired.store.latest_run()
    return apply(
        store=wired.store,
        chain=wired.chain,
        clock=wired.clock,
        run_id=run.run_id if run else "",
        sequence=sequence,
        wait_s_max=wired.settings.dispatch_wait_s_max,
    )


REBASE_DUST_WHOLE = 1
"""What a token may take off balances without a log before that latches, in whole cash units."""


def latch_bounds(wired: Desk) -> LatchBounds:
    """Return what is too little to latch, in atoms of the latest run's cash asset.

    The cash asset is the numéraire; the position asset has the last slice's mid; what has no price
    latches at any size.
    """
    from dmm.ledger.fills import marked_atoms
    from dmm.settlement.latch_bounds import LatchBounds, LatchCause, Price
    from dmm.units.amount import Lots

    run = wired.store.latest_run()
    if run is None:
        return LatchBounds()
    instrument, last = wired.instrument(run), wired.store.last_slice(run.run_id)
    prices = {instrument.cash.symbol: Price(numeraire_atoms=1, atoms=1)}
    worth = 0 if last is None else marked_atoms(instrument, inventory=Lots(1), mid=last.mid)
    if worth > 0:
        prices[instrument.position.symbol] = Price(
            numeraire_atoms=worth, atoms=instrument.position_atoms_per_lot
        )
    dust = REBASE_DUST_WHOLE * 10**instrument.cash.decimals
    return LatchBounds(dust={LatchCause.REBASE: dust}, prices=prices)


def prune_journal(*, keep_days: int) -> Retained:
    """Archive and prune partitions of runs that finished more than `keep_days` ago."""
    from dmm.usecases.retain import prune_journal as prune

    wired = desk()
    return prune(
        store=wired.store,
        clock=wired.clock,
        archive=wired.archive,
        keep_days=keep_days,
        operator="retention",
    )


@functools.cache
def _jobs() -> dict[str, Callable[[Desk, Run, int], JobOutcome]]:
    return {
        Job.VOLATILITY_RECALIBRATION: _recalibrate_volatility,
        Job.ARRIVAL_FIT: _fit_arrival,
        Job.HEDGE_BATCH: _hedge,
        Job.LIQUIDITY_REWARDS: _reward,
        Job.BUYBACK_SETTLEMENT: _buy_back,
        Job.PMM_SETTLEMENT: _settle_quotes,
        Job.OUTBOX_DISPATCH: _dispatch,
        Job.SETTLEMENT_AUDIT: _audit,
    }


def _recalibrate_volatility(wired: Desk, run: Run, epoch: int) -> JobOutcome:
    from dmm.usecases.recalibrate import recalibrate_volatility

    return recalibrate_volatility(
        store=wired.store, chain=wired.chain, clock=wired.clock, run_id=run.run_id, epoch=epoch
    )


def _fit_arrival(wired: Desk, run: Run, epoch: int) -> JobOutcome:
    from dmm.usecases.recalibrate import fit_arrival

    return fit_arrival(
        store=wired.store, chain=wired.chain, clock=wired.clock, run_id=run.run_id, epoch=epoch
    )


def _hedge(wired: Desk, run: Run, epoch: int) -> JobOutcome:
    from dmm.usecases.hedge import hedge_batch

    return hedge_batch(
        store=wired.store,
        chain=wired.chain,
        clock=wired.clock,
        instrument=wired.instrument(run),
        run_id=run.run_id,
        epoch=epoch,
    )


def _reward(wired: Desk, run: Run, epoch: int) -> JobOutcome:
    from dmm.usecases.reward import distribute_rewards

    return distribute_rewards(
        store=wired.store,
        chain=wired.chain,
        clock=wired.clock,
        run_id=run.run_id,
        epoch=epoch,
        intent_deadline_s=wired.settings.intent_deadline_s,
    )


def _buy_back(wired: Desk, run: Run, epoch: int) -> JobOutcome:
    from dmm.usecases.buyback import settle_buyback

    return settle_buyback(
        store=wired.store,
        chain=wired.chain,
        clock=wired.clock,
        quoter=wired.buyback_quoter,
        run_id=run.run_id,
        epoch=epoch,
        cash_asset=wired.instrument(run).cash.symbol,
        intent_deadline_s=wired.settings.intent_deadline_s,
    )


def _settle_quotes(wired: Desk, run: Run, epoch: int) -> JobOutcome:
    from dmm.usecases.rfq import settle_quotes

    return settle_quotes(
        store=wired.store, chain=wired.chain, clock=wired.clock, run_id=run.run_id, epoch=epoch
    )


def _dispatch(wired: Desk, run: Run, epoch: int) -> JobOutcome:
    from dmm.usecases.dispatch import dispatch_outbox

    return dispatch_outbox(
        store=wired.driver_store,
        chain=wired.chain,
        signer=wired.signer,
        clock=wired.clock,
        owner=wired.owner,
        run_id=run.run_id,
        epoch=epoch,
        wait_s_max=wired.settings.dispatch_wait_s_max,
        lease_s=wired.settings.lease_s,
        bounds=wired.lane_bounds,
    )


def _audit(wired: Desk, run: Run, epoch: int) -> JobOutcome:
    from dmm.usecases.audit import audit_settlement

    return audit_settlement(
        store=wired.store,
        chain=wired.chain,
        log=wired.audit_log,
        follow_log=wired.chain_log,
        clock=wired.clock,
        run_id=run.run_id,
        epoch=epoch,
        bounds=latch_bounds(wired),
    )
