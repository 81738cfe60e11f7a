from __future__ import annotations

from dataclasses import replace

import pytest
from desk_memory import POLICY, START_NS
from desk_memory import Desk as Memory

from dmm.bootstrap import Desk
from dmm.sandbox.demo_governance import DemoGovernance, Hint
from dmm.sandbox.evm.actors import Actors
from dmm.settings import Settings
from dmm.units.errors import ServiceFault
from dmm.units.time import Nanos

HINT = Hint(sequence=1, announced_at_ns=Nanos(START_NS))


def governance(memory: Memory) -> DemoGovernance:
    desk = Desk(Settings())
    desk.__dict__["store"] = memory.store
    return DemoGovernance(desk=desk, actors=Actors(b"\x01" * 32))


def test_an_order_that_a_completed_run_did_not_adopt_is_a_fault() -> None:
    with pytest.raises(ServiceFault, match="order 1 is not in force"):
        governance(Memory()).adopted(HINT)


def test_an_adopted_order_is_one_policy_of_the_journal() -> None:
    memory = Memory()
    memory.adopt(replace(POLICY, quote_size_lots=11))
    assert governance(memory).adopted(HINT) == 1
