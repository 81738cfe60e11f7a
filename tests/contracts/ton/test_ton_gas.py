"""Gas and fees of the calls the desk pays for, against the committed snapshot: a rise is a diff.

Conditions: a word of nonces that was used before, two listed jettons, fee leg, recipient = taker,
what is left returned. Gas is that of the named contract's transactions, in order;
`fee_nanoton` is what all transactions of the chain of messages burnt together.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from dmm.sandbox.ton import cells
from dmm.sandbox.ton.machine import Transaction
from tests.contracts.ton.conftest import ROOT, TonWorld
from tests.contracts.ton.test_ton_distributor import Drop
from tests.contracts.ton.test_ton_treasury import Desk

SNAPSHOT = ROOT / "contracts" / "ton" / "gas.json"
GAS_OF_A_TRANSACTION_MAX = 1_000_000


def gas_at(done: list[Transaction], account: int) -> list[int]:
    return [tx.gas for tx in done if tx.address == cells.raw(account)]


def fees(done: list[Transaction]) -> int:
    return sum(tx.fees_nanoton for tx in done)


def settlements(ton: TonWorld) -> dict[str, Any]:
    fee = {"fee_bps": 7, "fee_recipient": ton.fee_recipient}
    ton.take_ton(ton.quote(nonce=1, **fee))
    ton.take_jettons(ton.ton_quote(nonce=2, **fee), ton.ja)
    paid_ton = ton.take_jettons(ton.ton_quote(nonce=3, **fee), ton.ja)
    plain = ton.take_jettons(ton.ton_quote(nonce=4), ton.ja)
    paid_jettons = ton.take_ton(ton.quote(nonce=5, **fee))
    net = {
        str(count): gas_at(
            ton.take_jettons(
                ton.ton_quote(
                    nonce=6 + count % 100, burns=tuple(range(1_024 * count, 1_024 * count + count))
                ),
                ton.ja,
            ),
            ton.vault,
        )[0]
        for count in (1, 50, 256)
    }
    transfer = ton.jetton_body(5, None, forward=1, to=ton.other)
    moved = ton.send(ton.taker, ton.wallet(ton.ja.minter, ton.taker), 10**9 // 5, transfer)
    return {
        "settle_ton": gas_at(paid_ton, ton.vault)[0],
        "settle_ton_without_fee": gas_at(plain, ton.vault)[0],
        "settle_ton_fee_nanoton": fees(paid_ton),
        "settle_jetton_open": gas_at(paid_jettons, ton.vault)[0],
        "settle_jetton_close": gas_at(paid_jettons, ton.vault)[1],
        "settle_jetton_fee_nanoton": fees(paid_jettons),
        "net": net,
        "jetton_transfer": sum(tx.gas for tx in moved if tx.gas > 1_000),
    }


def treasury(ton: TonWorld) -> dict[str, Any]:
    desk = Desk(ton)
    desk.pay(key=1 << 192)
    paid = desk.pay(key=2 << 192)
    bought = desk.buy(desk.quote(nonce=9))
    return {
        "pay_jettons": gas_at(paid, desk.at),
        "pay_fee_nanoton": fees(paid),
        "buyback": gas_at(bought, desk.at),
        "buyback_fee_nanoton": fees(bought),
    }


def distributor(ton: TonWorld) -> dict[str, Any]:
    drop = Drop(ton)
    holders = {0x9000 + n: 1_000 + n for n in range(4_096)}
    drop.open(1, holders)
    claimed = drop.claim(0x9007, holders=holders)
    return {
        "claim": gas_at(claimed, drop.at),
        "claim_all_contracts": sum(tx.gas for tx in claimed),
        "claim_fee_nanoton": fees(claimed),
    }


@pytest.mark.parametrize(
    "part", [settlements, treasury, distributor], ids=lambda part: part.__name__
)
def test_gas_is_what_the_snapshot_says(ton: TonWorld, part: Any) -> None:
    measured = part(ton)
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert measured == snapshot[part.__name__]


def test_no_operation_comes_near_what_a_transaction_may_use() -> None:
    def largest(value: Any) -> int:
        if isinstance(value, dict):
            return max(largest(item) for name, item in value.items() if "nanoton" not in name)
        return max(value) if isinstance(value, list) else int(value)

    assert largest(json.loads(SNAPSHOT.read_text(encoding="utf-8"))) < GAS_OF_A_TRANSACTION_MAX // 4
