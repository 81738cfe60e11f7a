"""`./dmm` says where compiled loops are kept, and starts nothing that it need not install."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dmm.sandbox.wiring import plain_environment
from dmm.settings import PROJECT_ROOT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a checkout whose environment is in place and whose command tells its own."""
    root = tmp_path / "checkout"
    command = root / ".venv" / "bin" / "dmm"
    command.parent.mkdir(parents=True)
    command.write_text('#!/bin/sh\nprintf %s "${NUMBA_CACHE_DIR-unset}"\n', encoding="ascii")
    command.chmod(0o755)
    (root / "dmm").write_bytes((PROJECT_ROOT / "dmm").read_bytes())
    (root / "dmm").chmod(0o755)
    locked = b"a==1\n", b"[project]\n"
    for name, content in zip(("requirements.lock", "pyproject.toml"), locked, strict=True):
        (root / name).write_bytes(content)
    done = subprocess.run(
        ["cksum"],  # noqa: S607 - a tool of every machine that `dmm` calls by this name too
        input=b"".join(locked),
        capture_output=True,
        check=True,
    )
    (root / ".venv" / "synced").write_bytes(done.stdout.rstrip(b"\n"))
    return root


def kept_in(root: Path, home: Path, **more: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), **more}
    done = subprocess.run(
        [str(root / "dmm"), "runs"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stderr == ""
    return done.stdout


def test_compiled_loops_are_kept_beside_the_environment(root: Path, tmp_path: Path) -> None:
    folder = root / ".dmm" / "numba"
    assert kept_in(root, tmp_path) == str(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert kept_in(root, tmp_path) == str(folder)


def test_a_folder_that_the_caller_names_stands(root: Path, tmp_path: Path) -> None:
    assert kept_in(root, tmp_path, NUMBA_CACHE_DIR="/elsewhere") == "/elsewhere"
    assert not (root / ".dmm").exists()


@pytest.mark.parametrize("why", ["nothing can be made there", "it is another user's"])
def test_who_may_not_write_there_has_a_folder_of_its_own(
    root: Path, tmp_path: Path, why: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    if why == "it is another user's":
        if os.getuid() != 0:
            pytest.skip("only root can give a folder away")
        (root / ".dmm" / "numba").mkdir(parents=True)
        os.chown(root / ".dmm" / "numba", 65_534, 65_534)
    else:
        (root / ".dmm").touch()
    assert kept_in(root, home) == str(home / ".cache" / "dmm" / "numba")
    own = tmp_path / "own"
    assert kept_in(root, home, XDG_CACHE_HOME=str(own)) == str(own / "dmm" / "numba")


def test_without_any_place_the_choice_is_left_to_numba(root: Path, tmp_path: Path) -> None:
    (root / ".dmm").touch()
    home = tmp_path / "home"
    home.touch()
    assert kept_in(root, home) == "unset"


def test_children_of_the_desk_keep_their_loops_in_the_same_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/kept/here")
    monkeypatch.setenv("DMM_LOG_LEVEL", "DEBUG")
    given = plain_environment(tmp_path)
    assert given["NUMBA_CACHE_DIR"] == "/kept/here"
    assert "DMM_LOG_LEVEL" not in given
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    assert "NUMBA_CACHE_DIR" not in plain_environment(tmp_path)
