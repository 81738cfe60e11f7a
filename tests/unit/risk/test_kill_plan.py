"""The kill goes on until nothing is open, and depends on nothing that may be broken."""

from __future__ import annotations

import ast
from pathlib import Path

from trading_values import at_ms

from dmm.risk import kill
from dmm.risk.kill import ROUNDS_MAX, KillAct, KillRounds, begin_kill


def look(rounds: KillRounds, at: int, *, venue: int = 0, books: int = 0) -> tuple[KillRounds, str]:
    after, act = rounds.after_look(at_ms(at), at_venue=venue, in_books=books)
    return after, act.value


def test_the_kill_path_imports_time_and_nothing_else_of_the_house() -> None:
    tree = ast.parse(Path(kill.__file__).read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name for name in modules if name and name.startswith("dmm")} == {"dmm.units.time"}
    assert not any(isinstance(node, ast.Import) for node in ast.walk(tree))


def test_a_round_is_due_a_second_after_the_one_before() -> None:
    rounds = begin_kill(at_ms(0))
    assert not rounds.is_due(at_ms(999))
    assert rounds.is_due(at_ms(1_000))
    rounds, _ = look(rounds, 1_400, venue=1)
    assert not rounds.is_due(at_ms(2_399))
    assert rounds.is_due(at_ms(2_400))


def test_what_the_venue_still_reports_open_is_cancelled_again() -> None:
    assert look(begin_kill(at_ms(0)), 1_000, venue=3, books=3)[1] == KillAct.CANCEL


def test_an_end_that_is_on_its_way_is_waited_for() -> None:
    rounds, act = look(begin_kill(at_ms(0)), 1_000, books=2)
    assert act == KillAct.NOTHING
    assert rounds.is_due(at_ms(2_000))


def test_a_kill_is_over_when_neither_side_knows_an_open_order() -> None:
    rounds, act = look(begin_kill(at_ms(0)), 1_000)
    assert act == KillAct.NOTHING
    assert not rounds.is_due(at_ms(10**9))


def test_orders_left_after_every_round_call_for_a_person_once() -> None:
    rounds, acts = begin_kill(at_ms(0)), []
    for second in range(1, 2 * ROUNDS_MAX):
        if rounds.is_due(at_ms(second * 1_000)):
            rounds, act = look(rounds, second * 1_000, venue=1, books=1)
            acts.append(act)
    assert acts == [KillAct.CANCEL] * ROUNDS_MAX + [KillAct.CALL_A_PERSON]
