"""Recalibrate: measure σ and κ on a closed slice, adopt or hold, hash-linked and versioned."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from dmm.calibration import recalibrate as calibrate
from dmm.calibration.depth import Depths, positive_depths
from dmm.calibration.estimates import (
    Bands,
    Estimate,
    RecordedEstimate,
    Verdict,
    starting_estimate,
)
from dmm.governance.policy import Policy
from dmm.ports import Chain, Clock, Store
from dmm.quoting.decision import SliceSummary
from dmm.settlement.epoch import EpochClaim, EpochPlan, EpochRow, Job, JobOutcome, RowTable
from dmm.units.ids import ZERO_HASH, Json, canonical_json, content_id, hash_link
from dmm.usecases.epoch import run_job, waiting
from dmm.usecases.epoch_inputs import epoch_inputs
from dmm.usecases.estimates import ARRIVAL, VOLATILITY, latest_estimate

VALUES = ("sigma_microticks", "kappa_nano", "a_micro", "a_bid_micro", "a_ask_micro")

Measure: TypeAlias = Callable[[SliceSummary, Estimate, Bands], Estimate]


def recalibrate_volatility(
    *, store: Store, chain: Chain, clock: Clock, run_id: str, epoch: int
) -> JobOutcome:
    """Measure σ on an epoch's slice; always leaves one row with its verdict."""
    return _recalibrate(
        store=store,
        chain=chain,
        clock=clock,
        run_id=run_id,
        epoch=epoch,
        job=Job.VOLATILITY_RECALIBRATION,
        kind=VOLATILITY,
        measure=_measure_volatility,
    )


def fit_arrival(*, store: Store, chain: Chain, clock: Clock, run_id: str, epoch: int) -> JobOutcome:
    """Fit κ and A on an epoch's slice; always leaves one row with its verdict."""
    return _recalibrate(
        store=store,
        chain=chain,
        clock=clock,
        run_id=run_id,
        epoch=epoch,
        job=Job.ARRIVAL_FIT,
        kind=ARRIVAL,
        measure=_measure_arrival,
    )


def _recalibrate(
    *,
    store: Store,
    chain: Chain,
    clock: Clock,
    run_id: str,
    epoch: int,
    job: Job,
    kind: str,
    measure: Measure,
) -> JobOutcome:
    symbol = store.run(run_id).symbol
    summary = store.slice(run_id, epoch)
    if summary is None:
        note = f"epoch {epoch} has no closed slice yet"
        return waiting(run_id=run_id, job=job, subject=symbol, epoch=epoch, note=note)

    def plan(_claim: EpochClaim) -> EpochPlan:
        last = latest_estimate(store, run_id, kind, before=epoch)
        policy = epoch_inputs(store, run_id, epoch).policy.policy
        estimate = _measured(summary, policy, last.estimate if last else None, measure)
        return EpochPlan(rows=(_row(symbol, kind, epoch, estimate, last),))

    return run_job(
        store=store,
        chain=chain,
        clock=clock,
        run_id=run_id,
        job=job,
        subject=symbol,
        epoch=epoch,
        plan=plan,
    )


def _measured(
    summary: SliceSummary, policy: Policy, last: Estimate | None, measure: Measure
) -> Estimate:
    if summary.mid <= 0:
        return (last or _UNMEASURED).kept(Verdict.HELD, ("the slice saw no market",), {})
    try:
        bands = Bands.from_policy(
            sigma_ubps_1s_min=policy.sigma_ubps_1s_min,
            sigma_ubps_1s_max=policy.sigma_ubps_1s_max,
            kappa_nano_per_bp_min=policy.kappa_nano_per_bp_min,
            kappa_nano_per_bp_max=policy.kappa_nano_per_bp_max,
            mid_half_ticks=summary.mid,
        )
    except ValueError as fault:
        return (last or _UNMEASURED).kept(Verdict.HELD, (str(fault),), {})
    return measure(summary, last or starting_estimate(bands), bands)


_UNMEASURED = Estimate(
    version=0,
    sigma_microticks=0,
    kappa_nano=0,
    a_micro=0,
    a_bid_micro=0,
    a_ask_micro=0,
    verdict=Verdict.HELD,
)


def _measure_volatility(summary: SliceSummary, last: Estimate, bands: Bands) -> Estimate:
    return calibrate.recalibrate_volatility(
        summary.market.mid_half_ticks,
        last=last,
        bands=bands,
        rng=_rng("dmm/volatility-bootstrap/v1", summary),
    )


def _measure_arrival(summary: SliceSummary, last: Estimate, bands: Bands) -> Estimate:
    return calibrate.recalibrate_arrival(
        depths_of(summary), last=last, bands=bands, rng=_rng("dmm/arrival-bootstrap/v1", summary)
    )


def depths_of(summary: SliceSummary) -> Depths:
    """Return the depths beyond the mid that a slice saw."""
    market = summary.market
    return positive_depths(
        depth_half_ticks=market.trade_depth_half_ticks,
        at_ns=market.trade_at_ns,
        is_buy=market.trade_is_buy,
        started_at_ns=summary.started_at_ns,
        duration_ns=max(1, summary.ended_at_ns - summary.started_at_ns),
    )


def _rng(purpose: str, summary: SliceSummary) -> np.random.Generator:
    """Return the epoch's own draws, so that a repeat measures the same."""
    seed = content_id(purpose, summary.run_id, summary.epoch)
    return np.random.default_rng(int.from_bytes(seed[:8], "big"))


def _row(
    symbol: str, kind: str, epoch: int, estimate: Estimate, last: RecordedEstimate | None
) -> EpochRow:
    body = estimate.body
    content: dict[str, Json] = {
        "symbol": symbol,
        "kind": kind,
        "version": estimate.version,
        "values": {name: body[name] for name in VALUES},
        "evidence": {
            **estimate.evidence,
            "epoch": epoch,
            "reasons": "; ".join(estimate.reasons),
        },
        "verdict": estimate.verdict.value,
        "previous_hash": last.link_hash if last else ZERO_HASH.hex(),
    }
    link = hash_link(bytes.fromhex(str(content["previous_hash"])), canonical_json(content))
    return EpochRow(table=RowTable.ESTIMATE, ordinal=0, body=content | {"link_hash": link.hex()})
