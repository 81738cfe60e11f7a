"""The kill reaches every order and depends on nothing that may be broken."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dmm.risk import kill
from dmm.risk.kill import ROUNDS_MAX, begin_kill
from dmm.units.errors import UsageFault


def test_the_kill_path_imports_faults_and_nothing_else_of_the_house() -> None:
    tree = ast.parse(Path(kill.__file__).read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name for name in modules if name and name.startswith("dmm")} == {"dmm.units.errors"}
    assert not any(isinstance(node, ast.Import) for node in ast.walk(tree))


def test_orders_are_blocked_before_the_first_cancel_and_after_the_last() -> None:
    begun = begin_kill(["a"])
    assert begun.blocks_orders
    _, sent = begun.batch()
    done = sent.gone(["a"])
    assert done.is_done
    assert done.blocks_orders


def test_every_order_is_cancelled_once_a_round_in_batches() -> None:
    current = begin_kill([*"abcde", *"ab"])
    seen: list[tuple[str, ...]] = []
    while True:
        ids, current = current.batch(batch_max=2)
        if not ids:
            break
        seen.append(ids)
    assert seen == [("a", "b"), ("c", "d"), ("e",)]
    assert not current.is_done


def test_what_the_venue_did_not_end_is_cancelled_again() -> None:
    _, current = begin_kill(["a", "b", "c"]).batch(batch_max=2)
    current = current.gone(["a"]).again()
    assert current.batch()[0] == ("b", "c")


def test_orders_left_after_many_rounds_call_for_a_person() -> None:
    current = begin_kill(["a", "b"])
    for _ in range(ROUNDS_MAX):
        assert not current.needs_a_person
        ids, current = current.batch()
        assert ids == ("a", "b")
        current = current.again()
    assert current.needs_a_person
    assert current.batch()[0] == ()
    assert current.again().needs_a_person
    assert not current.gone(["a", "b"]).needs_a_person


def test_a_kill_without_orders_is_done_at_once() -> None:
    assert begin_kill([]).is_done


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(UsageFault, match="got 0"):
        begin_kill(["a"]).batch(batch_max=0)
