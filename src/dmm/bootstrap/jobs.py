"""The epoch jobs, each handed the ports it needs.

What settles money has a part on each enabled chain; the rest takes its time from the home chain.
"""

# A use-case is imported when its job is first run.
# ruff: noqa: PLC0415

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from dmm.settlement.epoch import Job, JobOutcome
from dmm.units.chain import HOME_CHAIN, on_chain
from dmm.units.errors import Retryable

if TYPE_CHECKING:
    from dmm.bootstrap.parts import Desk
    from dmm.ports import Chain, Run
    from dmm.rfq.netting import Countersign
    from dmm.settlement.latch_bounds import LatchBounds

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


def _recalibrate_volatility(wired: Desk, run: Run, epoch: int) -> JobOutcome:
    from dmm.usecases.recalibrate import recalibrate_volatility

    return recalibrate_volatility(
        store=wired.store, chain=wired.chain(), clock=wired.clock, run_id=run.run_id, epoch=epoch
    )


def _fit_arrival(wired: Desk, run: Run, epoch: int) -> JobOutcome:
    from dmm.usecases.recalibrate import fit_arrival

    return fit_arrival(
        store=wired.store, chain=wired.chain(), clock=wired.clock, run_id=run.run_id, epoch=epoch
    )


def _hedge(wired: Desk, run: Run, epoch: int) -> JobOutcome:
    from dmm.usecases.hedge import hedge_batch

    return hedge_batch(
        store=wired.store,
        chain=wired.chain(),
        clock=wired.clock,
        instrument=wired.instrument(run),
        run_id=run.run_id,
        epoch=epoch,
    )


def _reward(wired: Desk, run: Run, epoch: int) -> JobOutcome:
    from dmm.usecases.each_chain import merged, on_each_chain, with_missed
    from dmm.usecases.epoch import scope_of
    from dmm.usecases.reward import PROGRAM, distribute_rewards

    def part(name: str, of_epoch: int) -> JobOutcome:
        return distribute_rewards(
            store=wired.store,
            chain=_enabled(wired, name),
            clock=wired.clock,
            run_id=run.run_id,
            epoch=of_epoch,
            intent_deadline_s=wired.settings.intent_deadline_s,
        )

    job = Job.LIQUIDITY_REWARDS
    parts = on_each_chain(
        lambda name: with_missed(
            lambda past: part(name, past),
            store=wired.store,
            job=job,
            run_id=run.run_id,
            scope=scope_of(run.run_id, on_chain(PROGRAM, name)),
            epoch=epoch,
        ),
        chains=chains_of(wired, run),
    )
    return merged(parts, job=job, run_id=run.run_id, subject=PROGRAM, epoch=epoch)


def _buy_back(wired: Desk, run: Run, epoch: int) -> JobOutcome:
    from dmm.usecases.buyback import settle_buyback
    from dmm.usecases.buyback_turns import can_buy, settle_in_turn

    cash = wired.instrument(run).cash.symbol

    def buy(name: str, of_epoch: int) -> JobOutcome:
        return settle_buyback(
            store=wired.store,
            chain=_enabled(wired, name),
            clock=wired.clock,
            quoter=wired.buyback_quoter,
            run_id=run.run_id,
            epoch=of_epoch,
            cash_asset=cash,
            intent_deadline_s=wired.settings.intent_deadline_s,
        )

    return settle_in_turn(
        buy,
        store=wired.store,
        run_id=run.run_id,
        epoch=epoch,
        able=[n for n in chains_of(wired, run) if can_buy(wired.store.deployments(n), cash)],
        cash_asset=cash,
    )


def _settle_quotes(wired: Desk, run: Run, epoch: int) -> JobOutcome:
    from dmm.usecases.each_chain import merged, on_each_chain
    from dmm.usecases.rfq import SUBJECT, settle_quotes

    parts = on_each_chain(
        lambda name: settle_quotes(
            store=wired.store,
            chain=_enabled(wired, name),
            clock=wired.clock,
            run_id=run.run_id,
            epoch=epoch,
            countersign=countersign(wired, name),
        ),
        chains=chains_of(wired, run),
    )
    return merged(parts, job=Job.PMM_SETTLEMENT, run_id=run.run_id, subject=SUBJECT, epoch=epoch)


def countersign(wired: Desk, name: str) -> Countersign | None:
    """Return how a chain's nets become statements: the taker signs, then our quote signer.

    None where nobody signs for takers, or the chain has no statements.
    """
    from dmm.usecases.net_settlement import countersigned

    taker, check = wired.statement_taker, wired.statement_check(name)
    if taker is None or check is None:
        return None
    maker = wired.quote_signer(name)
    return functools.partial(countersigned, maker=maker, taker=taker, verify=check)


def _dispatch(wired: Desk, run: Run, epoch: int) -> JobOutcome:
    from dmm.usecases.dispatch import dispatch_outbox
    from dmm.usecases.each_chain import merged, on_each_chain

    store = wired.driver_store
    parts = on_each_chain(
        lambda name: dispatch_outbox(
            store=store,
            chain=wired.chain(name),
            signer=wired.signer(name),
            clock=wired.clock,
            owner=f"{wired.owner}-{name}",
            run_id=run.run_id,
            epoch=epoch,
            wait_s_max=wired.settings.dispatch_wait_s_max,
            lease_s=wired.settings.lease_s,
            bounds=wired.lane_bounds,
        ),
        chains=wired.chains(),
        at_once=True,
    )
    return merged(
        parts, job=Job.OUTBOX_DISPATCH, run_id=run.run_id, subject=HOME_CHAIN, epoch=epoch
    )


def _audit(wired: Desk, run: Run, epoch: int) -> JobOutcome:
    from dmm.usecases.audit import audit_settlement
    from dmm.usecases.each_chain import merged, on_each_chain

    store, bounds = wired.store, latch_bounds(wired)
    parts = on_each_chain(
        lambda name: audit_settlement(
            store=store,
            chain=wired.chain(name),
            log=wired.audit_log(name),
            follow_log=wired.chain_log(name),
            clock=wired.clock,
            run_id=run.run_id,
            epoch=epoch,
            bounds=bounds,
        ),
        chains=wired.chains(),
        at_once=True,
    )
    return merged(
        parts, job=Job.SETTLEMENT_AUDIT, run_id=run.run_id, subject=HOME_CHAIN, epoch=epoch
    )


def chains_of(wired: Desk, run: Run) -> tuple[str, ...]:
    """Return the chains a run was begun on; the enabled ones where it does not say."""
    named = run.spec.get("chains")
    return tuple(map(str, named)) if isinstance(named, list) and named else wired.chains()


def _enabled(wired: Desk, name: str) -> Chain:
    """Return a chain of the run, or hold its part up while this desk does not settle on it."""
    if name not in wired.chains():
        raise Retryable(f"the run settles on {name}, which is not enabled: add it to DMM_CHAINS")
    return wired.chain(name)


JOBS: dict[str, Callable[[Desk, Run, int], JobOutcome]] = {
    Job.VOLATILITY_RECALIBRATION: _recalibrate_volatility,
    Job.ARRIVAL_FIT: _fit_arrival,
    Job.HEDGE_BATCH: _hedge,
    Job.LIQUIDITY_REWARDS: _reward,
    Job.BUYBACK_SETTLEMENT: _buy_back,
    Job.PMM_SETTLEMENT: _settle_quotes,
    Job.OUTBOX_DISPATCH: _dispatch,
    Job.SETTLEMENT_AUDIT: _audit,
}
