"""Token-2022: plain mints settle; mints whose transfers do more are refused, each by its name."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from solders.pubkey import Pubkey

TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
MINT_BYTES = 82
TRANSFER_FEE, CLOSE_AUTHORITY, CONFIDENTIAL, DEFAULT_STATE = 1, 3, 4, 6
NON_TRANSFERABLE, INTEREST, PERMANENT_DELEGATE, HOOK = 9, 10, 12, 14
METADATA_POINTER, METADATA, SCALED, PAUSABLE = 18, 19, 25, 26


def extensions(*kinds: tuple[int, bytes]) -> bytes:
    """Return what follows a mint's first 82 bytes: padding, its kind, then each extension."""
    entries = b"".join(struct.pack("<HH", kind, len(body)) + body for kind, body in kinds)
    return bytes(165 - MINT_BYTES) + b"\x01" + entries


def on_2022(world: Any, tail: bytes) -> list[Any]:
    """Return a settlement whose maker leg is in a Token-2022 mint with that tail."""
    mint = world.mint("2022", 8, TOKEN_2022, tail)
    for owner in (world.taker.pubkey(), world.maker, world.stranger.pubkey()):
        world.hold(owner, mint, 10**15, TOKEN_2022)
    fee_account = world.vault(world.stranger.pubkey(), mint, TOKEN_2022)
    terms = world.terms(maker_mint=mint, fee_account=fee_account)
    change = {
        "maker_source": world.vault(world.maker, mint, TOKEN_2022),
        "recipient": world.vault(world.taker.pubkey(), mint, TOKEN_2022),
        "maker_token_program": TOKEN_2022,
    }
    found: list[Any] = world.settle(terms, **change)
    return found


POINTER = (METADATA_POINTER, bytes(64))


@pytest.mark.parametrize("tail", [b"", extensions(POINTER)], ids=len)
def test_a_plain_mint_settles_across_both_token_programs(world: Any, tail: bytes) -> None:
    outcome = world.done(on_2022(world, tail), world.taker)
    mint = world.mint("2022", 8, TOKEN_2022, tail)
    recipient = world.vault(world.taker.pubkey(), mint, TOKEN_2022)
    assert world.balance(recipient) == 10**15 + outcome.event.fields["output"]


@pytest.mark.parametrize(
    ("tail", "refusal"),
    [
        (extensions((TRANSFER_FEE, bytes(108))), "TransferFeeMint"),
        (extensions((HOOK, bytes(64))), "TransferHookMint"),
        (extensions((PERMANENT_DELEGATE, bytes(32))), "UnsupportedMint"),
        (extensions((NON_TRANSFERABLE, b"")), "UnsupportedMint"),
        (extensions((DEFAULT_STATE, b"\x02")), "UnsupportedMint"),
        (extensions((CONFIDENTIAL, bytes(65))), "UnsupportedMint"),
        (extensions((INTEREST, bytes(52))), "UnsupportedMint"),
        (extensions((CLOSE_AUTHORITY, bytes(32))), "UnsupportedMint"),
        (extensions((SCALED, bytes(56))), "UnsupportedMint"),
        (extensions((PAUSABLE, bytes(33))), "UnsupportedMint"),
        (extensions(POINTER, (TRANSFER_FEE, bytes(108))), "TransferFeeMint"),
        (extensions(POINTER, (METADATA, bytes(90)), (HOOK, bytes(64))), "TransferHookMint"),
        (extensions(*[POINTER] * 32, (TRANSFER_FEE, bytes(108))), "UnsupportedMint"),
    ],
    ids=lambda value: value if isinstance(value, str) else len(value),
)
def test_a_mint_that_does_more_than_move_is_refused_by_name(
    world: Any, tail: bytes, refusal: str
) -> None:
    assert world.refusal(on_2022(world, tail), world.taker) == refusal


@pytest.mark.parametrize(
    "tail",
    [
        bytes(83),
        bytes(83) + b"\x02" + bytes(40),
        extensions() + struct.pack("<HH", METADATA_POINTER, 500) + bytes(64),
        bytes(40),
    ],
    ids=["without a kind", "an account's kind", "longer than it is", "cut"],
)
def test_a_mint_with_a_broken_tail_is_refused(world: Any, tail: bytes) -> None:
    assert world.refusal(on_2022(world, tail), world.taker) == "WrongMint"


def test_the_token_program_must_be_the_mint_s_own(world: Any) -> None:
    calls = world.settle(world.terms(), maker_token_program=TOKEN_2022)
    assert world.refusal(calls, world.taker) == "WrongMint"


def test_a_mint_with_a_fee_cannot_be_deposited_capped_or_distributed(funded: Any) -> None:
    mint = funded.mint("fee", 6, TOKEN_2022, extensions((TRANSFER_FEE, bytes(108))))
    source = funded.hold(funded.taker.pubkey(), mint, 10, TOKEN_2022)
    vault = funded.hold(funded.maker, mint, 0, TOKEN_2022)
    deposit = funded.call(
        "deposit",
        {
            "authority": funded.taker.pubkey(),
            "maker": funded.maker,
            "source": source,
            "vault": vault,
            "mint": mint,
            "token_program": TOKEN_2022,
        },
        amount=1,
    )
    assert funded.refusal([deposit], funded.taker) == "TransferFeeMint"
    cap = funded.set_cap(mint, 1, token_program=TOKEN_2022)
    assert funded.refusal([cap], funded.payer, funded.authority) == "TransferFeeMint"
