"""One seed, one world: the shipped driver on a faulty journal, chain and signer.

Every call of a port is a point at which the worker may crash, be overtaken while it sleeps, lose
its answer, or see the chain move. `Violation` carries the number of the invariant in
docs/settlement.md that broke.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from journal_memory import MemoryJournal
from simulation.chain_model import Block, ChainModel, Tx

from dmm.ledger.account import AccountKind
from dmm.ledger.journal import Posting
from dmm.ports import Answer, SignedTx, SignRequest, Snapshot, TxView
from dmm.settlement.batch import account, reserve
from dmm.settlement.epoch import EpochPlan, Job
from dmm.settlement.intent import AttemptState, Intent, IntentKind, IntentState
from dmm.settlement.lifecycle import Fenced
from dmm.units.amount import Atoms
from dmm.units.errors import OutcomeUnknown, Permanent, Retryable
from dmm.units.ids import Hash32
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.driver import Driver, Pace

START_S = 1_700_000_000
FUNDING = 1_000
SIGNER = "0x51"
LEASE_S = 12
FAULTY_TURNS = 60
CALM_TURNS_MAX = 500


class Crash(BaseException):
    """The worker's process dies here."""


class Violation(AssertionError):
    """An invariant broke."""

    def __init__(self, invariant: int, what: str) -> None:
        super().__init__(f"invariant {invariant}: {what}")
        self.invariant = invariant


class World:
    """Runs one seed; `crash_at` crashes once at the n-th boundary instead of by chance."""

    def __init__(
        self,
        seed: int,
        *,
        driver: type[Driver] = Driver,
        guard: bool = True,
        chaos: bool = True,
        crash_at: frozenset[int] = frozenset(),
        intents: int = 3,
    ) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - a seed must replay the run
        self.driver_type = driver
        self.chaos = chaos
        self.crash_at = crash_at
        self.boundaries = 0
        self.nested = 0
        self.workers = 0
        self.now_ns = START_S * NS_PER_S
        self.model = ChainModel(self.rng, guard=guard, start_s=START_S)
        self.journal = MemoryJournal(now_ns=lambda: self.now_ns)
        self.plans = [self._intent(ordinal) for ordinal in range(intents)]
        self._plan()
        self.register: dict[tuple[int, int], tuple[Hash32, SignedTx]] = {}

    def _intent(self, ordinal: int) -> Intent:
        return Intent(
            kind=IntentKind.REWARD,
            chain="evm",
            contract="treasury",
            vault="treasury",
            scope="run:sim",
            epoch=0,
            ordinal=ordinal,
            asset="DCT",
            recipient=f"0x{ordinal}",
            amount=Atoms(10 + ordinal),
            deadline_s=START_S + self.rng.randint(60, 400),
            inputs={},
        )

    def _plan(self) -> None:
        self.journal.post(
            [
                Posting(
                    source_id="funding",
                    debit=account("treasury", "DCT", AccountKind.OUTSIDE),
                    credit=account("treasury", "DCT", AccountKind.AVAILABLE),
                    amount=Atoms(FUNDING),
                    posted_at_ns=Nanos(0),
                )
            ]
        )
        claim = self.journal.open_epoch(
            run_id="run",
            job=Job.LIQUIDITY_REWARDS,
            scope="run:sim",
            epoch=0,
            now_ns=Nanos(0),
            chain_time_s=START_S,
        )
        self.journal.record_epoch(
            claim,
            EpochPlan(
                intents=tuple(self.plans),
                postings=tuple(reserve(intent, at_ns=0) for intent in self.plans),
            ),
        )

    # -- running ----------------------------------------------------------------------------

    def run(self) -> World:
        for _ in range(FAULTY_TURNS):
            self.turn()
            self.environment()
        self.chaos = False
        self.crash_at = frozenset()
        for _ in range(CALM_TURNS_MAX):
            if not any(state.is_open for _, state in self.journal.intents()):
                break
            self.now_ns += LEASE_S * NS_PER_S
            self.model.mine()
            for _ in self.plans:
                self.turn()
        self.check_end()
        return self

    def turn(self) -> None:
        """One worker claims an intent and makes one step; a crash leaves its lease behind."""
        self.workers += 1
        store: Any = Guarded(self, self.journal)
        driver = self.driver_type(
            store=store,
            chain=FaultyChain(self),
            signer=FaultySigner(self),
            pace=Pace(poll_s=1.0, looks_per_bump=7),
        )
        try:
            claimed = store.claim_due(chain="evm", owner=f"w{self.workers}", lease_s=LEASE_S)
            if claimed is not None:
                driver.step(claimed)
        except (Crash, Fenced, Retryable, OutcomeUnknown):
            return

    def boundary(self) -> None:
        """Let anything happen that may happen between two calls."""
        self.boundaries += 1
        if self.boundaries in self.crash_at:
            raise Crash
        if not self.chaos:
            return
        draw = self.rng.random()
        if draw < 0.02:
            raise Crash
        if draw < 0.035 and self.nested < 2:
            # This worker sleeps past its lease while others go on; then it wakes up as a zombie.
            self.nested += 1
            self.now_ns += (LEASE_S + 1) * NS_PER_S
            for _ in range(self.rng.randint(1, 6)):
                self.turn()
                self.environment()
            self.nested -= 1
        elif draw < 0.08:
            self.environment()

    def environment(self) -> None:
        self.now_ns += self.rng.randint(0, 3) * NS_PER_S
        draw = self.rng.random() if self.chaos else 0.0
        if draw < 0.7:
            self.model.mine(take=0.6 if self.chaos else 1.0, revert=0.15 if self.chaos else 0.0)
        elif draw < 0.82:
            self.model.reorg(self.rng.randint(1, 3))
        elif draw < 0.9:
            self.model.evict()
        else:
            self.model.gossip_again()
        self.check_now()

    # -- invariants -------------------------------------------------------------------------

    def check_now(self) -> None:
        for intent, times in self.model.head.paid.items():
            if times > 1:
                raise Violation(1, f"{intent} was paid {times} times")
        final = self.model.head.final.paid
        for intent, state in self.journal.intents():
            key = intent.intent_id.hex()
            if state is IntentState.FINAL and key not in final:
                raise Violation(12, f"{key} is FINAL but not paid at the finalized block")
            if state is IntentState.FAILED and key in self.model.head.paid:
                raise Violation(13, f"{key} is FAILED but was paid")
        for entry in self.journal.entries.values():
            ok = [a for a in entry.attempts if a.state is AttemptState.FINAL_OK]
            if len(ok) > 1:
                raise Violation(2, "two attempts are FINAL_OK")

    def check_end(self) -> None:
        self.check_now()
        still = [i.ordinal for i, state in self.journal.intents() if state.is_open]
        if still:
            raise Violation(15, f"intents {still} never ended")
        kinds = (AccountKind.AVAILABLE, AccountKind.PENDING, AccountKind.PAID)
        held = {kind: self.journal.balance(account("treasury", "DCT", kind)) for kind in kinds}
        if sum(held.values()) != FUNDING:
            raise Violation(17, f"available + pending + paid is {sum(held.values())}")
        amounts = {intent.intent_id.hex(): intent.amount for intent in self.plans}
        spent = sum(amounts[key] * times for key, times in self.model.head.paid.items())
        if held[AccountKind.AVAILABLE] + held[AccountKind.PENDING] != FUNDING - spent:
            raise Violation(20, f"the ledger does not hold what the chain holds after {spent}")

    def stored(self, tx_id: str) -> bool:
        return any(a.tx_id == tx_id for e in self.journal.entries.values() for a in e.attempts)


class Guarded:
    """The journal, with a boundary before and after every call and commits that go unheard."""

    def __init__(self, world: World, journal: MemoryJournal) -> None:
        self._world = world
        self._journal = journal

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._journal, name)
        world = self._world

        def call(*args: Any, **kwargs: Any) -> Any:
            world.boundary()
            if world.chaos and world.rng.random() < 0.01:
                raise Retryable(f"{name}: the connection was lost before it was sent")
            result = method(*args, **kwargs)
            if world.chaos and world.rng.random() < 0.01:
                raise OutcomeUnknown(f"{name}: the connection was lost after the commit")
            world.boundary()
            return result

        return call


class FaultyChain:
    """Nodes that lag, forget, time out after accepting, and answer one snapshot coherently."""

    name = "evm"

    def __init__(self, world: World) -> None:
        self._world = world
        self._views: dict[int, tuple[Snapshot, Block]] = {}

    def snapshot(self) -> Snapshot:
        world = self._world
        world.boundary()
        self._may_fail("snapshot")
        lag = world.rng.choice((0, 0, 0, 1, 3, 6)) if world.chaos else 0
        heads = world.model.heads
        head = heads[max(0, len(heads) - 1 - lag)] if lag else world.model.head
        at = Snapshot(
            chain="evm",
            head_height=head.height,
            head_time_s=head.time_s,
            finalized_height=head.final.height,
            finalized_hash=head.final.block_hash,
            finalized_time_s=head.final.time_s,
        )
        self._views[id(at)] = (at, head)
        return at

    def transaction(self, tx_id: str, *, at: Snapshot) -> TxView:
        head = self._views[id(at)][1]
        self._world.boundary()
        if self._is_unknown():
            return TxView(answer=Answer.UNKNOWN)
        receipt = head.receipts.get(tx_id)
        if receipt is None:
            return TxView(answer=Answer.ABSENT)
        height, ok = receipt
        return TxView(
            answer=Answer.FOUND,
            succeeded=ok,
            finalized=tx_id in head.final.receipts,
            height=height,
            block_hash=f"{head.block_hash}@{height}",
        )

    def key_state(self, intent: Intent, *, at: Snapshot) -> Answer:
        head = self._views[id(at)][1]
        self._world.boundary()
        if self._is_unknown():
            return Answer.UNKNOWN
        used = intent.intent_id.hex() in head.final.paid
        return Answer.FOUND if used else Answer.ABSENT

    def next_slot(self, _signer: str, *, at: Snapshot) -> int | None:
        head = self._views[id(at)][1]
        self._world.boundary()
        return None if self._is_unknown() else head.final.next_slot

    def sign_request(self, intent: Intent, *, generation: int, bump: int, slot: int) -> SignRequest:
        self._world.boundary()
        return SignRequest(
            intent=intent,
            generation=generation,
            bump=bump,
            slot=slot,
            fee_wei_per_gas_max=1 + bump,
            tip_wei_per_gas=1,
            gas_max=100_000,
        )

    def send(self, raw: bytes) -> None:
        world = self._world
        world.boundary()
        tx_id = raw.decode()
        if not world.stored(tx_id):
            raise Violation(4, f"{tx_id} was sent before it was stored")
        tx = next(tx for _, tx in FaultySigner.made(world) if tx.tx_id == tx_id)
        draw = world.rng.random() if world.chaos else 1.0
        if draw < 0.08:
            raise OutcomeUnknown("the request was lost")
        if tx.slot < world.model.head.next_slot and tx_id not in world.model.head.receipts:
            raise Permanent("nonce too low")
        world.model.accept(tx)
        if draw < 0.2:
            raise OutcomeUnknown("timed out after it was accepted")
        if draw < 0.25:
            world.model.accept(tx)
        world.boundary()

    def _may_fail(self, what: str) -> None:
        if self._world.chaos and self._world.rng.random() < 0.04:
            raise Retryable(f"{what}: no node answers")

    def _is_unknown(self) -> bool:
        return self._world.chaos and self._world.rng.random() < 0.04


class FaultySigner:
    """Signs once per (slot, bump): asked again it returns the same bytes, or refuses another."""

    def __init__(self, world: World) -> None:
        self._world = world

    @staticmethod
    def made(world: World) -> list[tuple[Hash32, Tx]]:
        amounts = {intent.intent_id: intent for intent in world.plans}
        return [
            (
                intent_id,
                Tx(
                    tx_id=signed.tx_id,
                    intent=intent_id.hex(),
                    signer=SIGNER,
                    slot=slot,
                    amount=amounts[intent_id].amount,
                    deadline_s=amounts[intent_id].deadline_s,
                ),
            )
            for (slot, _), (intent_id, signed) in world.register.items()
        ]

    def address(self, _chain: str) -> str:
        return SIGNER

    def sign(self, request: SignRequest) -> SignedTx:
        world = self._world
        world.boundary()
        if world.chaos and world.rng.random() < 0.04:
            raise Retryable("the signer cannot be reached")
        key = (request.slot, request.bump)
        intent_id = request.intent.intent_id
        tx_id = f"{intent_id.hex()[:8]}.{request.slot}.{request.bump}"
        made = SignedTx(
            tx_id=tx_id, raw=tx_id.encode(), signer=SIGNER, fee_atoms_max=Atoms(1 + request.bump)
        )
        known_id, known = world.register.setdefault(key, (intent_id, made))
        if known_id != intent_id:
            raise Permanent(f"slot {request.slot} was signed for another intent")
        world.boundary()
        return known
