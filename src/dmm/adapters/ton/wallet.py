"""Highload wallet v3: the transport of everything that is sent from outside.

It takes a message that its key signed, once for each query id, and sends one message on. It proves
nothing about a payment: it forgets ids, and does not know what became of what it sent. Whether
something was paid is in our contracts.

References
----------
ton-blockchain/highload-wallet-contract-v3, README and ``highload-wallet-v3.func``.
"""

from __future__ import annotations

from enum import StrEnum

from pytoniq.contract.wallets.highload_v3 import HIGHLOAD_V3_WALLET_CODE
from pytoniq_core import Cell, begin_cell
from pytoniq_core.tlb.account import StateInit
from pytoniq_core.tlb.block import CurrencyCollection
from pytoniq_core.tlb.transaction import ExternalMsgInfo, InternalMsgInfo, MessageAny

from dmm.adapters.ton.cells import at, raw, state_init
from dmm.units.errors import Permanent


class Wallet(StrEnum):
    """The wallet that carries the settlement signer's messages."""

    HIGHLOAD_V3 = "highload-v3"
    """Query ids: many messages at once, in any order."""
    V5 = "v5"
    """One number after the other; see `dmm.adapters.ton.wallet_v5`."""


SUBWALLET_ID = 0x10AD
"""The wallet's own default for workchain 0."""

TIMEOUT_S = 2_592_000
"""How long after its `created_at` a message is taken: past every deadline, as long as a used key is
kept, so that it is our contracts that refuse late bytes and not the transport."""

BITS_PER_SHIFT = 1_023
"""Bit 1,023 of each shift is refused by the wallet."""

SHIFTS = 8_192
SEND_MODE = 1
"""Pay fees apart from the value; the wallet adds "ignore errors" itself."""


def query_id_of(slot: int) -> int:
    """Return the query id of a lane's slot: shift (13 bits) and bit (10), the last never 1,023.

    Slots follow the chain's time, one a second. So ids come again after 97 days, when the wallet,
    which keeps one for at most twice its timeout, has forgotten them.
    """
    shift, bit = divmod(slot % (SHIFTS * BITS_PER_SHIFT), BITS_PER_SHIFT)
    return shift << 10 | bit


def require_query_id(query_id: int) -> None:
    """Refuse a number that is no query id; `Permanent`."""
    if not 0 <= query_id < 2**23 or query_id & BITS_PER_SHIFT == BITS_PER_SHIFT:
        raise Permanent(f"{query_id} is no query id of a highload wallet")


def wallet_state(public_key: bytes) -> tuple[int, StateInit]:
    """Return the account of a key's wallet with its first state.

    Parameters
    ----------
    public_key : Ed25519, 32 bytes
    """
    data = (
        begin_cell()
        .store_bytes(public_key)
        .store_uint(SUBWALLET_ID, 32)
        .store_maybe_ref(None)
        .store_maybe_ref(None)
        .store_uint(0, 64)
        .store_uint(TIMEOUT_S, 22)
        .end_cell()
    )
    return state_init(HIGHLOAD_V3_WALLET_CODE, data)


def outgoing(
    *, to: int, nanoton: int, body: Cell, bounce: bool = True, init: StateInit | None = None
) -> Cell:
    """Return the message that a wallet is to send on."""
    info = InternalMsgInfo(
        ihr_disabled=True,
        bounce=bounce,
        bounced=False,
        src=None,
        dest=at(to),
        value=CurrencyCollection(grams=nanoton),
        ihr_fee=0,
        fwd_fee=0,
        created_lt=0,
        created_at=0,
    )
    cell: Cell = MessageAny(info=info, init=init, body=body).serialize()
    return cell


def order(*, message: Cell, query_id: int, created_at_s: int) -> Cell:
    """Return the cell whose hash the wallet's key signs.

    Parameters
    ----------
    created_at_s : chain time that has passed when it arrives, at most `TIMEOUT_S` ago

    Raises
    ------
    Permanent
        If the time is none, or no wallet takes the query id.
    """
    require_query_id(query_id)
    if not 0 < created_at_s < 2**63:
        raise Permanent(f"created_at must be in (0, 2^63), got {created_at_s}")
    return (
        begin_cell()
        .store_uint(SUBWALLET_ID, 32)
        .store_ref(message)
        .store_uint(SEND_MODE, 8)
        .store_uint(query_id, 23)
        .store_uint(created_at_s, 64)
        .store_uint(TIMEOUT_S, 22)
        .end_cell()
    )


def envelope(
    *, account: int, order: Cell, signature: bytes, init: StateInit | None = None
) -> tuple[str, bytes]:
    """Return (id, bytes) of the message from outside that carries a signed order.

    The id names the wallet and the hash of the message's body: that is how it is found among the
    wallet's transactions, for a transaction's own hash is not known before it has happened.
    """
    body = begin_cell().store_bytes(signature).store_ref(order).end_cell()
    message = MessageAny(info=ExternalMsgInfo(None, at(account), 0), init=init, body=body)
    return message_id(account, body), bytes(message.serialize().to_boc())


def message_id(account: int, body: Cell) -> str:
    """Return what names a message from outside: ``0:account/hash of its body``, in hex."""
    return f"{raw(account)}/{body.hash.hex()}"


def split_id(tx_id: str) -> tuple[str, str]:
    """Return the account (raw form) and body hash of a message's id.

    Raises
    ------
    Permanent
        If it is none.
    """
    account, _, body = tx_id.partition("/")
    is_account = account.startswith("0:") and len(account) == 66
    if not is_account or len(body) != 64 or not set(account[2:] + body) <= set("0123456789abcdef"):
        raise Permanent(f"{tx_id!r} names no message on TON: it is 0:account/body hash, in hex")
    return account, body
