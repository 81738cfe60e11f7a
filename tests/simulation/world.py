"""One seed, one world: the shipped driver on a faulty journal, chain and signer.

Every call of a port is a point at which the worker may crash, be overtaken while it sleeps, lose
its answer, or see the chain move. `Violation` carries the number of the invariant that broke, as
numbered in docs/settlement.md.
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field, replace
from typing import Any

from journal_memory import MemoryJournal
from simulation.chain_model import ChainModel, Kind, Tx
from simulation.checks import Checks, Violation
from simulation.guarded import Clock, Guarded, Signer
from simulation.nodes import NODES, Node, SimChain

from dmm.ledger.account import AccountKind
from dmm.ledger.journal import Posting
from dmm.ports import SignedTx
from dmm.settlement.batch import account, reserve
from dmm.settlement.carrier import CARRIED_BY, TRADES, is_carrier
from dmm.settlement.epoch import EpochPlan, Job
from dmm.settlement.intent import Intent, IntentKind, Purpose
from dmm.settlement.lifecycle import Fenced, LaneBounds
from dmm.units.amount import Atoms
from dmm.units.errors import OutcomeUnknown, Retryable
from dmm.units.ids import Hash32
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.dispatch import adopt_restored
from dmm.usecases.driver import Driver, Pace

__all__ = ["Crash", "Faults", "Violation", "World"]

START_S = 1_700_000_000
FUNDING = 1_000
LEASE_S = 12
FAULTY_TURNS = 60
CALM_TURNS_MAX = 500
NET_S_MAX = 160
LIFETIME_S_MAX = 400
"""Longest time from an intent's plan to its deadline."""


class Crash(BaseException):
    """The worker's process dies here."""


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What a world suffers besides crashes, lost answers, reorganisations and slow nodes."""

    kills: bool = False
    restore: bool = False
    signer_restored: bool = False
    liar: bool = False
    fork: bool = False
    refuses: bool = False
    """The signer refuses one intent for good."""
    foreign: bool = False
    """Somebody else sends from our accounts."""
    bad: bool = False
    """One intent's payment fails however often it is tried."""

    @classmethod
    def drawn(cls, rng: random.Random) -> Faults:
        return cls(
            kills=rng.random() < 0.2,
            restore=rng.random() < 0.15,
            signer_restored=rng.random() < 0.3,
            liar=rng.random() < 0.2,
            fork=rng.random() < 0.2,
            refuses=rng.random() < 0.2,
            foreign=rng.random() < 0.2,
            bad=rng.random() < 0.2,
        )


@dataclass
class Backup:
    """What a backup holds; the chain goes on without it."""

    journal: MemoryJournal
    register: dict[Any, Any] = field(default_factory=dict)
    planned: int = 0


class World(Checks):
    """Runs one seed; `crash_at` crashes at those boundaries instead of by chance."""

    def __init__(
        self,
        seed: int,
        *,
        kind: Kind = "evm",
        driver: type[Driver] = Driver,
        chain: type[SimChain] = SimChain,
        journal: type[MemoryJournal] = MemoryJournal,
        guard: bool = True,
        chaos: bool = True,
        faults: Faults | None = None,
        crash_at: frozenset[int] = frozenset(),
        intents: int = 3,
        quorum: int = 2,
        bounds: LaneBounds | None = None,
        finality: int | None = None,
        lifetime_s_min: int = 60,
        netted: bool = False,
        claims_max: int = 1,
    ) -> None:
        self.claims_max = claims_max
        """Intents that a worker claims at once and looks at through one snapshot."""
        self.netted = netted
        """A carrier settles all intents of an epoch at once, or they settle singly after it."""
        self.lifetime_s_min = lifetime_s_min
        self.rng = random.Random(seed)  # noqa: S311 - a seed must replay the run
        self.driver_type, self.chain_type = driver, chain
        self.chaos, self.crash_at, self.quorum = chaos, crash_at, quorum
        drawn = Faults.drawn(self.rng) if chaos else Faults()
        self.faults = drawn if faults is None else faults
        self.bounds = bounds or LaneBounds(in_flight_max=2, value_atoms_max={"DCT": 20})
        self.boundaries = self.nested = self.workers = self.life = self.orders = 0
        self.now_ns = START_S * NS_PER_S
        self.model = ChainModel(
            self.rng, kind=kind, guard=guard, start_s=START_S, finality=finality
        )
        self.nodes = [Node(self.model, self.rng) for _ in range(NODES)]
        self.nodes[0].lies = self.faults.liar
        self.journal = journal(now_ns=lambda: self.now_ns)
        self.register: dict[tuple[str, int, int, Purpose], tuple[Hash32, SignedTx]] = {}
        self.bytes_of: dict[bytes, Tx] = {}
        self.plans: dict[Hash32, Intent] = {}
        self.count = intents
        super().__init__()
        self._fund()
        self.plan(epoch=0)
        self.backup: Backup | None = None
        victims = list(self.plans.values())
        self.refused = {victims[0].intent_id} if self.faults.refuses else set()
        self.model.bad = {victims[-1].intent_id.hex()} if self.faults.bad else set()

    # -- planning ---------------------------------------------------------------------------

    def _intent(self, epoch: int, ordinal: int) -> Intent:
        kind = IntentKind.BUYBACK if ordinal % 3 == 2 else IntentKind.REWARD
        return Intent(
            kind=kind,
            chain="evm",
            contract="treasury",
            vault="treasury",
            scope="run:sim",
            epoch=epoch,
            ordinal=ordinal,
            asset="DCT",
            recipient=f"0x{ordinal}",
            amount=Atoms(10 + ordinal),
            deadline_s=self.model.head.time_s
            + self.rng.randint(self.lifetime_s_min, LIFETIME_S_MAX),
            inputs={},
        )

    def _carried(self, epoch: int) -> tuple[Intent, ...]:
        """Return a carrier and its members, which have longer than it has."""
        members = [self._intent(epoch, ordinal) for ordinal in range(self.count)]
        first, now_s = members[0], self.model.head.time_s
        carrier = replace(
            first,
            kind=IntentKind.NET,
            deadline_s=now_s + self.rng.randint(60, NET_S_MAX),
            inputs={TRADES: [{"key": member.intent_id.hex()} for member in members]},
        )
        inputs: dict[str, Any] = {CARRIED_BY: carrier.intent_id.hex()}
        later = [
            replace(member, inputs=inputs, deadline_s=max(member.deadline_s, now_s + 2 * NET_S_MAX))
            for member in members
        ]
        return (carrier, *later)

    def _fund(self) -> None:
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

    def plan(self, *, epoch: int) -> None:
        """Plan an epoch once; a journal that has forgotten it plans it anew, with new deadlines."""
        claim = self.journal.open_epoch(
            run_id="run",
            job=Job.LIQUIDITY_REWARDS,
            scope="run:sim",
            epoch=epoch,
            now_ns=Nanos(0),
            chain_time_s=START_S,
        )
        if claim.plan_hash is not None:
            return
        planned = (
            self._carried(epoch)
            if self.netted
            else tuple(self._intent(epoch, ordinal) for ordinal in range(self.count))
        )
        intents = tuple(intent for intent in planned if not is_carrier(intent))
        self.journal.record_epoch(
            claim,
            EpochPlan(intents=planned, postings=tuple(reserve(i, at_ns=0) for i in intents)),
        )
        self.plans |= {intent.intent_id: intent for intent in intents}

    # -- running ----------------------------------------------------------------------------

    def run(self) -> World:
        backup_at, restore_at = sorted(self.rng.sample(range(FAULTY_TURNS), 2))
        for turn in range(FAULTY_TURNS):
            if not self.chaos and self.is_done():
                break
            self.turn()
            self.environment()
            if self.faults.restore and turn == backup_at:
                self.take_backup()
            if self.faults.restore and turn == restore_at:
                self.restore()
            if turn == FAULTY_TURNS // 3 and self.faults.restore:
                self.plan(epoch=1)
        self.calm_down()
        for _ in range(CALM_TURNS_MAX):
            if self.is_done():
                break
            self.now_ns += LEASE_S * NS_PER_S
            self.model.mine()
            self.check_now()
            for _ in self.journal.intents():
                self.turn()
        self.check_end()
        return self

    def calm_down(self) -> None:
        self.chaos = False
        self.crash_at = frozenset()
        for node in self.nodes:
            node.lies, node.fork = False, None
        if self.killed:
            self.release_kill()

    def is_done(self) -> bool:
        return not any(state.is_open for _, state in self.journal.intents())

    @property
    def killed(self) -> bool:
        latch = self.journal.latch()
        return latch is not None and latch.killed

    def release_kill(self) -> None:
        latch = self.journal.latch()
        assert latch is not None
        self.orders += 1
        self.journal.release_kill(
            kill_id=latch.kill_id,
            order_sequence=self.orders,
            operator="op",
            now_ns=Nanos(self.now_ns),
        )

    def take_backup(self) -> None:
        self.backup = Backup(
            journal=self.journal.copy(lambda: self.now_ns), register=copy.copy(self.register)
        )

    def restore(self) -> None:
        """Put the backup in the journal's place; every worker is restarted."""
        if self.backup is None:
            return
        self.life += 1
        self.journal = self.backup.journal
        if self.faults.signer_restored:
            self.register = self.backup.register
        self.forget()
        self.journal.enter_adopt_only(
            chain="evm",
            until_s=self.model.head.time_s + LIFETIME_S_MAX,
            reason="drill",
            now_ns=Nanos(self.now_ns),
        )
        self.plan(epoch=1)

    def driver(self, chain: SimChain, store: Any) -> Driver:
        return self.driver_type(
            store=store,
            chain=chain,
            signer=Signer(self, chain),
            pace=Pace(poll_s=1.0, looks_per_bump=5),
            bounds=self.bounds,
        )

    def turn(self) -> None:
        """One worker claims an intent and makes one step; a crash leaves its lease behind."""
        self.workers += 1
        chain: Any = self.chain_type(self)
        chain.life = self.life
        store: Any = Guarded(self, chain)
        clock: Any = Clock(self)
        try:
            adopt_restored(store=store, chain=chain, clock=clock)
            if self.claims_max > 1:
                self._pass(chain, store)
                return
            claimed = store.claim_due(chain="evm", owner=f"w{self.workers}", lease_s=LEASE_S)
            if claimed is not None:
                chain.used.clear()
                chain.unknown = False
                self.driver(chain, store).step(claimed)
        except (Crash, Fenced, Retryable, OutcomeUnknown):
            return

    def _pass(self, chain: Any, store: Any) -> None:
        """Claim several intents and look at each of them through one snapshot."""
        claims = store.claim_batch(
            chain="evm", owner=f"w{self.workers}", lease_s=LEASE_S, limit=self.claims_max
        )
        chain.used.clear()
        self.driver(chain, store).steps(claims)

    def boundary(self, chain: Any) -> None:
        """Let anything happen that may happen between two calls."""
        if chain.life != self.life:
            raise Crash
        self.boundaries += 1
        if self.boundaries in self.crash_at:
            raise Crash
        if not self.chaos:
            return
        draw = self.rng.random()
        if draw < 0.02:
            raise Crash
        if draw < 0.03 and self.nested < 2:
            # This worker sleeps past its lease while others go on; then it wakes up as a zombie.
            self.nested += 1
            self.now_ns += (LEASE_S + 1) * NS_PER_S
            for _ in range(self.rng.randint(1, 6)):
                self.turn()
                self.environment()
            self.nested -= 1
            if chain.life != self.life:
                raise Crash
        elif draw < 0.06:
            self.environment()

    def environment(self) -> None:
        self.now_ns += self.rng.randint(0, 3) * NS_PER_S
        draw = self.rng.random() if self.chaos else 0.0
        if draw < 0.7:
            revert = 0.1 if self.chaos else 0.0
            self.model.mine(take=0.6 if self.chaos else 1.0, revert=revert)
        elif draw < 0.82:
            self._reorg()
        elif draw < 0.88:
            self.model.evict()
        elif draw < 0.94:
            self.model.gossip_again()
        elif self.faults.kills and draw < 0.97:
            self._toggle_kill()
        elif self.faults.foreign:
            self._send_foreign()
        self.check_now()

    def _send_foreign(self) -> None:
        signer = self.rng.choice(("0x51-reward", "0x51-buyback"))
        nonce = self.model.head.nonces.get(signer, 0)
        self.model.accept(
            Tx(
                tx_id=f"foreign.{self.boundaries}",
                key="",
                signer=signer,
                slot=nonce,
                deadline_s=2**40,
                pays=False,
                expires=self.model.head.height + 5,
                anchor=str(self.model.head.number),
            )
        )

    def _reorg(self) -> None:
        left = self.model.head
        self.model.reorg(self.rng.randint(1, 3))
        if self.faults.fork:
            self.nodes[1].fork = left if self.nodes[1].fork is None else None

    def _toggle_kill(self) -> None:
        if self.killed:
            self.release_kill()
        else:
            self.journal.kill(reason="drill", operator="op", now_ns=Nanos(self.now_ns))
