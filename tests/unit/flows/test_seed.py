"""The seed database holds a schema and nothing else, for the installed Prefect."""

from __future__ import annotations

import gzip
import importlib.util
import re
import sqlite3
from pathlib import Path

import pytest

from dmm.sandbox.prefect import seed

SEED_BYTES_MAX = 32_768


@pytest.fixture
def planted(tmp_path: Path) -> sqlite3.Connection:
    database = tmp_path / "prefect.db"
    assert seed.plant(database)
    return sqlite3.connect(database)


def names(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    return [name for (name,) in found]


def schema(connection: sqlite3.Connection) -> set[tuple[str, str, frozenset[str]]]:
    """Return every object with the lines of its definition, whose order depends on versions."""
    found = connection.execute("SELECT type, name, COALESCE(sql, '') FROM sqlite_master")
    return {
        (kind, name, frozenset(line.strip().rstrip(",") for line in re.split(r",?\n", sql)))
        for kind, name, sql in found
    }


def migrations_head() -> str:
    """Return the revision no other one follows, from the text of Prefect's own migrations."""
    spec = importlib.util.find_spec("prefect")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0]) / "server/database/_migrations/versions"
    if not folder.exists():
        folder = folder.parents[1] / "migrations/versions"
    given: set[str] = set()
    followed: set[str] = set()
    for path in (folder / "sqlite").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        given |= set(re.findall(r"^revision(?:: str)? = [\"'](\w+)", text, re.MULTILINE))
        followed |= set(re.findall(r"^down_revision(?:: \S+)? = [\"'](\w+)", text, re.MULTILINE))
    (head,) = given - followed
    return head


def test_there_is_a_seed_for_the_installed_prefect_and_for_no_other() -> None:
    here = seed.seed_path(seed.installed_version())
    assert list(here.parent.glob("seed-*.db.gz")) == [here]
    assert here.stat().st_size <= SEED_BYTES_MAX


def test_the_seed_holds_no_row_but_its_revision(planted: sqlite3.Connection) -> None:
    counts = {
        name: planted.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0]  # noqa: S608
        for name in names(planted)
    }
    assert {name: n for name, n in counts.items() if n} == {"alembic_version": 1}
    assert {"flow_run", "deployment", "automation", "events"} <= set(counts)


def test_the_seed_stands_at_the_installed_prefects_last_migration(
    planted: sqlite3.Connection,
) -> None:
    assert seed.revision(planted) == [(migrations_head(),)]


def test_the_seed_names_no_machine_and_no_user() -> None:
    content = gzip.decompress(seed.seed_path(seed.installed_version()).read_bytes())
    for word in (b"/home/", b"/root/", b"/tmp/", b"127.0.0.1", b"localhost"):
        assert word not in content


def test_an_existing_database_is_never_replaced(tmp_path: Path) -> None:
    database = tmp_path / "prefect.db"
    database.write_bytes(b"mine")
    assert not seed.plant(database)
    assert database.read_bytes() == b"mine"


def test_another_version_of_prefect_gets_no_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seed, "installed_version", lambda: "3.0.0")
    assert not seed.plant(tmp_path / "prefect.db")
    assert not (tmp_path / "prefect.db").exists()
    assert not seed.is_current(tmp_path / "prefect.db")


def test_a_database_at_another_revision_is_migrated(planted: sqlite3.Connection) -> None:
    (_seq, _name, path) = planted.execute("PRAGMA database_list").fetchone()
    assert seed.is_current(Path(path))
    planted.execute("UPDATE alembic_version SET version_num = 'older'")
    planted.commit()
    assert not seed.is_current(Path(path))


def test_a_file_that_is_no_database_is_not_current(tmp_path: Path) -> None:
    database = tmp_path / "prefect.db"
    database.write_bytes(b"not a database at all, but long enough to be read as a header" * 4)
    assert not seed.is_current(database)


@pytest.mark.deep
def test_the_seed_is_what_the_installed_prefect_makes(
    planted: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seed, "seed_path", lambda version: tmp_path / f"{version}.gz")
    made = seed.make_seed()
    with sqlite3.connect(":memory:") as fresh:
        fresh.deserialize(gzip.decompress(made.read_bytes()))
    assert schema(fresh) == schema(planted)
