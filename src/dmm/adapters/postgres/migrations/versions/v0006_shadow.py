"""Runs that only watched.

Revision ID: 0006
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_FOLDER = Path(__file__).with_name("v0006")


def upgrade() -> None:
    """Let a run be a shadow."""
    _execute("1_shadow")


def downgrade() -> None:
    """Take it away again; refused while the journal holds a shadow."""
    _execute("downgrade")


def _execute(part: str) -> None:
    # On the driver itself: its statements hold `%` and `:` that are no parameters.
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration's connection is closed")
    driver.execute((_FOLDER / f"{part}.sql").read_text(encoding="utf-8"))
