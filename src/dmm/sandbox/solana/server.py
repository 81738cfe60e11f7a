"""JSON-RPC over HTTP and WebSocket, on one loopback port, one call after the other."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from dmm.sandbox.solana.bank import Record
from dmm.sandbox.solana.chain import Chain
from dmm.sandbox.solana.failure import INVALID_REQUEST, PARSE_ERROR, RpcError
from dmm.sandbox.solana.rpc import BATCH_MAX, ReplyLost, Rpc
from dmm.sandbox.solana.subscriptions import Outbox, Subscriptions, outbox

BODY_BYTES_MAX = 1_024 * 1_024
TICK_S_MIN = 0.01
IDLE_TICK_S = 0.05
"""How often notes are looked at when slots pass only on request."""


class Server:
    """One chain behind its interface."""

    def __init__(self, chain: Chain) -> None:
        """Take the chain; `app` is what a web server runs."""
        self._chain = chain
        self._subscriptions = Subscriptions(chain)
        self._rpc = Rpc(chain, self._landed)
        self.app = Starlette(
            routes=[
                Route("/", self._http, methods=["POST"]),
                Route("/health", self._health),
                WebSocketRoute("/", self._websocket),
            ],
            lifespan=self._lifespan,
        )

    def _landed(self, records: Sequence[Record]) -> None:
        self._subscriptions.landed(records)

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        del app
        ticking = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticking
            self._chain.close()

    async def _tick(self) -> None:
        slot_ms = self._chain.pace.slot_ms
        pause_s = max(TICK_S_MIN, slot_ms / 2_000) if slot_ms else IDLE_TICK_S
        while True:
            await asyncio.sleep(pause_s)
            self._rpc.advance()
            self._subscriptions.mature()

    async def _health(self, request: Request) -> Response:
        del request
        return JSONResponse("ok")

    async def _http(self, request: Request) -> Response:
        body = await request.body()
        if len(body) > BODY_BYTES_MAX:
            return Response(status_code=413)
        try:
            return JSONResponse(self._answers(body))
        except ReplyLost:
            return Response(status_code=504)

    def _answers(self, body: bytes | str) -> Any:
        try:
            asked = json.loads(body)
        except ValueError:
            return _error(None, PARSE_ERROR, "Parse error")
        if not isinstance(asked, list):
            found: Any = self._rpc.answer(asked)
        elif 0 < len(asked) <= BATCH_MAX:
            found = [self._rpc.answer(one) for one in asked]
        else:
            return _error(None, INVALID_REQUEST, f"a batch is 1 to {BATCH_MAX} calls")
        self._subscriptions.mature()
        return found

    async def _websocket(self, socket: WebSocket) -> None:
        await socket.accept()
        notes = outbox()
        pumping = asyncio.create_task(_pump(socket, notes))
        try:
            async for text in socket.iter_text():
                for answer in self._socket_answers(text, notes):
                    await socket.send_text(json.dumps(answer))
                self._subscriptions.mature()
        finally:
            self._subscriptions.drop(notes)
            pumping.cancel()
            with contextlib.suppress(asyncio.CancelledError, RuntimeError):
                await pumping

    def _socket_answers(self, text: str, notes: Outbox) -> list[Any]:
        try:
            asked = json.loads(text)
        except ValueError:
            return [_error(None, PARSE_ERROR, "Parse error")]
        requests = asked if isinstance(asked, list) else [asked]
        return [self._socket_answer(one, notes) for one in requests[:BATCH_MAX]]

    def _socket_answer(self, request: Any, notes: Outbox) -> Any:
        method = str(request.get("method", "")) if isinstance(request, dict) else ""
        params = request.get("params") or [] if isinstance(request, dict) else []
        try:
            if method.endswith("Unsubscribe"):
                result: Any = self._subscriptions.unsubscribe(int(params[0]), notes)
            elif method.endswith("Subscribe"):
                result = self._subscriptions.subscribe(method, params, notes)
            else:
                return self._rpc.answer(request)
        except RpcError as error:
            return _error(request.get("id"), error.code, error.text)
        except (IndexError, TypeError, ValueError) as error:
            return _error(request.get("id"), INVALID_REQUEST, f"Invalid params: {error}")
        except ReplyLost:
            return _error(request.get("id"), INVALID_REQUEST, "the answer is lost")
        return {"jsonrpc": "2.0", "id": request.get("id"), "result": result}


async def _pump(socket: WebSocket, notes: Outbox) -> None:
    while True:
        await socket.send_text(json.dumps(await notes.get()))


def _error(name: Any, code: int, text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": name, "error": {"code": code, "message": text}}
