"""Fees of EIP-1559 transactions: a ladder of bumps that ends at the cap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from dmm.settlement.carrier import is_carrier, trades_of
from dmm.settlement.intent import Intent, IntentKind
from dmm.settlement.lifecycle import BUMP_MAX, BURN_BUMP_MAX
from dmm.units.amount import ceil_div
from dmm.units.errors import Permanent

WEI_PER_GWEI = 10**9
BUMP_NUMERATOR, BUMP_DENOMINATOR = 9, 8
"""A bump raises fee and tip by an eighth, 12.5 %; nodes ask for at least a tenth."""

GAS_MAX = {
    IntentKind.REWARD: 150_000,
    IntentKind.BUYBACK: 350_000,
    IntentKind.QUOTE: 250_000,
    IntentKind.NET: 250_000,
    IntentKind.STATEMENT: 250_000,
}
"""Gas limit by kind: twice what contracts/evm/gas.json measures; of a batch: its first quote."""

GAS_A_QUOTE = 25_000
"""What each further quote of a batch may cost; every 256th nonce opens a word."""

BURN_GAS = 21_000
"""What a transfer of nothing costs, exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeCaps:
    """Cap of the fee per gas and the first attempt's tip, in wei."""

    fee_wei_max: int
    tip_wei: int

    @classmethod
    def from_gwei(cls, *, fee_max: int, tip: int) -> Self:
        """Return caps given in gwei."""
        return cls(fee_wei_max=fee_max * WEI_PER_GWEI, tip_wei=tip * WEI_PER_GWEI)


def fees(caps: FeeCaps, *, bump: int) -> tuple[int, int]:
    """Return (most per gas, tip per gas) in wei for a bump.

    The last bump pays the cap, each earlier one an eighth less than its successor, so every bump
    is one a node accepts as a replacement, and the same bump is always the same bytes. The sender
    pays base fee and tip, whatever the most is; a base fee above it waits.

    Parameters
    ----------
    bump : in [0, BUMP_MAX]

    Raises
    ------
    Permanent
        If the bump is outside its range.
    """
    if not 0 <= bump <= BUMP_MAX:
        raise Permanent(f"bump must be in [0, {BUMP_MAX}], got {bump}")
    fee, tip = caps.fee_wei_max, caps.tip_wei
    for _ in range(BUMP_MAX - bump):
        fee = fee * BUMP_DENOMINATOR // BUMP_NUMERATOR
    for _ in range(bump):
        tip = ceil_div(tip * BUMP_NUMERATOR, BUMP_DENOMINATOR)
    return fee, min(tip, fee)


def gas_limit(intent: Intent) -> int:
    """Return the gas limit of the transaction that carries an intent out."""
    more = len(trades_of(intent)) - 1 if is_carrier(intent) else 0
    return GAS_MAX[intent.kind] + GAS_A_QUOTE * more


def burn_fees(caps: FeeCaps, *, bump: int) -> tuple[int, int]:
    """Return (most per gas, tip per gas) in wei for a bump that burns a slot.

    Up to `BUMP_MAX` they are those of `fees`. Above it each is an eighth more than the one before,
    beyond the cap: the rescue budget, at most `BURN_GAS` times (9/8)^4 of the cap, 1.6 times.

    Parameters
    ----------
    bump : in [0, BURN_BUMP_MAX]

    Raises
    ------
    Permanent
        If the bump is outside its range.
    """
    if not 0 <= bump <= BURN_BUMP_MAX:
        raise Permanent(f"a burn's bump must be in [0, {BURN_BUMP_MAX}], got {bump}")
    fee, tip = fees(caps, bump=min(bump, BUMP_MAX))
    for _ in range(bump - BUMP_MAX):
        fee = ceil_div(fee * BUMP_NUMERATOR, BUMP_DENOMINATOR)
        tip = ceil_div(tip * BUMP_NUMERATOR, BUMP_DENOMINATOR)
    return fee, min(tip, fee)
