"""Inventory of venues and vaults: what may be added up, what is left, and what gas does to cost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from trading_values import INVERSE, LINEAR, fill

from dmm.ledger.position import Position
from dmm.market.instrument import Side
from dmm.risk.inventory import (
    Band,
    Bands,
    Holding,
    apply_with_gas,
    caps,
    consolidate,
)
from dmm.risk.limits import CapScope
from dmm.units.amount import Atoms, HalfTicks, Lots
from dmm.units.errors import UsageFault

ELSEWHERE = replace(LINEAR, venue="dex", lot_size=LINEAR.lot_size * 10)
PER_LOT = LINEAR.position_atoms_per_lot


def holding(
    vault: str, inventory: int, *, buys: int = 0, sells: int = 0, far: bool = False
) -> Holding:
    return Holding(
        vault=vault,
        instrument=ELSEWHERE if far else LINEAR,
        mid=HalfTicks(1_001),
        inventory=Lots(inventory),
        outstanding_buy=Lots(buys),
        outstanding_sell=Lots(sells),
    )


def bands(hard: int, hard_short: int | None = None) -> Bands:
    short = hard if hard_short is None else hard_short
    return Bands(soft_long=1, hard_long=hard, soft_short=1, hard_short=short)


def test_amounts_of_different_assets_are_not_added_up() -> None:
    other = Holding(vault="a", instrument=INVERSE, mid=HalfTicks(10), inventory=Lots(1))
    with pytest.raises(UsageFault, match="BTC/USDT, USD/BTC cannot be added"):
        consolidate([holding("a", 1), other])


@pytest.mark.parametrize(
    ("soft_long", "hard_long", "soft_short", "hard_short", "text"),
    [
        (5, 4, 1, 2, "long limits .* soft 5 and hard 4"),
        (1, 2, 3, 2, "short limits .* soft 3 and hard 2"),
        (0, 2, 1, 2, "long limits .* soft 0"),
        (1, 2, -1, 2, "short limits .* soft -1"),
    ],
)
def test_reversed_or_empty_limits_are_refused_by_name_and_value(
    soft_long: int, hard_long: int, soft_short: int, hard_short: int, text: str
) -> None:
    with pytest.raises(UsageFault, match=text):
        Bands(
            soft_long=soft_long,
            hard_long=hard_long,
            soft_short=soft_short,
            hard_short=hard_short,
        )


@pytest.mark.parametrize(
    ("inventory", "band"),
    [
        (9, Band.INSIDE),
        (10, Band.SOFT),
        (19, Band.SOFT),
        (20, Band.HARD),
        (-3, Band.INSIDE),
        (-4, Band.SOFT),
        (-5, Band.SOFT),
        (-6, Band.HARD),
        (0, Band.INSIDE),
    ],
)
def test_an_inventory_at_a_limit_is_beyond_it(inventory: int, band: Band) -> None:
    assert Bands(soft_long=10, hard_long=20, soft_short=4, hard_short=6).band(inventory) is band


def test_inventory_is_kept_per_venue_per_vault_and_in_total_in_base_and_quote() -> None:
    found = consolidate([holding("a", 7), holding("b", -3), holding("b", 2, far=True)])
    assert found.by_venue == {"test": 4 * PER_LOT, "dex": 20 * PER_LOT}
    assert found.by_vault == {"a": 7 * PER_LOT, "b": 17 * PER_LOT}
    assert found.base_atoms == 24 * PER_LOT
    # 500.5 ticks, 100 atoms a tick and lot; the other venue's lot is ten of these.
    assert found.quote_atoms == (7 - 3 + 20) * 50_050
    assert found.gross_quote_atoms == (7 + 3 + 20) * 50_050


def test_nothing_held_is_worth_nothing() -> None:
    assert consolidate([]).base_atoms == 0
    assert consolidate([holding("a", 0)]).quote_atoms == 0


def test_room_counts_every_open_order_of_the_scope_as_filled() -> None:
    inventory = consolidate(
        [holding("a", 7, buys=2, sells=4), holding("b", -3, sells=1), holding("a", 1, far=True)]
    )
    limits = {
        (CapScope.VENUE, "test"): bands(20 * PER_LOT, 10 * PER_LOT),
        (CapScope.VAULT, "a"): bands(25 * PER_LOT),
        (CapScope.TOTAL, ""): bands(17 * PER_LOT + PER_LOT // 2),
        (CapScope.VAULT, "b"): bands(1),
    }
    found = caps(inventory, instrument=LINEAR, vault="a", limits=limits)
    assert [(cap.scope, cap.name, cap.room_buy, cap.room_sell) for cap in found] == [
        # long 7 + 2 − 3 = 6 and short 7 − 4 − 3 − 1 = −1
        (CapScope.VENUE, "test", 14, 9),
        # the other venue's lot counts as ten: long 19, short 13
        (CapScope.VAULT, "a", 6, 38),
        # long 16 of 17.5, rounded down; short 9
        (CapScope.TOTAL, "total", 1, 26),
    ]


def test_a_scope_beyond_its_limit_has_negative_room_on_that_side_only() -> None:
    inventory = consolidate([holding("a", 30)])
    (cap,) = caps(
        inventory, instrument=LINEAR, vault="a", limits={(CapScope.VAULT, "a"): bands(20 * PER_LOT)}
    )
    assert (cap.room_buy, cap.room_sell) == (-10, 50)


def test_gas_of_an_opening_fill_waits_in_the_basis() -> None:
    opened = apply_with_gas(
        Position(instrument=LINEAR), fill(Side.BUY, 500, 3), gas_atoms=Atoms(70)
    )
    assert (opened.basis_atoms, opened.realised_atoms) == (-3 * 500 * 100 - 70, 0)
    assert opened.unrealised_atoms(HalfTicks(1_000)) == -70


def test_gas_of_a_fill_that_turns_the_position_is_split_and_nothing_is_lost() -> None:
    start = Position(instrument=LINEAR).apply(fill(Side.BUY, 500, 3))
    plain = start.apply(fill(Side.SELL, 510, 7, ordinal=1))
    turned = apply_with_gas(start, fill(Side.SELL, 510, 7, ordinal=1), gas_atoms=Atoms(100))
    assert plain.realised_atoms - turned.realised_atoms == 42  # 100 · 3/7, rounded down
    assert plain.basis_atoms - turned.basis_atoms == 58
    assert plain.cash_atoms - turned.cash_atoms == 100


def test_negative_gas_is_refused() -> None:
    with pytest.raises(UsageFault, match="got -2"):
        apply_with_gas(Position(instrument=LINEAR), fill(Side.BUY, 5, 3), gas_atoms=Atoms(-2))
