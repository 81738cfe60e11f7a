"""A service dies in the middle of a run: one line says so, nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.desk import DEMO_S_MAX, ROOT, command, run_dmm, wait_until_gone
from tests.e2e.test_demo import check


def database_pid(run: Path) -> int:
    return int((run / "postgres" / "data" / "postmaster.pid").read_text().split()[0])


def chain_pid(run: Path) -> int:
    return int((run / "evm" / "node.pid").read_text().split()[0])


@pytest.mark.parametrize(
    ("pid_of", "words"),
    [(database_pid, "database"), (chain_pid, "node")],
    ids=["database", "chain"],
)
def test_a_service_that_dies_mid_run_is_named_and_the_run_resumes(
    pid_of: object, words: str, state: Path
) -> None:
    arguments = ["demo", "--epochs", "2", "--json", "--state", str(state)]
    process = subprocess.Popen(
        command(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if "flow runs in" in line:
            os.kill(pid_of(state / "run"), signal.SIGKILL)  # type: ignore[operator]
            break
    out, rest = process.communicate(timeout=DEMO_S_MAX)
    err = "".join(lines) + rest
    assert process.returncode == 1, err
    assert out == ""
    assert "Traceback" not in err
    fault = err.strip().splitlines()[-1]
    assert fault.startswith("dmm: ")
    assert words in fault.lower()
    assert wait_until_gone(state) == []
    done = run_dmm(*arguments, "--resume")
    assert done.code == 0, done.err
    check(done.result, epochs=2)


def test_a_second_desk_on_the_same_state_folder_is_refused(state: Path) -> None:
    arguments = ["demo", "--epochs", "1", "--json", "--state", str(state)]
    process = subprocess.Popen(
        command(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "healthy" in line:
            break
    second = run_dmm("demo", "--state", str(state), timeout_s=60)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DEMO_S_MAX)
    assert second.code == 1
    assert f"in use by process {process.pid}" in second.err
    assert process.returncode == 130
    assert wait_until_gone(state) == []
