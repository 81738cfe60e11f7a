"""The chain's events as followed, and roles with their rights.

Revision ID: 0005
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_FOLDER = Path(__file__).with_name("v0005")


def upgrade() -> None:
    """Make the tables, then give every role what it needs and nothing else."""
    _execute("1_chain_events")
    _execute("2_roles")
    _execute("3_rights")


def downgrade() -> None:
    """Take it away again; events can be followed anew, so nothing is lost."""
    _execute("downgrade")


def _execute(part: str) -> None:
    # On the driver itself: its statements hold `%` and `:` that are no parameters.
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration's connection is closed")
    driver.execute((_FOLDER / f"{part}.sql").read_text(encoding="utf-8"))
