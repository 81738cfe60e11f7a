"""Bytes of the program are read as they are written, and other programs' are not taken for them."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.adapters.solana.abi import discriminator, is_truncated, program_abi
from dmm.adapters.solana.refusals import custom_code, refusal_of
from dmm.units.errors import UsageFault
from tests.unit.adapters.solana import solana_values as make

ABI = program_abi()
PROGRAM = make.PROGRAM
OTHER = make.key("other").public
hashes = st.binary(min_size=32, max_size=32)
numbers = st.integers(0, 2**64 - 1)
quotes = st.fixed_dictionaries(
    {
        "maker_amount": numbers,
        "taker_amount": numbers,
        "min_fill": numbers,
        "fee_bps": st.integers(0, 2**16 - 1),
        "expiry": numbers,
        "settle_by": numbers,
        "nonce": numbers,
        "quote_id": hashes,
    }
)


@given(
    st.lists(
        st.fixed_dictionaries({"sells_base": st.booleans(), "terms": quotes, "amount": numbers}),
        max_size=4,
    )
)
def test_a_call_is_read_back_as_it_was_built(batch: list[dict[str, object]]) -> None:
    names = ABI.account_names("settle_net_signed")
    accounts = {name: make.key(name).public for name in names}
    built = ABI.instruction(PROGRAM, "settle_net_signed", accounts, quotes=batch)
    read = ABI.call(bytes(built.data), [meta.pubkey for meta in built.accounts])
    assert read is not None
    assert (read.name, read.accounts, read.rest) == ("settle_net_signed", accounts, ())
    assert read.arguments == {"quotes": batch}


def test_accounts_behind_the_named_ones_are_kept_apart() -> None:
    names = ABI.account_names("pay")
    accounts = {name: make.key(name).public for name in names}
    built = ABI.instruction(PROGRAM, "pay", accounts, key=bytes(32), amount=3, deadline=7)
    keys = [meta.pubkey for meta in built.accounts]
    read = ABI.call(bytes(built.data), [*keys, OTHER])
    assert read is not None
    assert read.rest == (OTHER,)
    with pytest.raises(UsageFault, match="pay names"):
        ABI.call(bytes(built.data), keys[:-1])
    with pytest.raises(UsageFault, match="too many"):
        ABI.call(bytes(built.data) + b"\0", keys)
    with pytest.raises(UsageFault, match="left"):
        ABI.call(bytes(built.data)[:-1], keys)
    assert ABI.call(b"\0" * 8, keys) is None


def test_a_list_longer_than_a_transaction_holds_is_refused() -> None:
    data = discriminator("global", "settle_net_signed") + struct.pack("<I", 1_025)
    accounts = [OTHER] * len(ABI.account_names("settle_net_signed"))
    with pytest.raises(UsageFault, match="1025 items"):
        ABI.call(data, accounts)


def line(amount: int) -> str:
    body = discriminator("event", "Paid") + bytes(32) + bytes(OTHER) + bytes(OTHER)
    return "Program data: " + base64.b64encode(body + struct.pack("<Q", amount)).decode()


def test_only_what_the_program_itself_wrote_is_its_event() -> None:
    logs = [
        f"Program {OTHER} invoke [1]",
        line(1),
        f"Program {PROGRAM} invoke [2]",
        "Program log: hello",
        line(2),
        f"Program {OTHER} invoke [3]",
        line(3),
        f"Program {OTHER} success",
        line(4),
        f"Program {PROGRAM} consumed 900 of 2000 compute units",
        f"Program {PROGRAM} success",
        line(5),
        f"Program {OTHER} success",
        line(6),
    ]
    assert [event.fields["amount"] for event in ABI.events(logs, program=PROGRAM)] == [2, 4]
    assert [event.fields["amount"] for event in ABI.events(logs)] == [1, 2, 3, 4, 5, 6]


def test_a_message_that_looks_like_a_call_opens_none() -> None:
    logs = [
        f"Program {OTHER} invoke [1]",
        f"Program log: Program {PROGRAM} invoke [2]",
        line(1),
        "Program data: not base 64 at all",
        f"Program {OTHER} success",
    ]
    assert ABI.events(logs, program=PROGRAM) == []


def test_a_cut_log_says_so() -> None:
    assert is_truncated(["Program log: a", "Log truncated"])
    assert not is_truncated(["Program log: Log truncated"])


def test_a_refusal_has_its_number_name_and_text() -> None:
    found = refusal_of({"InstructionError": [3, {"Custom": 6_026}]})
    assert found is not None
    assert (found.code, found.name) == (6_026, "CapExceeded")
    assert "more than is left of the day's cap" in str(found)


@pytest.mark.parametrize(
    "error",
    [
        None,
        "BlockhashNotFound",
        {"InstructionError": [0, "InvalidArgument"]},
        {"InstructionError": [0, {"Custom": 1}]},
        {"InstructionError": []},
    ],
)
def test_what_other_programs_refuse_is_not_ours(error: object) -> None:
    assert refusal_of(error) is None


def test_another_program_s_number_is_told_apart() -> None:
    assert custom_code({"InstructionError": [0, {"Custom": 1}]}) == 1
