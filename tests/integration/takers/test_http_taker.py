"""A taker asked over HTTP for its signature of a net statement, by the shipped client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from dmm.adapters.takers.http import ANSWER_BYTES_MAX, HttpTaker
from dmm.rfq.netting import carrier_intent
from dmm.rfq.protocol import Acceptance, FirmQuote, RfqTrade
from dmm.rfq.statement_request import requested_statement
from dmm.sandbox.market_maker import MakerServer
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent, Retryable


def statement(quotes: int = 2) -> Intent:
    trades = []
    for nonce in range(quotes):
        quote = FirmQuote(
            chain="evm",
            contract="0x" + "c0" * 20,
            maker="0x" + "aa" * 20,
            signer="0x" + "ab" * 20,
            taker="0x" + "ba" * 20,
            maker_asset="BTC",
            taker_asset="USDT",
            maker_amount=Atoms(2**255 + nonce),
            taker_amount=Atoms(2**254 + nonce),
            fee_bps=0,
            fee_recipient="0x" + "aa" * 20,
            expiry_s=30,
            settle_by_s=60,
            nonce=nonce,
        )
        trades.append(
            RfqTrade(
                run_id="r",
                epoch=5,
                quote=quote,
                maker_signature=b"\x01" * 65,
                fair_half_ticks=3,
                issued_at_ns=9,
                acceptance=Acceptance(
                    quote_id=quote.quote_id, amount=quote.taker_amount, recipient=quote.taker
                ),
                taker_signature=b"\x02" * 65,
            )
        )
    return carrier_intent(IntentKind.STATEMENT, trades, deadline_s=55, inputs={})


def no_quote(_request: dict[str, object], _cash: Atoms) -> None:
    return None


def test_a_taker_signs_what_it_makes_of_the_trades_as_many_as_one_net_holds() -> None:
    seen: list[Intent] = []

    def sign(request: Mapping[str, object]) -> bytes:
        seen.append(requested_statement(request))
        return b"\x07" * 65

    asked = statement(32)
    with MakerServer(no_quote, sign) as server:
        assert HttpTaker(server.url + "/").sign_statement(asked) == b"\x07" * 65
    assert [(one.scope, one.inputs) for one in seen] == [(asked.scope, asked.inputs)]


def test_a_taker_that_signs_no_statements_refuses() -> None:
    with MakerServer(no_quote) as server, pytest.raises(Permanent, match="signs no such statement"):
        HttpTaker(server.url).sign_statement(statement())


def test_a_taker_that_is_not_there_may_be_asked_later() -> None:
    with MakerServer(no_quote) as server:
        url = server.url
    with pytest.raises(Retryable, match="check DMM_STATEMENT_TAKER_URL"):
        HttpTaker(url).sign_statement(statement())


def test_a_taker_s_own_refusal_is_told() -> None:
    def refuse(_request: Mapping[str, object]) -> bytes:
        raise Permanent("nonce 1 was never accepted")

    with MakerServer(no_quote, refuse) as server, pytest.raises(Permanent, match="never accepted"):
        HttpTaker(server.url).sign_statement(statement())


@contextmanager
def answering(status: int, content: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        thread.join()


@pytest.mark.parametrize(
    ("status", "content", "fault", "words"),
    [
        (503, b"", Retryable, "answered 503"),
        (200, b"nonsense", Permanent, "no readable signature"),
        (200, b"{}", Permanent, "no readable signature"),
        (200, b'{"signature":5}', Permanent, "no readable signature"),
        (200, b'{"signature":"0x"}', Permanent, "a signature of 0 bytes"),
        (200, b" " * (ANSWER_BYTES_MAX + 1), Permanent, "more than allowed"),
    ],
)
def test_an_answer_that_is_no_signature_is_refused(
    status: int, content: bytes, fault: type[Exception], words: str
) -> None:
    with answering(status, content) as url, pytest.raises(fault, match=words):
        HttpTaker(url).sign_statement(statement())


def test_a_secret_in_the_address_is_not_told() -> None:
    with pytest.raises(Retryable) as told:
        HttpTaker("http://user:hush@127.0.0.1:1/hush").sign_statement(statement())
    assert "hush" not in str(told.value)
