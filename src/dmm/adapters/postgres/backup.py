"""Backup and restore of a journal: one consistent snapshot in one file, whole or not at all.

The file is one line of JSON that says what it is, with the SHA-256 of what follows, then the
gzipped SQL that ``pg_dump`` wrote. A restore checks the digest before it touches anything, runs in
one transaction into an empty database, and ends in adopt-only mode: a journal that was brought back
may have forgotten what was signed.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import psycopg
from psycopg import conninfo

from dmm.adapters.postgres.migrate import migrate
from dmm.adapters.postgres.session import CONNECT_S_MAX, where
from dmm.units.errors import Permanent, Retryable, ServiceFault, UsageFault
from dmm.units.time import Nanos

FORMAT = "dmm/journal-backup/1"
HEADER_BYTES_MAX = 4_096
CHUNK_BYTES = 1 << 20
TOOL_S_MAX = 3_600
"""How long pg_dump or psql may take, seconds."""

GZIP_LEVEL = 6

_ROLES = Path(__file__).with_name("migrations") / "versions" / "v0005" / "2_roles.sql"

_ADOPT_ONLY = """INSERT INTO adopt_only (chain, event_no, entered, until_s, reason, at_ns)
SELECT c.chain, coalesce((SELECT max(a.event_no) FROM adopt_only a WHERE a.chain = c.chain), 0) + 1,
  true, {until_s}, 'restored from a backup', {at_ns}
FROM (SELECT DISTINCT chain FROM deployment) c;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What a backup file says of itself."""

    schema: str
    server: str
    made_at_ns: Nanos
    payload_bytes: int
    sha256: str


def backup(url: str, out: Path, *, program: str, now_ns: Nanos) -> Backup:
    """Write a consistent snapshot of a database.

    Parameters
    ----------
    program : path of ``pg_dump``, of the server's version or a newer one

    Raises
    ------
    UsageFault
        If the file exists: a backup is never written over.
    Retryable
        If the database cannot be reached.
    ServiceFault
        If pg_dump fails or the file cannot be written; nothing is left then.
    """
    if out.exists():
        raise UsageFault(f"{out} exists: name another file, a backup is never written over")
    schema, server = _versions(url)
    draft = out.with_name(out.name + ".part")
    try:
        with draft.open("wb") as file:
            file.write(b" " * (HEADER_BYTES_MAX - 1) + b"\n")
            digest, size = _dump(url, file, program)
            made = Backup(
                schema=schema,
                server=server,
                made_at_ns=now_ns,
                payload_bytes=size,
                sha256=digest,
            )
            file.seek(0)
            file.write(_header(made))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(out)
    except OSError as error:
        raise ServiceFault(f"{out} cannot be written: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return made


def inspect(path: Path) -> Backup:
    """Read a backup whole and check its digest.

    Raises
    ------
    UsageFault
        If there is no such file, or it is no backup.
    Permanent
        If its content is not what its first line says.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES_MAX)
            made = _read_header(path, head)
            digest, size = hashlib.sha256(), 0
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise UsageFault(f"{path} cannot be read: {error.strerror or error}") from error
    if (digest.hexdigest(), size) != (made.sha256, made.payload_bytes):
        raise Permanent(
            f"{path} holds {size} bytes of digest {digest.hexdigest()[:16]}…, its first line says "
            f"{made.payload_bytes} of {made.sha256[:16]}…: it was cut or changed, take another"
        )
    return made


def restore(url: str, path: Path, *, program: str, until_s: int, now_ns: Nanos) -> Backup:
    """Bring a backup back into an empty database, migrate it, and enter adopt-only mode.

    Everything up to adopt-only mode is one transaction: a restored journal without it never
    exists.

    Parameters
    ----------
    program : path of ``psql``
    until_s : chain time of the last deadline that bytes signed before the restore can carry

    Raises
    ------
    UsageFault
        If the database is not empty, or the file is no backup.
    Permanent
        If the file was cut or changed.
    Retryable
        If the database cannot be reached.
    ServiceFault
        If the server refuses; the database is then empty as before.
    """
    made = inspect(path)
    _require_empty(url)
    _run_psql(url, path, program, _ADOPT_ONLY.format(until_s=int(until_s), at_ns=int(now_ns)))
    migrate(url)
    return made


def _dump(url: str, file: IO[bytes], program: str) -> tuple[str, int]:
    argv = [program, "--format=plain", "--no-owner", "--quote-all-identifiers", "--encoding=UTF8"]
    before = file.tell()
    with (
        _tool(argv, url, stdout=subprocess.PIPE) as process,
        gzip.GzipFile(fileobj=file, mode="wb", compresslevel=GZIP_LEVEL, mtime=0) as packed,
    ):
        stream = cast("IO[bytes]", process.stdout)
        while chunk := stream.read(CHUNK_BYTES):
            packed.write(chunk)
        _require_done(process, url, "pg_dump")
    size = file.tell() - before
    digest = hashlib.sha256()
    with Path(file.name).open("rb") as written:
        file.flush()
        written.seek(before)
        while chunk := written.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest(), size


def _run_psql(url: str, path: Path, program: str, ending: str) -> None:
    argv = [program, "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    with _tool([*argv, "--file=-"], url, **pipes) as process:
        stream = cast("IO[bytes]", process.stdin)
        # A pipe that breaks: psql stopped at an error, and says at which.
        with contextlib.suppress(BrokenPipeError):
            # Roles are the server's, not the database's: no dump holds them.
            stream.write(_ROLES.read_bytes())
            stream.writelines(_statements(path))
            # The dump leaves no search path behind.
            stream.write(b"SET search_path = public;\n" + ending.encode())
        with contextlib.suppress(BrokenPipeError):
            stream.close()
        _require_done(process, url, "psql")


def _statements(path: Path) -> Iterator[bytes]:
    """Yield the dump's lines, without what a server older than pg_dump does not know."""
    with path.open("rb") as file:
        file.seek(HEADER_BYTES_MAX)
        with gzip.GzipFile(fileobj=file, mode="rb") as packed:
            for line in packed:
                if not line.startswith((b"SET transaction_timeout", b"CREATE SCHEMA ")):
                    yield line


def _tool(argv: Sequence[str], url: str, **pipes: int) -> subprocess.Popen[bytes]:
    parts = {key: str(value) for key, value in conninfo.conninfo_to_dict(url).items()}
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    names |= {"dbname": "PGDATABASE", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}
    # By the environment: an argument would show the password to everybody on the machine.
    env = {names[key]: value for key, value in parts.items() if key in names}
    env |= {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PGCONNECT_TIMEOUT": str(CONNECT_S_MAX)}
    try:
        return subprocess.Popen(argv, env=env, stderr=subprocess.PIPE, **pipes)  # type: ignore[call-overload, no-any-return]  # noqa: S603 - our own arguments
    except OSError as error:
        raise ServiceFault(f"{argv[0]} cannot be run: {error.strerror or error}") from error


def _require_done(process: subprocess.Popen[bytes], url: str, name: str) -> None:
    errors = cast("IO[bytes]", process.stderr).read().decode(errors="replace")
    try:
        code = process.wait(TOOL_S_MAX)
    except subprocess.TimeoutExpired as error:
        process.kill()
        raise ServiceFault(f"{name} of {where(url)} took more than {TOOL_S_MAX} s") from error
    if code != 0:
        words = " ".join(errors.split())[:300]
        raise ServiceFault(f"{name} of {where(url)} failed: {words}")


def _versions(url: str) -> tuple[str, str]:
    with _connect(url) as connection:
        try:
            row = connection.execute(
                "SELECT version_num, current_setting('server_version') FROM alembic_version"
            ).fetchone()
        except psycopg.errors.UndefinedTable:
            row = None
    if row is None:
        raise UsageFault(f"database {where(url)} holds no journal: there is nothing to back up")
    return str(row[0]), str(row[1])


def _require_empty(url: str) -> None:
    with _connect(url) as connection:
        row = connection.execute(
            """SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')"""
        ).fetchone()
    if row is not None and row[0]:
        raise UsageFault(
            f"database {where(url)} holds {row[0]} tables: restore into an empty one, nothing is "
            "written over"
        )


def _connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    try:
        return psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_S_MAX)
    except psycopg.OperationalError as error:
        raise Retryable(
            f"database {where(url)} unreachable ({' '.join(str(error).split())}); start it or "
            "check DMM_DATABASE_URL"
        ) from error


def _header(made: Backup) -> bytes:
    body = {
        "format": FORMAT,
        "schema": made.schema,
        "server": made.server,
        "made_at_ns": made.made_at_ns,
        "payload_bytes": made.payload_bytes,
        "sha256": made.sha256,
    }
    return json.dumps(body, sort_keys=True).encode().ljust(HEADER_BYTES_MAX - 1) + b"\n"


def _read_header(path: Path, head: bytes) -> Backup:
    try:
        body = json.loads(head)
        found, made = body.pop("format"), Backup(**body)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageFault(f"{path} is no journal backup ({FORMAT})") from error
    if found != FORMAT:
        raise UsageFault(f"{path} is of format {found!r}, this version reads {FORMAT}")
    return made
