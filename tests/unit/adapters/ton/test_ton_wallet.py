from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytoniq.contract.wallets.highload_v3 import HighloadWalletV3
from pytoniq_core import Cell, begin_cell
from pytoniq_core.tlb.transaction import MessageAny

from dmm.adapters.ton.cells import EMPTY, state_init
from dmm.adapters.ton.sign import Key
from dmm.adapters.ton.wallet import (
    BITS_PER_SHIFT,
    SHIFTS,
    TIMEOUT_S,
    order,
    outgoing,
    query_id_of,
    split_id,
    wallet_state,
)
from dmm.settlement.lifecycle import RETENTION_S
from dmm.units.errors import Permanent

KEY = Key(b"\x21" * 32)
HIGHLOAD_V3 = "11acad7955844090f283bf238bc1449871f783e7cc0979408d3f4859483e8525"
"""Hash of the code in ton-blockchain/highload-wallet-contract-v3, build of its first release."""


@given(a=st.integers(0, SHIFTS * BITS_PER_SHIFT - 1), b=st.integers(0, SHIFTS * BITS_PER_SHIFT - 1))
def test_two_slots_have_two_query_ids_and_none_is_the_refused_one(a: int, b: int) -> None:
    assert (query_id_of(a) == query_id_of(b)) == (a == b)
    assert query_id_of(a) < 2**23
    assert query_id_of(a) & 1_023 != 1_023


def test_query_ids_come_again_only_after_all_others() -> None:
    assert query_id_of(SHIFTS * BITS_PER_SHIFT) == query_id_of(0) == 0
    assert query_id_of(BITS_PER_SHIFT) == 1 << 10


@given(public_key=st.binary(min_size=32, max_size=32))
def test_a_wallet_lies_where_the_client_library_puts_it(public_key: bytes) -> None:
    account, init = wallet_state(public_key)
    data = HighloadWalletV3.create_data_cell(public_key, wallet_id=0x10AD, timeout=TIMEOUT_S)
    assert init.code is not None
    assert init.code.hash.hex() == HIGHLOAD_V3
    assert state_init(init.code, data)[0] == account


def test_a_wallet_takes_messages_as_long_as_a_used_key_is_kept() -> None:
    # Otherwise bytes would die before the contract says what became of them.
    assert TIMEOUT_S == RETENTION_S
    assert TIMEOUT_S < 2**22


def test_a_signed_message_is_found_again_by_its_id() -> None:
    message = outgoing(to=0x77, nanoton=123_456_789, body=EMPTY)
    tx_id, content = KEY.send_on(message, query_id=5_115, created_at_s=1_900_000_000)
    account, body_hash = split_id(tx_id)
    parsed = MessageAny.deserialize(Cell.one_from_boc(content).begin_parse())
    assert account == KEY.address
    assert parsed.info.dest.to_str(is_user_friendly=False) == KEY.address
    assert parsed.body.hash.hex() == body_hash
    signed = parsed.body.refs[0].begin_parse()
    assert signed.load_uint(32) == 0x10AD
    assert signed.load_ref().hash == message.hash
    assert [signed.load_uint(n) for n in (8, 23, 64, 22)] == [1, 5_115, 1_900_000_000, TIMEOUT_S]


def test_the_same_message_is_signed_to_the_same_bytes() -> None:
    message = outgoing(to=0x77, nanoton=1, body=begin_cell().store_uint(7, 8).end_cell())
    first, again, other = (
        KEY.send_on(message, query_id=n, created_at_s=1_900_000_000) for n in (3, 3, 4)
    )
    assert first == again
    assert first[0] != other[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x" + "ab" * 32,
        "0:" + "ab" * 32,
        "0:ab/cd",
        f"-1:{'ab' * 32}/{'cd' * 32}",
        f"0:{'AB' * 32}/{'cd' * 32}",
        f"0:{'ab' * 32}/{'cd' * 31}",
        f"0:{'zz' * 32}/{'cd' * 32}",
    ],
)
def test_text_that_names_no_message_is_refused(text: str) -> None:
    with pytest.raises(Permanent, match="names no message on TON"):
        split_id(text)


@pytest.mark.parametrize("created_at_s", [0, -1, 2**63])
def test_a_time_that_is_none_is_refused(created_at_s: int) -> None:
    with pytest.raises(Permanent, match="created_at must be"):
        order(message=EMPTY, query_id=0, created_at_s=created_at_s)


def test_a_key_prints_as_its_address_and_has_a_fixed_length() -> None:
    assert repr(KEY) == f"Key({KEY.address})"
    assert "21" * 32 not in repr(KEY)
    with pytest.raises(Permanent, match="a key has 32 secret bytes, got 31"):
        Key(b"\x01" * 31)
