"""Budgets: what the treasury may spend in one epoch, whatever the formula asks for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dmm.units.amount import Atoms


class Cap(StrEnum):
    """What a spending was limited by."""

    NOTHING = "nothing"
    POLICY = "policy"
    """The policy's cap per epoch."""
    CASH = "cash"
    """What the treasury has available."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What may be spent, and what limited it; atoms."""

    amount: Atoms
    cap: Cap


def allow(*, wanted: int, policy_max: int, available: int) -> Allowance:
    """Return the smallest of what is wanted, what policy allows and what is there.

    Parameters
    ----------
    wanted, policy_max, available : atoms; negative counts as 0
    """
    amount = max(0, min(wanted, policy_max, available))
    if amount >= wanted:
        return Allowance(amount=Atoms(amount), cap=Cap.NOTHING)
    cap = Cap.POLICY if policy_max <= available else Cap.CASH
    return Allowance(amount=Atoms(amount), cap=cap)
