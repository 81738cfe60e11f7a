"""Estimates as the journal holds them: the latest of a kind, and what is in force."""

from __future__ import annotations

from dmm.calibration.estimates import Estimate, RecordedEstimate
from dmm.ports import Store
from dmm.quoting.scale import Estimates
from dmm.settlement.epoch import EpochRow, RowTable
from dmm.units.errors import InvariantBroken

VOLATILITY = "volatility"
ARRIVAL = "arrival"


def estimates_in_force(store: Store, run_id: str, epoch: int) -> Estimates | None:
    """Return the last adopted σ and κ of earlier epochs; None until both were adopted once.

    Parameters
    ----------
    epoch : the epoch to be quoted
    """
    sigma = latest_estimate(store, run_id, VOLATILITY, before=epoch)
    kappa = latest_estimate(store, run_id, ARRIVAL, before=epoch)
    if sigma is None or kappa is None:
        return None
    if sigma.estimate.version == 0 or kappa.estimate.version == 0:
        return None
    return Estimates(
        version=sigma.estimate.version + kappa.estimate.version,
        kappa_nano=kappa.estimate.kappa_nano,
        sigma_microticks=sigma.estimate.sigma_microticks,
        a_bid_micro=kappa.estimate.a_bid_micro,
        a_ask_micro=kappa.estimate.a_ask_micro,
    )


def estimate_of(store: Store, run_id: str, kind: str, epoch: int) -> RecordedEstimate | None:
    """Return what an epoch's job left; None while it left nothing."""
    rows = store.epoch_rows(run_id, RowTable.ESTIMATE, epoch)
    return next((read_estimate(row) for row in rows if row.body["kind"] == kind), None)


def latest_estimate(
    store: Store, run_id: str, kind: str, *, before: int
) -> RecordedEstimate | None:
    """Return the latest estimate of a kind from epochs before one, whatever its verdict.

    A row that held carries the numbers and the version it held, so the latest is in force.
    """
    known = [
        read_estimate(row)
        for row in store.epoch_rows(run_id, RowTable.ESTIMATE)
        if row.body["kind"] == kind
    ]
    earlier = [estimate for estimate in known if estimate.epoch < before]
    return max(earlier, key=lambda estimate: estimate.epoch, default=None)


def read_estimate(row: EpochRow) -> RecordedEstimate:
    """Return the estimate of a row.

    Raises
    ------
    InvariantBroken
        If the row holds none.
    """
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
    return RecordedEstimate(
        kind=str(body["kind"]),
        epoch=epoch,
        symbol=str(body["symbol"]),
        previous_hash=str(body["previous_hash"]),
        link_hash=str(body["link_hash"]),
        reasons=str(evidence.get("reasons", "")),
        estimate=estimate,
    )
