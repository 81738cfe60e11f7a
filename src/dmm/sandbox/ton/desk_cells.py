"""Cells of treasury, distributor and order log; those of the vault are in `cells`."""

from __future__ import annotations

from collections.abc import Sequence

from pytoniq_core import Cell, begin_cell

from dmm.adapters.ton.cells import (
    OP_BURN_BOUGHT,
    OP_BUYBACK,
    OP_PAY,
    OP_TREASURY_RESOLVE,
    at,
    buyback,
    op,
    pay,
    snake,
)

__all__ = [
    "OP_BURN_BOUGHT",
    "OP_BUYBACK",
    "OP_PAY",
    "OP_TREASURY_RESOLVE",
    "buyback",
    "pay",
]

# -- treasury -----------------------------------------------------------------------------------

OP_TREASURY_SET_ROLES = 0x444D0205
OP_SET_CAP = 0x444D0206
OP_LOWER_CAP = 0x444D0207
OP_TREASURY_LIST_ASSET = 0x444D0208
OP_SET_MAKER = 0x444D0209
OP_TREASURY_SET_PAUSED = 0x444D020A
OP_SWEEP = 0x444D020B
OP_TREASURY_DEPOSIT_TON = 0x444D020C


def holding(*, layout: int, leg_nanoton: int, minter: int, code: Cell) -> Cell:
    """Return how a jetton is held: its wallets' layout and code, and what a transfer costs."""
    return (
        begin_cell()
        .store_uint(layout, 8)
        .store_coins(leg_nanoton)
        .store_uint(minter, 256)
        .store_ref(code)
        .end_cell()
    )


def treasury_data(*, authority: int, operator: int, guardian: int) -> Cell:
    """Return the first data of a treasury: nothing may leave yet."""
    roles = (
        begin_cell()
        .store_address(at(authority))
        .store_address(at(operator))
        .store_address(at(guardian))
        .end_cell()
    )
    return (
        begin_cell()
        .store_bit_int(0)
        .store_uint(0, 16)
        .store_ref(roles)
        .store_maybe_ref(None)
        .store_maybe_ref(None)
        .store_maybe_ref(None)
        .end_cell()
    )


# -- distributor --------------------------------------------------------------------------------

OP_CLAIM = 0x444D0301
OP_PROPOSE = 0x444D0302
OP_VETO = 0x444D0303
OP_CLAWBACK = 0x444D0304
OP_SET_BUDGET = 0x444D0305
OP_LOWER_BUDGET = 0x444D0306
OP_SET_GUARDIAN = 0x444D0307
OP_DISTRIBUTOR_SET_PAUSED = 0x444D0308
OP_DISTRIBUTOR_LIST_ASSET = 0x444D0309
OP_DISTRIBUTOR_RESOLVE = 0x444D030A
OP_FUND = 0x444D030B
OP_ADVANCE = 0x444D0381
OP_ADVANCED = 0x444D0382
OP_RESTORE = 0x444D0383
PROOF_WORDS_PER_CELL = 3


def distributor_data(
    *, authority: int, guardian: int, challenge_s: int, claimant_code: Cell
) -> Cell:
    """Return the first data of a distributor: no jetton listed, no version."""
    version = (
        begin_cell()
        .store_uint(0, 256)
        .store_coins(0)
        .store_uint(0, 32)
        .store_uint(0, 32)
        .end_cell()
    )
    cold = (
        begin_cell()
        .store_address(at(authority))
        .store_address(at(guardian))
        .store_uint(challenge_s, 32)
        .store_ref(claimant_code)
        .store_uint(0, 256)
        .store_maybe_ref(None)
        .store_ref(version)
        .end_cell()
    )
    return (
        begin_cell()
        .store_bit_int(0)
        .store_uint(0, 32)
        .store_coins(0)
        .store_coins(0)
        .store_coins(0)
        .store_coins(0)
        .store_uint(0, 64)
        .store_maybe_ref(None)
        .store_uint(0, 16)
        .store_ref(version)
        .store_ref(cold)
        .end_cell()
    )


def proof_cells(siblings: Sequence[bytes]) -> Cell | None:
    """Return a merkle proof in plain cells, three words each, from the leaf up; None when empty."""
    rest: Cell | None = None
    for start in reversed(range(0, len(siblings), PROOF_WORDS_PER_CELL)):
        builder = begin_cell()
        for word in siblings[start : start + PROOF_WORDS_PER_CELL]:
            builder.store_bytes(word)
        rest = (builder.store_ref(rest) if rest is not None else builder).end_cell()
    return rest


def claim(*, version: int, holder: int, cumulative: int, siblings: Sequence[bytes]) -> Cell:
    """Return a claim of what a holder was allocated in all, with its proof."""
    return op(
        OP_CLAIM,
        write=lambda b: (
            b.store_uint(version, 32)
            .store_uint(holder, 256)
            .store_coins(cumulative)
            .store_maybe_ref(proof_cells(siblings))
        ),
    )


# -- governor -----------------------------------------------------------------------------------

OP_EXECUTE = 0x444D0401


def governor_data(
    *, authority: int, home_network: int, home_contract: int, sequence: int, head: bytes
) -> Cell:
    """Return the first data of an order log, at home or as a mirror of another chain's."""
    return (
        begin_cell()
        .store_address(at(authority))
        .store_int(home_network, 64)
        .store_uint(home_contract, 256)
        .store_uint(sequence, 64)
        .store_bytes(head)
        .end_cell()
    )


def execute_order(
    *, family: bytes, sequence: int, previous_head: bytes, expiry_s: int, body: bytes
) -> Cell:
    """Return an order for the log."""
    return op(
        OP_EXECUTE,
        write=lambda b: (
            b.store_bytes(family)
            .store_uint(sequence, 64)
            .store_bytes(previous_head)
            .store_uint(expiry_s, 64)
            .store_ref(snake(body))
        ),
    )
