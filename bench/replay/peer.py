"""hftbacktest in a process and an environment of its own, and the tape as it takes it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np

from bench.replay.passes import INTERVAL_NS, LATENCY_NS, LOTS_MAX
from dmm.market.instrument import Instrument
from dmm.market.tape_columns import MessageKind
from dmm.settings import PROJECT_ROOT
from dmm.simulation.replay.layout import Longs
from dmm.simulation.replay.prepare import PreparedTape

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
CLEAR, DEPTH, SNAPSHOT, TRADE = 0, 1, 2, 3
"""Kinds of rows, as `oracle/peer.py` numbers them."""

END_S_MAX = 30


class Peer:
    """The peer with a tape in its memory; ends with the block."""

    def __init__(self, ready: PreparedTape, instrument: Instrument) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="dmm-oracle-")
        rows = Path(self._folder.name) / "rows.npy"
        np.save(rows, _peer_rows(ready))
        tick = float(instrument.tick_size)
        middle = float(np.median(ready.views[0].mid)) / 2 * tick
        self._process = subprocess.Popen(  # noqa: S603 — our own script in its own environment
            [str(_environment()), str(ORACLE / "peer.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._write(
            {
                "rows": str(rows),
                "tick": tick,
                "lot": float(instrument.lot_size),
                "interval_ns": INTERVAL_NS,
                "most": LOTS_MAX,
                "low": middle * 0.5,
                "high": middle * 1.5,
            }
        )
        self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=END_S_MAX)
        self._folder.cleanup()

    def ask(self, params: Mapping[str, object], *, latency_ns: int = LATENCY_NS) -> dict[str, Any]:
        """Return the peer's answer for a symmetric set."""
        half, skew = params["half_ticks"], params["skew_ticks_per_lot"]
        self._write({"half": half, "skew": skew, "latency_ns": latency_ns})
        return self._read()

    def _write(self, body: dict[str, object]) -> None:
        if self._process.stdin is None:
            raise SystemExit("replay: the peer has no input")
        self._process.stdin.write(json.dumps(body) + "\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise SystemExit("replay: the peer ended without an answer: see its message above")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _environment() -> Path:
    """Return the peer's interpreter; its environment is made when the lock is new."""
    folder = PROJECT_ROOT / ".dmm" / "oracle"
    lock, python = ORACLE / "requirements.lock", folder / "bin" / "python"
    stamp = folder / "synced"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == lock.read_text(encoding="utf-8"):
        return python
    options = ["--quiet", "--no-deps", "--require-hashes", "--requirement", str(lock)]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", *options],
    ):
        if subprocess.run(command, check=False).returncode:  # noqa: S603 — as locked
            raise SystemExit("replay: the peer's environment could not be made from its lock")
    stamp.write_text(lock.read_text(encoding="utf-8"), encoding="utf-8")
    return python


def _peer_rows(ready: PreparedTape) -> Longs:
    """Return the tape as rows of (kind, side, at, heard, price, size), clocks as we have them."""
    view, columns = ready.views[0], ready.tapes[0].columns
    happened, heard = np.empty_like(view.at_ns), np.empty_like(view.local_ns)
    happened[np.argsort(_stamps(ready), kind="stable")] = view.at_ns
    heard[view.heard_message] = view.local_ns
    parts = []
    kinds = {MessageKind.UPDATE: DEPTH, MessageKind.SNAPSHOT: SNAPSHOT, MessageKind.TRADE: TRADE}
    for message, (begin, end) in enumerate(pairwise(columns.starts.tolist())):
        kind = kinds[MessageKind(int(columns.kind[message]))]
        body = np.empty((end - begin, 6), dtype=np.int64)
        body[:, 0], body[:, 1] = kind, columns.side[begin:end]
        body[:, 2], body[:, 3] = happened[message], heard[message]
        body[:, 4], body[:, 5] = columns.price_ticks[begin:end], columns.size_lots[begin:end]
        if kind == SNAPSHOT:
            for side in (1, -1):
                own = body[body[:, 1] == side]
                parts += [np.array([[CLEAR, side, *own[-1, 2:5], 0]]), own]
        else:
            parts.append(body)
    return np.concatenate(parts)


def _stamps(ready: PreparedTape) -> Longs:
    columns = ready.tapes[0].columns
    at_ns = columns.exchange_at_ns.copy()
    for stream in (columns.kind <= MessageKind.SNAPSHOT, columns.kind == MessageKind.TRADE):
        at_ns[stream] = np.maximum.accumulate(at_ns[stream])
    return at_ns
