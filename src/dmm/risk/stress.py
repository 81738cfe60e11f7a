"""What a named bad day would cost: each scenario's loss, by where it comes from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dmm.ledger.fills import marked_atoms
from dmm.market.instrument import Instrument, Side
from dmm.units.amount import BPS_ONE, Atoms, HalfTicks, Lots, Ticks, ceil_div, floor_div
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S

PPM_ONE = 1_000_000
QUANTILE_99 = 2.326347874040841
"""Standard normal quantile of 99 %."""

BEYOND_BOOK_BPS = 1_000
"""What no displayed size takes goes this far beyond the last level shown."""

SHOCK_BPS_MAX = 9_000
"""Deepest fall a scenario may name: below it a price in ticks stops being one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens, all at once; the defaults are a calm day.

    Price moves by `price_shock_bps`; σ is multiplied by `sigma_bps`, displayed depth by `depth_bps`
    and gas by `gas_bps` (all of one: 10_000 changes nothing); a stable coin falls by `depeg_ppm`.
    """

    name: str
    price_shock_bps: int = 0
    sigma_bps: int = BPS_ONE
    depth_bps: int = BPS_ONE
    gas_bps: int = BPS_ONE
    depeg_ppm: int = 0

    def __post_init__(self) -> None:
        factors = (self.sigma_bps, self.depth_bps, self.gas_bps, self.depeg_ppm)
        in_range = (
            self.price_shock_bps >= -SHOCK_BPS_MAX
            and min(factors) >= 0
            and self.depeg_ppm <= PPM_ONE
        )
        if not in_range:
            raise UsageFault(
                f"scenario {self.name} needs price_shock_bps >= -{SHOCK_BPS_MAX}, factors >= 0 and "
                f"depeg_ppm of 0 to {PPM_ONE}"
            )


SCENARIOS = (
    Scenario(name="calm"),
    Scenario(name="fall of 10 %", price_shock_bps=-1_000),
    Scenario(name="rise of 10 %", price_shock_bps=1_000),
    Scenario(name="fall of 30 %", price_shock_bps=-3_000),
    Scenario(name="rise of 30 %", price_shock_bps=3_000),
    Scenario(name="volatility threefold", sigma_bps=3 * BPS_ONE),
    Scenario(name="a tenth of the book", depth_bps=1_000),
    Scenario(name="gas tenfold", gas_bps=10 * BPS_ONE),
    Scenario(name="stable coin at 0.90", depeg_ppm=100_000),
    Scenario(
        name="crash",
        price_shock_bps=-3_000,
        sigma_bps=5 * BPS_ONE,
        depth_bps=1_000,
        gas_bps=10 * BPS_ONE,
        depeg_ppm=50_000,
    ),
    Scenario(
        name="squeeze",
        price_shock_bps=3_000,
        sigma_bps=5 * BPS_ONE,
        depth_bps=1_000,
        gas_bps=10 * BPS_ONE,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StressBook:
    """What is at stake: an inventory, the book it would be sold into, and what surrounds it.

    `bids` and `asks` are (ticks, lots), best first; `sigma_microticks_1s` is σ over one second and
    `hold_ns` how long a hedge takes; `gas_atoms` is what winding down costs at today's gas;
    `stable_atoms` is the cash held in a stable coin. Atoms are of the instrument's cash asset.
    """

    instrument: Instrument
    inventory: Lots
    bids: tuple[tuple[Ticks, Lots], ...]
    asks: tuple[tuple[Ticks, Lots], ...]
    sigma_microticks_1s: int
    hold_ns: int
    gas_atoms: int
    stable_atoms: int

    def __post_init__(self) -> None:
        if not self.bids or not self.asks or not 0 < self.bids[0][0] < self.asks[0][0]:
            raise UsageFault(
                f"a stress of {self.instrument.symbol} needs a book with both sides, not crossed"
            )

    @property
    def mid(self) -> HalfTicks:
        """Return the mid before anything happens, half ticks."""
        return HalfTicks(self.bids[0][0] + self.asks[0][0])


@dataclass(frozen=True, slots=True, kw_only=True)
class StressResult:
    """P&L of one scenario in atoms of the cash asset; losses are negative.

    `price` is the inventory marked at the shocked mid; `volatility` the 99 % move against it while
    a hedge is made; `liquidation` what selling into the thinned book costs below the mid; `gas` and
    `depeg` are themselves. `total` is their sum.
    """

    scenario: str
    price_atoms: Atoms
    volatility_atoms: Atoms
    liquidation_atoms: Atoms
    gas_atoms: Atoms
    depeg_atoms: Atoms

    @property
    def total_atoms(self) -> Atoms:
        """Return the sum of all parts."""
        return Atoms(
            self.price_atoms
            + self.volatility_atoms
            + self.liquidation_atoms
            + self.gas_atoms
            + self.depeg_atoms
        )


def stress(book: StressBook, scenarios: Iterable[Scenario] = SCENARIOS) -> tuple[StressResult, ...]:
    """Return each scenario's P&L, worst first; equals in the order given."""
    return tuple(sorted((run(book, one) for one in scenarios), key=lambda one: one.total_atoms))


def run(book: StressBook, scenario: Scenario) -> StressResult:
    """Return one scenario's P&L; every part is rounded against us.

    Parts are taken one after the other: the price jumps, the market moves on against what is held
    while a hedge is made, then everything is sold or bought back into what is left of the book.

    Parameters
    ----------
    book : at stake
    scenario : what happens
    """
    shocked = _shifted(book.mid, scenario.price_shock_bps)
    moved = _moved_against(book, scenario, shocked)
    before, jumped, after = (_worth(book, mid) for mid in (book.mid, shocked, moved))
    proceeds = _proceeds(book, scenario, moved)
    return StressResult(
        scenario=scenario.name,
        price_atoms=Atoms(jumped - before),
        volatility_atoms=Atoms(after - jumped),
        liquidation_atoms=Atoms(proceeds - after),
        gas_atoms=Atoms(-ceil_div(book.gas_atoms * scenario.gas_bps, BPS_ONE)),
        depeg_atoms=Atoms(-ceil_div(book.stable_atoms * scenario.depeg_ppm, PPM_ONE)),
    )


def _shifted(price: int, shock_bps: int) -> int:
    return max(1, floor_div(price * (BPS_ONE + shock_bps), BPS_ONE))


def _worth(book: StressBook, mid: int) -> int:
    if not book.inventory:
        return 0
    return marked_atoms(book.instrument, inventory=book.inventory, mid=HalfTicks(mid))


def _moved_against(book: StressBook, scenario: Scenario, mid: int) -> int:
    """Return the mid after a 99 % move against the inventory over the time a hedge takes."""
    variance = book.sigma_microticks_1s**2 * book.hold_ns / NS_PER_S
    move_microticks = QUANTILE_99 * math.sqrt(variance) * scenario.sigma_bps / BPS_ONE
    move_half_ticks = math.ceil(2 * move_microticks / 1_000_000)
    if not book.inventory:
        return mid
    # A price never falls to nought, however wide the move.
    return max(2, mid - move_half_ticks) if book.inventory > 0 else mid + move_half_ticks


def _proceeds(book: StressBook, scenario: Scenario, mid: int) -> int:
    """Return the cash of closing the inventory in a book that moved with its mid and thinned."""
    if not book.inventory:
        return 0
    side = Side.SELL if book.inventory > 0 else Side.BUY
    levels = book.bids if side is Side.SELL else book.asks
    left, cash = abs(book.inventory), 0
    price = int(levels[0][0])
    for level_price, displayed in levels:
        price = _level_after(level_price, book.mid, mid, side)
        taken = min(left, floor_div(displayed * scenario.depth_bps, BPS_ONE))
        cash += _flow(book.instrument, side, price, taken)
        left -= taken
    if left:
        beyond = _shifted(price, side.sign * BEYOND_BOOK_BPS)
        cash += _flow(book.instrument, side, beyond, left)
    return cash


def _level_after(price: int, mid_before: int, mid_after: int, side: Side) -> int:
    """Return a level's price once the book moved in proportion with its mid, against us."""
    divide = floor_div if side is Side.SELL else ceil_div
    return max(1, divide(price * mid_after, mid_before))


def _flow(instrument: Instrument, side: Side, price: int, size: int) -> int:
    if not size:
        return 0
    sign = instrument.cash_sign * side.sign
    return sign * instrument.cash_atoms(price=Ticks(price), size=Lots(size), rounded_up=sign < 0)


def worst(results: Sequence[StressResult]) -> StressResult:
    """Return the result with the greatest loss.

    Raises
    ------
    UsageFault
        If there is none.
    """
    if not results:
        raise UsageFault("no scenario was run: there is no worst one")
    return min(results, key=lambda one: one.total_atoms)
