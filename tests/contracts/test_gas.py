"""Gas of what the desk and its takers pay for, against the committed snapshot: a rise is a diff.

Conditions: the maker signs itself, in the compact form; unlimited allowances; everybody holds both
tokens already; a later bit of a used nonce word; no fee unless the row says so; a day on which the
treasury paid before. Departures are in the row's name. Batches are per quote, rounded up.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dmm.adapters.evm.batches import (
    CLAIM,
    claim_leaf,
    claim_tree,
    compact,
    net_calldata,
    statement_calldata,
    statement_digest,
    statement_of,
)
from dmm.adapters.evm.calls import BUYBACK, PAY
from dmm.adapters.evm.codec import QUOTE_TUPLE, calldata, quote_values
from dmm.adapters.evm.fees import GAS_MAX
from dmm.adapters.evm.sign import sign_quote
from dmm.settlement.intent import IntentKind
from dmm.units.amount import Atoms, ceil_div

SNAPSHOT = Path(__file__).resolve().parents[2] / "contracts" / "evm" / "gas.json"
START_S = 2_100_000_000
TAKE = f"take({QUOTE_TUPLE},bytes,uint256,address,uint256)"
TAKE_WHOLE = f"takeWhole({QUOTE_TUPLE},bytes32,bytes32)"
PAY_MANY = "payMany((bytes32,address,address,uint256,uint256)[])"
WORD = 256


class Meter:
    """Sends transactions that must succeed and returns their gas."""

    def __init__(self, world: Any) -> None:
        self.world, self.actors = world, world.actors
        self.times = {"expiry_s": START_S + 300, "settle_by_s": START_S + 600}

    def gas(self, key: Any, contract: str, data: bytes) -> int:
        receipt = self.world.send(key, self.world.at(contract), data)
        assert int(receipt["status"], 16) == 1
        return int(receipt["gasUsed"], 16)

    def quote(self, **change: Any) -> Any:
        terms = {"signer": self.actors.desk.address, **self.times} | change
        return self.world.quote(taker_amount=Atoms(15_000_007_003), **terms)

    def signature(self, quote: Any) -> bytes:
        own = quote.signer == self.actors.desk.address
        key = self.actors.desk if own else self.actors.quote_signer
        r, vs = compact(sign_quote(quote, key=key, book=self.world.book))
        return r + vs

    def take_whole(self, **change: Any) -> int:
        quote = self.quote(**change)
        sig, values = self.signature(quote), quote_values(quote, self.world.book)
        data = calldata(TAKE_WHOLE, values, sig[:32], sig[32:])
        return self.gas(self.actors.takers[0], "settlement", data)

    def take(self, **change: Any) -> int:
        quote, taker = self.quote(**change), self.actors.takers[0]
        values = (quote_values(quote, self.world.book), self.signature(quote))
        data = calldata(TAKE, *values, quote.taker_amount, taker.address, quote.maker_amount // 2)
        return self.gas(taker, "settlement", data)

    def fill(self, **change: Any) -> int:
        quote = self.quote(**change)
        data = self.world.fill_data(quote, makers=self.signature(quote))
        return self.gas(self.actors.operator, "settlement", data)

    def trades(self, count: int, start: int) -> list[Any]:
        desk = self.actors.desk.address
        return [
            self.world.trade(nonce=start + i, sells=i % 3 != 0, signer=desk, **self.times)
            for i in range(count)
        ]

    def net(self, count: int, *, by_taker: bool = False) -> int:
        mark, start = self.world.rpc("evm_snapshot"), 10 * WORD
        sender = self.actors.takers[0] if by_taker else self.actors.operator
        first = net_calldata(self.trades(1, start), self.world.book)
        self.gas(sender, "settlement", first)
        batch = self.trades(min(count, WORD - 1), start + 1) + self.trades(
            max(0, count - WORD + 1), start + WORD
        )
        used = self.gas(sender, "settlement", net_calldata(batch, self.world.book))
        self.world.rpc("evm_revert", mark)
        return ceil_div(used, count)

    def net_statement(self, count: int) -> int:
        mark, start = self.world.rpc("evm_snapshot"), 10 * WORD
        first = net_calldata(self.trades(1, start), self.world.book)
        self.gas(self.actors.operator, "settlement", first)
        statement = statement_of(self.trades(count, start + 1), self.world.book)
        signed = statement_digest(statement, self.world.book)
        desk, taker = self.actors.desk, self.actors.takers[0]
        data = statement_calldata(
            statement,
            maker_signature=b"".join(compact(desk.sign_digest(signed))),
            taker_signature=b"".join(compact(taker.sign_digest(signed))),
        )
        used = self.gas(self.actors.operator, "settlement", data)
        self.world.rpc("evm_revert", mark)
        return ceil_div(used, count)

    def payment(self, key: bytes) -> tuple[Any, ...]:
        token, to = self.world.book.token("DCT"), self.actors.takers[0].address
        return key, token, to, 1_234_567_890, START_S + 600

    def pay(self, key: bytes) -> int:
        return self.gas(self.actors.operator, "treasury", calldata(PAY, *self.payment(key)))

    def pay_many(self, count: int) -> int:
        batch = [self.payment(bytes([0x80 + i]) * 32) for i in range(count)]
        used = self.gas(self.actors.operator, "treasury", calldata(PAY_MANY, batch))
        return ceil_div(used, count)

    def buyback(self, key: bytes, nonce: int) -> int:
        quote = self.world.buyback_quote(nonce=nonce, **self.times)
        signature = sign_quote(quote, key=self.actors.market_maker, book=self.world.book)
        values = (key, quote_values(quote, self.world.book), signature, START_S + 300)
        data = calldata(BUYBACK, *values, quote.maker_amount, True)
        return self.gas(self.actors.operator, "treasury", data)

    def claims(self, leaves: int) -> int:
        """Return the gas of the second claim of a version."""
        world, at = self.world, self.world.at("distributor")
        terms = {"chain_id": 31_337, "distributor": at, "token": world.book.token("DCT")}
        amounts = {f"0x{i + 1:040x}": Atoms(10**9 + i) for i in range(leaves - 2)}
        holders = [taker.address for taker in self.actors.takers]
        amounts |= {holder: Atoms(10**9) for holder in holders}
        tree, total = claim_tree(amounts, **terms), sum(amounts.values())
        world.govern(at, "setBudget(uint256)", total)
        world.call(self.actors.deployer, terms["token"], "mint(address,uint256)", at, total)
        world.govern(
            at, "propose(uint256,bytes32,uint256,uint64)", 1, tree.root, total, START_S + 10_000
        )
        world.next_at(START_S + 4_000)
        used = 0
        for holder in holders:
            leaf = claim_leaf(holder=holder, cumulative=amounts[holder], **terms)
            data = calldata(CLAIM, 1, holder, amounts[holder], list(tree.proof(leaf)))
            used = self.gas(self.actors.operator, "distributor", data)
        return used


def measure(world: Any) -> dict[str, Any]:
    meter, hot = Meter(world), world.actors.quote_signer.address
    world.next_at(START_S)
    first = meter.fill(nonce=1, fee_bps=5, signer=hot)
    meter.pay(b"\x71" * 32)
    meter.buyback(b"\x72" * 32, 1)
    return {
        "take_whole": meter.take_whole(nonce=2),
        "take_whole_with_fee": meter.take_whole(nonce=3, fee_bps=5),
        "take_whole_signed_by_delegate": meter.take_whole(nonce=4, signer=hot),
        "take": meter.take(nonce=5),
        "take_with_fee": meter.take(nonce=6, fee_bps=5),
        "fill": meter.fill(nonce=7),
        "fill_with_fee": meter.fill(nonce=8, fee_bps=5),
        "fill_signed_by_delegate": meter.fill(nonce=9, signer=hot),
        "fill_first_in_its_nonce_word": first,
        "net": {str(count): meter.net(count) for count in (1, 50, 256)},
        "net_sent_by_taker": {str(count): meter.net(count, by_taker=True) for count in (50,)},
        "net_statement": {str(count): meter.net_statement(count) for count in (50, 256)},
        "pay": meter.pay(b"\x73" * 32),
        "pay_many": {"10": meter.pay_many(10)},
        "buyback": meter.buyback(b"\x74" * 32, 2),
        "claim": {"4096": meter.claims(4_096)},
    }


@pytest.fixture(scope="module")
def snapshot() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    return found


def test_gas_is_what_the_snapshot_says(world: Any, snapshot: dict[str, Any]) -> None:
    assert measure(world) == {name: row for name, row in snapshot.items() if name != "peers"}


def test_gas_keeps_to_its_goals(snapshot: dict[str, Any]) -> None:
    assert snapshot["take_whole"] <= 74_000
    assert snapshot["take_whole_with_fee"] <= 84_000
    assert snapshot["fill"] <= 84_000
    assert snapshot["net"]["50"] <= 15_900
    assert snapshot["net_statement"]["50"] <= 3_500
    assert snapshot["net_statement"]["256"] <= 1_500


def test_gas_limits_of_transactions_leave_room(snapshot: dict[str, Any]) -> None:
    dearest = {
        IntentKind.REWARD: snapshot["pay"],
        IntentKind.BUYBACK: snapshot["buyback"],
        IntentKind.QUOTE: snapshot["fill_first_in_its_nonce_word"],
    }
    for kind, used in dearest.items():
        # A first receipt of a token, or a first payment of a day, costs up to 50,000 more.
        assert GAS_MAX[kind] >= used + 50_000
