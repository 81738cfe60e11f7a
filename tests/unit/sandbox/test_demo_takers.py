from __future__ import annotations

from typing import Any

import pytest
from desk_memory import BOTH_SIDES, DESK, INSTRUMENT, RUN, a_slice
from desk_memory import Desk as Memory

from dmm.bootstrap import Desk
from dmm.ports import Deployment
from dmm.rfq.protocol import Acceptance, FirmQuote, RfqTrade
from dmm.sandbox.demo_takers import TRADES_PER_EPOCH, DemoTakers
from dmm.settings import Settings
from dmm.usecases.rfq import settle_quotes


class QuoteSigner:
    """Signs nothing real: who takes a quote is not what these tests are about."""

    def maker(self, chain: str) -> str:
        del chain
        return DESK

    def signer(self, chain: str) -> str:
        del chain
        return DESK

    def sign_quote(self, quote: FirmQuote) -> bytes:
        return quote.quote_id[:4]


class Local:
    """A local chain whose takers accept everything."""

    def __init__(self) -> None:
        self.settled: list[int] = []

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"takers have no use for {name}")

    def accept(
        self, quote: FirmQuote, *, maker_signature: bytes | None = None
    ) -> tuple[Acceptance, bytes]:
        assert maker_signature == quote.quote_id[:4]
        accepted = Acceptance(
            quote_id=quote.quote_id, amount=quote.taker_amount, recipient=quote.taker
        )
        return accepted, b"taker"

    def settle_as_taker(self, trade: RfqTrade) -> None:
        self.settled.append(trade.quote.nonce)


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    memory.close_slice(a_slice(), BOTH_SIDES)
    return memory


@pytest.fixture
def takers(memory: Memory) -> DemoTakers:
    desk = Desk(Settings())
    for port in ("store", "clock"):
        desk.__dict__[port] = getattr(memory, port)
    desk.put("chain", "evm", memory.chain)
    desk.put("quote_signer", "evm", QuoteSigner())
    desk.put("acceptance_check", "evm", lambda *_: True)
    memory.store.record_deployments(
        [Deployment(chain="evm", name="actor:taker-0", address="0x7a", height=1)]
    )
    return DemoTakers(desk=desk, chains={"evm": Local()}, seed=1)


def test_an_epoch_whose_settlement_is_planned_gets_no_late_trades(
    memory: Memory, takers: DemoTakers
) -> None:
    run = memory.store.run(RUN)
    # The desk is not funded: every request of the first pass is declined.
    assert takers.trade(run, INSTRUMENT, 0) == 0 < TRADES_PER_EPOCH
    settle_quotes(store=memory.store, chain=memory.chain, clock=memory.clock, run_id=RUN, epoch=0)
    # Now it could quote: a play after a crash passes here again.
    memory.fund("desk", "BTC", 10**12)
    memory.fund("desk", "USDT", 10**12)
    assert takers.trade(run, INSTRUMENT, 0) == 0
    assert memory.store.rfq_trades(RUN, 0) == []
