"""Drives the installed command as a user would: a process of its own, its own state folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED_DATA = ROOT.parent / "shared" / "data"
BTC_TAPE = SHARED_DATA / "binance_ws_l2" / "usdm_btcusdt_20240808.gz"
ETHBTC_TAPE = SHARED_DATA / "binance_spot_hour" / "ETHBTC_2020-11-01T09-00-00_update.json"
DEMO_S_MAX = 240
SIMULATED = ("demo", "--epochs", "2", "--json")
"""A run on the simulated market."""

EPOCH_FLOWS = {
    "volatility_recalibration",
    "arrival_fit",
    "hedge_batch",
    "liquidity_rewards",
    "buyback_settlement",
    "pmm_settlement",
    "outbox_dispatch",
    "settlement_audit",
}


@dataclass(frozen=True)
class Finished:
    """What a finished command left."""

    code: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, object]:
        """Return the JSON object on stdout."""
        return dict(json.loads(self.out))


def command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-c", "from dmm.entrypoints.cli import main; main()", *arguments]


def run_dmm(*arguments: str, timeout_s: float = DEMO_S_MAX, cwd: Path = ROOT) -> Finished:
    done = subprocess.run(
        command(arguments), capture_output=True, text=True, timeout=timeout_s, cwd=cwd, check=False
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def run_and_kill(*arguments: str, after_s: float) -> Finished | None:
    """Start a command and kill it with SIGKILL from outside; None when it was killed."""
    process = subprocess.Popen(
        command(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        out, err = process.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return None
    return Finished(process.returncode, out, err)


def processes_under(folder: Path) -> list[str]:
    """Return the command lines of live processes that mention a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if str(folder) in line and state != "Z":
            found.append(f"{entry.name}: {line}")
    return found


def wait_until_gone(folder: Path, *, timeout_s: float = 20) -> list[str]:
    """Wait until no process mentions a folder; return those left when time runs out."""
    deadline = time.monotonic() + timeout_s
    while (left := processes_under(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left
