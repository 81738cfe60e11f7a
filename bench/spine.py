"""Where each second of a warm ``dmm demo`` goes.

Runs the demo twice in processes of their own on one state folder: the first run warms caches, the
second is measured. Prints ``{"start_s": {service: s}, "play_x_realtime", "epoch_s", "total_s"}``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

EPOCHS = 3
RUN_S_MAX = 200


def measure(tape: Path | None, *, smoke: bool = False) -> dict[str, object]:
    """Return the figures of one warm run, of a cold one for `smoke`; in seconds of wall clock."""
    with tempfile.TemporaryDirectory(prefix="dmm-bench-") as folder:
        Path(folder).chmod(0o755)
        if not smoke:
            _demo(tape, Path(folder))
        started = time.perf_counter()
        result = _demo(tape, Path(folder))
        total_s = time.perf_counter() - started
    timings: dict[str, float] = result["timings"]
    return {
        "tape": result["tape"],
        "events": result["events"],
        "start_s": {
            name.removeprefix("start:"): value
            for name, value in timings.items()
            if name.startswith("start:")
        },
        "play_s": timings["play_s"],
        "play_x_realtime": round(timings["tape_s"] / timings["play_s"], 1),
        "epoch_s": [timings[f"epoch:{epoch['epoch']}"] for epoch in result["epochs"]],
        "drain_s": timings["drain_s"],
        "audit_s": timings["audit_s"],
        "report_s": timings["report_s"],
        "total_s": round(total_s, 2),
    }


def _demo(tape: Path | None, folder: Path) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603 - our own command
        [
            sys.executable,
            "-c",
            "from dmm.entrypoints.cli import main; main()",
            "demo",
            "--json",
            f"--epochs={EPOCHS}",
            f"--state={folder / 'demo'}",
            *(["--tape", str(tape)] if tape else []),
        ],
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"spine: the demo ended with {done.returncode}: {done.stderr.strip()}")
    return dict(json.loads(done.stdout))
