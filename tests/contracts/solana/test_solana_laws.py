"""Laws over many quotes: money is only moved, and numbers are those of unbounded integers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dmm.units.amount import ceil_div

U64_MAX = 2**64 - 1
NAMES = ("taker_source", "maker_destination", "maker_source", "recipient", "fee_account")
QUICK = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
DEEP = settings(max_examples=5_000, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def nonces(world: Any) -> Iterator[int]:
    """Return nonces that were never used, each on a page that exists."""

    def fresh() -> Iterator[int]:
        for nonce in count(256):
            if nonce % 256 == 0:
                world.done([world.init_page(nonce >> 8)], world.payer)
            yield nonce

    return fresh()


def settle_any(world: Any, nonce: int, values: tuple[int, int, int, int]) -> None:
    """Settle a quote of any size, whole or in part, and compare with unbounded integers."""
    maker_amount, taker_amount, amount, fee_bps = values
    terms = world.terms(
        maker_amount=maker_amount,
        taker_amount=taker_amount,
        min_fill=0,
        fee_bps=fee_bps,
        nonce=nonce,
    )
    accounts = world.exchange_accounts(terms)
    world.hold(terms.taker, world.cash, amount)
    world.hold(world.maker, world.base, maker_amount)
    world.hold(world.maker, world.cash, 0)
    world.hold(terms.taker, world.base, 0)
    fees = world.balance(terms.fee_account)
    outcome = world.send(world.settle(terms, amount=amount), world.taker)
    after = [world.balance(accounts[name]) for name in NAMES]
    gross = maker_amount * amount // taker_amount
    fee = ceil_div(gross * fee_bps, 10_000)
    if gross == 0:
        assert outcome.refusal == "ZeroAmount"
        assert after == [amount, 0, maker_amount, 0, fees]
        return
    assert outcome.refusal is None, outcome.logs
    assert after == [0, amount, maker_amount - gross, gross - fee, fees + fee]
    assert outcome.event.fields["output"] + outcome.event.fields["fee"] == gross


LEGS = st.tuples(
    st.integers(1, 2**62), st.integers(1, U64_MAX), st.floats(0, 1), st.integers(0, 500)
)


def values_of(drawn: tuple[int, int, float, int]) -> tuple[int, int, int, int]:
    maker_amount, taker_amount, share, fee_bps = drawn
    amount = min(taker_amount, max(1, int(taker_amount * share)))
    return maker_amount, taker_amount, amount, fee_bps


@QUICK
@example(drawn=(2**62, U64_MAX, 0.999_999_9, 499))
@example(drawn=(2**62, 2**63, 0.5, 1))
@example(drawn=(2**62 - 1, 2**32 + 1, 0.75, 7))
@given(drawn=LEGS)
def test_a_settlement_of_any_size_conserves_every_balance(
    world: Any, nonces: Iterator[int], drawn: tuple[int, int, float, int]
) -> None:
    settle_any(world, next(nonces), values_of(drawn))


@pytest.mark.deep
@DEEP
@given(drawn=LEGS)
def test_thousands_of_settlements_conserve_every_balance(
    world: Any, nonces: Iterator[int], drawn: tuple[int, int, float, int]
) -> None:
    settle_any(world, next(nonces), values_of(drawn))


@QUICK
@given(data=st.binary(max_size=200), at=st.integers(0, 105))
def test_whatever_bytes_come_money_moves_only_by_a_signed_quote(
    world: Any, data: bytes, at: int
) -> None:
    check, call = world.settle(world.terms())
    raw = bytes(call.data)
    for wild in (raw[:at] + data, raw[:8] + data, data):
        if wild == raw or wild[:90] == raw[:90]:
            continue
        broken = type(call)(call.program_id, wild, call.accounts)
        assert world.send([check, broken], world.taker).refusal is not None


@QUICK
@given(st.lists(st.integers(0, 255), min_size=1, max_size=12), st.integers(0, 2**256 - 1))
def test_a_nonce_is_used_or_cancelled_at_most_once(bare: Any, nonces: list[int], mask: int) -> None:
    if bare.svm.get_account(bare.maker) is None:
        bare.with_maker()
        bare.words = iter(range(1, 10_000))
    word = next(bare.words)
    bare.done([bare.init_page(word)], bare.payer)
    page = bare.page(word << 8)
    settled: set[int] = set()
    for bit in nonces:
        outcome = bare.send(bare.settle(bare.terms(nonce=(word << 8) | bit)), bare.taker)
        assert outcome.refusal == ("NonceUsed" if bit in settled else None)
        settled.add(bit)
    accounts = {"authority": bare.authority.pubkey(), "maker": bare.maker, "page": page}
    cancel = bare.call("cancel_nonces", accounts, mask=mask.to_bytes(32, "little"))
    bare.done([cancel], bare.authority)
    state = bare.state("NoncePage", page)
    bits = sum(1 << bit for bit in settled)
    assert int.from_bytes(state["used"], "little") == bits | mask
    assert int.from_bytes(state["cancelled"], "little") == mask & ~bits
