"""Gas of our settlements and of the peers', by transactions on one local node."""

from __future__ import annotations

import tempfile
from pathlib import Path

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from dmm.adapters.evm.batches import (
    SignedTrade,
    compact,
    net_calldata,
    statement_calldata,
    statement_digest,
    statement_of,
)
from dmm.adapters.evm.calls import FILL
from dmm.adapters.evm.codec import QUOTE_TUPLE, Book, calldata, quote_values
from dmm.adapters.evm.eip712 import digest, domain_separator, struct_of
from dmm.adapters.evm.sign import Key, sign_acceptance, sign_quote
from dmm.market.instrument import Asset
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.sandbox.evm.actors import Actors
from dmm.sandbox.evm.deploy import deploy
from dmm.sandbox.evm.install import ensure_npm
from dmm.sandbox.evm.node import CHAIN_ID, EvmNode
from dmm.sandbox.evm.peers import Peers, load_peers
from dmm.sandbox.evm.transact import Sender
from dmm.settings import PROJECT_ROOT
from dmm.units.amount import Atoms, ceil_div

TAKE_WHOLE = f"takeWhole({QUOTE_TUPLE},bytes32,bytes32)"
APPROVE = "approve(address,uint256)"
START_S = 2_100_000_000
END_S = START_S + 20_000
WORD = 256
GIVEN, TAKEN = 1_000_003, 601_000_007
"""Atoms of BTC and USDT of every quote, ours and the peers'."""

NOBODY = "0x" + "00" * 20
PROTOCOL_FEE_BPS = 7
AIRSWAP_ORDER = struct_of(
    "OrderERC20",
    {
        "nonce": "uint256",
        "expiry": "uint256",
        "signerWallet": "address",
        "signerToken": "address",
        "signerAmount": "uint256",
        "protocolFee": "uint256",
        "senderWallet": "address",
        "senderToken": "address",
        "senderAmount": "uint256",
    },
)
SIGNED_TAIL = "uint8,bytes32,bytes32)"
SWAP = "swap(address,uint256,uint256,address,address,uint256,address,uint256," + SIGNED_TAIL
SWAP_LIGHT = "swapLight(uint256,uint256,address,address,uint256,address,uint256," + SIGNED_TAIL
LIMIT_ORDER = struct_of(
    "Order",
    {
        "salt": "uint256",
        "maker": "address",
        "receiver": "address",
        "makerAsset": "address",
        "takerAsset": "address",
        "makingAmount": "uint256",
        "takingAmount": "uint256",
        "makerTraits": "uint256",
    },
)
FILL_ORDER = (
    "fillOrder((uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256),"
    "bytes32,bytes32,uint256,uint256)"
)
NO_PARTIAL_FILLS = 1 << 255


def measure_gas() -> dict[str, object]:
    """Return the gas of each way to settle a quote, and of AirSwap and the 1inch protocol."""
    ensure_npm(PROJECT_ROOT, cache_dir=PROJECT_ROOT / ".dmm" / "npm-cache")
    peers = load_peers(PROJECT_ROOT, work_dir=PROJECT_ROOT / ".dmm")
    with (
        tempfile.TemporaryDirectory(prefix="dmm-bench-") as folder,
        EvmNode(root=PROJECT_ROOT, folder=Path(folder), tick_ms=0) as node,
    ):
        node.rpc("evm_setNextBlockTimestamp", START_S)
        meter = Meter(node)
        meter.fill(nonce=1, fee_bps=5)
        ours = {
            "fill": meter.take_whole(nonce=2),
            "fill_with_fee": meter.take_whole(nonce=3, fee_bps=5),
            "fill_relayed": meter.fill(nonce=4),
            "fill_relayed_with_fee": meter.fill(nonce=5, fee_bps=5),
            "net": {str(count): meter.net(count) for count in (1, 2, 50)},
            "net_statement": {str(count): meter.statement(count) for count in (50, 256)},
        }
        return {"gas": ours, "peers_gas": meter.peers(peers)}


class Meter:
    """Sends transactions that must succeed, one a block, and returns their gas."""

    def __init__(self, node: EvmNode) -> None:
        self.rpc = node.rpc
        self.actors = Actors(bytes(range(32)))
        deployments = deploy(
            node=node,
            artefact_dir=PROJECT_ROOT / "contracts" / "evm" / "build",
            actors=self.actors,
            position=Asset(symbol="BTC", decimals=8),
            cash=Asset(symbol="USDT", decimals=6),
        )
        self.book = Book(chain_id=CHAIN_ID, deployments={d.name: d for d in deployments})
        self.settlement = self.book.address("settlement")
        self.tokens = self.book.token("BTC"), self.book.token("USDT")
        self.taker = self.actors.takers[0]
        self._mint(self.actors.providers[2].address)

    def send(self, key: Key, to: str | None, data: bytes) -> int:
        """Mine one transaction; return its gas."""
        sender = Sender(rpc=self.rpc, key=key, chain_id=CHAIN_ID)
        tx_id = sender.submit(to, data, gas_max=16_000_000)
        self.rpc("evm_mine")
        receipt = self.rpc("eth_getTransactionReceipt", tx_id)
        if int(receipt["status"], 16) != 1:
            raise SystemExit(f"settle: transaction {tx_id} reverted")
        return int(receipt["gasUsed"], 16)

    # -- ours

    def _trade(self, *, nonce: int, fee_bps: int = 0, sells: bool = True) -> SignedTrade:
        desk = self.actors.desk
        sides = ("BTC", "USDT") if sells else ("USDT", "BTC")
        amounts = (GIVEN, TAKEN) if sells else (TAKEN, GIVEN)
        quote = FirmQuote(
            chain="evm",
            contract=self.settlement,
            maker=desk.address,
            signer=desk.address,
            taker=self.taker.address,
            maker_asset=sides[0],
            taker_asset=sides[1],
            maker_amount=Atoms(amounts[0]),
            taker_amount=Atoms(amounts[1]),
            fee_bps=fee_bps,
            fee_recipient=self.actors.providers[2].address,
            expiry_s=END_S,
            settle_by_s=END_S,
            nonce=nonce,
        )
        acceptance = Acceptance(
            quote_id=quote.quote_id, amount=quote.taker_amount, recipient=self.taker.address
        )
        return SignedTrade(
            quote=quote,
            acceptance=acceptance,
            maker_signature=sign_quote(quote, key=desk, book=self.book),
            taker_signature=sign_acceptance(acceptance, quote, key=self.taker, book=self.book),
        )

    def _trades(self, count: int, start: int) -> list[SignedTrade]:
        return [self._trade(nonce=start + i, sells=i % 3 != 0) for i in range(count)]

    def take_whole(self, *, nonce: int, fee_bps: int = 0) -> int:
        """Return the gas of a quote that its taker takes whole."""
        trade = self._trade(nonce=nonce, fee_bps=fee_bps)
        values = quote_values(trade.quote, self.book)
        data = calldata(TAKE_WHOLE, values, *compact(trade.maker_signature))
        return self.send(self.taker, self.settlement, data)

    def fill(self, *, nonce: int, fee_bps: int = 0) -> int:
        """Return the gas of a quote that somebody relays for both sides."""
        trade = self._trade(nonce=nonce, fee_bps=fee_bps)
        accepted = trade.acceptance
        data = calldata(
            FILL,
            quote_values(trade.quote, self.book),
            b"".join(compact(trade.maker_signature)),
            (accepted.quote_id, accepted.amount, accepted.recipient),
            trade.taker_signature,
        )
        return self.send(self.actors.operator, self.settlement, data)

    def net(self, count: int) -> int:
        """Return the gas a quote of a net, in a word of nonces that is used already."""
        mark, start = self.rpc("evm_snapshot"), 10 * WORD
        self._relay(net_calldata(self._trades(1, start), self.book))
        used = self._relay(net_calldata(self._trades(count, start + 1), self.book))
        self.rpc("evm_revert", mark)
        return ceil_div(used, count)

    def statement(self, count: int) -> int:
        """Return the gas a quote of a statement both parties signed."""
        mark, start = self.rpc("evm_snapshot"), 10 * WORD
        self._relay(net_calldata(self._trades(1, start), self.book))
        statement = statement_of(self._trades(count, start + 1), self.book)
        signed = statement_digest(statement, self.book)
        data = statement_calldata(
            statement,
            maker_signature=b"".join(compact(self.actors.desk.sign_digest(signed))),
            taker_signature=b"".join(compact(self.taker.sign_digest(signed))),
        )
        used = self._relay(data)
        self.rpc("evm_revert", mark)
        return ceil_div(used, count)

    def _relay(self, data: bytes) -> int:
        return self.send(self.actors.operator, self.settlement, data)

    # -- theirs

    def peers(self, peers: Peers) -> dict[str, int]:
        """Return the gas of a second order of each: the first pays for its accounts."""
        swaps = self._create(
            peers.airswap,
            ["uint256", "uint256", "address", "uint256", "uint256"],
            [PROTOCOL_FEE_BPS, PROTOCOL_FEE_BPS, self.actors.providers[2].address, 10, 10],
        )
        orders = self._create(peers.limit_order_protocol, ["address"], [NOBODY])
        self.send(self.taker, swaps, self._swap(swaps, nonce=1))
        self.send(self.taker, orders, self._order(orders, nonce=1))
        return {
            "airswap_swap_with_fee": self.send(self.taker, swaps, self._swap(swaps, nonce=2)),
            "airswap_light_with_fee": self.send(
                self.taker, swaps, self._swap(swaps, nonce=3, light=True)
            ),
            "limit_order_protocol_fill": self.send(
                self.taker, orders, self._order(orders, nonce=2)
            ),
        }

    def _create(self, code: bytes, types: list[str], values: list[object]) -> str:
        deployer = self.actors.deployer
        at = Sender(rpc=self.rpc, key=deployer, chain_id=CHAIN_ID).next_contract()
        self.send(deployer, None, code + encode(types, values))
        for owner in (self.actors.desk, self.taker):
            for token in self.tokens:
                self.send(owner, token, calldata(APPROVE, at, 2**256 - 1))
        return str(at)

    def _mint(self, holder: str) -> None:
        for token in self.tokens:
            self.send(self.actors.deployer, token, calldata("mint(address,uint256)", holder, 1))

    def _swap(self, at: str, *, nonce: int, light: bool = False) -> bytes:
        maker, taker = self.actors.desk, self.taker.address
        terms = (nonce, END_S, maker.address, self.tokens[0], GIVEN)
        taken = (self.tokens[1], TAKEN)
        domain = domain_separator(name="SWAP_ERC20", version="4.3", chain_id=CHAIN_ID, contract=at)
        order = AIRSWAP_ORDER.hash((*terms, PROTOCOL_FEE_BPS, taker, *taken))
        sig = maker.sign_digest(digest(domain=domain, struct_hash=order))
        signed = (*terms, *taken, sig[64], sig[:32], sig[32:64])
        return calldata(SWAP_LIGHT, *signed) if light else calldata(SWAP, taker, *signed)

    def _order(self, at: str, *, nonce: int) -> bytes:
        maker, taker = self.actors.desk, int(self.taker.address, 16)
        traits = NO_PARTIAL_FILLS | nonce << 120 | END_S << 80 | taker & (1 << 80) - 1
        salt = int.from_bytes(keccak(nonce.to_bytes(32, "big")), "big")
        order = (salt, maker.address, NOBODY, *self.tokens, GIVEN, TAKEN, traits)
        domain = domain_separator(
            name="1inch Limit Order Protocol", version="4", chain_id=CHAIN_ID, contract=at
        )
        r, vs = compact(
            maker.sign_digest(digest(domain=domain, struct_hash=LIMIT_ORDER.hash(order)))
        )
        words = tuple(int(word, 16) if isinstance(word, str) else word for word in order)
        return calldata(FILL_ORDER, words, r, vs, TAKEN, 0)
