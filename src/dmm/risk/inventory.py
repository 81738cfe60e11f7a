"""Inventory per venue, per vault and in total, and how much of each limit is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from dmm.ledger.fills import marked_atoms
from dmm.ledger.position import Position
from dmm.market.instrument import Instrument
from dmm.market.order import Fill
from dmm.risk.limits import Cap, CapScope
from dmm.units.amount import Atoms, HalfTicks, Lots, floor_div
from dmm.units.errors import UsageFault
from dmm.units.fast_init import fast_init

NO_LOTS = Lots(0)


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLots:
    """Lots that may still come and go: by orders, or by firm quotes that have not ended; >= 0."""

    buy: Lots = NO_LOTS
    sell: Lots = NO_LOTS


NOTHING_OPEN = OpenLots()


class Band(StrEnum):
    """Where an inventory stands between its limits."""

    INSIDE = "inside"
    SOFT = "soft"
    HARD = "hard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bands:
    """Soft and hard limits of the long and of the short side: sizes, 0 < soft <= hard.

    In one unit: lots of an instrument, or atoms of its position asset.

    Raises
    ------
    UsageFault
        If a pair is reversed or not above 0.
    """

    soft_long: int
    hard_long: int
    soft_short: int
    hard_short: int

    def __post_init__(self) -> None:
        pairs = (
            ("long", self.soft_long, self.hard_long),
            ("short", self.soft_short, self.hard_short),
        )
        for side, soft, hard in pairs:
            if not 0 < soft <= hard:
                raise UsageFault(
                    f"{side} limits must be 0 < soft <= hard, got soft {soft} and hard {hard}"
                )

    def band(self, inventory: int) -> Band:
        """Return where an inventory stands; at a limit counts as beyond it."""
        soft, hard = (
            (self.soft_long, self.hard_long)
            if inventory >= 0
            else (self.soft_short, self.hard_short)
        )
        if abs(inventory) >= hard:
            return Band.HARD
        return Band.SOFT if abs(inventory) >= soft else Band.INSIDE


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One vault's inventory of one instrument at one venue.

    Inventory and open orders in lots, those of unknown state included; `mid` in half ticks.
    """

    vault: str
    instrument: Instrument
    mid: HalfTicks
    inventory: Lots
    outstanding_buy: Lots = NO_LOTS
    outstanding_sell: Lots = NO_LOTS

    @property
    def base_atoms(self) -> int:
        """Return the inventory in atoms of the position asset, long is positive."""
        return self.inventory * self.instrument.position_atoms_per_lot

    @property
    def quote_atoms(self) -> Atoms:
        """Return the inventory's worth in atoms of the cash asset at the mid, signed."""
        if not self.inventory:
            return Atoms(0)
        return marked_atoms(self.instrument, inventory=self.inventory, mid=self.mid)

    def worst_atoms(self) -> tuple[int, int]:
        """Return the most it may be long and short, atoms of the position asset; short negative."""
        per_lot = self.instrument.position_atoms_per_lot
        return (
            (self.inventory + self.outstanding_buy) * per_lot,
            (self.inventory - self.outstanding_sell) * per_lot,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The inventory vector q_v and its total, in base and in quote.

    `base_atoms` and `quote_atoms` are net; `gross_quote_atoms` sums worth without signs.
    """

    holdings: tuple[Holding, ...]
    by_venue: Mapping[str, int]
    by_vault: Mapping[str, int]
    base_atoms: int
    quote_atoms: int
    gross_quote_atoms: int


def consolidate(holdings: Sequence[Holding]) -> Inventory:
    """Return the inventory vector of holdings in one asset.

    Parameters
    ----------
    holdings : one per vault and instrument; position and cash assets must be the same throughout

    Raises
    ------
    UsageFault
        If assets differ: their atoms cannot be added, value them in one numéraire first.
    """
    assets = {(one.instrument.position, one.instrument.cash) for one in holdings}
    if len(assets) > 1:
        names = sorted(f"{position.symbol}/{cash.symbol}" for position, cash in assets)
        raise UsageFault(
            f"inventories in {', '.join(names)} cannot be added: value them in one numéraire"
        )
    by_venue: dict[str, int] = {}
    by_vault: dict[str, int] = {}
    for one in holdings:
        venue = one.instrument.venue
        by_venue[venue] = by_venue.get(venue, 0) + one.base_atoms
        by_vault[one.vault] = by_vault.get(one.vault, 0) + one.base_atoms
    worths = [one.quote_atoms for one in holdings]
    return Inventory(
        holdings=tuple(holdings),
        by_venue=by_venue,
        by_vault=by_vault,
        base_atoms=sum(by_venue.values()),
        quote_atoms=sum(worths),
        gross_quote_atoms=sum(abs(worth) for worth in worths),
    )


def caps(
    inventory: Inventory,
    *,
    instrument: Instrument,
    vault: str,
    limits: Mapping[tuple[CapScope, str], Bands],
) -> tuple[Cap, ...]:
    """Return the room for an order of a vault at a venue in every scope that has limits.

    All open orders of the order's side count as filled, in the whole scope. Room is rounded down to
    lots of the instrument.

    Parameters
    ----------
    inventory : of all venues and vaults, as it is before the order
    instrument : what the order trades, at its venue
    vault : whose order it is
    limits : by scope and name, in atoms of the position asset; the name of `TOTAL` is empty
    """
    scopes = ((CapScope.VENUE, instrument.venue), (CapScope.VAULT, vault), (CapScope.TOTAL, ""))
    per_lot = instrument.position_atoms_per_lot
    found = []
    for scope, name in scopes:
        bands = limits.get((scope, name))
        if bands is None:
            continue
        worst = [one.worst_atoms() for one in inventory.holdings if _is_in(one, scope, name)]
        long_atoms = sum(most for most, _ in worst)
        short_atoms = sum(least for _, least in worst)
        found.append(
            Cap(
                scope=scope,
                name=name or "total",
                room_buy=Lots(floor_div(bands.hard_long - long_atoms, per_lot)),
                room_sell=Lots(floor_div(bands.hard_short + short_atoms, per_lot)),
            )
        )
    return tuple(found)


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Scoped:
    """What a venue, the vault it trades for, and the desk hold: lots, each part of the next."""

    venue: Lots
    vault: Lots
    total: Lots


def scoped_caps(
    held: Scoped,
    *,
    venue: str,
    vault: str,
    own: OpenLots,
    others: OpenLots,
    hard_long: int,
    hard_short: int,
) -> tuple[Cap, ...]:
    """Return the room for an order in its venue, its vault and the desk under one pair of limits.

    What `caps` returns for the same holdings, without making them: a quoting worker asks with every
    decision.

    Parameters
    ----------
    held : in lots of the instrument traded
    venue, vault : names of the order's
    own : open orders at the venue
    others : what may still fill elsewhere in the desk, outside the vault
    hard_long, hard_short : sizes in lots, > 0, of each scope
    """
    buy, sell = hard_long - own.buy, hard_short - own.sell
    return (
        Cap(
            scope=CapScope.VENUE,
            name=venue,
            room_buy=Lots(buy - held.venue),
            room_sell=Lots(sell + held.venue),
        ),
        Cap(
            scope=CapScope.VAULT,
            name=vault,
            room_buy=Lots(buy - held.vault),
            room_sell=Lots(sell + held.vault),
        ),
        Cap(
            scope=CapScope.TOTAL,
            name="total",
            room_buy=Lots(buy - others.buy - held.total),
            room_sell=Lots(sell - others.sell + held.total),
        ),
    )


def _is_in(holding: Holding, scope: CapScope, name: str) -> bool:
    if scope is CapScope.VENUE:
        return holding.instrument.venue == name
    return scope is CapScope.TOTAL or holding.vault == name


def apply_with_gas(position: Position, fill: Fill, *, gas_atoms: Atoms) -> Position:
    """Return the position after a fill whose network fee is part of its cost.

    What opens inventory carries its share of the gas in the basis, so that average cost and
    unrealised profit account for it; what closes bears its share at once. The opening share takes
    the remainder: `realised + basis − fees` falls by exactly the gas.

    Parameters
    ----------
    position : before the fill
    fill : of the position's instrument; its own fee is booked as a fee
    gas_atoms : network fee in atoms of the cash asset, rounded up by whoever converted it, >= 0
    """
    if gas_atoms < 0:
        raise UsageFault(f"gas must not be negative, got {gas_atoms} atoms")
    opposes = position.inventory * fill.side.sign < 0
    closing = min(fill.size, abs(position.inventory)) if opposes else 0
    closing_gas = floor_div(gas_atoms * closing, fill.size)
    after = position.apply(fill)
    return replace(
        after,
        basis_atoms=Atoms(after.basis_atoms - (gas_atoms - closing_gas)),
        realised_atoms=Atoms(after.realised_atoms - closing_gas),
    )
