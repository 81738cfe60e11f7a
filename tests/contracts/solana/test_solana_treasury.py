"""Payments under a key, a deadline and a cap; buybacks; and who may change what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from dmm.adapters.solana import terms as signing

START_S = 2_000_000_000
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
KEY = b"\x01" * 32


def simple(world: Any, name: str, who: Any, **arguments: Any) -> Instruction:
    role = "guardian" if name == "lower_cap" else "authority"
    accounts = {role: who.pubkey(), "treasury": world.treasury, "cap": world.cap(world.cash)}
    call: Instruction = world.call(name, accounts, **arguments)
    return call


def buyback(
    world: Any, terms: Any, *, burn: bool = False, key: bytes = KEY, **change: Any
) -> list[Instruction]:
    deadline = change.pop("deadline", START_S + 60)
    output_min = change.pop("output_min", 0)
    own = world.exchange_accounts(
        terms,
        recipient=world.vault(world.treasury, world.base),
        taker_source=world.vault(world.treasury, world.cash),
    )
    accounts = own | {
        "operator": world.operator.pubkey(),
        "treasury": world.treasury,
        "paid_cap": world.cap(world.cash),
        "bought_cap": world.cap(world.base),
        "used_key": signing.key_address(world.program, world.treasury, key),
    }
    call = world.call(
        "buyback",
        accounts | change,
        key=key,
        terms=terms.numbers(),
        deadline=deadline,
        output_min=output_min,
        burn=burn,
    )
    return [signing.check(world.signer, terms.digest()), call]


def offer(world: Any, **change: Any) -> Any:
    return world.terms(taker=world.treasury, **change)


def test_a_payment_moves_once_and_says_so(funded: Any) -> None:
    to = funded.stranger.pubkey()
    outcome = funded.done([funded.pay_call()], funded.operator)
    assert funded.balance(funded.vault(to, funded.cash)) == 1_000
    assert outcome.event.fields == {"key": KEY, "token": funded.cash, "to": to, "amount": 1_000}
    used = signing.key_address(funded.program, funded.treasury, KEY)
    assert funded.state("UsedKey", used) == {
        "treasury": funded.treasury,
        "key": KEY,
        "used_at_s": START_S,
    }
    assert funded.refusal([funded.pay_call()], funded.operator) == "KeyUsed"
    other = funded.pay_call(amount=1, deadline=START_S + 61)
    assert funded.refusal([other], funded.operator) == "KeyUsed"


def test_a_key_is_one_address_whatever_bump_is_offered(funded: Any) -> None:
    """A second bump would be a second place for the same key: it is never taken from outside."""
    funded.done([funded.pay_call()], funded.operator)
    seeds = [b"key", bytes(funded.treasury), KEY]
    canonical = Pubkey.find_program_address(seeds, funded.program)[1]
    for bump in range(canonical - 1, canonical - 20, -1):
        try:
            other = Pubkey.create_program_address([*seeds, bytes([bump])], funded.program)
        except Exception:  # noqa: BLE001, S112 - that bump leads to a point of the curve
            continue
        call = funded.pay_call(used_key=other)
        assert funded.refusal([call], funded.operator) == "WrongAccount"
        return
    pytest.fail("no second bump found")


def test_lamports_sent_ahead_do_not_stop_a_payment(funded: Any) -> None:
    used = signing.key_address(funded.program, funded.treasury, KEY)
    gift = TransferParams(from_pubkey=funded.payer.pubkey(), to_pubkey=used, lamports=10**6)
    funded.done([transfer(gift)], funded.payer)
    funded.done([funded.pay_call()], funded.operator)


@pytest.mark.parametrize(
    ("now_s", "refusal"), [(START_S + 60, None), (START_S + 61, "DeadlinePassed")]
)
def test_a_payment_lives_up_to_and_including_its_deadline(
    funded: Any, now_s: int, refusal: str | None
) -> None:
    funded.set_time(now_s)
    assert funded.send([funded.pay_call()], funded.operator).refusal == refusal


def test_a_day_s_cap_holds_over_payments_and_ends_with_the_day(funded: Any) -> None:
    funded.done([funded.pay_call(b"\x02" * 32, 10**11 - 1)], funded.operator)
    over = funded.pay_call(b"\x03" * 32, 2)
    assert funded.refusal([over], funded.operator) == "CapExceeded"
    funded.done([funded.pay_call(b"\x04" * 32, 1)], funded.operator)
    tomorrow = (START_S // 86_400 + 1) * 86_400
    funded.set_time(tomorrow - 1)
    late = funded.pay_call(b"\x05" * 32, 1, deadline=tomorrow + 9)
    assert funded.refusal([late], funded.operator) == "CapExceeded"
    funded.set_time(tomorrow)
    funded.done([late], funded.operator)


def test_only_the_operator_pays_and_not_while_paused(funded: Any) -> None:
    for who in (funded.authority, funded.guardian, funded.stranger):
        call = funded.pay_call(operator=who.pubkey())
        assert funded.refusal([call], who) == "NotOperator"
    pause = simple(funded, "set_treasury_paused", funded.guardian, paused=True)
    funded.done([pause], funded.guardian)
    assert funded.refusal([funded.pay_call()], funded.operator) == "Paused"
    loosen = simple(funded, "set_treasury_paused", funded.guardian, paused=False)
    assert funded.refusal([loosen], funded.guardian) == "NotAuthority"
    back = simple(funded, "set_treasury_paused", funded.authority, paused=False)
    funded.done([back], funded.authority)
    funded.done([funded.pay_call()], funded.operator)


def test_nothing_else_passes_for_a_part_of_a_payment(funded: Any) -> None:
    other = funded.hold(funded.taker.pubkey(), funded.cash, 0)
    base_vault = funded.vault(funded.treasury, funded.base)
    vault = funded.vault(funded.treasury, funded.cash)
    for change, refusal in (
        ({"destination": other}, "WrongTokenAccount"),
        ({"vault": other}, "WrongTokenAccount"),
        ({"vault": base_vault}, "WrongMint"),
        ({"cap": funded.cap(funded.base)}, "WrongAccount"),
        ({"cap": funded.treasury}, "WrongAccount"),
        ({"treasury": funded.maker}, "WrongAccount"),
        ({"used_key": funded.treasury}, "KeyUsed"),
        ({"used_key": funded.taker.pubkey()}, "WrongAccount"),
        ({"mint": funded.base}, "WrongMint"),
        ({"recipient": funded.treasury, "destination": vault}, "DuplicateAccount"),
        ({"amount": 0}, "ZeroAmount"),
    ):
        assert funded.refusal([funded.pay_call(**change)], funded.operator) == refusal, change


def test_a_failed_payment_does_not_use_its_key_up(funded: Any) -> None:
    funded.hold(funded.treasury, funded.cash, 999)
    assert funded.refusal([funded.pay_call()], funded.operator) == "Custom 1"
    funded.hold(funded.treasury, funded.cash, 1_000)
    funded.done([funded.pay_call()], funded.operator)


def test_the_authority_appoints_and_the_others_do_not(funded: Any) -> None:
    for name, field in (("set_operator", "operator"), ("set_guardian", "guardian")):
        new = {field: funded.taker.pubkey()}
        for who in (funded.operator, funded.guardian, funded.stranger):
            assert funded.refusal([simple(funded, name, who, **new)], who) == "NotAuthority"
        zero = simple(funded, name, funded.authority, **{field: Pubkey.default()})
        assert funded.refusal([zero], funded.authority) == "ZeroAddress"
        funded.done([simple(funded, name, funded.authority, **new)], funded.authority)
        assert funded.state("Treasury", funded.treasury)[field] == funded.taker.pubkey()
    assert funded.refusal([funded.pay_call()], funded.operator) == "NotOperator"


def test_the_authority_sets_caps_and_the_guardian_only_lowers_them(funded: Any) -> None:
    for who in (funded.operator, funded.guardian, funded.stranger):
        call = funded.set_cap(funded.cash, 1, by=who)
        assert funded.refusal([call], funded.payer, who) == "NotAuthority"
        lower = simple(funded, "lower_cap", who, amount_per_day=1)
        if who is not funded.guardian:
            assert funded.refusal([lower], who) == "NotGuardian"
    same = simple(funded, "lower_cap", funded.guardian, amount_per_day=10**11)
    assert funded.refusal([same], funded.guardian) == "CapNotLower"
    lower = simple(funded, "lower_cap", funded.guardian, amount_per_day=999)
    funded.done([lower], funded.guardian)
    assert funded.refusal([funded.pay_call()], funded.operator) == "CapExceeded"


def test_a_cap_keeps_what_was_spent_when_it_is_set_anew(funded: Any) -> None:
    funded.done([funded.pay_call()], funded.operator)
    funded.done([funded.set_cap(funded.cash, 1_500)], funded.payer, funded.authority)
    over = funded.pay_call(b"\x02" * 32, 501)
    assert funded.refusal([over], funded.operator) == "CapExceeded"


def test_a_token_without_a_cap_cannot_be_paid(funded: Any) -> None:
    mint = funded.mint("third", 6)
    funded.hold(funded.treasury, mint, 10)
    funded.hold(funded.stranger.pubkey(), mint, 0)
    call = funded.pay_call(
        mint=mint,
        cap=funded.cap(mint),
        vault=funded.vault(funded.treasury, mint),
        destination=funded.vault(funded.stranger.pubkey(), mint),
    )
    assert funded.refusal([call], funded.operator) == "WrongAccount"


@pytest.mark.parametrize("burn", [False, True])
def test_a_buyback_takes_a_quote_once_and_burns_or_keeps(funded: Any, burn: bool) -> None:
    supply = int.from_bytes(bytes(funded.svm.get_account(funded.base).data)[36:44], "little")
    vault = funded.vault(funded.treasury, funded.base)
    before = funded.balance(vault)
    terms = offer(funded)
    outcome = funded.done(buyback(funded, terms, burn=burn), funded.operator)
    output = 30_000_007 - 15_001
    left = int.from_bytes(bytes(funded.svm.get_account(funded.base).data)[36:44], "little")
    assert funded.balance(vault) - before == (0 if burn else output)
    assert supply - left == (output if burn else 0)
    filled, bought = outcome.events
    assert (filled.name, bought.name) == ("Filled", "BoughtBack")
    assert bought.fields == {
        "key": KEY,
        "quote_id": terms.quote_id,
        "paid_token": funded.cash,
        "paid_amount": 19_500_000_003,
        "bought_token": funded.base,
        "bought_amount": output,
        "burnt": burn,
    }
    again = buyback(funded, offer(funded, nonce=8), burn=burn)
    assert funded.refusal(again, funded.operator) == "KeyUsed"


def test_a_buyback_fits_into_one_transaction(funded: Any) -> None:
    calls = buyback(funded, offer(funded), burn=True)
    assert len(bytes(funded.transaction(calls, funded.operator))) <= 1_232


def test_what_a_buyback_needs_is_refused_by_name(funded: Any) -> None:
    terms = offer(funded)
    own = funded.hold(funded.operator.pubkey(), funded.base, 0)
    cases: list[tuple[list[Instruction], str]] = [
        (buyback(funded, terms, deadline=START_S - 1), "DeadlinePassed"),
        (buyback(funded, terms, output_min=30_000_007), "OutputTooLow"),
        (buyback(funded, terms, recipient=own), "WrongTokenAccount"),
        (buyback(funded, terms, bought_cap=funded.cap(funded.cash)), "WrongAccount"),
        (buyback(funded, offer(funded, taker_amount=10**11 + 1)), "CapExceeded"),
        (buyback(funded, offer(funded, expiry=START_S - 1)), "QuoteExpired"),
        (buyback(funded, funded.terms())[:1] + buyback(funded, terms)[1:], "WrongSignature"),
        (buyback(funded, terms)[1:], "NoSignatureInstruction"),
    ]
    for calls, refusal in cases:
        assert funded.refusal(calls, funded.operator) == refusal
    used = signing.key_address(funded.program, funded.treasury, KEY)
    assert funded.svm.get_account(used) is None


def test_only_what_the_authority_allows_is_bought(funded: Any) -> None:
    funded.done([funded.set_cap(funded.base, 0)], funded.payer, funded.authority)
    assert funded.refusal(buyback(funded, offer(funded)), funded.operator) == "NotBuyable"


def test_the_treasury_s_own_maker_cannot_be_its_taker_s_source(funded: Any) -> None:
    """Another owner's cash is not the treasury's, even when the treasury is its delegate."""
    victim = funded.hold(funded.stranger.pubkey(), funded.cash, 10**15, delegate=funded.treasury)
    calls = buyback(funded, offer(funded), taker_source=victim)
    assert funded.refusal(calls, funded.operator) == "WrongTokenAccount"


def test_a_quote_for_the_treasury_is_no_quote_for_a_taker(funded: Any) -> None:
    terms = offer(funded)
    call = funded.settle_call(replace(terms, taker=funded.taker.pubkey()))
    check = signing.check(funded.signer, terms.digest())
    assert funded.refusal([check, call], funded.taker) == "WrongSignature"


def test_a_treasury_is_made_once_by_its_authority(funded: Any) -> None:
    assert funded.refusal([funded.init_treasury()], funded.payer, funded.authority) == (
        "AccountInUse"
    )
