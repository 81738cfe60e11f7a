"""The treasury: every payment once under its key, in time, under a cap; purchases are burnt."""

from __future__ import annotations

from typing import Any

import pytest
from pytoniq_core import begin_cell

from dmm.sandbox.ton import cells, desk_cells
from dmm.sandbox.ton.machine import Transaction
from tests.contracts.ton.conftest import BUILD, LEG_TON, TON1, Jetton, TonWorld

PENDING, PAID, RETURNED, BOUGHT, BURNING, BURNT = 1, 2, 3, 4, 5, 6
NOT_AUTHORITY, NOT_OPERATOR, NOT_GUARDIAN, PAUSED, KEY_USED = 1020, 1021, 1022, 1023, 1024
DEADLINE_PASSED, CAP_EXCEEDED, CAP_NOT_LOWER, NOT_BUYABLE = 1025, 1026, 1027, 1028
ZERO_AMOUNT, WRONG_CONTRACT, VALUE_TOO_LOW, UNKNOWN_ASSET, BOOK_SHORT = 1008, 1101, 1103, 1104, 1106
NOT_OPEN, TOO_EARLY, WRONG_SENDER = 1108, 1109, 1111
RETENTION_S = 2_592_000
KEY = 0x1111_2222_3333_4444 << 192 | 0x5A
CAP = 10**9
OWN_GAS = 40_000
LOCKED_OUT, LOCKED_IN = 1, 2


class Desk:
    """A treasury with TON and jettons, caps, and the vault of the world as its maker."""

    def __init__(self, world: TonWorld) -> None:
        self.world = world
        data = desk_cells.treasury_data(
            authority=world.authority, operator=world.operator, guardian=world.guardian
        )
        self.at = world.deploy("Treasury", data, nanoton=TON1)
        self.admin(desk_cells.OP_TREASURY_DEPOSIT_TON, nano=50 * TON1)
        self.ja = self.list_asset(world.ja, buyable=True)
        self.jb = self.list_asset(world.jb, buyable=False)
        world.mint(world.ja, self.at, 10**9)
        world.mint(world.jb, self.at, 10**9)
        for asset in (cells.TON, self.ja, self.jb):
            self.cap(asset, CAP if asset else 20 * TON1)
        self.admin(
            desk_cells.OP_SET_MAKER, lambda b: b.store_uint(world.vault, 256).store_bit_int(1)
        )

    def admin(self, code: int, write: Any = None, *, nano: int = TON1 // 10) -> None:
        self.world.ok(self.world.authority, self.at, nano, cells.op(code, write=write))

    def list_asset(self, jetton: Jetton, *, buyable: bool) -> int:
        wallet = self.world.wallet(jetton.minter, self.at)
        held = desk_cells.holding(
            layout=1,
            leg_nanoton=LEG_TON,
            minter=jetton.minter,
            code=cells.code_of(BUILD, "JettonWallet"),
        )
        self.admin(
            desk_cells.OP_TREASURY_LIST_ASSET,
            lambda b: b.store_uint(wallet, 256).store_bit_int(int(buyable)).store_ref(held),
        )
        return wallet

    def cap(self, asset: int, amount: int) -> None:
        self.admin(desk_cells.OP_SET_CAP, lambda b: b.store_uint(asset, 256).store_coins(amount))

    def terms(self, **change: Any) -> dict[str, Any]:
        return {
            "key": KEY,
            "deadline_s": self.world.now_s + 600,
            "asset": self.ja,
            "to": self.world.other,
            "amount": 1_234_567,
        } | change

    def pay(self, **change: Any) -> list[Transaction]:
        return self.world.send(
            self.world.operator, self.at, TON1, desk_cells.pay(**self.terms(**change))
        )

    def refused(self, *, by: int | None = None, nano: int = TON1, **change: Any) -> int:
        sender = self.world.operator if by is None else by
        return self.world.refusal(sender, self.at, nano, desk_cells.pay(**self.terms(**change)))

    def state(self, key: int = KEY) -> int:
        return int(self.world.get(self.at, "payment", key)[0])

    def spent(self, asset: int) -> int:
        return int(self.world.get(self.at, "line", asset, self.world.now_s // 86_400)[2])

    def quote(self, **change: Any) -> cells.VaultQuote:
        """Return the maker's quote to the treasury: 2 JA atoms a TON atom."""
        return self.world.quote(
            **(
                {
                    "taker": self.at,
                    "maker_amount": 4_000_001,
                    "taker_amount": 2 * TON1,
                    "min_fill": 2 * TON1,
                    "settle_by_s": self.world.now_s + 3_000,
                }
                | change
            )
        )

    def buy(self, quote: cells.VaultQuote, **change: Any) -> list[Transaction]:
        return self.world.send(self.world.operator, self.at, TON1, self.buyback(quote, **change))

    def buyback(self, quote: cells.VaultQuote, **change: Any) -> Any:
        terms = {
            "key": KEY,
            "deadline_s": self.world.now_s + 600,
            "maker": self.world.vault,
            "amount": quote.taker_amount,
            "pay_asset": cells.TON,
            "buy_asset": self.ja,
            "min_output": quote.maker_amount,
            "burn": True,
            "quote": quote.cell(),
            "signature": self.world.sign(quote),
        }
        return desk_cells.buyback(**(terms | change))

    def supply(self, jetton: Jetton) -> int:
        return int(self.world.get(jetton.minter, "get_jetton_data")[0])


@pytest.fixture(scope="module")
def made(ton_world: TonWorld) -> Desk:
    ton_world.reset()
    desk = Desk(ton_world)
    ton_world.machine.snapshot("treasury")
    return desk


@pytest.fixture
def desk(made: Desk) -> Desk:
    made.world.reset()
    made.world.machine.restore("treasury")
    return made


# -- payments ---------------------------------------------------------------------------------


def test_jettons_are_paid_once_and_the_receivers_wallet_is_the_evidence(desk: Desk) -> None:
    desk.pay()
    assert desk.state() == PAID
    assert desk.world.jettons_of(desk.world.ja, desk.world.other) == 1_234_567
    assert desk.spent(desk.ja) == 1_234_567
    for change in ({}, {"amount": 1}, {"deadline_s": desk.world.now_s + 9_999}, {"asset": desk.jb}):
        assert desk.refused(**change) == KEY_USED


def test_ton_lands_on_an_account_that_does_not_exist_yet(desk: Desk) -> None:
    desk.pay(asset=cells.TON, to=0xF00D, amount=3 * TON1)
    assert desk.state() == PAID
    assert desk.world.ton(0xF00D) == 3 * TON1
    desk.pay(key=KEY ^ 1 << 255, asset=cells.TON, to=desk.world.refuser, amount=TON1)
    assert desk.world.ton(desk.world.refuser) > 2 * TON1 - 1_000_000


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"by": 0xA1}, NOT_OPERATOR),
        ({"by": 0xA3}, NOT_OPERATOR),
        ({"by": 0xB1}, NOT_OPERATOR),
        ({"deadline_s": 1_999_999_999}, DEADLINE_PASSED),
        ({"amount": 0}, ZERO_AMOUNT),
        ({"amount": CAP + 1}, CAP_EXCEEDED),
        ({"asset": 0x99}, UNKNOWN_ASSET),
        ({"asset": cells.TON, "amount": 20 * TON1 + 1}, CAP_EXCEEDED),
        ({"asset": cells.TON, "amount": 60 * TON1}, BOOK_SHORT),
        ({"nano": LEG_TON}, VALUE_TOO_LOW),
    ],
)
def test_a_payment_that_does_not_fit_is_refused(
    desk: Desk, change: dict[str, Any], code: int
) -> None:
    assert desk.refused(**change) == code
    assert desk.state() == 0


def test_the_deadline_itself_still_pays(desk: Desk) -> None:
    desk.pay(deadline_s=desk.world.now_s)
    assert desk.state() == PAID


def test_a_cap_counts_by_days_and_each_asset_has_its_own(desk: Desk) -> None:
    desk.pay(amount=CAP)
    assert desk.refused(key=KEY + (1 << 192), amount=1) == CAP_EXCEEDED
    desk.pay(key=KEY + (2 << 192), asset=desk.jb, amount=5)
    desk.world.at_s(desk.world.now_s + 86_400)
    desk.world.mint(desk.world.ja, desk.at, 1)
    desk.pay(key=KEY + (1 << 192), amount=1)
    assert desk.state(KEY + (1 << 192)) == PAID


def test_keys_that_share_their_first_64_bits_are_one_key_to_the_guard(desk: Desk) -> None:
    desk.pay()
    assert desk.refused(key=KEY + 1) == KEY_USED
    assert desk.state(KEY + 1) == 0


def test_a_payment_that_our_wallet_refuses_is_returned_for_good(desk: Desk) -> None:
    desk.world.brake(desk.world.ja, desk.at, LOCKED_OUT)
    desk.pay()
    assert desk.state() == RETURNED
    assert desk.world.jettons_of(desk.world.ja, desk.at) == 10**9
    assert desk.refused() == KEY_USED


def resolve(desk: Desk, sender: int, *, delivered: bool, key: int = KEY) -> Transaction:
    body = cells.op(
        desk_cells.OP_TREASURY_RESOLVE,
        write=lambda b: b.store_uint(key, 256).store_bit_int(int(delivered)),
    )
    return desk.world.send(sender, desk.at, TON1 // 10, body)[0]


def test_silence_is_ended_by_hand_after_the_deadline_and_its_grace(desk: Desk) -> None:
    desk.world.brake(desk.world.ja, desk.world.other, LOCKED_IN)
    desk.pay()
    assert desk.state() == PENDING
    desk.world.at_s(desk.world.now_s + 600 + 3_600)
    assert resolve(desk, desk.world.operator, delivered=False).exit_code == TOO_EARLY
    desk.world.at_s(desk.world.now_s + 1)
    assert resolve(desk, desk.world.guardian, delivered=False).exit_code == NOT_OPERATOR
    assert resolve(desk, desk.world.operator, delivered=False, key=KEY + 1).exit_code == NOT_OPEN
    assert resolve(desk, desk.world.operator, delivered=False).is_success
    assert desk.state() == RETURNED


def test_evidence_of_strangers_changes_nothing(desk: Desk) -> None:
    desk.world.brake(desk.world.ja, desk.world.other, LOCKED_IN)
    desk.pay()
    said = cells.op(cells.OP_EXCESSES, query_id=KEY >> 192)
    for sender in (desk.world.other, desk.ja, desk.world.ja.minter, desk.world.taker):
        desk.world.send(sender, desk.at, TON1, said)
        assert desk.state() == PENDING


def test_a_key_is_forgotten_only_after_its_retention(desk: Desk) -> None:
    desk.pay()
    keys = begin_cell().store_uint(KEY >> 192, 64).end_cell()
    sweep = cells.op(desk_cells.OP_SWEEP, write=lambda b: b.store_ref(keys))
    deadline_s = desk.world.now_s + 600
    desk.world.at_s(deadline_s + RETENTION_S)
    assert desk.world.refusal(desk.world.taker, desk.at, TON1, sweep) == TOO_EARLY
    assert desk.state() == PAID
    desk.world.at_s(deadline_s + RETENTION_S + 1)
    desk.world.ok(desk.world.taker, desk.at, TON1, sweep)
    assert desk.state() == 0
    assert desk.world.refusal(desk.world.taker, desk.at, TON1, sweep) == NOT_OPEN


def test_roles_loosen_and_tighten_as_they_may(desk: Desk) -> None:
    world = desk.world
    lower = cells.op(
        desk_cells.OP_LOWER_CAP, write=lambda b: b.store_uint(desk.ja, 256).store_coins(10)
    )
    higher = cells.op(
        desk_cells.OP_SET_CAP, write=lambda b: b.store_uint(desk.ja, 256).store_coins(10**12)
    )
    stop = cells.op(desk_cells.OP_TREASURY_SET_PAUSED, write=lambda b: b.store_bit_int(1))
    go = cells.op(desk_cells.OP_TREASURY_SET_PAUSED, write=lambda b: b.store_bit_int(0))
    maker = cells.op(desk_cells.OP_SET_MAKER, write=lambda b: b.store_uint(5, 256).store_bit_int(1))
    roles = cells.op(
        desk_cells.OP_TREASURY_SET_ROLES,
        write=lambda b: b.store_address(cells.at(1)).store_address(cells.at(2)),
    )
    for body, code in (
        (higher, NOT_AUTHORITY),
        (go, NOT_AUTHORITY),
        (maker, NOT_AUTHORITY),
        (roles, NOT_AUTHORITY),
    ):
        for sender in (world.operator, world.guardian, world.taker):
            assert world.refusal(sender, desk.at, TON1, body) == code
    for body in (lower, stop):
        for sender in (world.operator, world.taker):
            assert world.refusal(sender, desk.at, TON1, body) == NOT_GUARDIAN
    world.ok(world.guardian, desk.at, TON1 // 10, lower)
    assert world.refusal(world.guardian, desk.at, TON1, lower) == CAP_NOT_LOWER
    assert desk.refused(amount=11) == CAP_EXCEEDED
    world.ok(world.guardian, desk.at, TON1 // 10, stop)
    assert desk.refused(amount=10) == PAUSED
    world.ok(world.authority, desk.at, TON1 // 10, go)
    desk.pay(amount=10)
    assert desk.state() == PAID


# -- purchases ----------------------------------------------------------------------------------


def test_a_purchase_for_ton_is_burnt_and_the_minter_is_the_evidence(desk: Desk) -> None:
    supply = desk.supply(desk.world.ja)
    done = desk.buy(desk.quote())
    assert all(tx.is_success or tx.exit_code is None for tx in done)
    assert desk.state() == BURNT
    assert desk.supply(desk.world.ja) == supply - 4_000_001
    assert desk.world.jettons_of(desk.world.ja, desk.at) == 10**9
    assert desk.world.nonce_state(7) == 2
    desk.world.require_funded()


def test_a_purchase_for_jettons_may_be_kept(desk: Desk) -> None:
    quote = desk.quote(taker_asset=desk.world.jb.asset, taker_amount=777_001, min_fill=777_001)
    desk.buy(quote, pay_asset=desk.jb, burn=False)
    assert desk.state() == BOUGHT
    assert desk.world.jettons_of(desk.world.ja, desk.at) == 10**9 + 4_000_001
    assert desk.world.jettons_of(desk.world.jb, desk.at) == 10**9 - 777_001
    desk.world.require_funded()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"maker": 0xB1}, WRONG_CONTRACT),
        ({"buy_asset": "jb"}, NOT_BUYABLE),
        ({"min_output": 0}, ZERO_AMOUNT),
        ({"amount": 21 * TON1}, CAP_EXCEEDED),
        ({"deadline_s": 1_999_999_999}, DEADLINE_PASSED),
    ],
)
def test_a_purchase_that_does_not_fit_is_refused(
    desk: Desk, change: dict[str, Any], code: int
) -> None:
    if change.get("buy_asset") == "jb":
        change = {"buy_asset": desk.jb}
    body = desk.buyback(desk.quote(), **change)
    assert desk.world.refusal(desk.world.operator, desk.at, TON1, body) == code
    assert desk.state() == 0


def test_a_quote_the_vault_refuses_returns_the_ton(desk: Desk) -> None:
    before = desk.world.ton(desk.at)
    desk.buy(desk.quote(expiry_s=desk.world.now_s - 1))
    assert desk.state() == RETURNED
    assert desk.world.ton(desk.at) > before
    desk.buy(desk.quote(), key=KEY + (1 << 192), min_output=4_000_002)
    assert desk.state(KEY + (1 << 192)) == RETURNED


def test_a_quote_the_vault_refuses_returns_the_jettons(desk: Desk) -> None:
    quote = desk.quote(
        taker_asset=desk.world.jb.asset,
        taker_amount=777_001,
        min_fill=777_001,
        expiry_s=desk.world.now_s - 1,
    )
    desk.buy(quote, pay_asset=desk.jb)
    assert desk.state() == RETURNED
    assert desk.world.jettons_of(desk.world.jb, desk.at) == 10**9
    desk.world.require_funded()


def test_a_burn_that_our_wallet_refuses_is_tried_again(desk: Desk) -> None:
    desk.buy(desk.quote(), burn=False)
    desk.world.brake(desk.world.ja, desk.at, LOCKED_OUT)
    again = cells.op(desk_cells.OP_BURN_BOUGHT, write=lambda b: b.store_uint(KEY, 256))
    desk.world.send(desk.world.operator, desk.at, TON1 // 5, again)
    assert desk.state() == BOUGHT
    desk.world.brake(desk.world.ja, desk.at, 0)
    assert desk.world.refusal(desk.world.taker, desk.at, TON1, again) == NOT_OPERATOR
    desk.world.send(desk.world.operator, desk.at, TON1 // 5, again)
    assert desk.state() == BURNT
    assert desk.world.refusal(desk.world.operator, desk.at, TON1, again) == NOT_OPEN


def test_jettons_that_pretend_to_be_a_purchase_end_none(desk: Desk) -> None:
    desk.world.brake(desk.world.ja, desk.at, LOCKED_IN)
    desk.buy(desk.quote())
    desk.world.brake(desk.world.ja, desk.at, 0)
    assert desk.state() == PENDING
    told = begin_cell().store_uint(0x444D0281, 32).store_uint(KEY, 256).end_cell()
    body = desk.world.jetton_body(4_000_001, told, forward=TON1 // 10, to=desk.at)
    desk.world.send(
        desk.world.taker, desk.world.wallet(desk.world.ja.minter, desk.world.taker), TON1 // 2, body
    )
    assert desk.state() == PENDING
    forged = (
        begin_cell()
        .store_uint(cells.OP_NOTIFICATION, 32)
        .store_uint(1, 64)
        .store_coins(4_000_001)
        .store_address(cells.at(desk.world.vault))
        .store_bit_int(1)
        .store_ref(told)
        .end_cell()
    )
    desk.world.send(desk.world.taker, desk.at, TON1, forged)
    assert desk.state() == PENDING
