"""The command line ``dmm``; ``dmm --help`` lists what it does.

stdout is the result, progress goes to stderr. Exit codes: 0 ok, 1 a fault or a failed check,
2 usage.
Imports are inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import importlib
import sys

from dmm.entrypoints.cli.app import app

# Each adds its commands to the app; `--help` lists them in this order.
for _room in ("desk", "control", "settlement", "journal", "research", "tapes"):
    importlib.import_module(f"{__name__}.{_room}")


def main() -> None:
    """Run the command line."""
    sys.exit(app())


__all__ = ["app", "main"]
