"""The log of executed orders: at home, and as a mirror that ends with the home chain's own head."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from eth_abi.abi import encode
from pytoniq_core import Cell, begin_cell

from dmm.sandbox.ton import cells, desk_cells
from tests.contracts.ton.conftest import BUILD, NETWORK, TON1, TonWorld

NOT_AUTHORITY, WRONG_SEQUENCE, WRONG_HEAD, BODY_TOO_LONG, BODY_EMPTY, ORDER_EXPIRED = (
    1020,
    1040,
    1041,
    1042,
    1043,
    1044,
)
WRONG_PAYLOAD = 1114
FAMILY = hashlib.sha256(b"policy/v1").digest()
GENESIS = hashlib.sha256(b"genesis").digest()
EVM_CHAIN, EVM_CONTRACT = 31_337, 0x5FBDB2315678AFECB367F032D93F642F64180AA3


def link(*, network: int, contract: int, sequence: int, expiry_s: int, body: bytes) -> bytes:
    """Return what the home chain's contract hashes, by its own encoder."""
    types = ["uint256", "uint256", "uint256", "bytes32", "uint64", "bytes"]
    values = [network % 2**256, contract, sequence, FAMILY, expiry_s, body]
    return hashlib.sha256(encode(types, values)).digest()


def next_head(head: bytes, **terms: Any) -> bytes:
    return hashlib.sha256(head + link(**terms)).digest()


def made(ton: TonWorld, *, network: int, contract: int) -> int:
    data = desk_cells.governor_data(
        authority=ton.authority,
        home_network=network,
        home_contract=contract,
        sequence=0,
        head=GENESIS,
    )
    account, init = cells.state_init(cells.code_of(BUILD, "GovernorLog"), data)
    # A plain transfer is no order: it is refused, and deploys the contract all the same.
    ton.send(ton.authority, account, TON1, cells.EMPTY, init)
    return account


def order(ton: TonWorld, **change: Any) -> Cell:
    terms: dict[str, Any] = {
        "family": FAMILY,
        "sequence": 1,
        "previous_head": GENESIS,
        "expiry_s": ton.now_s + 60,
        "body": b"gamma = 17\n",
    }
    return desk_cells.execute_order(**(terms | change))


@pytest.mark.parametrize("size", [1, 31, 32, 33, 126, 127, 128, 1_000, 4_095, 4_096])
def test_a_mirror_has_the_head_of_its_home_whatever_the_body(ton: TonWorld, size: int) -> None:
    log = made(ton, network=EVM_CHAIN, contract=EVM_CONTRACT)
    head = GENESIS
    for sequence in (1, 2):
        body = hashlib.shake_256(bytes([sequence])).digest(size)
        expiry_s = ton.now_s + 60
        sent = order(ton, sequence=sequence, previous_head=head, body=body)
        done = ton.ok(ton.authority, log, TON1 // 5, sent)
        head = next_head(
            head,
            network=EVM_CHAIN,
            contract=EVM_CONTRACT,
            sequence=sequence,
            expiry_s=expiry_s,
            body=body,
        )
        assert ton.get(log, "log")[:2] == (sequence, int.from_bytes(head, "big"))
        event = Cell.one_from_boc(done[0].logs[0]).begin_parse()
        assert event.load_uint(32) == 0x444D04E1
        assert (event.load_uint(64), event.load_bytes(32), event.load_bytes(32)) == (
            sequence,
            FAMILY,
            head,
        )


def test_a_home_log_is_bound_to_its_network_and_address(ton: TonWorld) -> None:
    log = made(ton, network=NETWORK, contract=0x77)
    ton.ok(ton.authority, log, TON1 // 5, order(ton))
    head = next_head(
        GENESIS,
        network=NETWORK,
        contract=0x77,
        sequence=1,
        expiry_s=ton.now_s + 60,
        body=b"gamma = 17\n",
    )
    assert ton.get(log, "log")[1] == int.from_bytes(head, "big")
    other = made(ton, network=NETWORK - 1, contract=0x77)
    ton.ok(ton.authority, other, TON1 // 5, order(ton))
    assert ton.get(other, "log")[1] != int.from_bytes(head, "big")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sequence": 0}, WRONG_SEQUENCE),
        ({"sequence": 2}, WRONG_SEQUENCE),
        ({"previous_head": FAMILY}, WRONG_HEAD),
        ({"expiry_s": 1_999_999_999}, ORDER_EXPIRED),
        ({"body": b""}, BODY_EMPTY),
        ({"body": bytes(4_097)}, BODY_TOO_LONG),
        ({"body": bytes(127 * 41)}, BODY_TOO_LONG),
    ],
)
def test_an_order_that_does_not_fit_is_refused(
    ton: TonWorld, change: dict[str, Any], code: int
) -> None:
    log = made(ton, network=NETWORK, contract=0x77)
    assert ton.refusal(ton.authority, log, TON1, order(ton, **change)) == code


def test_only_the_authority_executes_and_once(ton: TonWorld) -> None:
    log = made(ton, network=NETWORK, contract=0x77)
    for sender in (ton.operator, ton.guardian, ton.taker):
        assert ton.refusal(sender, log, TON1, order(ton)) == NOT_AUTHORITY
    ton.ok(ton.authority, log, TON1 // 5, order(ton))
    assert ton.refusal(ton.authority, log, TON1, order(ton)) == WRONG_SEQUENCE


def test_a_body_of_broken_bytes_is_refused(ton: TonWorld) -> None:
    log = made(ton, network=NETWORK, contract=0x77)
    body = cells.op(
        desk_cells.OP_EXECUTE,
        write=lambda b: (
            b.store_bytes(FAMILY)
            .store_uint(1, 64)
            .store_bytes(GENESIS)
            .store_uint(ton.now_s + 60, 64)
            .store_ref(begin_cell().store_uint(5, 9).end_cell())
        ),
    )
    assert ton.refusal(ton.authority, log, TON1, body) == WRONG_PAYLOAD
