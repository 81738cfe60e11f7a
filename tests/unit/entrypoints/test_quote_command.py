"""`dmm quote`: what it prints, and how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dmm.entrypoints.cli import app

INPUTS = (
    '{"mid_price":100,"inventory":1,"gamma":0.1,"sigma":2,"horizon_s":1,"kappa":1.5,"A":140,'
    '"q_max":30,"phi":0.01,"alpha":0.001}'
)
KEYS = [
    *("model", "reservation_price", "half_spread", "bid", "ask"),
    *("bid_depth", "ask_depth", "value"),
]
ROW_KEYS = ["spread", "profit_mean", "profit_std", "final_q_mean", "final_q_std"]
TELEMETRY = {"mid_price": 1.05, "inventory": 4_750, "inventory_limit": 10_000, "volatility": "0.2"}


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["quote", *arguments], input=stdin)


def printed(*arguments: str, stdin: str | None = None) -> dict[str, object]:
    result = run(*arguments, "--json", stdin=stdin)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    found: dict[str, object] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "name one of --model as2008|dct|glft|glft-exact|cartea-jaimungal|hummingbot"),
        (("--model", "as2008", "--table", "as2008"), "name one of --model"),
        (("--model", "glft2", "--inputs", "{}"), "--model 'glft2': takes as2008, dct, glft"),
        (("--model", "glft"), "--inputs is missing: a JSON object"),
        (("--model", "glft", "--inputs", "{"), "--inputs is not JSON: "),
        (("--model", "glft", "--inputs", "[" * 50_000), "--inputs is not JSON: "),
        (("--model", "glft", "--inputs", "[1]"), "--inputs must be a JSON object"),
        (("--model", "glft", "--inputs", '{"A":1,"A":2}'), "--inputs names 'A' twice"),
        (("--model", "glft", "--inputs", " " * 65_537), "--inputs is longer than 65,536"),
        (("--model", "glft", "--inputs", "@/no/such"), "--inputs @/no/such: No such file"),
        (("--model", "glft", "--inputs", "{}"), "mid_price is missing: mid price, a finite number"),
        (("--model", "as2008", "--inputs", '{"mid_price":NaN}'), "inventory is missing"),
        (("--model", "as2008", "--inputs", INPUTS, "--gamma", "1"), "--gamma belongs to --table"),
        (
            ("--model", "as2008", "--inputs", INPUTS, "--guard-percent", "0"),
            "--guard-percent 0.0: takes a number > 0",
        ),
        (("--table", "as2009", "--gamma", "0.1"), "--table 'as2009': takes as2008"),
        (("--table", "as2008"), "--gamma is missing"),
        (("--table", "as2008", "--gamma", "-0.1"), "gamma = -0.1: risk aversion, 1/price"),
        (("--table", "as2008", "--gamma", "nan"), "gamma = nan: risk aversion, 1/price"),
        (("--table", "as2008", "--gamma", "7"), "gamma = 7.0: half_spread = 14."),
        (("--table", "as2008", "--gamma", "0.1", "--paths", "1"), "paths = 1: takes a whole"),
        (("--table", "as2008", "--gamma", "0.1", "--paths", "1000001"), "paths = 1000001: takes"),
        (("--table", "as2008", "--gamma", "0.1", "--seed", "-1"), "seed = -1: takes a whole"),
        (("--table", "as2008", "--gamma", "0.1", "--inputs", "{}"), "--inputs belongs to --model"),
    ],
)
def test_a_call_that_cannot_be_ends_with_one_line_and_code_2(
    arguments: tuple[str, ...], line: str
) -> None:
    result = run(*arguments, "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"dmm: {line}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "0", "-3", '"2"', "true", "null", "1e999", "[]"]
)
def test_a_bad_input_ends_with_its_name_and_code_2(value: str) -> None:
    bad = INPUTS.replace('"kappa":1.5', f'"kappa":{value}')
    result = run("--model", "glft", "--inputs", bad)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("dmm: kappa = ")
    assert "decay of the arrival rate, 1/price; takes a finite number > 0" in result.stderr


@pytest.mark.parametrize(
    ("model", "reservation", "half"),
    [
        ("as2008", 99.6, 0.8453852113757117),
        ("dct", 99.8, 0.8453852113757117),
        ("hummingbot", 99.8, 0.7453852113757116),
        ("glft", 99.94828278387803, 0.6712438194366945),
        ("glft-exact", 99.94753629765835, 0.6716065236823491),
        ("cartea-jaimungal", 99.989058702224, 0.672137235358628),
    ],
)
def test_each_model_prints_one_object_unrounded(
    model: str, reservation: float, half: float
) -> None:
    found = printed("--model", model, "--inputs", INPUTS)
    assert list(found) == KEYS
    assert found["model"] == model
    assert found["reservation_price"] == pytest.approx(reservation, abs=1e-9)
    assert found["half_spread"] == pytest.approx(half, abs=1e-9)
    assert (found["value"] is None) == (model != "cartea-jaimungal")


def test_inputs_are_read_from_a_file_and_from_stdin(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(INPUTS, encoding="utf-8")
    expected = printed("--model", "glft", "--inputs", INPUTS)
    assert printed("--model", "glft", "--inputs", f"@{tmp_path}/in.json") == expected
    assert printed("--model", "glft", "--inputs", "-", stdin=INPUTS) == expected


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_bytes(b"\xff\xfe{")
    result = run("--model", "glft", "--inputs", f"@{tmp_path}/in.json")
    assert result.exit_code == 2
    assert "is not UTF-8 text" in result.stderr


def test_people_get_a_table() -> None:
    result = run("--model", "glft-exact", "--inputs", INPUTS.replace('"q_max":30', '"q_max":1'))
    assert result.exit_code == 0
    lines = dict(line.split() for line in result.stdout.splitlines())
    assert list(lines) == KEYS
    assert lines["bid"] == "none"
    rows = run("--table", "as2008", "--gamma", "0.1", "--paths", "50").stdout.splitlines()
    assert rows[0] == "gamma 0.1, 50 paths, seed 1"
    assert [row.split()[0] for row in rows[1:]] == ["strategy", "inventory", "symmetric"]


def test_the_guard_is_a_setting() -> None:
    wide = INPUTS.replace('"kappa":1.5', '"kappa":0.07')
    assert run("--model", "as2008", "--inputs", wide).exit_code == 0
    assert run("--model", "as2008", "--inputs", wide, "--guard-percent", "5").exit_code == 2


def test_the_sdks_own_inputs_are_understood() -> None:
    given = json.dumps(TELEMETRY)
    paper = printed("--model", "as2008", "--inputs", given)
    literal = printed("--model", "dct", "--inputs", given)
    assert paper["half_spread"] == literal["half_spread"]
    assert paper["bid"] != literal["bid"]
    result = run("--model", "glft", "--inputs", given)
    assert (result.exit_code, result.stderr[:21]) == (2, "dmm: gamma is missing")
    result = run("--model", "dct", "--inputs", json.dumps(TELEMETRY | {"volatility": -1}))
    assert (result.exit_code, result.stderr[:23]) == (2, "dmm: volatility = -1.0:")


def test_the_table_has_the_asked_form_and_repeats_itself() -> None:
    arguments = ("--table", "as2008", "--gamma", "0.5", "--paths", "40", "--seed", "7")
    found = printed(*arguments)
    assert list(found) == ["gamma", "paths", "seed", "inventory", "symmetric"]
    assert (found["gamma"], found["paths"], found["seed"]) == (0.5, 40, 7)
    for name in ("inventory", "symmetric"):
        row = found[name]
        assert isinstance(row, dict)
        assert list(row) == ROW_KEYS
    assert printed(*arguments) == found
    assert printed(*arguments[:-1], "8")["inventory"] != found["inventory"]
