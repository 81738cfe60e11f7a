"""The real process is killed from outside at random moments; the journal makes up for it."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.e2e.conftest import Session
from tests.e2e.desk import DEMO_S_MAX, SIMULATED, Finished, run_and_kill, run_dmm
from tests.e2e.test_demo import check

SEED = int(os.environ.get("DMM_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
KILL_AFTER_S_MIN = 1.0
KILL_ATTEMPTS_MAX = 5
"""Runs tried until as many as wanted were really killed: one may end before its moment."""


def final_by_kind(done: Finished) -> object:
    chains: dict[str, dict[str, object]] = done.result["chains"]  # type: ignore[assignment]
    return {chain: counts["by_kind"] for chain, counts in chains.items()}


def kill_and_resume(seed: int, state: Path, simulated: Session, *, kills_max: int) -> None:
    undisturbed = simulated.done.result
    rng = random.Random(seed)  # noqa: S311
    print(f"DMM_KILL_SEED={seed}")  # noqa: T201 - replays the failure
    arguments = [*SIMULATED, "--state", str(state)]
    wanted, killed = rng.randint(1, kills_max), 0
    for _ in range(KILL_ATTEMPTS_MAX):
        after_s = rng.uniform(KILL_AFTER_S_MIN, float(str(undisturbed["seconds"])))
        finished = run_and_kill(*arguments, after_s=after_s)
        print(f"killed after {after_s:.2f} s: {finished is None}")  # noqa: T201
        if finished is None:
            killed += 1
        else:
            assert finished.code == 0, finished.err
        if "--resume" not in arguments and (state / "run" / "request.json").exists():
            arguments.append("--resume")
        if killed == wanted:
            break
    assert killed > 0, "every run ended before its moment: nothing was tested"
    done = run_dmm(*arguments, timeout_s=DEMO_S_MAX)
    assert done.code == 0, done.err
    check(done.result, epochs=2)
    for name in ("quotes", "fills", "pnl_quote"):
        assert done.result[name] == undisturbed[name], name
    assert final_by_kind(done) == final_by_kind(simulated.done)


@pytest.mark.parametrize("ordinal", range(3))
def test_a_killed_run_resumes_without_paying_or_filling_twice(
    ordinal: int, state: Path, simulated: Session
) -> None:
    kill_and_resume(SEED + ordinal, state, simulated, kills_max=1)


@pytest.mark.deep
@pytest.mark.timeout(1_000)
@pytest.mark.parametrize("ordinal", range(25))
def test_twenty_five_kills_leave_every_figure_as_it_was(
    ordinal: int, state: Path, simulated: Session
) -> None:
    kill_and_resume(SEED + 1_000 + ordinal, state, simulated, kills_max=3)
