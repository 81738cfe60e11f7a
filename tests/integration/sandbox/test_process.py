from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dmm.sandbox.process import Child, free_port, require_free_port
from dmm.units.errors import ServiceFault

SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('up', flush=True); time.sleep(60)"
)


def child(tmp_path: Path, program: str, *, stop_s_max: float = 5.0) -> Child:
    return Child(
        name="sleeper",
        argv=[sys.executable, "-c", program],
        log_path=tmp_path / "sleeper.log",
        env=dict(os.environ),
        cwd=tmp_path,
        stop_s_max=stop_s_max,
    )


def is_gone(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return True
    return stat.rsplit(")", 1)[1].split()[0] == "Z"


def wait_gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if is_gone(pid):
            return True
        time.sleep(0.02)
    return False


def logged(one: Child) -> bool:
    return one.log_path.exists() and "up" in one.log_path.read_text(encoding="utf-8")


def test_a_child_that_ends_before_it_is_ready_is_reported_with_its_last_words(
    tmp_path: Path,
) -> None:
    one = child(tmp_path, "import sys; sys.exit('no such database')")
    one.spawn()
    with pytest.raises(ServiceFault, match="no such database"):
        one.wait_until(lambda: False, timeout_s=10)


def test_a_program_that_does_not_exist_is_a_service_fault(tmp_path: Path) -> None:
    one = child(tmp_path, "")
    one.argv = [str(tmp_path / "missing")]
    with pytest.raises(ServiceFault, match="cannot be started"):
        one.spawn()


@pytest.mark.parametrize("program", [SLEEPER, STUBBORN])
def test_stopping_ends_the_child_even_when_it_ignores_the_request(
    tmp_path: Path, program: str
) -> None:
    one = child(tmp_path, program, stop_s_max=0.3)
    one.spawn()
    one.wait_until(lambda: logged(one), timeout_s=10)
    one.stop()
    assert not one.is_alive
    assert is_gone(one.pid)


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            (
                "import os, sys, time\n"
                "from pathlib import Path\n"
                "from dmm.sandbox.process import Child\n"
                "here = Path(sys.argv[1])\n"
                f"one = Child(name='c', argv=[sys.executable, '-c', {SLEEPER!r}],\n"
                "            log_path=here / 'c.log', env=dict(os.environ), cwd=here)\n"
                "one.spawn()\n"
                "print(one.pid, flush=True)\n"
                "time.sleep(60)\n"
            ),
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert not is_gone(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert wait_gone(pid)


def test_a_child_left_by_a_killed_owner_is_ended_before_the_next_one_starts(
    tmp_path: Path,
) -> None:
    left = child(tmp_path, STUBBORN, stop_s_max=0.3)
    left.spawn()
    left.wait_until(lambda: logged(left), timeout_s=10)
    reaped = left.process
    assert reaped is not None
    after = child(tmp_path, SLEEPER, stop_s_max=0.3)
    after.spawn()
    assert is_gone(left.pid)
    after.stop()
    reaped.wait()


def test_a_pid_that_now_belongs_to_another_process_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sleeper.pid").write_text(f"{os.getpid()} 1", encoding="ascii")
    one = child(tmp_path, SLEEPER)
    one.spawn()
    one.stop()


def test_a_port_in_use_is_named() -> None:
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(ServiceFault, match=f"port {port} for evm is in use"):
            require_free_port(port, name="evm")
