"""Netting: a batch moves the sums and nothing else, and everything about it was signed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import decode
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dmm.adapters.evm.batches import (
    NET,
    NO_SIGNATURE,
    Statement,
    amounts_of,
    batch_tree,
    net_calldata,
    statement_of,
)
from dmm.adapters.evm.codec import Book, calldata, quote_hash, split_types
from dmm.adapters.evm.sign import Key
from dmm.treasury.merkle import is_proven
from dmm.units.errors import Permanent

STRANGER = Key(b"\x11" * 32)
ZERO = "0x" + "00" * 20


def mixed(world: Any, count: int, *, start: int = 250, **change: Any) -> list[Any]:
    """Return quotes in both directions, over a border between nonce words."""
    return [world.trade(nonce=start + i, sells=i % 3 != 0, **change) for i in range(count)]


def settles(world: Any, data: bytes, *, by: Key | None = None) -> dict[str, Any]:
    receipt: dict[str, Any] = world.send(by or world.actors.deployer, world.at("settlement"), data)
    assert int(receipt["status"], 16) == 1
    return receipt


def refused(world: Any, data: bytes, **at: int) -> Any:
    return world.refusal(world.actors.deployer, world.at("settlement"), data, **at)


def expected(world: Any, trades: list[Any]) -> dict[tuple[str, str], int]:
    """Return what gross settlement of every quote would move in all."""
    moved: dict[tuple[str, str], int] = {}

    def move(asset: str, payer: str, payee: str, amount: int) -> None:
        moved[asset, payer] = moved.get((asset, payer), 0) - amount
        moved[asset, payee] = moved.get((asset, payee), 0) + amount

    for trade in trades:
        quote = trade.quote
        given_atoms, fee = amounts_of(trade)
        move(quote.taker_asset, quote.taker, quote.maker, trade.acceptance.amount)
        move(quote.maker_asset, quote.maker, trade.acceptance.recipient, given_atoms - fee)
        move(quote.maker_asset, quote.maker, quote.fee_recipient, fee)
    return {key: change for key, change in moved.items() if change}


def moved_between(before: dict[Any, int], after: dict[Any, int]) -> dict[Any, int]:
    return {key: after[key] - before[key] for key in after if after[key] != before[key]}


def transfers(receipt: dict[str, Any]) -> int:
    topic = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
    return sum(log["topics"][0] == topic for log in receipt["logs"])


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sides=st.lists(st.booleans(), min_size=1, max_size=6),
    start=st.sampled_from([0, 7, 253, 2**256 - 8]),
    fee_bps=st.sampled_from([0, 33]),
    as_statement=st.booleans(),
)
def test_a_batch_moves_what_its_quotes_would_move_one_by_one(
    world: Any, sides: list[bool], start: int, fee_bps: int, as_statement: bool
) -> None:
    with world.undone():
        trades = [
            world.trade(nonce=start + i, sells=sells, fee_bps=fee_bps)
            for i, sells in enumerate(sides)
        ]
        data = (
            world.statement_data(statement_of(trades, world.book))
            if as_statement
            else net_calldata(trades, world.book)
        )
        before = world.balances()
        receipt = settles(world, data)
        assert moved_between(before, world.balances()) == expected(world, trades)
        assert transfers(receipt) <= (4 if fee_bps else 2)
        desk = world.actors.desk.address
        for trade in trades:
            word = world.read(
                world.at("settlement"), "usedNonces(address,uint256)", desk, trade.quote.nonce >> 8
            )
            assert word >> (trade.quote.nonce & 255) & 1
            alone = world.fill_data(trade.quote, maker_key=world.actors.quote_signer)
            assert refused(world, alone).name == "NonceUsed"


def test_a_net_says_of_every_quote_that_it_was_filled(world: Any) -> None:
    trades = mixed(world, 5)
    topic = "0x" + keccak(text="Filled(bytes32,address,uint256,uint256)").hex()
    receipt = settles(world, net_calldata(trades, world.book))
    logs = [log for log in receipt["logs"] if log["topics"][0] == topic]
    assert [log["topics"][1] for log in logs] == [
        "0x" + trade.quote.quote_id.hex() for trade in trades
    ]
    told = [decode(["uint256", "uint256"], bytes.fromhex(log["data"][2:])) for log in logs]
    assert told == [(trade.quote.nonce, trade.acceptance.amount) for trade in trades]


def test_quotes_of_a_statement_are_provable_from_its_event(world: Any) -> None:
    trades = mixed(world, 7)
    statement = statement_of(trades, world.book)
    event = world.log(
        settles(world, world.statement_data(statement)), "Settlement", "StatementSettled"
    )
    assert event["batchRoot"] == statement.batch_root
    assert event["count"] == 7
    assert event["words"] == statement.words == ((0, 0b111111 << 250), (1, 1))
    tree = batch_tree([trade.quote for trade in trades], world.book)
    for trade in trades:
        leaf = quote_hash(trade.quote, world.book)
        assert is_proven(leaf, tree.proof(leaf), root=event["batchRoot"], hash_bytes=keccak)
    foreign = quote_hash(world.trade(nonce=999).quote, world.book)
    assert not is_proven(foreign, tree.proof(leaf), root=event["batchRoot"], hash_bytes=keccak)


def test_who_sends_a_net_need_not_sign_it_and_everybody_else_must(world: Any) -> None:
    taker, desk = world.actors.takers[0], world.actors.desk
    unsigned = [replace(trade, taker_signature=NO_SIGNATURE) for trade in mixed(world, 3)]
    data = net_calldata(unsigned, world.book)
    assert refused(world, data).name == "WrongTaker"
    assert world.refusal(desk, world.at("settlement"), data).name == "WrongTaker"
    settles(world, data, by=taker)
    other = [replace(trade, maker_signature=NO_SIGNATURE) for trade in mixed(world, 3, start=9)]
    data = net_calldata(other, world.book)
    refusal = world.refusal(taker, world.at("settlement"), data)
    assert (refusal.name, refusal.values) == ("WrongSignature", (ZERO,))
    settles(world, data, by=desk)


def test_one_bad_quote_refuses_the_whole_net(world: Any) -> None:
    trades = mixed(world, 4)
    forged = STRANGER.sign_digest(bytes(range(32)))
    for signature in ("maker_signature", "taker_signature"):
        data = net_calldata([*trades[:3], replace(trades[3], **{signature: forged})], world.book)
        assert refused(world, data).name in ("WrongSignature", "WrongTaker")
    late = world.trade(nonce=900, expiry_s=world.now_s() + 1, settle_by_s=world.now_s() + 1)
    data = net_calldata([*trades, late], world.book)
    assert refused(world, data, at_s=late.quote.settle_by_s + 1).name == "QuoteExpired"
    settles(world, net_calldata(mixed(world, 4), world.book))


def test_a_nonce_counts_once_inside_a_batch_and_outside(world: Any) -> None:
    twice = [world.trade(nonce=5), world.trade(nonce=5, sells=False)]
    assert refused(world, net_calldata(twice, world.book)).values == (5,)
    with pytest.raises(Permanent, match="share a nonce"):
        statement_of(twice, world.book)
    settles(world, net_calldata([world.trade(nonce=5)], world.book))
    again = [world.trade(nonce=600), world.trade(nonce=5)]
    assert refused(world, net_calldata(again, world.book)).values == (5,)
    statement = statement_of([world.trade(nonce=4), world.trade(nonce=5)], world.book)
    assert refused(world, world.statement_data(statement)).values == (5,)


def test_the_words_of_nonces_are_written_in_whatever_order_they_come(world: Any) -> None:
    order = [3, 700, 4, 701, 256]
    settles(world, net_calldata([world.trade(nonce=nonce) for nonce in order], world.book))
    desk, used = world.actors.desk.address, "usedNonces(address,uint256)"
    words = [world.read(world.at("settlement"), used, desk, word) for word in (0, 1, 2)]
    assert words == [0b11000, 1, 0b11 << (700 - 512)]


def rows_of(data: bytes) -> tuple[list[Any], list[list[Any]]]:
    terms, rows = decode(split_types(NET[NET.index("(") + 1 : -1]), data[4:])
    return list(terms), [list(row) for row in rows]


@pytest.mark.parametrize(
    ("index", "value", "error"),
    [
        (0, ZERO, "SignerNotAllowed"),
        (1, ZERO, "ZeroAddress"),
        (2, ZERO, "ZeroAddress"),
        (3, ZERO, "ZeroAddress"),
        (6, 501, "WrongSignature"),
        (7, STRANGER.address, "WrongSignature"),
        (3, STRANGER.address, "WrongTaker"),
        (1, STRANGER.address, "SignerNotAllowed"),
    ],
)
def test_terms_that_were_not_signed_are_refused(
    world: Any, index: int, value: object, error: str
) -> None:
    terms, rows = rows_of(net_calldata(mixed(world, 2), world.book))
    terms[index] = value
    assert refused(world, calldata(NET, terms, rows)).name == error


def test_a_net_has_a_last_second_of_its_own_below_its_quotes(world: Any) -> None:
    trades = mixed(world, 2)
    terms, rows = rows_of(net_calldata(trades, world.book))
    earliest_s, terms[8] = terms[8], 1_700_000_000
    refusal = refused(world, calldata(NET, terms, rows))
    assert (refusal.name, refusal.values[0]) == ("QuoteExpired", terms[8])
    with pytest.raises(Permanent, match="earliest quote"):
        net_calldata(trades, world.book, settle_by_s=earliest_s + 1)
    settles(world, net_calldata(trades, world.book))


@pytest.mark.parametrize("index", range(9))
def test_a_row_that_was_not_signed_is_refused(world: Any, index: int) -> None:
    terms, rows = rows_of(net_calldata(mixed(world, 2), world.book))
    changed = rows[1]
    changed[index] = (
        not changed[0] if index == 0 else b"\x05" * 32 if index == 7 else changed[index] + 1
    )
    refusal = refused(world, calldata(NET, terms, rows))
    # The maker signed all but the accepted amount, which the taker did.
    assert refusal.name == ("WrongTaker" if index == 8 else "WrongSignature")


def test_a_net_of_nothing_of_too_much_or_of_one_token_is_refused(world: Any) -> None:
    terms, rows = rows_of(net_calldata([world.trade(nonce=1)], world.book))
    assert refused(world, calldata(NET, terms, [])).name == "EmptyBatch"
    refusal = refused(world, calldata(NET, terms, rows * 257))
    assert (refusal.name, refusal.values) == ("BatchTooLong", (257,))
    terms[5] = terms[4]
    assert refused(world, calldata(NET, terms, rows)).name == "SameToken"
    terms, rows = rows_of(net_calldata([world.trade(nonce=1)], world.book))
    for index in (1, 2):
        huge = [list(rows[0])]
        huge[0][index] = 2**240
        huge[0][8] = huge[0][2]
        assert refused(world, calldata(NET, terms, huge)).name == "WrongAmount"


def test_a_missing_allowance_for_the_net_leaves_every_nonce_unused(world: Any) -> None:
    trades, taker = mixed(world, 3), world.actors.takers[0]
    approve = "approve(address,uint256)"
    world.call(taker, world.book.token("USDT"), approve, world.at("settlement"), 1)
    data = net_calldata(trades, world.book)
    assert refused(world, data).name == "ERC20InsufficientAllowance"
    world.call(taker, world.book.token("USDT"), approve, world.at("settlement"), 2**255)
    settles(world, data)


def test_a_statement_needs_both_signatures_over_this_very_statement(world: Any) -> None:
    statement = statement_of(mixed(world, 3), world.book)
    refusal = refused(world, world.statement_data(statement, maker=STRANGER))
    assert (refusal.name, refusal.values) == ("WrongSignature", (STRANGER.address.lower(),))
    refusal = refused(world, world.statement_data(statement, taker=STRANGER))
    assert (refusal.name, refusal.values) == ("WrongTaker", (STRANGER.address.lower(),))
    elsewhere = Book(chain_id=1, deployments={})
    elsewhere._addresses = world.book._addresses
    honest, world.book = world.book, elsewhere
    try:
        data = world.statement_data(statement)
    finally:
        world.book = honest
    assert refused(world, data).name == "WrongSignature"
    settles(world, world.statement_data(statement))
    assert refused(world, world.statement_data(statement)).name == "NonceUsed"


def test_a_statement_settles_until_its_last_second(world: Any) -> None:
    statement = statement_of(mixed(world, 3), world.book)
    data = world.statement_data(statement)
    late = statement.settle_by_s + 1
    assert refused(world, data, at_s=late).name == "QuoteExpired"
    far = replace(statement, settle_by_s=world.now_s() + 10 * 86_400)
    assert refused(world, world.statement_data(far)).name == "LifetimeTooLong"


def broken(statement: Statement, token: str) -> list[tuple[Statement, str, tuple[Any, ...]]]:
    (word, mask), *_ = statement.words
    first, second = statement.legs
    return [
        (replace(statement, words=()), "EmptyBatch", ()),
        (replace(statement, words=((word, 0),)), "NotAscending", (0,)),
        (replace(statement, words=((word, mask), (word, mask))), "NotAscending", (1,)),
        (replace(statement, words=((1, 1), (0, 1))), "NotAscending", (1,)),
        (replace(statement, count=statement.count + 1), "WrongCount", (4, 3)),
        (replace(statement, count=0), "WrongCount", (0, 3)),
        (replace(statement, legs=(second, first)), "NotAscending", (1,)),
        (replace(statement, legs=(first, first)), "NotAscending", (1,)),
        (replace(statement, legs=((ZERO, 1, 0), first)), "NotAscending", (0,)),
        (replace(statement, legs=((first[0], 0, 0),)), "ZeroLeg", (0,)),
        (replace(statement, recipient=ZERO), "ZeroAddress", ()),
        (replace(statement, legs=((token, 0, 1),), fee_recipient=ZERO), "ZeroAddress", ()),
        (replace(statement, maker=STRANGER.address), "SignerNotAllowed", ()),
        (
            replace(statement, legs=tuple((f"0x{i:040x}", 1, 0) for i in range(1, 18))),
            "BatchTooLong",
            (17,),
        ),
        (replace(statement, words=tuple((i, 1) for i in range(65))), "BatchTooLong", (65,)),
    ]


def test_a_statement_that_contradicts_itself_is_refused_though_both_signed_it(world: Any) -> None:
    statement = statement_of(mixed(world, 3, start=20), world.book)
    for wrong, error, values in broken(statement, world.book.token("BTC")):
        refusal = refused(world, world.statement_data(wrong))
        assert refusal.name == error
        assert not values or refusal.values == values


def test_a_statement_settles_more_than_two_assets_with_fees(world: Any) -> None:
    trades = [
        world.trade(nonce=1, fee_bps=10),
        world.trade(nonce=2, maker_asset="DCT", fee_bps=10),
        world.trade(nonce=3, sells=False, taker_asset="DCT", fee_bps=10),
    ]
    statement = statement_of(trades, world.book)
    assert len(statement.legs) == 3
    before = world.balances()
    settles(world, world.statement_data(statement))
    assert moved_between(before, world.balances()) == expected(world, trades)


def test_quotes_that_do_not_belong_together_make_no_batch(world: Any) -> None:
    one = world.trade(nonce=1)
    for other in (
        world.trade(nonce=2, fee_bps=1),
        world.trade(nonce=2, taker=world.actors.takers[1].address),
        world.signed(world.quote(nonce=2), recipient=STRANGER.address),
    ):
        for make in (net_calldata, statement_of):
            with pytest.raises(Permanent, match="another party or fee"):
                make([one, other], world.book)
    with pytest.raises(Permanent, match="another pair"):
        net_calldata([one, world.trade(nonce=2, maker_asset="DCT")], world.book)
    with pytest.raises(Permanent, match="another's acceptance"):
        net_calldata([replace(one, acceptance=world.trade(nonce=2).acceptance)], world.book)
    for make in (net_calldata, statement_of):
        with pytest.raises(Permanent, match="1 to 256 quotes"):
            make([], world.book)
