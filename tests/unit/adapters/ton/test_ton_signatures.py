from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import ton_values as make
from hypothesis import given
from hypothesis import strategies as st
from pytoniq_core import Address, begin_cell

from dmm.adapters.ton.cells import state_init
from dmm.adapters.ton.codec import (
    ACCEPTANCE_BYTES,
    LAYOUT_WITH_STATUS,
    NONCE_END,
    Signed,
    WalletCode,
    account,
    quote_digest,
    vault_quote,
)
from dmm.adapters.ton.sign import Key, sign_quote
from dmm.adapters.ton.verify import acceptance_is_signed, quote_is_signed
from dmm.rfq.protocol import FirmQuote
from dmm.units.errors import Permanent

BOOK = make.book()


def test_a_takers_acceptance_is_known_as_its_own() -> None:
    quote = make.quote()
    acceptance, signature = make.accepted(quote)
    assert len(signature) == ACCEPTANCE_BYTES
    assert acceptance_is_signed(quote, acceptance, signature, book=BOOK)


@pytest.mark.parametrize("place", range(0, ACCEPTANCE_BYTES, 7))
def test_an_acceptance_with_any_byte_changed_is_nobodys(place: int) -> None:
    quote = make.quote()
    acceptance, signature = make.accepted(quote)
    changed = bytearray(signature)
    changed[place] ^= 0x20
    assert not acceptance_is_signed(quote, acceptance, bytes(changed), book=BOOK)


@given(noise=st.binary(max_size=ACCEPTANCE_BYTES + 3))
def test_noise_is_no_acceptance_and_no_crash(noise: bytes) -> None:
    quote = make.quote()
    acceptance, _ = make.accepted(quote)
    assert not acceptance_is_signed(quote, acceptance, noise, book=BOOK)


def test_an_acceptance_is_of_one_quote_one_recipient_and_one_network() -> None:
    quote = make.quote()
    acceptance, signature = make.accepted(quote)
    other = make.quote(maker_amount=quote.maker_amount - 1)
    assert not acceptance_is_signed(other, acceptance, signature, book=BOOK)
    renamed = replace(acceptance, quote_id=other.quote_id)
    assert not acceptance_is_signed(other, renamed, signature, book=BOOK)
    elsewhere = replace(acceptance, recipient=make.TAKER.address)
    assert not acceptance_is_signed(quote, elsewhere, signature, book=BOOK)
    less = replace(acceptance, amount=acceptance.amount - 1)
    assert not acceptance_is_signed(quote, less, signature, book=BOOK)
    mainnet = make.book()
    mainnet.chain_id = -239
    assert not acceptance_is_signed(quote, acceptance, signature, book=mainnet)


def test_somebody_elses_signature_does_not_accept_for_the_taker() -> None:
    quote = make.quote()
    acceptance, signature = make.accepted(quote, key=make.OPERATOR)
    assert not acceptance_is_signed(quote, acceptance, signature, book=BOOK)


@pytest.mark.parametrize("query_id", [1_023, 1 << 23, (5 << 10) | 1_023])
def test_a_query_id_that_a_wallet_refuses_is_refused_here(query_id: int) -> None:
    quote = make.quote()
    _, signature = make.accepted(quote)
    words = "is no query id of a highload wallet"
    with pytest.raises(Permanent, match=words):
        make.accepted(quote, query_id=query_id)
    forged = signature[:32] + query_id.to_bytes(4, "big") + signature[36:]
    with pytest.raises(Permanent, match=words):
        Signed.parse(forged)


def test_a_quote_is_signed_by_its_vaults_key_alone() -> None:
    quote = make.quote()
    signature = sign_quote(quote, key=make.MAKER, book=BOOK)
    assert quote_is_signed(quote, signature, public_key=make.MAKER.public_key, book=BOOK)
    assert not quote_is_signed(quote, signature, public_key=make.TAKER.public_key, book=BOOK)
    assert not quote_is_signed(quote, b"", public_key=make.MAKER.public_key, book=BOOK)
    assert not quote_is_signed(
        make.quote(contract=make.TREASURY),
        signature,
        public_key=make.MAKER.public_key,
        book=BOOK,
    )


CHANGES: dict[str, Any] = {
    "taker": make.OPERATOR.address,
    "maker_asset": "DCT",
    "taker_asset": "DCT",
    "maker_amount": 250_000_004,
    "taker_amount": 150_000_000_008,
    "fee_bps": 8,
    "fee_recipient": make.TAKER.address,
    "expiry_s": make.NOW_S + 31,
    "settle_by_s": make.NOW_S + 601,
    "nonce": 1_030,
    "signer": make.TAKER.address,
}


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_every_term_of_a_quote_is_signed(name: str) -> None:
    changed = make.quote(**{name: CHANGES[name]})
    assert quote_digest(changed, BOOK) != quote_digest(make.quote(), BOOK)


def test_the_vault_takes_a_quote_until_it_must_be_settled() -> None:
    # Equality passes in the contract: the last second is part of it.
    terms = vault_quote(make.quote(), BOOK)
    assert (terms.expiry_s, terms.settle_by_s) == (make.NOW_S + 600, make.NOW_S + 600)
    assert terms.quote_id == int.from_bytes(make.quote().quote_id, "big")
    assert terms.network == make.NETWORK


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"contract": make.TREASURY}, "the maker is its vault"),
        ({"nonce": NONCE_END}, "is not below 4194304"),
        ({"settle_by_s": 2**32}, "does not fit 32 bits"),
        ({"maker_amount": 2**120}, r"quote.maker_amount must be in \[1, 2\^120\)"),
        ({"taker_amount": 2**120}, r"quote.taker_amount must be in \[1, 2\^120\)"),
        ({"taker": "EQB"}, "quote.taker is no TON address in raw form"),
        ({"taker": "-1:" + "ab" * 32}, "quote.taker is no TON address in raw form"),
        ({"maker_asset": "ETH"}, "token:ETH is not deployed on TON"),
        ({"fee_recipient": ""}, "quote.fee_recipient is no TON address"),
    ],
)
def test_a_quote_that_the_vault_could_not_take_is_not_signed(
    change: dict[str, Any], words: str
) -> None:
    quote: FirmQuote = make.quote(**change)
    with pytest.raises(Permanent, match=words):
        sign_quote(quote, key=make.MAKER, book=BOOK)


@pytest.mark.parametrize("text", ["", "0:", "0:" + "00" * 32, "0:" + "AB" * 32, "ab" * 32])
def test_text_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Permanent, match="thing is no TON address in raw form"):
        account(text, what="thing")


@given(owner=st.integers(1, 2**256 - 1), minter=st.integers(1, 2**256 - 1))
def test_a_jetton_wallet_lies_where_its_first_state_puts_it(owner: int, minter: int) -> None:
    data = begin_cell().store_uint(0, 4).store_coins(0)
    for part in (owner, minter):
        data = data.store_address(Address((0, part.to_bytes(32, "big"))))
    expected, _ = state_init(make.CODE, data.end_cell())
    code = WalletCode.of(make.CODE, layout=LAYOUT_WITH_STATUS)
    assert code.wallet_of(owner=owner, minter=minter) == expected
    assert WalletCode.parse(code.text()) == code


@pytest.mark.parametrize("text", ["", "ab/1/1", "zz/1/1", "ab" * 32 + "/1", "ab" * 32 + "/1/2"])
def test_text_that_names_no_wallet_code_is_refused(text: str) -> None:
    with pytest.raises(Permanent, match="wallet"):
        WalletCode.parse(text)


def test_a_network_number_may_come_unsigned() -> None:
    book = make.book()
    assert type(book)(chain_id=2**32 - 217, deployments={}).chain_id == -217
    assert type(book)(chain_id=-239, deployments={}).chain_id == -239


def test_a_key_of_another_secret_has_another_wallet() -> None:
    assert len({key.address for key in (make.MAKER, make.TAKER, Key(b"\x34" * 32))}) == 3
