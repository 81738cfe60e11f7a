from __future__ import annotations

from dataclasses import replace

import pytest
from desk_memory import POLICY
from desk_memory import Desk as Memory
from journal_memory import MemoryJournal

from dmm.bootstrap import Desk
from dmm.entrypoints.up import begin_policy, require_first
from dmm.settings import Settings
from dmm.units.errors import UsageFault

OTHER = replace(POLICY, quote_size_lots=POLICY.quote_size_lots + 1)


@pytest.mark.parametrize(
    ("store", "in_force"),
    [(MemoryJournal(), OTHER), (Memory().store, POLICY)],
    ids=["a new desk", "a desk begun on another market"],
)
def test_a_start_never_replaces_the_policy_in_force(store: MemoryJournal, in_force: object) -> None:
    desk = Desk(Settings())
    desk.__dict__["store"] = store
    begin_policy(desk, OTHER)
    head = store.policy_head()
    assert head is not None
    assert head.policy == in_force


def test_a_preset_named_at_a_start_does_not_replace_another_in_force() -> None:
    desk = Desk(Settings())
    desk.__dict__["store"] = MemoryJournal()
    bold = replace(POLICY, preset="bootstrap/paper-cex")
    require_first(desk, bold)
    desk.__dict__["store"] = Memory().store
    require_first(desk, OTHER)
    with pytest.raises(
        UsageFault, match=r"policy steady is in force .*`dmm gov policy --preset bootstrap`"
    ):
        require_first(desk, bold)
