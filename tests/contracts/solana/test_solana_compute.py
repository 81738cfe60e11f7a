"""Compute units of the calls the desk pays for, against the committed snapshot: a rise is a diff.

Keys are fixed, because searching for an address costs what its bump says. The runtime is the one of
the main environment; cu.json also holds the newer one, measured with the same calls in an
environment of its own.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from solders.instruction import AccountMeta
from solders.pubkey import Pubkey

from dmm.adapters.solana import terms as signing

SNAPSHOT = Path(__file__).resolve().parents[3] / "contracts" / "solana" / "cu.json"
RUNTIMES = {"0.26": "agave_2_2", "0.29": "agave_4_1"}
START_S = 2_000_000_000
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
PAYMENT_KEYS = 1_000


def runtime() -> str:
    return RUNTIMES[".".join(version("solders").split(".")[:2])]


def statement(world: Any, masks: list[bytes]) -> Any:
    fees = world.terms().fee_account
    accounts = {
        "taker": world.taker.pubkey(),
        "signer": world.signer.pubkey(),
        "maker": world.maker,
        "base_mint": world.base,
        "cash_mint": world.cash,
        "base_token_program": TOKEN,
        "cash_token_program": TOKEN,
        "taker_base": world.vault(world.taker.pubkey(), world.base),
        "maker_base": world.vault(world.maker, world.base),
        "base_fee_account": fees,
        "taker_cash": world.vault(world.taker.pubkey(), world.cash),
        "maker_cash": world.vault(world.maker, world.cash),
        "cash_fee_account": fees,
    }
    return world.call(
        "settle_net",
        accounts,
        [AccountMeta(world.page(256), False, True)],
        batch_root=bytes(32),
        count=sum(byte.bit_count() for mask in masks for byte in mask),
        settle_by=START_S + 60,
        base={"to_taker": 5_000, "fee": 0},
        cash={"to_taker": -70_000, "fee": 0},
        masks=masks,
    )


def accepted(world: Any, nonce: int) -> list[Any]:
    mover, bump = signing.mover_address(world.program)
    world.hold(world.taker.pubkey(), world.cash, 10**15, delegate=mover)
    terms = world.terms(nonce=nonce)
    accounts = world.exchange_accounts(terms) | {"mover": mover}
    amount = terms.taker_amount
    digest = signing.acceptance_digest(terms, amount=amount, recipient=accounts["recipient"])
    call = world.call(
        "settle_accepted", accounts, terms=terms.numbers(), amount=amount, mover_bump=bump
    )
    checks = [
        signing.check(world.taker, digest),
        signing.check(world.signer, terms.digest()),
    ]
    return [*checks, call]


def measure(world: Any) -> dict[str, int]:
    """Run each call once, a later nonce of a used page where there is a nonce."""
    world.done(world.settle(world.terms(nonce=1)), world.taker)
    world.done([world.init_page(1)], world.payer)
    part = world.terms(nonce=4, min_fill=1)
    return {
        "settle_with_fee": world.done(world.settle(world.terms(nonce=2)), world.taker).units,
        "settle": world.done(world.settle(world.terms(nonce=3, fee_bps=0)), world.taker).units,
        "settle_part_with_fee": world.done(
            world.settle(part, amount=9_000_000_001), world.taker
        ).units,
        "settle_accepted_with_fee": world.done(accepted(world, 5), world.stranger).units,
        "settle_net_256": world.done(
            [statement(world, [b"\xff" * 32])], world.taker, world.signer
        ).units,
        "pay": world.done([world.pay_call()], world.operator).units,
    }


def test_compute_units_are_what_the_snapshot_says(funded: Any) -> None:
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert measure(funded) == snapshot[runtime()]


def test_the_goals_of_the_older_runtime_hold(funded: Any) -> None:
    assert measure(funded)["settle_with_fee"] <= 22_000


def test_transaction_sizes_are_what_the_snapshot_says(funded: Any) -> None:
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))["transaction_bytes"]
    sizes = {
        "settle_with_fee": funded.transaction(funded.settle(funded.terms()), funded.taker),
        "settle_accepted_with_fee": funded.transaction(accepted(funded, 5), funded.stranger),
        "settle_net_256": funded.transaction(
            [statement(funded, [b"\xff" * 32])], funded.taker, funded.signer
        ),
        "pay": funded.transaction([funded.pay_call()], funded.operator),
    }
    assert {name: len(bytes(made)) for name, made in sizes.items()} == snapshot


@pytest.mark.deep
def test_the_dearest_of_a_thousand_keys_is_what_the_snapshot_says(funded: Any) -> None:
    """Only calls that search for an address depend on it; a payment does so once."""
    worst = 0
    for number in range(PAYMENT_KEYS):
        name = hashlib.sha256(number.to_bytes(4, "big")).digest()
        worst = max(worst, funded.done([funded.pay_call(name, 1)], funded.operator).units)
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert worst == snapshot["worst_of_1000_keys"][runtime()]["pay"]
