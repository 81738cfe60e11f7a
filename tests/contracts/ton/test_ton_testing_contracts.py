"""What stands in for other people's contracts must be what it claims: multisig, jetton, pool."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from pytoniq_core import Cell, HashMap, begin_cell

from dmm.sandbox.ton import cells, desk_cells
from tests.contracts.ton.conftest import BUILD, ROOT, TON1, TonWorld

TRUTH = ROOT.parent / "shared" / "truth"
NEW, APPROVE, EXECUTE, FORGET, SET_SIGNERS = (
    0x444D0F11,
    0x444D0F12,
    0x444D0F13,
    0x444D0F14,
    0x444D0F15,
)
NOT_SIGNER, WRONG_ORDER, STALE, EXPIRED, TOO_FEW, DELAYED, APPROVED = range(1200, 1207)
WRONG_SENDER, TOO_EARLY = 1111, 1109
DELAY_S = 100
OWNERS = (0xE1, 0xE2, 0xE3)


def signers_map(owners: tuple[int, ...]) -> Cell:
    table = HashMap(8, value_serializer=lambda src, dest: dest.store_address(src))
    for index, owner in enumerate(owners):
        table.set_int_key(index, cells.at(owner))
    made = table.serialize()
    assert made is not None
    return made


class Board:
    """A multisig of two of three with a delay, and the vault it governs."""

    def __init__(self, world: TonWorld) -> None:
        self.world = world
        data = (
            begin_cell()
            .store_uint(2, 8)
            .store_uint(3, 8)
            .store_uint(0, 32)
            .store_uint(DELAY_S, 32)
            .store_uint(0, 16)
            .store_uint(0, 64)
            .store_maybe_ref(signers_map(OWNERS))
            .store_maybe_ref(None)
            .end_cell()
        )
        self.at = world.deploy("Multisig", data, nanoton=10 * TON1)
        log = desk_cells.governor_data(
            authority=self.at, home_network=-217, home_contract=1, sequence=0, head=bytes(32)
        )
        account, init = cells.state_init(cells.code_of(BUILD, "GovernorLog"), log)
        world.send(world.authority, account, TON1, cells.EMPTY, init)
        self.log = account

    def action(self, body: Cell, to: int | None = None) -> Cell:
        return (
            begin_cell()
            .store_address(cells.at(self.log if to is None else to))
            .store_coins(TON1 // 5)
            .store_ref(body)
            .end_cell()
        )

    def order(self) -> Cell:
        return self.action(
            desk_cells.execute_order(
                family=bytes(32),
                sequence=1,
                previous_head=bytes(32),
                expiry_s=self.world.now_s + 10_000,
                body=b"policy",
            )
        )

    def new(self, action: Cell, *, signer: int = 0, life_s: int = 1_000) -> Cell:
        expiry = self.world.now_s + life_s
        return cells.op(
            NEW, write=lambda b: b.store_uint(signer, 8).store_uint(expiry, 32).store_ref(action)
        )

    def approve(self, signer: int, order: int = 0) -> Cell:
        return cells.op(APPROVE, write=lambda b: b.store_uint(signer, 8).store_uint(order, 64))

    def execute(self, order: int = 0) -> Cell:
        return cells.op(EXECUTE, write=lambda b: b.store_uint(order, 64))

    def ok(self, by: int, body: Cell) -> None:
        self.world.ok(by, self.at, TON1 // 10, body)

    def refused(self, by: int, body: Cell) -> int:
        return self.world.refusal(by, self.at, TON1 // 10, body)

    def executed(self) -> int:
        return int(self.world.get(self.log, "log")[0])


@pytest.fixture
def board(ton: TonWorld) -> Board:
    return Board(ton)


def test_enough_signers_execute_an_order_once_after_its_delay(board: Board) -> None:
    board.ok(OWNERS[0], board.new(board.order()))
    assert board.refused(0xB1, board.execute()) == TOO_FEW
    assert board.refused(OWNERS[0], board.approve(0)) == APPROVED
    board.ok(OWNERS[2], board.approve(2))
    board.world.at_s(board.world.now_s + DELAY_S - 1)
    assert board.refused(0xB1, board.execute()) == DELAYED
    board.world.at_s(board.world.now_s + 1)
    # A third approval does not begin the delay again.
    board.ok(OWNERS[1], board.approve(1))
    board.ok(0xB1, board.execute())
    assert board.executed() == 1
    assert board.refused(0xB1, board.execute()) == WRONG_ORDER


def test_strangers_and_wrong_places_approve_nothing(board: Board) -> None:
    board.ok(OWNERS[0], board.new(board.order()))
    assert board.refused(0xB1, board.approve(1)) == NOT_SIGNER
    assert board.refused(OWNERS[0], board.approve(1)) == NOT_SIGNER
    assert board.refused(OWNERS[1], board.approve(3)) == NOT_SIGNER
    assert board.refused(0xB1, board.new(board.order())) == NOT_SIGNER
    assert board.refused(OWNERS[1], board.approve(1, order=5)) == WRONG_ORDER


def test_an_expired_order_is_never_executed_and_can_be_forgotten(board: Board) -> None:
    board.ok(OWNERS[0], board.new(board.order(), life_s=DELAY_S))
    board.ok(OWNERS[1], board.approve(1))
    forget = cells.op(FORGET, write=lambda b: b.store_uint(0, 64))
    assert board.refused(OWNERS[0], forget) == TOO_EARLY
    board.world.at_s(board.world.now_s + DELAY_S + 1)
    assert board.refused(0xB1, board.execute()) == EXPIRED
    board.ok(0xB1, forget)
    assert board.executed() == 0


def test_new_signers_make_earlier_orders_stale(board: Board) -> None:
    change = cells.op(
        SET_SIGNERS,
        write=lambda b: b.store_uint(1, 8).store_uint(1, 8).store_maybe_ref(signers_map((0xE9,))),
    )
    assert board.refused(OWNERS[0], change) == WRONG_SENDER
    board.ok(OWNERS[0], board.new(board.order()))
    board.ok(OWNERS[1], board.approve(1))
    board.ok(OWNERS[0], board.new(board.action(change, to=board.at)))
    board.ok(OWNERS[1], board.approve(1, order=1))
    board.world.at_s(board.world.now_s + DELAY_S)
    board.ok(0xB1, board.execute(1))
    assert board.refused(0xB1, board.execute(0)) == STALE
    assert board.refused(OWNERS[0], board.new(board.order())) == NOT_SIGNER
    board.ok(0xE9, board.new(board.order()))
    assert board.executed() == 0


# -- jetton -----------------------------------------------------------------------------------


def ops_of_standard() -> list[dict[str, Any]]:
    path = TRUTH / "tep74_ops.json"
    if not path.is_file():
        pytest.skip(f"no {path}")
    ops: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["data"]["ops"]
    return ops


def sources() -> str:
    folder = ROOT / "contracts" / "ton"
    paths: list[Path] = [folder / "src/common/jetton.tolk", folder / "testing/jetton_messages.tolk"]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def test_jetton_op_codes_are_those_of_the_standard() -> None:
    text = sources()
    for op in ops_of_standard():
        crc = zlib.crc32(op["tlb"].encode())
        masked = crc & 0x7FFFFFFF if op["mask"].startswith("and") else crc | 0x80000000
        assert f"0x{masked:08x}" == op["op"]
        assert op["op"] in text, op["name"]


def test_a_jetton_is_neither_made_nor_lost_on_the_way(ton: TonWorld) -> None:
    supply = ton.get(ton.ja.minter, "get_jetton_data")[0]
    wallet = ton.wallet(ton.ja.minter, ton.taker)
    body = ton.jetton_body(12_345, None, forward=1, to=ton.other)
    ton.send(ton.taker, wallet, TON1 // 5, body)
    assert ton.jettons_of(ton.ja, ton.other) == 12_345
    assert ton.jettons_of(ton.ja, ton.taker) == 10**12 - 12_345
    assert ton.get(ton.ja.minter, "get_jetton_data")[0] == supply


@pytest.mark.parametrize(
    ("sender", "amount", "nano", "code"),
    [(0xB2, 5, TON1, 73), (0xB1, 10**12 + 1, TON1, 47), (0xB1, 5, 20_000_000, 48)],
)
def test_a_wallet_refuses_strangers_overdrafts_and_too_little_ton(
    ton: TonWorld, sender: int, amount: int, nano: int, code: int
) -> None:
    wallet = ton.wallet(ton.ja.minter, ton.taker)
    body = ton.jetton_body(amount, None, forward=1, to=ton.other)
    assert ton.refusal(sender, wallet, nano, body) == code


def test_a_wallet_takes_jettons_from_wallets_of_its_minter_only(ton: TonWorld) -> None:
    wallet = ton.wallet(ton.ja.minter, ton.taker)
    forged = (
        begin_cell()
        .store_uint(0x178D4519, 32)
        .store_uint(0, 64)
        .store_coins(10**6)
        .store_address(cells.at(ton.other))
        .store_address(cells.at(ton.other))
        .store_coins(0)
        .store_bit_int(0)
        .end_cell()
    )
    for sender in (ton.other, ton.wallet(ton.jb.minter, ton.other), ton.vault):
        assert ton.refusal(sender, wallet, TON1, forged) == 74


# -- pool -------------------------------------------------------------------------------------


def pool(ton: TonWorld) -> int:
    data = (
        begin_cell()
        .store_address(cells.at(ton.authority))
        .store_uint(0, 256)
        .store_coins(0)
        .store_coins(0)
        .store_uint(0, 64)
        .end_cell()
    )
    made = ton.deploy("Pool", data, nanoton=TON1)
    wallet = ton.wallet(ton.ja.minter, made)
    ton.ok(
        ton.authority,
        made,
        TON1 // 10,
        cells.op(0x444D0F21, write=lambda b: b.store_uint(wallet, 256)),
    )
    ton.ok(
        ton.authority,
        made,
        11 * TON1,
        cells.op(0x444D0F22, write=lambda b: b.store_coins(10 * TON1)),
    )
    add = ton.jetton_body(5_000_000, cells.op(0x444D0F24), forward=TON1 // 20, to=made)
    ton.send(ton.taker, ton.wallet(ton.ja.minter, ton.taker), TON1 // 4, add)
    return made


def test_the_pool_prices_as_the_published_table_does(ton: TonWorld) -> None:
    path = TRUTH / "uniswap_v2_swaps.json"
    if not path.is_file():
        pytest.skip(f"no {path}")
    made = pool(ton)
    table = json.loads(path.read_text(encoding="utf-8"))["data"]["get_input_price"]
    for row in table:
        amount, ins, outs = (int(row[name]) for name in ("amount_in", "reserve_in", "reserve_out"))
        assert ton.get(made, "outputFor", amount, ins, outs) == (int(row["amount_out"]),)


def test_a_swap_never_lowers_the_product_of_the_reserves(ton: TonWorld) -> None:
    made = pool(ton)
    tons, jettons, _ = ton.get(made, "reserves")
    assert (tons, jettons) == (10 * TON1, 5_000_000)
    product = tons * jettons
    for amount in (TON1, 1, 777_777_777):
        buy = cells.op(0x444D0F23, write=lambda b, n=amount: b.store_coins(n).store_coins(0))
        ton.send(ton.other, made, amount + TON1 // 2, buy)
        tons, jettons, _ = ton.get(made, "reserves")
        assert tons * jettons >= product
        product = tons * jettons
    assert jettons == ton.jettons_of(ton.ja, made)
    back = cells.op(0x444D0F25, write=lambda b: b.store_coins(0))
    before = ton.ton(ton.taker)
    body = ton.jetton_body(100_000, back, forward=TON1 // 10, to=made)
    ton.send(ton.taker, ton.wallet(ton.ja.minter, ton.taker), TON1 // 3, body)
    after = ton.get(made, "reserves")
    assert int(after[0]) * int(after[1]) >= product
    assert ton.ton(ton.taker) > before
