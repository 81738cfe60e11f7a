"""A venue on this machine: WebSocket and REST behind one port, following a script."""

from __future__ import annotations

import asyncio
import gzip
import http
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from dmm.adapters.clock import SystemClock
from dmm.adapters.recorders import Limits, Recorded, Recorder, TapeFile, venue_of
from dmm.adapters.recorders.tally import Tally

QUICK = Limits(
    flush_s=0.05,
    write_every_s=0.01,
    delay_s_min=0.02,
    delay_s_max=0.05,
    attempts_max=3,
    snapshot_tries_max=4,
    close_s_max=0.2,
)
PATIENCE_S = 20.0

Until = Callable[[Tally], bool]
Answer = tuple[int, bytes] | tuple[int, bytes, dict[str, str]]


@dataclass
class Reached:
    """A step: wait until the recorder has counted so far."""

    until: Until


class Drop:
    """A step: the line goes dead, without a closing handshake."""


class Close:
    """A step: the server closes as Binance does after 24 hours."""


Step = bytes | str | Reached | Drop | Close


@dataclass
class VenueServer:
    """Plays one script per connection; after its script a connection stays open and silent."""

    scripts: Sequence[Sequence[Step]]
    rest: Callable[[str], Awaitable[Answer]]
    tally: Tally = field(default_factory=Tally)
    paths: list[str] = field(default_factory=list)
    received: list[Any] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[VenueServer]:
        async with serve(
            self._serve, "127.0.0.1", 0, process_request=self._request, close_timeout=0.2
        ) as server:
            self.port = _port(server)
            yield self

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def rest_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def reached(self, until: Until) -> None:
        for _ in range(int(PATIENCE_S / 0.005)):
            if until(self.tally):
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"never reached; counted {self.tally}")

    async def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        self.paths.append(request.path)
        if "Upgrade" in request.headers:
            return None
        status, body, *headers = await self.rest(request.path)
        response = connection.respond(http.HTTPStatus(status), "")
        response.body = body
        del response.headers["Content-Length"]
        response.headers["Content-Length"] = str(len(body))
        for name, value in (headers[0] if headers else {}).items():
            response.headers[name] = value
        return response

    async def _serve(self, connection: ServerConnection) -> None:
        script = self.scripts[self.connections] if self.connections < len(self.scripts) else ()
        self.connections += 1
        listener = asyncio.create_task(self._listen(connection))
        try:
            for step in script:
                match step:
                    case Reached():
                        await self.reached(step.until)
                    case Drop():
                        connection.transport.abort()
                        return
                    case Close():
                        await connection.close(1001)
                        return
                    case _:
                        await connection.send(step)
            await connection.wait_closed()
        except ConnectionClosed:
            pass
        finally:
            listener.cancel()

    async def _listen(self, connection: ServerConnection) -> None:
        async for text in connection:
            self.received.append(json.loads(text))


def _port(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])


class SlowTape(TapeFile):
    """A disk that takes its time."""

    def write(self, lines: Any) -> None:
        time.sleep(0.05)
        super().write(lines)


@dataclass
class Outcome:
    recorded: Recorded
    told: list[str]
    path: Path


Record = Callable[..., Outcome]


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Record from a scripted venue until the recorder has counted so far."""

    def run(
        server: VenueServer,
        *,
        until: Until,
        venue: str = "binance-spot",
        symbol: str = "BTCUSDT",
        limits: Limits = QUICK,
        tape_kind: type[TapeFile] = TapeFile,
        seconds_max: float = PATIENCE_S,
    ) -> Outcome:
        path = tmp_path / "tape.gz"
        told: list[str] = []

        async def all_of_it() -> Recorded:
            stop = asyncio.Event()
            async with server.running():
                source = venue_of(
                    venue, symbol=symbol, socket_url=server.url, rest_url=server.rest_url
                )
                recorder = Recorder(
                    source,
                    tape,
                    clock=SystemClock(),
                    rng=random.Random(7),  # noqa: S311 - spreads delays
                    limits=limits,
                    notify=told.append,
                )
                server.tally = recorder._intake.tally
                work = asyncio.create_task(recorder.run(stop=stop, seconds_max=seconds_max))
                reach = asyncio.create_task(server.reached(until))
                await asyncio.wait({work, reach}, return_when=asyncio.FIRST_COMPLETED)
                stop.set()
                try:
                    return await work
                finally:
                    reach.cancel()
                    await asyncio.gather(reach, return_exceptions=True)

        with tape_kind(path) as tape:
            return Outcome(recorded=asyncio.run(all_of_it()), told=told, path=path)

    return run


def lines_of(path: Path) -> list[tuple[int, bytes]]:
    """Return a recording's received times and messages, byte by byte."""
    split = [line.partition(b" ") for line in gzip.decompress(path.read_bytes()).splitlines()]
    return [(int(stamp), body) for stamp, _space, body in split]


class BinanceSays:
    """Frames of a Binance market; ids and times rise by themselves."""

    def __init__(self, *, symbol: str = "BTCUSDT", is_chained: bool = False) -> None:
        self.symbol = symbol
        self.is_chained = is_chained
        self.last_id = 100
        self.trades = 0
        self.book: dict[str, dict[str, str]] = {
            "b": {"100.01": "0.500001"},
            "a": {"100.10": "0.300000"},
        }

    def depth(self, bid: str = "", ask: str = "", *, size: str = "0.100000", ids: int = 3) -> bytes:
        first_id, before = self.last_id + 1, self.last_id
        self.last_id += ids
        data: dict[str, Any] = {"e": "depthUpdate", "E": now_ms(), "s": self.symbol}
        data |= {"U": first_id, "u": self.last_id}
        if self.is_chained:
            data["pu"] = before
        for side, price in (("b", bid), ("a", ask)):
            data[side] = [[price, size]] if price else []
            if price:
                self.book[side][price] = size
        return self.frame("depth@100ms", data)

    def trade(self, price: str = "100.10", size: str = "0.010000") -> bytes:
        self.trades += 1
        data = {"e": "trade", "E": now_ms(), "s": self.symbol, "t": self.trades, "T": now_ms()}
        return self.frame("trade", data | {"p": price, "q": size, "m": False})

    def best(self) -> bytes:
        bid, ask = self.book["b"], self.book["a"]
        top = {"b": max(bid), "B": bid[max(bid)], "a": min(ask), "A": ask[min(ask)]}
        return self.frame("bookTicker", {"u": self.last_id, "s": self.symbol} | top)

    def frame(self, channel: str, data: dict[str, Any]) -> bytes:
        stream = f"{self.symbol.lower()}@{channel}"
        return json.dumps({"stream": stream, "data": data}, separators=(",", ":")).encode()

    def snapshot(self, last_id: int | None = None) -> bytes:
        body: dict[str, Any] = {"lastUpdateId": self.last_id if last_id is None else last_id}
        body |= {"bids": list(self.book["b"].items()), "asks": list(self.book["a"].items())}
        return json.dumps(body).encode()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def spot() -> BinanceSays:
    return BinanceSays()


@pytest.fixture
def make_says() -> type[BinanceSays]:
    return BinanceSays


@dataclass(frozen=True)
class Steps:
    """What a test scripts with; test modules of this tree cannot import each other."""

    reached: type[Reached] = Reached
    drop: type[Drop] = Drop
    close: type[Close] = Close
    server: type[VenueServer] = VenueServer
    slow_tape: type[SlowTape] = SlowTape
    quick: Limits = QUICK

    @staticmethod
    def lines(path: Path) -> list[tuple[int, bytes]]:
        return lines_of(path)

    @staticmethod
    def now_ms() -> int:
        return now_ms()

    @staticmethod
    def answers(*bodies: bytes) -> Callable[[str], Awaitable[Answer]]:
        """Answer the first request (is the symbol known?) and then with one snapshot after another.

        The last one is given for ever.
        """
        asked: list[str] = []

        async def answer(path: str) -> Answer:
            if "limit=5" in path.split("&") or "products" in path:
                return 200, b"{}"
            asked.append(path)
            return 200, bodies[min(len(asked), len(bodies)) - 1]

        return answer


@pytest.fixture
def steps() -> Steps:
    return Steps()
