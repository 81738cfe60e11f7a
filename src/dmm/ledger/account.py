"""Accounts of the double-entry ledger: one per (vault, asset, kind)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dmm.units.fast_init import fast_init


class AccountKind(StrEnum):
    """What an account stands for. Only `AVAILABLE` and `PENDING` are the vault's own money.

    `AVAILABLE` + `PENDING` of a chain vault equals its balance on the finalized chain.
    """

    AVAILABLE = "available"
    PENDING = "pending"
    """Reserved for intents that are not final yet."""
    PAID = "paid"
    """What intents paid out."""
    OUTSIDE = "outside"
    """The rest of the world: funding comes from here, may be overdrawn."""
    POSITION = "position"
    """Inventory at a trading venue; may be negative."""
    CASH = "cash"
    """Cash at a trading venue; may be negative on margin."""
    FEES = "fees"
    """Venue fees paid (debits) and rebates got (credits)."""
    SUSPENSE = "suspense"
    """Inflow nobody has explained yet."""


OVERDRAFT_ALLOWED = frozenset(
    {AccountKind.OUTSIDE, AccountKind.POSITION, AccountKind.CASH, AccountKind.FEES}
)


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account; its balance is credits − debits, in atoms of `asset`."""

    vault: str
    asset: str
    kind: AccountKind

    @property
    def account_id(self) -> str:
        """Return ``vault/asset/kind``."""
        return f"{self.vault}/{self.asset}/{self.kind.value}"

    @property
    def may_overdraw(self) -> bool:
        """Tell whether debits may exceed credits."""
        return self.kind in OVERDRAFT_ALLOWED
