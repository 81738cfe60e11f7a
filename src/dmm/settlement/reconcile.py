"""The diff between chain and ledger, one verdict for each (vault, asset)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dmm.units.amount import Atoms


class ReconClass(StrEnum):
    """What reconciling one (vault, asset) came to, from good to bad."""

    MATCHED = "matched"
    SUSPENSE = "suspense"
    """Tokens came that nobody announced: a warning."""
    DIFFERENCE = "difference"
    """Chain and ledger disagree."""
    OUTFLOW = "outflow"
    """Tokens left that nothing explains: the kill switch latches, unless it is dust."""


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
class Line:
    """The verdict on one (vault, asset) at one finalized height; atoms, `difference` >= 0.

    `ledger_atoms` is what the ledger says the vault must hold at that height, with unexplained
    inflow counted as held in suspense. `unexplained` is inflow or outflow without a reason,
    `rebased` what the token added to the balance (negative: took off it) without a log.
    """

    vault: str
    asset: str
    chain_atoms: Atoms
    ledger_atoms: Atoms
    difference: Atoms
    unexplained: Atoms
    recon_class: ReconClass
    rebased: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """What of a (vault, asset) the ledger does not hold as its own; atoms.

    `ahead` is booked and not executed at that height, `behind` executed and not booked, both
    signed. `inflow` and `outflow` are unexplained, >= 0.
    """

    ahead: int = 0
    behind: int = 0
    inflow: int = 0
    outflow: int = 0


def reconcile(
    *,
    vault: str,
    asset: str,
    chain_atoms: int,
    logged_atoms: int,
    booked_atoms: int,
    flows: Flows,
) -> Line:
    """Return the verdict on one (vault, asset).

    What a token adds to a balance without a log is held in suspense like any gift; what it takes
    off is a difference.

    Parameters
    ----------
    chain_atoms : balance at the finalized height, by the token contract
    logged_atoms : the same by the sum of all transfer logs
    booked_atoms : `AVAILABLE` + `PENDING` of the ledger
    """
    rebased = chain_atoms - logged_atoms
    gift = flows.inflow + max(0, rebased)
    expected = booked_atoms - flows.ahead + flows.behind + gift
    difference = max(abs(chain_atoms - expected), flows.outflow, -min(0, rebased))
    if flows.outflow:
        verdict = ReconClass.OUTFLOW
    elif difference:
        verdict = ReconClass.DIFFERENCE
    else:
        verdict = ReconClass.SUSPENSE if gift else ReconClass.MATCHED
    return Line(
        vault=vault,
        asset=asset,
        chain_atoms=Atoms(chain_atoms),
        ledger_atoms=Atoms(expected),
        difference=Atoms(difference),
        unexplained=Atoms(gift + flows.outflow),
        recon_class=verdict,
        rebased=rebased,
    )
