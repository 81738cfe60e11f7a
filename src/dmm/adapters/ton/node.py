"""One liteserver: an answer, a refusal in words, or no answer; never a guess.

Clients connect at trust level 2: what a server says is believed as far as a quorum of servers says
it too. Level 0 would add validators' signatures over blocks and states; answers of get methods,
which decide about money here, are not proven at any level.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pytoniq import LiteClient, LiteServerError, RunGetMethodError
from pytoniq_core import Address, BlockIdExt, Cell

from dmm.adapters.ton.loop import shared_loop
from dmm.units.errors import Fault, ServiceFault
from dmm.units.web_address import shown_path

T = TypeVar("T")

CALL_S_MAX = 6.0
"""How long one question may take, connecting included."""

POLL_S = 0.002
"""How often the client's listener looks for work; its own 20 ms would be added to every answer."""

TRUST_LEVEL = 2
SERVERS_PER_CONFIG_MAX = 3
"""Servers of one configuration that are used, the first ones: each is asked every question."""

NODES_MAX = 64
BLOCKS_KEPT_MAX = 4_096
STATES_KEPT_MAX = 65_536
CONCURRENT_MAX = 16
MASTERCHAIN, BASECHAIN, SHARD = -1, 0, -(1 << 63)


class NoAnswer(Fault):
    """The server did not answer, or not with what was asked; it may have listened all the same."""


class NodeRefused(Fault):
    """The server answered an error; its text is for people, `code` for programs."""

    def __init__(self, text: str, *, code: int) -> None:
        super().__init__(text)
        self.code = code


class GetterFailed(NodeRefused):
    """A get method ended with an exit code; −256: there is no such contract at that block."""


class WrongChain(NoAnswer):
    """The server is on another network: nothing it says counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A masterchain block: its place, its time, and what its servers name it by."""

    height: int
    block_hash: str
    parent_hash: str
    time_s: int
    named: Any

    def place(self) -> tuple[int, str, int]:
        """Return what must be alike on every server."""
        return self.height, self.block_hash, self.time_s


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """An account at a block: data of its contract, None without one, and its last transaction."""

    data: Cell | None
    last_lt: int
    last_hash: bytes


NOTHING = State(data=None, last_lt=0, last_hash=bytes(32))
"""The state of an account that does not exist."""


class Node:
    """A server that must be on one network: every new connection is asked for its own first."""

    def __init__(
        self,
        config: dict[str, Any],
        place: int,
        *,
        global_id: int,
        answer_s_max: float = CALL_S_MAX,
    ) -> None:
        """Describe it; nothing connects yet.

        Parameters
        ----------
        config : as in a network's ``global.config.json``
        place : which of its liteservers
        global_id : the network's number, config parameter 19
        answer_s_max : how long one question may take, connecting included
        """
        self._answer_s_max = answer_s_max
        server = config["liteservers"][place]
        self.url = f"{_ip(server['ip'])}:{server['port']}"
        self._config, self._place, self._global_id = config, place, global_id
        zero = config["validator"]["zero_state"]["root_hash"]
        self._zero_hash = base64.b64decode(zero).hex()
        self._client: LiteClient | None = None
        self._connecting: asyncio.Lock | None = None
        self._blocks: dict[int, Block] = {}
        self._states: dict[tuple[str, int], State] = {}
        self._tops: dict[int, int | None] = {}

    def head(self) -> Block:
        """Return the last masterchain block, which is final as soon as it is there."""
        info = self.ask(lambda client: client.get_masterchain_info())
        try:
            return self.block(int(info["last"]["seqno"]))
        except (KeyError, TypeError, ValueError) as error:
            raise NoAnswer(f"liteserver {self.url} names no last block") from error

    def block(self, height: int) -> Block:
        """Return the masterchain block of a number."""
        known = self._blocks.get(height)
        if known is None:
            known = self.ask(lambda client: _block(client, height))
            _keep(self._blocks, height, known, BLOCKS_KEPT_MAX)
        return known

    def height_at(self, time_s: int) -> int:
        """Return the number of the last masterchain block at or before a time."""
        named, _ = self.ask(lambda client: client.lookup_block(MASTERCHAIN, SHARD, utime=time_s))
        return int(named.seqno)

    def get(self, address: str, method: str, stack: Sequence[Any], block: Block) -> list[Any]:
        """Return the stack that a get method leaves, as of a block.

        Raises
        ------
        GetterFailed
            If it ends with an exit code; −256 where there is no contract.
        """
        return list(self.ask(lambda c: c.run_get_method(address, method, list(stack), block.named)))

    def state(self, address: str, block: Block) -> State:
        """Return an account as of a block."""
        return self.states([(address, block)])[0]

    def states(self, asked: Sequence[tuple[str, Block]]) -> list[State]:
        """Return accounts as of blocks, asked side by side."""
        missing = [
            (address, block)
            for address, block in dict.fromkeys((a, b.height) for a, b in asked)
            if (address, block) not in self._states
        ]
        by_height = {block.height: block for _, block in asked}
        for start in range(0, len(missing), CONCURRENT_MAX):
            part = missing[start : start + CONCURRENT_MAX]
            found = self.ask(lambda c, part=part: _states(c, part, by_height))  # type: ignore[misc]
            for key, state in zip(part, found, strict=True):
                _keep(self._states, key, state, STATES_KEPT_MAX)
        return [self._states[address, block.height] for address, block in asked]

    def shard_tops(self, heights: Sequence[int]) -> list[int | None]:
        """Return the last shard block that each masterchain block holds.

        None where the basechain has several shards: then the account itself must be asked.
        """
        missing = [height for height in dict.fromkeys(heights) if height not in self._tops]
        blocks = [self.block(height) for height in missing]
        for start in range(0, len(blocks), CONCURRENT_MAX):
            part = blocks[start : start + CONCURRENT_MAX]
            found = self.ask(lambda c, part=part: _tops(c, part))  # type: ignore[misc]
            for block, top in zip(part, found, strict=True):
                _keep(self._tops, block.height, top, BLOCKS_KEPT_MAX)
        return [self._tops[height] for height in heights]

    def transactions(
        self, address: str, *, lt: int, tx_hash: bytes, count: int
    ) -> list[tuple[Any, int]]:
        """Return transactions from one back, newest first, with the number of their shard block."""
        found, blocks = self.ask(
            lambda client: client.raw_get_transactions(address, count, lt, tx_hash)
        )
        if len(found) != len(blocks) or not found or found[0].lt != lt:
            raise NoAnswer(f"liteserver {self.url} answers other transactions of {address}")
        return [(tx, int(block.seqno)) for tx, block in zip(found, blocks, strict=True)]

    def send(self, content: bytes) -> None:
        """Hand a message from outside to the server."""
        self.ask(lambda client: client.raw_send_message(content))

    def ask(self, work: Callable[[LiteClient], Awaitable[T]]) -> T:
        """Return what a question to the client gives.

        Raises
        ------
        NoAnswer
            If the server cannot be reached, runs out of time, or answers nonsense.
        WrongChain
            If it is on another network.
        NodeRefused
            If it answers an error.
        """
        try:
            return shared_loop().run(self._ask(work), s_max=self._answer_s_max)
        except RunGetMethodError as error:
            raise GetterFailed(str(error), code=int(error.exit_code)) from error
        except LiteServerError as error:
            raise NodeRefused(
                f"liteserver {self.url}: {error.message}", code=int(error.code)
            ) from error
        except Fault:
            raise
        except Exception as error:
            # Another server may stand behind the same address when it is back.
            self._drop()
            raise NoAnswer(
                f"liteserver {self.url} did not answer: {type(error).__name__}"
            ) from error

    async def _ask(self, work: Callable[[LiteClient], Awaitable[T]]) -> T:
        if self._connecting is None:
            self._connecting = asyncio.Lock()
        async with self._connecting:
            if self._client is None or not self._client.inited:
                self._client = await self._connect()
        return await work(self._client)

    async def _connect(self) -> LiteClient:
        client = LiteClient.from_config(
            self._config, self._place, trust_level=TRUST_LEVEL, timeout=int(CALL_S_MAX)
        )
        client.delta = POLL_S
        # What it would write to stderr about a lost connection we raise as a fault.
        client.logger.disabled = True
        await client.connect()
        # Every question names its block: following the head would only cost the server work.
        client.updater.cancel()
        info = await client.get_masterchain_info()
        last = BlockIdExt.from_dict(info["last"])
        header = await client.raw_get_block_header(last)
        zero = str(info["init"]["root_hash"])
        if header.global_id != self._global_id or zero != self._zero_hash:
            await client.close()
            raise WrongChain(
                f"liteserver {self.url} is on network {header.global_id} with zero state "
                f"{zero[:16]}, not {self._global_id} with {self._zero_hash[:16]}: "
                "change its configuration"
            )
        return client

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            shared_loop().start(client.close())

    def close(self) -> None:
        """Leave the server; the next question connects again."""
        self._drop()


def open_nodes(
    configs: Sequence[Path], *, global_id: int, answer_s_max: float = CALL_S_MAX
) -> list[Node]:
    """Return the servers of configuration files, the first few of each.

    Raises
    ------
    ServiceFault
        If there is no file, or one cannot be read or names no server.
    """
    if not configs:
        raise ServiceFault("no TON liteserver is configured: set DMM_TON_CONFIGS")
    nodes: list[Node] = []
    for path in configs:
        try:
            text = path.read_text(encoding="utf-8")
            count = min(len(json.loads(text)["liteservers"]), SERVERS_PER_CONFIG_MAX)
            nodes += [_node(text, place, global_id, answer_s_max) for place in range(count)]
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ServiceFault(
                f"{shown_path(str(path))} is no configuration of a TON network: "
                f"{type(error).__name__}; take the network's own global.config.json"
            ) from error
    if not nodes:
        raise ServiceFault(f"{shown_path(str(configs[0]))} names no liteserver")
    return nodes


@lru_cache(maxsize=NODES_MAX)
def _node(config: str, place: int, global_id: int, answer_s_max: float) -> Node:
    """Return a server's node: one of a process, with one connection and what it has learnt."""
    return Node(json.loads(config), place, global_id=global_id, answer_s_max=answer_s_max)


async def _block(client: LiteClient, height: int) -> Block:
    named, header = await client.lookup_block(MASTERCHAIN, SHARD, seqno=height)
    before = header.info.prev_ref.prev
    return Block(
        height=int(named.seqno),
        block_hash=named.root_hash.hex(),
        parent_hash=before.root_hash.hex(),
        time_s=int(header.info.gen_utime),
        named=named,
    )


async def _tops(client: LiteClient, blocks: Sequence[Block]) -> list[int | None]:
    found = await asyncio.gather(*(client.raw_get_all_shards_info(block.named) for block in blocks))
    return [_top(shards) for shards in found]


def _top(shards: Any) -> int | None:
    leaves = shards[BASECHAIN].list
    return int(leaves[0].seq_no) if len(leaves) == 1 else None


async def _states(
    client: LiteClient, asked: Sequence[tuple[str, int]], blocks: dict[int, Block]
) -> list[State]:
    return list(await asyncio.gather(*(_state(client, address, blocks[h]) for address, h in asked)))


async def _state(client: LiteClient, address: str, block: Block) -> State:
    account, shard = await client.raw_get_account_state(Address(address), block.named)
    if account is None or shard is None:
        return NOTHING
    # An account that only has money has no such part.
    init = getattr(account.storage.state, "state_init", None)
    return State(
        data=init.data if init is not None else None,
        last_lt=int(shard.last_trans_lt),
        last_hash=shard.last_trans_hash,
    )


def _keep(kept: dict[Any, T], key: Any, value: T, most: int) -> None:
    """Keep what never changes; the oldest goes first."""
    if len(kept) >= most:
        kept.pop(next(iter(kept)))
    kept[key] = value


def _ip(number: int) -> str:
    return ".".join(str(byte) for byte in number.to_bytes(4, "big", signed=number < 0))
