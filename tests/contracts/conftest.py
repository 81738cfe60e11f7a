"""One local chain with everything deployed; each test starts from the same state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode, encode

from dmm.adapters.evm.artefacts import load
from dmm.adapters.evm.batches import (
    SignedTrade,
    Statement,
    statement_calldata,
    statement_digest,
)
from dmm.adapters.evm.calls import FILL
from dmm.adapters.evm.codec import (
    Book,
    calldata,
    quote_values,
    split_types,
)
from dmm.adapters.evm.sign import Key, sign_acceptance, sign_quote
from dmm.market.instrument import Asset
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.sandbox.evm.actors import Actors
from dmm.sandbox.evm.deploy import deploy
from dmm.sandbox.evm.install import ensure_npm
from dmm.sandbox.evm.node import EvmNode
from dmm.sandbox.evm.transact import Sender, sign_call
from dmm.units.amount import Atoms

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "contracts" / "evm" / "build"
CONTRACTS = tuple(sorted(path.stem for path in BUILD.glob("*.json")))
PANIC_AND_TEXT = {"0x08c379a0": "Error(string)", "0x4e487b71": "Panic(uint256)"}
START_S = 2_000_000_000
"""The chain's clock in these tests: fixed, so that calldata and thus gas are."""


@dataclass
class Refusal:
    """An error of a contract, with the values it carries."""

    name: str
    values: tuple[Any, ...]


class World:
    """Contracts, actors and their transactions, mined one by one."""

    def __init__(self, node: EvmNode) -> None:
        self.rpc = node.rpc
        self.actors = Actors(bytes(range(32)))
        deployments = deploy(
            node=node,
            artefact_dir=BUILD,
            actors=self.actors,
            position=Asset(symbol="BTC", decimals=8),
            cash=Asset(symbol="USDT", decimals=6),
        )
        by_name = {deployed.name: deployed for deployed in deployments}
        self.book = Book(chain_id=31_337, deployments=by_name)
        self.at = self.book.address
        self._errors = dict(PANIC_AND_TEXT)
        for contract in CONTRACTS:
            self._errors |= load(BUILD, contract).errors()
        for who in (*self.actors.owners, self.actors.guardian, *self.actors.providers):
            self.rpc("anvil_setBalance", who.address, hex(10**20))
        self.rpc("anvil_setBalance", self.actors.quote_signer.address, hex(10**20))

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Take back whatever happens inside, also when it fails."""
        mark = self.rpc("evm_snapshot")
        try:
            yield
        finally:
            self.rpc("evm_revert", mark)

    def now_s(self) -> int:
        return int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def next_at(self, time_s: int) -> None:
        """Make the next block, and calls on the pending one, happen at that second."""
        self.rpc("evm_setNextBlockTimestamp", time_s)

    def send(
        self, key: Key, to: str | None, data: bytes, *, gas_max: int = 16_000_000
    ) -> dict[str, Any]:
        """Mine one transaction and return its receipt, reverted or not."""
        sender = Sender(rpc=self.rpc, key=key, chain_id=31_337)
        tx_id = sender.submit(to, data, gas_max=gas_max)
        self.rpc("evm_mine")
        receipt: dict[str, Any] = self.rpc("eth_getTransactionReceipt", tx_id)
        return receipt

    def create(self, contract: str, types: list[str], values: list[object]) -> str:
        """Deploy another contract and return its address."""
        address = Sender(rpc=self.rpc, key=self.actors.deployer, chain_id=31_337).next_contract()
        receipt = self.send(self.actors.deployer, None, self.code(contract, types, values))
        assert int(receipt["status"], 16) == 1, contract
        return address

    def code(self, contract: str, types: list[str], values: list[object]) -> bytes:
        return load(BUILD, contract).bytecode + encode(types, values)

    def call(self, key: Key, to: str, signature: str, *values: object) -> dict[str, Any]:
        """Mine one call that must succeed."""
        receipt = self.send(key, to, calldata(signature, *values))
        assert int(receipt["status"], 16) == 1, signature
        return receipt

    def refusal(
        self,
        key: Key,
        to: str | None,
        data: bytes,
        *,
        at_s: int | None = None,
        gas_max: int = 16_000_000,
    ) -> Refusal:
        """Mine one call that must revert and move nothing; return its error."""
        before = self.balances()
        if at_s is not None:
            self.next_at(at_s)
        receipt = self.send(key, to, data, gas_max=gas_max)
        assert int(receipt["status"], 16) == 0, "the call went through"
        assert self.balances() == before, "a refused call moved money"
        trace = self.rpc(
            "debug_traceTransaction", receipt["transactionHash"], {"tracer": "callTracer"}
        )
        raw = bytes.fromhex(trace.get("output", "0x").removeprefix("0x"))
        signature = self._errors.get("0x" + raw[:4].hex(), "?()")
        types = split_types(signature[signature.index("(") + 1 : -1])
        return Refusal(signature.partition("(")[0], tuple(decode(types, raw[4:])))

    def govern(self, target: str, signature: str, *values: object) -> dict[str, Any]:
        """Call as the authority: two owners sign."""
        data = self.governed(target, signature, *values)
        receipt = self.send(self.actors.deployer, self.at("multisig"), data)
        assert int(receipt["status"], 16) == 1, signature
        return receipt

    def governed(self, target: str, signature: str, *values: object, **change: Any) -> bytes:
        reader = Sender(rpc=self.rpc, key=self.actors.deployer, chain_id=31_337)
        terms: dict[str, Any] = {
            "nonce": reader.read(self.at("multisig"), "nonce()"),
            "deadline_s": self.now_s() + 60,
            "owners": self.actors.owners[:2],
        }
        return sign_call(
            signature,
            values,
            target=target,
            multisig=self.at("multisig"),
            chain_id=31_337,
            **(terms | change),
        )

    def read(self, contract: str, signature: str, *values: object) -> int:
        reader = Sender(rpc=self.rpc, key=self.actors.deployer, chain_id=31_337)
        return reader.read(contract, signature, *values)

    def balance(self, symbol: str, holder: str) -> int:
        return self.read(self.book.token(symbol), "balanceOf(address)", holder)

    def balances(self) -> dict[tuple[str, str], int]:
        actors = self.actors
        people = (actors.desk, actors.market_maker, *actors.takers, *actors.providers)
        holders = [self.at("treasury"), self.at("settlement"), *(who.address for who in people)]
        return {
            (symbol, holder): self.balance(symbol, holder)
            for symbol in ("BTC", "USDT", "DCT")
            for holder in holders
        }

    def supply(self, symbol: str) -> int:
        return self.read(self.book.token(symbol), "totalSupply()")

    def topics(self, contract: str, event: str) -> tuple[str, list[str]]:
        return load(BUILD, contract).event(event)

    def error_of(self, selector: str) -> str:
        """Return the name of an error by the eight hex digits of its selector."""
        return self._errors.get("0x" + selector, "?()").partition("(")[0]

    def log(self, receipt: dict[str, Any], contract: str, event: str) -> dict[str, Any]:
        """Return the values of the one event of that name."""
        abi = next(
            entry
            for entry in load(BUILD, contract).abi
            if entry["type"] == "event" and entry["name"] == event
        )
        topic, types = load(BUILD, contract).event(event)
        (found,) = [log for log in receipt["logs"] if log["topics"][0] == topic]
        indexed = [item for item in abi["inputs"] if item["indexed"]]
        plain = [item["name"] for item in abi["inputs"] if not item["indexed"]]
        values = dict(zip(plain, decode(types, bytes.fromhex(found["data"][2:])), strict=True))
        for item, word in zip(indexed, found["topics"][1:], strict=True):
            values[item["name"]] = decode([item["type"]], bytes.fromhex(word[2:]))[0]
        return values

    # -- quotes -------------------------------------------------------------------------------

    def quote(self, **change: Any) -> FirmQuote:
        """Return the desk's firm quote: 2.5 BTC for 150,000 USDT, unless told otherwise."""
        actors, now_s = self.actors, self.now_s()
        terms: dict[str, Any] = {
            "chain": "evm",
            "contract": self.at("settlement"),
            "maker": actors.desk.address,
            "signer": actors.quote_signer.address,
            "taker": actors.takers[0].address,
            "maker_asset": "BTC",
            "taker_asset": "USDT",
            "maker_amount": Atoms(250_000_000),
            "taker_amount": Atoms(150_000_000_000),
            "fee_bps": 0,
            "fee_recipient": actors.providers[2].address,
            "expiry_s": now_s + 30,
            "settle_by_s": now_s + 90,
            "nonce": 7,
        }
        return FirmQuote(**(terms | change))

    def fill_data(
        self,
        quote: FirmQuote,
        *,
        maker_key: Key | None = None,
        taker_key: Key | None = None,
        acceptance: Acceptance | None = None,
        makers: bytes | None = None,
        takers: bytes | None = None,
        values: tuple[object, ...] | None = None,
    ) -> bytes:
        """Return the calldata of a fill, honest in all that is not given."""
        actors = self.actors
        accepted = acceptance or Acceptance(
            quote_id=quote.quote_id,
            amount=quote.taker_amount,
            recipient=actors.takers[0].address,
        )
        maker_sig = makers or sign_quote(
            quote, key=maker_key or actors.quote_signer, book=self.book
        )
        taker_sig = takers or sign_acceptance(
            accepted, quote, key=taker_key or actors.takers[0], book=self.book
        )
        return calldata(
            FILL,
            values or quote_values(quote, self.book),
            maker_sig,
            (accepted.quote_id, accepted.amount, accepted.recipient),
            taker_sig,
        )

    def trade(self, *, nonce: int, sells: bool = True, **change: Any) -> SignedTrade:
        """Return a quote both sides signed: the desk sells a little BTC, or buys it."""
        terms: dict[str, Any] = {
            "maker_asset": "BTC" if sells else "USDT",
            "taker_asset": "USDT" if sells else "BTC",
            "maker_amount": Atoms(1_000_003 if sells else 600_000_019),
            "taker_amount": Atoms(601_000_007 if sells else 999_983),
            "nonce": nonce,
        }
        quote = self.quote(**(terms | change))
        return self.signed(quote)

    def signed(self, quote: FirmQuote, *, recipient: str | None = None) -> SignedTrade:
        """Return a quote signed by its named signer and accepted whole by its taker."""
        actors = self.actors
        keys = (actors.desk, actors.quote_signer, actors.market_maker, *actors.takers)
        signer = next(key for key in keys if key.address == quote.signer)
        taker = next(key for key in keys if key.address == quote.taker)
        accepted = Acceptance(
            quote_id=quote.quote_id,
            amount=quote.taker_amount,
            recipient=recipient or taker.address,
        )
        return SignedTrade(
            quote=quote,
            acceptance=accepted,
            maker_signature=sign_quote(quote, key=signer, book=self.book),
            taker_signature=sign_acceptance(accepted, quote, key=taker, book=self.book),
        )

    def statement_data(
        self, statement: Statement, *, maker: Key | None = None, taker: Key | None = None
    ) -> bytes:
        """Return the calldata of a statement, honestly signed by both unless told otherwise."""
        signed = statement_digest(statement, self.book)
        return statement_calldata(
            statement,
            maker_signature=(maker or self.actors.quote_signer).sign_digest(signed),
            taker_signature=(taker or self.actors.takers[0]).sign_digest(signed),
        )

    def buyback_quote(self, **change: Any) -> FirmQuote:
        """Return the outside maker's quote to the treasury: 1,000 DCT for 70 USDT."""
        maker = self.actors.market_maker.address
        return self.quote(
            **(
                {
                    "maker": maker,
                    "signer": maker,
                    "taker": self.at("treasury"),
                    "maker_asset": "DCT",
                    "maker_amount": Atoms(1_000_000_000_000),
                    "taker_amount": Atoms(70_000_000),
                    "fee_recipient": maker,
                }
                | change
            )
        )


@pytest.fixture(scope="session")
def deployed_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    ensure_npm(ROOT, cache_dir=ROOT / ".dmm" / "npm-cache")
    folder = tmp_path_factory.mktemp("evm-contracts")
    with EvmNode(root=ROOT, folder=folder, tick_ms=0) as node:
        node.rpc("evm_setNextBlockTimestamp", START_S)
        yield World(node)


@pytest.fixture
def world(deployed_world: World) -> Iterator[World]:
    mark = deployed_world.rpc("evm_snapshot")
    yield deployed_world
    deployed_world.rpc("evm_revert", mark)
