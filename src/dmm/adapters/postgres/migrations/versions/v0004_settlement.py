"""Burnt and expiring slots, releases from quarantine, adopt-only mode after a restore.

Revision ID: 0004
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_FOLDER = Path(__file__).with_name("v0004")


def upgrade() -> None:
    """Add columns, tables and laws; rows there already are payments in slots that never expire."""
    _execute("1_settlement")


def downgrade() -> None:
    """Take it away again; refused where the older version could not hold what is there."""
    _execute("downgrade")


def _execute(part: str) -> None:
    # On the driver itself: its statements hold `%` and `:` that are no parameters.
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration's connection is closed")
    driver.execute((_FOLDER / f"{part}.sql").read_text(encoding="utf-8"))
