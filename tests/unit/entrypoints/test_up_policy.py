from __future__ import annotations

from dataclasses import replace

import pytest
from desk_memory import POLICY
from desk_memory import Desk as Memory
from journal_memory import MemoryJournal

from dmm.bootstrap import Desk
from dmm.entrypoints.up import begin_policy
from dmm.settings import Settings

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
