"""Faults that a test asks the local node for: each is counted down and then gone.

They go no further than this node's answers: the chain itself stays what the runtime made of it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from enum import StrEnum

from dmm.units.errors import UsageFault

FAULTS_MAX = 64
"""Faults that may wait at a time."""
TIMES_MAX = 10_000
SLOTS_MAX = 1_000


class FaultKind(StrEnum):
    """What goes wrong.

    ``drop`` a transaction is taken and lost · ``delay`` it runs `slots` later · ``duplicate`` it
    arrives twice · ``expire`` its blockhash counts as too old · ``lose_reply`` the call is carried
    out, the caller hears nothing · ``refuse`` the node says it is behind · ``lag`` a read answers
    from `slots` ago · ``forget`` a read knows nothing · ``lie`` a read tells of another cluster or
    of money that is not there
    """

    DROP = "drop"
    DELAY = "delay"
    DUPLICATE = "duplicate"
    EXPIRE = "expire"
    LOSE_REPLY = "lose_reply"
    REFUSE = "refuse"
    LAG = "lag"
    FORGET = "forget"
    LIE = "lie"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: which calls it hits, and how often.

    `method` is an RPC method's name; `slots` is read by ``delay`` and ``lag`` only.
    """

    kind: FaultKind
    method: str
    times: int = 1
    slots: int = 0


class FaultPlan:
    """The faults that wait, in the order in which they were asked for."""

    def __init__(self) -> None:
        """Start with none."""
        self._waiting: deque[Fault] = deque()

    def add(self, fault: Fault) -> None:
        """Ask for a fault.

        Raises
        ------
        UsageFault
            If it is out of bounds, or too many wait.
        """
        if not 1 <= fault.times <= TIMES_MAX or not 0 <= fault.slots <= SLOTS_MAX:
            raise UsageFault(
                f"a fault hits 1 to {TIMES_MAX} calls and reaches 0 to {SLOTS_MAX} slots, "
                f"not {fault.times} and {fault.slots}"
            )
        if len(self._waiting) >= FAULTS_MAX:
            raise UsageFault(f"{FAULTS_MAX} faults wait already: clear them first")
        self._waiting.append(fault)

    def clear(self) -> None:
        """Forget all that wait."""
        self._waiting.clear()

    def take(self, method: str, *kinds: FaultKind) -> Fault | None:
        """Return the first fault of these kinds that hits this call, and count it down."""
        for index, fault in enumerate(self._waiting):
            if fault.method == method and fault.kind in kinds:
                if fault.times == 1:
                    del self._waiting[index]
                else:
                    self._waiting[index] = replace(fault, times=fault.times - 1)
                return fault
        return None
