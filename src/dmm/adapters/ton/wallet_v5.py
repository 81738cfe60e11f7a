"""Wallet v5 (W5): the other transport, for a key whose wallet also serves people.

It takes one message after the other: each names the wallet's own next number and a time from which
on it is refused. So two messages of one number exclude each other, and one whose time is over is
dead for good, whatever became of the number. Its id holds the network's number: a signature fits
no other network. As with any transport, that it took a message says nothing about a payment.

References
----------
ton-blockchain/wallet-contract-v5, ``types.tlb`` and ``Specification.md``; TON documentation,
"Wallet V5", message layout and wallet id.
"""

from __future__ import annotations

from pytoniq.contract.wallets.wallet_v5 import WALLET_V5_R1_CODE
from pytoniq_core import Cell, begin_cell
from pytoniq_core.tlb.account import StateInit
from pytoniq_core.tlb.transaction import ExternalMsgInfo, MessageAny

from dmm.adapters.ton.cells import EMPTY, at, state_init
from dmm.adapters.ton.wallet import message_id
from dmm.units.errors import Permanent

OP_SIGNED_EXTERNAL = 0x7369676E
ACTION_SEND = 0x0EC3C86D
SEND_MODE = 3
"""Pay fees apart from the value and ignore errors: the wallet takes no other from outside."""

CLIENT_CONTEXT = 1 << 31
"""A wallet of an application, in workchain 0, first version, subwallet 0."""

WORD_END = 2**32


def wallet_id(global_id: int) -> int:
    """Return the id that a network's wallets carry: what is signed is bound to the network.

    Parameters
    ----------
    global_id : the network's number, negative: −239 for mainnet, −3 for testnet
    """
    return (CLIENT_CONTEXT ^ global_id) % WORD_END


def wallet_state(public_key: bytes, *, global_id: int) -> tuple[int, StateInit]:
    """Return the account of a key's wallet on one network with its first state.

    Parameters
    ----------
    public_key : Ed25519, 32 bytes
    """
    data = (
        begin_cell()
        .store_bit_int(1)
        .store_uint(0, 32)
        .store_uint(wallet_id(global_id), 32)
        .store_bytes(public_key)
        .store_maybe_ref(None)
        .end_cell()
    )
    return state_init(WALLET_V5_R1_CODE, data)


def order(*, message: Cell, seqno: int, valid_until_s: int, global_id: int) -> Cell:
    """Return the cell whose hash the wallet's key signs: send one message on.

    Parameters
    ----------
    seqno : the wallet's next number; it refuses any other
    valid_until_s : chain time from which on the wallet refuses it, equality included

    Raises
    ------
    Permanent
        If one of them does not fit 32 bits.
    """
    for name, number in (("seqno", seqno), ("valid_until", valid_until_s)):
        if not 0 <= number < WORD_END:
            raise Permanent(f"{name} {number} does not fit 32 bits")
    actions = (
        begin_cell()
        .store_ref(EMPTY)
        .store_uint(ACTION_SEND, 32)
        .store_uint(SEND_MODE, 8)
        .store_ref(message)
        .end_cell()
    )
    return (
        begin_cell()
        .store_uint(OP_SIGNED_EXTERNAL, 32)
        .store_uint(wallet_id(global_id), 32)
        .store_uint(valid_until_s, 32)
        .store_uint(seqno, 32)
        .store_maybe_ref(actions)
        .store_bit_int(0)
        .end_cell()
    )


def envelope(
    *, account: int, order: Cell, signature: bytes, init: StateInit | None = None
) -> tuple[str, bytes]:
    """Return (id, bytes) of the message from outside that carries a signed order.

    Here the signature comes last, in the order's own cell.
    """
    body = begin_cell().store_cell(order).store_bytes(signature).end_cell()
    message = MessageAny(info=ExternalMsgInfo(None, at(account), 0), init=init, body=body)
    return message_id(account, body), bytes(message.serialize().to_boc())
