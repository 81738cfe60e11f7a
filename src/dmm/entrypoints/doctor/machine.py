"""The machine: Python, disk, ports, the locked environment, the embedded programs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from dmm.entrypoints.doctor.check import Check, look
from dmm.sandbox.evm.install import anvil_program, ensure_npm, node_program
from dmm.sandbox.postgres.install import Binaries, server_account, wheel_install
from dmm.sandbox.process import free_port, require_free_port
from dmm.sandbox.state import BYTES_FREE_MIN
from dmm.settings import PROJECT_ROOT
from dmm.units.errors import ServiceFault

PYTHON_MIN, PYTHON_END = (3, 11), (3, 14)
LOCK_FILE = PROJECT_ROOT / "requirements.lock"
PREFECT_PORT = 4200
"""Where `dmm up` serves Prefect's pages unless told otherwise."""

TOOL_S_MAX = 30
"""How long a program may take to print its version, seconds."""

NAMED_MAX = 5
"""How many packages one line names."""

_LOCKED = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?: ; (?P<marker>[^\\]+))?"
)
_UNLOCKED = frozenset({"dmm", "pip", "setuptools", "wheel", "uv"})
"""The project itself, and what a new virtual environment may bring along."""


def check_machine(state: Path) -> Iterator[Check]:
    """Look at everything that must be well before anything is started.

    Parameters
    ----------
    state : state folder of the embedded services, need not exist
    """
    yield look("python", _python, cure="put Python 3.11, 3.12 or 3.13 on PATH, run ./dmm --setup")
    yield look("disk", lambda: _disk(state), cure="free some space or choose another --state")
    yield look("loopback", _loopback, cure="allow programs to listen on 127.0.0.1")
    yield look("port 4200", _prefect_port, cure="run `dmm up --prefect-port 0`")
    yield look("locked versions", _locked_versions, cure="run ./dmm --setup")
    yield look("postgres", lambda: _postgres(state), cure="run ./dmm --setup as an ordinary user")
    yield look("node", _node, cure="run ./dmm --setup")
    yield look("anvil", lambda: _anvil(state), cure="remove contracts/evm/node_modules, run again")


def _python() -> str:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if not PYTHON_MIN <= sys.version_info[:2] < PYTHON_END:
        raise ServiceFault(f"Python {version} is outside >=3.11,<3.14")
    return f"{version} at {sys.executable}"


def _disk(state: Path) -> str:
    folder = existing(state)
    free = shutil.disk_usage(folder).free
    if free < BYTES_FREE_MIN:
        raise ServiceFault(
            f"{free // 2**20} MiB free at {folder}, at least {BYTES_FREE_MIN // 2**20} are needed"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ServiceFault(f"{folder} cannot be written")
    return f"{free // 2**20:,} MiB free at {folder}"


def existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def _loopback() -> str:
    return f"port {free_port()} was bound on 127.0.0.1"


def _prefect_port() -> str:
    try:
        require_free_port(PREFECT_PORT, name="Prefect")
    except ServiceFault:
        # No fault: the demo takes any free port, and a desk that is up may be what listens here.
        return (
            f"in use by {listener(PREFECT_PORT)}; another `dmm up` needs --prefect-port, "
            "the demo does not care"
        )
    return "free for `dmm up`"


def listener(port: int) -> str:
    """Return who listens on a TCP port, as far as this account may see it."""
    inodes = {
        fields[9]
        for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
        if table.exists()
        for fields in (line.split() for line in table.read_text().splitlines()[1:])
        if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port
    }
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in wanted for link in (process / "fd").iterdir()):
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode().split()
                return f"process {process.name} ({' '.join(words[:4])[:80]})"
        except OSError:
            continue
    return "a program of another account"


def _locked_versions() -> str:
    installed: dict[str, str] = {
        canonicalize_name(found.metadata["Name"]): found.version for found in distributions()
    }
    wanted = _locked_here()
    wrong = sorted(
        f"{name} {installed.get(name, 'missing')} instead of {version}"
        for name, version in wanted.items()
        if installed.get(name) != version
    )
    if wrong:
        more = f" and {len(wrong) - NAMED_MAX} more" if len(wrong) > NAMED_MAX else ""
        raise ServiceFault(f"{', '.join(wrong[:NAMED_MAX])}{more}")
    beside = sorted(set(installed) - set(wanted) - _UNLOCKED)
    note = f"; not in the lock: {', '.join(beside[:NAMED_MAX])}" if beside else ""
    return f"{len(wanted)} packages as in {LOCK_FILE.name}{note}"


def _locked_here() -> dict[str, str]:
    """Return name and version of every entry of the lock that holds on this interpreter."""
    found = (_LOCKED.match(line) for line in LOCK_FILE.read_text(encoding="utf-8").splitlines())
    return {
        canonicalize_name(entry["name"]): entry["version"]
        for entry in found
        if entry and (not entry["marker"] or Marker(entry["marker"]).evaluate())
    }


def _postgres(state: Path) -> str:
    account = server_account(state / "run" / "postgres" / "data")
    folder = wheel_install()
    version = _version(folder / "bin" / "postgres")
    blocked = account.blocked_at(folder / "bin") is not None
    if not blocked:
        Binaries(folder=folder, account=account).check()
    barrier = account.blocked_at(existing(state).absolute())
    if barrier is not None:
        raise ServiceFault(
            f"account {account.name!r}, under which PostgreSQL runs for root, may not enter "
            f"{barrier}: run `chmod o+x {barrier}` or choose another --state"
        )
    copied = "; copied into the state folder, where that account can run it" if blocked else ""
    return f"{version}, runs under account {account.name}{copied}"


def _node() -> str:
    return f"{_version(node_program())} from the locked environment"


def _anvil(state: Path) -> str:
    ensure_npm(PROJECT_ROOT, cache_dir=state / "npm-cache")
    return f"{_version(anvil_program(PROJECT_ROOT))} from contracts/evm/package-lock.json"


def _version(program: Path) -> str:
    done = subprocess.run(  # noqa: S603 - our own program, no shell
        [str(program), "--version"],
        capture_output=True,
        text=True,
        timeout=TOOL_S_MAX,
        check=False,
    )
    if done.returncode != 0:
        raise ServiceFault(f"{program} ended with code {done.returncode}: {done.stderr[:200]}")
    return done.stdout.strip().splitlines()[0]
