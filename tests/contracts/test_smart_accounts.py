"""Accounts that are contracts sign by ERC-1271; those with key and code sign with the key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dmm.adapters.evm.batches import statement_of
from dmm.adapters.evm.codec import ACCEPTANCE_TUPLE, QUOTE_TUPLE, calldata
from dmm.adapters.evm.sign import Key, sign_acceptance, sign_quote
from dmm.rfq.protocol import Acceptance

STRANGER = Key(b"\x11" * 32)
MAGIC = bytes.fromhex("1626ba7e")
ZERO = "0x" + "00" * 20
FILL_WITH_PERMIT = f"fillWithPermit({QUOTE_TUPLE},bytes,{ACCEPTANCE_TUPLE},(uint256,uint256,bytes))"


def wallet_of(world: Any, owner: Key, symbol: str) -> str:
    """Return a contract account of the owner's with a little of a token, approved."""
    wallet: str = world.create("SmartWallet", ["address"], [owner.address])
    token = world.book.token(symbol)
    world.call(world.actors.deployer, token, "mint(address,uint256)", wallet, 10**12)
    approve = calldata("approve(address,uint256)", world.at("settlement"), 2**256 - 1)
    world.call(owner, wallet, "exec(address,bytes)", token, approve)
    return wallet


def maker_fill(world: Any, wallet: str, owner: Key, **change: Any) -> bytes:
    quote = world.quote(maker=wallet, signer=wallet, **change)
    data: bytes = world.fill_data(quote, makers=sign_quote(quote, key=owner, book=world.book))
    return data


def sends(world: Any, data: bytes) -> None:
    receipt = world.send(world.actors.deployer, world.at("settlement"), data)
    assert int(receipt["status"], 16) == 1


def refused(world: Any, data: bytes) -> Any:
    return world.refusal(world.actors.deployer, world.at("settlement"), data)


def test_a_contract_makes_quotes_that_its_owner_signed(world: Any) -> None:
    wallet = wallet_of(world, world.actors.desk, "BTC")
    data = maker_fill(world, wallet, world.actors.desk)
    sends(world, data)
    assert world.balance("BTC", wallet) == 10**12 - 250_000_000
    assert refused(world, data).name == "NonceUsed"
    forged = maker_fill(world, wallet, STRANGER, nonce=9)
    refusal = refused(world, forged)
    assert (refusal.name, refusal.values) == ("WrongSignature", (STRANGER.address.lower(),))


def test_a_contract_takes_quotes_that_its_owner_accepted(world: Any) -> None:
    taker, wallet = world.actors.takers[0], wallet_of(world, world.actors.takers[0], "USDT")
    quote = world.quote(taker=wallet)
    accepted = Acceptance(quote_id=quote.quote_id, amount=quote.taker_amount, recipient=wallet)
    for key, error in ((STRANGER, "WrongTaker"), (taker, None)):
        data = world.fill_data(
            quote,
            acceptance=accepted,
            takers=sign_acceptance(accepted, quote, key=key, book=world.book),
        )
        if error:
            assert refused(world, data).name == error
        else:
            sends(world, data)
    assert world.balance("BTC", wallet) == 250_000_000


def test_a_contract_delegates_to_a_hot_key(world: Any) -> None:
    desk, hot = world.actors.desk, world.actors.quote_signer
    wallet = wallet_of(world, desk, "BTC")
    quote = world.quote(maker=wallet)
    assert refused(world, world.fill_data(quote)).name == "SignerNotAllowed"
    allow = calldata("setSigner(address,bool)", hot.address, True)
    world.call(desk, wallet, "exec(address,bytes)", world.at("settlement"), allow)
    sends(world, world.fill_data(quote))


def test_a_contract_may_be_a_delegate_too(world: Any) -> None:
    wallet = world.create("SmartWallet", ["address"], [STRANGER.address])
    world.call(world.actors.desk, world.at("settlement"), "setSigner(address,bool)", wallet, True)
    quote = world.quote(signer=wallet)
    signature = sign_quote(quote, key=STRANGER, book=world.book)
    sends(world, world.fill_data(quote, makers=signature))


@pytest.mark.parametrize(
    "answer",
    [
        MAGIC,
        MAGIC + bytes(27),
        b"\xff" * 32,
        bytes(32),
        bytes(28) + MAGIC,
        b"\x16\x26\xba\x7f" + bytes(28),
    ],
)
def test_only_the_magic_word_is_a_yes(world: Any, answer: bytes) -> None:
    wallet = wallet_of(world, world.actors.desk, "BTC")
    data = maker_fill(world, wallet, world.actors.desk)
    world.call(world.actors.deployer, wallet, "rig(bytes)", answer)
    assert refused(world, data).name == "WrongSignature"


def test_a_contract_that_answers_no_question_signs_nothing(world: Any) -> None:
    token = world.book.token("BTC")
    data = maker_fill(world, token, world.actors.desk)
    assert refused(world, data).name == "WrongSignature"


def test_an_account_with_key_and_code_signs_with_its_key(world: Any) -> None:
    """As under EIP-7702: the code does not know ERC-1271, and is not asked."""
    desk = world.actors.desk
    world.rpc("anvil_setCode", desk.address, "0xef0100" + world.book.token("BTC")[2:].lower())
    quote = world.quote(signer=desk.address)
    sends(world, world.fill_data(quote, maker_key=desk))


def test_a_contract_signs_a_statement(world: Any) -> None:
    desk = world.actors.desk
    wallet = wallet_of(world, desk, "BTC")
    trade = world.trade(nonce=3)
    statement = statement_of([trade], world.book)
    changed = replace(statement, maker=wallet, signer=wallet)
    assert refused(world, world.statement_data(changed, maker=STRANGER)).name == "WrongSignature"
    sends(world, world.statement_data(changed, maker=desk))


def test_a_chain_without_permit2_says_so(world: Any) -> None:
    settlement = world.create("Settlement", ["uint256", "address"], [100, ZERO])
    quote = (*[ZERO] * 5, 0, 0, 0, 0, ZERO, 0, 0, 0, bytes(32))
    data = calldata(FILL_WITH_PERMIT, quote, b"", (bytes(32), 0, ZERO), (0, 0, b""))
    assert world.refusal(world.actors.deployer, settlement, data).name == "NoPermit2"
