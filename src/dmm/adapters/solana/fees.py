"""What a transaction costs at the most: a priority fee under a cap, and the signatures."""

from __future__ import annotations

from dataclasses import dataclass

from dmm.settlement.intent import IntentKind
from dmm.settlement.lifecycle import BUMP_MAX
from dmm.units.amount import ceil_div
from dmm.units.errors import Permanent, ServiceFault

UNITS_MAX = {
    IntentKind.REWARD: 90_000,
    IntentKind.BUYBACK: 110_000,
    IntentKind.QUOTE: 60_000,
}
"""Compute units a transaction asks for: the worst measured with its address searches, and room."""

LAMPORTS_PER_SIGNATURE = 5_000
MICRO = 1_000_000
"""Prices are in millionths of a lamport."""

SIGNATURES = {IntentKind.REWARD: 1, IntentKind.BUYBACK: 2, IntentKind.QUOTE: 3}
"""Signatures paid for: the sender's, and one for each check by the Ed25519 program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeCaps:
    """Priority fee per compute unit, millionths of a lamport: of the first slot, and the most."""

    unit_fee_max: int
    unit_tip: int

    def __post_init__(self) -> None:
        """Refuse caps that contradict each other."""
        if not 0 <= self.unit_tip <= self.unit_fee_max:
            raise ServiceFault(
                f"the priority fee begins at {self.unit_tip}, above its cap {self.unit_fee_max}: "
                "lower solana_unit_tip"
            )

    def require_raises(self) -> None:
        """Refuse a cap that leaves no room for bumps within one slot."""
        if self.unit_fee_max <= BUMP_MAX:
            raise ServiceFault(
                f"a cap of {self.unit_fee_max} leaves no room for {BUMP_MAX} rises of the "
                "priority fee over a durable nonce: raise solana_unit_fee_max"
            )


def units_limit(kind: IntentKind) -> int:
    """Return the compute units of a transaction; `Permanent` for a kind not settled here."""
    if kind not in UNITS_MAX:
        raise Permanent(f"a {kind} intent is not settled on Solana")
    return UNITS_MAX[kind]


def unit_fee(caps: FeeCaps, *, generation: int) -> int:
    """Return the price of a unit: it doubles with every slot that passed unused, under the cap."""
    return min(caps.unit_fee_max, max(caps.unit_tip, 1 if generation else 0) << generation)


def raised_fee(caps: FeeCaps, *, generation: int, bump: int) -> int:
    """Return the price of a unit over a durable nonce: each bump costs more than the one before.

    It doubles with each bump and each slot before, and what is left below the cap is one less for
    each bump still to come, so that no two bumps have the same bytes.
    """
    doubled = max(caps.unit_tip, 1) << (generation + bump)
    return min(caps.unit_fee_max - (BUMP_MAX - bump), doubled)


def fee_lamports_max(kind: IntentKind, *, units_max: int, unit_price: int) -> int:
    """Return what a transaction takes from its payer as fee, without rent, lamports."""
    return SIGNATURES[kind] * LAMPORTS_PER_SIGNATURE + ceil_div(units_max * unit_price, MICRO)
