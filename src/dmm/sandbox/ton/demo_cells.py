"""Cells of the DEMO multisig and of wallets that send many messages at once."""

from __future__ import annotations

from collections.abc import Sequence

from pytoniq_core import Cell, HashMap, begin_cell

from dmm.adapters.ton.sign import Key
from dmm.adapters.ton.wallet import outgoing
from dmm.sandbox.demo_keys import THRESHOLD
from dmm.sandbox.ton import cells, desk_cells
from dmm.sandbox.ton.actors import Actors
from dmm.units.errors import ServiceFault

TON1 = 10**9
BATCH_MAX = 200
"""Messages of one batch; the wallet's own bound is 254."""

OP_NEW_ORDER, OP_APPROVE, OP_EXECUTE = 0x444D0F11, 0x444D0F12, 0x444D0F13
OP_SEND_LIST, ACTION_SEND = 0xAE42E5A4, 0x0EC3C86D


def batch(key: Key, messages: Sequence[Cell], *, query_id: int) -> Cell:
    """Return the message by which a highload wallet has itself send many, in their order.

    Raises
    ------
    ServiceFault
        If there are more than `BATCH_MAX`.
    """
    if len(messages) > BATCH_MAX:
        raise ServiceFault(f"{len(messages)} messages are more than {BATCH_MAX} in a batch")
    actions = cells.EMPTY
    for message in messages:
        actions = (
            begin_cell()
            .store_ref(actions)
            .store_uint(ACTION_SEND, 32)
            .store_uint(1, 8)
            .store_ref(message)
            .end_cell()
        )
    body = cells.op(OP_SEND_LIST, query_id=query_id, write=lambda b: b.store_ref(actions))
    return outgoing(to=key.account, nanoton=TON1 // 50 * (1 + len(messages)), body=body)


def multisig_data(actors: Actors) -> Cell:
    """Return the first data of the DEMO multisig: two of three owners, no delay."""
    signers = HashMap(8, value_serializer=lambda src, dest: dest.store_address(cells.at(src)))
    for place, owner in enumerate(actors.owners):
        signers.set_int_key(place, owner.account)
    return (
        begin_cell()
        .store_uint(THRESHOLD, 8)
        .store_uint(len(actors.owners), 8)
        .store_uint(0, 32)
        .store_uint(0, 32)
        .store_uint(0, 16)
        .store_uint(0, 64)
        .store_dict(signers.serialize())
        .store_maybe_ref(None)
        .end_cell()
    )


def cap_order(wallet: int, amount: int) -> Cell:
    """Return the treasury's order of a day's cap."""
    return cells.op(
        desk_cells.OP_SET_CAP, write=lambda b: b.store_uint(wallet, 256).store_coins(amount)
    )


def proposal(to: int, body: Cell, expiry_s: int) -> Cell:
    """Return the first owner's proposal of an order, which approves it as well."""
    action = (
        begin_cell().store_address(cells.at(to)).store_coins(TON1 // 10).store_ref(body).end_cell()
    )
    return cells.op(
        OP_NEW_ORDER,
        write=lambda b: b.store_uint(0, 8).store_uint(expiry_s, 32).store_ref(action),
    )


def approval(order: int) -> Cell:
    """Return the second owner's approval of an order."""
    return cells.op(OP_APPROVE, write=lambda b: b.store_uint(1, 8).store_uint(order, 64))


def execution(order: int) -> Cell:
    """Return the execution of an approved order, which anybody may send."""
    return cells.op(OP_EXECUTE, write=lambda b: b.store_uint(order, 64))
