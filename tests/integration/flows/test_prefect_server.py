"""The embedded server: behind a password, with its UI, gone with its parent; and its adapter."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prefect import flow

from dmm.adapters.scheduler.prefect import PrefectScheduler
from dmm.sandbox.prefect import PrefectServer
from dmm.sandbox.process import free_port
from dmm.units.errors import Permanent, Retryable, ServiceFault
from dmm.units.time import Nanos

Until = Callable[[Callable[[], bool], str], None]

PARENT = """
import sys, time
from pathlib import Path
from dmm.sandbox.prefect import PrefectServer
server = PrefectServer(Path(sys.argv[1]), ui_dir=Path(sys.argv[2]))
server.start()
print(server.pid, server.url, flush=True)
time.sleep(600)
"""


def is_gone(pid: int) -> bool:
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return True
    return line.rsplit(")", 1)[1].split()[0] == "Z"


def test_a_port_in_use_is_named(server: PrefectServer, tmp_path: Path) -> None:
    with pytest.raises(ServiceFault, match=f"port {server.port} for prefect is in use"):
        PrefectServer(tmp_path, server.port).start()


def test_the_server_outlives_neither_kill_9_of_its_parent_nor_leaves_a_lock(
    tmp_path: Path, ui_dir: Path, until: Until
) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), str(ui_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    pid, url = parent.stdout.readline().decode().split()
    assert httpx.get(f"{url}/api/health").status_code == 200
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until(lambda: is_gone(int(pid)), "the end of the server")
    with PrefectServer(tmp_path, int(url.rsplit(":", 1)[1]), ui_dir=ui_dir) as again:
        pid_again = again.pid
        assert again.is_healthy()
    assert pid_again is not None
    assert is_gone(pid_again)


def test_the_ui_answers_at_the_root_and_the_api_asks_for_the_password(
    server: PrefectServer,
) -> None:
    page = httpx.get(server.url, follow_redirects=True)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "<title>" in page.text
    assert httpx.post(f"{server.api_url}/flow_runs/count", json={}).status_code == 401


def test_the_servers_files_stay_in_its_folder_and_the_password_is_its_owners(
    server: PrefectServer,
) -> None:
    kept = server.state_dir / "auth"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert PrefectServer(server.state_dir).auth == server.auth
    assert server.pid is not None
    told = Path(f"/proc/{server.pid}/environ").read_bytes().decode().split("\0")
    values = dict(line.split("=", 1) for line in told if line)
    assert values["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert values["DO_NOT_TRACK"] == "1"
    for name in ("PREFECT_HOME", "TMPDIR", "HOME"):
        assert Path(values[name]).is_relative_to(server.state_dir)


def test_the_servers_command_line_shows_no_password(server: PrefectServer) -> None:
    line = Path(f"/proc/{server.pid}/cmdline").read_bytes().decode()
    assert server.auth.split(":")[1] not in line


def test_a_scheduler_that_is_down_is_retryable_and_says_what_to_check() -> None:
    with PrefectScheduler(f"http://127.0.0.1:{free_port()}/api", "a:b") as absent:
        assert not absent.is_healthy()
        with pytest.raises(Retryable, match=r"cannot be reached .* DMM_PREFECT_API_URL"):
            absent.emit("dmm.test", resource="dmm.test", payload={})


def test_a_wrong_password_is_no_reason_to_try_again(server: PrefectServer) -> None:
    with PrefectScheduler(server.api_url, "dmm:wrong") as stranger:
        assert not stranger.is_healthy()
        with pytest.raises(ServiceFault, match="DMM_PREFECT_API_AUTH"):
            stranger.emit("dmm.test", resource="dmm.test", payload={})


def test_a_run_that_is_not_there_is_a_fault_that_names_it(scheduler: PrefectScheduler) -> None:
    assert scheduler.is_healthy()
    with pytest.raises(Permanent, match="nothing at /flow_runs/00000000"):
        scheduler.flow_run("00000000-0000-0000-0000-000000000000")


@pytest.mark.usefixtures("in_process")
def test_finished_runs_are_found_and_deleted_only_when_old_enough(
    scheduler: PrefectScheduler,
) -> None:
    @flow(name="old_one")
    async def old_one() -> None:
        return None

    begun_ns = Nanos(time.time_ns() - 10**9)
    asyncio.run(old_one())
    (run,) = scheduler.flow_runs("old_one", since_ns=begun_ns)
    assert run.is_final
    assert scheduler.flow_runs("old_one", since_ns=Nanos(begun_ns + 3_600 * 10**9)) == []
    assert scheduler.wait_flow_run(run.flow_run_id, timeout_s=1) == run

    scheduler.prune_runs(now_ns=Nanos(time.time_ns()), keep_days=1)
    assert len(scheduler.flow_runs("old_one")) == 1
    two_days_ns = 2 * 86_400 * 10**9
    assert scheduler.prune_runs(now_ns=Nanos(time.time_ns() + two_days_ns), keep_days=1) >= 1
    assert scheduler.flow_runs("old_one") == []


def test_no_run_is_young_enough_to_be_kept_for_less_than_a_day(
    scheduler: PrefectScheduler,
) -> None:
    with pytest.raises(ValueError, match="keep_days must be at least 1"):
        scheduler.prune_runs(now_ns=Nanos(0), keep_days=0)


def test_the_callers_prefect_settings_do_not_reach_the_server(
    server: PrefectServer,
) -> None:
    told = Path(f"/proc/{server.pid}/environ").read_bytes().decode()
    assert "VIRTUAL_ENV=" not in told
    assert "PYTEST_" in "".join(os.environ)
    assert "PYTEST_" not in told
