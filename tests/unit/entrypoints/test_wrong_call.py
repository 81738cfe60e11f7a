"""A wrong call is told in one line: what, its value, what would be right; exit code 2."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from dmm.entrypoints.cli import app


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("risk --level 0", "dmm risk: --level = '0': input should be greater than or equal to 1"),
        ("risk --level x", "dmm risk: --level = 'x': input should be a valid integer"),
        ("up --prefect-port 99999", "--prefect-port = '99999': input should be less than or equal"),
        ("quote --gamma wide", "dmm quote: --gamma = 'wide': input should be a valid number"),
        ("quote --mode as2008", "dmm quote: no such option: --mode (Possible options: --model)"),
        ("calibrate", "dmm calibrate: missing argument 'tape'"),
        ("quot", "dmm: no such command 'quot'"),
        ("gov nothing", "dmm gov: no such command 'nothing'"),
        ("tape", "dmm tape: missing command"),
        ("bench quote twice", "dmm bench: got unexpected extra argument(s) (twice)"),
        ("risk greeks --inputs", "option '--inputs' requires an argument"),
    ],
)
def test_a_wrong_call_is_one_line_with_its_value_and_where_to_look(
    arguments: str, told: str
) -> None:
    result = CliRunner().invoke(app, arguments.split())
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stderr.startswith("dmm")
    assert result.stderr.endswith("--help lists what it takes\n")
    assert result.stderr.count("\n") == 1
    assert "Usage" not in result.stdout + result.stderr


def test_a_value_of_any_length_is_cut_to_a_line() -> None:
    result = CliRunner().invoke(app, ["risk", "--level", "9" * 5_000 + "x"])
    assert result.exit_code == 2
    assert len(result.stderr) < 400


def test_help_is_still_help() -> None:
    for arguments in ([], ["--help"], ["quote", "--help"]):
        result = CliRunner().invoke(app, arguments)
        assert "Usage: " in result.stdout + result.stderr
    assert CliRunner().invoke(app, ["quote", "--help"]).exit_code == 0
