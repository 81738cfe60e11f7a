"""A local chain that mines only when told, with everything deployed, per test module."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dmm.adapters.evm.client import EvmChain
from dmm.adapters.evm.codec import Book
from dmm.adapters.evm.events import EvmLog
from dmm.adapters.evm.sign import Key, sign_quote, sign_settlement
from dmm.market.instrument import Asset
from dmm.ports import Deployment, Snapshot, TxView
from dmm.rfq.protocol import FirmQuote
from dmm.sandbox.evm.actors import Actors, accept, sign_buyback_quote
from dmm.sandbox.evm.deploy import deploy
from dmm.sandbox.evm.install import ensure_npm
from dmm.sandbox.evm.node import CHAIN_ID, FINALITY_BLOCKS, EvmNode
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "contracts" / "evm" / "build"
BTC, USDT = Asset(symbol="BTC", decimals=8), Asset(symbol="USDT", decimals=6)


@dataclass
class Local:
    """The chain, its actors, and intents to pay on it."""

    node: EvmNode
    actors: Actors
    deployments: dict[str, Deployment]
    ordinal: int = 0

    @property
    def book(self) -> Book:
        return Book(chain_id=CHAIN_ID, deployments=self.deployments)

    def chain(self, *urls: str, chain_id: int = CHAIN_ID) -> EvmChain:
        return EvmChain(
            rpc_urls=urls or (self.node.url,),
            chain_id=chain_id,
            deployments=self.deployments,
            artefact_dir=BUILD,
            fee_gwei_max=200,
            tip_gwei=1,
        )

    def log(self) -> EvmLog:
        return EvmLog(
            rpc_urls=(self.node.url,),
            chain_id=CHAIN_ID,
            deployments=self.deployments,
            artefact_dir=BUILD,
        )

    @contextmanager
    def mining(self) -> Iterator[None]:
        """Mine again and again while somebody waits for a block, however slow the machine is."""
        done = threading.Event()

        def mine() -> None:
            while not done.wait(0.1):
                self.node.mine(1)

        thread = threading.Thread(target=mine)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def finalize(self) -> Snapshot:
        self.node.mine(FINALITY_BLOCKS + 1)
        return self.chain().snapshot()

    def reward(self, **change: Any) -> Intent:
        self.ordinal += 1
        terms: dict[str, Any] = {
            "kind": IntentKind.REWARD,
            "chain": "evm",
            "contract": "treasury",
            "vault": "treasury",
            "scope": "test/liquidity",
            "epoch": 0,
            "ordinal": self.ordinal,
            "asset": "DCT",
            "recipient": self.actors.providers[0].address,
            "amount": Atoms(1_234_567_891),
            "deadline_s": self.chain().snapshot().head_time_s + 600,
            "inputs": {},
        }
        return Intent(**(terms | change))

    def buyback(self) -> Intent:
        self.ordinal += 1
        deadline_s = self.chain().snapshot().head_time_s + 600
        quote, signature = sign_buyback_quote(
            actors=self.actors,
            book=self.book,
            chain="evm",
            taker=self.deployments["treasury"].address,
            cash_asset="USDT",
            cash_amount=Atoms(70_000_003),
            bought_asset="DCT",
            bought_amount=Atoms(999_000_000_007),
            deadline_s=deadline_s,
            nonce=self.ordinal,
        )
        return self.reward(
            kind=IntentKind.BUYBACK,
            scope="test/buyback",
            asset="USDT",
            recipient=quote.maker,
            amount=quote.taker_amount,
            deadline_s=deadline_s,
            inputs={
                "quote": quote.to_json(),
                "maker_signature": "0x" + signature.hex(),
                "min_out": quote.maker_amount,
                "burn": True,
            },
        )

    def quote(self, *, nonce: int, settle_s: int = 600) -> FirmQuote:
        now_s = self.chain().snapshot().head_time_s
        return FirmQuote(
            chain="evm",
            contract=self.deployments["settlement"].address,
            maker=self.actors.desk.address,
            signer=self.actors.quote_signer.address,
            taker=self.actors.takers[0].address,
            maker_asset="BTC",
            taker_asset="USDT",
            maker_amount=Atoms(250_000_003),
            taker_amount=Atoms(150_000_000_007),
            fee_bps=0,
            fee_recipient=self.actors.desk.address,
            expiry_s=now_s + 30,
            settle_by_s=now_s + settle_s,
            nonce=nonce,
        )

    def fill(self, *, nonce: int, settle_s: int = 600) -> Intent:
        quote = self.quote(nonce=nonce, settle_s=settle_s)
        acceptance, takers = accept(quote, actors=self.actors, book=self.book)
        makers = sign_quote(quote, key=self.actors.quote_signer, book=self.book)
        return Intent(
            kind=IntentKind.QUOTE,
            chain="evm",
            contract="settlement",
            vault="desk",
            scope=quote.maker,
            epoch=0,
            ordinal=nonce,
            asset="BTC",
            recipient=acceptance.recipient,
            amount=quote.maker_amount,
            deadline_s=quote.settle_by_s,
            inputs={
                "quote": quote.to_json(),
                "maker_signature": "0x" + makers.hex(),
                "acceptance": {
                    "quote_id": acceptance.quote_id.hex(),
                    "amount": acceptance.amount,
                    "recipient": acceptance.recipient,
                },
                "taker_signature": "0x" + takers.hex(),
            },
        )

    def signed(
        self, intent: Intent, *, slot: int | None = None, bump: int = 0
    ) -> tuple[str, bytes]:
        chain, key = self.chain(), self.actors.operator
        if slot is None:
            slot = int(self.node.rpc("eth_getTransactionCount", key.address, "pending"), 16)
        request = chain.sign_request(intent, generation=0, bump=bump, slot=slot)
        done = sign_settlement(request, key=key, book=self.book)
        return done.tx_id, done.raw

    def pay(self, intent: Intent) -> str:
        tx_id, raw = self.signed(intent)
        self.chain().send(raw)
        self.node.mine(1)
        return tx_id

    def view(self, tx_id: str) -> TxView:
        chain = self.chain()
        return chain.transaction(tx_id, at=chain.snapshot())


STRANGER = Key(b"\x11" * 32)


@pytest.fixture(scope="session")
def project_root() -> Path:
    ensure_npm(ROOT, cache_dir=ROOT / ".dmm" / "npm-cache")
    return ROOT


@pytest.fixture(scope="module")
def local(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    folder = tmp_path_factory.mktemp("evm")
    with EvmNode(root=project_root, folder=folder, tick_ms=0) as node:
        actors = Actors.of(folder)
        deployments = deploy(node=node, artefact_dir=BUILD, actors=actors, position=BTC, cash=USDT)
        yield Local(node, actors, {deployed.name: deployed for deployed in deployments})
