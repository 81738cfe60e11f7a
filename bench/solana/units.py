"""What one runtime says: compute units, bytes, milliseconds; run as a module it prints JSON.

The calls are those of the suite (`tests/contracts/solana`), so the figures are the snapshot's own.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

from tests.contracts.solana.conftest import World
from tests.contracts.solana.test_solana_compute import accepted, measure, runtime

TRANSACTION_BYTES_MAX = 1_232
STATEMENT_PAGES_MAX = 8
NONCES_PER_PAGE = 256


def measure_all(count: int) -> dict[str, Any]:
    """Return the figures of this environment's runtime.

    Parameters
    ----------
    count : settlements and fuzzed calls that are timed
    """
    return {
        "runtime": runtime(),
        "cu": measure(_world()),
        "tx_bytes": _bytes(_world()),
        "settle_ms": _settle_ms(_world(), count),
        "net_max": {"signed_quotes": _signed_net_max(_world()), "statement": _statement_max()},
        "fuzz_per_s": _fuzz_per_s(_world(), count),
    }


def _world() -> World:
    return World().with_maker().with_treasury()


def _bytes(world: World) -> dict[str, int]:
    made = {
        "settle_with_fee": world.transaction(world.settle(world.terms()), world.taker),
        "settle_accepted_with_fee": world.transaction(accepted(world, 5), world.stranger),
        "pay": world.transaction([world.pay_call()], world.operator),
    }
    return {name: len(bytes(one)) for name, one in made.items()}


def _settle_ms(world: World, count: int) -> float:
    """Return milliseconds of wall clock a settlement, signing included."""
    calls = [world.settle(world.terms(nonce=nonce % NONCES_PER_PAGE)) for nonce in range(count)]
    if count > NONCES_PER_PAGE:
        raise ValueError(f"a page holds {NONCES_PER_PAGE} nonces, asked for {count}")
    started = time.perf_counter()
    for call in calls:
        world.done(call, world.taker)
    return round(1_000 * (time.perf_counter() - started) / count, 3)


def _signed_net_max(world: World) -> int:
    """Return the most quotes whose Ed25519 checks and terms fit one transaction."""
    from tests.contracts.solana import test_solana_other_settlements as nets  # noqa: PLC0415

    found = 0
    for number in range(1, 17):
        one = world.terms()
        calls = nets.signed_net(world, [(True, one, one.taker_amount)] * number)
        if len(bytes(world.transaction(calls, world.taker))) > TRANSACTION_BYTES_MAX:
            return found
        found = number
    return found


def _statement_max() -> int:
    """Return the most quotes of one statement: every nonce of every page it may name."""
    return STATEMENT_PAGES_MAX * NONCES_PER_PAGE


def _fuzz_per_s(world: World, count: int) -> float:
    """Return how many settlements of odd numbers, most of them refused, run in a second."""
    started = time.perf_counter()
    for number in range(count):
        terms = replace(
            world.terms(), maker_amount=number * 7_919 + 1, min_fill=0, fee_bps=number % 600
        )
        world.send(world.settle(terms, amount=number * 104_729 + 1), world.taker)
    return round(count / (time.perf_counter() - started), 1)


if __name__ == "__main__":
    print(json.dumps(measure_all(50)))  # noqa: T201 - the parent reads it
