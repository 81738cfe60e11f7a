"""Bring the journal's schema to this version: ``python -m dmm.entrypoints.migrate``.

For a database that the desk does not run itself; an embedded one is migrated when it starts. Again
is a no-op.
"""

from __future__ import annotations

import sys

from dmm.adapters.postgres.migrate import migrate
from dmm.entrypoints.faults import exit_code, one_line
from dmm.settings import settings
from dmm.units.errors import Fault


def main() -> int:
    """Migrate the database that the settings name; return the exit code."""
    try:
        migrate(settings().database_url.get_secret_value())
    except Fault as fault:
        sys.stderr.write(f"dmm migrate: {one_line(fault)}\n")
        return exit_code(fault)
    return 0


if __name__ == "__main__":
    sys.exit(main())
