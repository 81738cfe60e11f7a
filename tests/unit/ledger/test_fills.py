"""Postings of fills."""

from __future__ import annotations

import pytest
from trading_values import INVERSE, LINEAR, fill

from dmm.ledger.account import AccountKind
from dmm.ledger.fills import cash_flow, fill_postings, marked_atoms, spread_captured
from dmm.market.instrument import Instrument, Side
from dmm.units.amount import HalfTicks, Lots, Ticks


def moves(side: Side, instrument: Instrument, *, fee: int) -> dict[tuple[str, str], int]:
    """Return the change per (asset, kind), outside left out."""
    changes: dict[tuple[str, str], int] = {}
    for posting in fill_postings(
        fill(side, 618_002, 7, instrument=instrument, fee=fee), instrument
    ):
        for account, sign in ((posting.credit, 1), (posting.debit, -1)):
            if account.kind is not AccountKind.OUTSIDE:
                changes[(account.asset, account.kind.value)] = sign * posting.amount
    return changes


def test_a_linear_buy_brings_coins_and_costs_cash_and_the_fee_apart() -> None:
    assert moves(Side.BUY, LINEAR, fee=123) == {
        ("BTC", "position"): 700_000,
        ("USDT", "cash"): -432_601_400,
        ("USDT", "fees"): -123,
    }


def test_a_rebate_is_credited() -> None:
    assert moves(Side.SELL, LINEAR, fee=-45)[("USDT", "fees")] == 45


def test_an_inverse_buy_brings_coins_rounded_down_and_a_sell_costs_them_rounded_up() -> None:
    # 7 contracts of 100 USD at 61,800.2 are 0.011326824… BTC.
    assert moves(Side.BUY, INVERSE, fee=0)[("BTC", "cash")] == 1_132_682
    assert moves(Side.SELL, INVERSE, fee=0)[("BTC", "cash")] == -1_132_683


def test_legs_without_atoms_are_left_out() -> None:
    kinds = [
        posting.source_id.rsplit(":", 1)[1]
        for posting in fill_postings(fill(Side.BUY, 618_002, 7), LINEAR)
    ]
    assert kinds == ["position", "cash"]


def test_the_vault_is_the_runs_own() -> None:
    postings = fill_postings(fill(Side.BUY, 618_002, 7), LINEAR)
    assert {posting.debit.vault for posting in postings} == {"paper:run"}


@pytest.mark.parametrize(
    ("inventory", "mid", "worth"), [(3, 1_236_005, 185_400_750), (-3, 1_236_005, -185_400_750)]
)
def test_a_linear_inventory_is_worth_its_size_at_the_mid(
    inventory: int, mid: int, worth: int
) -> None:
    assert marked_atoms(LINEAR, inventory=Lots(inventory), mid=HalfTicks(mid)) == worth


def test_an_inverse_long_is_worth_minus_its_coins_and_gains_with_the_price() -> None:
    low, high = (
        marked_atoms(INVERSE, inventory=Lots(10), mid=HalfTicks(mid))
        for mid in (1_000_000, 1_250_000)
    )
    assert (low, high) == (-2_000_000, -1_600_000)


@pytest.mark.parametrize("instrument", [LINEAR, INVERSE], ids=lambda given: given.symbol)
@pytest.mark.parametrize("side", list(Side))
def test_a_fill_on_our_side_of_the_mid_captures_spread(instrument: Instrument, side: Side) -> None:
    better, worse = (
        spread_captured(
            instrument,
            fill(side, 600_000 - side.sign * edge, 9, instrument=instrument, mid=1_200_000),
        )
        for edge in (40, -40)
    )
    assert worse < 0 < better


def test_cash_flows_sum_to_the_sign_of_the_trade() -> None:
    assert cash_flow(LINEAR, side=Side.SELL, price=Ticks(10), size=Lots(3)) == 3_000
    assert cash_flow(LINEAR, side=Side.BUY, price=Ticks(10), size=Lots(3)) == -3_000
