"""What an epoch is quoted with, fixed in the journal so that a resumed run plays it the same."""

from __future__ import annotations

from dataclasses import asdict
from typing import cast

from dmm.governance.policy import Policy
from dmm.ports import PolicyRecord, Store
from dmm.quoting.scale import Estimates
from dmm.units.errors import InvariantBroken
from dmm.units.ids import Hash32, Json
from dmm.units.time import Nanos
from dmm.usecases.epoch import policy_in_force
from dmm.usecases.estimates import INHERITED, estimates_in_force, inherited_bodies
from dmm.usecases.quoted import BODY as QUOTED
from dmm.usecases.quoted import fixed_quotes, quotes_of_epoch
from dmm.usecases.situation import EpochInputs


def epoch_inputs(store: Store, run_id: str, epoch: int) -> EpochInputs:
    """Return what an epoch is quoted with: as recorded the first time, else what holds now.

    A run's first epoch also fixes which estimates of earlier runs the run begins with.

    Parameters
    ----------
    epoch : the epoch about to begin; the hedges of the one before it are booked
    """
    inherited = inherited_bodies(store, run_id)
    estimates = estimates_in_force(store, run_id, epoch, inherited=inherited)
    now: dict[str, Json] = {
        "policy": _policy_json(policy_in_force(store)),
        "estimates": None if estimates is None else asdict(estimates),
        QUOTED: quotes_of_epoch(store, run_id, epoch),
    }
    if epoch == 0:
        now[INHERITED] = cast("Json", inherited)
    fixed = store.fix_epoch_inputs(run_id, epoch, now)
    held = cast("dict[str, int] | None", fixed["estimates"])
    hedges = store.fills(run_id, epoch - 1) if epoch > 0 else []
    settled, promised = fixed_quotes(store, run_id, fixed)
    return EpochInputs(
        policy=fixed_policy(fixed),
        estimates=None if held is None else Estimates(**held),
        hedges=tuple(fill for fill in hedges if fill.is_hedge),
        settled=settled,
        promised=promised,
    )


def fixed_policy(fixed: dict[str, Json]) -> PolicyRecord:
    """Return the policy among an epoch's fixed inputs.

    Raises
    ------
    InvariantBroken
        If it cannot be read.
    """
    try:
        return _policy_record(cast("dict[str, Json]", fixed["policy"]))
    except (KeyError, TypeError, ValueError) as fault:
        raise InvariantBroken(f"an epoch's fixed policy cannot be read: {fault!r}") from fault


def _policy_json(record: PolicyRecord) -> dict[str, Json]:
    policy = record.policy
    return {
        "sequence": record.sequence,
        "policy": policy.body,
        "previous_head": record.previous_head.hex(),
        "head": record.head.hex(),
        "chain": record.chain,
        "height": record.height,
        "tx_id": record.tx_id,
        "adopted_at_ns": record.adopted_at_ns,
    }


def _policy_record(body: dict[str, Json]) -> PolicyRecord:
    return PolicyRecord(
        sequence=int(str(body["sequence"])),
        policy=Policy(**cast("dict[str, int]", body["policy"])),  # type: ignore[arg-type]
        previous_head=Hash32(bytes.fromhex(str(body["previous_head"]))),
        head=Hash32(bytes.fromhex(str(body["head"]))),
        chain=str(body["chain"]),
        height=int(str(body["height"])),
        tx_id=str(body["tx_id"]),
        adopted_at_ns=Nanos(int(str(body["adopted_at_ns"]))),
    )
