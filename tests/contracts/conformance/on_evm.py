"""The EVM contracts behind the conformance suite."""

from __future__ import annotations

from typing import Any

from dmm.adapters.evm import sign
from dmm.adapters.evm.calls import call_of, key_answer, key_call
from dmm.ports import Answer
from dmm.sandbox.evm.node import FINALITY_BLOCKS
from dmm.settlement.intent import Intent
from tests.contracts.conformance.under_test import ContractUnderTest


class OnEvm(ContractUnderTest):
    """Anvil with our contracts; the world takes everything back after each test."""

    chain = "evm"
    sign = sign

    def __init__(self, world: Any) -> None:
        super().__init__()
        self._world = world
        self.actors, self.book = world.actors, world.book

    def now_s(self) -> int:
        return int(self._world.now_s())

    def holders(self) -> dict[str, str]:
        return {
            "treasury": self.book.address("treasury"),
            "desk": self.actors.desk.address,
            "taker-0": self.actors.takers[0].address,
            "lp-0": self.actors.providers[0].address,
            "market-maker": self.actors.market_maker.address,
        }

    def balance(self, symbol: str, holder: str) -> int:
        return int(self._world.balance(symbol, holder))

    def supply(self, symbol: str) -> int:
        return int(self._world.supply(symbol))

    def settle(self, intent: Intent, *, by: Any = None) -> str | None:
        call, world = call_of(intent, self.book), self._world
        receipt = world.send(by or self.actors.operator, call.to, call.data)
        if int(receipt["status"], 16) == 1:
            return None
        tracer = {"tracer": "callTracer"}
        trace = world.rpc("debug_traceTransaction", receipt["transactionHash"], tracer)
        return str(world.error_of(trace.get("output", "0x").removeprefix("0x")[:8]))

    def is_paid(self, intent: Intent) -> bool:
        for _ in range(FINALITY_BLOCKS + 1):
            self._world.rpc("evm_mine")
        calls = key_call(intent, self.book)
        words = tuple(
            int(
                self._world.rpc(
                    "eth_call", {"to": call.to, "data": "0x" + call.data.hex()}, "finalized"
                ),
                16,
            )
            for call in calls
        )
        return key_answer(intent, words) is Answer.FOUND

    def cancel(self, nonce: int) -> None:
        settlement, mask = self.book.address("settlement"), 1 << nonce % 256
        signature = "cancel(uint256,uint256)"
        self._world.call(self.actors.desk, settlement, signature, nonce // 256, mask)

    def buyback_maker(self) -> str:
        return str(self.actors.market_maker.address)

    def open_account(self, holder: str, symbol: str) -> None:
        del holder, symbol

    def ready_nonce(self, nonce: int) -> None:
        del nonce
