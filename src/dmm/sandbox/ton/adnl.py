"""The transport that TON clients speak: ADNL over TCP, on loopback.

A client that knows the server's public key opens with one packet, which carries the keys of both
directions; from then on each side sends encrypted packets of length, nonce, content and checksum.

References
----------
TON documentation, "ADNL TCP - liteserver"; key ids as in tonlib's TL schema (pub.ed25519).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from nacl.signing import VerifyKey
from pytoniq_core.crypto.ciphers import Client, create_aes_ctr_cipher, get_shared_key

HANDSHAKE_BYTES = 256
NONCE_BYTES = CHECKSUM_BYTES = 32
PACKET_BYTES_MAX = 16 << 20
CLIENTS_MAX = 64
HANDSHAKE_S_MAX = 5.0

Answer = Callable[[bytes], Awaitable[bytes | None]]
"""What a packet's content is answered with; None answers nothing."""


class ServerKey:
    """The server's key pair: who it is."""

    def __init__(self, seed: bytes) -> None:
        """Derive it from 32 bytes."""
        self._pair = Client(seed)

    @property
    def public_base64(self) -> str:
        """Return the public key as configurations name it."""
        return base64.b64encode(self._pair.ed25519_public.encode()).decode()

    def open(self, packet: bytes) -> bytes:
        """Return the 160 bytes of a handshake that was meant for this key.

        Raises
        ------
        ValueError
            If it is for another key, or does not decrypt to what its checksum says.
        """
        if packet[:32] != self._pair.get_key_id():
            raise ValueError("the handshake is for another server")
        peer = VerifyKey(packet[32:64]).to_curve25519_public_key()
        checksum = packet[64:96]
        shared = get_shared_key(self._pair.x25519_private.encode(), peer.encode())
        key, vector = shared[:16] + checksum[16:32], checksum[:4] + shared[20:32]
        content: bytes = create_aes_ctr_cipher(key, vector).decrypt(packet[96:HANDSHAKE_BYTES])
        if hashlib.sha256(content).digest() != checksum:
            raise ValueError("the handshake's checksum is wrong")
        return content


@dataclass(slots=True)
class _Line:
    """One client's connection after its handshake."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    sending: Any
    receiving: Any

    async def send(self, content: bytes) -> None:
        packet = secrets.token_bytes(NONCE_BYTES) + content
        packet += hashlib.sha256(packet).digest()
        # Encrypted and queued without a pause between: the cipher's stream must not interleave.
        self.writer.write(self.sending.encrypt(len(packet).to_bytes(4, "little") + packet))
        await self.writer.drain()

    async def receive(self) -> bytes:
        size = int.from_bytes(self.receiving.decrypt(await self.reader.readexactly(4)), "little")
        if not NONCE_BYTES + CHECKSUM_BYTES <= size <= PACKET_BYTES_MAX:
            raise ValueError(f"a packet of {size} bytes")
        packet = self.receiving.decrypt(await self.reader.readexactly(size))
        if hashlib.sha256(packet[:-CHECKSUM_BYTES]).digest() != packet[-CHECKSUM_BYTES:]:
            raise ValueError("a packet's checksum is wrong")
        return bytes(packet[NONCE_BYTES:-CHECKSUM_BYTES])


class AdnlServer:
    """Listens on loopback and hands every packet's content to `answer`."""

    def __init__(self, key: ServerKey, answer: Answer) -> None:
        self._key, self._answer = key, answer
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def listen(self, port: int) -> int:
        """Start and return the port, a free one for 0."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and hang up on everybody."""
        if self._server is not None:
            self._server.close()
        for task in list(self._clients):
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._clients) >= CLIENTS_MAX:
            writer.close()
            return
        self._clients.add(task)
        try:
            await self._serve(reader, writer)
        except (ValueError, ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            # Whoever speaks another protocol, or hangs up, is done with.
            return
        except asyncio.CancelledError:
            return
        finally:
            self._clients.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        packet = await asyncio.wait_for(reader.readexactly(HANDSHAKE_BYTES), HANDSHAKE_S_MAX)
        keys = self._key.open(packet)
        line = _Line(
            reader,
            writer,
            sending=create_aes_ctr_cipher(keys[0:32], keys[64:80]),
            receiving=create_aes_ctr_cipher(keys[32:64], keys[80:96]),
        )
        await line.send(b"")
        async with asyncio.TaskGroup() as waiting:
            while True:
                content = await line.receive()
                # A client that waits for a block must still get its other answers.
                waiting.create_task(self._reply(line, content))

    async def _reply(self, line: _Line, content: bytes) -> None:
        answer = await self._answer(content)
        if answer is not None:
            await line.send(answer)
