"""Decisions, fills and slices in partitions by run; anchors for those that are pruned.

Rows are kept in both directions. The way back is refused once a partition was pruned: its anchor
would be lost, and with it the proof of what remains.

Revision ID: 0002
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_FOLDER = Path(__file__).with_name("v0002")


def upgrade() -> None:
    """Make the partitioned tables and move what is there into them."""
    _execute("1_anchors")
    _execute("2_tables")
    _execute("3_partitions")
    _execute("4_move")


def downgrade() -> None:
    """Move everything back into one table each."""
    _execute("downgrade")


def _execute(part: str) -> None:
    # On the driver itself: its statements hold `%` and `:` that are no parameters.
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration's connection is closed")
    driver.execute((_FOLDER / f"{part}.sql").read_text(encoding="utf-8"))
