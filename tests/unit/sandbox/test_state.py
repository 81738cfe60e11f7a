from __future__ import annotations

import os
from pathlib import Path

import pytest

from dmm.sandbox.state import StateFolder
from dmm.units.errors import ServiceFault, UsageFault


def test_a_second_owner_is_refused_and_told_who_holds_the_folder(tmp_path: Path) -> None:
    with (
        StateFolder(tmp_path / "demo"),
        pytest.raises(ServiceFault, match=f"process {os.getpid()}"),
        StateFolder(tmp_path / "demo"),
    ):
        pass


def test_the_folder_is_free_again_after_its_owner_left(tmp_path: Path) -> None:
    for _ in range(2):
        with StateFolder(tmp_path / "demo"):
            pass


def test_a_fresh_start_keeps_the_run_before_it(tmp_path: Path) -> None:
    with StateFolder(tmp_path / "demo") as state:
        for name in ("first", "second", "third"):
            state.start_afresh()
            (state.run / name).touch()
        assert [path.name for path in state.run.iterdir()] == ["third"]
        assert [path.name for path in (state.root / "previous").iterdir()] == ["second"]


def test_a_folder_that_cannot_be_made_is_a_usage_fault_with_a_cure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageFault, match="--state"), StateFolder(tmp_path / "file" / "demo"):
        pass
