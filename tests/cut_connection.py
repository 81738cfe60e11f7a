"""Faults of the wire: the connection of a store is cut before a chosen statement."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

STATEMENTS_MAX = 40
"""More than any method of the store sends."""


def cut(database_url: str) -> None:
    """End every connection of a store, as a crash of its server process would."""
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(
            """SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
               WHERE application_name = 'dmm'"""
        )


class CutAt:
    """Cuts the connection before the n-th statement of a call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
        self.left = STATEMENTS_MAX
        self._url = database_url
        for name in ("execute", "executemany", "copy"):
            self._wrap(monkeypatch, name)

    def _wrap(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        send = getattr(psycopg.Cursor, name)

        def cutting(cursor: psycopg.Cursor[Any], *arguments: Any, **options: Any) -> Any:
            if cursor.connection.info.parameter_status("application_name") == "dmm":
                if self.left == 0:
                    cut(self._url)
                self.left -= 1
            return send(cursor, *arguments, **options)

        monkeypatch.setattr(psycopg.Cursor, name, cutting)
