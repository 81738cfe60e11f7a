"""Recalibrate: measure σ and κ on closed epochs, adopt, hold or fall back; linked and versioned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from dmm.calibration import recalibrate as calibrate
from dmm.calibration.estimates import (
    MICRO,
    Bands,
    Estimate,
    RecordedEstimate,
    Verdict,
    starting_estimate,
)
from dmm.calibration.volatility import sigma_spread_ticks
from dmm.governance.policy import Policy
from dmm.ports import Chain, Clock, QuoteStore, Store
from dmm.quoting.decision import SliceSummary
from dmm.settlement.epoch import EpochClaim, EpochPlan, EpochRow, Job, JobOutcome, RowTable
from dmm.units.ids import ZERO_HASH, Json, canonical_json, content_id, hash_link
from dmm.units.time import NS_PER_S, WEEK_OFFSET_NS, Nanos, epoch_of
from dmm.usecases.epoch import run_job, waiting
from dmm.usecases.epoch_inputs import epoch_inputs
from dmm.usecases.estimates import ARRIVAL, VOLATILITY, latest_estimate
from dmm.usecases.market_window import TO_NS, WANTED_S, MarketWindow, read_window

VALUES = ("sigma_microticks", "kappa_nano", "a_micro", "a_bid_micro", "a_ask_micro")

MINUTES_NS = 5 * 60 * NS_PER_S
"""How far back σ reads: as far as its cadence, and the longest EWMA of the source."""

WEEK_NS = 7 * 24 * 3_600 * NS_PER_S
"""How far back κ reads, and σ in its first turn of a week."""

OVERLAP_PPM_MAX = 10_000
"""Share of a window that may also belong to the one before it, for both to count as apart: weekly
runs start some seconds early or late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Basis:
    """What a measurement starts from; `last` is the row in force, its estimate or a start's."""

    window: MarketWindow
    last: Estimate
    bands: Bands
    rng: np.random.Generator


Measure: TypeAlias = Callable[[_Basis], Estimate]


def recalibrate_volatility(
    *, store: Store, chain: Chain, clock: Clock, run_id: str, epoch: int
) -> JobOutcome:
    """Measure σ on the last minutes up to an epoch; always leaves one row with its verdict.

    The first turn of a week reads the week before it, and its row also says how σ was spread.
    """
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
    """Fit κ and A on the week up to an epoch; always leaves one row with its verdict."""
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


def window_of(store: QuoteStore, record: RecordedEstimate, last: SliceSummary) -> MarketWindow:
    """Return what an estimate was measured on, whose epoch closed with a slice."""
    default_s = (WEEK_NS if record.kind == ARRIVAL else MINUTES_NS) // NS_PER_S
    wanted_s = record.estimate.evidence.get(WANTED_S, default_s)
    return read_window(store, last, wanted_ns=wanted_s * NS_PER_S)


def _wanted_ns(kind: str, last: RecordedEstimate | None, summary: SliceSummary) -> int:
    """Return how far back to read: σ as far as κ when a week began since its last turn."""
    if kind == ARRIVAL or last is None:
        return WEEK_NS
    before_ns = last.estimate.evidence.get(TO_NS, summary.ended_at_ns)
    week, week_before = (
        epoch_of(at_ns, length_ns=WEEK_NS, offset_ns=WEEK_OFFSET_NS)
        for at_ns in (summary.ended_at_ns, Nanos(before_ns))
    )
    return MINUTES_NS if week == week_before else WEEK_NS


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
        # Fixes the epoch's inputs if nobody did, and with them what the run began with.
        policy = epoch_inputs(store, run_id, epoch).policy.policy
        last = latest_estimate(store, run_id, kind, before=epoch)
        window = read_window(store, summary, wanted_ns=_wanted_ns(kind, last, summary))
        estimate = _measured(
            summary, window, policy, last.estimate if last else None, kind=kind, measure=measure
        )
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
    summary: SliceSummary,
    window: MarketWindow,
    policy: Policy,
    last: Estimate | None,
    *,
    kind: str,
    measure: Measure,
) -> Estimate:
    if summary.mid <= 0 or not summary.market.mid_half_ticks.size:
        reasons = ("the slice saw no market",)
        return (last or _UNMEASURED).kept(Verdict.HELD, reasons, {TO_NS: summary.ended_at_ns})
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
    found = measure(
        _Basis(
            window=window,
            last=last or starting_estimate(bands),
            bands=bands,
            rng=_rng(f"dmm/{kind}-bootstrap/v1", summary),
        )
    )
    return replace(found, evidence={**found.evidence, **window.evidence})


_UNMEASURED = Estimate(
    version=0,
    sigma_microticks=0,
    kappa_nano=0,
    a_micro=0,
    a_bid_micro=0,
    a_ask_micro=0,
    verdict=Verdict.HELD,
)


def _measure_volatility(basis: _Basis) -> Estimate:
    window = basis.window
    found = calibrate.recalibrate_volatility(
        window.mid_half_ticks,
        last=basis.last,
        bands=basis.bands,
        rng=basis.rng,
        heard=window.heard,
    )
    spread = sigma_spread_ticks(window.changes_half_ticks / 2)
    if spread is None:
        return found
    # Where the policy's band lies in what the market does: only governance may move it.
    names = ("sigma_microticks_p05", "sigma_microticks_p50", "sigma_microticks_p95")
    quantiles = {name: round(of * MICRO) for name, of in zip(names, spread, strict=True)}
    band = {
        "sigma_microticks_band_min": basis.bands.sigma_microticks_min,
        "sigma_microticks_band_max": basis.bands.sigma_microticks_max,
    }
    return replace(found, evidence={**found.evidence, **quantiles, **band})


def _measure_arrival(basis: _Basis) -> Estimate:
    return calibrate.recalibrate_arrival(
        basis.window.depths,
        last=basis.last,
        bands=basis.bands,
        rng=basis.rng,
        is_apart=_is_apart(basis.window, basis.last),
    )


def _is_apart(window: MarketWindow, last: Estimate) -> bool:
    """Tell whether a window saw other trades than the row in force was measured on."""
    before_to_ns = last.evidence.get(TO_NS, window.to_ns)
    shared_ns = max(0, before_to_ns - window.from_ns)
    return shared_ns * 1_000_000 <= (window.to_ns - window.from_ns) * OVERLAP_PPM_MAX


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
