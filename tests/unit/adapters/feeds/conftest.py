"""Small recordings in the venue's own format, written line by line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

STARTED_NS = 1_723_161_600_000_000_000
Levels = Sequence[tuple[str, str]]
WriteTape = Callable[..., Path]


class Recorder:
    """Writes lines of a BTCUSDT perpetual (or of another stream) as a recorder would."""

    def __init__(self, *, symbol: str = "BTCUSDT", kind: str = "usdm") -> None:
        self.symbol = symbol
        self.kind = kind
        self.lines: list[str] = []
        self.received_ns = STARTED_NS
        self.last_id = 0
        self.trades = 0

    def line(self, message: object, *, after_ms: int = 10) -> Recorder:
        self.received_ns += after_ms * 1_000_000
        self.lines.append(f"{self.received_ns} {json.dumps(message, separators=(',', ':'))}")
        return self

    @property
    def exchange_ms(self) -> int:
        """The venue's clock: 1,270 ms ahead of the recorder's, as in real recordings."""
        return self.received_ns // 1_000_000 + 1_270

    def depth(
        self,
        bids: Levels = (),
        asks: Levels = (),
        *,
        ids: tuple[int, int],
        previous_id: int | None = None,
        after_ms: int = 10,
    ) -> Recorder:
        data: dict[str, Any] = {
            "e": "depthUpdate",
            "E": self.exchange_ms + after_ms,
            "s": self.symbol,
            "U": ids[0],
            "u": ids[1],
            "b": bids,
            "a": asks,
        }
        if self.kind != "spot":
            data["pu"] = self.last_id if previous_id is None else previous_id
        if self.kind == "coinm":
            data["ps"] = self.symbol.partition("_")[0]
        self.last_id = ids[1]
        return self.stream("depth@0ms", data, after_ms=after_ms)

    def stream(self, channel: str, data: dict[str, Any], *, after_ms: int = 10) -> Recorder:
        message = {"stream": f"{self.symbol.lower()}@{channel}", "data": data}
        return self.line(message, after_ms=after_ms)

    def snapshot(
        self,
        last_id: int,
        bids: Levels = (("100.1", "0.002"), ("100.0", "0.005")),
        asks: Levels = (("100.3", "0.001"), ("100.4", "0.007")),
    ) -> Recorder:
        return self.line({"lastUpdateId": last_id, "bids": bids, "asks": asks})

    def trade(self, price: str, size: str, *, seller: bool = False, **more: object) -> Recorder:
        stamp_ms = self.exchange_ms + 10
        self.trades += 1
        data = {"e": "trade", "E": stamp_ms, "T": stamp_ms - 3, "s": self.symbol, "t": self.trades}
        return self.stream("trade", {**data, "p": price, "q": size, "m": seller, **more})

    def best(self, bid: str, ask: str) -> Recorder:
        data = {"e": "bookTicker", "s": self.symbol, "b": bid, "B": "0.004", "a": ask, "A": "0.003"}
        if self.kind != "spot":
            data["E"] = self.exchange_ms + 10  # type: ignore[assignment]
        return self.stream("bookTicker", data)

    @property
    def text(self) -> bytes:
        return "".join(f"{line}\n" for line in self.lines).encode()


@pytest.fixture
def recorder() -> Recorder:
    """A healthy recording: two updates, the snapshot inside the second, then two more."""
    return (
        Recorder()
        .depth([("99.9", "0.001")], ids=(90, 95))
        .depth([("100.1", "0.003")], ids=(98, 103))
        .snapshot(100)
        .depth([("100.2", "0.004")], ids=(110, 111))
        .trade("100.3", "0.002")
        .best("100.2", "100.3")
        .depth([("100.2", "0")], [("100.3", "0")], ids=(115, 120))
    )


@pytest.fixture
def make_recorder() -> type[Recorder]:
    return Recorder


@pytest.fixture
def write_tape(tmp_path: Path) -> WriteTape:
    def write(content: Recorder | bytes, *, name: str = "tape.gz", cut: int = 0) -> Path:
        text = content if isinstance(content, bytes) else content.text
        packed = gzip.compress(text, mtime=0)
        path = tmp_path / name
        path.write_bytes(packed[: len(packed) - cut])
        return path

    return write


class HourFiles:
    """The three files of an hour, as Python values until written."""

    def __init__(self) -> None:
        self.snapshot: object = {
            "lastUpdateId": 100,
            "bids": [["0.02818100", "7.66600000"], ["0.02818000", "0.17000000"]],
            "asks": [["0.02818200", "3.25000000"], ["0.02818400", "1.00100000"]],
        }
        self.updates = [
            self.update(1_000, (90, 100), bids=[("0.02818100", "9.00000000")]),
            self.update(2_000, (101, 105), bids=[("0.02818100", "0.00000000")]),
            self.update(3_000, (106, 106), asks=[("0.02818200", "0.00000000")]),
        ]
        self.trades = [
            self.trade(1_527, "0.02818200", "2.02000000"),
            self.trade(2_000, "0.02818000", "0.25900000", seller=True),
        ]

    @staticmethod
    def update(
        at_ms: int, ids: tuple[int, int], bids: Levels = (), asks: Levels = ()
    ) -> dict[str, Any]:
        stamp_ms = 1_604_221_200_000 + at_ms
        first, last = ids
        return {"e": "depthUpdate", "E": stamp_ms, "s": "ETHBTC"} | {
            "U": first,
            "u": last,
            "b": bids,
            "a": asks,
        }

    @staticmethod
    def trade(at_ms: int, price: str, size: str, *, seller: bool = False) -> dict[str, Any]:
        stamp_ms = 1_604_221_200_000 + at_ms
        return {"e": "aggTrade", "E": stamp_ms + 150, "s": "ETHBTC", "a": at_ms, "T": stamp_ms} | {
            "p": price,
            "q": size,
            "m": seller,
        }

    def write(self, folder: Path, *, hour: str = "ETHBTC_09") -> Path:
        for part, content in (
            ("snapshot", self.snapshot),
            ("update", self.updates),
            ("trades", self.trades),
        ):
            (folder / f"{hour}_{part}.json").write_text(json.dumps(content), encoding="utf-8")
        return folder / f"{hour}_update.json"


@pytest.fixture
def hour() -> HourFiles:
    return HourFiles()
