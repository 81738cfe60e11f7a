"""Settlement: what settles, and everything that must not."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils.crypto import keccak

from dmm.adapters.evm.batches import compact
from dmm.adapters.evm.codec import (
    ACCEPTANCE_MEMBERS,
    QUOTE_MEMBERS,
    QUOTE_TUPLE,
    Book,
    calldata,
    quote_digest,
    quote_values,
)
from dmm.adapters.evm.eip712 import digest, struct_of, type_hash
from dmm.adapters.evm.sign import Key, sign_quote
from dmm.rfq.protocol import Acceptance
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent
from dmm.units.ids import Hash32

TAKE = f"take({QUOTE_TUPLE},bytes,uint256,address,uint256)"
TAKE_WHOLE = f"takeWhole({QUOTE_TUPLE},bytes32,bytes32)"
ZERO = "0x" + "00" * 20
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
STRANGER = Key(b"\x11" * 32)


def take_data(world: Any, quote: Any, *, min_output: int = 1, key: Key | None = None) -> bytes:
    signature = sign_quote(quote, key=key or world.actors.quote_signer, book=world.book)
    return calldata(
        TAKE,
        quote_values(quote, world.book),
        signature,
        quote.taker_amount,
        world.actors.takers[1].address,
        min_output,
    )


def test_a_fill_moves_both_legs_and_says_so(world: Any) -> None:
    quote, taker = world.quote(), world.actors.takers[0].address
    desk = world.actors.desk.address
    before = world.balances()
    receipt = world.send(funded_stranger(world), world.at("settlement"), world.fill_data(quote))
    assert int(receipt["status"], 16) == 1
    after = world.balances()
    assert after["BTC", desk] == before["BTC", desk] - 250_000_000
    assert after["BTC", taker] == before["BTC", taker] + 250_000_000
    assert after["USDT", desk] == before["USDT", desk] + 150_000_000_000
    assert after["USDT", taker] == before["USDT", taker] - 150_000_000_000
    event = world.log(receipt, "Settlement", "Filled")
    assert event["quoteId"] == quote.quote_id
    assert event["maker"] == desk.lower()
    assert (event["nonce"], event["amount"]) == (7, 150_000_000_000)
    assert world.balance("USDT", world.at("settlement")) == 0


def funded_stranger(world: Any) -> Key:
    """Anyone may relay: an account that has nothing to do with the quote."""
    world.rpc("anvil_setBalance", STRANGER.address, hex(10**18))
    return STRANGER


def test_the_fee_is_rounded_up_and_the_maker_pays_its_amount_whatever_the_fee(world: Any) -> None:
    quote = world.quote(maker_amount=Atoms(100_000_001), fee_bps=33)
    desk, taker = world.actors.desk.address, world.actors.takers[0].address
    before = world.balances()
    world.send(world.actors.deployer, world.at("settlement"), world.fill_data(quote))
    fee = 330_001  # 100,000,001 * 33 / 10,000 = 330,000.0033
    after = world.balances()
    assert after["BTC", desk] == before["BTC", desk] - 100_000_001
    assert after["BTC", taker] == before["BTC", taker] + 100_000_001 - fee
    assert world.balance("BTC", quote.fee_recipient) == fee


def test_a_taker_may_send_the_proceeds_elsewhere(world: Any) -> None:
    quote, elsewhere = world.quote(), world.actors.providers[0].address
    acceptance = Acceptance(quote_id=quote.quote_id, amount=quote.taker_amount, recipient=elsewhere)
    data = world.fill_data(quote, acceptance=acceptance)
    assert int(world.send(world.actors.deployer, world.at("settlement"), data)["status"], 16) == 1
    assert world.balance("BTC", elsewhere) == 250_000_000


def test_nonces_may_be_used_in_any_order(world: Any) -> None:
    for nonce in (256, 3, 2**256 - 1, 255):
        data = world.fill_data(world.quote(nonce=nonce))
        receipt = world.send(world.actors.deployer, world.at("settlement"), data)
        assert int(receipt["status"], 16) == 1, nonce


def test_a_replay_is_refused_by_any_sender(world: Any) -> None:
    data = world.fill_data(world.quote())
    world.send(world.actors.deployer, world.at("settlement"), data)
    for sender in (world.actors.deployer, world.actors.takers[0], world.actors.desk):
        assert world.refusal(sender, world.at("settlement"), data).name == "NonceUsed"


def test_another_quote_under_a_used_nonce_is_refused(world: Any) -> None:
    world.send(world.actors.deployer, world.at("settlement"), world.fill_data(world.quote()))
    other = world.fill_data(world.quote(maker_amount=Atoms(1)))
    refusal = world.refusal(world.actors.deployer, world.at("settlement"), other)
    assert (refusal.name, refusal.values) == ("NonceUsed", (7,))


def test_a_fill_settles_until_and_including_settle_by(world: Any) -> None:
    quote = world.quote()
    data = world.fill_data(quote)
    refusal = world.refusal(
        world.actors.deployer, world.at("settlement"), data, at_s=quote.settle_by_s + 1
    )
    assert refusal.name == "QuoteExpired"
    assert refusal.values == (quote.settle_by_s, quote.settle_by_s + 1)


def test_settle_by_itself_is_in_time(world: Any) -> None:
    quote = world.quote()
    world.next_at(quote.settle_by_s)
    data = world.fill_data(quote)
    assert int(world.send(world.actors.deployer, world.at("settlement"), data)["status"], 16) == 1


def test_a_take_passes_at_expiry_and_not_after(world: Any) -> None:
    quote = world.quote(taker=world.actors.takers[1].address)
    data, taker = take_data(world, quote), world.actors.takers[1]
    world.next_at(quote.expiry_s)
    assert int(world.send(taker, world.at("settlement"), data)["status"], 16) == 1
    late = world.quote(taker=taker.address, nonce=8)
    refusal = world.refusal(
        taker, world.at("settlement"), take_data(world, late), at_s=late.expiry_s + 1
    )
    assert refusal.values == (late.expiry_s, late.expiry_s + 1)


def test_a_quote_that_lives_too_long_is_refused(world: Any) -> None:
    longest = world.read(world.at("settlement"), "lifetimeMax()")
    quote = world.quote(settle_by_s=world.now_s() + longest + 1_000)
    refusal = world.refusal(world.actors.deployer, world.at("settlement"), world.fill_data(quote))
    assert refusal.name == "LifetimeTooLong"
    assert refusal.values[0] == quote.settle_by_s


def test_only_the_bound_taker_fills_and_takes(world: Any) -> None:
    quote, other = world.quote(), world.actors.takers[1]
    filled = world.refusal(other, world.at("settlement"), world.fill_data(quote, taker_key=other))
    assert (filled.name, filled.values) == ("WrongTaker", (other.address.lower(),))
    taken = world.refusal(other, world.at("settlement"), take_data(world, quote))
    assert (taken.name, taken.values) == ("WrongTaker", (other.address.lower(),))


def test_an_acceptance_of_another_quote_under_the_same_id_is_refused(world: Any) -> None:
    """Two quotes may carry one id; what the taker signed covers the whole of one of them."""
    good = world.quote()
    worse = list(quote_values(world.quote(maker_amount=Atoms(1)), world.book))
    worse[-1] = good.quote_id
    digest_source = world.quote(maker_amount=Atoms(1))
    assert digest_source.quote_id != good.quote_id
    maker_sig = world.actors.quote_signer.sign_digest(
        digest(
            domain=world.book.domain(), struct_hash=struct_of("Quote", QUOTE_MEMBERS).hash(worse)
        )
    )
    data = world.fill_data(good, makers=maker_sig, values=tuple(worse))
    assert world.refusal(world.actors.deployer, world.at("settlement"), data).name == "WrongTaker"


def test_an_acceptance_must_name_this_quote(world: Any) -> None:
    quote, taker = world.quote(), world.actors.takers[0].address
    other = Acceptance(quote_id=Hash32(b"\x05" * 32), amount=quote.taker_amount, recipient=taker)
    refusal = world.refusal(
        world.actors.deployer, world.at("settlement"), world.fill_data(quote, acceptance=other)
    )
    assert (refusal.name, refusal.values) == ("WrongAcceptance", (b"\x05" * 32,))


def test_a_quote_without_parts_is_filled_whole_or_not(world: Any) -> None:
    quote, taker = world.quote(), world.actors.takers[0].address
    for amount in (quote.taker_amount - 1, quote.taker_amount + 1):
        part = Acceptance(quote_id=quote.quote_id, amount=Atoms(amount), recipient=taker)
        refusal = world.refusal(
            world.actors.deployer, world.at("settlement"), world.fill_data(quote, acceptance=part)
        )
        assert (refusal.name, refusal.values) == ("WrongAmount", (amount,))


def test_a_stranger_signs_no_quotes(world: Any) -> None:
    data = world.fill_data(world.quote(), maker_key=STRANGER)
    refusal = world.refusal(world.actors.deployer, world.at("settlement"), data)
    assert (refusal.name, refusal.values) == ("WrongSignature", (STRANGER.address.lower(),))


def test_a_key_nobody_delegated_to_signs_no_quotes(world: Any) -> None:
    data = world.fill_data(world.quote(signer=STRANGER.address), maker_key=STRANGER)
    refusal = world.refusal(world.actors.deployer, world.at("settlement"), data)
    assert (refusal.name, refusal.values) == ("SignerNotAllowed", (STRANGER.address.lower(),))


def test_a_revoked_key_signs_nothing_from_the_next_transaction_on(world: Any) -> None:
    hot = world.actors.quote_signer.address
    data = world.fill_data(world.quote())
    world.call(world.actors.desk, world.at("settlement"), "setSigner(address,bool)", hot, False)
    refusal = world.refusal(world.actors.deployer, world.at("settlement"), data)
    assert (refusal.name, refusal.values) == ("SignerNotAllowed", (hot.lower(),))


def test_a_delegate_of_one_maker_does_not_sign_for_another(world: Any) -> None:
    maker = world.actors.market_maker.address
    data = world.fill_data(world.quote(maker=maker))
    refusal = world.refusal(world.actors.deployer, world.at("settlement"), data)
    assert refusal.name == "SignerNotAllowed"


def test_a_maker_signs_its_own_quotes(world: Any) -> None:
    desk = world.actors.desk
    data = world.fill_data(world.quote(signer=desk.address), maker_key=desk)
    assert int(world.send(world.actors.deployer, world.at("settlement"), data)["status"], 16) == 1


def test_nobody_delegates_to_the_zero_address(world: Any) -> None:
    data = calldata("setSigner(address,bool)", "0x" + "00" * 20, True)
    refusal = world.refusal(world.actors.desk, world.at("settlement"), data)
    assert refusal.name == "ZeroAddress"


def test_a_signature_that_recovers_to_nobody_is_refused_even_for_signer_zero(world: Any) -> None:
    values = list(quote_values(world.quote(), world.book))
    values[1] = "0x" + "00" * 20
    data = world.fill_data(world.quote(), makers=b"\x01" * 64 + b"\x1d", values=tuple(values))
    refusal = world.refusal(world.actors.deployer, world.at("settlement"), data)
    # The quote changed, so the taker's word on it is the first thing that does not hold.
    assert refusal.name == "WrongTaker"
    nobody = b"\x01" * 64 + b"\x1d"
    whole = values[6]
    for taken in (
        calldata(TAKE, tuple(values), nobody, whole, STRANGER.address, 1),
        calldata(TAKE_WHOLE, tuple(values), bytes(32), bytes(32)),
    ):
        refusal = world.refusal(world.actors.takers[0], world.at("settlement"), taken)
        assert (refusal.name, refusal.values) == ("WrongSignature", (ZERO,))


def test_a_high_s_signature_is_refused(world: Any) -> None:
    quote = world.quote()
    low = world.actors.quote_signer.sign_digest(quote_digest(quote, world.book))
    s = ORDER - int.from_bytes(low[32:64], "big")
    high = low[:32] + s.to_bytes(32, "big") + bytes([55 - low[64]])
    refusal = world.refusal(
        world.actors.deployer, world.at("settlement"), world.fill_data(quote, makers=high)
    )
    assert (refusal.name, refusal.values) == ("WrongSignature", (ZERO,))


@pytest.mark.parametrize("length", [63, 66, 1])
def test_a_signature_of_another_length_is_refused(world: Any, length: int) -> None:
    data = world.fill_data(world.quote(), makers=b"\x01" * length)
    refusal = world.refusal(world.actors.deployer, world.at("settlement"), data)
    assert (refusal.name, refusal.values) == ("WrongSignature", (ZERO,))


def test_a_signature_may_come_in_the_compact_form(world: Any) -> None:
    quote = world.quote()
    r, vs = compact(sign_quote(quote, key=world.actors.quote_signer, book=world.book))
    data = world.fill_data(quote, makers=r + vs)
    assert int(world.send(world.actors.deployer, world.at("settlement"), data)["status"], 16) == 1


def _altered(world: Any, index: int, value: object) -> bytes:
    """Return a fill whose quote differs in one member and is honestly signed as such."""
    values = list(quote_values(world.quote(), world.book))
    values[index] = value
    quote_hash = struct_of("Quote", QUOTE_MEMBERS).hash(values)
    domain, taker = world.book.domain(), world.actors.takers[0]
    makers = world.actors.quote_signer.sign_digest(digest(domain=domain, struct_hash=quote_hash))
    accepted = (values[13], quote_hash, values[6], taker.address)
    takers = taker.sign_digest(
        digest(
            domain=domain, struct_hash=struct_of("Acceptance", ACCEPTANCE_MEMBERS).hash(accepted)
        )
    )
    acceptance = Acceptance(
        quote_id=Hash32(values[13]), amount=Atoms(values[6]), recipient=taker.address
    )
    return world.fill_data(
        world.quote(), makers=makers, takers=takers, acceptance=acceptance, values=tuple(values)
    )


@pytest.mark.parametrize(
    ("index", "value", "error"),
    [
        (8, 501, "FeeTooHigh"),
        (5, 0, "ZeroAmount"),
        (6, 0, "ZeroAmount"),
    ],
)
def test_terms_outside_the_limits_are_refused(
    world: Any, index: int, value: int, error: str
) -> None:
    data = _altered(world, index, value)
    assert world.refusal(world.actors.deployer, world.at("settlement"), data).name == error


def test_a_fee_at_the_cap_passes(world: Any) -> None:
    data = world.fill_data(world.quote(fee_bps=500))
    assert int(world.send(world.actors.deployer, world.at("settlement"), data)["status"], 16) == 1


def test_one_token_for_itself_is_refused(world: Any) -> None:
    data = _altered(world, 4, world.book.token("BTC"))
    assert world.refusal(world.actors.deployer, world.at("settlement"), data).name == "SameToken"


def test_a_token_without_code_is_refused(world: Any) -> None:
    for index in (3, 4):
        data = _altered(world, index, STRANGER.address)
        refusal = world.refusal(world.actors.deployer, world.at("settlement"), data)
        assert (refusal.name, refusal.values) == ("TransferFailed", (STRANGER.address.lower(),))


def test_a_recipient_of_zero_is_refused(world: Any) -> None:
    quote = world.quote(taker=world.actors.takers[1].address)
    signature = sign_quote(quote, key=world.actors.quote_signer, book=world.book)
    values = quote_values(quote, world.book)
    data = calldata(TAKE, values, signature, quote.taker_amount, ZERO, 0)
    refusal = world.refusal(world.actors.takers[1], world.at("settlement"), data)
    assert refusal.name == "ZeroAddress"


def test_less_than_the_minimum_output_is_refused(world: Any) -> None:
    quote = world.quote(taker=world.actors.takers[1].address, fee_bps=10)
    data = take_data(world, quote, min_output=249_750_001)
    refusal = world.refusal(world.actors.takers[1], world.at("settlement"), data)
    assert (refusal.name, refusal.values) == ("OutputTooLow", (249_750_000,))


def test_a_cancelled_nonce_is_refused_and_only_the_maker_cancels(world: Any) -> None:
    data = world.fill_data(world.quote())
    cancel = ("cancel(uint256,uint256)", 0, 1 << 7)
    world.call(world.actors.takers[0], world.at("settlement"), *cancel)
    mark = world.rpc("evm_snapshot")
    assert int(world.send(world.actors.deployer, world.at("settlement"), data)["status"], 16) == 1
    world.rpc("evm_revert", mark)
    receipt = world.call(world.actors.desk, world.at("settlement"), *cancel)
    assert world.log(receipt, "Settlement", "Cancelled")["mask"] == 1 << 7
    assert world.refusal(world.actors.deployer, world.at("settlement"), data).values == (7,)


def test_a_filled_nonce_never_looks_cancelled(world: Any) -> None:
    world.send(world.actors.deployer, world.at("settlement"), world.fill_data(world.quote()))
    world.call(world.actors.desk, world.at("settlement"), "cancel(uint256,uint256)", 0, 2**256 - 1)
    desk = world.actors.desk.address
    words = "(address,uint256)"
    assert world.read(world.at("settlement"), f"usedNonces{words}", desk, 0) == 2**256 - 1
    cancelled = world.read(world.at("settlement"), f"cancelledNonces{words}", desk, 0)
    assert cancelled == 2**256 - 1 - (1 << 7)


def test_a_missing_allowance_moves_nothing_and_burns_no_nonce(world: Any) -> None:
    data = world.fill_data(world.quote())
    for owner, symbol in ((world.actors.takers[0], "USDT"), (world.actors.desk, "BTC")):
        mark = world.rpc("evm_snapshot")
        world.call(
            owner, world.book.token(symbol), "approve(address,uint256)", world.at("settlement"), 5
        )
        refusal = world.refusal(world.actors.deployer, world.at("settlement"), data)
        assert refusal.name == "ERC20InsufficientAllowance"
        world.rpc("evm_revert", mark)
    assert int(world.send(world.actors.deployer, world.at("settlement"), data)["status"], 16) == 1


def test_a_maker_without_the_inventory_is_refused(world: Any) -> None:
    data = world.fill_data(world.quote(maker_amount=Atoms(10**20)))
    refusal = world.refusal(world.actors.deployer, world.at("settlement"), data)
    assert refusal.name == "ERC20InsufficientBalance"


def test_a_quote_for_another_contract_or_chain_is_refused(world: Any) -> None:
    quote = world.quote()
    for chain_id in (1, 31_338):
        elsewhere = Book(chain_id=chain_id, deployments={})
        elsewhere._addresses = world.book._addresses
        signature = sign_quote(quote, key=world.actors.quote_signer, book=elsewhere)
        data = world.fill_data(quote, makers=signature)
        refusal = world.refusal(world.actors.deployer, world.at("settlement"), data)
        assert refusal.name == "WrongSignature"
    with pytest.raises(Permanent, match="not for our settlement"):
        quote_values(world.quote(contract=world.at("treasury")), world.book)


def test_the_cheap_way_takes_the_whole_quote_for_its_sender(world: Any) -> None:
    taker = world.actors.takers[1]
    quote = world.quote(taker=taker.address, fee_bps=33)
    before = world.balances()
    receipt = world.send(taker, world.at("settlement"), take_whole_data(world, quote))
    assert int(receipt["status"], 16) == 1
    after = world.balances()
    fee = 825_000
    assert after["BTC", taker.address] - before["BTC", taker.address] == 250_000_000 - fee
    assert before["USDT", taker.address] - after["USDT", taker.address] == 150_000_000_000
    assert world.balance("BTC", quote.fee_recipient) == fee


def take_whole_data(world: Any, quote: Any, *, key: Key | None = None) -> bytes:
    signer = key or world.actors.quote_signer
    r, vs = compact(sign_quote(quote, key=signer, book=world.book))
    return calldata(TAKE_WHOLE, quote_values(quote, world.book), r, vs)


def test_the_cheap_way_refuses_what_the_others_refuse(world: Any) -> None:
    taker, settlement = world.actors.takers[1], world.at("settlement")
    quote = world.quote(taker=taker.address)
    other = world.refusal(world.actors.takers[0], settlement, take_whole_data(world, quote))
    assert other.name == "WrongTaker"
    forged = world.refusal(taker, settlement, take_whole_data(world, quote, key=STRANGER))
    assert (forged.name, forged.values) == ("WrongSignature", (STRANGER.address.lower(),))
    late = world.quote(taker=taker.address)
    data = take_whole_data(world, late)
    refusal = world.refusal(taker, settlement, data, at_s=late.expiry_s + 1)
    assert refusal.name == "QuoteExpired"
    quote = world.quote(taker=taker.address)
    data = take_whole_data(world, quote)
    assert int(world.send(taker, settlement, data)["status"], 16) == 1
    assert world.refusal(taker, settlement, data).name == "NonceUsed"


def part(world: Any, *, least: int, amount: int, fee_bps: int = 0, **change: Any) -> bytes:
    """Return a fill of a part of a quote whose maker allows parts from `least` on."""
    quote = world.quote(fee_bps=fee_bps, **change)
    values = list(quote_values(quote, world.book))
    values[7] = least
    quote_hash = struct_of("Quote", QUOTE_MEMBERS).hash(values)
    domain, taker = world.book.domain(), world.actors.takers[0]
    accepted = struct_of("Acceptance", ACCEPTANCE_MEMBERS).hash(
        (quote.quote_id, quote_hash, amount, taker.address)
    )
    return world.fill_data(
        quote,
        values=tuple(values),
        makers=world.actors.quote_signer.sign_digest(digest(domain=domain, struct_hash=quote_hash)),
        takers=taker.sign_digest(digest(domain=domain, struct_hash=accepted)),
        acceptance=Acceptance(
            quote_id=quote.quote_id, amount=Atoms(amount), recipient=taker.address
        ),
    )


def test_a_part_is_rounded_in_favour_of_its_giver_and_uses_the_nonce_up(world: Any) -> None:
    desk, taker = world.actors.desk.address, world.actors.takers[0].address
    before = world.balances()
    data = part(
        world,
        least=50_000_000_000,
        amount=100_000_000_001,
        fee_bps=33,
        maker_amount=Atoms(250_000_003),
    )
    assert int(world.send(world.actors.deployer, world.at("settlement"), data)["status"], 16) == 1
    after = world.balances()
    given = 166_666_668  # floor(250,000,003 * 100,000,000,001 / 150,000,000,000)
    fee = 550_001  # ceil(166,666,668 * 33 / 10,000)
    assert before["BTC", desk] - after["BTC", desk] == given
    assert after["BTC", taker] - before["BTC", taker] == given - fee
    assert after["USDT", desk] - before["USDT", desk] == 100_000_000_001
    rest = part(world, least=1, amount=1_000_000, maker_amount=Atoms(250_000_003))
    assert world.refusal(world.actors.deployer, world.at("settlement"), rest).name == "NonceUsed"


@pytest.mark.parametrize(
    ("least", "amount", "error"),
    [
        (50_000_000_000, 49_999_999_999, "WrongAmount"),
        (1, 150_000_000_001, "WrongAmount"),
        (1, 0, "WrongAmount"),
        (0, 0, "ZeroAmount"),
        (1, 1, "ZeroAmount"),
    ],
)
def test_a_part_outside_its_limits_or_worth_nothing_is_refused(
    world: Any, least: int, amount: int, error: str
) -> None:
    data = part(world, least=least, amount=amount)
    assert world.refusal(world.actors.deployer, world.at("settlement"), data).name == error


def test_a_part_of_amounts_near_the_word_s_end_does_not_overflow(world: Any) -> None:
    data = part(
        world,
        least=1,
        amount=2**255 - 19,
        maker_amount=Atoms(2**256 - 1),
        taker_amount=Atoms(2**255),
    )
    refusal = world.refusal(world.actors.deployer, world.at("settlement"), data)
    assert refusal.name == "ERC20InsufficientBalance"


def test_a_fee_to_nobody_is_refused(world: Any) -> None:
    values = list(quote_values(world.quote(fee_bps=5), world.book))
    values[9] = ZERO
    quote_hash = struct_of("Quote", QUOTE_MEMBERS).hash(values)
    signed = digest(domain=world.book.domain(), struct_hash=quote_hash)
    signature = world.actors.quote_signer.sign_digest(signed)
    taker = world.actors.takers[0]
    data = calldata(TAKE, tuple(values), signature, values[6], taker.address, 1)
    assert world.refusal(taker, world.at("settlement"), data).name == "ZeroAddress"


def test_a_maker_rotates_its_hot_key_in_one_step(world: Any) -> None:
    desk, hot = world.actors.desk, world.actors.quote_signer
    old, new = world.fill_data(world.quote()), world.quote(signer=STRANGER.address, nonce=8)
    settlement, rotate = world.at("settlement"), "rotateSigner(address,address)"
    world.call(desk, settlement, rotate, hot.address, STRANGER.address)
    assert world.refusal(world.actors.deployer, settlement, old).name == "SignerNotAllowed"
    data = world.fill_data(new, maker_key=STRANGER)
    assert int(world.send(world.actors.deployer, settlement, data)["status"], 16) == 1
    again = calldata(rotate, hot.address, STRANGER.address)
    assert world.refusal(desk, settlement, again).values == (hot.address.lower(),)


def test_a_delegate_neither_delegates_nor_cancels_for_its_maker(world: Any) -> None:
    hot, settlement = world.actors.quote_signer, world.at("settlement")
    data = world.fill_data(world.quote())
    world.call(hot, settlement, "cancel(uint256,uint256)", 0, 2**256 - 1)
    world.call(hot, settlement, "setSigner(address,bool)", STRANGER.address, True)
    stranger = world.fill_data(world.quote(signer=STRANGER.address), maker_key=STRANGER)
    assert world.refusal(hot, settlement, stranger).name == "SignerNotAllowed"
    assert int(world.send(world.actors.deployer, settlement, data)["status"], 16) == 1


@pytest.mark.parametrize("index", [0, 1, 2, 3, 4, 8, 9, 10, 11])
def test_bits_above_a_member_s_type_change_the_hash_and_nothing_else(
    world: Any, index: int
) -> None:
    """Only its signer can make such a quote, and it uses the same nonce up as the clean one."""
    taker, quote = world.actors.takers[0], world.quote(fee_bps=33)
    clean = calldata(TAKE_WHOLE, quote_values(quote, world.book), bytes(32), bytes(32))
    words = [clean[4 + 32 * i : 36 + 32 * i] for i in range(len(QUOTE_MEMBERS))]
    words[index] = b"\x80" + words[index][1:]
    quote_hash = keccak(type_hash(struct_of("Quote", QUOTE_MEMBERS).type_string) + b"".join(words))
    signed = digest(domain=world.book.domain(), struct_hash=quote_hash)
    r, vs = compact(world.actors.quote_signer.sign_digest(signed))
    unsigned = clean[:4] + b"".join(words) + take_whole_data(world, quote)[-64:]
    assert world.refusal(taker, world.at("settlement"), unsigned).name == "WrongSignature"
    before = world.balances()
    dirty = clean[:4] + b"".join(words) + r + vs
    assert int(world.send(taker, world.at("settlement"), dirty)["status"], 16) == 1
    after = world.balances()
    assert after["BTC", taker.address] - before["BTC", taker.address] == 250_000_000 - 825_000
    refusal = world.refusal(taker, world.at("settlement"), take_whole_data(world, quote))
    assert (refusal.name, refusal.values) == ("NonceUsed", (7,))
