"""The diff between chain and ledger: what every transfer log is explained by, and what is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dmm.settlement.batch import VaultAsset
from dmm.units.amount import Atoms


class ReconClass(StrEnum):
    """What reconciling one (vault, asset) came to, from good to bad."""

    MATCHED = "matched"
    SUSPENSE = "suspense"
    """Tokens came that nobody announced: a warning."""
    DIFFERENCE = "difference"
    """Chain and ledger disagree."""
    OUTFLOW = "outflow"
    """Tokens left that no intent explains: the kill switch latches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One transfer log as one vault sees it; `change` is positive when tokens came."""

    tx_id: str
    log_index: int
    height: int
    vault: str
    asset: str
    change: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """An intent executed on chain: its effect, and its transaction when we know it."""

    tx_id: str | None
    effect: Mapping[VaultAsset, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Residue:
    """What one transaction did beyond what intents explain, in atoms, never 0."""

    tx_id: str
    vault: str
    asset: str
    change: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The verdict on one (vault, asset) at one finalized height; atoms, `difference` >= 0.

    `ledger_atoms` is what the ledger says the vault must hold at that height, with unexplained
    inflow counted as held in suspense. `unexplained` is inflow or outflow without an intent.
    """

    vault: str
    asset: str
    chain_atoms: Atoms
    ledger_atoms: Atoms
    difference: Atoms
    unexplained: Atoms
    recon_class: ReconClass


def net_by_transaction(legs: Iterable[Leg]) -> dict[str, dict[VaultAsset, int]]:
    """Return each transaction's net change per (vault, asset); zeros are left out."""
    nets: dict[str, dict[VaultAsset, int]] = {}
    for leg in legs:
        net = nets.setdefault(leg.tx_id, {})
        key = (leg.vault, leg.asset)
        net[key] = net.get(key, 0) + leg.change
    return {tx: clean for tx, net in nets.items() if (clean := {k: v for k, v in net.items() if v})}


def residues(
    legs: Iterable[Leg], *, executions: Sequence[Execution], funding_height: int
) -> list[Residue]:
    """Return what no execution and no funding explains, by transaction.

    Executions without a known transaction each take one unexplained transaction whose net change
    is exactly theirs.

    Parameters
    ----------
    legs : every log of our vaults up to the finalized height
    funding_height : logs up to this height are our own funding
    """
    nets = net_by_transaction(leg for leg in legs if leg.height > funding_height)
    for execution in executions:
        if execution.tx_id is not None and execution.tx_id in nets:
            nets[execution.tx_id] = _minus(nets[execution.tx_id], execution.effect)
    known = {execution.tx_id for execution in executions}
    for execution in executions:
        if execution.tx_id is None:
            match = next(
                (tx for tx, net in nets.items() if tx not in known and net == execution.effect),
                None,
            )
            if match is not None:
                nets.pop(match)
    return [
        Residue(tx_id=tx, vault=vault, asset=asset, change=change)
        for tx, net in nets.items()
        for (vault, asset), change in sorted(net.items())
    ]


def _minus(
    net: Mapping[VaultAsset, int], effect: Mapping[VaultAsset, int]
) -> dict[VaultAsset, int]:
    keys = sorted({*net, *effect})
    return {k: left for k in keys if (left := net.get(k, 0) - effect.get(k, 0))}


def reconcile(
    *,
    vault: str,
    asset: str,
    chain_atoms: int,
    logged_atoms: int,
    booked_atoms: int,
    ahead: int,
    behind: int,
    residue: Sequence[Residue],
) -> Line:
    """Return the verdict on one (vault, asset).

    Parameters
    ----------
    chain_atoms : balance at the finalized height, by the token contract
    logged_atoms : the same by the sum of all transfer logs
    booked_atoms : `AVAILABLE` + `PENDING` of the ledger now
    ahead : effect of intents booked as final above that height, signed
    behind : effect of intents executed at that height that are not booked yet, signed
    residue : unexplained changes of this (vault, asset)
    """
    inflow = sum(r.change for r in residue if r.change > 0)
    outflow = -sum(r.change for r in residue if r.change < 0)
    expected = booked_atoms - ahead + behind + inflow
    difference = max(abs(chain_atoms - expected), abs(chain_atoms - logged_atoms), outflow)
    if outflow:
        verdict = ReconClass.OUTFLOW
    elif difference:
        verdict = ReconClass.DIFFERENCE
    else:
        verdict = ReconClass.SUSPENSE if inflow else ReconClass.MATCHED
    return Line(
        vault=vault,
        asset=asset,
        chain_atoms=Atoms(chain_atoms),
        ledger_atoms=Atoms(expected),
        difference=Atoms(difference),
        unexplained=Atoms(inflow + outflow),
        recon_class=verdict,
    )
