"""The shipped driver over both kinds of send slots: killed between two steps, it pays once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from journal_memory import MemoryJournal
from solana_desk import SolanaDesk

from dmm.adapters.solana.durable import is_durable
from dmm.adapters.solana.sign import sign_settlement
from dmm.ledger.account import AccountKind
from dmm.ledger.journal import Posting
from dmm.ports import Answer, SignedTx, SignRequest
from dmm.sandbox.solana.chain import Pace as ChainPace
from dmm.settlement.batch import account, reserve
from dmm.settlement.epoch import EpochPlan, Job
from dmm.settlement.intent import Intent, IntentState
from dmm.units.amount import Atoms
from dmm.units.errors import OutcomeUnknown
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.driver import Driver, Pace, Step

RUN = "solana-transports"
VAULT = "treasury@solana"
FINALITY = 6
ROUNDS_MAX = 40
LIFE_S = 10**6


class Killed(BaseException):
    """Stands for a process that is gone: nothing catches it."""


@dataclass
class Desk:
    """A driver with a journal in memory, on the local chain."""

    solana: SolanaDesk
    now_ns: int = 0
    signed: list[SignRequest] = field(default_factory=list)
    looks_per_bump: int = 1_000
    journal: Any = None

    def __post_init__(self) -> None:
        self.journal = MemoryJournal(now_ns=lambda: self.now_ns)
        funding = Posting(
            source_id="funding:DCT",
            debit=account(VAULT, "DCT", AccountKind.OUTSIDE),
            credit=account(VAULT, "DCT", AccountKind.AVAILABLE),
            amount=Atoms(10**15),
            posted_at_ns=Nanos(0),
        )
        self.journal.post([funding])

    def address(self, chain: str, lane: str = "") -> str:
        del chain, lane
        return self.solana.actors.operator.address

    def sign(self, request: SignRequest) -> SignedTx:
        self.signed.append(request)
        return sign_settlement(request, key=self.solana.actors.operator, book=self.solana.book)

    def plan(self, count: int = 1) -> list[Intent]:
        start_s = self.solana.now_s()
        intents = [self.solana.reward(deadline_s=start_s + LIFE_S) for _ in range(count)]
        claim = self.journal.open_epoch(
            run_id=RUN,
            job=Job.LIQUIDITY_REWARDS,
            scope="test",
            epoch=len(self.journal.intents()),
            now_ns=Nanos(0),
            chain_time_s=start_s,
        )
        postings = tuple(reserve(intent, at_ns=0) for intent in intents)
        self.journal.record_epoch(claim, EpochPlan(intents=tuple(intents), postings=postings))
        return intents

    def step(self, chain: Any = None) -> list[Step]:
        """Look at every open intent once, as a driver that has just started."""
        self.now_ns += 100 * NS_PER_S
        driver = Driver(
            store=self.journal,
            chain=chain or self.solana.chain(),
            signer=self,
            pace=Pace(poll_s=1.0, looks_per_bump=self.looks_per_bump),
        )
        claims = self.journal.claim_batch(chain="solana", owner="w", lease_s=5, limit=64)
        return driver.steps(claims)

    def drive(self) -> None:
        for _ in range(ROUNDS_MAX):
            self.solana.advance(2)
            self.step()
            if not any(state.is_open for _, state in self.journal.intents()):
                return

    def check(self, intents: list[Intent]) -> None:
        """Every intent has ended as paid, and the chain says once."""
        assert {state for _, state in self.journal.intents()} == {IntentState.FINAL}
        self.solana.finalize()
        chain, log = self.solana.chain(), self.solana.log()
        at = chain.snapshot()
        events = log.events(from_height=1, to_height=at.finalized_height)
        paid = Counter(event.text("key") for event in events if event.name == "Paid")
        assert [paid[intent.intent_id.hex()] for intent in intents] == [1] * len(intents)
        assert all(chain.key_state(one, at=at) is Answer.FOUND for one in intents)


class Dies:
    """A chain whose desk is killed at its first send, before or after the bytes are out."""

    def __init__(self, chain: Any, *, after: bool) -> None:
        self._chain, self._after = chain, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)

    def send(self, raw: bytes) -> None:
        if self._after:
            self._chain.send(raw)
        raise Killed


class Deaf:
    """A chain that no bytes reach."""

    def __init__(self, chain: Any) -> None:
        self._chain = chain

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)

    def send(self, raw: bytes) -> None:
        del raw
        raise OutcomeUnknown("no node answers")


def made(tmp_path_factory: pytest.TempPathFactory, nonces: int) -> Iterator[SolanaDesk]:
    pace = ChainPace(slot_ms=0, confirmed_slots=1, finalized_slots=FINALITY)
    desk = SolanaDesk.on(tmp_path_factory.mktemp("solana-transport"), pace=pace)
    if nonces:
        desk.use_nonces(nonces)
    yield desk
    desk.stop()


@pytest.fixture(scope="module")
def over_blockhashes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SolanaDesk]:
    yield from made(tmp_path_factory, 0)


@pytest.fixture(scope="module")
def over_nonces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SolanaDesk]:
    yield from made(tmp_path_factory, 2)


@pytest.fixture(params=["over_blockhashes", "over_nonces"])
def desk(request: pytest.FixtureRequest) -> Desk:
    return fresh(request.getfixturevalue(request.param))


def fresh(solana: SolanaDesk) -> Desk:
    """Return a desk that knows of no offers, on a chain where nothing is on its way."""
    solana.finalize()
    solana._chain = None
    return Desk(solana)


def test_every_intent_is_paid_once_also_when_slots_are_fewer(desk: Desk) -> None:
    intents = desk.plan(5)
    desk.drive()
    desk.check(intents)


@pytest.mark.parametrize("after", [False, True], ids=["before it is sent", "after"])
def test_a_driver_killed_between_sign_and_send_pays_once(desk: Desk, *, after: bool) -> None:
    intents = desk.plan()
    with pytest.raises(Killed):
        desk.step(Dies(desk.solana.chain(), after=after))
    desk.solana._chain = None
    desk.drive()
    desk.check(intents)
    assert len(desk.signed) == 1


def test_a_node_that_is_down_for_long_costs_a_slot_over_blockhashes_and_none_over_nonces(
    desk: Desk,
) -> None:
    intents = desk.plan()
    desk.step(Deaf(desk.solana.chain()))
    desk.solana.advance(400)
    desk.drive()
    desk.check(intents)
    durable = is_durable(desk.signed[0].anchor)
    assert [request.generation for request in desk.signed] == ([0] if durable else [0, 1])


def test_over_a_nonce_a_fee_is_raised_in_place_and_one_of_the_bytes_lands(
    over_nonces: SolanaDesk,
) -> None:
    desk = fresh(over_nonces)
    desk.looks_per_bump = 1
    intents = desk.plan()
    for _ in range(3):
        desk.step(Deaf(over_nonces.chain()))
        over_nonces.advance()
    desk.drive()
    desk.check(intents)
    assert [request.bump for request in desk.signed][:3] == [0, 1, 2]
    prices = [request.unit_fee_max for request in desk.signed]
    assert prices == sorted(set(prices))
    assert len({(request.slot, request.anchor) for request in desk.signed}) == 1


def test_two_settlers_that_took_one_value_pay_both_intents_once(over_nonces: SolanaDesk) -> None:
    """Neither knows what the other was offered: one slot dies, and its intent gets another."""
    desk = fresh(over_nonces)
    first = desk.plan()
    desk.step(Deaf(over_nonces.chain()))
    over_nonces._chain = None
    second = desk.plan()
    desk.step(Deaf(over_nonces.chain()))
    assert len(desk.signed) == 2
    assert len({request.anchor for request in desk.signed}) == 1
    desk.drive()
    desk.check([*first, *second])
    assert [request.generation for request in desk.signed] == [0, 0, 1]
