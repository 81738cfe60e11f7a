"""`dmm risk` and `dmm risk greeks`: what they print, and how they refuse."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk_memory import BOTH_SIDES, INSTRUMENT, RUN, Desk, a_slice
from journal_memory import MemoryJournal
from typer.testing import CliRunner, Result

from dmm.entrypoints import risk
from dmm.entrypoints.cli import app
from dmm.ports import Run
from dmm.risk.greeks import Option, OptionKind, greeks
from dmm.units.time import Nanos
from dmm.usecases.epoch_inputs import epoch_inputs

CALL = (
    '"kind":"call","spot":102.5,"strike":97,"expiry_years":0.4,"volatility":0.33,"rate":0.021,'
    '"dividend":0.013'
)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["risk", *arguments])


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> MemoryJournal:
    desk = Desk()
    desk.store._runs.clear()
    desk.store.open_run(
        Run(
            run_id=RUN,
            kind="demo",
            symbol=INSTRUMENT.symbol,
            epochs=1,
            spec={"instrument": INSTRUMENT.to_json(), "lp_shares": {}},
            started_at_ns=Nanos(1),
        )
    )
    epoch_inputs(desk.store, RUN, 0)
    desk.close_slice(a_slice(), BOTH_SIDES)

    @contextlib.contextmanager
    def opened(_state: Path | None) -> Iterator[MemoryJournal]:
        yield desk.store

    monkeypatch.setattr(risk, "journal_of", opened)
    return desk.store


def test_the_report_is_one_json_object_of_whole_atoms(journal: MemoryJournal) -> None:
    result = run("--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["run_id"] == RUN
    assert found["tail"] == {"scenarios": 0, "scenarios_min": 100, "is_enough": False}
    assert {one["scenario"] for one in found["stress"]} >= {"calm", "crash", "squeeze"}
    assert [one["name"] for one in found["limits"]][:2] == [
        "inventory_soft_lots",
        "inventory_hard_lots",
    ]
    assert found["cash"] == {"worth_atoms": 0, "is_off_peg": False}


def test_the_report_for_people_says_what_is_missing(journal: MemoryJournal) -> None:
    result = run("--cash-price-ppm", "900000")
    assert result.exit_code == 0, result.stderr
    assert "0 scenarios, 100 are needed: no VaR, no CVaR" in result.stdout
    assert "off its peg" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--run", "no-such-run"), "no run begins with 'no-such-run'"),
        (("--run", "r1"), "give at least 6 characters"),
        (("--level", "10000"), "--level = '10000': input should be less than or equal to 9999"),
        (("--horizon-s", "0"), "--horizon-s = '0': input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_call_is_refused(
    journal: MemoryJournal, arguments: tuple[str, ...], words: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())


def test_greeks_of_one_option_are_those_of_the_formula() -> None:
    result = run("greeks", "--inputs", "{" + CALL + "}", "--json")
    assert result.exit_code == 0, result.stderr
    option = Option(
        kind=OptionKind.CALL,
        spot=102.5,
        strike=97,
        expiry_years=0.4,
        volatility=0.33,
        rate=0.021,
        dividend=0.013,
    )
    assert json.loads(result.stdout)["vega"] == greeks(option).vega


def test_a_book_adds_its_options_by_quantity_and_the_asset_itself() -> None:
    single = json.loads(run("greeks", "--inputs", "{" + CALL + "}", "--json").stdout)
    book = '{"options":[{' + CALL + ',"quantity":-3},{' + CALL + '}],"spot_units":1.5}'
    found = json.loads(run("greeks", "--inputs", book, "--json").stdout)
    assert found["gamma"] == pytest.approx(-2 * single["gamma"])
    assert found["delta"] == pytest.approx(1.5 - 2 * single["delta"])


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (None, "--inputs is missing"),
        ("{", "--inputs is not JSON"),
        ("{}", "kind of option is missing: give kind, spot"),
        ("{" + CALL + ',"strik":1}', "option takes no 'strik'"),
        ("{" + CALL.replace('"call"', '"straddle"') + "}", "kind of option takes call or put"),
        ("{" + CALL.replace("102.5", '"102.5"') + "}", "spot of option must be a number"),
        ("{" + CALL.replace("102.5", "true") + "}", "spot of option must be a number"),
        ("{" + CALL.replace("102.5", "1e999") + "}", "spot of option must be finite"),
        ("{" + CALL.replace("102.5", "NaN") + "}", "spot of option must be finite, got nan"),
        ("{" + CALL.replace("0.33", "0") + "}", "volatility of an option must be above 0"),
        ('{"options":{}}', "options must be a list"),
        ('{"options":[1]}', "options[0] must be an object"),
        ('{"options":[{"kind":"call"}]}', "spot of options[0] is missing"),
        ('{"options":[],"spot":1}', "book takes no 'spot'"),
    ],
)
def test_inputs_that_cannot_be_are_refused_by_name(inputs: str | None, words: str) -> None:
    result = run("greeks", *(() if inputs is None else ("--inputs", inputs)))
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ('"spot":1e-300', "spot of an option must be above 1e-15"),
        ('"spot":1e300', "spot of an option must be above 1e-15 and at most 1e+15, quote per base"),
        ('"volatility":20', "volatility of an option must be above 0 and at most 8, a fraction"),
        ('"rate":5', "rate of an option must be above -2 and at most 2, a fraction a year"),
        ('"expiry_years":1e-320,"volatility":1e-300', "no finite Greeks"),
        ('"quantity":1e308', "quantity of an option must be a number up to 1e+30"),
    ],
)
def test_an_option_far_from_any_market_is_refused_in_one_line(changes: str, words: str) -> None:
    given = json.loads("{" + CALL + "}") | json.loads("{" + changes + "}")
    result = run("greeks", "--inputs", json.dumps(given), "--json")
    assert result.exit_code == 2, result.stdout
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
