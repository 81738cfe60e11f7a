"""The settlement vault: deals both ways, what it refuses, and what becomes of refused jettons."""

from __future__ import annotations

from typing import Any

import pytest
from nacl.signing import SigningKey
from pytoniq_core import Address, Cell, begin_cell

from dmm.sandbox.ton import cells
from tests.contracts.ton.conftest import (
    ACCEPTS,
    BUILD,
    LIFETIME_S,
    NETWORK,
    TON1,
    TonWorld,
    exits,
)

PENDING, SETTLED, REFUND_DUE, CANCELLED = 1, 2, 3, 4
LOCKED_OUT, LOCKED_IN = 1, 2

EXPIRED, TOO_LONG, WRONG_TAKER, WRONG_AMOUNT, FEE_TOO_HIGH = 1001, 1002, 1003, 1005, 1006
SAME_TOKEN, ZERO_AMOUNT, WRONG_SIGNATURE, NONCE_USED, OUTPUT_TOO_LOW = 1007, 1008, 1011, 1012, 1013
BATCH_TOO_LONG, NOT_AUTHORITY, NOT_OPERATOR, NOT_GUARDIAN = 1016, 1020, 1021, 1022
WRONG_NETWORK, WRONG_CONTRACT, WRONG_WORKCHAIN, VALUE_TOO_LOW, UNKNOWN_ASSET = (
    1100,
    1101,
    1102,
    1103,
    1104,
)
ASSET_LISTED, BOOK_SHORT, RENT_LOW, NOT_OPEN, TOO_EARLY = 1105, 1106, 1107, 1108, 1109
NOTHING_OWED, WRONG_SENDER, NONCE_TOO_FAR = 1110, 1111, 1113
OWN_GAS = 40_000
"""What an account of these tests pays for taking a message."""


# -- what goes through ------------------------------------------------------------------------


def test_ton_buys_jettons_and_what_is_left_comes_back(ton: TonWorld) -> None:
    before = ton.ton(ton.taker)
    done = ton.take_ton(ton.quote(fee_bps=7, fee_recipient=ton.fee_recipient), beside=TON1)
    assert all(tx.is_success or tx.exit_code is None for tx in done), exits(done)
    assert ton.nonce_state(7) == SETTLED
    fee = -(-2_500_003 * 7 // 10_000)
    assert ton.jettons_of(ton.ja, ton.taker) == 10**12 + 2_500_003 - fee
    assert ton.credit(ton.fee_recipient, ton.ja.asset) == fee
    assert ton.book(cells.TON) == (102_980_000_000, 0)
    assert ton.book(ton.ja.asset) == (10**9 - 2_500_003, fee)
    # Of the one TON beside the price nearly all returns: the rest is gas, rent and forwarding.
    assert ton.ton(ton.taker) - before > 950_000_000
    ton.require_funded()


def test_jettons_buy_ton_in_one_step(ton: TonWorld) -> None:
    before = ton.ton(ton.taker)
    done = ton.take_jettons(
        ton.ton_quote(fee_bps=7, fee_recipient=ton.fee_recipient), ton.ja, forward=TON1
    )
    assert all(tx.is_success for tx in done), exits(done)
    fee = -(-3 * TON1 * 7 // 10_000)
    assert ton.nonce_state(7) == SETTLED
    assert ton.book(cells.TON) == (99_980_000_000 - 3 * TON1, 0)
    assert ton.book(ton.ja.asset) == (10**9 + 2_500_003, 0)
    gained = ton.ton(ton.taker) - before
    assert 3 * TON1 - fee + 970_000_000 < gained < 3 * TON1 - fee + TON1 + TON1 // 5
    # The fee's own forwarding is the only thing that its recipient pays.
    assert fee - 1_000_000 < ton.ton(ton.fee_recipient) <= fee
    ton.require_funded()


def test_jettons_buy_jettons(ton: TonWorld) -> None:
    quote = ton.quote(taker_asset=ton.jb.asset, taker_amount=777_001, min_fill=777_001)
    ton.take_jettons(quote, ton.jb)
    assert ton.nonce_state(7) == SETTLED
    assert ton.book(ton.ja.asset) == (10**9 - 2_500_003, 0)
    assert ton.book(ton.jb.asset) == (10**9 + 777_001, 0)
    assert ton.jettons_of(ton.jb, ton.taker) == 10**12 - 777_001
    ton.require_funded()


def test_the_taker_chooses_the_recipient_and_what_it_is_told(ton: TonWorld) -> None:
    payload = begin_cell().store_uint(0x77AA, 32).end_cell()
    done = ton.take_jettons(ton.ton_quote(), ton.ja, recipient=ton.router, payload=payload)
    paid = [tx for tx in done if tx.address == cells.raw(ton.router)]
    assert len(paid) == 1
    assert ton.ton(ton.router) == 3 * TON1 - OWN_GAS
    ton.take_ton(ton.quote(nonce=8), recipient=ton.router)
    assert ton.jettons_of(ton.ja, ton.router) == 2_500_003
    ton.require_funded()


def test_a_part_is_filled_down_and_uses_the_nonce_up(ton: TonWorld) -> None:
    quote = ton.quote(min_fill=1)
    ton.take_ton(quote, amount=TON1)
    assert ton.jettons_of(ton.ja, ton.taker) == 10**12 + 2_500_003 // 3
    assert ton.refusal(ton.taker, ton.vault, 3 * TON1, ton.fill(quote, amount=TON1)) == NONCE_USED


def test_a_net_statement_uses_up_the_nonces_it_stands_for(ton: TonWorld) -> None:
    burns = tuple(range(100, 140)) + tuple(range(1_000, 16_000, 300))
    ton.take_ton(ton.quote(burns=burns))
    assert {ton.nonce_state(nonce) for nonce in burns} == {SETTLED}
    assert ton.nonce_state(140) == ton.nonce_state(1_001) == 0
    for late in (ton.quote(nonce=120), ton.quote(nonce=9, burns=(1, 120))):
        assert ton.refusal(ton.taker, ton.vault, 4 * TON1, ton.fill(late)) == NONCE_USED
    assert ton.nonce_state(9) == ton.nonce_state(1) == 0
    ton.require_funded()


def test_a_net_statement_may_have_one_side_only(ton: TonWorld) -> None:
    owed = ton.quote(taker_amount=0, min_fill=0, burns=(40, 41))
    ton.take_ton(owed)
    assert ton.jettons_of(ton.ja, ton.taker) == 10**12 + 2_500_003
    owing = ton.quote(nonce=8, maker_amount=0, burns=(42,))
    ton.take_ton(owing)
    assert ton.book(cells.TON) == (102_980_000_000, 0)
    assert ton.nonce_state(8) == SETTLED
    ton.require_funded()


def test_a_withdrawal_is_a_credit_that_its_owner_claims(ton: TonWorld) -> None:
    for asset, amount in ((cells.TON, 5 * TON1), (ton.ja.asset, 12_345)):
        body = cells.op(
            cells.OP_WITHDRAW,
            write=lambda b, a=asset, n=amount: (
                b.store_uint(a, 256).store_coins(n).store_uint(ton.other, 256)
            ),
        )
        ton.ok(ton.authority, ton.vault, TON1 // 10, body)
        claim(ton, ton.other, asset, ton.other, by=ton.taker)
    # And what the jetton leg left over of its own TON.
    assert 5 * TON1 < ton.ton(ton.other) < 5 * TON1 + 8 * 10**7
    assert ton.jettons_of(ton.ja, ton.other) == 12_345
    assert ton.books()[ton.ja.asset] == (10**9 - 12_345, 0)
    ton.require_funded()


def claim(ton: TonWorld, owner: int, asset: int, to: int, *, by: int) -> Any:
    body = cells.op(
        cells.OP_CLAIM_CREDIT,
        write=lambda b: b.store_uint(owner, 256).store_uint(asset, 256).store_address(cells.at(to)),
    )
    return ton.send(by, ton.vault, TON1 // 4, body)


def test_no_more_than_the_makers_own_can_be_withdrawn(ton: TonWorld) -> None:
    for asset in (cells.TON, ton.ja.asset):
        free, _ = ton.book(asset)
        body = cells.op(
            cells.OP_WITHDRAW,
            write=lambda b, a=asset, n=free: (
                b.store_uint(a, 256).store_coins(n + 1).store_uint(7, 256)
            ),
        )
        assert ton.refusal(ton.authority, ton.vault, TON1, body) == BOOK_SHORT


# -- what is refused, paid in TON ---------------------------------------------------------------


def refused(ton: TonWorld, quote: cells.VaultQuote, *, nano: int = 4 * TON1, **change: Any) -> int:
    return ton.refusal(ton.taker, ton.vault, nano, ton.fill(quote, **change))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"network": NETWORK + 1}, WRONG_NETWORK),
        ({"network": -239}, WRONG_NETWORK),
        ({"vault": 0xDEAD}, WRONG_CONTRACT),
        ({"taker": 0xB2}, WRONG_TAKER),
        ({"maker_asset": cells.TON}, SAME_TOKEN),
        ({"taker_asset": 0x1234}, UNKNOWN_ASSET),
        ({"maker_asset": 0x1234}, UNKNOWN_ASSET),
        ({"maker_amount": 10**9 + 1}, BOOK_SHORT),
        ({"maker_amount": 0}, ZERO_AMOUNT),
        ({"fee_bps": 501, "fee_recipient": 0xB3}, FEE_TOO_HIGH),
        ({"nonce": 0x400000}, NONCE_TOO_FAR),
        ({"nonce": 2**32 - 1}, NONCE_TOO_FAR),
        ({"burns": tuple(range(256, 256 * 66, 256))}, BATCH_TOO_LONG),
        ({"burns": (8, 7)}, NONCE_USED),
        ({"burns": (0x400000,)}, NONCE_TOO_FAR),
    ],
)
def test_terms_that_do_not_fit_are_refused(
    ton: TonWorld, change: dict[str, Any], code: int
) -> None:
    books = ton.books()
    assert refused(ton, ton.quote(**change)) == code
    assert ton.books() == books
    assert ton.nonce_state(7) == 0


def test_expiry_is_the_last_second_and_settle_by_has_a_bound(ton: TonWorld) -> None:
    quote = ton.quote(expiry_s=ton.now_s + 60)
    ton.at_s(ton.now_s + 61)
    assert refused(ton, quote) == EXPIRED
    ton.take_ton(ton.quote(expiry_s=ton.now_s))
    assert ton.nonce_state(7) == SETTLED
    assert refused(ton, ton.quote(nonce=8, settle_by_s=ton.now_s + LIFETIME_S + 1)) == TOO_LONG
    assert (
        refused(ton, ton.quote(nonce=8, expiry_s=ton.now_s + 9, settle_by_s=ton.now_s + 8))
        == EXPIRED
    )
    ton.take_ton(ton.quote(nonce=8, settle_by_s=ton.now_s + LIFETIME_S))
    assert ton.nonce_state(8) == SETTLED


def test_a_fill_is_not_repeated_now_or_ever(ton: TonWorld) -> None:
    quote = ton.quote(expiry_s=ton.now_s + LIFETIME_S, settle_by_s=ton.now_s + LIFETIME_S)
    body = ton.fill(quote)
    ton.send(ton.taker, ton.vault, 4 * TON1, body)
    assert ton.nonce_state(7) == SETTLED
    assert ton.refusal(ton.taker, ton.vault, 4 * TON1, body) == NONCE_USED
    other = ton.quote(taker_amount=TON1, min_fill=TON1)
    assert refused(ton, other) == NONCE_USED
    # No key is ever cleared: years later it is still used.
    ton.at_s(ton.now_s + 5 * 366 * 86_400)
    assert refused(ton, ton.quote()) == NONCE_USED
    assert ton.nonce_state(7) == SETTLED


def test_signatures_of_others_revoked_and_rotated_keys_are_refused(ton: TonWorld) -> None:
    stranger, successor = SigningKey(b"\x02" * 32), SigningKey(b"\x03" * 32)
    assert refused(ton, ton.quote(), key=stranger) == WRONG_SIGNATURE
    assert refused(ton, ton.quote(), signature=bytes(64)) == WRONG_SIGNATURE
    ton.ok(ton.guardian, ton.vault, TON1 // 10, cells.op(cells.OP_REVOKE_SIGNER))
    assert refused(ton, ton.quote()) == WRONG_SIGNATURE
    assert refused(ton, ton.quote(), signature=bytes(64)) == WRONG_SIGNATURE
    rotate = cells.op(
        cells.OP_SET_SIGNER, write=lambda b: b.store_bytes(bytes(successor.verify_key))
    )
    ton.ok(ton.authority, ton.vault, TON1 // 10, rotate)
    assert refused(ton, ton.quote()) == WRONG_SIGNATURE
    ton.take_ton(ton.quote(), key=successor)
    assert ton.nonce_state(7) == SETTLED


def test_amounts_outside_the_quote_are_refused(ton: TonWorld) -> None:
    quote = ton.quote(min_fill=TON1)
    for amount in (TON1 - 1, 3 * TON1 + 1):
        assert refused(ton, quote, amount=amount) == WRONG_AMOUNT
    assert refused(ton, ton.quote(min_fill=0), amount=0) == ZERO_AMOUNT
    assert refused(ton, ton.quote(min_fill=0), amount=1_199) == ZERO_AMOUNT
    assert refused(ton, quote, min_output=2_500_004) == OUTPUT_TOO_LOW
    ton.take_ton(quote, min_output=2_500_003)
    assert ton.nonce_state(7) == SETTLED


def test_too_little_ton_beside_the_price_is_refused(ton: TonWorld) -> None:
    assert refused(ton, ton.quote(), nano=3 * TON1 - 1) in (VALUE_TOO_LOW, WRONG_AMOUNT)
    assert refused(ton, ton.quote(), nano=3 * TON1 + 99_999_999) == VALUE_TOO_LOW
    assert (
        refused(ton, ton.quote(), nano=3 * TON1 + 2 * 10**8, forward_nanoton=10**8 + 1)
        == VALUE_TOO_LOW
    )


@pytest.mark.parametrize("nano", [0, 1_000, 400_000, 2_000_000, 5_000_000])
def test_gas_that_runs_out_leaves_the_vault_as_it_was(ton: TonWorld, nano: int) -> None:
    before, books = ton.data(ton.vault), ton.books()
    done = ton.send(ton.taker, ton.vault, nano, ton.fill(ton.quote(taker_amount=1, min_fill=1)))
    assert done[0].aborted
    assert (ton.data(ton.vault), ton.books()) == (before, books)
    ton.require_funded()


def test_another_workchain_is_refused(ton: TonWorld) -> None:
    quote = ton.quote()
    signed = begin_cell().store_bytes(ton.sign(quote)).store_ref(quote.cell()).end_cell()
    body = (
        begin_cell()
        .store_uint(cells.OP_FILL, 32)
        .store_uint(0, 64)
        .store_coins(quote.taker_amount)
        .store_coins(0)
        .store_address(Address((-1, bytes(31) + b"\x07")))
        .store_coins(0)
        .store_maybe_ref(None)
        .store_ref(signed)
        .end_cell()
    )
    assert ton.refusal(ton.taker, ton.vault, 4 * TON1, body) == WRONG_WORKCHAIN


def test_nothing_is_filled_below_the_rent_floor(ton: TonWorld) -> None:
    state = ton.state(ton.vault).account
    free, owed = ton.book(cells.TON)
    code, data = state.storage.state.state_init.code, state.storage.state.state_init.data
    low = free + owed + 200_000_000 - 1
    ton.machine.found(cells.raw(ton.vault), nanoton=low, code=code, data=data)
    assert refused(ton, ton.quote()) == RENT_LOW
    ton.ok(ton.other, ton.vault, TON1, cells.op(cells.OP_TOP_UP_RENT))
    ton.take_ton(ton.quote())
    assert ton.nonce_state(7) == SETTLED


def test_bodies_cut_off_and_flipped_change_nothing(ton: TonWorld) -> None:
    whole = ton.fill(ton.quote())
    before, books = ton.data(ton.vault), ton.books()
    bits = "".join(str(bit) for bit in whole.bits)
    for length in (0, 31, 32, 95, 96, 300, len(bits) - 1):
        cut = begin_cell().store_bits(bits[:length]).end_cell()
        done = ton.send(ton.taker, ton.vault, 4 * TON1, cut)
        assert done[0].aborted or length == 0
        assert ton.data(ton.vault) == before
    for position in range(0, len(bits), 37):
        flipped = bits[:position] + str(1 - int(bits[position])) + bits[position + 1 :]
        builder = begin_cell().store_bits(flipped)
        for ref in whole.refs:
            builder.store_ref(ref)
        ton.send(ton.taker, ton.vault, 4 * TON1, builder.end_cell())
        # A flip in query id, recipient or forward amount is the taker's own business.
        if ton.nonce_state(7) == 0:
            assert ton.books() == books
        ton.require_funded()
        ton.reset()


@pytest.mark.parametrize(
    ("code", "body", "refusals"),
    [
        (
            NOT_AUTHORITY,
            cells.op(cells.OP_SET_SIGNER, write=lambda b: b.store_uint(5, 256)),
            (0xA2, 0xA3, 0xB1),
        ),
        (NOT_GUARDIAN, cells.op(cells.OP_REVOKE_SIGNER), (0xA2, 0xB1)),
        (
            NOT_GUARDIAN,
            cells.op(cells.OP_CANCEL_NONCE, write=lambda b: b.store_uint(5, 32)),
            (0xA2, 0xB1),
        ),
        (
            NOT_AUTHORITY,
            cells.op(
                cells.OP_WITHDRAW,
                write=lambda b: b.store_uint(0, 256).store_coins(1).store_uint(1, 256),
            ),
            (0xA2, 0xA3, 0xB1),
        ),
        (
            NOT_AUTHORITY,
            cells.op(
                cells.OP_CREDIT_SURPLUS,
                write=lambda b: b.store_uint(0, 256).store_uint(1, 256).store_coins(1),
            ),
            (0xA2, 0xA3, 0xB1),
        ),
        (
            NOT_AUTHORITY,
            cells.op(
                cells.OP_SET_ROLES,
                write=lambda b: b.store_address(cells.at(1)).store_address(cells.at(2)),
            ),
            (0xA2, 0xA3, 0xB1),
        ),
        (
            NOT_AUTHORITY,
            cells.op(
                cells.OP_LIST_ASSET,
                write=lambda b: (
                    b.store_uint(1, 256)
                    .store_uint(1, 256)
                    .store_uint(1, 8)
                    .store_coins(1)
                    .store_ref(ACCEPTS)
                ),
            ),
            (0xA2, 0xA3, 0xB1),
        ),
        (
            NOT_AUTHORITY,
            cells.op(cells.OP_RESOLVE, write=lambda b: b.store_uint(7, 64).store_bit_int(1)),
            (0xA2, 0xA3, 0xB1),
        ),
        (
            NOT_OPERATOR,
            cells.op(cells.OP_RESOLVE, write=lambda b: b.store_uint(7, 64).store_bit_int(0)),
            (0xA3, 0xB1),
        ),
        (0xFFFF, cells.op(0x12345678), (0xA1, 0xA2, 0xA3, 0xB1)),
    ],
)
def test_every_operation_is_refused_to_whom_it_is_not_for(
    ton: TonWorld, code: int, body: Cell, refusals: tuple[int, ...]
) -> None:
    for sender in refusals:
        assert ton.refusal(sender, ton.vault, TON1, body) == code


def test_an_asset_is_listed_once_and_only_with_the_layout_of_our_own_wallet(ton: TonWorld) -> None:
    code = cells.code_of(BUILD, "JettonWallet")

    def listing(wallet: int, layout: int) -> Cell:
        return cells.op(
            cells.OP_LIST_ASSET,
            write=lambda b: (
                b.store_uint(wallet, 256)
                .store_uint(ton.ja.minter, 256)
                .store_uint(layout, 8)
                .store_coins(1)
                .store_ref(code)
            ),
        )

    assert ton.refusal(ton.authority, ton.vault, TON1, listing(ton.ja.asset, 1)) == ASSET_LISTED
    for layout, wallet in ((0, 0x99), (1, 0x99), (2, 0x99), (3, 0x99)):
        assert ton.refusal(ton.authority, ton.vault, TON1, listing(wallet, layout)) in (
            WRONG_SENDER,
            1114,
        )


def test_a_cancelled_nonce_is_used_and_told_apart(ton: TonWorld) -> None:
    cancel = cells.op(cells.OP_CANCEL_NONCE, write=lambda b: b.store_uint(7, 32))
    ton.ok(ton.guardian, ton.vault, TON1 // 10, cancel)
    assert ton.nonce_state(7) == CANCELLED
    assert refused(ton, ton.quote()) == NONCE_USED


# -- jettons that are refused go back -----------------------------------------------------------


def test_refused_jettons_start_back_at_once_when_ton_came_with_them(ton: TonWorld) -> None:
    quote = ton.ton_quote(expiry_s=ton.now_s - 1)
    ton.take_jettons(quote, ton.ja)
    assert ton.jettons_of(ton.ja, ton.taker) == 10**12
    assert ton.book(ton.ja.asset) == (10**9, 0)
    assert ton.nonce_state(7) == 0
    ton.require_funded()


def test_refused_jettons_become_a_credit_when_little_ton_came_with_them(ton: TonWorld) -> None:
    quote = ton.ton_quote(expiry_s=ton.now_s - 1)
    ton.take_jettons(quote, ton.ja, forward=50_000_000)
    assert ton.credit(ton.taker, ton.ja.asset) == 2_500_003
    assert ton.book(ton.ja.asset) == (10**9, 2_500_003)
    assert ton.refusal(ton.other, ton.vault, TON1, steal(ton)) == WRONG_TAKER
    claim(ton, ton.taker, ton.ja.asset, ton.taker, by=ton.taker)
    assert ton.jettons_of(ton.ja, ton.taker) == 10**12
    done = claim(ton, ton.taker, ton.ja.asset, ton.taker, by=ton.taker)
    assert done[0].exit_code == NOTHING_OWED
    ton.require_funded()


def steal(ton: TonWorld) -> Cell:
    return cells.op(
        cells.OP_CLAIM_CREDIT,
        write=lambda b: (
            b.store_uint(ton.taker, 256)
            .store_uint(ton.ja.asset, 256)
            .store_address(cells.at(ton.other))
        ),
    )


def test_jettons_without_a_word_are_a_credit_of_their_sender(ton: TonWorld) -> None:
    junk = begin_cell().store_uint(0xDEADBEEF, 32).end_cell()
    for payload in (None, junk, cells.EMPTY):
        body = ton.jetton_body(1_000, payload, forward=TON1 // 20)
        ton.send(ton.taker, ton.wallet(ton.ja.minter, ton.taker), TON1 // 4, body)
    assert ton.credit(ton.taker, ton.ja.asset) == 3_000
    ton.require_funded()


def test_a_notification_of_a_strange_wallet_moves_nothing(ton: TonWorld) -> None:
    fill = ton.fill(ton.ton_quote())
    forged = (
        begin_cell()
        .store_uint(cells.OP_NOTIFICATION, 32)
        .store_uint(1, 64)
        .store_coins(2_500_003)
        .store_address(cells.at(ton.taker))
        .store_bit_int(1)
        .store_ref(fill)
        .end_cell()
    )
    books = ton.books()
    takers_own = ton.wallet(ton.ja.minter, ton.taker)
    for sender in (ton.other, ton.taker, takers_own, ton.ja.minter):
        assert ton.refusal(sender, ton.vault, TON1, forged) == UNKNOWN_ASSET
    assert ton.books() == books
    assert ton.nonce_state(7) == 0


def test_a_listed_jetton_does_not_pay_for_a_quote_in_another(ton: TonWorld) -> None:
    ton.take_jettons(ton.ton_quote(taker_asset=ton.jb.asset), ton.ja)
    assert ton.nonce_state(7) == 0
    assert ton.jettons_of(ton.ja, ton.taker) == 10**12
    ton.require_funded()


def test_the_jettons_that_came_must_be_those_of_the_fill(ton: TonWorld) -> None:
    quote = ton.ton_quote(min_fill=1)
    body = ton.jetton_body(1_000, ton.fill(quote), forward=TON1 // 2)
    ton.send(ton.taker, ton.wallet(ton.ja.minter, ton.taker), TON1, body)
    assert ton.nonce_state(7) == 0
    assert ton.jettons_of(ton.ja, ton.taker) == 10**12
    ton.require_funded()


@pytest.mark.parametrize("forward", [1, 400_000, 3_000_000])
def test_jettons_without_gas_to_book_them_are_a_surplus_that_the_authority_credits(
    ton: TonWorld, forward: int
) -> None:
    books = ton.books()
    ton.take_jettons(ton.ton_quote(), ton.ja, forward=forward)
    assert ton.books() == books
    assert ton.nonce_state(7) == 0
    assert ton.jettons_of(ton.ja, ton.vault) == 10**9 + 2_500_003
    give = cells.op(
        cells.OP_CREDIT_SURPLUS,
        write=lambda b: (
            b.store_uint(ton.ja.asset, 256).store_uint(ton.taker, 256).store_coins(2_500_003)
        ),
    )
    ton.ok(ton.authority, ton.vault, TON1 // 10, give)
    claim(ton, ton.taker, ton.ja.asset, ton.taker, by=ton.taker)
    assert ton.jettons_of(ton.ja, ton.taker) == 10**12
    ton.require_funded()


def test_only_ton_that_is_really_over_can_be_credited(ton: TonWorld) -> None:
    free, owed = ton.book(cells.TON)
    over = ton.ton(ton.vault) - free - owed - 200_000_000

    def give(amount: int) -> Cell:
        return cells.op(
            cells.OP_CREDIT_SURPLUS,
            write=lambda b: b.store_uint(0, 256).store_uint(ton.other, 256).store_coins(amount),
        )

    assert ton.refusal(ton.authority, ton.vault, TON1 // 10, give(over + 1)) == RENT_LOW


# -- bounces, silence and evidence ----------------------------------------------------------------


def test_a_leg_that_our_own_wallet_refuses_is_refunded(ton: TonWorld) -> None:
    ton.brake(ton.ja, ton.vault, LOCKED_OUT)
    ton.take_ton(ton.quote(fee_bps=7, fee_recipient=ton.fee_recipient))
    assert ton.nonce_state(7) == REFUND_DUE
    assert ton.credit(ton.taker, cells.TON) == 3 * TON1
    assert ton.book(ton.ja.asset) == (10**9, 0)
    assert ton.book(cells.TON) == (99_980_000_000, 3 * TON1)
    assert refused(ton, ton.quote()) == NONCE_USED
    before = ton.ton(ton.taker)
    claim(ton, ton.taker, cells.TON, ton.taker, by=ton.taker)
    assert ton.ton(ton.taker) - before > 3 * TON1
    assert ton.book(cells.TON) == (99_980_000_000, 0)
    ton.require_funded()


def test_a_refund_of_jettons_is_claimable_in_jettons(ton: TonWorld) -> None:
    ton.brake(ton.ja, ton.vault, LOCKED_OUT)
    quote = ton.quote(taker_asset=ton.jb.asset, taker_amount=777_001, min_fill=777_001)
    ton.take_jettons(quote, ton.jb)
    assert ton.nonce_state(7) == REFUND_DUE
    claim(ton, ton.taker, ton.jb.asset, ton.taker, by=ton.taker)
    assert ton.jettons_of(ton.jb, ton.taker) == 10**12
    ton.require_funded()


def silent_loss(ton: TonWorld) -> None:
    """The receiver's wallet refuses: the jettons are back in ours, and nobody tells."""
    ton.brake(ton.ja, ton.taker, LOCKED_IN)
    ton.take_ton(ton.quote())
    assert ton.nonce_state(7) == PENDING
    assert ton.jettons_of(ton.ja, ton.vault) == 10**9


def resolve(ton: TonWorld, sender: int, item: int, *, delivered: bool) -> Any:
    body = cells.op(
        cells.OP_RESOLVE, write=lambda b: b.store_uint(item, 64).store_bit_int(int(delivered))
    )
    return ton.send(sender, ton.vault, TON1 // 10, body)[0]


def test_a_silent_loss_is_refunded_after_its_time(ton: TonWorld) -> None:
    silent_loss(ton)
    settle_by = ton.now_s + 600
    ton.at_s(settle_by + 3_600)
    assert resolve(ton, ton.operator, 7, delivered=False).exit_code == TOO_EARLY
    ton.at_s(settle_by + 3_601)
    assert resolve(ton, ton.operator, 7, delivered=False).is_success
    assert ton.nonce_state(7) == REFUND_DUE
    assert ton.credit(ton.taker, cells.TON) == 3 * TON1
    assert resolve(ton, ton.operator, 7, delivered=False).exit_code == NOT_OPEN
    ton.require_funded()


def test_only_the_authority_may_say_delivered_without_evidence(ton: TonWorld) -> None:
    silent_loss(ton)
    ton.at_s(ton.now_s + 600 + 3_601)
    assert resolve(ton, ton.operator, 7, delivered=True).exit_code == NOT_AUTHORITY
    assert resolve(ton, ton.authority, 7, delivered=True).is_success
    assert ton.nonce_state(7) == SETTLED


def test_a_payer_may_confirm_its_own_deal_and_nobody_elses(ton: TonWorld) -> None:
    silent_loss(ton)
    confirm = cells.op(cells.OP_CONFIRM, write=lambda b: b.store_uint(7, 32))
    assert ton.refusal(ton.other, ton.vault, TON1, confirm) == WRONG_TAKER
    ton.send(ton.taker, ton.vault, TON1, confirm)
    assert ton.nonce_state(7) == SETTLED


def test_evidence_counts_from_the_receivers_wallet_only(ton: TonWorld) -> None:
    silent_loss(ton)
    said = cells.op(cells.OP_EXCESSES, query_id=7)
    own_wallet = ton.ja.asset
    others = ton.wallet(ton.ja.minter, ton.other)
    for sender in (ton.taker, ton.other, own_wallet, others, ton.ja.minter):
        assert ton.refusal(sender, ton.vault, TON1, said) == WRONG_SENDER
    for stray in (6, 8, 2**32 + 7, 2**63, 2**64 - 1):
        assert (
            ton.refusal(ton.other, ton.vault, TON1, cells.op(cells.OP_EXCESSES, query_id=stray))
            == NOT_OPEN
        )
    assert ton.nonce_state(7) == PENDING


def test_late_evidence_after_a_refund_pays_nobody_twice(ton: TonWorld) -> None:
    silent_loss(ton)
    ton.at_s(ton.now_s + 600 + 3_601)
    resolve(ton, ton.operator, 7, delivered=False)
    books = ton.books()
    receiver = ton.wallet(ton.ja.minter, ton.taker)
    assert (
        ton.refusal(receiver, ton.vault, TON1, cells.op(cells.OP_EXCESSES, query_id=7)) == NOT_OPEN
    )
    assert ton.books() == books


def test_ton_that_a_recipient_refuses_stays_the_takers(ton: TonWorld) -> None:
    ton.take_jettons(ton.ton_quote(), ton.ja, recipient=ton.refuser)
    assert ton.nonce_state(7) == SETTLED
    credit = ton.credit(ton.taker, cells.TON)
    assert 3 * TON1 - 10_000_000 < credit < 3 * TON1
    ton.require_funded()
    claim(ton, ton.taker, cells.TON, ton.other, by=ton.taker)
    assert ton.ton(ton.other) == credit - OWN_GAS
    ton.require_funded()


def test_ton_for_an_account_that_does_not_exist_yet_is_a_credit_too(ton: TonWorld) -> None:
    nobody = 0xF00D
    ton.take_jettons(ton.ton_quote(), ton.ja, recipient=nobody)
    credit = ton.credit(ton.taker, cells.TON)
    assert credit > 0
    claim(ton, ton.taker, cells.TON, nobody, by=ton.taker)
    assert ton.ton(nobody) == credit
    ton.require_funded()


def test_a_claim_that_bounces_is_a_credit_again(ton: TonWorld) -> None:
    ton.take_jettons(ton.ton_quote(expiry_s=1), ton.ja, forward=50_000_000)
    ton.brake(ton.ja, ton.vault, LOCKED_OUT)
    claim(ton, ton.taker, ton.ja.asset, ton.taker, by=ton.taker)
    assert ton.credit(ton.taker, ton.ja.asset) == 2_500_003
    ton.brake(ton.ja, ton.vault, 0)
    claim(ton, ton.taker, ton.ja.asset, ton.taker, by=ton.taker)
    assert ton.credit(ton.taker, ton.ja.asset) == 0
    assert ton.jettons_of(ton.ja, ton.taker) == 10**12
    ton.require_funded()


def test_a_claim_without_evidence_is_ended_by_hand(ton: TonWorld) -> None:
    ton.take_jettons(ton.ton_quote(expiry_s=1), ton.ja, forward=50_000_000)
    ton.brake(ton.ja, ton.taker, LOCKED_IN)
    claim(ton, ton.taker, ton.ja.asset, ton.taker, by=ton.taker)
    payout = 1 << 63
    assert ton.get(ton.vault, "payout", payout)[0] == -1
    assert resolve(ton, ton.operator, payout, delivered=False).exit_code == TOO_EARLY
    ton.at_s(ton.now_s + 3_601)
    assert resolve(ton, ton.operator, payout, delivered=False).is_success
    assert ton.credit(ton.taker, ton.ja.asset) == 2_500_003
    ton.require_funded()
