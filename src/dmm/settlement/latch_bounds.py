"""What must be missing before the kill switch latches by itself, in one numéraire.

An outsider may send dust and may round a token's balances; neither may stop the desk. What leaves
by a key of ours stops it at any size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dmm.units.amount import ceil_div


class LatchCause(StrEnum):
    """Why an audit latches."""

    OUTFLOW = "outflow"
    """Tokens left and no event of ours says why."""
    MISPAID = "mispaid"
    UNKNOWN_KEY = "unknown_key"
    UNKNOWN_QUOTE = "unknown_quote"
    REBASE = "rebase"
    """A token took from a balance without a log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """An asset in the numéraire: `atoms` of it are worth `numeraire_atoms`; both > 0."""

    numeraire_atoms: int
    atoms: int

    def worth(self, atoms: int) -> int:
        """Return what atoms are worth, rounded up: a loss is never made smaller."""
        return ceil_div(atoms * self.numeraire_atoms, self.atoms)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatchBounds:
    """How much of each cause does not latch, atoms of the numéraire; what is not named: nothing.

    `prices` are by asset. An asset without a price is over every bound: nobody knows what is gone.
    """

    dust: Mapping[LatchCause, int] = field(default_factory=dict)
    prices: Mapping[str, Price] = field(default_factory=dict)

    def latches(self, cause: LatchCause, missing: Mapping[str, int]) -> bool:
        """Tell whether a loss stops the desk.

        Parameters
        ----------
        missing : atoms lost by asset, > 0; empty for an alarm without a loss
        """
        bound = self.dust.get(cause, 0)
        if bound == 0 or any(asset not in self.prices for asset in missing):
            return True
        return sum(self.prices[asset].worth(atoms) for asset, atoms in missing.items()) > bound
