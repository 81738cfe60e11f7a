"""Cells that the desk and its counterparties exchange with the TON contracts; see schema.tlb.

An account is the 256-bit number of an address in the basechain; an asset is 0 for TON and otherwise
the account of the vault's own wallet of that jetton. Amounts are atoms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from pytoniq_core import Address, Builder, Cell, begin_cell
from pytoniq_core.tlb.account import StateInit

TON = 0
EMPTY = begin_cell().end_cell()
BURN_WORDS_PER_CELL = 3
NONCES_PER_WORD = 256
BYTES_PER_CELL = 127

OP_FILL = 0x444D0101
OP_DEPOSIT_TON = 0x444D0102
OP_WITHDRAW = 0x444D0103
OP_SET_SIGNER = 0x444D0104
OP_LIST_ASSET = 0x444D0105
OP_SET_ROLES = 0x444D0106
OP_REVOKE_SIGNER = 0x444D0107
OP_CANCEL_NONCE = 0x444D0109
OP_CREDIT_SURPLUS = 0x444D010A
OP_RESOLVE = 0x444D010B
OP_CLAIM_CREDIT = 0x444D010C
OP_CONFIRM = 0x444D010D
OP_TOP_UP_RENT = 0x444D010E
OP_DEPOSIT_JETTON = 0x444D010F
OP_TON_PAYOUT = 0x444D0181
OP_TON_CREDIT = 0x444D0182
OP_REFUSED = 0x444D0183
OP_FEE = 0x444D0184
QUOTE_TAG = 0x444D4D51

OP_TRANSFER = 0x0F8A7EA5
OP_NOTIFICATION = 0x7362D09C
OP_EXCESSES = 0xD53276DB
OP_BURN = 0x595F07BC

OP_BURN_NOTIFICATION = 0x7BDD97DE
OP_INTERNAL_TRANSFER = 0x178D4519

OP_PAY = 0x444D0201
OP_BUYBACK = 0x444D0202
OP_BURN_BOUGHT = 0x444D0203
OP_TREASURY_RESOLVE = 0x444D0204
OP_BOUGHT = 0x444D0281
OP_ORDER_EXECUTED = 0x444D04E1


def at(account: int) -> Address:
    """Return the address of an account in the basechain."""
    return Address((0, account.to_bytes(32, "big")))


def raw(account: int) -> str:
    """Return an account's address as text, ``0:`` and 64 hex digits."""
    return f"0:{account:064x}"


def state_init(code: Cell, data: Cell) -> tuple[int, StateInit]:
    """Return the account that code and first data give, with its state."""
    state = StateInit(code=code, data=data)
    return int.from_bytes(state.serialize().hash, "big"), state


# -- quotes -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultQuote:
    """A firm quote as a vault knows it; `burns` makes it a net statement."""

    network: int
    vault: int
    taker: int
    expiry_s: int
    settle_by_s: int
    nonce: int
    quote_id: int
    maker_asset: int
    taker_asset: int
    maker_amount: int
    taker_amount: int
    min_fill: int
    fee_bps: int = 0
    fee_recipient: int = 0
    burns: tuple[int, ...] = ()

    def cell(self) -> Cell:
        """Return the cell whose hash the maker's key signs."""
        terms = (
            begin_cell()
            .store_uint(self.maker_asset, 256)
            .store_uint(self.taker_asset, 256)
            .store_coins(self.maker_amount)
            .store_coins(self.taker_amount)
            .store_coins(self.min_fill)
            .end_cell()
        )
        fee = (
            begin_cell().store_uint(self.fee_bps, 16).store_uint(self.fee_recipient, 256).end_cell()
        )
        return (
            begin_cell()
            .store_uint(QUOTE_TAG, 32)
            .store_int(self.network, 32)
            .store_uint(self.vault, 256)
            .store_uint(self.taker, 256)
            .store_uint(self.expiry_s, 32)
            .store_uint(self.settle_by_s, 32)
            .store_uint(self.nonce, 32)
            .store_uint(self.quote_id, 256)
            .store_ref(terms)
            .store_maybe_ref(fee if self.fee_bps else None)
            .store_maybe_ref(burn_list(self.burns) if self.burns else None)
            .end_cell()
        )

    def with_(self, **change: int | tuple[int, ...]) -> VaultQuote:
        """Return the quote with other terms."""
        return replace(self, **change)  # type: ignore[arg-type]


def burn_list(nonces: Sequence[int]) -> Cell:
    """Return nonces as words of 256: number and mask, up to three words a cell, chained."""
    words: dict[int, int] = {}
    for nonce in nonces:
        word, bit = divmod(nonce, NONCES_PER_WORD)
        words[word] = words.get(word, 0) | 1 << bit
    ascending = sorted(words.items())
    rest: Cell | None = None
    for start in reversed(range(0, len(ascending), BURN_WORDS_PER_CELL)):
        builder = begin_cell()
        for word, mask in ascending[start : start + BURN_WORDS_PER_CELL]:
            builder.store_uint(word, 16).store_uint(mask, 256)
        rest = (builder.store_ref(rest) if rest is not None else builder).end_cell()
    return rest if rest is not None else EMPTY


def fill(
    quote: Cell,
    signature: bytes,
    *,
    amount: int,
    recipient: int,
    query_id: int = 0,
    min_output: int = 0,
    forward_nanoton: int = 0,
    payload: Cell | None = None,
) -> Cell:
    """Return the body that takes a quote, for TON or for a jetton transfer's payload."""
    signed = begin_cell().store_bytes(signature).store_ref(quote).end_cell()
    return (
        begin_cell()
        .store_uint(OP_FILL, 32)
        .store_uint(query_id, 64)
        .store_coins(amount)
        .store_coins(min_output)
        .store_address(at(recipient))
        .store_coins(forward_nanoton)
        .store_maybe_ref(payload)
        .store_ref(signed)
        .end_cell()
    )


# -- what else is sent to a vault ----------------------------------------------------------------


def op(code: int, *, query_id: int = 0, write: Callable[[Builder], object] | None = None) -> Cell:
    """Return a body of op-code, query id and whatever `write` adds."""
    builder = begin_cell().store_uint(code, 32).store_uint(query_id, 64)
    if write is not None:
        write(builder)
    return builder.end_cell()


def transfer(
    *,
    amount: int,
    to: int,
    response: int,
    query_id: int = 0,
    forward_nanoton: int = 0,
    payload: Cell | None = None,
) -> Cell:
    """Return TEP-74's `transfer` as an owner sends it to the own wallet."""
    builder = (
        begin_cell()
        .store_uint(OP_TRANSFER, 32)
        .store_uint(query_id, 64)
        .store_coins(amount)
        .store_address(at(to))
        .store_address(at(response))
        .store_maybe_ref(None)
        .store_coins(forward_nanoton)
    )
    if payload is None:
        return builder.store_bit_int(0).end_cell()
    return builder.store_bit_int(1).store_ref(payload).end_cell()


def snake(content: bytes) -> Cell:
    """Return bytes in a chain of cells, 127 a cell."""
    rest: Cell | None = None
    pieces: Iterable[int] = range(0, max(len(content), 1), BYTES_PER_CELL)
    for start in reversed(list(pieces)):
        builder = begin_cell().store_bytes(content[start : start + BYTES_PER_CELL])
        rest = (builder.store_ref(rest) if rest is not None else builder).end_cell()
    return rest if rest is not None else EMPTY


# -- treasury -----------------------------------------------------------------------------------


def pay(*, key: int, deadline_s: int, asset: int, to: int, amount: int) -> Cell:
    """Return a payment under an intent's key."""
    return op(
        OP_PAY,
        write=lambda b: (
            b.store_uint(key, 256)
            .store_uint(deadline_s, 32)
            .store_uint(asset, 256)
            .store_uint(to, 256)
            .store_coins(amount)
        ),
    )


def buyback(
    *,
    key: int,
    deadline_s: int,
    maker: int,
    amount: int,
    pay_asset: int,
    buy_asset: int,
    min_output: int,
    burn: bool,
    quote: Cell,
    signature: bytes,
) -> Cell:
    """Return a purchase from a maker's vault by a quote that binds the treasury as its taker."""
    purchase = (
        begin_cell()
        .store_uint(pay_asset, 256)
        .store_uint(buy_asset, 256)
        .store_coins(min_output)
        .store_bit_int(int(burn))
        .store_coins(0)
        .end_cell()
    )
    signed = begin_cell().store_bytes(signature).store_ref(quote).end_cell()
    return op(
        OP_BUYBACK,
        write=lambda b: (
            b.store_uint(key, 256)
            .store_uint(deadline_s, 32)
            .store_uint(maker, 256)
            .store_coins(amount)
            .store_ref(purchase)
            .store_ref(signed)
        ),
    )
