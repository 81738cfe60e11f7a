"""Group roles of the journal, and logins that are members of one of them."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from enum import StrEnum
from urllib.parse import quote

import psycopg
from psycopg import conninfo, errors, sql

from dmm.adapters.postgres.session import CONNECT_S_MAX, where
from dmm.units.errors import Retryable, ServiceFault


class Role(StrEnum):
    """What a process may do; migration 0005 grants it."""

    AUDITOR = "dmm_auditor"
    """Reads everything but signed bytes, writes nothing."""
    WORKER = "dmm_worker"
    """Decisions, fills, slices, the halt."""
    FLOWS = "dmm_flows"
    """Plans of epochs, quotes, policies, pruning."""
    SETTLER = "dmm_settler"
    """The driver: intents' states, slots, attempts; alone reads signed bytes."""
    SIGNER = "dmm_signer"
    """Reads the latches."""
    OPERATOR = "dmm_operator"
    """A person at a terminal: kill, reset, set-up."""


def add_login(url: str, role: Role, *, name: str, password: str) -> str:
    """Make a login that is a member of a role, or give the one there a new password.

    Parameters
    ----------
    url : of a role that may make roles
    name : of the login, by convention the role's with an ending

    Returns
    -------
    The URL of the same database for that login.

    Raises
    ------
    Retryable
        If the database cannot be reached.
    ServiceFault
        If the role is missing (migrate first), or `url` may not make roles.
    """
    login = sql.Identifier(name)
    with _connect(url) as admin:
        try:
            known = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
            verb = sql.SQL("ALTER" if known else "CREATE")
            admin.execute(
                sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, login, sql.Literal(password))
            )
            admin.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role.value), login))
        except errors.UndefinedObject as error:
            raise ServiceFault(f"database {where(url)} has no role {role}: migrate it") from error
        except errors.InsufficientPrivilege as error:
            raise ServiceFault(
                f"database {where(url)}: this login may not make roles; make {name} by hand as a "
                f"member of {role}"
            ) from error
    return _with_login(url, name, password)


@contextlib.contextmanager
def as_member(url: str, role: Role) -> Iterator[str]:
    """Give a URL under which a role's rights hold and nothing more.

    When `url` already is a member of that role alone it is given back; otherwise a login is made
    for as long as the context lasts.

    Raises
    ------
    Retryable
        If the database cannot be reached.
    ServiceFault
        If neither is possible.
    """
    if _is_only(url, role):
        yield url
        return
    name = f"{role.value}_{secrets.token_hex(6)}"
    made = add_login(url, role, name=name, password=secrets.token_urlsafe(24))
    try:
        yield made
    finally:
        with _connect(url) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [name]
            )
            admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


def _is_only(url: str, role: Role) -> bool:
    with _connect(url) as connection:
        row = connection.execute(
            """SELECT NOT r.rolsuper AND array_agg(g.rolname::text) = ARRAY[%s]
               FROM pg_roles r LEFT JOIN pg_auth_members m ON m.member = r.oid
               LEFT JOIN pg_roles g ON g.oid = m.roleid
               WHERE r.rolname = current_user GROUP BY r.oid, r.rolsuper""",
            [role.value],
        ).fetchone()
    return bool(row and row[0])


def _connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    try:
        return psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_S_MAX)
    except psycopg.OperationalError as error:
        raise Retryable(
            f"database {where(url)} unreachable ({' '.join(str(error).split())}); start it or "
            "check DMM_DATABASE_URL"
        ) from error


def _with_login(url: str, name: str, password: str) -> str:
    parts = conninfo.conninfo_to_dict(url)
    host, port, database = (
        parts.get(k, d) for k, d in (("host", "localhost"), ("port", "5432"), ("dbname", ""))
    )
    rest = {
        k: v for k, v in parts.items() if k not in ("host", "port", "dbname", "user", "password")
    }
    query = "&".join(f"{key}={quote(str(value), safe='')}" for key, value in sorted(rest.items()))
    return f"postgresql://{name}:{quote(password, safe='')}@{host}:{port}/{database}" + (
        f"?{query}" if query else ""
    )
