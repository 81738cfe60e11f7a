"""A desk on a local Solana node whose slots pass only when asked for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from solders.instruction import AccountMeta

from dmm.adapters.solana.abi import program_abi
from dmm.adapters.solana.client import SolanaChain
from dmm.adapters.solana.codec import TOKEN, Book, token_account
from dmm.adapters.solana.events import SolanaLog
from dmm.adapters.solana.nonce_accounts import NONCE_BYTES, make_nonce, nonce_address
from dmm.adapters.solana.sign import sign_quote, sign_settlement
from dmm.adapters.solana.terms import page_address
from dmm.market.instrument import Asset
from dmm.ports import Deployment, SignedTx
from dmm.rfq.protocol import FirmQuote
from dmm.sandbox.solana.actors import Actors, accept
from dmm.sandbox.solana.chain import Pace
from dmm.sandbox.solana.deploy import deploy
from dmm.sandbox.solana.local import SolanaLocalChain
from dmm.sandbox.solana.transact import Sender
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms

ROOT = Path(__file__).resolve().parents[1]
BTC, USDT = Asset(symbol="BTC", decimals=8), Asset(symbol="USDT", decimals=6)
FINALITY = 32


@dataclass
class SolanaDesk:
    """A deployed chain, and what a test does on it."""

    local: SolanaLocalChain
    deployments: list[Deployment]
    finality: int = FINALITY
    nonces: int = 0
    ordinals: int = 0
    sent: list[SignedTx] = field(default_factory=list)
    nonce_accounts: tuple[str, ...] = ()
    _chain: SolanaChain | None = None
    _log: SolanaLog | None = None

    @classmethod
    def on(cls, folder: Path, *, pace: Pace | None = None) -> SolanaDesk:
        """Start a chain in a folder and deploy on it; `stop` ends it."""
        pace = pace or Pace(slot_ms=0)
        local = SolanaLocalChain(root=ROOT, folder=folder, pace=pace)
        local.start()
        local.node.call("dmm_advance", 200)
        deployments = deploy(
            node=local.node,
            folder=folder,
            actors=local.actors,
            position=BTC,
            cash=USDT,
            finalized_slots=pace.finalized_slots,
        )
        local.use(deployments)
        return cls(local, deployments, finality=pace.finalized_slots)

    def stop(self) -> None:
        self.local.stop()

    # -- who and where

    @property
    def actors(self) -> Actors:
        return self.local.actors

    @property
    def book(self) -> Book:
        return self.local.book

    @property
    def by_name(self) -> dict[str, Deployment]:
        return {one.name: one for one in self.deployments}

    @property
    def maker(self) -> str:
        return self.by_name["vault:desk"].address

    @property
    def treasury(self) -> str:
        return self.by_name["treasury"].address

    def call(self, method: str, *params: object) -> Any:
        return self.local.node.call(method, *params)

    def chain(self, *urls: str, genesis: str | None = None) -> SolanaChain:
        """Return the port; the usual one is made once, because connections are."""
        if urls or genesis:
            return self._new_chain(*urls, genesis=genesis)
        if self._chain is None:
            self._chain = self._new_chain()
        return self._chain

    def _new_chain(self, *urls: str, genesis: str | None = None) -> SolanaChain:
        return SolanaChain(
            rpc_urls=urls or (self.local.node.url,),
            genesis_hash=genesis or self.local.genesis_hash,
            deployments=self.by_name,
            unit_fee_max=1_000_000,
            unit_tip=1_000,
            nonce_accounts=self.nonce_accounts,
        )

    def use_nonces(self, count: int) -> None:
        """Make nonce accounts of the operator; send slots are their values from here on."""
        payer, operator = self.actors.deployer, self.actors.operator.public
        lamports = int(self.call("getMinimumBalanceForRentExemption", NONCE_BYTES))
        for number in range(count):
            calls = make_nonce(payer.public, operator, number, lamports=lamports)
            Sender(self.call, payer).run(calls)
        self.nonce_accounts = tuple(
            str(nonce_address(payer.public, operator, number)) for number in range(count)
        )
        self._chain = None
        self.finalize()

    def log(self, *urls: str) -> SolanaLog:
        if urls:
            return self._new_log(*urls)
        if self._log is None:
            self._log = self._new_log()
        return self._log

    def _new_log(self, *urls: str) -> SolanaLog:
        return SolanaLog(
            rpc_urls=urls or (self.local.node.url,),
            genesis_hash=self.local.genesis_hash,
            deployments=self.by_name,
        )

    # -- time

    def now_s(self) -> int:
        slot = self.call("getSlot", {"commitment": "processed"})
        return int(self.call("getBlockTime", slot))

    def advance(self, slots: int = 1) -> None:
        self.call("dmm_advance", slots)

    def finalize(self) -> None:
        self.advance(self.finality + 1)

    # -- intents

    def reward(self, amount: int = 1_007, **change: Any) -> Intent:
        self.ordinals += 1
        fields: dict[str, Any] = {
            "kind": IntentKind.REWARD,
            "chain": "solana",
            "contract": "treasury",
            "vault": "treasury@solana",
            "scope": "run/liquidity",
            "epoch": 3,
            "ordinal": self.ordinals,
            "asset": "DCT",
            "recipient": self.actors.providers[self.ordinals % 3].address,
            "amount": Atoms(amount),
            "deadline_s": self.now_s() + 600,
            "inputs": {},
        }
        return Intent(**(fields | change))

    def quote(self, **change: Any) -> FirmQuote:
        """Return our own quote: 0.3 BTC and some for 19,500 USDT and some."""
        self.nonces += 1
        now_s = self.now_s()
        fields: dict[str, Any] = {
            "chain": "solana",
            "contract": self.by_name["settlement"].address,
            "maker": self.maker,
            "signer": self.actors.quote_signer.address,
            "taker": self.actors.takers[0].address,
            "maker_asset": "BTC",
            "taker_asset": "USDT",
            "maker_amount": Atoms(30_000_007),
            "taker_amount": Atoms(19_500_000_003),
            "fee_bps": 0,
            "fee_recipient": self.maker,
            "expiry_s": now_s + 60,
            "settle_by_s": now_s + 600,
            "nonce": self.nonces,
        }
        return FirmQuote(**(fields | change))

    def accepted(self, quote: FirmQuote | None = None, **change: Any) -> Intent:
        """Return the intent that settles a quote both sides signed."""
        quote = quote or self.quote()
        acceptance, by_taker = accept(quote, actors=self.actors, book=self.book)
        by_maker = sign_quote(quote, key=self.actors.quote_signer, book=self.book)
        fields: dict[str, Any] = {
            "kind": IntentKind.QUOTE,
            "chain": "solana",
            "contract": "settlement",
            "vault": "desk@solana",
            "scope": quote.maker,
            "epoch": 3,
            "ordinal": quote.nonce,
            "asset": quote.maker_asset,
            "recipient": acceptance.recipient,
            "amount": quote.maker_amount,
            "deadline_s": quote.settle_by_s,
            "inputs": {
                "quote": quote.to_json(),
                "acceptance": {
                    "quote_id": acceptance.quote_id.hex(),
                    "amount": acceptance.amount,
                    "recipient": acceptance.recipient,
                },
                "maker_signature": "0x" + by_maker.hex(),
                "taker_signature": "0x" + by_taker.hex(),
            },
        }
        return Intent(**(fields | change))

    def buyback(self, cash: int = 5_000_003, bought: int = 7_000_000_009, **change: Any) -> Intent:
        self.ordinals += 1
        deadline_s = self.now_s() + 600
        digest = hashlib.sha256(b"buyback" + self.ordinals.to_bytes(8, "big")).digest()
        quote, signature = self.local.sign_buyback_quote(
            taker=self.treasury,
            cash_asset="USDT",
            cash_amount=Atoms(cash),
            bought_asset="DCT",
            bought_amount=Atoms(bought),
            deadline_s=deadline_s,
            nonce=int.from_bytes(digest[:6], "big"),
        )
        fields: dict[str, Any] = {
            "kind": IntentKind.BUYBACK,
            "chain": "solana",
            "contract": "treasury",
            "vault": "treasury@solana",
            "scope": "run/buyback",
            "epoch": 3,
            "ordinal": self.ordinals,
            "asset": "USDT",
            "recipient": quote.maker,
            "amount": Atoms(cash),
            "deadline_s": deadline_s,
            "inputs": {
                "quote": quote.to_json(),
                "maker_signature": "0x" + signature.hex(),
                "min_out": bought,
                "burn": True,
            },
        }
        return Intent(**(fields | change))

    # -- sending

    def sign(self, intent: Intent, *, generation: int = 0) -> SignedTx:
        chain = self.chain()
        offer = chain.slot_offer(self.actors.operator.address, at=chain.snapshot())
        assert offer is not None
        request = chain.sign_request(
            intent,
            generation=generation,
            bump=0,
            slot=generation,
            expires=offer.expires,
            anchor=offer.anchor,
        )
        return sign_settlement(request, key=self.actors.operator, book=self.book)

    def send(self, intent: Intent) -> SignedTx:
        """Send an intent in a new slot."""
        self.advance()
        signed = self.sign(intent)
        self.chain().send(signed.raw)
        self.sent.append(signed)
        return signed

    def units(self, signed: SignedTx) -> int:
        config = {"commitment": "processed", "maxSupportedTransactionVersion": 0}
        return int(
            self.call("getTransaction", signed.tx_id, config)["meta"]["computeUnitsConsumed"]
        )

    def send_statement(self, intents: list[Intent]) -> str:
        """Settle quotes by one statement that the maker's key and the taker sign."""
        quotes = [FirmQuote.from_json(cast("Any", intent.inputs["quote"])) for intent in intents]
        masks: dict[int, int] = {}
        for quote in quotes:
            masks[quote.nonce // 256] = masks.get(quote.nonce // 256, 0) | 1 << quote.nonce % 256
        maker, taker = self.book.key("vault:desk"), self.actors.takers[0]
        base, cash = self.book.token("BTC"), self.book.token("USDT")
        accounts = {
            "taker": taker.public,
            "signer": self.actors.quote_signer.public,
            "maker": maker,
            "base_mint": base,
            "cash_mint": cash,
            "base_token_program": TOKEN,
            "cash_token_program": TOKEN,
            "taker_base": token_account(taker.public, base),
            "maker_base": token_account(maker, base),
            "base_fee_account": token_account(taker.public, base),
            "taker_cash": token_account(taker.public, cash),
            "maker_cash": token_account(maker, cash),
            "cash_fee_account": token_account(taker.public, cash),
        }
        pages = [
            AccountMeta(
                page_address(self.book.program, maker, word), is_signer=False, is_writable=True
            )
            for word in sorted(masks)
        ]
        call = program_abi().instruction(
            self.book.program,
            "settle_net",
            accounts,
            pages,
            batch_root=b"\x09" * 32,
            count=len(quotes),
            settle_by=self.now_s() + 60,
            base={"to_taker": sum(quote.maker_amount for quote in quotes), "fee": 0},
            cash={"to_taker": -sum(quote.taker_amount for quote in quotes), "fee": 0},
            masks=[masks[word].to_bytes(32, "little") for word in sorted(masks)],
        )
        sender = Sender(self.call, self.actors.deployer)
        return sender.run([call], taker, self.actors.quote_signer)
