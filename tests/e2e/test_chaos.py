"""The whole desk under faults from a seed: nothing promised is lost, nothing is paid twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from dmm.sandbox.chaos.plan import LIES, FaultKind
from tests.e2e.desk import ROOT, Finished, command, run_dmm, wait_until_gone

SEED = int(os.environ.get("DMM_CHAOS_SEED", "4"))
FRESH = int(os.environ.get("DMM_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
"""What the gate plays is always the same; the campaign draws what nobody has seen."""

LAP_S_MAX = 580
LONG_MINUTES = 30
LONG_S_MAX = LONG_MINUTES * 60 + 2 * LAP_S_MAX


def check(done: Finished) -> dict[str, Any]:
    """Require a sound end, and return what was printed."""
    assert done.code == 0, done.out + done.err
    result: dict[str, Any] = json.loads(done.out)
    assert result["sound"]
    assert (result["audit"]["difference"], result["audit"]["alarms"]) == (0, [])
    settlements = result["settlements"]
    assert (settlements["lost"], settlements["twice"], settlements["unseen"]) == ([], [], [])
    assert settlements["planned"] == settlements["final"] > 0
    assert {"reward", "quote"} <= set(settlements["by_kind"])
    return result


@pytest.mark.timeout(600)
def test_a_lap_of_kills_forks_lies_and_a_restore_settles_everything_once(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On the home chain alone, which is the quickest lap; the long campaign has all three.
    monkeypatch.setenv("DMM_CHAINS", '["evm"]')
    print(f"DMM_CHAOS_SEED={SEED}")  # noqa: T201 - replays the failure
    arguments = ("chaos", "--seed", str(SEED), "--json", "--state", str(state))
    result = check(run_dmm(*arguments, timeout_s=LAP_S_MAX))
    assert (result["seed"], result["minutes"], result["laps"]) == (SEED, 1, 1)
    faults = result["faults"]
    assert all(fault["recovered_s"] >= fault["at_s"] for fault in faults)
    killed = {f["target"].partition("@")[0] for f in faults if f["kind"] == FaultKind.KILL}
    assert {"settler", "settlement-signer", "quote-signer", "flow-runner", "postgres"} <= killed
    assert {*LIES, FaultKind.REORG, FaultKind.RESTORE} <= {f["kind"] for f in faults}
    assert wait_until_gone(state) == []


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_a_lap_that_is_interrupted_under_a_fault_is_audited_all_the_same(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DMM_CHAINS", '["evm"]')
    arguments = ("chaos", "--seed", str(SEED), "--json", "--state", str(state))
    said = tmp_path / "said"
    with said.open("wb") as stderr, (tmp_path / "out").open("wb") as stdout:
        process = subprocess.Popen(command(arguments), stdout=stdout, stderr=stderr, cwd=ROOT)
    until_s = time.monotonic() + LAP_S_MAX
    while b"FAULT" not in said.read_bytes():
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < until_s
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(LAP_S_MAX) == 130, said.read_text()
    left = json.loads((tmp_path / "out").read_bytes())
    assert left["faults"]
    assert (left["interrupted"]["audited"], left["interrupted"]["difference"]) == (True, 0)
    assert wait_until_gone(state) == []


@pytest.mark.deep
@pytest.mark.timeout(LONG_S_MAX)
def test_half_an_hour_of_laps_settles_everything_once(state: Path) -> None:
    print(f"DMM_CHAOS_SEED={FRESH}")  # noqa: T201 - replays the failure
    minutes = str(LONG_MINUTES)
    arguments = ("chaos", "--minutes", minutes, "--seed", str(FRESH), "--json")
    result = check(run_dmm(*arguments, "--state", str(state), timeout_s=LONG_S_MAX))
    assert result["laps"] > 1
    assert wait_until_gone(state) == []
