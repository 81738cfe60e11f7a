"""A local TON chain in a folder of its own, and a client that is not ours."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

import pytest
from nacl.signing import SigningKey
from pytoniq import LiteClient, WalletV5R1

from dmm.adapters.ton.client import TonChain
from dmm.adapters.ton.codec import Book
from dmm.adapters.ton.log import TonLog
from dmm.adapters.ton.node import CALL_S_MAX
from dmm.adapters.ton.sign import sign_quote, sign_settlement
from dmm.market.instrument import Asset
from dmm.ports import Answer, Deployment, SignedTx
from dmm.rfq.protocol import FirmQuote
from dmm.sandbox.ton.actors import Actors, V5Actors, accept, sign_buyback_quote
from dmm.sandbox.ton.deploy import deploy
from dmm.sandbox.ton.install import ensure_npm
from dmm.sandbox.ton.node import GLOBAL_ID, TonNode
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms

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


BTC, USDT = Asset(symbol="BTC", decimals=8), Asset(symbol="USDT", decimals=6)
END_S_MAX = 30.0


@dataclass
class Local:
    """The desk's contracts on a local chain with three servers, and intents to pay on it."""

    node: TonNode
    actors: Actors
    deployments: dict[str, Deployment]
    ordinal: int = 0
    known: TonChain | None = None
    known_log: TonLog | None = None

    @property
    def book(self) -> Book:
        return Book(chain_id=GLOBAL_ID, deployments=self.deployments)

    def chain(self, *configs: Path, **change: Any) -> TonChain:
        """Return the chain; one of its own where anything differs."""
        if not configs and not change:
            self.known = self.known or self.new_chain()
            return self.known
        return self.new_chain(*configs, **change)

    def new_chain(self, *configs: Path, **change: Any) -> TonChain:
        terms: dict[str, Any] = {
            "configs": configs or (self.node.config_path,),
            "global_id": GLOBAL_ID,
            "deployments": self.deployments,
            "answer_s_max": CALL_S_MAX,
            "message_nanoton_max": 10**9,
            "wallet": self.actors.wallet,
        }
        return TonChain(**(terms | change))

    def log(self, *configs: Path) -> TonLog:
        if not configs:
            self.known_log = self.known_log or self.new_log()
            return self.known_log
        return self.new_log(*configs)

    def new_log(self, *configs: Path) -> TonLog:
        return TonLog(
            answer_s_max=CALL_S_MAX,
            configs=configs or (self.node.config_path,),
            global_id=GLOBAL_ID,
            deployments=self.deployments,
        )

    def one_server(self) -> TonLog:
        path = self.node.folder / "one.config.json"
        path.write_text(
            json.dumps(self.node.config | {"liteservers": self.node.config["liteservers"][:1]}),
            encoding="utf-8",
        )
        return self.new_log(path)

    def now_s(self) -> int:
        return int(self.node.status()["time_s"])

    def idle(self) -> int:
        """Wait until nothing is under way; return the last block's number."""
        until_s = time.monotonic() + END_S_MAX
        self.node.seal()
        while not self.node.status()["is_idle"]:
            assert time.monotonic() < until_s, "messages are under way for too long"
            time.sleep(0.01)
        return int(self.node.status()["seqno"])

    def reward(self, **change: Any) -> Intent:
        self.ordinal += 1
        terms: dict[str, Any] = {
            "kind": IntentKind.REWARD,
            "chain": "ton",
            "contract": "treasury",
            "vault": "treasury@ton",
            "scope": "test/liquidity",
            "epoch": 0,
            "ordinal": self.ordinal,
            "asset": "DCT",
            "recipient": self.actors.providers[self.ordinal % 3].address,
            "amount": Atoms(1_234_567_891),
            "deadline_s": self.now_s() + 600,
            "inputs": {},
        }
        return Intent(**(terms | change))

    def buyback(self, **change: Any) -> Intent:
        self.ordinal += 1
        deadline_s = self.now_s() + 600
        quote, signature = sign_buyback_quote(
            actors=self.actors,
            book=self.book,
            taker=self.deployments["treasury"].address,
            cash_asset="USDT",
            cash_amount=Atoms(70_000_003),
            bought_asset="DCT",
            bought_amount=Atoms(999_000_000_007),
            deadline_s=deadline_s,
            nonce=2**40 + self.ordinal,
        )
        terms: dict[str, Any] = {
            "kind": IntentKind.BUYBACK,
            "scope": "test/buyback",
            "asset": "USDT",
            "recipient": quote.maker,
            "amount": quote.taker_amount,
            "deadline_s": deadline_s,
            "inputs": {
                "quote": quote.to_json(),
                "maker_signature": "0x" + signature.hex(),
                "min_out": quote.maker_amount,
                "burn": True,
            },
        }
        return self.reward(**(terms | change))

    def quote(self, **change: Any) -> FirmQuote:
        self.ordinal += 1
        now_s, vault = self.now_s(), self.deployments["settlement"].address
        terms: dict[str, Any] = {
            "chain": "ton",
            "contract": vault,
            "maker": vault,
            "signer": self.actors.quote_signer.address,
            "taker": self.actors.takers[0].address,
            "maker_asset": "BTC",
            "taker_asset": "USDT",
            "maker_amount": Atoms(250_000_003),
            "taker_amount": Atoms(150_000_007),
            "fee_bps": 0,
            "fee_recipient": vault,
            "expiry_s": now_s + 30,
            "settle_by_s": now_s + 600,
            "nonce": self.ordinal,
        }
        return FirmQuote(**(terms | change))

    def fill(self, quote: FirmQuote | None = None, **change: Any) -> Intent:
        quote = quote or self.quote()
        acceptance, takers = accept(quote, actors=self.actors, book=self.book)
        makers = sign_quote(quote, key=self.actors.quote_signer, book=self.book)
        terms: dict[str, Any] = {
            "kind": IntentKind.QUOTE,
            "contract": "settlement",
            "vault": "desk@ton",
            "scope": quote.maker,
            "ordinal": quote.nonce,
            "asset": quote.maker_asset,
            "recipient": acceptance.recipient,
            "amount": quote.maker_amount,
            "deadline_s": quote.settle_by_s,
            "inputs": {
                "quote": quote.to_json(),
                "maker_signature": "0x" + makers.hex(),
                "acceptance": {
                    "quote_id": acceptance.quote_id.hex(),
                    "amount": acceptance.amount,
                    "recipient": acceptance.recipient,
                },
                "taker_signature": "0x" + takers.hex(),
            },
        }
        return self.reward(**(terms | change))

    def signed(self, intent: Intent, *, slot: int | None = None) -> SignedTx:
        chain = self.chain()
        at = chain.snapshot()
        self.ordinal += 1
        offer = chain.slot_offer(self.actors.operator.address, at=at)
        assert offer is not None
        request = chain.sign_request(
            intent,
            generation=0,
            bump=0,
            slot=2_000 + self.ordinal if slot is None else slot,
            expires=offer.expires,
            anchor=offer.anchor,
        )
        return sign_settlement(request, key=self.actors.operator, book=self.book)

    def pay(self, intent: Intent) -> SignedTx:
        """Sign, send, and wait until nothing is under way."""
        done = self.signed(intent)
        self.chain().send(done.raw)
        self.idle()
        return done

    def state(self, intent: Intent) -> Answer:
        chain = self.chain()
        return chain.key_state(intent, at=chain.snapshot())

    def held(self, holder: str, asset: str) -> int:
        chain = self.chain()
        height = chain.snapshot().finalized_height
        return self.log().balance(holder=holder, asset=asset, height=height)

    def config(self, folder: Path, **change: Any) -> Path:
        """Return another configuration file: the chain's own with other values."""
        path = folder / f"config-{len(list(folder.iterdir()))}.json"
        path.write_text(json.dumps(self.node.config | change), encoding="utf-8")
        return path


@contextmanager
def deployed_local(kind: type[Actors]) -> Iterator[Local]:
    folder = Path(mkdtemp(prefix="dmm-ton-"))
    with TonNode(root=ROOT, folder=folder, ports=(0, 0, 0), tick_ms=10, idle_ms=300) as node:
        actors = kind.of(folder)
        made = deploy(
            node=node,
            build_dir=ROOT / "contracts" / "ton" / "build",
            actors=actors,
            position=BTC,
            cash=USDT,
        )
        yield Local(node, actors, {deployed.name: deployed for deployed in made})
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_local(packages: Path) -> Iterator[Local]:
    with deployed_local(Actors) as made:
        yield made


@pytest.fixture(scope="session")
def shared_v5(packages: Path) -> Iterator[Local]:
    with deployed_local(V5Actors) as made:
        yield made


@pytest.fixture
def local(shared_local: Local) -> Iterator[Local]:
    """Return the deployed chain of all tests here, with nothing wrong or under way."""
    yield shared_local
    mend(shared_local)


def mend(local: Local) -> None:
    """Take every fault back and wait until nothing is under way."""
    local.node.set_faults()
    local.node.pause(paused=False)
    for server in range(3):
        local.node.set_server(server)
    local.idle()
