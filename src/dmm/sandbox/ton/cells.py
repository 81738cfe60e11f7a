"""Cells of the local chain alone: genesis states, DEMO jettons, messages from anybody.

What the desk itself sends is in `dmm.adapters.ton.cells` and shown here under the same names.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from pytoniq_core import Cell, begin_cell
from pytoniq_core.tlb.account import StateInit
from pytoniq_core.tlb.block import CurrencyCollection
from pytoniq_core.tlb.transaction import InternalMsgInfo, MessageAny

from dmm.adapters.ton.cells import (
    BURN_WORDS_PER_CELL,
    BYTES_PER_CELL,
    EMPTY,
    NONCES_PER_WORD,
    OP_BURN,
    OP_CANCEL_NONCE,
    OP_CLAIM_CREDIT,
    OP_CONFIRM,
    OP_CREDIT_SURPLUS,
    OP_DEPOSIT_JETTON,
    OP_DEPOSIT_TON,
    OP_EXCESSES,
    OP_FEE,
    OP_FILL,
    OP_LIST_ASSET,
    OP_NOTIFICATION,
    OP_REFUSED,
    OP_RESOLVE,
    OP_REVOKE_SIGNER,
    OP_SET_ROLES,
    OP_SET_SIGNER,
    OP_TON_CREDIT,
    OP_TON_PAYOUT,
    OP_TOP_UP_RENT,
    OP_TRANSFER,
    OP_WITHDRAW,
    QUOTE_TAG,
    TON,
    VaultQuote,
    at,
    burn_list,
    fill,
    op,
    raw,
    snake,
    state_init,
    transfer,
)
from dmm.sandbox.ton.machine import Message
from dmm.units.errors import ServiceFault

__all__ = [
    "BURN_WORDS_PER_CELL",
    "BYTES_PER_CELL",
    "EMPTY",
    "NONCES_PER_WORD",
    "OP_BRAKE",
    "OP_BURN",
    "OP_CANCEL_NONCE",
    "OP_CLAIM_CREDIT",
    "OP_CONFIRM",
    "OP_CREDIT_SURPLUS",
    "OP_DEPOSIT_JETTON",
    "OP_DEPOSIT_TON",
    "OP_EXCESSES",
    "OP_FEE",
    "OP_FILL",
    "OP_LIST_ASSET",
    "OP_MINT",
    "OP_NOTIFICATION",
    "OP_REFUSED",
    "OP_RESOLVE",
    "OP_REVOKE_SIGNER",
    "OP_SET_ROLES",
    "OP_SET_SIGNER",
    "OP_TON_CREDIT",
    "OP_TON_PAYOUT",
    "OP_TOP_UP_RENT",
    "OP_TRANSFER",
    "OP_WITHDRAW",
    "QUOTE_TAG",
    "TON",
    "VaultQuote",
    "at",
    "burn_list",
    "code_of",
    "fill",
    "internal",
    "op",
    "raw",
    "snake",
    "state_init",
    "transfer",
    "vault_data",
]

OP_MINT = 0x444D0F02
OP_BRAKE = 0x444D0F03


def code_of(build_dir: Path, contract: str) -> Cell:
    """Return a contract's code from its committed artefact.

    Raises
    ------
    ServiceFault
        If the artefact is missing or its code does not hash to what it names.
    """
    path = build_dir / f"{contract}.json"
    try:
        artefact = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ServiceFault(f"{path} cannot be read: {error.strerror}") from error
    code = Cell.one_from_boc(base64.b64decode(artefact["code"]))
    if code.hash.hex() != artefact["code_hash"]:
        raise ServiceFault(
            f"{path}: the code is not the one it names; run contracts/ton/compile.cjs"
        )
    return code


def internal(
    *,
    source: int,
    destination: int,
    nanoton: int,
    body: Cell,
    init: StateInit | None = None,
    bounce: bool = True,
) -> Message:
    """Return a message as an account would send it."""
    info = InternalMsgInfo(
        ihr_disabled=True,
        bounce=bounce,
        bounced=False,
        src=at(source),
        dest=at(destination),
        value=CurrencyCollection(grams=nanoton),
        ihr_fee=0,
        fwd_fee=0,
        created_lt=0,
        created_at=0,
    )
    cell = MessageAny(info=info, init=init, body=body).serialize()
    return Message(boc=cell.to_boc(), source=raw(source), destination=raw(destination))


def vault_data(
    *, signer: bytes, lifetime_s_max: int, authority: int, operator: int, guardian: int
) -> Cell:
    """Return the first data of a settlement vault: empty books."""
    marks = begin_cell().store_maybe_ref(None).store_maybe_ref(None).end_cell()
    rest = (
        begin_cell()
        .store_address(at(authority))
        .store_address(at(operator))
        .store_address(at(guardian))
        .store_uint(0, 64)
        .store_uint(0, 16)
        .store_maybe_ref(None)
        .store_maybe_ref(None)
        .store_ref(marks)
        .end_cell()
    )
    return (
        begin_cell()
        .store_bytes(signer)
        .store_uint(lifetime_s_max, 32)
        .store_coins(0)
        .store_ref(rest)
        .store_uint(0, 16)
        .store_maybe_ref(None)
        .store_coins(0)
        .store_maybe_ref(None)
        .store_maybe_ref(None)
        .end_cell()
    )
