"""DEMO: a proposal that two of three owners execute on chain, and the hint that follows it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dmm.adapters.evm.codec import Book
from dmm.adapters.scheduler.prefect import PrefectScheduler
from dmm.bootstrap import Desk
from dmm.governance.policy import Policy
from dmm.governance.proposal import FAMILY_POLICY, FAMILY_RELEASE
from dmm.sandbox.evm.actors import Actors, execute_order
from dmm.sandbox.evm.rpc import LocalRpc
from dmm.units.chain import HOME_CHAIN
from dmm.units.errors import ServiceFault
from dmm.units.ids import canonical_json
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.epoch import policy_in_force

EVENT = "dmm.governance.executed"
FLOW = "governance_apply"
APPLIED_S_MAX = 90.0
FINAL_S_MAX = 60.0
POLL_S = 0.2
SKEW_BPS = 12_000
"""The DEMO proposal raises the inventory skew by a fifth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """An executed order that was announced, and when."""

    sequence: int
    announced_at_ns: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoGovernance:
    """Proposes, executes and announces on the local home chain."""

    desk: Desk
    actors: Actors

    def announce(self) -> Hint:
        """Execute the proposal unless it was executed before, then emit its event.

        The event is a hint: whoever receives it reads the order from the finalized chain.
        """
        desk = self.desk
        executed = desk.chain().executed_orders(from_sequence=1, at=desk.chain().snapshot())
        policies = [order for order in executed if order.family == FAMILY_POLICY]
        return self.hint(policies[0].sequence if policies else self._propose())

    def hint(self, sequence: int) -> Hint:
        """Emit the event of an executed order; again is harmless.

        Raises
        ------
        Retryable, OutcomeUnknown, ServiceFault, Permanent
            As `dmm.ports.Scheduler.emit` does.
        """
        now_ns = self.desk.clock.now_ns()
        self.desk.scheduler.emit(
            EVENT,
            resource=f"dmm.governance.{HOME_CHAIN}.{sequence}",
            payload={"sequence": sequence},
        )
        return Hint(sequence=sequence, announced_at_ns=now_ns)

    def wait_applied(self, hint: Hint) -> str:
        """Wait for the flow run that the event started and return the name of its state.

        Raises
        ------
        ServiceFault
            If no run was started or it does not end in time.
        """
        desk = self.desk
        scheduler = desk.scheduler
        if not isinstance(scheduler, PrefectScheduler):
            raise ServiceFault("the scheduler tells nothing of its runs")
        deadline_ns = hint.announced_at_ns + int(APPLIED_S_MAX * NS_PER_S)
        while desk.clock.now_ns() < deadline_ns:
            runs = scheduler.flow_runs(FLOW, since_ns=Nanos(hint.announced_at_ns - NS_PER_S))
            if runs and runs[0].is_final:
                if runs[0].state_name != "Completed":
                    raise ServiceFault(f"flow {FLOW} ended {runs[0].state_name}: see its log")
                return runs[0].state_name
            desk.clock.sleep_s(POLL_S)
        raise ServiceFault(
            f"no run of {FLOW} ended within {APPLIED_S_MAX:.0f} s of its event: see serve.log"
        )

    def adopted(self, hint: Hint) -> int:
        """Return how many policies in the journal the announced order is: one, the one in force.

        Raises
        ------
        ServiceFault
            If it is not there: a flow run also completes when it found the order not final yet.
        """
        head = policy_in_force(self.desk.store)
        if head.sequence < hint.sequence:
            raise ServiceFault(
                f"order {hint.sequence} is not in force although {FLOW} completed: it was not "
                "final in time, continue with --resume"
            )
        return int(head.sequence == hint.sequence)

    def execute_release(self, kill_id: int) -> int:
        """Have the owners execute the release of a kill; return the order's sequence."""
        sequence, _tx_id = self._execute(FAMILY_RELEASE, canonical_json({"kill_id": kill_id}))
        return sequence

    def execute_policy(self, policy: Policy) -> tuple[int, str]:
        """Have the owners execute a policy; return the order's sequence and transaction.

        One that was executed before and is not adopted yet is that order: it is executed once.
        """
        in_force = policy_in_force(self.desk.store).sequence
        chain = self.desk.chain()
        later = chain.executed_orders(from_sequence=in_force + 1, at=chain.snapshot())
        orders = [order for order in later if order.family == FAMILY_POLICY]
        if orders and orders[-1].body == policy.canonical_bytes:
            return orders[-1].sequence, orders[-1].tx_id
        return self._execute(FAMILY_POLICY, policy.canonical_bytes)

    def wait_in_force(self, sequence: int) -> None:
        """Wait until the journal holds an order's policy, whichever flow run adopted it.

        Raises
        ------
        ServiceFault
            If it is not adopted in time.
        """
        clock = self.desk.clock
        deadline_ns = clock.now_ns() + int(APPLIED_S_MAX * NS_PER_S)
        while clock.now_ns() < deadline_ns:
            if policy_in_force(self.desk.store).sequence >= sequence:
                return
            clock.sleep_s(POLL_S)
        raise ServiceFault(
            f"order {sequence} is final but was not adopted within {APPLIED_S_MAX:.0f} s: see "
            f"serve.log for the run of {FLOW}; the same command again announces it again"
        )

    def wait_final(self, sequence: int) -> None:
        """Wait until an order stands in a finalized block.

        Raises
        ------
        ServiceFault
            If the chain does not finalize it in time.
        """
        chain, clock = self.desk.chain(), self.desk.clock
        deadline_ns = clock.now_ns() + int(FINAL_S_MAX * NS_PER_S)
        while clock.now_ns() < deadline_ns:
            if chain.executed_orders(from_sequence=sequence, at=chain.snapshot()):
                return
            clock.sleep_s(POLL_S)
        raise ServiceFault(f"order {sequence} is not final after {FINAL_S_MAX:.0f} s")

    def _propose(self) -> int:
        policy = policy_in_force(self.desk.store).policy
        skewed = replace(policy, skew_beta_ubps=policy.skew_beta_ubps * SKEW_BPS // 10_000)
        sequence, _tx_id = self._execute(FAMILY_POLICY, skewed.canonical_bytes)
        return sequence

    def _execute(self, family: str, body: bytes) -> tuple[int, str]:
        config = self.desk.settings
        deployments = self.desk.store.deployments(HOME_CHAIN)
        book = Book(chain_id=config.evm_chain_id, deployments=deployments)
        return execute_order(
            rpc=LocalRpc(config.evm_rpc_urls[0]),
            actors=self.actors,
            book=book,
            family=family,
            body=body,
        )
