"""Reading and converting need the memory of a piece, however long the tape is."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dmm.adapters.feeds import files, open_tape, plausibility
from dmm.adapters.feeds import native_write as writing

SHORT, LONG = 4_000, 24_000


def peak_bytes(work: Callable[[], object]) -> int:
    work()  # what is loaded once is no part of the measure
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture
def tape_of(write_tape: Any, make_recorder: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(plausibility, "KNOWN_TRADES_MAX", 100)
    monkeypatch.setattr(files, "PIECE_BYTES_MAX", 1 << 16)

    def tape_of(trades: int) -> Path:
        long = make_recorder().snapshot(100).depth(ids=(99, 101))
        for at in range(trades):
            long.trade(f"{100 + at % 7}.3", f"0.{at % 9 + 1:03d}")
        path: Path = write_tape(long, name=f"{trades}.gz")
        return path

    return tape_of


def test_a_tape_six_times_as_long_is_read_in_the_same_memory(tape_of: Any) -> None:
    def read(path: Path) -> int:
        return sum(1 for _event in open_tape([path]).events())

    short, long = tape_of(SHORT), tape_of(LONG)
    assert read(long) == LONG + 2
    assert peak_bytes(lambda: read(long)) < 1.5 * peak_bytes(lambda: read(short))


def test_a_tape_six_times_as_long_is_converted_in_the_same_memory(
    tape_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MESSAGES_MAX", 1_000)

    def convert(path: Path) -> None:
        out = tmp_path / "out.parquet"
        writing.write_tape(open_tape([path]), out, sources=[path], is_replacing=True)

    short, long = tape_of(SHORT), tape_of(LONG)
    assert peak_bytes(lambda: convert(long)) < 1.5 * peak_bytes(lambda: convert(short))
