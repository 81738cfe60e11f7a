"""Estimates as the journal holds them: the latest of a kind, and what is in force.

σ and κ are adopted each by itself, for a market, and go on from run to run: a run begins with what
earlier runs of its market had adopted, fixed among the inputs of its first epoch, so that whoever
plays the run again begins with the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, cast

from dmm.calibration.estimates import Estimate, RecordedEstimate
from dmm.ports import Store
from dmm.quoting.scale import Estimates
from dmm.settlement.epoch import RowTable
from dmm.units.errors import InvariantBroken
from dmm.units.ids import Json

VOLATILITY = "volatility"
ARRIVAL = "arrival"
KINDS = (VOLATILITY, ARRIVAL)

Bodies: TypeAlias = dict[str, dict[str, Json]]
"""Bodies of estimate rows by kind."""

INHERITED = "inherited"
"""Where a run's first epoch keeps the rows that earlier runs left, by kind."""

SIGMA_VERSIONS_MAX = 1_000_000_000
"""Versions of σ that a decision's one number tells apart from those of κ."""


def version_of(*, sigma: int, kappa: int) -> int:
    """Return the number by which a decision names both estimates; 0 when both are online ones.

    In decimal digits it reads κ's version, then nine digits of σ's: 3000000012 is κ 3 and σ 12.

    Parameters
    ----------
    sigma, kappa : versions adopted, >= 0; 0 means measured online
    """
    return kappa * SIGMA_VERSIONS_MAX + sigma


def estimates_in_force(
    store: Store, run_id: str, epoch: int, *, inherited: Bodies | None = None
) -> Estimates | None:
    """Return what was adopted before an epoch; σ or κ is 0 while none of its kind was.

    None while neither was.

    Parameters
    ----------
    epoch : the epoch to be quoted
    inherited : what the run begins with; as the journal has it unless given
    """
    sigma, kappa = (_adopted(store, run_id, kind, epoch, inherited) for kind in KINDS)
    if sigma is None and kappa is None:
        return None
    return Estimates(
        version=version_of(
            sigma=0 if sigma is None else sigma.version, kappa=0 if kappa is None else kappa.version
        ),
        kappa_nano=0 if kappa is None else kappa.kappa_nano,
        sigma_microticks=0 if sigma is None else sigma.sigma_microticks,
        a_bid_micro=0 if kappa is None else kappa.a_bid_micro,
        a_ask_micro=0 if kappa is None else kappa.a_ask_micro,
    )


def _adopted(
    store: Store, run_id: str, kind: str, epoch: int, inherited: Bodies | None
) -> Estimate | None:
    latest = latest_estimate(store, run_id, kind, before=epoch, inherited=inherited)
    return None if latest is None or latest.estimate.version == 0 else latest.estimate


def estimate_of(store: Store, run_id: str, kind: str, epoch: int) -> RecordedEstimate | None:
    """Return what an epoch's job left; None while it left nothing."""
    rows = store.epoch_rows(run_id, RowTable.ESTIMATE, epoch)
    return next((read_estimate(row.body) for row in rows if row.body["kind"] == kind), None)


def latest_estimate(
    store: Store, run_id: str, kind: str, *, before: int, inherited: Bodies | None = None
) -> RecordedEstimate | None:
    """Return the latest estimate of a kind from epochs before one, whatever its verdict.

    A row that held carries the numbers and the version it held, so the latest is in force. While
    the run has none of its own it is the one the run began with.
    """
    row = store.estimate_before(run_id, kind, epoch=before)
    if row is not None:
        return read_estimate(row.body)
    body = (inherited_bodies(store, run_id) if inherited is None else inherited).get(kind)
    return None if body is None else read_estimate(body)


def inherited_bodies(store: Store, run_id: str) -> Bodies:
    """Return by kind the rows a run begins with: as fixed in its first epoch, else as they are."""
    fixed = store.epoch_inputs(run_id, 0)
    if fixed is not None:
        # A journal of earlier days has nothing of the kind: its runs began without.
        return cast("Bodies", fixed.get(INHERITED) or {})
    found = {kind: store.inherited_estimate(run_id, kind) for kind in KINDS}
    return {kind: row.body for kind, row in found.items() if row is not None}


def read_estimate(body: Mapping[str, Json]) -> RecordedEstimate:
    """Return the estimate that a row's body holds.

    Raises
    ------
    InvariantBroken
        If the row holds none.
    """
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
