"""Totals of accounts move once a statement, whatever number of transfers it holds.

Revision ID: 0008
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_FOLDER = Path(__file__).with_name("v0008")


def upgrade() -> None:
    """Put one trigger a statement in the place of one a row."""
    _execute("1_totals")


def downgrade() -> None:
    """Put the trigger of each row back; totals are the same either way."""
    _execute("downgrade")


def _execute(part: str) -> None:
    # On the driver itself: its statements hold `%` and `:` that are no parameters.
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration's connection is closed")
    driver.execute((_FOLDER / f"{part}.sql").read_text(encoding="utf-8"))
