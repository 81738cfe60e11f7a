"""Replay liquidity positions over a pool's minutes: fees, loss against holding, rebalancing loss.

A set is deposited at the first minute's close and earns from the next minute on, so that nothing is
known beforehand. Its fee is its share of the pool's liquidity, its own added, for the part of the
minute's way that lies in its range: a minute says how far the price went, not how long it stayed.
The recorded flow does not react to us.

References
----------
Milionis, Moallemi, Roughgarden & Zhang (2022), "Automated Market Making and Loss-Versus-
Rebalancing", for what a position gives to those who trade with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from dmm.market.series import PoolMinute
from dmm.simulation.experiment.blocks import BlockResults, Integers
from dmm.simulation.pool.liquidity import (
    EVERYWHERE,
    TICK_MAX,
    Holding,
    Range,
    holding,
    liquidity_for,
    root_at,
)
from dmm.units.amount import Atoms, ceil_div
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S

PPM = 1_000_000
NOTHING = Atoms(0)
MINUTE_NS = 60 * NS_PER_S
BLOCK_MINUTES = 60
"""Minutes of a block, unless told otherwise."""

SETS_MAX = 10_000
MINUTES_MIN = 2

INVENTORY_DECIMALS = 6
"""Decimals of token 1 in which a block's inventory is told, so that it fits 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTerms:
    """A pool: its fee in millionths of what is paid in, and its tokens' decimals."""

    fee_ppm: int
    decimals0: int
    decimals1: int

    def __post_init__(self) -> None:
        if not 0 <= self.fee_ppm < PPM or min(self.decimals0, self.decimals1) < 0:
            raise UsageFault(f"a pool's fee is 0 to {PPM} ppm and its decimals >= 0, got {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionSet:
    """One position to replay.

    Parameters
    ----------
    deposit_atoms0 : worth of the deposit, atoms of token 0, > 0
    half_ticks : the range reaches so far to either side; 0 for all prices
    recentre_minutes : closes in a row outside the range after which it is laid anew; 0 never
    gas_atoms0 : what laying it anew costs besides the swap's fee, atoms of token 0, >= 0
    """

    deposit_atoms0: Atoms
    half_ticks: int = 0
    recentre_minutes: int = 0
    gas_atoms0: Atoms = NOTHING

    def __post_init__(self) -> None:
        if self.deposit_atoms0 <= 0 or self.gas_atoms0 < 0:
            raise UsageFault("a position needs a deposit above 0 and gas of 0 or more")
        if not 0 <= self.half_ticks <= TICK_MAX or self.recentre_minutes < 0:
            raise UsageFault(f"half_ticks must be 0 to {TICK_MAX}, recentre_minutes 0 or more")

    def span_at(self, tick: int) -> Range:
        """Return the range around a tick, cut at the pool's ends."""
        if not self.half_ticks:
            return EVERYWHERE
        return Range(
            lower=max(-TICK_MAX, tick - self.half_ticks),
            upper=min(TICK_MAX, tick + self.half_ticks),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PositionOutcome:
    """What became of a position; money in atoms of token 0 at the last close.

    ``pnl = holding + impermanent + fees − costs`` to the atom: `holding` is what the deposit would
    have gained in a drawer, `impermanent` what the position is worth less than it (costs apart),
    `fees` what it earned, `costs` what laying it anew took. `rebalancing` is its value less that of
    the same tokens bought and sold at each minute's close: what it gave to those who knew better.
    """

    position: PositionSet
    minutes: int
    minutes_active: int
    recentred: int
    value_first: Atoms
    value_last: Atoms
    holding: Atoms
    impermanent: Atoms
    rebalancing: Atoms
    fees: Atoms
    costs: Atoms
    pnl: Atoms
    blocks: BlockResults

    def to_json(self) -> dict[str, object]:
        """Return the figures by name."""
        return {
            "params": {
                field.name: getattr(self.position, field.name) for field in fields(self.position)
            },
            **{
                field.name: getattr(self, field.name)
                for field in fields(self)
                if field.name not in {"position", "blocks"}
            },
        }


def replay_pool(
    minutes: Iterable[PoolMinute],
    positions: Sequence[PositionSet],
    *,
    terms: PoolTerms,
    block_minutes: int = BLOCK_MINUTES,
) -> list[PositionOutcome]:
    """Replay positions over the same minutes, in one pass.

    Parameters
    ----------
    minutes : in order
    positions : 1 to `SETS_MAX`, each alone in the pool
    terms : of the pool
    block_minutes : length of a block of the results, > 0

    Raises
    ------
    UsageFault
        If there are too few minutes, no position or too many.
    """
    if not 1 <= len(positions) <= SETS_MAX or block_minutes <= 0:
        raise UsageFault(f"a replay takes 1 to {SETS_MAX} positions, got {len(positions)}")
    played: list[_Position] = []
    for number, minute in enumerate(minutes):
        if not number:
            played = [_Position(one, minute, terms) for one in positions]
            continue
        for position in played:
            position.live(minute)
            if number % block_minutes == 0:
                position.note()
    if not played or played[0].minutes < MINUTES_MIN - 1:
        raise UsageFault(f"a position needs {MINUTES_MIN} minutes or more: name a longer file")
    return [position.outcome(block_minutes * MINUTE_NS) for position in played]


class _Position:
    """A position on its way through the minutes."""

    def __init__(self, position: PositionSet, first: PoolMinute, terms: PoolTerms) -> None:
        self.position, self.terms = position, terms
        self.minutes = self.active = self.recentred = self.outside = 0
        self.fees = Holding(amount0=NOTHING, amount1=NOTHING)
        self.rebalancing = self.costs = self.volume = 0
        self.root = root_at(first.close_tick)
        self._lay(position.deposit_atoms0, first.close_tick)
        self.first = self.held.plus(Holding(amount0=self.idle, amount1=NOTHING))
        self.value_first = self.first.value0(self.root)
        self._notes: list[tuple[int, ...]] = []

    def _lay(self, value0: Atoms, tick: int) -> None:
        """Put a sum to work around a tick; what no whole liquidity takes stays aside."""
        self.span = self.position.span_at(tick)
        self.liquidity = liquidity_for(value0, span=self.span, root=self.root)
        put = holding(self.liquidity, span=self.span, root=self.root, is_paid_in=True)
        self.idle = Atoms(value0 - put.value0(self.root))
        self.held = holding(self.liquidity, span=self.span, root=self.root)

    def live(self, minute: PoolMinute) -> None:
        """Let a minute pass."""
        self.minutes += 1
        self._earn(minute)
        self.root = root_at(minute.close_tick)
        before = self.held
        self.held = holding(self.liquidity, span=self.span, root=self.root)
        self.rebalancing += self.held.value0(self.root) - before.value0(self.root)
        inside = self.span.lower <= minute.close_tick < self.span.upper
        self.outside = 0 if inside else self.outside + 1
        if 0 < self.position.recentre_minutes <= self.outside:
            self._recentre(minute.close_tick)

    def _earn(self, minute: PoolMinute) -> None:
        low = min(minute.lowest_tick, minute.open_tick, minute.close_tick)
        high = max(minute.highest_tick, minute.open_tick, minute.close_tick)
        inside = min(high, self.span.upper - 1) - max(low, self.span.lower) + 1
        if inside <= 0 or not self.liquidity:
            return
        self.active += 1
        share = self.liquidity * inside
        whole = (minute.liquidity + self.liquidity) * (high - low + 1)
        paid0, paid1 = minute.in_amount0 * share // whole, minute.in_amount1 * share // whole
        self.volume += Holding(amount0=Atoms(paid0), amount1=Atoms(paid1)).value0(self.root)
        self.fees = self.fees.plus(
            Holding(
                amount0=Atoms(paid0 * self.terms.fee_ppm // PPM),
                amount1=Atoms(paid1 * self.terms.fee_ppm // PPM),
            )
        )

    def _recentre(self, tick: int) -> None:
        """Take everything out, swap what is needed in the same pool, lay it around a tick."""
        value0 = Atoms(self.held.value0(self.root) + self.idle)
        have = self.held.amount0 + self.idle
        left = max(0, value0 - self.position.gas_atoms0)
        span = self.position.span_at(tick)
        aim = holding(
            liquidity_for(Atoms(left), span=span, root=self.root), span=span, root=self.root
        )
        swap_atoms0 = ceil_div(abs(aim.amount0 - have) * self.terms.fee_ppm, PPM)
        left = max(0, left - swap_atoms0)
        self.costs += value0 - left
        self._lay(Atoms(left), tick)
        self.recentred += 1
        self.outside = 0

    @property
    def worth(self) -> int:
        """Return what it is worth now, fees apart."""
        return self.held.value0(self.root) + self.idle

    def note(self) -> None:
        """Note the running figures at a block's end."""
        fees = self.fees.value0(self.root)
        digits = max(0, self.terms.decimals1 - INVENTORY_DECIMALS)
        self._notes.append(
            (
                self.worth + fees - self.value_first,
                self.rebalancing,
                self.costs - fees,
                self.volume,
                self.held.amount1 // 10**digits,
                self.active,
                self.recentred,
            )
        )

    def outcome(self, block_ns: int) -> PositionOutcome:
        """Return what became of it; minutes after the last full block are in the totals only."""
        fees, last = self.fees.value0(self.root), self.worth
        kept = self.first.value0(self.root)
        if not self._notes:
            self.note()
        return PositionOutcome(
            position=self.position,
            minutes=self.minutes,
            minutes_active=self.active,
            recentred=self.recentred,
            value_first=self.value_first,
            value_last=Atoms(last),
            holding=Atoms(kept - self.value_first),
            impermanent=Atoms(last + self.costs - kept),
            rebalancing=Atoms(self.rebalancing),
            fees=fees,
            costs=Atoms(self.costs),
            pnl=Atoms(last + fees - self.value_first),
            blocks=_blocks(self._notes, block_ns),
        )


def _blocks(notes: Sequence[tuple[int, ...]], block_ns: int) -> BlockResults:
    pnl, markout, fees, volume, inventory, active, laid = zip(*notes, strict=True)

    def steps(running: Sequence[int]) -> Integers:
        differences: Integers = np.diff(np.array((0, *running), dtype=np.int64)).astype(np.int64)
        return differences

    return BlockResults(
        pnl_atoms=steps(pnl),
        markout_atoms=steps(markout),
        fees_atoms=steps(fees),
        # Worth at each minute's own price is added, so that the sum never falls.
        volume_atoms=steps(volume),
        inventory_lots=np.array(inventory, dtype=np.int64),
        fills=steps(active),
        orders=steps(laid),
        block_ns=block_ns,
    )
