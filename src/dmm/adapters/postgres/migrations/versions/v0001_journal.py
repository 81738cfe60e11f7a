"""The journal: runs, epochs, intents, ledger, control; its laws are triggers and constraints.

Revision ID: 0001
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_FOLDER = Path(__file__).with_name("v0001")
_PARTS = ("1_runs", "2_epochs", "3_intents", "4_ledger", "5_control")


def upgrade() -> None:
    """Make the schema, in the order in which its parts refer to each other."""
    for part in _PARTS:
        _execute(part)


def downgrade() -> None:
    """Take it away again."""
    _execute("downgrade")


def _execute(part: str) -> None:
    # On the driver itself: its statements hold `%` and `:` that are no parameters.
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration's connection is closed")
    driver.execute((_FOLDER / f"{part}.sql").read_text(encoding="utf-8"))
