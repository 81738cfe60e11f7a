from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from desk_memory import BOTH_SIDES, DESK, INSTRUMENT, RUN, a_slice
from desk_memory import Desk as Memory

from dmm.bootstrap import Desk
from dmm.ports import Deployment
from dmm.rfq.protocol import Acceptance, FirmQuote, RfqTrade
from dmm.sandbox.demo_takers import TRADES_PER_EPOCH, DemoTakers, demo_statement
from dmm.settings import Settings
from dmm.settlement.intent import Intent, IntentKind
from dmm.usecases.rfq import settle_quotes


def makers_word(quote: FirmQuote) -> bytes:
    return quote.quote_id + bytes(33)


class QuoteSigner:
    """Signs nothing real: who takes a quote is not what these tests are about."""

    def maker(self, chain: str) -> str:
        del chain
        return DESK

    def signer(self, chain: str) -> str:
        del chain
        return DESK

    def next_nonce(self, chain: str) -> int:
        del chain
        return 0

    def sign_quote(self, quote: FirmQuote) -> bytes:
        return makers_word(quote)


class Local:
    """A local chain whose takers accept everything."""

    def __init__(self) -> None:
        self.settled: list[int] = []

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"takers have no use for {name}")

    def sign_statement(self, carrier: Intent) -> None:
        del carrier

    def accept(
        self, quote: FirmQuote, *, maker_signature: bytes | None = None
    ) -> tuple[Acceptance, bytes]:
        assert maker_signature == makers_word(quote)
        accepted = Acceptance(
            quote_id=quote.quote_id, amount=quote.taker_amount, recipient=quote.taker
        )
        return accepted, b"t" * 65

    def settle_as_taker(self, trade: RfqTrade) -> None:
        self.settled.append(trade.quote.nonce)


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    memory.close_slice(a_slice(), BOTH_SIDES)
    return memory


@pytest.fixture
def takers(memory: Memory) -> DemoTakers:
    return takers_of(memory)


def takers_of(memory: Memory) -> DemoTakers:
    desk = Desk(Settings())
    for port in ("store", "clock"):
        desk.__dict__[port] = getattr(memory, port)
    desk.put("chain", "evm", memory.chain)
    desk.put("quote_signer", "evm", QuoteSigner())
    desk.put("acceptance_check", "evm", lambda *_: True)
    memory.chain.slot_rules = replace(memory.chain.slot_rules, nets_max=32)
    memory.store.record_deployments(
        [
            Deployment(chain="evm", name=f"actor:taker-{at}", address=f"0x7{at}", height=1)
            for at in range(2)
        ]
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


def funded(memory: Memory) -> None:
    memory.fund("desk", "BTC", 10**12)
    memory.fund("desk", "USDT", 10**12)


def test_an_epoch_has_one_taker_whose_quotes_settle_in_one_net(
    memory: Memory, takers: DemoTakers
) -> None:
    funded(memory)
    run = memory.store.run(RUN)
    assert takers.trade(run, INSTRUMENT, 0) == TRADES_PER_EPOCH
    trades = memory.store.rfq_trades(RUN, 0)
    assert {trade.quote.taker for trade in trades} == {"0x70"}
    settle_quotes(store=memory.store, chain=memory.chain, clock=memory.clock, run_id=RUN, epoch=0)
    planned = [intent for intent, _ in memory.store.intents()]
    (net,) = [intent for intent in planned if intent.kind is IntentKind.NET]
    members = [intent for intent in planned if intent.kind is IntentKind.QUOTE]
    assert len(members) == TRADES_PER_EPOCH
    assert {one.inputs["carrier"] for one in members} == {net.intent_id.hex()}


@pytest.mark.parametrize("cut_at", [1, 2, 4, 5])
def test_an_epoch_cut_off_anywhere_ends_with_the_trades_it_would_have_had(
    memory: Memory, takers: DemoTakers, cut_at: int
) -> None:
    funded(memory)
    run = memory.store.run(RUN)
    other = Memory()
    other.close_slice(a_slice(), BOTH_SIDES)
    funded(other)
    undisturbed = takers_of(other)
    assert undisturbed.trade(run, INSTRUMENT, 0) == TRADES_PER_EPOCH

    class Dies(Local):
        """Takers whose process ends with an acceptance."""

        def settle_as_taker(self, trade: RfqTrade) -> None:
            super().settle_as_taker(trade)
            if len(self.settled) == cut_at:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace(takers, chains={"evm": Dies()}).trade(run, INSTRUMENT, 0)
    assert takers.trade(run, INSTRUMENT, 0) == TRADES_PER_EPOCH
    terms = [
        [(t.quote.maker_asset, t.quote.maker_amount, t.quote.taker_amount) for t in found]
        for found in (memory.store.rfq_trades(RUN, 0), other.store.rfq_trades(RUN, 0))
    ]
    assert terms[0] == terms[1]
    assert len(set(terms[0])) > 1


def test_takers_go_round_with_the_epochs(memory: Memory, takers: DemoTakers) -> None:
    funded(memory)
    run = memory.store.run(RUN)
    takers.trade(run, INSTRUMENT, 1)
    assert {trade.quote.taker for trade in memory.store.rfq_trades(RUN, 1)} == {"0x71"}


def test_every_chain_has_a_trade_and_the_rest_are_where_they_net(
    memory: Memory, takers: DemoTakers
) -> None:
    plain = replace(
        memory.chain, name="solana", slot_rules=replace(memory.chain.slot_rules, nets_max=0)
    )
    takers.desk.put("chain", "solana", plain)
    both = replace(takers, chains={"evm": Local(), "solana": Local()})
    assert both._turns() == ["evm", "solana", "evm", "evm", "evm"]


def test_the_statement_of_a_chain_that_is_not_there_is_not_signed() -> None:
    assert demo_statement({})({"chain": "evm", "trades": []}) is None


def test_a_statement_of_both_parties_takes_the_place_of_the_net(
    memory: Memory, takers: DemoTakers
) -> None:
    funded(memory)
    run = memory.store.run(RUN)
    takers.trade(run, INSTRUMENT, 0)
    asked: list[Intent] = []

    def countersign(net: Intent) -> Intent:
        asked.append(net)
        return replace(net, kind=IntentKind.STATEMENT)

    settle_quotes(
        store=memory.store,
        chain=memory.chain,
        clock=memory.clock,
        run_id=RUN,
        epoch=0,
        countersign=countersign,
    )
    kinds = [intent.kind for intent, _ in memory.store.intents()]
    assert kinds.count(IntentKind.STATEMENT) == len(asked) == 1
    assert IntentKind.NET not in kinds
