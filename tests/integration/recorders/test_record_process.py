"""`dmm tape record` as a process: ended by Ctrl-C, by a kill, by a full disk."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dmm.adapters.feeds import open_tape
from dmm.entrypoints.cli import app
from dmm.units.errors import TapeFault

DMM = [sys.executable, "-c", "from dmm.entrypoints.cli import main; main()"]
PATIENCE_S = 60.0
MANY = 10_000


def lines_in(part: Path) -> list[bytes]:
    """Return the whole lines of a file that may still grow, or was cut anywhere."""
    if not part.exists():
        return []
    text = zlib.decompressobj(wbits=31).decompress(part.read_bytes())
    return text.split(b"\n")[:-1]


async def reached(is_so: Callable[[], bool]) -> None:
    for _ in range(int(PATIENCE_S / 0.05)):
        if is_so():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("never reached")


async def started(server: Any, out: Path, *, under: str = "") -> asyncio.subprocess.Process:
    command = [*DMM, "tape", "record", "--venue", "binance-spot", "--symbol", "btcusdt", "--json"]
    command += ["--out", str(out), "--url", server.url, "--rest-url", server.rest_url]
    if under:
        command = ["/bin/sh", "-c", f'{under}; exec "$@"', "sh", *command]
    return await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[str, str]:
    try:
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    finally:
        if process.returncode is None:
            process.kill()
    return out.decode(), err.decode()


def test_an_interrupt_ends_the_recording_cleanly(steps: Any, spot: Any, tmp_path: Path) -> None:
    out = tmp_path / "tape.gz"
    frames = [spot.depth("99.99"), spot.trade(), spot.best()]

    async def run() -> tuple[int | None, str, str]:
        async with steps.server([frames], steps.answers(spot.snapshot())).running() as server:
            process = await started(server, out)
            await reached(lambda: len(lines_in(Path(f"{out}.part"))) == 4)
            assert not out.exists()  # only a whole file has the name
            process.send_signal(signal.SIGINT)
            shown, said = await ended(process)
            return process.returncode, shown, said

    code, shown, said = asyncio.run(run())
    assert (code, "Traceback" in said) == (0, False)
    summary = json.loads(shown)
    assert (summary["messages"], summary["snapshots"], summary["gaps"]) == (3, 1, 0)
    assert (summary["file"], summary["venue"]) == (str(out), "binance-spot")
    assert summary["file_bytes"] == out.stat().st_size
    assert list(tmp_path.iterdir()) == [out]
    feed = open_tape([out])
    assert len(list(feed.events())) == 3
    assert feed.report.warnings == []


def test_a_killed_recorder_leaves_every_line_up_to_its_last_flush(
    steps: Any, spot: Any, tmp_path: Path
) -> None:
    out, part = tmp_path / "tape.gz", tmp_path / "tape.gz.part"
    safe = [spot.depth("99.99"), *(spot.trade() for _ in range(50))]
    flood = [spot.trade() for _ in range(MANY)]

    async def run() -> int | None:
        may_go = asyncio.Event()
        script = [*safe, steps.reached(lambda _tally: may_go.is_set()), *flood]
        async with steps.server([script], steps.answers(spot.snapshot())).running() as server:
            process = await started(server, out)
            await reached(lambda: len(lines_in(part)) == len(safe) + 1)
            may_go.set()
            await reached(lambda: len(lines_in(part)) > len(safe) + 1)  # amid the flood
            process.kill()
            await ended(process)
            return process.returncode

    assert asyncio.run(run()) == -signal.SIGKILL
    assert not out.exists()
    with pytest.raises(TapeFault, match="ends too early"):
        list(open_tape([part]).events())
    feed = open_tape([part], allow_gaps=True)
    list(feed.events())
    assert feed.report.trades > 50
    assert feed.report.truncated_lines == 1
    call = ["tape", "record", "--venue", "coinbase", "--symbol", "BTC-USD", "--out", str(out)]
    again = CliRunner().invoke(app, call)
    assert (again.exit_code, again.stderr.count("\n")) == (2, 1)
    assert "can be read with --allow-gaps" in again.stderr
    assert part.exists()


def test_a_full_disk_is_one_line_and_keeps_what_was_written(
    steps: Any, spot: Any, tmp_path: Path
) -> None:
    out, part = tmp_path / "tape.gz", tmp_path / "tape.gz.part"
    rng = random.Random(3)  # noqa: S311 - prices that do not compress away
    prices = (f"{100 + rng.randrange(1_000) / 100:.2f}" for _ in itertools.count())
    script = [
        spot.depth("99.99"),
        steps.reached(lambda _tally: len(lines_in(part)) >= 2),
        *(spot.trade(next(prices)) for _ in range(MANY)),
    ]

    async def run() -> tuple[int | None, str, str]:
        async with steps.server([script], steps.answers(spot.snapshot())).running() as server:
            process = await started(server, out, under="ulimit -f 16")  # 8 or 16 KiB
            shown, said = await ended(process)
            return process.returncode, shown, said

    code, shown, said = asyncio.run(run())
    assert (code, shown) == (1, "")
    assert "Traceback" not in said
    last = said.splitlines()[-1]
    assert last.startswith(f"dmm: cannot write {part}: File too large; it keeps the first ")
    assert "free some disk" in last
    assert list(tmp_path.iterdir()) == [part]
    kept = int(last.split("keeps the first ")[1].split()[0])
    feed = open_tape([part], allow_gaps=True)
    assert len(list(feed.events())) >= kept - 1  # the first update is part of the snapshot
