"""State folders that an unprivileged database can reach, and a run that nobody disturbed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.e2e.desk import SIMULATED, Finished, run_dmm


@contextmanager
def folder() -> Iterator[Path]:
    made = Path(mkdtemp(prefix="dmm-e2e-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def state() -> Iterator[Path]:
    """Return a state folder of the test's own, not made yet."""
    with folder() as made:
        yield made / "desk"


@dataclass(frozen=True)
class Session:
    """A finished run and its state folder."""

    done: Finished
    state: Path


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Return a run on the simulated market that nobody disturbed, called from another folder."""
    with folder() as made:
        state = made / "desk"
        cwd = tmp_path_factory.mktemp("elsewhere")
        done = run_dmm(*SIMULATED, "--state", str(state), cwd=cwd)
        assert done.code == 0, done.err
        yield Session(done, state)
