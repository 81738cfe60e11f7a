"""Make the seed database again for the installed Prefect."""

from __future__ import annotations

import sys

from dmm.sandbox.prefect.seed import make_seed

if __name__ == "__main__":
    made = make_seed()
    sys.stdout.write(f"{made} ({made.stat().st_size} bytes)\n")
