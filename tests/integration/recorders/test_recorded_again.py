"""Public recordings sent over a socket once more: what is recorded plays as the original does."""

from __future__ import annotations

import dataclasses
import gzip
import itertools
import os
from pathlib import Path
from typing import Any

import pytest

from dmm.adapters.feeds import open_tape
from dmm.market.tape import FLAWS, BestQuote, FeedEvent

SHARED = Path(__file__).resolve().parents[4] / "shared"
RAW = SHARED / "data" / "binance_ws_l2"
LINES = 4_000

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(
        not SHARED.is_dir() and os.environ.get("CI") != "true",
        reason="the public recordings are not beside the checkout (../shared/data)",
    ),
]


def timeless(event: FeedEvent) -> FeedEvent:
    """Return an event without what differs from one recording to the next."""
    if isinstance(event, BestQuote):  # spot stamps none: before the first update it is when it came
        event = dataclasses.replace(event, exchange_at_ns=0)
    return dataclasses.replace(event, received_at_ns=0)


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_a_public_recording_sent_again_is_recorded_alike(
    record: Any, steps: Any, tmp_path: Path, market: str
) -> None:
    with gzip.open(RAW / f"{market}_btcusdt_20240808.gz") as file:
        # The futures were recorded from a faster stream of the same messages.
        lines = [line.replace(b"@0ms", b"@100ms") for line in itertools.islice(file, LINES)]
    original = tmp_path / "original.gz"
    original.write_bytes(gzip.compress(b"".join(lines), compresslevel=1))
    frames = [line.split(b" ", 1)[1].rstrip(b"\n") for line in lines]
    at = next(at for at, frame in enumerate(frames) if b"lastUpdateId" in frame)

    async def answer(path: str) -> tuple[int, bytes]:
        if "limit=5" not in path.split("&"):  # the snapshot comes where it came then
            await server.reached(lambda tally: tally.messages == at)
        return 200, frames[at]

    mended = steps.reached(lambda tally: tally.snapshots == 1)
    server = steps.server([[*frames[:at], mended, *frames[at + 1 :]]], answer)
    done = record(
        server, venue=f"binance-{market}", until=lambda tally: tally.messages == LINES - 1
    )
    assert [body for _at, body in steps.lines(done.path)] == frames
    before, after = open_tape([original]), open_tape([done.path])
    assert list(map(timeless, after.events())) == list(map(timeless, before.events()))
    assert after.instrument == before.instrument
    assert [getattr(after.report, flaw) for flaw in FLAWS] == [0] * len(FLAWS)
    assert after.report.trades == before.report.trades > 0
