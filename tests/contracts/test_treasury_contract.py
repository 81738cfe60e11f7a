"""Treasury: every payment once, in time, under a cap, by the right hand."""

from __future__ import annotations

from typing import Any

import pytest

from dmm.adapters.evm.calls import BUYBACK, PAY
from dmm.adapters.evm.codec import calldata, quote_values
from dmm.adapters.evm.sign import Key, sign_quote

KEY = b"\x2a" * 32
OTHER_KEY = b"\x2b" * 32
ONE_DCT = 10**9
CAP = 1_000_000 * ONE_DCT
STRANGER = Key(b"\x11" * 32)
DAY_S = 86_400


def pay_data(world: Any, **change: Any) -> bytes:
    terms = {
        "key": KEY,
        "token": world.book.token("DCT"),
        "to": world.actors.providers[0].address,
        "amount": 3 * ONE_DCT,
        "deadline": world.now_s() + 600,
    } | change
    return calldata(PAY, *terms.values())


def buyback_data(world: Any, quote: Any, **change: Any) -> bytes:
    terms = {
        "key": KEY,
        "quote": quote_values(quote, world.book),
        "sig": sign_quote(quote, key=world.actors.market_maker, book=world.book),
        "deadline": world.now_s() + 600,
        "min_output": quote.maker_amount,
        "burn": True,
    } | change
    return calldata(BUYBACK, *terms.values())


def pays(world: Any, data: bytes) -> dict[str, Any]:
    receipt: dict[str, Any] = world.send(world.actors.operator, world.at("treasury"), data)
    assert int(receipt["status"], 16) == 1
    return receipt


def refused(world: Any, data: bytes, **at: int) -> Any:
    return world.refusal(world.actors.operator, world.at("treasury"), data, **at)


def test_a_payment_moves_its_amount_once_and_marks_its_key(world: Any) -> None:
    to = world.actors.providers[0].address
    before = world.balances()
    receipt = pays(world, pay_data(world))
    after = world.balances()
    assert after["DCT", to] - before["DCT", to] == 3 * ONE_DCT
    assert before["DCT", world.at("treasury")] - after["DCT", world.at("treasury")] == 3 * ONE_DCT
    assert world.log(receipt, "Treasury", "Paid")["key"] == KEY
    assert world.read(world.at("treasury"), "settled(bytes32)", KEY) == 1
    assert world.read(world.at("treasury"), "settled(bytes32)", OTHER_KEY) == 0


def test_a_key_pays_once_whatever_the_rest_says(world: Any) -> None:
    pays(world, pay_data(world))
    other = world.actors.providers[1].address
    for data in (pay_data(world), pay_data(world, to=other, amount=1)):
        refusal = refused(world, data)
        assert (refusal.name, refusal.values) == ("KeyUsed", (KEY,))
    refusal = refused(world, buyback_data(world, world.buyback_quote()))
    assert refusal.name == "KeyUsed"


def test_a_payment_passes_at_its_deadline_and_not_after(world: Any) -> None:
    deadline = world.now_s() + 40
    refusal = refused(world, pay_data(world, deadline=deadline), at_s=deadline + 1)
    assert (refusal.name, refusal.values) == ("DeadlinePassed", (deadline, deadline + 1))
    deadline = world.now_s() + 40
    data = pay_data(world, deadline=deadline)
    world.next_at(deadline)
    pays(world, data)


def test_the_day_s_cap_counts_all_payments_and_renews_at_midnight(world: Any) -> None:
    pays(world, pay_data(world, amount=CAP - 5))
    refusal = refused(world, pay_data(world, key=OTHER_KEY, amount=6))
    assert refusal.name == "CapExceeded"
    assert refusal.values == (world.book.token("DCT").lower(), 6, 5)
    pays(world, pay_data(world, key=OTHER_KEY, amount=5))
    world.next_at((world.now_s() // DAY_S + 1) * DAY_S)
    pays(world, pay_data(world, key=b"\x01" * 32, amount=CAP, deadline=world.now_s() + 2 * DAY_S))


def test_a_token_without_a_cap_is_never_paid(world: Any) -> None:
    token = world.create("TestToken", ["string", "uint8"], ["NEW", 18])
    world.call(world.actors.deployer, token, "mint(address,uint256)", world.at("treasury"), 10)
    refusal = refused(world, pay_data(world, token=token, amount=1))
    assert (refusal.name, refusal.values) == ("CapExceeded", (token.lower(), 1, 0))


def test_nothing_and_nobody_are_not_paid(world: Any) -> None:
    assert refused(world, pay_data(world, amount=0)).name == "ZeroAmount"
    assert refused(world, pay_data(world, to="0x" + "00" * 20)).name == "ZeroAddress"


def test_a_failed_payment_leaves_its_key_unused(world: Any) -> None:
    everything = world.balance("DCT", world.at("treasury"))
    world.govern(world.at("treasury"), "setCap(address,uint256)", world.book.token("DCT"), 2**255)
    refusal = refused(world, pay_data(world, amount=everything + 1))
    assert refusal.name == "ERC20InsufficientBalance"
    pays(world, pay_data(world))


PRIVILEGED = [
    ("setOperator(address)", ["0x" + "11" * 20], "NotAuthority"),
    ("setGuardian(address)", ["0x" + "11" * 20], "NotAuthority"),
    ("setCap(address,uint256)", ["0x" + "11" * 20, 5], "NotAuthority"),
    ("setBuyable(address,bool)", ["0x" + "11" * 20, True], "NotAuthority"),
    ("unpause()", [], "NotAuthority"),
    ("lowerCap(address,uint256)", ["0x" + "11" * 20, 5], "NotGuardian"),
    ("pause()", [], "NotGuardian"),
]


@pytest.mark.parametrize(("signature", "values", "error"), PRIVILEGED)
def test_a_privileged_function_knows_its_caller(
    world: Any, signature: str, values: list[object], error: str
) -> None:
    data = calldata(signature, *values)
    actors = world.actors
    callers = [actors.operator, actors.deployer, actors.owners[0], actors.takers[0]]
    callers += [actors.guardian] if error == "NotAuthority" else []
    for caller in callers:
        refusal = world.refusal(caller, world.at("treasury"), data)
        assert (refusal.name, refusal.values) == (error, (caller.address.lower(),))


def test_only_the_operator_pays(world: Any) -> None:
    for data in (pay_data(world), buyback_data(world, world.buyback_quote())):
        for caller in (world.actors.guardian, world.actors.owners[0], world.actors.deployer):
            refusal = world.refusal(caller, world.at("treasury"), data)
            assert (refusal.name, refusal.values) == ("NotOperator", (caller.address.lower(),))


def test_the_authority_replaces_the_operator(world: Any) -> None:
    new = world.actors.deployer
    world.govern(world.at("treasury"), "setOperator(address)", new.address)
    assert refused(world, pay_data(world)).name == "NotOperator"
    receipt = world.send(new, world.at("treasury"), pay_data(world))
    assert int(receipt["status"], 16) == 1


def test_a_pause_stops_everything_until_the_authority_lifts_it(world: Any) -> None:
    world.call(world.actors.guardian, world.at("treasury"), "pause()")
    for data in (pay_data(world), buyback_data(world, world.buyback_quote())):
        assert refused(world, data).name == "Paused"
    world.govern(world.at("treasury"), "unpause()")
    pays(world, pay_data(world))


def test_the_guardian_only_tightens(world: Any) -> None:
    token = world.book.token("DCT")
    for amount in (CAP, CAP + 1):
        data = calldata("lowerCap(address,uint256)", token, amount)
        refusal = world.refusal(world.actors.guardian, world.at("treasury"), data)
        assert (refusal.name, refusal.values) == ("CapNotLower", (amount, CAP))
    lower = "lowerCap(address,uint256)"
    world.call(world.actors.guardian, world.at("treasury"), lower, token, 2)
    assert refused(world, pay_data(world)).values == (token.lower(), 3 * ONE_DCT, 2)


def test_roles_are_never_given_to_nobody(world: Any) -> None:
    for signature in ("setOperator(address)", "setGuardian(address)"):
        data = world.governed(world.at("treasury"), signature, "0x" + "00" * 20)
        refusal = world.refusal(world.actors.deployer, world.at("multisig"), data)
        assert refusal.name == "ZeroAddress"


def test_a_buyback_pays_the_maker_and_burns_what_it_bought(world: Any) -> None:
    quote, treasury = world.buyback_quote(), world.at("treasury")
    maker = world.actors.market_maker.address
    before, supply = world.balances(), world.supply("DCT")
    receipt = pays(world, buyback_data(world, quote))
    after = world.balances()
    assert before["USDT", treasury] - after["USDT", treasury] == 70_000_000
    assert after["USDT", maker] - before["USDT", maker] == 70_000_000
    assert before["DCT", maker] - after["DCT", maker] == 1_000 * ONE_DCT
    assert after["DCT", treasury] == before["DCT", treasury]
    assert world.supply("DCT") == supply - 1_000 * ONE_DCT
    event = world.log(receipt, "Treasury", "BoughtBack")
    assert (event["key"], event["quoteId"]) == (KEY, quote.quote_id)
    assert (event["boughtAmount"], event["burnt"]) == (1_000 * ONE_DCT, True)
    allowance = world.read(
        world.book.token("USDT"), "allowance(address,address)", treasury, world.at("settlement")
    )
    assert allowance == 0


def test_a_buyback_may_keep_what_it_bought(world: Any) -> None:
    treasury, supply = world.at("treasury"), world.supply("DCT")
    before = world.balance("DCT", treasury)
    pays(world, buyback_data(world, world.buyback_quote(), burn=False))
    assert world.balance("DCT", treasury) == before + 1_000 * ONE_DCT
    assert world.supply("DCT") == supply


def test_a_buyback_obeys_its_deadline_the_cap_and_the_least_output(world: Any) -> None:
    quote = world.buyback_quote()
    late = buyback_data(world, quote, deadline=world.now_s() - 1)
    assert refused(world, late).name == "DeadlinePassed"
    quote = world.buyback_quote()
    greedy = buyback_data(world, quote, min_output=quote.maker_amount + 1)
    assert refused(world, greedy).name == "OutputTooLow"
    world.govern(
        world.at("treasury"), "setCap(address,uint256)", world.book.token("USDT"), 69_999_999
    )
    refusal = refused(world, buyback_data(world, world.buyback_quote()))
    assert refusal.name == "CapExceeded"
    assert refusal.values[1:] == (70_000_000, 69_999_999)


def test_a_buyback_passes_at_the_quote_s_expiry_and_not_after(world: Any) -> None:
    quote = world.buyback_quote()
    data = buyback_data(world, quote, deadline=quote.expiry_s + 60)
    world.next_at(quote.expiry_s)
    pays(world, data)
    late = world.buyback_quote(nonce=9)
    data = buyback_data(world, late, key=OTHER_KEY, deadline=late.expiry_s + 60)
    assert refused(world, data, at_s=late.expiry_s + 1).name == "QuoteExpired"


def test_a_buyback_takes_only_quotes_bound_to_the_treasury(world: Any) -> None:
    quote = world.buyback_quote(taker=world.actors.takers[0].address)
    refusal = refused(world, buyback_data(world, quote))
    assert (refusal.name, refusal.values) == ("WrongTaker", (world.at("treasury").lower(),))


def test_a_buyback_buys_only_what_the_authority_allows(world: Any) -> None:
    quote = world.buyback_quote(maker_asset="BTC", maker_amount=5)
    refusal = refused(world, buyback_data(world, quote))
    assert (refusal.name, refusal.values) == ("NotBuyable", (world.book.token("BTC").lower(),))


def test_a_buyback_under_a_forged_quote_is_refused(world: Any) -> None:
    quote = world.buyback_quote()
    forged = sign_quote(quote, key=STRANGER, book=world.book)
    refusal = refused(world, buyback_data(world, quote, sig=forged))
    assert (refusal.name, refusal.values) == ("WrongSignature", (STRANGER.address.lower(),))


def test_a_token_that_calls_back_finds_the_key_used(world: Any) -> None:
    token = world.create("HostileToken", [], [])
    deployer, treasury = world.actors.deployer, world.at("treasury")
    world.call(deployer, token, "mint(address,uint256)", treasury, 100)
    world.govern(treasury, "setCap(address,uint256)", token, 100)
    again = pay_data(world, token=token, amount=7)
    world.call(deployer, token, "arm(address,bytes)", treasury, again)
    pays(world, again)
    assert world.read(token, "called()") == 1
    assert world.read(token, "succeeded()") == 0
    assert world.read(token, "balanceOf(address)", treasury) == 93


def test_tokens_that_return_nothing_are_paid_and_liars_are_not(world: Any) -> None:
    token = world.create("SilentToken", [], [])
    deployer, treasury = world.actors.deployer, world.at("treasury")
    world.call(deployer, token, "mint(address,uint256)", treasury, 100)
    world.govern(treasury, "setCap(address,uint256)", token, 100)
    pays(world, pay_data(world, token=token, amount=40))
    to = world.actors.providers[0].address
    assert world.read(token, "balanceOf(address)", to) == 40
    world.call(deployer, token, "refuse(bool)", True)
    refusal = refused(world, pay_data(world, key=OTHER_KEY, token=token, amount=40))
    assert (refusal.name, refusal.values) == ("SafeERC20FailedOperation", (token.lower(),))
    assert world.read(treasury, "settled(bytes32)", OTHER_KEY) == 0


PAY_MANY = "payMany((bytes32,address,address,uint256,uint256)[])"


def payments(world: Any, *changes: dict[str, Any]) -> list[tuple[Any, ...]]:
    found = []
    for index, change in enumerate(changes):
        terms = {
            "key": bytes([0xA0 + index]) * 32,
            "token": world.book.token("DCT"),
            "to": world.actors.providers[index % 3].address,
            "amount": ONE_DCT + index,
            "deadline": world.now_s() + 600,
        } | change
        found.append(tuple(terms.values()))
    return found


def test_one_bad_payment_of_many_is_recorded_and_blocks_no_other(world: Any) -> None:
    token = world.create("GuardedToken", [], [])
    world.call(world.actors.deployer, token, "mint(address,uint256)", world.at("treasury"), 10)
    world.govern(world.at("treasury"), "setCap(address,uint256)", token, 10)
    barred = world.actors.providers[1].address
    world.call(world.actors.deployer, token, "setBlocked(address,bool)", barred, True)
    pays(world, pay_data(world, key=b"\xa5" * 32, amount=1))
    batch = payments(
        world,
        {},
        {"token": token, "amount": 5, "to": barred},
        {"amount": CAP + 1},
        {"deadline": world.now_s() - 1},
        {"amount": 0},
        {},
        {"to": "0x" + "00" * 20},
        {},
    )
    receipt = pays(world, calldata(PAY_MANY, batch))
    topic, _ = world.topics("Treasury", "Skipped")
    skipped = {
        log["topics"][1][2:4]: world.error_of(log["data"][2:10])
        for log in receipt["logs"]
        if log["topics"][0] == topic
    }
    assert skipped == {
        "a1": "Blocked",
        "a2": "CapExceeded",
        "a3": "DeadlinePassed",
        "a4": "ZeroAmount",
        "a5": "KeyUsed",
        "a6": "ZeroAddress",
    }
    used = [world.read(world.at("treasury"), "settled(bytes32)", row[0]) for row in batch]
    assert used == [1, 0, 0, 0, 0, 1, 0, 1]
    spent = world.read(
        world.at("treasury"),
        "spentOn(address,uint256)",
        world.book.token("DCT"),
        world.now_s() // DAY_S,
    )
    assert spent == 1 + batch[0][3] + batch[7][3]
    pays(world, pay_data(world, key=batch[2][0], amount=1))


def test_a_batch_of_payments_obeys_operator_pause_and_size(world: Any) -> None:
    data = calldata(PAY_MANY, payments(world, {}))
    refusal = world.refusal(world.actors.guardian, world.at("treasury"), data)
    assert refusal.name == "NotOperator"
    assert refused(world, calldata(PAY_MANY, [])).name == "EmptyBatch"
    refusal = refused(world, calldata(PAY_MANY, payments(world, {}) * 65))
    assert (refusal.name, refusal.values) == ("BatchTooLong", (65,))
    world.call(world.actors.guardian, world.at("treasury"), "pause()")
    assert refused(world, data).name == "Paused"


def test_nobody_calls_a_single_payment_of_a_batch(world: Any) -> None:
    one = "payOne((bytes32,address,address,uint256,uint256))"
    data = calldata(one, payments(world, {})[0])
    for caller in (world.actors.operator, world.actors.guardian, world.actors.deployer):
        refusal = world.refusal(caller, world.at("treasury"), data)
        assert (refusal.name, refusal.values) == ("NotSelf", (caller.address.lower(),))


def test_a_batch_without_gas_for_its_payments_pays_none(world: Any) -> None:
    data = calldata(PAY_MANY, payments(world, {}, {}, {}))
    refusal = world.refusal(world.actors.operator, world.at("treasury"), data, gas_max=300_000)
    assert refusal.name == "TooLittleGas"


def test_a_token_that_burns_all_gas_blocks_no_other_payment(world: Any) -> None:
    token = world.create("HostileToken", [], [])
    deployer, treasury = world.actors.deployer, world.at("treasury")
    world.call(deployer, token, "mint(address,uint256)", treasury, 100)
    world.govern(treasury, "setCap(address,uint256)", token, 100)
    world.call(deployer, token, "arm(address,bytes)", token, calldata("spin()"))
    batch = payments(world, {"token": token, "amount": 7}, {})
    pays(world, calldata(PAY_MANY, batch))
    used = [world.read(treasury, "settled(bytes32)", row[0]) for row in batch]
    assert used == [0, 1]
