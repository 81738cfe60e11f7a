"""Quotes settled at once on a real chain by the shipped planner and driver, or one by one after."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import journal_samples as make
import pytest
from journal_memory import MemoryJournal

from dmm.adapters.evm.batches import compact
from dmm.adapters.evm.codec import QUOTE_TUPLE, calldata, quote_values
from dmm.adapters.evm.sign import Key, sign_quote, sign_settlement, sign_statement
from dmm.adapters.evm.verify import statement_is_signed
from dmm.adapters.postgres.store import PostgresStore
from dmm.ledger.account import AccountKind
from dmm.ledger.journal import Posting
from dmm.ports import Answer, SignedTx, SignRequest
from dmm.rfq.netting import Netting, carrier_intent, plan_settlement
from dmm.rfq.protocol import FirmQuote, RfqTrade
from dmm.sandbox.evm.actors import accept
from dmm.sandbox.evm.transact import Sender
from dmm.settlement.batch import account
from dmm.settlement.epoch import Job
from dmm.settlement.intent import Intent, IntentKind, IntentState
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent, Retryable
from dmm.units.ids import Hash32
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.driver import Driver, Pace
from dmm.usecases.net_settlement import countersigned

TAKE_WHOLE = f"takeWhole({QUOTE_TUPLE},bytes32,bytes32)"
ROUNDS_MAX = 12
NETS = Netting(quotes_max={"evm": 32})


def trade_of(local: Any, quote: FirmQuote) -> RfqTrade:
    acceptance, takers = accept(quote, actors=local.actors, book=local.book)
    return RfqTrade(
        run_id=make.RUN,
        epoch=0,
        quote=quote,
        maker_signature=sign_quote(quote, key=local.actors.quote_signer, book=local.book),
        fair_half_ticks=1,
        issued_at_ns=1,
        acceptance=acceptance,
        taker_signature=takers,
        accepted_at_ns=2,
    )


def trades(local: Any, *nonces: int) -> list[RfqTrade]:
    """Return quotes of one taker, every other one the other way round."""
    found = []
    for place, nonce in enumerate(nonces):
        quote = replace(
            local.quote(nonce=nonce),
            maker_amount=Atoms(2_500_003),
            taker_amount=Atoms(1_500_000_007),
        )
        if place % 2:
            quote = replace(
                quote,
                maker_asset="USDT",
                taker_asset="BTC",
                maker_amount=Atoms(1_000_000_003),
                taker_amount=Atoms(1_666_667),
            )
        found.append(trade_of(local, replace(quote, settle_by_s=quote.settle_by_s + 6_000)))
    return found


@dataclass
class Desk:
    """Planner and driver over a journal in memory."""

    local: Any
    journal: Any
    now_ns: int = 0
    poll_s: float = 1.0

    @classmethod
    def of(cls, local: Any) -> Desk:
        desk = cls(local, None)
        desk.journal = MemoryJournal(now_ns=lambda: desk.now_ns)
        desk.fund()
        return desk

    def fund(self) -> None:
        for asset in ("BTC", "USDT"):
            funding = Posting(
                source_id=f"funding:{asset}",
                debit=account("desk", asset, AccountKind.OUTSIDE),
                credit=account("desk", asset, AccountKind.AVAILABLE),
                amount=Atoms(10**15),
                posted_at_ns=Nanos(0),
            )
            self.journal.post([funding])

    def address(self, chain: str, lane: str = "") -> str:
        del chain, lane
        return str(self.local.actors.operator.address)

    def sign(self, request: SignRequest) -> SignedTx:
        return sign_settlement(request, key=self.local.actors.operator, book=self.local.book)

    def plan(
        self, given: list[RfqTrade], *, netting: Netting = NETS
    ) -> dict[IntentKind, list[Intent]]:
        claim = self.journal.open_epoch(
            run_id=make.RUN,
            job=Job.PMM_SETTLEMENT,
            scope=f"{make.RUN}:desk",
            epoch=0,
            now_ns=Nanos(0),
            chain_time_s=self.local.chain().snapshot().finalized_time_s,
        )
        plan = plan_settlement(claim=claim, trades=given, netting=netting)
        self.journal.record_epoch(claim, plan)
        kinds: dict[IntentKind, list[Intent]] = {}
        for intent in plan.intents:
            kinds.setdefault(intent.kind, []).append(intent)
        return kinds

    def drive(self) -> None:
        """Step and mine until everything has ended."""
        driver = Driver(
            store=self.journal, chain=self.local.chain(), signer=self, pace=Pace(poll_s=self.poll_s)
        )
        for _ in range(ROUNDS_MAX):
            self.now_ns += 10 * NS_PER_S
            for _ in self.journal.intents():
                claimed = self.journal.claim_due(chain="evm", owner="w", lease_s=5)
                if claimed is not None:
                    driver.step(claimed)
            self.local.node.mine(6)
            if not any(state.is_open for _, state in self.journal.intents()):
                return

    def ends(self) -> dict[IntentKind, list[IntentState]]:
        found: dict[IntentKind, list[IntentState]] = {}
        for intent, state in self.journal.intents():
            found.setdefault(intent.kind, []).append(state)
        return found

    def booked(self, asset: str) -> int:
        kinds = (AccountKind.AVAILABLE, AccountKind.PENDING)
        return sum(self.journal.balance(account("desk", asset, kind)) for kind in kinds) - 10**15


def held(local: Any) -> dict[str, int]:
    log, desk = local.log(), local.actors.desk.address
    height = local.chain().snapshot().head_height
    return {a: log.balance(holder=desk, asset=a, height=height) for a in ("BTC", "USDT")}


def test_a_net_settles_every_quote_in_one_transaction_and_the_ledger_says_so(local: Any) -> None:
    local.finalize()
    desk, before = Desk.of(local), held(local)
    planned = desk.plan(trades(local, 400, 401, 402))
    (net,) = planned[IntentKind.NET]
    assert local.chain().key_state(net, at=local.finalize()) is Answer.ABSENT
    desk.drive()
    assert desk.ends() == {
        IntentKind.NET: [IntentState.FINAL],
        IntentKind.QUOTE: [IntentState.FINAL] * 3,
    }
    sent = [a for entry in desk.journal.entries.values() for a in entry.attempts]
    assert len(sent) == 1, "the quotes were sent besides their net"
    after = held(local)
    for asset in ("BTC", "USDT"):
        assert after[asset] - before[asset] == desk.booked(asset) != 0
    assert local.chain().key_state(net, at=local.finalize()) is Answer.FOUND


def test_a_net_settles_through_the_journal_in_the_database(
    local: Any, store: PostgresStore
) -> None:
    local.finalize()
    store.open_run(make.run())
    desk, before = Desk(local, store, poll_s=0.0), held(local)
    desk.fund()
    given = trades(local, 450, 451, 452)
    for trade in given:
        store.record_quote(
            replace(trade, acceptance=None, taker_signature=b"", accepted_at_ns=None)
        )
        store.accept_quote(trade)
    (net,) = desk.plan(given)[IntentKind.NET]
    assert store.intent_state(net.intent_id) is IntentState.READY
    desk.drive()
    assert desk.ends() == {
        IntentKind.NET: [IntentState.FINAL],
        IntentKind.QUOTE: [IntentState.FINAL] * 3,
    }
    assert store.intent_state(net.intent_id) is IntentState.FINAL
    assert store.intent_state(Hash32(bytes(32))) is None
    # Each quote is shown with the one transaction that settled it.
    assert len({tx_id for _, tx_id, _ in store.final_transactions("evm") if tx_id}) == 1
    assert all(tx_id for _, tx_id, _ in store.final_transactions("evm"))
    after = held(local)
    for asset in ("BTC", "USDT"):
        assert after[asset] - before[asset] == desk.booked(asset) != 0


def test_a_net_one_of_whose_quotes_the_taker_settled_itself_closes_gross(local: Any) -> None:
    local.finalize()
    desk, before = Desk.of(local), held(local)
    given = trades(local, 410, 411, 412)
    planned = desk.plan(given)
    taken = given[0]
    r, vs = compact(taken.maker_signature)
    values = quote_values(taken.quote, local.book)
    Sender(rpc=local.node.rpc, key=local.actors.takers[0], chain_id=31_337).submit(
        local.deployments["settlement"].address, calldata(TAKE_WHOLE, values, r, vs)
    )
    (net,) = planned[IntentKind.NET]
    assert local.chain().key_state(net, at=local.finalize()) is Answer.REFUNDED
    desk.drive()
    assert desk.ends() == {
        IntentKind.NET: [IntentState.FAILED],
        IntentKind.QUOTE: [IntentState.FINAL] * 3,
    }
    after = held(local)
    for asset in ("BTC", "USDT"):
        assert after[asset] - before[asset] == desk.booked(asset) != 0


def test_a_net_that_reverts_in_a_block_is_tried_once_and_closes_gross(local: Any) -> None:
    local.finalize()
    desk = Desk.of(local)
    given = trades(local, 420, 421, 422)
    planned = desk.plan(given)
    driver = Driver(store=desk.journal, chain=local.chain(), signer=desk, pace=Pace(poll_s=1.0))
    claimed = desk.journal.claim_due(chain="evm", owner="w", lease_s=5)
    assert claimed is not None
    assert claimed.intent == planned[IntentKind.NET][0]
    driver.step(claimed)
    # The net waits in the mempool; the taker's own transaction comes first in the same block.
    r, vs = compact(given[1].maker_signature)
    data = calldata(TAKE_WHOLE, quote_values(given[1].quote, local.book), r, vs)
    taker = local.actors.takers[0]
    raw = taker.sign_transaction(
        {
            "chainId": 31_337,
            "nonce": int(local.node.rpc("eth_getTransactionCount", taker.address, "latest"), 16),
            "maxFeePerGas": 200 * 10**9,
            "maxPriorityFeePerGas": 100 * 10**9,
            "gas": 300_000,
            "to": local.deployments["settlement"].address,
            "value": 0,
            "data": data,
        }
    )
    local.chain().send(raw)
    desk.drive()
    ends = desk.ends()
    assert ends[IntentKind.NET] == [IntentState.FAILED]
    assert ends[IntentKind.QUOTE] == [IntentState.FINAL] * 3
    entry = desk.journal.entries[planned[IntentKind.NET][0].intent_id]
    assert len(entry.attempts) == 1


@dataclass
class Party:
    """A maker or taker that signs statements of what it signed or took."""

    local: Any
    key: Key
    fault: Exception | None = None

    def sign_statement(self, carrier: Intent) -> bytes:
        if self.fault is not None:
            raise self.fault
        return sign_statement(carrier, key=self.key, book=self.local.book)


def asking(local: Any, taker: Party) -> Netting:
    """Return the rules of a desk that asks its takers for statements."""
    maker = Party(local, local.actors.quote_signer)

    def countersign(net: Intent) -> Intent | None:
        return countersigned(
            net,
            maker=maker,
            taker=taker,
            verify=functools.partial(statement_is_signed, book=local.book),
        )

    return Netting(quotes_max={"evm": 32}, countersign=countersign)


def test_a_statement_of_both_parties_settles_its_quotes_and_the_ledger_says_so(local: Any) -> None:
    local.finalize()
    desk, before = Desk.of(local), held(local)
    taker = Party(local, local.actors.takers[0])
    planned = desk.plan(trades(local, 430, 431, 432), netting=asking(local, taker))
    assert set(planned) == {IntentKind.STATEMENT, IntentKind.QUOTE}
    desk.drive()
    assert desk.ends() == {
        IntentKind.STATEMENT: [IntentState.FINAL],
        IntentKind.QUOTE: [IntentState.FINAL] * 3,
    }
    sent = [a for entry in desk.journal.entries.values() for a in entry.attempts]
    assert len(sent) == 1
    after = held(local)
    for asset in ("BTC", "USDT"):
        assert after[asset] - before[asset] == desk.booked(asset) != 0
    assert local.view(local.pay(planned[IntentKind.STATEMENT][0])).succeeded is False


@pytest.mark.parametrize("fault", [Permanent("no"), Retryable("not there")])
def test_a_taker_that_signs_no_statement_is_netted_with_its_quotes(
    local: Any, fault: Exception
) -> None:
    taker = Party(local, local.actors.takers[0], fault)
    planned = Desk.of(local).plan(trades(local, 460, 461), netting=asking(local, taker))
    assert set(planned) == {IntentKind.NET, IntentKind.QUOTE}


def test_a_taker_that_signs_another_statement_is_netted_with_its_quotes(local: Any) -> None:
    class Sly(Party):
        def sign_statement(self, carrier: Intent) -> bytes:
            return super().sign_statement(replace(carrier, deadline_s=carrier.deadline_s - 1))

    taker = Sly(local, local.actors.takers[0])
    planned = Desk.of(local).plan(trades(local, 462, 463), netting=asking(local, taker))
    assert set(planned) == {IntentKind.NET, IntentKind.QUOTE}


def test_nobody_signs_a_statement_of_what_it_did_not_sign_before(local: Any) -> None:
    given = trades(local, 470, 471)
    settle_by_s = local.chain().snapshot().head_time_s + 900

    def statement(*rows: RfqTrade) -> Intent:
        return carrier_intent(IntentKind.STATEMENT, rows, deadline_s=settle_by_s, inputs={})

    maker, taker = local.actors.quote_signer, local.actors.takers[0]
    for key in (maker, taker):
        sign_statement(statement(*given), key=key, book=local.book)
    forged = replace(given[1], maker_signature=given[0].maker_signature)
    with pytest.raises(Permanent, match="was not signed by"):
        sign_statement(statement(given[0], forged), key=maker, book=local.book)
    untaken = replace(given[1], taker_signature=given[0].taker_signature)
    with pytest.raises(Permanent, match="was not signed by"):
        sign_statement(statement(given[0], untaken), key=taker, book=local.book)
    with pytest.raises(Permanent, match="was not signed by"):
        sign_statement(statement(*given), key=local.actors.takers[1], book=local.book)
    late = replace(statement(*given), deadline_s=given[0].quote.settle_by_s + 1)
    with pytest.raises(Permanent, match="earliest quote"):
        sign_statement(late, key=maker, book=local.book)
    accepted = given[1].acceptance
    assert accepted is not None
    part = replace(given[1], acceptance=replace(accepted, amount=Atoms(accepted.amount - 1)))
    with pytest.raises(Permanent, match="does not let"):
        sign_statement(statement(given[0], part), key=maker, book=local.book)


@pytest.mark.parametrize("late_s", [0, 1])
def test_a_net_settles_until_its_own_deadline_and_not_a_second_later(
    local: Any, late_s: int
) -> None:
    now_s = local.chain().snapshot().head_time_s
    given = trades(local, 440 + 2 * late_s, 441 + 2 * late_s)
    deadline_s = now_s + 40
    net = carrier_intent(IntentKind.NET, given, deadline_s=deadline_s, inputs={})
    local.node.rpc("evm_setNextBlockTimestamp", deadline_s + late_s)
    assert local.view(local.pay(net)).succeeded is (late_s == 0)
