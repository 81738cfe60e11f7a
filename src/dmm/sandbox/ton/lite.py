"""The liteserver's methods over the local chain: what a TON client may ask, and how it is answered.

Everything is answered for the block that was asked for. Proofs of account states and headers are
real as far as one server's blocks go; proofs that link them to validators are empty, so clients
connect at trust level 2.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pytoniq_core import Cell
from pytoniq_core.tl.generator import TlGenerator
from pytoniq_core.tlb.vm_stack import VmStack

from dmm import observe
from dmm.sandbox.ton import blocks
from dmm.sandbox.ton.chain import LocalChain, key_of
from dmm.sandbox.ton.machine import Refused
from dmm.sandbox.ton.trie import bag
from dmm.units.errors import Fault

TRANSACTIONS_MAX = 16
WAIT_MS_MAX = 60_000
NOT_READY, NOT_FOUND, TIMEOUT, REFUSED = 651, 404, 652, 0
"""Error codes as real servers give them."""

SEQNO_MODE, LT_MODE, TIME_MODE = 1, 2, 4
STACK_MODE = 4
QUERY_AT = 36
EMPTY_STACK: bytes = VmStack.serialize([]).to_boc()

Ask = dict[str, Any]
Now = Callable[[], int]


class Unanswerable(Exception):
    """A query that gets an error: its code and its words."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code, self.words = code, words


@dataclass(slots=True)
class LiteFaults:
    """How a server misbehaves on purpose."""

    behind: int = 0
    """How many blocks a stale server is behind."""
    is_deaf: bool = False
    """Takes queries and answers none."""
    delay_s: float = 0.0
    """How long every answer takes longer."""


class LiteServer:
    """One server of the chain; several may serve it, each with faults of its own."""

    def __init__(self, chain: LocalChain, *, now_s: Now, zero_hash: bytes) -> None:
        self._chain, self._now_s, self._zero_hash = chain, now_s, zero_hash
        self._tl = TlGenerator.with_default_schemas().generate()
        self._sealed = asyncio.Condition()
        self.faults = LiteFaults()
        self._methods: dict[str, Callable[[Ask], Awaitable[bytes]]] = {
            "getMasterchainInfo": self._master_info,
            "getTime": self._time,
            "getVersion": self._version,
            "getAllShardsInfo": self._shards,
            "getBlockHeader": self._header,
            "lookupBlock": self._lookup,
            "getAccountState": self._account,
            "runSmcMethod": self._getter,
            "sendMessage": self._send,
            "getTransactions": self._transactions,
        }

    async def wake(self) -> None:
        """Tell whoever waits for a block that there is one."""
        async with self._sealed:
            self._sealed.notify_all()

    async def answer(self, content: bytes) -> bytes | None:
        """Return the answer to a packet's content, None to a packet that wants none."""
        if self.faults.delay_s:
            await asyncio.sleep(self.faults.delay_s)
        if self.faults.is_deaf:
            return None
        kind = content[:4]
        if kind == self._id("tcp.ping"):
            return self._id("tcp.pong") + content[4:12]
        if kind != self._id("adnl.message.query"):
            return None
        body = await self._query(content[QUERY_AT:])
        return self._id("adnl.message.answer") + content[4:QUERY_AT] + _tl_bytes(body)

    async def _query(self, packed: bytes) -> bytes:
        try:
            return await self._dispatch(_inner(_inner(packed)[4:]))
        except Unanswerable as error:
            return self._error(error.code, error.words)
        except Refused as error:
            return self._error(REFUSED, f"cannot apply external message to current state : {error}")
        except Fault as error:
            return self._error(REFUSED, str(error))
        except (ValueError, KeyError, IndexError, TypeError) as error:
            return self._error(NOT_READY, f"the query cannot be read: {error!r}")

    async def _dispatch(self, query: bytes) -> bytes:
        if query[:4] == self._id("liteServer.waitMasterchainSeqno"):
            seqno = int.from_bytes(query[4:8], "little")
            await self._wait(seqno, wait_ms=int.from_bytes(query[8:12], "little"))
            query = query[12:]
        schema = self._tl.get_by_id(query[:4], "little")
        name = schema.name.removeprefix("liteServer.") if schema else query[:4].hex()
        method = self._methods.get(name)
        if method is None:
            raise Unanswerable(NOT_READY, f"{name} is not served by a local chain")
        asked, _ = self._tl.deserialize(query)
        return await method(asked)

    async def _wait(self, seqno: int, *, wait_ms: int) -> None:
        limit_s = min(wait_ms, WAIT_MS_MAX) / 1_000
        try:
            async with self._sealed:
                await asyncio.wait_for(
                    self._sealed.wait_for(lambda: self._head().seqno >= seqno), limit_s
                )
        except TimeoutError:
            raise Unanswerable(TIMEOUT, "timeout") from None

    # -- blocks -----------------------------------------------------------------------------------

    def _head(self) -> blocks.LocalBlock:
        behind = max(1, self._chain.head.seqno - self.faults.behind)
        return self._chain.blocks[behind - 1]

    def _block(self, asked: Ask) -> blocks.LocalBlock:
        named = asked["id"]
        block = self._chain.block(named["seqno"])
        if block is None or block.seqno > self._head().seqno:
            raise Unanswerable(NOT_READY, f"block {named['seqno']} is not known here")
        own = block.master if named["workchain"] == blocks.MASTERCHAIN else block.shard
        if own.root_hash.hex() != named["root_hash"]:
            raise Unanswerable(NOT_FOUND, f"block {named['seqno']} has another root hash here")
        return block

    async def _master_info(self, _: Ask) -> bytes:
        head = self._head()
        init = {
            "workchain": -1,
            "root_hash": self._zero_hash.hex(),
            "file_hash": self._zero_hash.hex(),
        }
        return self._reply(
            "masterchainInfo",
            last=head.master.to_tl(),
            state_root_hash=head.shard.root_hash.hex(),
            init=init,
        )

    async def _time(self, _: Ask) -> bytes:
        return self._reply("currentTime", now=self._now_s())

    async def _version(self, _: Ask) -> bytes:
        return self._reply("version", mode=0, version=0x101, capabilities=7, now=self._now_s())

    async def _shards(self, asked: Ask) -> bytes:
        block = self._block(asked)
        return self._reply(
            "allShardsInfo", id=block.master.to_tl(), proof=b"", data=blocks.shards(block)
        )

    async def _header(self, asked: Ask) -> bytes:
        return self._header_of(self._block(asked), asked["id"]["workchain"])

    async def _lookup(self, asked: Ask) -> bytes:
        head = self._head()
        if asked["mode"] & SEQNO_MODE:
            block = self._chain.block(asked["id"]["seqno"])
        elif asked["mode"] & TIME_MODE:
            block = self._chain.block_at(asked["utime"])
        else:
            block = next((item for item in self._chain.blocks if item.lt >= asked["lt"]), None)
        if block is None or block.seqno > head.seqno:
            raise Unanswerable(NOT_READY, "no such block")
        return self._header_of(block, asked["id"]["workchain"])

    def _header_of(self, block: blocks.LocalBlock, workchain: int) -> bytes:
        named = block.master if workchain == blocks.MASTERCHAIN else block.shard
        proof = blocks.header_proof(block, workchain)
        return self._reply("blockHeader", id=named.to_tl(), mode=0, header_proof=proof)

    # -- accounts -------------------------------------------------------------------------

    async def _account(self, asked: Ask) -> bytes:
        block, address = self._block(asked), _address(asked)
        state = self._chain.account_at(address, block.seqno)
        proof = blocks.account_proof(block, key_of(address)) if state is not None else None
        root = b""
        if state is not None and proof is not None:
            root = bag(Cell.one_from_boc(state).refs[0])
        return self._reply(
            "accountState",
            id=block.master.to_tl(),
            shardblk=block.shard.to_tl(),
            shard_proof=b"",
            proof=proof or b"",
            state=root,
        )

    async def _getter(self, asked: Ask) -> bytes:
        block = self._block(asked)
        packed = base64.b64encode(asked["params"]).decode() if asked["params"] else None
        done = self._chain.getter(_address(asked), asked["method_id"], packed, seqno=block.seqno)
        stack = base64.b64decode(done["stack"]) if done["stack"] else EMPTY_STACK
        return self._reply(
            "runMethodResult",
            mode=STACK_MODE,
            id=block.master.to_tl(),
            shardblk=block.shard.to_tl(),
            exit_code=done["exit"],
            result=stack,
        )

    async def _send(self, asked: Ask) -> bytes:
        self._chain.submit(asked["body"], now_s=self._now_s())
        return self._reply("sendMsgStatus", status=1)

    async def _transactions(self, asked: Ask) -> bytes:
        count = min(asked["count"], TRANSACTIONS_MAX)
        found = self._chain.history(_address(asked), lt_max=asked["lt"], count=count)
        found = [item for item in found if item.seqno <= self._head().seqno]
        roots = [Cell.one_from_boc(item.transaction.boc) for item in found]
        ids = [self._chain.blocks[item.seqno - 1].shard.to_tl() for item in found]
        return self._reply("transactionList", ids=ids, transactions=bag(*roots) if roots else b"")

    # -- format ---------------------------------------------------------------------------

    def _id(self, name: str) -> bytes:
        return bytes(self._tl.get_by_name(name).little_id())

    def _reply(self, name: str, **values: object) -> bytes:
        return bytes(self._tl.serialize(self._tl.get_by_name(f"liteServer.{name}"), values))

    def _error(self, code: int, words: str) -> bytes:
        observe.service(name="ton", state="query refused", pid=0, note=words[:200])
        packed = code.to_bytes(4, "little", signed=True) + _tl_bytes(words.encode())
        return self._id("liteServer.error") + packed


def _address(asked: Ask) -> str:
    account = asked["account"]
    return f"{account['workchain']}:{account['id']}"


def _tl_bytes(content: bytes) -> bytes:
    size = len(content)
    head = bytes([size]) if size < 254 else b"\xfe" + size.to_bytes(3, "little")
    return head + content + bytes(-(len(head) + size) % 4)


def _inner(packed: bytes) -> bytes:
    """Return the bytes that TL's `bytes` holds.

    Raises
    ------
    ValueError
        If they are cut off.
    """
    if not packed:
        raise ValueError("no bytes")
    start, size = (1, packed[0]) if packed[0] < 254 else (4, int.from_bytes(packed[1:4], "little"))
    if len(packed) < start + size:
        raise ValueError("bytes cut off")
    return packed[start : start + size]
