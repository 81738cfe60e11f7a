"""One connection, one lock, one transaction per call; and what the server's errors mean for us."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg import conninfo, errors
from psycopg.adapt import Loader

from dmm.units.errors import Fault, InvariantBroken, Permanent, Retryable, ServiceFault

Cursor: TypeAlias = "psycopg.Cursor[tuple[Any, ...]]"
Result = TypeVar("Result")

TRANSACTION_ATTEMPTS_MAX = 5
"""How often a transaction is tried when the server asks for it again (40001, 40P01)."""

CONNECT_S_MAX = 5
"""How long a connection may take, seconds."""

STATEMENT_MS_MAX = 60_000
"""How long one statement may take before the server ends it, milliseconds."""

LOCK_MS_MAX = 20_000
"""How long one statement may wait for another transaction's lock, milliseconds."""

_AGAIN = (errors.SerializationFailure, errors.DeadlockDetected)
_GONE = (errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow)
_BUSY = (*_GONE, errors.LockNotAvailable, errors.QueryCanceled, errors.TooManyConnections)
_FULL = (errors.DiskFull, errors.OutOfMemory)
_NO_SCHEMA = (errors.UndefinedTable, errors.UndefinedColumn)


class _IntLoader(Loader):
    """Reads numeric(78,0) as an integer: money never passes a decimal type."""

    def load(self, data: bytes | bytearray | memoryview) -> int:
        return int(bytes(data))


def where(url: str) -> str:
    """Return ``host:port/database`` of a URL, without its password."""
    parts = conninfo.conninfo_to_dict(url)
    host, port = parts.get("host", "localhost"), parts.get("port", "5432")
    return f"{host}:{port}/{parts.get('dbname', '')}"


class Session:
    """A connection that is opened when first used and again after it was lost.

    Threads may share it; their transactions run one after the other.

    Parameters
    ----------
    url : ``postgresql://…``
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.RLock()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def close(self) -> None:
        """Close the connection; the next call would open one again."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def transact(self, work: Callable[[Cursor], Result]) -> Result:
        """Run `work` in one transaction: all of it is committed, or nothing.

        A transaction that the server asks to repeat is repeated from its start, at the most
        `TRANSACTION_ATTEMPTS_MAX` times, so `work` must have no effect outside the database. A call
        that ends as `Retryable` may be made again: every method of the store is idempotent.

        Raises
        ------
        Retryable
            If the database cannot be reached or the connection was lost; the next call reconnects.
        InvariantBroken
            If a constraint or trigger of the schema refuses.
        ServiceFault
            If the disk is full, or the schema is not there.
        """
        return self._attempt(work, is_single=False)

    def once(self, work: Callable[[Cursor], Result]) -> Result:
        """Run a single statement, which is a transaction by itself: one way there and back.

        Raises
        ------
        Fault
            As `transact` does.
        """
        return self._attempt(work, is_single=True)

    def _attempt(self, work: Callable[[Cursor], Result], *, is_single: bool) -> Result:
        with self._lock:
            for _ in range(TRANSACTION_ATTEMPTS_MAX):
                try:
                    connection = self._open()
                    bounds = contextlib.nullcontext() if is_single else connection.transaction()
                    with bounds, connection.cursor() as cursor:
                        return work(cursor)
                except _AGAIN as error:
                    conflict = error
                except psycopg.Error as error:
                    raise self._fault(error) from error
        raise Retryable(
            f"database {where(self._url)}: {TRANSACTION_ATTEMPTS_MAX} attempts met a conflict; "
            "try again when fewer processes write"
        ) from conflict

    def _open(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None:
            connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_S_MAX,
                application_name="dmm",
                options=f"-c statement_timeout={STATEMENT_MS_MAX} -c lock_timeout={LOCK_MS_MAX} "
                "-c default_transaction_isolation=read\\ committed",
            )
            connection.adapters.register_loader("numeric", _IntLoader)
            self._connection = connection
        return self._connection

    def _fault(self, error: psycopg.Error) -> Fault:
        place = where(self._url)
        lost = self._connection is None or self._connection.closed or isinstance(error, _GONE)
        if lost:
            self._forget()
        text = " ".join(str(error.diag.message_primary or error).split())
        if error.diag.table_name == "account":
            text += f" ({error.diag.message_detail})"
        match error:
            case _ if isinstance(error, _FULL):
                return ServiceFault(
                    f"database {place} is out of space ({text}); free disk on its server, nothing "
                    "was written"
                )
            case _ if lost or isinstance(error, _BUSY):
                return Retryable(
                    f"database {place} unreachable ({text}); start it or check DMM_DATABASE_URL"
                )
            case _ if isinstance(error, _NO_SCHEMA):
                return ServiceFault(
                    f"database {place} lacks the journal's schema ({text}); migrate it"
                )
            case psycopg.IntegrityError():
                return InvariantBroken(f"database {place} refuses: {text}")
            case psycopg.DataError():
                return Permanent(f"database {place} cannot hold a value: {text}")
            case _:
                return ServiceFault(f"database {place} failed ({error.sqlstate}): {text}")

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.close()
