"""Recalibrate: measure σ and κ on a closed slice, adopt or hold, hash-linked and versioned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from dmm.calibration import recalibrate as calibrate
from dmm.calibration.depth import positive_depths
from dmm.calibration.estimates import Bands, Estimate, Verdict, starting_estimate
from dmm.governance.policy import Policy
from dmm.ports import Chain, Clock, Store
from dmm.quoting.decision import SliceSummary
from dmm.settlement.epoch import EpochClaim, EpochPlan, EpochRow, Job, JobOutcome, RowTable
from dmm.units.errors import InvariantBroken
from dmm.units.ids import ZERO_HASH, Json, canonical_json, content_id, hash_link
from dmm.usecases.epoch import policy_in_force, run_job, waiting

VOLATILITY = "volatility"
ARRIVAL = "arrival"
VALUES = ("sigma_microticks", "kappa_nano", "a_micro", "a_bid_micro", "a_ask_micro")

Measure: TypeAlias = Callable[[SliceSummary, Estimate, Bands], Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatesInForce:
    """What the worker quotes with: scales of `Decision`; `version` rises with every adoption."""

    version: int
    kappa_nano: int
    sigma_microticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """An estimate as a row holds it."""

    epoch: int
    link_hash: str
    estimate: Estimate


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


def estimates_in_force(store: Store, run_id: str, epoch: int) -> EstimatesInForce | None:
    """Return the last adopted σ and κ of earlier epochs; None until both were adopted once.

    Parameters
    ----------
    epoch : the epoch to be quoted
    """
    sigma = _latest(store, run_id, VOLATILITY, before=epoch)
    kappa = _latest(store, run_id, ARRIVAL, before=epoch)
    if sigma is None or kappa is None:
        return None
    if sigma.estimate.version == 0 or kappa.estimate.version == 0:
        return None
    return EstimatesInForce(
        version=sigma.estimate.version + kappa.estimate.version,
        kappa_nano=kappa.estimate.kappa_nano,
        sigma_microticks=sigma.estimate.sigma_microticks,
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
        last = _latest(store, run_id, kind, before=epoch)
        policy = policy_in_force(store).policy
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
    return calibrate.recalibrate_volatility(summary.market.mid_half_ticks, last=last, bands=bands)


def _measure_arrival(summary: SliceSummary, last: Estimate, bands: Bands) -> Estimate:
    market = summary.market
    depths = positive_depths(
        depth_half_ticks=market.trade_depth_half_ticks,
        at_ns=market.trade_at_ns,
        is_buy=market.trade_is_buy,
        started_at_ns=summary.started_at_ns,
        duration_ns=max(1, summary.ended_at_ns - summary.started_at_ns),
    )
    seed = content_id("dmm/arrival-bootstrap/v1", summary.run_id, summary.epoch)
    rng = np.random.default_rng(int.from_bytes(seed[:8], "big"))
    return calibrate.recalibrate_arrival(depths, last=last, bands=bands, rng=rng)


def _row(symbol: str, kind: str, epoch: int, estimate: Estimate, last: _Known | None) -> EpochRow:
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


def _latest(store: Store, run_id: str, kind: str, *, before: int) -> _Known | None:
    """Return the latest estimate of a kind from epochs before one, whatever its verdict.

    A row that held carries the numbers and the version it held, so the latest is in force.
    """
    known = [
        _read(row)
        for row in store.epoch_rows(run_id, RowTable.ESTIMATE)
        if row.body["kind"] == kind
    ]
    earlier = [estimate for estimate in known if estimate.epoch < before]
    return max(earlier, key=lambda estimate: estimate.epoch, default=None)


def _read(row: EpochRow) -> _Known:
    body = row.body
    values, evidence = body["values"], body["evidence"]
    if not isinstance(values, dict) or not isinstance(evidence, dict):
        raise InvariantBroken("an estimate row holds no values and evidence")
    numbers = {name: value for name, value in evidence.items() if isinstance(value, int)}
    epoch = numbers.pop("epoch")
    try:
        estimate = Estimate.from_body(
            {
                **values,
                "version": body["version"],
                "verdict": body["verdict"],
                "reasons": [],
                "evidence": {**numbers},
            }
        )
    except ValueError as fault:
        raise InvariantBroken(f"an estimate row cannot be read: {fault}") from fault
    return _Known(epoch=epoch, link_hash=str(body["link_hash"]), estimate=estimate)
