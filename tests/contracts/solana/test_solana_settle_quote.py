"""Taking a firm quote: what moves, and everything about the quote itself that is refused."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from solders.keypair import Keypair

from dmm.adapters.solana import terms as signing
from dmm.units.amount import ceil_div

START_S = 2_000_000_000


def test_a_quote_moves_both_legs_and_the_fee_and_says_so(world: Any) -> None:
    terms = world.terms()
    accounts = world.exchange_accounts(terms)
    names = ("taker_source", "maker_destination", "maker_source", "recipient", "fee_account")
    before = [world.balance(accounts[name]) for name in names]
    outcome = world.done(world.settle(terms), world.taker)
    moved = [world.balance(accounts[name]) - was for name, was in zip(names, before, strict=True)]
    fee = ceil_div(30_000_007 * 5, 10_000)
    assert moved == [-19_500_000_003, 19_500_000_003, -30_000_007, 30_000_007 - fee, fee]
    assert outcome.event.name == "Filled"
    assert outcome.event.fields == {
        "quote_id": terms.quote_id,
        "maker": world.maker,
        "nonce": 7,
        "amount": 19_500_000_003,
        "output": 30_000_007 - fee,
        "fee": fee,
    }
    page = world.state("NoncePage", world.page(7))
    assert page["used"] == bytes([1 << 7]) + bytes(31)
    assert page["cancelled"] == bytes(32)


def test_a_quote_settles_once(world: Any) -> None:
    world.done(world.settle(world.terms()), world.taker)
    assert world.refusal(world.settle(world.terms()), world.taker) == "NonceUsed"
    again = world.terms(quote_id=hashlib.sha256(b"another").digest(), maker_amount=1_000)
    assert world.refusal(world.settle(again), world.taker) == "NonceUsed"


@pytest.mark.parametrize("nonce", [0, 255, 256, 511, 2**64 - 256, 2**64 - 1])
def test_a_nonce_at_the_edge_of_a_page_is_used_alone(world: Any, nonce: int) -> None:
    if nonce >> 8:
        world.done([world.init_page(nonce >> 8)], world.payer)
    world.done(world.settle(world.terms(nonce=nonce)), world.taker)
    used = world.state("NoncePage", world.page(nonce))["used"]
    assert int.from_bytes(used, "little") == 1 << (nonce & 255)
    assert world.refusal(world.settle(world.terms(nonce=nonce)), world.taker) == "NonceUsed"


def test_quotes_settle_in_any_order_of_their_nonces(world: Any) -> None:
    for nonce in (9, 3, 200, 4):
        world.done(world.settle(world.terms(nonce=nonce)), world.taker)


@pytest.mark.parametrize(
    ("now_s", "refusal"),
    [(START_S + 60, None), (START_S + 61, "QuoteExpired"), (START_S - 7_141, "LifetimeTooLong")],
)
def test_a_quote_lives_up_to_and_including_its_expiry(
    world: Any, now_s: int, refusal: str | None
) -> None:
    world.set_time(now_s)
    assert world.send(world.settle(world.terms()), world.taker).refusal == refusal


def test_the_longest_lifetime_passes_and_one_second_more_does_not(world: Any) -> None:
    longest = world.terms(expiry=START_S + 7_200)
    longer = world.terms(expiry=START_S + 7_201, nonce=8)
    world.done(world.settle(longest), world.taker)
    assert world.refusal(world.settle(longer), world.taker) == "LifetimeTooLong"
    forever = world.terms(expiry=2**64 - 1, nonce=9)
    assert world.refusal(world.settle(forever), world.taker) == "LifetimeTooLong"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"fee_bps": 501}, "FeeTooHigh"),
        ({"fee_bps": 65_535}, "FeeTooHigh"),
        ({"maker_amount": 0}, "ZeroAmount"),
        ({"taker_amount": 0, "min_fill": 0}, "ZeroAmount"),
        ({"min_fill": 2**64 - 1}, "WrongAmount"),
        ({"maker_amount": 2**64 - 1}, "Custom 1"),
    ],
)
def test_numbers_that_make_no_quote_are_refused(
    world: Any, change: dict[str, int], refusal: str
) -> None:
    assert world.refusal(world.settle(world.terms(**change)), world.taker) == refusal


def test_the_highest_fee_passes(world: Any) -> None:
    outcome = world.done(world.settle(world.terms(fee_bps=500)), world.taker)
    assert outcome.event.fields["fee"] == ceil_div(30_000_007 * 500, 10_000)


def test_less_than_the_taker_wants_is_refused_and_exactly_that_passes(world: Any) -> None:
    output = 30_000_007 - 15_001
    too_low = world.settle(world.terms(), output_min=output + 1)
    assert world.refusal(too_low, world.taker) == "OutputTooLow"
    world.done(world.settle(world.terms(), output_min=output), world.taker)


@pytest.mark.parametrize(
    ("amount", "refusal"),
    [(999, "WrongAmount"), (1_000, None), (1_001, None), (3_001, "WrongAmount"), (0, "ZeroAmount")],
)
def test_a_part_from_the_least_to_the_whole_may_be_taken(
    world: Any, amount: int, refusal: str | None
) -> None:
    terms = world.terms(maker_amount=7_001, taker_amount=3_000, min_fill=1_000, fee_bps=0)
    outcome = world.send(world.settle(terms, amount=amount), world.taker)
    assert outcome.refusal == refusal
    if refusal is None:
        assert outcome.event.fields["output"] == 7_001 * amount // 3_000
        rest = world.settle(terms, amount=1_000)
        assert world.refusal(rest, world.taker) == "NonceUsed"


def test_a_part_that_yields_nothing_is_refused(world: Any) -> None:
    terms = world.terms(maker_amount=2, taker_amount=3_000, min_fill=0)
    assert world.refusal(world.settle(terms, amount=1_000), world.taker) == "ZeroAmount"


@pytest.mark.parametrize(
    "changed",
    [
        {"maker_amount": 30_000_008},
        {"taker_amount": 19_500_000_002, "min_fill": 0},
        {"min_fill": 1},
        {"fee_bps": 4},
        {"expiry": START_S + 61},
        {"settle_by": START_S + 3_601},
        {"nonce": 8},
        {"quote_id": bytes(32)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_every_number_of_a_quote_is_signed(world: Any, changed: dict[str, Any]) -> None:
    signed = signing.check(world.signer, world.terms().digest())
    call = world.settle_call(world.terms(**changed), amount=19_500_000_002)
    assert world.refusal([signed, call], world.taker) == "WrongSignature"


def test_a_quote_for_another_taker_is_refused(world: Any) -> None:
    terms = world.terms(taker=world.stranger.pubkey())
    call = world.settle_call(world.terms())
    signed = signing.check(world.signer, terms.digest())
    assert world.refusal([signed, call], world.taker) == "WrongSignature"


@pytest.mark.parametrize("field", ["network", "program"])
def test_a_quote_for_another_cluster_or_program_is_refused(world: Any, field: str) -> None:
    other = bytes(range(32)) if field == "network" else world.multisig
    signed = signing.check(world.signer, world.terms(**{field: other}).digest())
    assert world.refusal([signed, world.settle_call(world.terms())], world.taker) == (
        "WrongSignature"
    )


def test_a_taker_that_does_not_sign_is_refused(world: Any) -> None:
    check, call = world.settle(world.terms())
    unsigned = type(call)(
        call.program_id,
        bytes(call.data),
        [type(meta)(meta.pubkey, False, meta.is_writable) for meta in call.accounts],
    )
    assert world.refusal([check, unsigned], world.stranger) == "WrongTaker"


def test_a_key_the_maker_has_not_delegated_to_is_refused(world: Any) -> None:
    other = Keypair.from_seed(bytes(32))
    terms = world.terms(signer=other.pubkey())
    signed = signing.check(other, terms.digest())
    assert world.refusal([signed, world.settle_call(terms)], world.taker) == "SignerNotAllowed"


def test_a_revoked_key_signs_nothing_from_the_next_transaction_on(world: Any) -> None:
    world.done([world.set_signer(world.signer.pubkey(), allowed=False)], world.authority)
    assert world.refusal(world.settle(world.terms()), world.taker) == "SignerNotAllowed"


def test_too_little_money_rolls_the_nonce_back(world: Any) -> None:
    world.hold(world.maker, world.base, 30_000_006)
    assert world.refusal(world.settle(world.terms()), world.taker) == "Custom 1"
    assert world.state("NoncePage", world.page(7))["used"] == bytes(32)
    world.hold(world.maker, world.base, 30_000_007)
    world.done(world.settle(world.terms()), world.taker)


@pytest.mark.parametrize("cut", [8, 9, 50, 97, 105])
def test_cut_or_padded_arguments_are_refused(world: Any, cut: int) -> None:
    check, call = world.settle(world.terms())
    for data in (bytes(call.data)[:cut], bytes(call.data) + b"\0"):
        broken = type(call)(call.program_id, data, call.accounts)
        assert world.refusal([check, broken], world.taker) == "WrongInstruction"


def test_too_few_accounts_and_unknown_instructions_are_refused(world: Any) -> None:
    check, call = world.settle(world.terms())
    for count in range(len(call.accounts)):
        short = type(call)(call.program_id, bytes(call.data), call.accounts[:count])
        assert world.refusal([check, short], world.taker) == "MissingAccount"
    for data in (b"", b"\0" * 7, b"\xff" * 8):
        unknown = type(call)(call.program_id, data, call.accounts)
        assert world.refusal([check, unknown], world.taker) == "WrongInstruction"
