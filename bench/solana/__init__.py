"""Solana: compute units on two runtimes, transaction bytes, times, net sizes, fuzz speed.

Prints ``{"cu": {"agave_2_2": {…}, "agave_4_1": {…}}, "tx_bytes": {…}, "settle_ms": {"in_process",
"http"}, "settlements_per_s", "net_max", "fuzz_per_s"}``. The newer runtime runs in an environment
of its own, made here once with pip and kept in ``.dmm/bench-solana``; where it cannot be made, its
figures are the committed ones of ``contracts/solana/cu.json``, and `measured` does not name it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

from bench.solana import units

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = ROOT / "contracts" / "solana" / "cu.json"
NEWER = ("solders==0.29.0", "pytest>=8.3", "based58==0.1.1")
"""The newer runtime, and what the tests' own world needs beside it."""

INSTALL_S_MAX = 240
RUN_S_MAX = 120
SETTLEMENTS = 200
SMOKE_SETTLEMENTS = 5


def measure(tape: Path | None, *, smoke: bool = False) -> dict[str, object]:
    """Return the figures; with `smoke` few settlements and the newer runtime's committed units."""
    del tape
    count = SMOKE_SETTLEMENTS if smoke else SETTLEMENTS
    here = units.measure_all(count)
    newer = None if smoke else _newer()
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    worst = snapshot["worst_of_1000_keys"]
    settle_ms, per_s = _over_http(count)
    return {
        "cu": {
            here["runtime"]: here["cu"],
            "agave_4_1": snapshot["agave_4_1"] if newer is None else newer["cu"],
            "worst_of_1000_keys": worst,
        },
        "measured": [here["runtime"], *([] if newer is None else [newer["runtime"]])],
        "tx_bytes": here["tx_bytes"],
        "settle_ms": {"in_process": here["settle_ms"], "http": settle_ms},
        "settlements_per_s": per_s,
        "net_max": here["net_max"],
        "fuzz_per_s": here["fuzz_per_s"],
    }


def _newer() -> dict[str, Any] | None:
    """Measure in the second environment; None where there is no index to make it from."""
    folder = ROOT / ".dmm" / "bench-solana"
    python = folder / "bin" / "python"
    try:
        if not python.exists():
            venv.create(folder, with_pip=True)
            _run([str(python), "-m", "pip", "install", "--quiet", *NEWER], timeout_s=INSTALL_S_MAX)
        found = _run([str(python), "-m", "bench.solana.units"], timeout_s=RUN_S_MAX)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"solana: no second environment: {error}", file=sys.stderr)  # noqa: T201
        return None
    return dict(json.loads(found))


def _run(argv: list[str], *, timeout_s: float) -> str:
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}:{ROOT / 'tests'}", "PATH": "/usr/bin:/bin"}
    environment["HOME"] = str(Path.home())
    done = subprocess.run(  # noqa: S603 - our own command
        argv,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=True,
        cwd=ROOT,
        env=environment,
    )
    return done.stdout


def _over_http(count: int) -> tuple[float, float]:
    """Return (ms a settlement, settlements a second) by the product's adapter and a local node.

    A settlement is signed and sent, tried first by the node, and looked up.
    """
    sys.path.insert(0, str(ROOT / "tests"))
    from solana_desk import (  # type: ignore[import-not-found]  # noqa: PLC0415 - the tests' own
        SolanaDesk,
    )

    with tempfile.TemporaryDirectory(prefix="dmm-bench-") as folder:
        desk = SolanaDesk.on(Path(folder))
        try:
            chain = desk.chain()
            small = {"maker_amount": 30_007, "taker_amount": 19_503}
            intents = [desk.accepted(desk.quote(**small)) for _ in range(count)]
            signed = [desk.sign(intent) for intent in intents]
            desk.advance(1)
            started = time.perf_counter()
            for one in signed:
                chain.send(one.raw)
            sent_s = time.perf_counter() - started
            desk.advance(2)
            at = chain.snapshot()
            views = [chain.transaction(one.tx_id, at=at) for one in signed]
            spent_s = time.perf_counter() - started
        finally:
            desk.stop()
    if not all(view.succeeded for view in views):
        raise SystemExit("solana: a settlement did not land")
    return round(1_000 * spent_s / count, 2), round(count / sent_s, 1)
