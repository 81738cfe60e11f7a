"""Machine-made changes of the shipped driver; almost every one must make a test fail."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from simulation.mutate import Change, changes

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    "usecases/driver",
    "usecases/lanes",
    "settlement/carrier",
    "settlement/lifecycle",
    "settlement/quorum",
)
TESTS = (
    "tests/unit/usecases/test_driver.py",
    "tests/unit/usecases/test_driver_lanes.py",
    "tests/unit/usecases/test_driver_carriers.py",
    "tests/unit/rfq/test_netting_plan.py",
    "tests/unit/settlement/test_quorum.py",
    "tests/simulation/test_small_model.py",
    "tests/simulation/test_invariants.py",
    "tests/simulation/test_outside_invariants.py",
    "tests/simulation/test_mutants.py",
)
KILLED_PERCENT_MIN = 95
RUN_S_MAX = 240
PRELOAD = """
import importlib.util, sys
name, path = sys.argv[1:3]
import importlib
package = importlib.import_module(name.rsplit('.', 1)[0])
spec = importlib.util.spec_from_file_location(name, path)
module = importlib.util.module_from_spec(spec)
sys.modules[name] = module
spec.loader.exec_module(module)
setattr(package, name.rsplit('.', 1)[1], module)
import pytest
sys.exit(pytest.main(['-x', '-q', '-p', 'no:cacheprovider', *sys.argv[3:]]))
"""


def all_changes() -> list[tuple[str, Change]]:
    return [
        (module, change)
        for module in MODULES
        for change in changes((ROOT / "src/dmm" / f"{module}.py").read_text(encoding="utf-8"))
    ]


def survives(module: str, change: Change, folder: Path) -> bool:
    """Tell whether all tests pass with the change."""
    path = folder / "changed.py"
    path.write_text(change.source, encoding="utf-8")
    name = "dmm." + module.replace("/", ".")
    try:
        done = subprocess.run(
            [sys.executable, "-c", PRELOAD, name, str(path), *TESTS],
            cwd=ROOT,
            capture_output=True,
            timeout=RUN_S_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def test_changes_are_made_and_one_at_a_time() -> None:
    made = all_changes()
    assert len(made) > 100
    assert len({(module, change.source) for module, change in made}) == len(made)


@pytest.mark.parametrize("ordinal", range(3))
def test_a_drawn_change_of_the_driver_is_noticed(ordinal: int, tmp_path: Path) -> None:
    drawn = random.Random(20_08 + ordinal).choice(  # noqa: S311
        [made for made in all_changes() if made[0] == "usecases/driver"]
    )
    assert not survives(*drawn, tmp_path), f"{drawn[0]}:{drawn[1].line} {drawn[1].what}"


@pytest.mark.deep
@pytest.mark.timeout(36_000)
def test_nineteen_of_twenty_changes_are_noticed(tmp_path: Path) -> None:
    made = all_changes()
    alive = [
        f"{module}:{change.line} {change.what}"
        for module, change in made
        if survives(module, change, tmp_path)
    ]
    assert 100 * (len(made) - len(alive)) >= KILLED_PERCENT_MIN * len(made), "\n".join(alive)
