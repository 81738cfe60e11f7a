"""The TVM and the compiler of the local TON chain, installed from the committed lock."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
from pathlib import Path

from dmm.sandbox.evm.install import node_program
from dmm.units.errors import ServiceFault

NPM_S_MAX = 300
"""How long an installation may take, seconds."""

STAMP_FILE = ".installed-lock"


def node_modules(root: Path) -> Path:
    """Return where the packages of ``contracts/ton`` are installed."""
    return root / "contracts" / "ton" / "node_modules"


def ensure_npm(root: Path, *, cache_dir: Path) -> Path:
    """Install the packages of ``contracts/ton/package-lock.json`` unless they are there already.

    Parameters
    ----------
    root : the project's folder
    cache_dir : where npm may keep downloads; made when missing

    Returns
    -------
    The folder of the installed packages.

    Raises
    ------
    ServiceFault
        If the lock is missing or npm fails; the text holds npm's last words.
    """
    modules = node_modules(root)
    lock = modules.parent / "package-lock.json"
    if not lock.is_file():
        raise ServiceFault(f"{lock} is missing: run from a complete checkout")
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = modules / STAMP_FILE
    if _stamped(stamp, wanted):
        return modules
    cache_dir.mkdir(parents=True, exist_ok=True)
    with lock.open("rb") as guard:
        # A second process waits here and then finds the work done.
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not _stamped(stamp, wanted):
            _npm_ci(modules.parent, cache_dir)
            stamp.write_text(wanted, encoding="utf-8")
    return modules


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
        raise ServiceFault(f"npm could not install contracts/ton: {error}") from error
    if done.returncode != 0:
        words = " ".join((done.stderr or done.stdout).split())[-300:]
        # Node trusts its own list; an index behind the machine's own authority needs to be told.
        cure = ": set NODE_EXTRA_CA_CERTS" if "certificate" in words.lower() else ""
        raise ServiceFault(
            f"npm could not install contracts/ton (code {done.returncode}{cure}): {words}"
        )
