"""Durable nonces as bytes: what is read, named and signed, and what each bump costs."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.system_program import AdvanceNonceAccountParams, advance_nonce_account
from solders.transaction import VersionedTransaction

from dmm.adapters.solana.codec import COMPUTE_BUDGET, SYSTEM, TOKEN
from dmm.adapters.solana.durable import Nonce, advance, is_durable, named, nonce_of
from dmm.adapters.solana.fees import FeeCaps, raised_fee
from dmm.adapters.solana.nonce_accounts import make_nonce, nonce_address
from dmm.adapters.solana.sign import sign_settlement
from dmm.settlement.lifecycle import BUMP_MAX
from dmm.units.errors import Permanent, ServiceFault
from tests.unit.adapters.solana import solana_values as make

ACCOUNT, AUTHORITY = make.key("nonce").public, make.key("operator").public
VALUE = Hash(hashlib.sha256(b"a value").digest())


def nonce_bytes(*, version: int = 1, state: int = 1) -> bytes:
    head = struct.pack("<II", version, state)
    return head + bytes(AUTHORITY) + bytes(VALUE) + struct.pack("<Q", 5_000)


def request(anchor: str, **change: Any) -> Any:
    return replace(make.request(make.reward()), anchor=anchor, expires=0, **change)


def test_a_nonce_account_is_read_and_named_again() -> None:
    found = nonce_of(ACCOUNT, SYSTEM, nonce_bytes())
    assert found == Nonce(account=ACCOUNT, authority=AUTHORITY, value=VALUE)
    assert found.anchor == f"nonce:{ACCOUNT}:{VALUE}"
    assert is_durable(found.anchor)
    assert named(found.anchor) == (ACCOUNT, VALUE)
    assert not is_durable(str(VALUE))


@pytest.mark.parametrize(
    ("owner", "data"),
    [
        (None, b""),
        (TOKEN, nonce_bytes()),
        (SYSTEM, nonce_bytes()[:-1]),
        (SYSTEM, nonce_bytes(state=0)),
        # Values of the first version stopped counting when blockhashes and nonces were parted.
        (SYSTEM, nonce_bytes(version=0)),
    ],
)
def test_what_is_no_nonce_account_is_none(owner: Pubkey | None, data: bytes) -> None:
    assert nonce_of(ACCOUNT, owner, data) is None


@pytest.mark.parametrize(
    "anchor", ["nonce:", f"nonce:{ACCOUNT}", f"nonce:{ACCOUNT}:0", "nonce:x:y", f"nonce::{VALUE}"]
)
def test_an_anchor_that_names_no_nonce_is_refused(anchor: str) -> None:
    with pytest.raises(Permanent):
        named(anchor)
    with pytest.raises(Permanent):
        sign_settlement(request(anchor), key=make.key("operator"), book=make.BOOK)


def test_the_advance_is_the_sdks_own() -> None:
    params = AdvanceNonceAccountParams(nonce_pubkey=ACCOUNT, authorized_pubkey=AUTHORITY)
    assert advance(ACCOUNT, authority=AUTHORITY) == advance_nonce_account(params)


def test_a_payment_over_a_nonce_advances_it_first_in_the_keys_own_name() -> None:
    anchor = f"nonce:{ACCOUNT}:{VALUE}"
    signed = sign_settlement(request(anchor), key=make.key("operator"), book=make.BOOK)
    transaction = VersionedTransaction.from_bytes(signed.raw)
    assert transaction.uses_durable_nonce()
    message = transaction.message
    assert message.recent_blockhash == VALUE
    keys = message.account_keys
    first, second = message.instructions[:2]
    named_keys = [keys[place] for place in bytes(first.accounts)]
    assert (named_keys[0], named_keys[2]) == (ACCOUNT, AUTHORITY)
    assert keys[second.program_id_index] == COMPUTE_BUDGET
    plain = sign_settlement(request(str(VALUE)), key=make.key("operator"), book=make.BOOK)
    assert plain.tx_id != signed.tx_id
    # The same signatures are paid for: advancing needs none but the payer's.
    assert plain.fee_atoms_max == signed.fee_atoms_max


def test_over_a_blockhash_no_second_transaction_is_signed() -> None:
    with pytest.raises(Permanent, match="two could both land"):
        sign_settlement(request(str(VALUE), bump=1), key=make.key("operator"), book=make.BOOK)


@given(
    st.integers(BUMP_MAX + 1, 10**12),
    st.integers(0, 10**12),
    st.integers(0, 8),
)
def test_each_bump_over_a_nonce_costs_more_and_the_last_at_most_the_cap(
    cap: int, tip: int, generation: int
) -> None:
    caps = FeeCaps(unit_fee_max=max(cap, tip), unit_tip=tip)
    caps.require_raises()
    prices = [raised_fee(caps, generation=generation, bump=bump) for bump in range(BUMP_MAX + 1)]
    assert prices == sorted(set(prices))
    assert prices[0] > 0
    assert prices[-1] <= caps.unit_fee_max


def test_a_cap_without_room_for_bumps_is_refused() -> None:
    with pytest.raises(ServiceFault, match="leaves no room for 3 rises"):
        FeeCaps(unit_fee_max=BUMP_MAX, unit_tip=0).require_raises()


def test_nonce_accounts_of_two_authorities_or_numbers_lie_apart() -> None:
    payer, other = make.key("payer").public, make.key("other").public
    places = {nonce_address(payer, who, n) for who in (AUTHORITY, other) for n in range(64)}
    assert len(places) == 128
    calls = make_nonce(payer, AUTHORITY, 63, lamports=1_447_680)
    signers = {meta.pubkey for call in calls for meta in call.accounts if meta.is_signer}
    assert signers == {payer}
