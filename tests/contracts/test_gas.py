"""Gas of the calls the desk pays for, against the committed snapshot: a rise is a diff.

Conditions: delegated signer, unlimited allowances, everybody holds both tokens already, a later bit
of a used nonce word, a day on which the treasury paid before.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dmm.adapters.evm.calls import BUYBACK, PAY
from dmm.adapters.evm.codec import calldata, quote_values
from dmm.adapters.evm.fees import GAS_MAX
from dmm.adapters.evm.sign import sign_quote
from dmm.settlement.intent import IntentKind

SNAPSHOT = Path(__file__).resolve().parents[2] / "contracts" / "evm" / "gas.json"
START_S = 2_100_000_000


def gas(receipt: dict[str, Any]) -> int:
    assert int(receipt["status"], 16) == 1
    return int(receipt["gasUsed"], 16)


def fill(world: Any, **change: Any) -> int:
    quote = world.quote(expiry_s=START_S + 300, settle_by_s=START_S + 600, **change)
    own = change.get("signer") == world.actors.desk.address
    key = world.actors.desk if own else world.actors.quote_signer
    data = world.fill_data(quote, maker_key=key)
    return gas(world.send(world.actors.operator, world.at("settlement"), data))


def pay(world: Any, key: bytes) -> int:
    data = calldata(
        PAY,
        key,
        world.book.token("DCT"),
        world.actors.takers[0].address,
        1_234_567_890,
        START_S + 600,
    )
    return gas(world.send(world.actors.operator, world.at("treasury"), data))


def buyback(world: Any, key: bytes, nonce: int) -> int:
    quote = world.buyback_quote(nonce=nonce, expiry_s=START_S + 300, settle_by_s=START_S + 600)
    signature = sign_quote(quote, key=world.actors.market_maker, book=world.book)
    data = calldata(
        BUYBACK,
        key,
        quote_values(quote, world.book),
        signature,
        START_S + 300,
        quote.maker_amount,
        True,
    )
    return gas(world.send(world.actors.operator, world.at("treasury"), data))


def measure(world: Any) -> dict[str, int]:
    world.next_at(START_S)
    first = fill(world, nonce=1, fee_bps=5)
    pay(world, b"\x71" * 32)
    buyback(world, b"\x72" * 32, 1)
    return {
        "fill_first_in_its_nonce_word": first,
        "fill": fill(world, nonce=2),
        "fill_with_fee": fill(world, nonce=3, fee_bps=5),
        "fill_signed_by_the_maker_itself": fill(world, nonce=4, signer=world.actors.desk.address),
        "pay": pay(world, b"\x73" * 32),
        "buyback": buyback(world, b"\x74" * 32, 2),
    }


def test_gas_is_what_the_snapshot_says(world: Any) -> None:
    measured = measure(world)
    assert measured == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_gas_limits_of_transactions_leave_room(world: Any) -> None:
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    dearest = {
        IntentKind.REWARD: snapshot["pay"],
        IntentKind.BUYBACK: snapshot["buyback"],
        IntentKind.QUOTE: snapshot["fill_first_in_its_nonce_word"],
    }
    for kind, used in dearest.items():
        # A first receipt of a token, or a first payment of a day, costs up to 50,000 more.
        assert GAS_MAX[kind] >= used + 50_000
