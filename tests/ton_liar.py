"""A liteserver that passes everything on to an honest one, and lies where it is told to."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from pytoniq_core import Cell
from pytoniq_core.crypto.ciphers import Client, Server, create_aes_ctr_cipher, get_shared_key

from dmm.sandbox.ton.adnl import AdnlServer, ServerKey
from dmm.sandbox.ton.trie import bag, pruned

TAG_BYTES, ID_BYTES = 4, 32
BLOCK_BYTES = 80
BLOCK_HEADER, ACCOUNT_STATE = bytes.fromhex("19822d75"), bytes.fromhex("51c77970")
TRANSACTIONS = bytes.fromhex("0bc6266f")
PAY = bytes.fromhex("444d0201")
AMOUNT_AT = 4 + 8 + 32 + 4 + 32 + 32 + 1
"""Where the digits of a payment's amount begin in its message: see contracts/ton/schema.tlb."""

ADDRESS_BIT = 100
"""Of an account's state, somewhere in its address."""

Lie = Callable[[bytes], bytes]
"""Takes an answer's content and returns what is said instead."""


# -- lies ------------------------------------------------------------------------------------------


def dropped_transaction(answer: bytes) -> bytes:
    """Leave the second of several transactions out."""
    return _with_roots(answer, lambda roots: roots[:1] + roots[2:])


def cut_history(answer: bytes) -> bytes:
    """Say that there is nothing before the fourth last transaction of a page."""
    return _with_roots(answer, lambda roots: roots[:-4] if len(roots) > 4 else [])


def swapped_transactions(answer: bytes) -> bytes:
    """Give two transactions in the other order."""
    return _with_roots(answer, lambda roots: [*roots[1::-1], *roots[2:]])


def changed_amount(answer: bytes) -> bytes:
    """Say that a payment was of another amount than its message holds."""
    if answer[:TAG_BYTES] != TRANSACTIONS or PAY not in answer:
        return answer
    place = answer.index(PAY) + AMOUNT_AT
    return answer[:place] + bytes([answer[place] ^ 1]) + answer[place + 1 :]


def hidden_message(answer: bytes) -> bytes:
    """Leave the content of what came in out of each transaction; its hash stays."""
    return _with_roots(answer, lambda roots: [_pruned_at(root, (0, 0, 0)) for root in roots])


def hidden_data(answer: bytes) -> bytes:
    """Leave a contract's data out of its state; its hash stays."""
    return _with_state(answer, lambda root: _pruned_at(root, (1,)))


def changed_state(answer: bytes) -> bytes:
    """Say that an account holds other data than its proof is for."""

    def change(root: Cell) -> Cell:
        bits = root.bits.copy()
        bits.invert(ADDRESS_BIT)
        return Cell(bits, root.refs, root.type_)

    return _with_state(answer, change)


def changed_proof(answer: bytes) -> bytes:
    """Say that another transaction was an account's last."""
    if answer[:TAG_BYTES] != ACCOUNT_STATE:
        return answer
    start = TAG_BYTES + 2 * BLOCK_BYTES
    shard_proof, start = _taken(answer, start)
    proof, start = _taken(answer, start)
    if not proof:
        return answer
    changed = proof[:-20] + bytes([proof[-20] ^ 1]) + proof[-19:]
    head = answer[: TAG_BYTES + 2 * BLOCK_BYTES]
    return head + _packed(shard_proof) + _packed(changed) + answer[start:]


def other_time(answer: bytes) -> bytes:
    """Say that a block is of another time."""
    if answer[:TAG_BYTES] != BLOCK_HEADER:
        return answer
    place = answer.index(bytes.fromhex("9bc7a987")) + 35
    return answer[:place] + bytes([answer[place] ^ 1]) + answer[place + 1 :]


def no_answer(answer: bytes) -> bytes:
    """Answer transactions with a block."""
    return BLOCK_HEADER + answer[TAG_BYTES:] if answer[:TAG_BYTES] == TRANSACTIONS else answer


def _pruned_at(cell: Cell, path: tuple[int, ...]) -> Cell:
    """Return a cell with the one at the end of a path pruned, itself where there is none."""
    if not path:
        return pruned(cell)
    refs = list(cell.refs)
    if path[0] >= len(refs):
        return cell
    refs[path[0]] = _pruned_at(refs[path[0]], path[1:])
    return Cell(cell.bits, refs, cell.type_)


def _with_state(answer: bytes, change: Callable[[Cell], Cell]) -> bytes:
    if answer[:TAG_BYTES] != ACCOUNT_STATE:
        return answer
    _, start = _taken(answer, TAG_BYTES + 2 * BLOCK_BYTES)
    _, start = _taken(answer, start)
    state, _ = _taken(answer, start)
    return answer[:start] + _packed(bag(change(Cell.one_from_boc(state)))) if state else answer


def _with_roots(answer: bytes, change: Callable[[list[Cell]], list[Cell]]) -> bytes:
    if answer[:TAG_BYTES] != TRANSACTIONS:
        return answer
    count = int.from_bytes(answer[TAG_BYTES : TAG_BYTES + 4], "little")
    content, _ = _taken(answer, TAG_BYTES + 4 + count * BLOCK_BYTES)
    roots = change(Cell.from_boc(content))
    ids = answer[TAG_BYTES + 4 : TAG_BYTES + 4 + len(roots) * BLOCK_BYTES]
    head = answer[:TAG_BYTES] + len(roots).to_bytes(4, "little") + ids
    return head + _packed(bag(*roots) if roots else b"")


def _packed(content: bytes) -> bytes:
    size = len(content)
    head = bytes([size]) if size < 254 else b"\xfe" + size.to_bytes(3, "little")
    return head + content + bytes(-(len(head) + size) % 4)


def _taken(answer: bytes, start: int) -> tuple[bytes, int]:
    """Return TL's `bytes` at a place, and where they end."""
    is_long = answer[start] == 254
    head = 4 if is_long else 1
    size = int.from_bytes(answer[start + 1 : start + 4], "little") if is_long else answer[start]
    end = start + head + size
    return answer[start + head : end], end + -(head + size) % 4


# -- the server ------------------------------------------------------------------------------------


class Liar:
    """One lying server; its lie may change while it runs."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.lie: Lie = bytes
        self._config, self._honest = config, config["liteservers"][0]
        self.key = ServerKey(secrets.token_bytes(32))
        self.port = 0
        self._asking, self._line = asyncio.Lock(), cast("_Line | None", None)

    def config(self, folder: Path, **change: Any) -> str:
        """Write a configuration that names this server; return its path."""
        entry = {"@type": "pub.ed25519", "key": self.key.public_base64}
        server = {"ip": self._honest["ip"], "port": self.port, "id": entry}
        path = folder / "liar.config.json"
        path.write_text(json.dumps(self._config | {"liteservers": [server]} | change))
        return str(path)

    async def answer(self, content: bytes) -> bytes:
        """Ask the honest server the same, and tell something else."""
        async with self._asking:
            # Kept only while it is in step: whoever hangs up leaves an answer behind.
            line, self._line = self._line or await _Line.open(self._honest), None
            whole = await asyncio.wait_for(line.ask(content), 10)
            self._line = line
        head, (body, _) = whole[: TAG_BYTES + ID_BYTES], _taken(whole, TAG_BYTES + ID_BYTES)
        return head + _packed(self.lie(body))

    async def close(self) -> None:
        """Leave the honest server."""
        if self._line is not None:
            self._line.writer.close()


@dataclass
class _Line:
    """A connection to the honest server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    into: Any
    out: Any

    @classmethod
    async def open(cls, server: dict[str, Any]) -> _Line:
        reader, writer = await asyncio.open_connection("127.0.0.1", server["port"])
        keys, own = secrets.token_bytes(160), Client(Client.generate_ed25519_private_key())
        theirs = Server("", 0, base64.b64decode(server["id"]["key"]))
        shared = get_shared_key(own.x25519_private.encode(), theirs.x25519_public.encode())
        checksum = sha256(keys).digest()
        cipher = create_aes_ctr_cipher(shared[:16] + checksum[16:], checksum[:4] + shared[20:32])
        hello = theirs.get_key_id() + own.ed25519_public.encode() + checksum
        writer.write(hello + cipher.encrypt(keys))
        into = create_aes_ctr_cipher(keys[:32], keys[64:80])
        made = cls(reader, writer, into, create_aes_ctr_cipher(keys[32:64], keys[80:96]))
        await made.receive()
        return made

    async def ask(self, content: bytes) -> bytes:
        packet = secrets.token_bytes(32) + content
        packet += sha256(packet).digest()
        self.writer.write(self.out.encrypt(len(packet).to_bytes(4, "little") + packet))
        return await self.receive()

    async def receive(self) -> bytes:
        size = int.from_bytes(self.into.decrypt(await self.reader.readexactly(4)), "little")
        return bytes(self.into.decrypt(await self.reader.readexactly(size))[32:-32])


@contextmanager
def liar(config: dict[str, Any]) -> Iterator[Liar]:
    """Run a lying server beside an honest one's configuration."""
    made, loop, ready = Liar(config), asyncio.new_event_loop(), threading.Event()
    ended = asyncio.Event()

    async def serve() -> None:
        server = AdnlServer(made.key, made.answer)
        made.port = await server.listen(0)
        ready.set()
        await ended.wait()
        await server.close()
        await made.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait()
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
