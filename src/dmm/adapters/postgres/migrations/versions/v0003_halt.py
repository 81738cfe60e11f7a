"""The halt latch: a drawdown's halt outlives the process, and only a person's reset opens it.

Revision ID: 0003
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_FOLDER = Path(__file__).with_name("v0003")


def upgrade() -> None:
    """Make the table and its laws."""
    _execute("1_halt")


def downgrade() -> None:
    """Take it away again; refused while a halt holds, for nobody would know of it."""
    _execute("downgrade")


def _execute(part: str) -> None:
    # On the driver itself: its statements hold `%` and `:` that are no parameters.
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration's connection is closed")
    driver.execute((_FOLDER / f"{part}.sql").read_text(encoding="utf-8"))
