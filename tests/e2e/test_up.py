"""The desk that stays: started, killed and released from another terminal, stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from dmm.adapters.clock import SystemClock
from dmm.adapters.postgres.store import PostgresStore
from dmm.sandbox.wiring import Wiring
from tests.e2e.desk import ROOT, command, run_dmm, wait_until_gone

UP_S_MAX = 120
WAIT_S_MAX = 30


def counted(state: Path, query: str) -> int:
    with psycopg.connect(Wiring.load(state / "run").database_url) as connection:
        row = connection.execute(query).fetchone()  # type: ignore[call-overload]
    assert row is not None
    return int(row[0])


def wait_for_more(state: Path, query: str, than: int) -> int:
    deadline = time.monotonic() + WAIT_S_MAX
    while (found := counted(state, query)) <= than and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


DECISIONS = "SELECT count(*) FROM decision"
_IN_POSTURE = DECISIONS + " WHERE convert_from(body, 'UTF8')::jsonb ->> 'posture' "
HALTED = _IN_POSTURE + "= 'halted'"
QUOTING = _IN_POSTURE + "IN ('quoting', 'widened', 'one_sided')"


@pytest.mark.timeout(400)
def test_a_desk_that_stays_obeys_the_kill_switch_until_governance_releases_it(state: Path) -> None:
    arguments = ["up", "--prefect-port", "0", "--state", str(state)]
    desk = subprocess.Popen(command(arguments), stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert desk.stderr is not None
        for line in desk.stderr:
            if "the desk is up" in line:
                break
        assert wait_for_more(state, DECISIONS, 0) > 0

        killed = run_dmm("kill", "--reason", "drill", "--json", "--state", str(state))
        assert json.loads(killed.out)["killed"] is True
        time.sleep(2)
        silent = counted(state, DECISIONS)
        time.sleep(3)
        assert counted(state, DECISIONS) == silent

        for command_name in (["resume"], ["reset", "--reason", "drill"]):
            refused = run_dmm(*command_name, "--state", str(state))
            assert refused.code == 2
            assert "dmm gov release" in refused.err

        assert run_dmm("gov", "release", "--state", str(state)).code == 0
        assert run_dmm("resume", "--state", str(state)).code == 0
        assert wait_for_more(state, DECISIONS, silent) > silent

        with PostgresStore(Wiring.load(state / "run").database_url) as store:
            run = store.latest_run()
            assert run is not None
            store.halt(run_id=run.run_id, reason="drill", now_ns=SystemClock().now_ns())
        halted = counted(state, HALTED)
        assert wait_for_more(state, HALTED, halted) > halted
        reset = run_dmm("reset", "--reason", "drill over", "--json", "--state", str(state))
        assert json.loads(reset.out)["halted"] is False
        quoting = counted(state, QUOTING)
        assert wait_for_more(state, QUOTING, quoting) > quoting

        switched = run_dmm(
            "gov", "policy", "--preset", "defensive", "--json", "--state", str(state)
        )
        # Order 1 was the release.
        assert json.loads(switched.out)["sequence"] == 2, switched.err
        with PostgresStore(Wiring.load(state / "run").database_url) as store:
            head = store.policy_head()
        assert head is not None
        assert (head.sequence, head.policy.preset) == (2, "defensive/paper-cex")
        again = run_dmm("gov", "policy", "--preset", "defensive", "--state", str(state))
        assert (again.code, "is in force already, by order 2" in again.err) == (2, True)
    finally:
        desk.send_signal(signal.SIGINT)
        _, err = desk.communicate(timeout=UP_S_MAX)
    assert desk.returncode == 0, err
    assert "stopping: quotes first" in err
    assert wait_until_gone(state) == []


def test_a_kill_without_a_desk_says_what_to_do(state: Path) -> None:
    done = run_dmm("kill", "--reason", "drill", "--state", str(state))
    assert done.code == 1
    assert "dmm up" in done.err


def test_a_kill_needs_a_reason(state: Path) -> None:
    assert run_dmm("kill", "--reason", "  ", "--state", str(state)).code == 2


def test_a_kept_demo_prints_its_result_and_stays_until_it_is_interrupted(state: Path) -> None:
    arguments = ["demo", "--keep", "--epochs", "1", "--json", "--state", str(state)]
    kept = subprocess.Popen(
        command(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert kept.stdout is not None
    assert kept.stderr is not None
    result = json.loads(kept.stdout.readline())
    for line in kept.stderr:
        if "Prefect UI at" in line:
            break
    try:
        assert result["audit"]["difference"] == 0
        assert counted(state, DECISIONS) > 0
    finally:
        kept.send_signal(signal.SIGINT)
        kept.communicate(timeout=UP_S_MAX)
    assert kept.returncode == 0
    assert wait_until_gone(state) == []
