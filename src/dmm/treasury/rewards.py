"""Liquidity rewards: uptime × depth × tightness from the journal, split without a lost atom."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dmm.market.instrument import Side
from dmm.units.amount import Atoms
from dmm.units.chain import address_key
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.time import NS_PER_MS

SPREAD_CBPS_MAX = 10_000
"""A quoted spread this wide, in hundredths of a basis point of mid, scores nothing (100 bps)."""

RECIPIENTS_MAX = 1_000
"""Liquidity providers of one program; each is one payment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What stood in the book after one decision: prices in ticks, sizes in lots."""

    decided_at_ns: int
    mid_half_ticks: int
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]

    @classmethod
    def from_decision(cls, body: bytes) -> Standing:
        """Read a decision's canonical bytes.

        Raises
        ------
        InvariantBroken
            If the bytes are no decision: the journal is not what was written.
        """
        try:
            fields = json.loads(body)
            quotes = [(str(side), int(price), int(size)) for side, price, size in fields["quotes"]]
            return cls(
                decided_at_ns=int(fields["decided_at_ns"]),
                mid_half_ticks=int(fields["best_bid"]) + int(fields["best_ask"]),
                bids=tuple((p, s) for side, p, s in quotes if side == Side.BUY.value),
                asks=tuple((p, s) for side, p, s in quotes if side == Side.SELL.value),
            )
        except (KeyError, TypeError, ValueError) as fault:
            raise InvariantBroken(f"a journalled decision cannot be read: {fault}") from fault

    @property
    def weight(self) -> int:
        """Return depth × tightness: 0 unless both sides stand.

        Depth is the smaller side in lots, so one-sided size earns nothing. Tightness is how far
        our own spread stays below `SPREAD_CBPS_MAX`.
        """
        if not self.bids or not self.asks or self.mid_half_ticks <= 0:
            return 0
        depth_lots = min(sum(s for _, s in self.bids), sum(s for _, s in self.asks))
        spread_ticks = min(p for p, _ in self.asks) - max(p for p, _ in self.bids)
        spread_cbps = spread_ticks * 2 * 1_000_000 // self.mid_half_ticks
        return depth_lots * max(0, SPREAD_CBPS_MAX - max(0, spread_cbps))


def liquidity_score(standings: Sequence[Standing], *, ended_at_ns: int) -> int:
    """Return Σ milliseconds × depth × tightness over an epoch, recomputable bit for bit.

    Each standing counts until the next one, the last until the epoch's end.

    Parameters
    ----------
    standings : in the order of the decisions
    ended_at_ns : the slice's end, ns

    Raises
    ------
    InvariantBroken
        If time runs backwards between two standings.
    """
    total = 0
    for index, standing in enumerate(standings):
        last = index + 1 == len(standings)
        until_ns = ended_at_ns if last else standings[index + 1].decided_at_ns
        if until_ns < standing.decided_at_ns and not last:
            raise InvariantBroken(
                f"decision at {standing.decided_at_ns} ns is followed by one at {until_ns} ns"
            )
        total += max(0, until_ns - standing.decided_at_ns) * standing.weight
    return total // NS_PER_MS


def split_budget(budget: Atoms, scores: Mapping[str, int]) -> dict[str, Atoms]:
    """Split a budget in proportion to scores by largest remainder: the sum is the budget exactly.

    Leftover atoms go one each to the largest remainders, ties to the smaller address. The result
    does not depend on the order of the scores, and one's share never falls when one's own score
    rises. Without any positive score nothing is paid.

    Parameters
    ----------
    budget : atoms, >= 0
    scores : recipient → score, >= 0

    Raises
    ------
    ValueError
        If the budget or a score is negative.
    """
    if budget < 0 or any(score < 0 for score in scores.values()):
        raise ValueError(f"budget {budget} and scores must not be negative")
    total = sum(scores.values())
    if total == 0 or budget == 0:
        return {}
    parts = {who: divmod(budget * score, total) for who, score in scores.items()}
    left = budget - sum(quotient for quotient, _ in parts.values())
    by_remainder = sorted(parts, key=lambda who: (-parts[who][1], who))
    lucky = set(by_remainder[:left])
    amounts = {who: Atoms(parts[who][0] + (who in lucky)) for who in sorted(parts)}
    return {who: amount for who, amount in amounts.items() if amount > 0}


def share_tables(value: object) -> dict[str, dict[str, int]]:
    """Read the tables of LP shares: chain → address → shares, integers > 0.

    Addresses are spelled by `address_key`.

    Raises
    ------
    UsageFault
        If they are no such tables, name an address of a chain twice, or too many of them.
    """
    if not isinstance(value, dict):
        raise UsageFault(f"lp_shares must map chains to tables, got {type(value).__name__}")
    tables = {str(chain): _share_table(str(chain), table) for chain, table in value.items()}
    named = sum(map(len, tables.values()))
    if named > RECIPIENTS_MAX:
        raise UsageFault(f"lp_shares names {named} addresses, at most {RECIPIENTS_MAX}")
    return tables


def _share_table(chain: str, value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        raise UsageFault(
            f"lp_shares of {chain} must map addresses to integers, got {type(value).__name__}"
        )
    table: dict[str, int] = {}
    for address, shares in value.items():
        if not isinstance(shares, int) or isinstance(shares, bool) or shares <= 0:
            raise UsageFault(
                f"lp_shares of {address} on {chain} must be an integer > 0, got {shares!r}"
            )
        key = address_key(str(address))
        if key in table:
            raise UsageFault(f"lp_shares names {key} twice on {chain}")
        table[key] = shares
    return table
