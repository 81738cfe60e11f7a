"""One datagram kills, and only the desk's own account can send it."""

from __future__ import annotations

import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dmm.adapters.kill_line import KillLine, pull
from dmm.units.errors import ServiceFault

WAIT_S = 5.0


@pytest.fixture
def folder() -> Iterator[Path]:
    # A socket's path may have 107 bytes, which a test's own folder often exceeds.
    with tempfile.TemporaryDirectory(prefix="dmm-kill-") as path:
        yield Path(path)


def test_pulling_a_line_nobody_holds_says_so(folder: Path) -> None:
    assert not pull(folder / "kill.sock", reason="drill")


def test_every_pull_wakes_the_worker_and_is_counted(folder: Path) -> None:
    woken = threading.Event()
    with KillLine(folder / "kill.sock", on_pull=woken.set) as line:
        assert line.pulls == 0
        for number in (1, 2):
            woken.clear()
            assert pull(folder / "kill.sock", reason="drill")
            assert woken.wait(WAIT_S)
            assert line.pulls == number
    assert not (folder / "kill.sock").exists()
    assert not pull(folder / "kill.sock", reason="drill")


def test_only_the_owner_may_pull(folder: Path) -> None:
    with KillLine(folder / "kill.sock", on_pull=lambda: None):
        assert stat.S_IMODE((folder / "kill.sock").stat().st_mode) == 0o600


def test_a_socket_left_by_a_killed_worker_is_taken_over(folder: Path) -> None:
    (folder / "kill.sock").touch()
    woken = threading.Event()
    with KillLine(folder / "kill.sock", on_pull=woken.set):
        assert pull(folder / "kill.sock", reason="drill")
        assert woken.wait(WAIT_S)


def test_a_line_that_cannot_be_opened_names_its_path(folder: Path) -> None:
    missing = folder / "no" / "kill.sock"
    with (
        pytest.raises(ServiceFault, match="DMM_KILL_SOCKET"),
        KillLine(missing, on_pull=lambda: None),
    ):
        pass


def test_a_reason_longer_than_a_datagram_still_kills(folder: Path) -> None:
    woken = threading.Event()
    with KillLine(folder / "kill.sock", on_pull=woken.set):
        assert pull(folder / "kill.sock", reason="x" * 5_000)
        assert woken.wait(WAIT_S)
