"""Accepted quotes that anyone relays, co-signed quotes, and the two forms of netting."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from dmm.adapters.solana import terms as signing

START_S = 2_000_000_000
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
ROOT_HASH = hashlib.sha256(b"the quotes").digest()


def accepted(
    world: Any,
    terms: Any,
    *,
    amount: int = 19_500_000_003,
    signer: Keypair | None = None,
    said: dict[str, Any] | None = None,
    **change: Pubkey,
) -> list[Instruction]:
    """Return acceptance, quote and call; the taker has made the mover its delegate."""
    mover, bump = signing.mover_address(world.program)
    accounts = world.exchange_accounts(terms) | {"mover": mover} | change
    word = {"amount": amount, "recipient": accounts["recipient"]} | (said or {})
    acceptance = signing.acceptance_digest(word.pop("terms", terms), **word)
    call = world.call(
        "settle_accepted", accounts, terms=terms.numbers(), amount=amount, mover_bump=bump
    )
    return [
        signing.check(signer or world.taker, acceptance),
        signing.check(world.signer, terms.digest()),
        call,
    ]


def approve(world: Any, amount: int = 10**15) -> None:
    mover, _ = signing.mover_address(world.program)
    world.hold(world.taker.pubkey(), world.cash, amount, delegate=mover)


def test_anyone_may_relay_an_accepted_quote_until_settle_by(world: Any) -> None:
    approve(world)
    world.set_time(START_S + 3_600)
    outcome = world.done(accepted(world, world.terms()), world.stranger)
    assert outcome.event.fields["output"] == 30_000_007 - 15_001
    assert world.refusal(accepted(world, world.terms()), world.stranger) == "NonceUsed"


def test_an_accepted_quote_dies_after_settle_by(world: Any) -> None:
    approve(world)
    world.set_time(START_S + 3_601)
    assert world.refusal(accepted(world, world.terms()), world.stranger) == "QuoteExpired"


def test_a_relayed_transaction_has_room_for_both_signatures(world: Any) -> None:
    assert len(bytes(world.transaction(accepted(world, world.terms()), world.stranger))) <= 1_232


def test_without_the_taker_s_approval_nothing_moves(world: Any) -> None:
    assert world.refusal(accepted(world, world.terms()), world.stranger) == "Custom 4"


def test_an_approval_bounds_what_a_relayer_can_move(world: Any) -> None:
    approve(world, 19_500_000_002)
    assert world.refusal(accepted(world, world.terms()), world.stranger) == "Custom 1"


@pytest.mark.parametrize(
    "said",
    [{"amount": 19_500_000_002}, {"recipient": Pubkey(b"\x01" * 32)}],
    ids=["amount", "recipient"],
)
def test_an_acceptance_of_something_else_is_refused(world: Any, said: dict[str, Any]) -> None:
    approve(world)
    found = world.refusal(accepted(world, world.terms(), said=said), world.stranger)
    assert found == "WrongAcceptance"


def test_two_quotes_under_one_id_cannot_be_exchanged(world: Any) -> None:
    approve(world)
    worse = world.terms(maker_amount=1_000)
    found = world.refusal(accepted(world, worse, said={"terms": world.terms()}), world.stranger)
    assert found == "WrongAcceptance"


def test_an_acceptance_by_another_key_is_refused(world: Any) -> None:
    approve(world)
    found = world.refusal(accepted(world, world.terms(), signer=world.stranger), world.stranger)
    assert found == "WrongTaker"


def test_a_relayer_cannot_send_the_output_elsewhere(world: Any) -> None:
    approve(world)
    own = world.hold(world.stranger.pubkey(), world.base, 0)
    words = {"recipient": world.vault(world.taker.pubkey(), world.base)}
    call = accepted(world, world.terms(), said=words, recipient=own)
    assert world.refusal(call, world.stranger) == "WrongAcceptance"


def test_the_mover_moves_no_other_owner_s_tokens(world: Any) -> None:
    mover, _ = signing.mover_address(world.program)
    victim = world.hold(world.stranger.pubkey(), world.cash, 10**15, delegate=mover)
    call = accepted(world, world.terms(), taker_source=victim)
    assert world.refusal(call, world.stranger) == "WrongTokenAccount"


def test_another_mover_than_the_program_s_own_signs_nothing(world: Any) -> None:
    approve(world)
    call = accepted(world, world.terms(), mover=world.stranger.pubkey())
    assert world.refusal(call, world.payer) == "PrivilegeEscalation"


# -- co-signed


def cosigned(world: Any, signer: Keypair | None = None, **change: Any) -> Instruction:
    accounts = world.exchange_accounts(world.terms())
    arguments = {
        "quote_id": ROOT_HASH,
        "maker_amount": 30_000_007,
        "taker_amount": 19_500_000_003,
        "fee_bps": 5,
        "expiry": START_S + 60,
    }
    accounts["signer"] = (signer or world.signer).pubkey()
    call: Instruction = world.call("settle_quote_cosigned", accounts, **(arguments | change))
    return call


def test_a_co_signed_quote_settles_without_a_nonce(world: Any) -> None:
    outcome = world.done([cosigned(world)], world.taker, world.signer)
    assert outcome.event.name == "Cosigned"
    assert outcome.event.fields["output"] == 30_000_007 - 15_001
    world.done([cosigned(world)], world.taker, world.signer)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"fee_bps": 501}, "FeeTooHigh"),
        ({"maker_amount": 0}, "ZeroAmount"),
        ({"taker_amount": 0}, "ZeroAmount"),
        ({"expiry": START_S - 1}, "QuoteExpired"),
        ({"expiry": START_S + 7_201}, "LifetimeTooLong"),
    ],
)
def test_a_co_signed_quote_obeys_the_maker_s_limits(
    world: Any, change: dict[str, int], refusal: str
) -> None:
    assert world.refusal([cosigned(world, **change)], world.taker, world.signer) == refusal


def test_a_co_signed_quote_needs_both_signatures_and_a_delegate(world: Any) -> None:
    call = cosigned(world)
    for index, expected in ((0, "WrongTaker"), (1, "MissingSigner")):
        metas = list(call.accounts)
        metas[index] = AccountMeta(metas[index].pubkey, False, False)
        unsigned = Instruction(call.program_id, bytes(call.data), metas)
        signers = [world.signer] if index == 0 else [world.taker]
        assert world.refusal([unsigned], world.payer, *signers) == expected
    other = cosigned(world, world.stranger)
    assert world.refusal([other], world.taker, world.stranger) == "SignerNotAllowed"


# -- net by statement


def net_accounts(world: Any) -> dict[str, Pubkey]:
    fees = world.terms().fee_account
    owner = Pubkey(bytes(world.svm.get_account(fees).data)[32:64])
    return {
        "taker": world.taker.pubkey(),
        "signer": world.signer.pubkey(),
        "maker": world.maker,
        "base_mint": world.base,
        "cash_mint": world.cash,
        "base_token_program": TOKEN,
        "cash_token_program": TOKEN,
        "taker_base": world.vault(world.taker.pubkey(), world.base),
        "maker_base": world.vault(world.maker, world.base),
        "base_fee_account": fees,
        "taker_cash": world.vault(world.taker.pubkey(), world.cash),
        "maker_cash": world.vault(world.maker, world.cash),
        "cash_fee_account": world.vault(owner, world.cash),
    }


def statement(
    world: Any, *, words: list[int], pages: list[Pubkey] | None = None, **change: Any
) -> Instruction:
    arguments = {
        "batch_root": ROOT_HASH,
        "count": sum(mask.bit_count() for mask in words),
        "settle_by": START_S + 60,
        "base": {"to_taker": 5_000, "fee": 3},
        "cash": {"to_taker": -70_000, "fee": 2},
        "masks": [mask.to_bytes(32, "little") for mask in words],
    }
    accounts = net_accounts(world) | {
        name: change.pop(name) for name in list(change) if name in net_accounts(world)
    }
    found = pages or [world.page(word << 8) for word in range(len(words))]
    rest = [AccountMeta(page, False, True) for page in found]
    call: Instruction = world.call("settle_net", accounts, rest, **(arguments | change))
    return call


def test_a_statement_of_256_quotes_is_two_transfers_and_two_fees(world: Any) -> None:
    accounts = net_accounts(world)
    names = [name for name in accounts if name.endswith(("_base", "_cash", "_account"))]
    before = {name: world.balance(accounts[name]) for name in names}
    outcome = world.done([statement(world, words=[2**256 - 1])], world.taker, world.signer)
    moved = {name: world.balance(accounts[name]) - before[name] for name in names}
    assert moved == {
        "taker_base": 5_000,
        "maker_base": -5_003,
        "base_fee_account": 3,
        "taker_cash": -70_000,
        "maker_cash": 69_998,
        "cash_fee_account": 2,
    }
    assert outcome.event.fields == {
        "batch_root": ROOT_HASH,
        "maker": world.maker,
        "taker": world.taker.pubkey(),
        "count": 256,
    }
    assert world.refusal(world.settle(world.terms()), world.taker) == "NonceUsed"
    again = statement(world, words=[1])
    assert world.refusal([again], world.taker, world.signer) == "NonceUsed"


def test_a_statement_over_several_pages_takes_them_in_order(world: Any) -> None:
    world.done([world.init_page(1)], world.payer)
    backwards = [world.page(256), world.page(0)]
    call = statement(world, words=[1, 1], pages=backwards)
    assert world.refusal([call], world.taker, world.signer) == "NotAscending"
    twice = statement(world, words=[1, 2], pages=[world.page(0)] * 2)
    assert world.refusal([twice], world.taker, world.signer) == "NotAscending"
    world.done([statement(world, words=[3, 1 << 255])], world.taker, world.signer)
    assert world.state("NoncePage", world.page(256))["used"][31] == 0x80


def test_a_nonce_that_was_settled_alone_stops_the_whole_statement(world: Any) -> None:
    world.done(world.settle(world.terms()), world.taker)
    call = statement(world, words=[(1 << 7) | 1])
    assert world.refusal([call], world.taker, world.signer) == "NonceUsed"
    assert world.state("NoncePage", world.page())["used"][0] == 1 << 7


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"words": []}, "EmptyBatch"),
        ({"words": [0]}, "EmptyBatch"),
        ({"words": [1], "count": 2}, "WrongCount"),
        ({"words": [1], "settle_by": START_S - 1}, "QuoteExpired"),
        ({"words": [1], "settle_by": START_S + 7_201}, "LifetimeTooLong"),
        ({"words": [1] * 9}, "BatchTooLong"),
    ],
)
def test_statements_that_make_no_sense_are_refused(
    world: Any, change: dict[str, Any], refusal: str
) -> None:
    assert world.refusal([statement(world, **change)], world.taker, world.signer) == refusal


def test_pages_and_masks_go_in_pairs(world: Any) -> None:
    call = statement(world, words=[1], pages=[world.page(), world.page()])
    assert world.refusal([call], world.taker, world.signer) == "MissingAccount"


def test_a_statement_needs_the_taker_a_delegate_and_the_right_vaults(world: Any) -> None:
    call = statement(world, words=[1])
    for index, expected in ((0, "WrongTaker"), (1, "MissingSigner")):
        metas = list(call.accounts)
        metas[index] = AccountMeta(metas[index].pubkey, False, False)
        unsigned = Instruction(call.program_id, bytes(call.data), metas)
        signers = [world.signer] if index == 0 else [world.taker]
        assert world.refusal([unsigned], world.payer, *signers) == expected
    other = statement(world, words=[1], signer=world.stranger.pubkey())
    assert world.refusal([other], world.taker, world.stranger) == "SignerNotAllowed"
    own = world.hold(world.stranger.pubkey(), world.cash, 0)
    steal = statement(world, words=[1], maker_cash=own)
    assert world.refusal([steal], world.taker, world.signer) == "WrongTokenAccount"
    same = statement(world, words=[1], cash_mint=world.base)
    assert world.refusal([same], world.taker, world.signer) == "SameToken"
    vault = world.vault(world.maker, world.base)
    for name in ("taker_base", "base_fee_account"):
        twice = statement(world, words=[1], **{name: vault})
        assert world.refusal([twice], world.taker, world.signer) == "DuplicateAccount"


def test_the_least_amount_a_signed_number_holds_is_no_way_around_balances(world: Any) -> None:
    call = statement(world, words=[1], cash={"to_taker": -(2**63), "fee": 0})
    assert world.refusal([call], world.taker, world.signer) == "Custom 1"


# -- net by signatures


def signed_net(world: Any, quotes: list[tuple[bool, Any, int]]) -> list[Instruction]:
    accounts = net_accounts(world) | {"page": world.page()}
    accounts.pop("signer")
    items = [
        {"sells_base": sells, "terms": terms.numbers(), "amount": amount}
        for sells, terms, amount in quotes
    ]
    checks = [signing.check(world.signer, terms.digest()) for _, terms, _ in quotes]
    return [*checks, world.call("settle_net_signed", accounts, quotes=items)]


def both_ways(world: Any) -> list[tuple[bool, Any, int]]:
    sell = world.terms(fee_bps=0, maker_amount=1_000, taker_amount=650_000, min_fill=0)
    buy = replace(
        sell,
        maker_mint=world.cash,
        taker_mint=world.base,
        maker_amount=259_999,
        taker_amount=400,
        fee_account=net_accounts(world)["cash_fee_account"],
        fee_bps=10,
        nonce=8,
    )
    return [(True, sell, 650_000), (False, buy, 400)]


def test_signed_quotes_net_to_one_transfer_per_asset(world: Any) -> None:
    accounts = net_accounts(world)
    names = [name for name in accounts if name.endswith(("_base", "_cash", "_account"))]
    before = {name: world.balance(accounts[name]) for name in names}
    outcome = world.done(signed_net(world, both_ways(world)), world.taker)
    moved = {name: world.balance(accounts[name]) - before[name] for name in names}
    assert moved == {
        "taker_base": 600,
        "maker_base": -600,
        "base_fee_account": 0,
        "taker_cash": 259_999 - 260 - 650_000,
        "maker_cash": 650_000 - 259_999,
        "cash_fee_account": 260,
    }
    assert [event.fields["nonce"] for event in outcome.events] == [7, 8]
    assert world.refusal(signed_net(world, both_ways(world)), world.taker) == "NonceUsed"


def test_the_largest_signed_batch_that_fits_is_two_quotes(world: Any) -> None:
    two = both_ways(world)
    third = [*two, (True, replace(two[0][1], nonce=9), 650_000)]
    assert len(bytes(world.transaction(signed_net(world, two), world.taker))) <= 1_232
    assert len(bytes(world.transaction(signed_net(world, third), world.taker))) > 1_232


def test_a_signed_batch_checks_each_quote(world: Any) -> None:
    (sells, first, amount), second = both_ways(world)
    swapped = signed_net(world, [(sells, first, amount), second])
    assert world.refusal([swapped[1], swapped[0], swapped[2]], world.taker) == "WrongSignature"
    assert world.refusal(swapped[1:], world.taker) == "NoSignatureInstruction"
    twice = [(sells, first, amount), (sells, first, amount)]
    assert world.refusal(signed_net(world, twice), world.taker) == "NonceUsed"
    late = (sells, replace(first, expiry=START_S - 1), amount)
    assert world.refusal(signed_net(world, [second, late]), world.taker) == "QuoteExpired"
    flipped = signed_net(world, [(False, first, amount), second])
    assert world.refusal(flipped, world.taker) == "WrongSignature"
    assert world.refusal(signed_net(world, []), world.taker) == "EmptyBatch"


def test_sums_beyond_64_bits_are_refused_by_name(world: Any) -> None:
    huge = world.terms(fee_bps=0, maker_amount=2**64 - 1, taker_amount=1, min_fill=0)
    quotes = [(True, huge, 1), (True, replace(huge, nonce=8), 1)]
    assert world.refusal(signed_net(world, quotes), world.taker) == "AmountOverflow"
