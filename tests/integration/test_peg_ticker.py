"""A stable coin's price over HTTP, and the gas price over JSON-RPC."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from dmm.adapters.clock import SystemClock
from dmm.adapters.evm.gas import EvmGas
from dmm.adapters.peg import TickerPeg
from dmm.units.errors import Retryable


class Scripted(HTTPServer):
    status = 200
    body = b""


@pytest.fixture
def server() -> Iterator[Scripted]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served = self.server
            assert isinstance(served, Scripted)
            self.send_response(served.status)
            self.send_header("Content-Length", str(len(served.body)))
            self.end_headers()
            self.wfile.write(served.body)

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            served = self.server
            assert isinstance(served, Scripted)
            chain = b"eth_chainId" in asked
            body = b'{"jsonrpc":"2.0","id":0,"result":"0x7a69"}' if chain else served.body
            self.send_response(served.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    scripted = Scripted(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=scripted.serve_forever, daemon=True)
    thread.start()
    yield scripted
    scripted.shutdown()
    scripted.server_close()
    thread.join(5)


def url_of(server: Scripted) -> str:
    return f"http://127.0.0.1:{server.server_port}/ticker"


@pytest.mark.parametrize(
    "body",
    [
        b'{"symbol":"USDCUSDT","bidPrice":"0.99930000","askPrice":"0.99950000"}',
        b'{"trade_id":7,"bid":"0.9993","ask":"0.9995","price":"1.5"}',
    ],
    ids=["binance", "coinbase"],
)
def test_the_mid_of_a_ticker_is_the_price_in_millionths(server: Scripted, body: bytes) -> None:
    server.body = body
    price_ppm, asked_at_ns = TickerPeg(url_of(server), clock=SystemClock()).price_ppm()
    assert price_ppm == 999_400
    assert 0 <= SystemClock().now_ns() - asked_at_ns < 60 * 10**9


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (503, b"", "answered 503"),
        (200, b"<html>", "no JSON"),
        (200, b'{"price":"1.0"}', "no bid and ask"),
        (200, b'{"bid":"1.01","ask":"0.99"}', "no bid and ask"),
        (200, b'{"bid":"-1","ask":"1"}', "no bid and ask"),
        (200, b'{"bid":"x","ask":"1"}', "no bid and ask"),
        (200, b'{"bid":1.0,"ask":1.0}', "no bid and ask"),
        (200, b'{"bid":"NaN","ask":"NaN"}', "no bid and ask"),
        (200, b" " * 70_000, "70000 bytes"),
    ],
)
def test_a_ticker_that_gives_no_price_says_so(
    server: Scripted, status: int, body: bytes, says: str
) -> None:
    server.status, server.body = status, body
    with pytest.raises(Retryable, match=says):
        TickerPeg(url_of(server), clock=SystemClock()).price_ppm()


def test_a_ticker_that_cannot_be_reached_says_so() -> None:
    with pytest.raises(Retryable, match="cannot be reached"):
        TickerPeg("http://127.0.0.1:9/", clock=SystemClock()).price_ppm()


def test_the_gas_price_is_the_first_nodes_that_answers(server: Scripted) -> None:
    server.body = b'{"jsonrpc":"2.0","id":1,"result":"0x77359400"}'
    dead = "http://127.0.0.1:9/"
    assert EvmGas(rpc_urls=(dead, url_of(server)), chain_id=31337).gas_price() == 2 * 10**9


def test_a_gas_price_nobody_tells_is_retryable_and_names_the_nodes(server: Scripted) -> None:
    server.body = b'{"jsonrpc":"2.0","id":1,"result":null}'
    with pytest.raises(Retryable, match=r"127\.0\.0\.1:9.*calls the gas price None"):
        EvmGas(rpc_urls=("http://127.0.0.1:9/", url_of(server)), chain_id=31337).gas_price()
    with pytest.raises(Retryable, match="not 1"):
        EvmGas(rpc_urls=(url_of(server),), chain_id=1).gas_price()
