"""Money is conserved, to the atom."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from ports_memory import MemoryStore
from trading_values import INSTRUMENTS, fill

from dmm.ledger.account import Account, AccountKind
from dmm.ledger.fills import cash_flow, fill_postings, marked_atoms, paper_vault
from dmm.ledger.position import Position
from dmm.market.instrument import Instrument, Side
from dmm.market.order import Fill
from dmm.units.amount import HalfTicks, Lots


@st.composite
def trading(draw: st.DrawFn) -> tuple[Instrument, list[Fill], HalfTicks]:
    instrument = draw(st.sampled_from(INSTRUMENTS))
    fills = [
        fill(
            draw(st.sampled_from(list(Side))),
            draw(st.integers(min_value=100_000, max_value=900_000)),
            draw(st.integers(min_value=1, max_value=5_000)),
            instrument=instrument,
            fee=draw(st.integers(min_value=-500, max_value=500)),
            ordinal=ordinal,
        )
        for ordinal in range(draw(st.integers(min_value=1, max_value=20)))
    ]
    return instrument, fills, HalfTicks(draw(st.integers(min_value=200_000, max_value=1_800_000)))


def booked(instrument: Instrument, fills: list[Fill]) -> Position:
    position = Position(instrument=instrument)
    for one in fills:
        position = position.apply(one)
    return position


@given(case=trading())
def test_profit_is_cash_plus_inventory_marked(
    case: tuple[Instrument, list[Fill], HalfTicks],
) -> None:
    instrument, fills, mid = case
    position = booked(instrument, fills)
    cash = sum(
        cash_flow(instrument, side=one.side, price=one.price, size=one.size) - one.fee_atoms
        for one in fills
    )
    inventory = sum(one.side.sign * one.size for one in fills)
    assert position.inventory == inventory
    assert position.cash_atoms == cash
    assert position.pnl_atoms(mid) == cash + marked_atoms(
        instrument, inventory=Lots(inventory), mid=mid
    )


@given(case=trading())
def test_the_ledger_says_what_the_position_says(
    case: tuple[Instrument, list[Fill], HalfTicks],
) -> None:
    instrument, fills, _ = case
    store = MemoryStore()
    postings = [leg for one in fills for leg in fill_postings(one, instrument)]
    assert store.append_fills(fills, postings) == len(fills)
    position = booked(instrument, fills)

    def balance(asset: str, kind: AccountKind) -> int:
        return store.balance(Account(vault=paper_vault("run"), asset=asset, kind=kind))

    cash = balance(instrument.cash.symbol, AccountKind.CASH)
    fees = balance(instrument.cash.symbol, AccountKind.FEES)
    held = balance(instrument.position.symbol, AccountKind.POSITION)
    assert cash + fees == position.cash_atoms
    assert -fees == position.fees_atoms
    assert held == position.inventory * instrument.position_atoms_per_lot
    assert sum(store.balances(paper_vault("run")).values()) == 0


@given(case=trading())
def test_booking_the_same_fills_again_changes_nothing(
    case: tuple[Instrument, list[Fill], HalfTicks],
) -> None:
    instrument, fills, _ = case
    store = MemoryStore()
    postings = [leg for one in fills for leg in fill_postings(one, instrument)]
    store.append_fills(fills, postings)
    before = store.balances()
    assert store.append_fills(fills, postings) == 0
    assert store.balances() == before


@given(case=trading())
def test_a_closed_position_has_realised_everything(
    case: tuple[Instrument, list[Fill], HalfTicks],
) -> None:
    instrument, fills, _ = case
    position = booked(instrument, fills)
    if position.inventory:
        side = Side.SELL if position.inventory > 0 else Side.BUY
        position = position.apply(
            fill(side, 500_001, abs(position.inventory), instrument=instrument, ordinal=99)
        )
    assert position.basis_atoms == 0


@given(case=trading())
def test_a_round_trip_at_one_price_never_earns(
    case: tuple[Instrument, list[Fill], HalfTicks],
) -> None:
    instrument, fills, mid = case
    one = fills[0]
    back = fill(one.side.opposite, one.price, one.size, instrument=instrument, ordinal=99)
    position = booked(instrument, [one, back])
    assert position.inventory == 0
    assert -1 <= position.realised_atoms <= 0
    assert position.pnl_atoms(mid) == position.realised_atoms - one.fee_atoms
