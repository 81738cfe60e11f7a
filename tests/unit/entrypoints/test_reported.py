"""What a user is told when a command ends badly."""

from __future__ import annotations

import pytest
import typer

from dmm.entrypoints.cli.app import reported
from dmm.units.errors import ServiceFault, UsageFault


def code_of(command: object) -> int:
    with pytest.raises(typer.Exit) as ended:
        reported(command)()  # type: ignore[arg-type]
    return ended.value.exit_code


def test_a_fault_is_one_line_and_says_whose_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    def usage() -> None:
        raise UsageFault("epochs must be at least 1, got 0")

    def service() -> None:
        raise ServiceFault("the database\nis away")

    assert code_of(usage) == 2
    assert code_of(service) == 1
    assert capsys.readouterr().err.splitlines() == [
        "dmm: epochs must be at least 1, got 0",
        "dmm: the database is away",
    ]


def test_an_interrupt_is_told_as_one_also_when_stopping_meets_a_fault() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    def while_stopping() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise ServiceFault("postgres did not stop")

    assert code_of(interrupted) == 130
    assert code_of(while_stopping) == 130
