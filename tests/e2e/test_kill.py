"""The real process is killed from outside at random moments; the journal makes up for it."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.e2e.desk import DEMO_S_MAX, run_and_kill, run_dmm
from tests.e2e.test_demo import check

SEED = int(os.environ.get("DMM_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
KILL_AFTER_S = (2.0, 30.0)
KILLS_A_RUN_MAX = 2
ARGUMENTS = ("demo", "--epochs", "2", "--json")


@pytest.fixture
def state() -> Iterator[Path]:
    """Return a state folder that an unprivileged database can reach."""
    folder = Path(mkdtemp(prefix="dmm-kill-"))
    folder.chmod(0o755)
    yield folder / "demo"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def undisturbed() -> Iterator[dict[str, object]]:
    """Return the result of the same run when nobody kills it."""
    folder = Path(mkdtemp(prefix="dmm-kill-"))
    folder.chmod(0o755)
    done = run_dmm(*ARGUMENTS, "--state", str(folder / "demo"))
    assert done.code == 0, done.err
    yield done.result
    shutil.rmtree(folder, ignore_errors=True)


def kill_and_resume(seed: int, state: Path, undisturbed: dict[str, object]) -> None:
    rng = random.Random(seed)  # noqa: S311
    print(f"DMM_KILL_SEED={seed}")  # noqa: T201 - replays the failure
    arguments = [*ARGUMENTS, "--state", str(state)]
    finished = None
    for _ in range(rng.randint(1, KILLS_A_RUN_MAX)):
        after_s = rng.uniform(*KILL_AFTER_S)
        finished = run_and_kill(*arguments, after_s=after_s)
        print(f"killed after {after_s:.2f} s: {finished is None}")  # noqa: T201
        if finished is not None:
            assert finished.code == 0, finished.err
            break
        if "--resume" not in arguments and (state / "run" / "request.json").exists():
            arguments.append("--resume")
    done = run_dmm(*arguments, timeout_s=DEMO_S_MAX)
    assert done.code == 0, done.err
    check(done.result, epochs=2)
    for name in ("quotes", "fills", "pnl_quote"):
        assert done.result[name] == undisturbed[name], name
    assert done.result["intents"]["final"] == undisturbed["intents"]["final"]  # type: ignore[index]


@pytest.mark.parametrize("ordinal", range(3))
def test_a_killed_run_resumes_without_paying_or_filling_twice(
    ordinal: int, state: Path, undisturbed: dict[str, object]
) -> None:
    kill_and_resume(SEED + ordinal, state, undisturbed)


@pytest.mark.deep
@pytest.mark.timeout(1_000)
@pytest.mark.parametrize("ordinal", range(25))
def test_twenty_five_kills_leave_every_figure_as_it_was(
    ordinal: int, state: Path, undisturbed: dict[str, object]
) -> None:
    kill_and_resume(SEED + 1_000 + ordinal, state, undisturbed)
