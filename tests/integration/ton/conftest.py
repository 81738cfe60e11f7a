"""A local TON chain in a folder of its own, and a client that is not ours."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

import pytest
from nacl.signing import SigningKey
from pytoniq import LiteClient, WalletV5R1

from dmm.sandbox.ton.install import ensure_npm
from dmm.sandbox.ton.node import GLOBAL_ID, TonNode

ROOT = Path(__file__).resolve().parents[3]
TON1 = 10**9
T = TypeVar("T")


@asynccontextmanager
async def client(node: TonNode, server: int = 0) -> AsyncIterator[LiteClient]:
    made = LiteClient.from_config(node.config, server, trust_level=2)
    await made.connect()
    try:
        yield made
    finally:
        await made.close()


async def fresh(node: TonNode, made: LiteClient) -> None:
    """Wait until nothing is under way and the client knows the last block."""
    while not node.status()["is_idle"]:  # noqa: ASYNC110 - the chain is another process
        await asyncio.sleep(0.02)
    seqno = node.status()["seqno"]
    while made.last_mc_block.seqno < seqno:  # noqa: ASYNC110 - the client has no event
        await asyncio.sleep(0.01)


async def wallet(
    node: TonNode,
    made: LiteClient,
    *,
    seed: int,
    nanoton: int = 1_000 * TON1,
    global_id: int = GLOBAL_ID,
) -> WalletV5R1:
    """Return a funded and deployed wallet."""
    key = SigningKey(bytes([seed]) * 32)
    found = await WalletV5R1.from_private_key(
        made, bytes(key) + bytes(key.verify_key), network_global_id=global_id
    )
    node.fund(found.address.to_str(), nanoton)
    await fresh(node, made)
    await found.send_init_external()
    await fresh(node, made)
    await found.update()
    return found


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(work())


@pytest.fixture(scope="session")
def packages() -> Path:
    return ensure_npm(ROOT, cache_dir=ROOT / ".dmm" / "npm-cache")


@pytest.fixture
def folder() -> Iterator[Path]:
    # Short: a socket's path has a bound.
    made = Path(mkdtemp(prefix="dmm-ton-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def shared_node(packages: Path) -> Iterator[TonNode]:
    made = Path(mkdtemp(prefix="dmm-ton-"))
    with TonNode(root=ROOT, folder=made, ports=(0, 0, 0), tick_ms=20, idle_ms=200) as started:
        yield started
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def node(shared_node: TonNode) -> Iterator[TonNode]:
    """Return the chain of all tests here, with nothing wrong; each test has its own addresses."""
    yield shared_node
    shared_node.set_faults()
    for server in range(3):
        shared_node.set_server(server)
