"""The main job, run as a user runs it."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from dmm.sandbox.chains import LOCAL_CHAINS, runnable
from tests.e2e.conftest import Session
from tests.e2e.desk import (
    BTC_TAPE,
    EPOCH_FLOWS,
    ETHBTC_TAPE,
    ROOT,
    SHARED_DATA,
    Finished,
    run_dmm,
    wait_until_gone,
)

real_data = pytest.mark.skipif(
    not SHARED_DATA.is_dir() and not os.environ.get("CI"),
    reason=f"no recordings at {SHARED_DATA}",
)


def check(result: dict[str, Any], *, epochs: int) -> None:
    assert result["audit"]["difference"] == 0
    assert result["fills"] > 0
    assert result["quotes"] > 0
    assert [epoch["epoch"] for epoch in result["epochs"]] == list(range(epochs))
    for epoch in result["epochs"]:
        runs = epoch["flow_runs"]
        assert set(runs) >= EPOCH_FLOWS
        assert set(runs.values()) == {"Completed"}
        for flow in EPOCH_FLOWS:
            assert epoch["rows"].get(flow) or epoch["notes"].get(flow), (flow, epoch)
    assert any("governance_apply" in epoch["flow_runs"] for epoch in result["epochs"])
    intents = result["intents"]
    assert intents["planned"] == intents["final"] > 0
    assert intents["failed"] == 0
    check_chains(result, epochs=epochs)


def check_chains(result: dict[str, Any], *, epochs: int) -> None:
    """Every chain that can run here took its part, and its books are its chain's."""
    chains = result["chains"]
    names = list(runnable(LOCAL_CHAINS, ROOT)[0])
    assert list(chains) == names
    total = sum(chain["settlements"] for chain in chains.values())
    for name, chain in chains.items():
        assert (chain["audited"], chain["difference"]) == (epochs, 0), name
        assert chain["checked_at_block"] == result["audit"]["checked_at_block"][name] > 0, name
        assert chain["settlements"] == chain["final"] >= total / 10, name
        assert 0 < len(chain["transactions"]) <= chain["final"], name
        assert len(set(chain["transactions"])) == len(chain["transactions"]), name
        assert chain["rewards"] >= 1, name
        assert chain["quotes"] >= 1, name
    check_nets(chains["evm"])
    bought = [e["epoch"] for e in result["epochs"] if e["rows"].get("buyback_settlement")]
    assert {name: chain["buybacks"] for name, chain in chains.items()} == {
        name: sum(epoch % len(names) == place for epoch in bought)
        for place, name in enumerate(names)
    }


def check_nets(home: dict[str, Any]) -> None:
    """Quotes of one taker went together: by statements of both parties, and by nets."""
    together = home["nets"] + home["statements"]
    assert home["netted"] >= 2 * together
    assert len(home["transactions"]) <= home["final"] - home["netted"] + together


@real_data
@pytest.mark.realdata
@pytest.mark.parametrize("tape", [BTC_TAPE, ETHBTC_TAPE], ids=["btc_perp", "ethbtc_hour"])
def test_a_real_recording_is_played_settled_and_audited(tape: Path, state: Path) -> None:
    done = run_dmm("demo", "--tape", str(tape), "--json", "--state", str(state))
    assert done.code == 0, done.err
    check(done.result, epochs=3)
    assert done.result["simulated"] is False
    report = Path(str(done.result["report"]))
    assert "DEMO" in report.read_text(encoding="utf-8")
    assert wait_until_gone(state) == []


def test_without_a_tape_a_simulated_market_plays_and_says_so(simulated: Session) -> None:
    check(simulated.done.result, epochs=2)
    home = simulated.done.result["chains"]["evm"]
    # The first epoch's taker signs statements, the second one's does not.
    assert (home["statements"], home["nets"]) == (1, 1)
    assert simulated.done.result["simulated"] is True
    assert "DEMO" in simulated.done.err


def test_resuming_a_finished_run_changes_nothing(simulated: Session) -> None:
    again = run_dmm("demo", "--resume", "--json", "--state", str(simulated.state))
    assert again.code == 0, again.err
    for name in ("quotes", "fills", "intents", "pnl_quote"):
        assert again.result[name] == simulated.done.result[name], name
    assert settled(again) == settled(simulated.done)


def settled(done: Finished) -> dict[str, dict[str, Any]]:
    """Return what came of each chain, without how far it has grown meanwhile."""
    chains: dict[str, dict[str, Any]] = done.result["chains"]  # type: ignore[assignment]
    return {
        name: {key: value for key, value in chain.items() if key != "checked_at_block"}
        for name, chain in chains.items()
    }


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--tape", "no-such.gz"], 2, "no-such.gz"),
        (["--epochs", "0"], 2, "epochs"),
        (["--resume"], 2, "resume"),
        (["--no-such-option"], 2, "no-such-option"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_starts(
    arguments: list[str], code: int, words: str, state: Path
) -> None:
    done = run_dmm("demo", *arguments, "--state", str(state), timeout_s=30)
    assert done.code == code, done.err
    assert words in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not gzip at all", "gzip"),
        (gzip.compress(b'1723161255030314667 {"hello": 1}\n'), "depth update"),
    ],
    ids=["no_gzip", "no_depth"],
)
def test_an_unusable_recording_is_a_fault_that_names_the_file(
    content: bytes, words: str, state: Path, tmp_path: Path
) -> None:
    tape = tmp_path / "bad.gz"
    tape.write_bytes(content)
    done = run_dmm("demo", "--tape", str(tape), "--state", str(state), timeout_s=60)
    assert done.code == 1, done.err
    assert tape.name in done.err
    assert words in done.err
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err


@real_data
@pytest.mark.realdata
def test_a_gapped_recording_is_refused_unless_gaps_are_allowed_and_then_counted(
    state: Path, tmp_path: Path
) -> None:
    tape = tmp_path / "gapped.gz"
    with gzip.open(BTC_TAPE, "rt", encoding="utf-8") as lines:
        kept = [line for number, line in enumerate(lines, 1) if not 9_000 <= number < 9_200]
    tape.write_bytes(gzip.compress("".join(kept[:12_000]).encode(), compresslevel=1))
    refused = run_dmm("demo", "--tape", str(tape), "--state", str(state))
    assert refused.code == 1
    assert "line 90" in refused.err
    assert "--allow-gaps" in refused.err
    played = run_dmm(
        "demo",
        "--tape",
        str(tape),
        "--allow-gaps",
        "--epochs",
        "1",
        "--json",
        "--state",
        str(state),
    )
    assert played.code == 0, played.err
    assert played.result["findings"]["gaps"] == 1  # type: ignore[index]
    assert "the tape has 1 gaps" in played.result["warnings"][0]  # type: ignore[index]
