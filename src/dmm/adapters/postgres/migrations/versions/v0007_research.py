"""Searches of parameters, what their pieces found, and the proposals they led to.

Revision ID: 0007
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_FOLDER = Path(__file__).with_name("v0007")


def upgrade() -> None:
    """Make the tables with their rights."""
    _execute("1_research")


def downgrade() -> None:
    """Take them away again; a search can be made anew from its recordings."""
    _execute("downgrade")


def _execute(part: str) -> None:
    # On the driver itself: its statements hold `%` and `:` that are no parameters.
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration's connection is closed")
    driver.execute((_FOLDER / f"{part}.sql").read_text(encoding="utf-8"))
