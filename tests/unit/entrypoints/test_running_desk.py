"""A command that needs a running desk says so when there is none, instead of naming a database."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dmm.entrypoints.cli import app
from dmm.entrypoints.control import running_desk
from dmm.sandbox.state import LOCK_FILE, StateFolder
from dmm.sandbox.wiring import WIRING_FILE, Wiring
from dmm.settings import settings
from dmm.units.errors import ServiceFault

COMMANDS = (
    ["settle", "status"],
    ["settle", "release", "ab" * 32],
    ["settle", "reverse", "ab" * 32],
    ["kill", "--reason", "drill"],
    ["resume"],
    ["reset", "--reason", "looked"],
    ["gov", "release"],
    ["gov", "policy", "--preset", "defensive"],
)


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DMM_DATABASE_URL", raising=False)
    monkeypatch.delenv("DMM_CONFIG", raising=False)
    settings.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """Return what a desk that ran and was stopped left behind."""
    folder = StateFolder(tmp_path / "state")
    with folder:
        folder.prepare()
        Wiring(
            database_url="postgresql://127.0.0.1:1/dmm",
            prefect_api_url="http://127.0.0.1:1/api",
            prefect_api_auth="",
            signer_socket="s",
            quote_signer_socket="q",
            kill_socket="k",
            buyback_maker_url="",
            state_dir=str(folder.run),
        ).save(folder.run)
    return folder


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_on_a_stopped_desk_every_command_that_needs_one_says_so(
    folder: StateFolder, command: list[str]
) -> None:
    done = CliRunner().invoke(app, [*command, "--state", str(folder.root)])
    assert done.exit_code == 1
    assert done.stderr == (
        f"dmm: no desk runs on {folder.root}: start it with `dmm up`, or name another --state\n"
    )


def test_where_no_desk_ever_ran_the_answer_is_the_same(tmp_path: Path) -> None:
    with pytest.raises(ServiceFault, match="no desk runs on"), running_desk(tmp_path):
        pass


def test_a_desk_that_starts_is_not_asked_by_what_the_one_before_left(folder: StateFolder) -> None:
    wiring = folder.run / WIRING_FILE
    with folder:
        taken_ns = (folder.root / LOCK_FILE).stat().st_mtime_ns
        os.utime(wiring, ns=(taken_ns - 1, taken_ns - 1))
        with pytest.raises(ServiceFault, match="is not up yet"), running_desk(folder.root):
            pass
        os.utime(wiring, ns=(taken_ns + 1, taken_ns + 1))
        with running_desk(folder.root) as desk:
            assert desk.settings.database_url.get_secret_value().endswith(":1/dmm")
        wiring.unlink()
        with pytest.raises(ServiceFault, match="is not up yet"), running_desk(folder.root):
            pass
