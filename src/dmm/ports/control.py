"""The switches of the desk: kill, halt and policy, and who asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dmm.governance.policy import Policy
from dmm.units.ids import Hash32, Json
from dmm.units.time import Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Latch:
    """The kill switch as last written: the worker, the driver and the signers re-read it."""

    kill_id: int
    killed: bool
    reason: str
    operator: str
    at_ns: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltLatch:
    """The halt as last written: a drawdown stopped new orders, and only a person's reset opens it.

    `halt_id` rises with each halt; `run_id` is the run whose drawdown it was, `reason` why it was
    halted or reset, `operator` who reset it, empty while it holds.
    """

    halt_id: int
    halted: bool
    run_id: str
    reason: str
    operator: str
    at_ns: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """Both latches and the database's own time, as of one instant."""

    kill: Latch | None
    halt: HaltLatch | None
    database_at_ns: Nanos


class ControlStore(Protocol):
    """Kill switch, halt latch, policy head, audit log.

    Whatever latches or releases also appends its record to the audit log, in the same transaction.
    """

    def latch(self) -> Latch | None:
        """Return the latest latch, or None when nothing was ever killed."""
        ...

    def kill(self, *, reason: str, operator: str, now_ns: Nanos) -> Latch:
        """Latch; when already killed, return the latch that holds."""
        ...

    def release_kill(
        self, *, kill_id: int, order_sequence: int, operator: str, now_ns: Nanos, tx_id: str = ""
    ) -> Latch:
        """Release a latch by an executed order; each order releases once.

        Parameters
        ----------
        tx_id : the order's transaction, for the audit log

        Raises
        ------
        UsageFault
            If that kill is not the one that holds, or the order was used before.
        """
        ...

    def halted(self) -> HaltLatch | None:
        """Return the latest halt or its reset, or None when nothing was ever halted."""
        ...

    def halt(self, *, run_id: str, reason: str, now_ns: Nanos) -> HaltLatch:
        """Latch a halt; when already halted, return the latch that holds."""
        ...

    def reset_halt(self, *, operator: str, reason: str, now_ns: Nanos) -> HaltLatch:
        """Release the halt that holds, on a person's word.

        Raises
        ------
        UsageFault
            If none holds.
        """
        ...

    def controls(self) -> Controls:
        """Return both latches and the database's time, read at once."""
        ...

    def policy_head(self) -> PolicyRecord | None:
        """Return the policy in force."""
        ...

    def policies(self, *, limit: int) -> list[PolicyRecord]:
        """Return the policies that were in force, the latest first."""
        ...

    def append_policy(self, record: PolicyRecord) -> bool:
        """Append an executed policy; False when that sequence is already there with this hash.

        Raises
        ------
        InvariantBroken
            If the sequence exists with another hash, or does not extend the head.
        """
        ...

    def append_audit(
        self, *, actor: str, action: str, body: dict[str, Json], now_ns: Nanos
    ) -> None:
        """Append to the hash-chained audit log."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRecord:
    """A policy with the executed order that put it in force; sequence 0 is the genesis preset."""

    sequence: int
    policy: Policy
    previous_head: Hash32
    head: Hash32
    chain: str
    height: int
    tx_id: str
    adopted_at_ns: Nanos


class LiveControls(Protocol):
    """What the present asks of a live worker beside the kill switch; a play has none of it."""

    def halt(self, *, run_id: str, reason: str, now_ns: Nanos) -> None:
        """Latch a halt; it may be taken over and written after what was appended before."""
        ...

    def halted(self) -> HaltLatch | None:
        """Return the latest halt or its reset, or None when nothing was ever halted.

        Raises
        ------
        Retryable
            If it could not be read for too long.
        """
        ...

    def clock_offset_ns(self) -> int | None:
        """Return the database's time less this host's, ns; None while it is not measured."""
        ...
