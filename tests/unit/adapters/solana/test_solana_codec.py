"""Quotes and intents become the program's bytes, and nobody else's address."""

from __future__ import annotations

import contextlib
import hashlib
import struct
from dataclasses import replace
from typing import Any

import pytest
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from dmm.adapters.solana.calls import instructions_of, key_account, key_is_used
from dmm.adapters.solana.codec import (
    TOKEN,
    Book,
    account,
    base58,
    chain_id_of,
    from_base58,
    quote_digest,
    token_account,
)
from dmm.adapters.solana.fees import FeeCaps, fee_lamports_max, unit_fee, units_limit
from dmm.adapters.solana.sign import (
    TRANSACTION_BYTES_MAX,
    Key,
    sign_acceptance,
    sign_quote,
    sign_settlement,
)
from dmm.adapters.solana.terms import key_address, page_address
from dmm.adapters.solana.verify import acceptance_is_signed, quote_is_signed
from dmm.settlement.intent import IntentKind, Purpose
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent, ServiceFault, UsageFault
from tests.unit.adapters.solana import solana_values as make


def test_the_signed_digest_is_sha256_over_the_fields_in_the_program_s_order() -> None:
    quote = make.quote()
    fee_account = token_account(make.key("fees").public, make.key("BTC").public)
    body = b"".join(
        [
            b"dmm/quote/v1",
            from_base58(make.GENESIS),
            bytes(make.PROGRAM),
            from_base58(make.MAKER),
            bytes(make.key("hot").public),
            bytes(make.key("taker").public),
            bytes(make.key("BTC").public),
            bytes(make.key("USDT").public),
            struct.pack("<QQQH", 30_000_007, 19_500_000_003, 19_500_000_003, 5),
            bytes(fee_account),
            struct.pack("<QQQ", 2_000_000_060, 2_000_003_600, 773),
            quote.quote_id,
        ]
    )
    assert quote_digest(quote, make.BOOK) == hashlib.sha256(body).digest()


@pytest.mark.parametrize(
    "change",
    [
        {"maker_amount": Atoms(30_000_008)},
        {"min_fill": Atoms(7)},
        {"fee_bps": 6},
        {"nonce": 774},
        {"expiry_s": 2_000_000_061},
        {"taker": make.key("other").address},
        {"signer": make.key("other").address},
        {"maker_asset": "DCT"},
    ],
)
def test_no_two_quotes_share_a_digest(change: dict[str, Any]) -> None:
    first = quote_digest(make.quote(), make.BOOK)
    assert quote_digest(make.quote(**change), make.BOOK) != first


def test_a_quote_is_signed_for_one_cluster() -> None:
    elsewhere = Book(chain_id=make.BOOK.chain_id + 1, deployments={})
    elsewhere._addresses = dict(make.ADDRESSES)
    assert quote_digest(make.quote(), elsewhere) != quote_digest(make.quote(), make.BOOK)


def test_an_address_in_lower_case_is_not_the_address() -> None:
    found = ""
    with contextlib.suppress(Permanent):
        found = str(account(make.MAKER.lower(), what="maker"))
    assert found != make.MAKER


@pytest.mark.parametrize("text", ["", "0x12", "11111111111111111111111111111111", "é"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Permanent, match="maker"):
        account(text, what="maker")


@pytest.mark.parametrize("text", ["", "mainnet-beta", "11", "0OIl"])
def test_what_is_no_genesis_hash_is_refused(text: str) -> None:
    with pytest.raises(Permanent):
        chain_id_of(text)


def test_a_genesis_hash_comes_back_from_its_number() -> None:
    content = bytes(8) + bytes(range(1, 25))
    assert chain_id_of(base58(content)).to_bytes(32, "big") == content


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"contract": make.TREASURY}, "not for our settlement"),
        ({"maker_amount": Atoms(2**64)}, "maker_amount"),
        ({"nonce": 2**64}, "nonce"),
        ({"maker_asset": "ETH"}, "token:ETH"),
        ({"fee_recipient": ""}, "fee_recipient"),
    ],
)
def test_a_quote_the_program_cannot_hold_is_refused(change: dict[str, Any], named: str) -> None:
    with pytest.raises(Permanent, match=named):
        quote_digest(make.quote(**change), make.BOOK)


def test_an_acceptance_counts_only_by_its_taker_and_only_for_its_quote() -> None:
    quote = make.quote()
    taken = make.acceptance(quote)
    signature = sign_acceptance(taken, quote, key=make.key("taker"), book=make.BOOK)
    check = acceptance_is_signed
    assert check(quote, taken, signature, book=make.BOOK)
    forged = sign_acceptance(taken, quote, key=make.key("other"), book=make.BOOK)
    assert not check(quote, taken, forged, book=make.BOOK)
    assert not check(quote, taken, signature[:-1], book=make.BOOK)
    less = replace(taken, amount=Atoms(taken.amount - 1))
    assert not check(quote, less, signature, book=make.BOOK)
    elsewhere = replace(taken, recipient=make.key("other").address)
    assert not check(quote, elsewhere, signature, book=make.BOOK)
    other = make.quote(nonce=9)
    assert not check(other, taken, signature, book=make.BOOK)
    # What is signed carries the quote's own id; an acceptance that names another is none of it.
    renamed = replace(taken, quote_id=other.quote_id)
    assert not check(quote, renamed, signature, book=make.BOOK)
    with pytest.raises(Permanent, match="not of this one"):
        sign_acceptance(renamed, quote, key=make.key("taker"), book=make.BOOK)


def test_a_quote_counts_only_by_the_signer_it_names() -> None:
    quote = make.quote()
    good = sign_quote(quote, key=make.key("hot"), book=make.BOOK)
    assert quote_is_signed(quote, good, book=make.BOOK)
    assert not quote_is_signed(
        quote, sign_quote(quote, key=make.key("desk"), book=make.BOOK), book=make.BOOK
    )
    assert not quote_is_signed(replace(quote, nonce=1), good, book=make.BOOK)


@pytest.mark.parametrize("name", ["reward", "quote", "buyback"])
def test_the_same_intent_gives_the_same_bytes_and_they_fit_a_transaction(name: str) -> None:
    intent = {
        "reward": make.reward(),
        "quote": make.settled(make.quote()),
        "buyback": make.bought_back(),
    }[name]
    operator = make.key("operator")
    first = sign_settlement(make.request(intent), key=operator, book=make.BOOK)
    again = sign_settlement(make.request(intent), key=operator, book=make.BOOK)
    assert first == again
    assert len(first.raw) <= TRANSACTION_BYTES_MAX
    assert str(VersionedTransaction.from_bytes(first.raw).signatures[0]) == first.tx_id
    moved = sign_settlement(
        make.request(intent, anchor=base58(bytes(range(32)))), key=operator, book=make.BOOK
    )
    assert moved.tx_id != first.tx_id


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"purpose": Purpose.BURN}, "expires by itself"),
        ({"anchor": "no hash"}, "no blockhash"),
        ({"unit_tip": 1_004}, "tip"),
        ({"gas_max": 0}, "units"),
        ({"gas_max": 1_400_001}, "units"),
    ],
)
def test_a_request_that_cannot_be_signed_is_refused(change: dict[str, Any], named: str) -> None:
    with pytest.raises(Permanent, match=named):
        sign_settlement(
            make.request(make.reward(), **change), key=make.key("operator"), book=make.BOOK
        )


@pytest.mark.parametrize(
    "change",
    [
        {"contract": "settlement"},
        {"inputs": {"quote": {}}},
        {"recipient": "nobody"},
        {"asset": "ETH"},
        {"amount": Atoms(2**64)},
        {"deadline_s": -1},
        {"kind": IntentKind.NET, "contract": "settlement"},
        {"kind": IntentKind.STATEMENT, "contract": "settlement"},
    ],
)
def test_an_intent_that_is_none_of_the_program_s_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Permanent):
        instructions_of(make.reward(**change), make.BOOK, payer=make.key("operator").public)


@pytest.mark.parametrize(
    "change",
    [
        {"scope": make.TREASURY},
        {"ordinal": 1},
        {"asset": "USDT"},
        {"amount": Atoms(1)},
        {"deadline_s": 1},
        {"recipient": make.MAKER},
    ],
)
def test_an_intent_that_differs_from_its_quote_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Permanent, match="differ"):
        instructions_of(
            make.settled(make.quote(), **change), make.BOOK, payer=make.key("operator").public
        )


@pytest.mark.parametrize(
    "inputs", [{"min_out": 0}, {"min_out": True}, {"burn": 1}, {"maker_signature": "0x00"}]
)
def test_a_buyback_with_a_wrong_input_is_refused(inputs: dict[str, Any]) -> None:
    intent = make.bought_back()
    with pytest.raises(Permanent):
        instructions_of(
            make.bought_back(inputs=intent.inputs | inputs),
            make.BOOK,
            payer=make.key("operator").public,
        )


def test_the_replay_key_is_a_function_of_the_intent_s_id_alone() -> None:
    intent = make.reward()
    treasury = Pubkey.from_string(make.TREASURY)
    found = key_account(intent, make.BOOK)
    assert found == key_address(make.PROGRAM, treasury, bytes(intent.intent_id))
    assert found == key_account(make.reward(amount=Atoms(9), deadline_s=7), make.BOOK)
    assert found != key_account(make.reward(ordinal=12), make.BOOK)
    quote = make.quote(nonce=773)
    page = page_address(make.PROGRAM, Pubkey.from_string(make.MAKER), 3)
    assert key_account(make.settled(quote), make.BOOK) == page


def page_bytes(used: int, cancelled: int) -> bytes:
    head = hashlib.sha256(b"account:NoncePage").digest()[:8]
    maker = from_base58(make.MAKER)
    masks = used.to_bytes(32, "little") + cancelled.to_bytes(32, "little")
    return head + maker + struct.pack("<Q", 3) + masks + b"\xff"


@pytest.mark.parametrize(
    ("used", "cancelled", "paid"),
    [(0, 0, False), (1 << 5, 0, True), (1 << 5, 1 << 5, False), (1 << 6, 0, False)],
)
def test_a_nonce_is_paid_when_it_is_used_and_not_cancelled(
    used: int, cancelled: int, *, paid: bool
) -> None:
    intent = make.settled(make.quote(nonce=3 * 256 + 5))
    assert key_is_used(intent, make.PROGRAM, page_bytes(used, cancelled), make.BOOK) is paid


def test_only_the_program_s_own_account_is_a_used_key() -> None:
    intent = make.reward()
    head = hashlib.sha256(b"account:UsedKey").digest()[:8]
    used = head + from_base58(make.TREASURY) + bytes(intent.intent_id) + struct.pack("<Q", 9)
    assert key_is_used(intent, make.PROGRAM, used, make.BOOK)
    # Lamports sent ahead make an account there too, of the system program.
    assert not key_is_used(intent, Pubkey.default(), used, make.BOOK)
    assert not key_is_used(intent, TOKEN, used, make.BOOK)
    assert not key_is_used(intent, None, b"", make.BOOK)
    with pytest.raises(UsageFault):
        key_is_used(intent, make.PROGRAM, page_bytes(0, 0), make.BOOK)


def test_the_price_doubles_with_each_slot_and_never_passes_its_cap() -> None:
    caps = FeeCaps(unit_fee_max=70_000, unit_tip=1_003)
    prices = [unit_fee(caps, generation=generation) for generation in range(9)]
    assert prices[:3] == [1_003, 2_006, 4_012]
    assert prices == sorted(prices)
    assert prices[-1] == 70_000
    assert unit_fee(FeeCaps(unit_fee_max=9, unit_tip=0), generation=0) == 0
    assert unit_fee(FeeCaps(unit_fee_max=9, unit_tip=0), generation=2) == 4
    with pytest.raises(ServiceFault, match="solana_unit_tip"):
        FeeCaps(unit_fee_max=9, unit_tip=10)


def test_a_fee_is_each_signature_and_the_units_at_their_price_rounded_up() -> None:
    fee = fee_lamports_max(IntentKind.QUOTE, units_max=60_000, unit_price=1_003)
    assert fee == 3 * 5_000 + 61
    with pytest.raises(Permanent):
        units_limit(IntentKind.NET)


def test_a_key_is_made_of_32_bytes_and_prints_as_its_address() -> None:
    made = make.key("taker")
    assert repr(made) == f"Key({made.address})"
    with pytest.raises(Permanent, match="32 bytes"):
        Key(b"short")


def test_an_ed25519_key_is_that_of_the_standard() -> None:
    # RFC 8032, section 7.1, test 2.
    secret = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
    public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    made = Key(bytes.fromhex(secret))
    assert bytes(made.public).hex() == public
    assert made.sign(b"\x72").hex().startswith("92a009a9f0d4cab8720e820b5f642540")
