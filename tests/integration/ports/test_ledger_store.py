"""What every ledger promises."""

from __future__ import annotations

import journal_samples as make
import pytest

from dmm.ledger.account import Account, AccountKind
from dmm.ports import Store
from dmm.units.errors import InvariantBroken


def test_an_overdraft_is_refused_and_nothing_of_the_batch_is_posted(any_store: Store) -> None:
    any_store.post([make.funding(100)])
    with pytest.raises(InvariantBroken):
        any_store.post(
            [
                make.posting("a", make.AVAILABLE, make.PENDING, 60),
                make.posting("b", make.AVAILABLE, make.PENDING, 41),
            ]
        )
    assert any_store.balance(make.AVAILABLE) == 100
    assert any_store.balance(make.PENDING) == 0


def test_a_source_known_with_another_amount_is_refused(any_store: Store) -> None:
    any_store.post([make.funding(100)])
    with pytest.raises(InvariantBroken):
        any_store.post([make.funding(101)])
    assert any_store.balance(make.AVAILABLE) == 100


def test_a_source_known_between_other_accounts_is_refused(any_store: Store) -> None:
    any_store.post([make.posting("x", make.OUTSIDE, make.AVAILABLE, 70)])
    with pytest.raises(InvariantBroken):
        any_store.post([make.posting("x", make.OUTSIDE, make.PENDING, 70)])


def test_a_source_counts_once_at_whatever_time_it_is_repeated(any_store: Store) -> None:
    assert any_store.post([make.funding(100), make.funding(100)]) == 1
    repeat = make.posting(
        "funding:treasury", make.OUTSIDE, make.AVAILABLE, 100, posted_at_ns=77_777
    )
    assert any_store.post([repeat]) == 0
    assert any_store.balance(make.AVAILABLE) == 100


def test_accounts_that_may_overdraw_go_below_zero(any_store: Store) -> None:
    any_store.post([make.funding()])
    assert any_store.balance(make.OUTSIDE) == -make.HUGE
    assert any_store.balance(make.AVAILABLE) == make.HUGE


def test_an_account_never_used_has_nothing(any_store: Store) -> None:
    assert any_store.balance(make.PENDING) == 0


def test_balances_are_by_account_id_and_by_vault(any_store: Store) -> None:
    desk = [
        Account(vault="desk", asset="USDT", kind=kind)
        for kind in (AccountKind.CASH, AccountKind.FEES)
    ]
    any_store.post([make.funding(100), make.posting("fee", desk[0], desk[1], 7)])
    assert any_store.balances("desk") == {"desk/USDT/cash": -7, "desk/USDT/fees": 7}
    assert any_store.balances() == {
        "desk/USDT/cash": -7,
        "desk/USDT/fees": 7,
        "treasury/DCT/available": 100,
        "treasury/DCT/outside": -100,
    }
