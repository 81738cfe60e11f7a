"""The TON contracts behind the conformance suite: the real TVM, every message of a settlement."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pytoniq_core import Cell
from pytoniq_core.tlb.transaction import MessageAny

from dmm.adapters.ton import sign as ton_sign
from dmm.adapters.ton.calls import call_of, key_getter, key_state, relay_of
from dmm.adapters.ton.cells import OP_CANCEL_NONCE, OP_INTERNAL_TRANSFER, OP_REFUSED, op, raw
from dmm.adapters.ton.codec import Book, Signed, account
from dmm.adapters.ton.messages import Body, internal_transfer
from dmm.adapters.ton.wallet import outgoing, query_id_of
from dmm.market.instrument import Asset
from dmm.ports import Answer
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.sandbox.ton.actors import MARKET_MAKER, Actors
from dmm.sandbox.ton.cells import EMPTY, internal
from dmm.sandbox.ton.deploy import _deployed
from dmm.sandbox.ton.install import ensure_npm
from dmm.sandbox.ton.machine import Machine, Message, Refused, Transaction
from dmm.sandbox.ton.node import GLOBAL_ID
from dmm.sandbox.ton.site import Funding
from dmm.sandbox.ton.traffic import Traffic
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.ids import ZERO_HASH
from tests.contracts.conformance.under_test import ContractUnderTest

ROOT = Path(__file__).resolve().parents[3]
INTERFACE = tomllib.loads((ROOT / "contracts" / "interface.toml").read_text(encoding="utf-8"))
START_S = 2_000_000_000
FAUCET = 0xFA0C
NANOTON = 10**9
ERROR_BASE = INTERFACE["ton"]["error_base"]
NAMES = {number: name for name, number in INTERFACE["errors"].items()} | {
    number - ERROR_BASE: name for name, number in INTERFACE["ton"]["errors"].items()
}
SPENT_BEFORE = "exit code 36"
"""The wallet's refusal of a query id it has seen: the contract behind it was not asked."""


class InProcess:
    """The TVM alone, in the shape that a deployment knows nodes and servers by."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine, self.folder = machine, folder
        self.traffic = Traffic(machine)
        self.rounds = 0
        machine.boot(now_s=START_S, global_id=GLOBAL_ID)

    def status(self) -> dict[str, Any]:
        return {"seqno": self.rounds, "time_s": START_S, "is_idle": True}

    def fund(self, address: str, nanoton: int) -> None:
        to = int(address.removeprefix("0:"), 16)
        self.traffic.send(
            internal(source=FAUCET, destination=to, nanoton=nanoton, body=EMPTY, bounce=False)
        )

    def seal(self) -> dict[str, Any]:
        self.settle()
        return self.status()

    def settle(self) -> list[Transaction]:
        """Let every message arrive."""
        self.rounds += 1
        return self.traffic.settle()

    def head(self) -> None:
        return None

    def get(self, address: str, method: str, stack: Sequence[Any], _block: Any = None) -> Any:
        done = self.machine.get(address, method, stack)
        assert done.exit_code == 0, (method, done.exit_code)
        return done.stack

    def send(self, content: bytes) -> Transaction:
        message = MessageAny.deserialize(Cell.one_from_boc(content).begin_parse())
        to = message.info.dest.to_str(is_user_friendly=False)
        done = self.machine.deliver(Message(boc=content, source="", destination=to))
        for sent in done.out:
            self.traffic.send(sent)
        return done


class TonDesk:
    """Everything deployed and funded, once; `reset` goes back to that."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.actors = Actors(b"\x07" * 32)
        self.chain = InProcess(machine, folder)
        made = _deployed(
            self.chain,  # type: ignore[arg-type]
            self.chain,  # type: ignore[arg-type]
            build_dir=ROOT / "contracts" / "ton" / "build",
            actors=self.actors,
            position=Asset(symbol="BTC", decimals=8),
            cash=Asset(symbol="USDT", decimals=6),
            genesis_head=ZERO_HASH,
            money=Funding(),
        )
        self.book = Book(chain_id=GLOBAL_ID, deployments={d.name: d for d in made})
        machine.snapshot("conformance")

    @classmethod
    def running(cls, folder: Path) -> Iterator[TonDesk]:
        modules = ensure_npm(ROOT, cache_dir=ROOT / ".dmm" / "npm-cache")
        with Machine(modules) as machine:
            yield cls(machine, folder)

    def reset(self) -> None:
        self.chain.traffic.clear()
        self.chain.machine.restore("conformance")


class OnTon(ContractUnderTest):
    """The vault, the treasury and their jettons; every test begins with the same accounts."""

    chain = "ton"

    def __init__(self, desk: TonDesk) -> None:
        super().__init__()
        self._desk, self.actors, self.book = desk, desk.actors, desk.book
        self._slots = 0
        self._signatures: dict[bytes, bytes] = {}
        self.sign = SimpleNamespace(  # type: ignore[assignment]
            sign_quote=self._sign_quote, sign_acceptance=self._sign_acceptance
        )
        desk.reset()

    # -- signatures: what a taker signs holds the maker's signature -------------------------------

    def _sign_quote(self, quote: FirmQuote, *, key: Any, book: Any) -> bytes:
        # A maker is its own vault; what names another one cannot be signed at all.
        signature = ton_sign.sign_quote(replace(quote, contract=quote.maker), key=key, book=book)
        self._signatures[quote.quote_id] = signature
        return signature

    def _sign_acceptance(
        self, acceptance: Acceptance, quote: FirmQuote, *, key: Any, book: Any
    ) -> bytes:
        return ton_sign.sign_acceptance(
            acceptance,
            quote,
            key=key,
            book=book,
            maker_signature=self._signatures[quote.quote_id],
            query_id=self._query_id(),
        )

    def _query_id(self) -> int:
        self._slots += 1
        return query_id_of(self._slots)

    # -- the chain --------------------------------------------------------------------------------

    def now_s(self) -> int:
        return START_S

    def holders(self) -> dict[str, str]:
        return {
            "treasury": self.book.address("treasury"),
            "desk": self.book.address("settlement"),
            "taker-0": self.actors.takers[0].address,
            "lp-0": self.actors.providers[0].address,
            "market-maker": self.book.address(MARKET_MAKER),
        }

    def balance(self, symbol: str, holder: str) -> int:
        """Return what is an account's own: a maker's book, or its wallet and its credits."""
        chain, owner = self._desk.chain, account(holder, what="holder")
        wallet = self.book.wallet_of(owner, symbol)
        vaults = [self.book.account(name) for name in ("settlement", MARKET_MAKER)]
        if owner in vaults:
            return int(chain.get(holder, "asset", [wallet])[1])
        done = chain.machine.get(raw(wallet), "get_wallet_data")
        held = int(done.stack[0]) if done.exit_code == 0 else 0
        credits_ = (
            chain.get(raw(vault), "credit", [owner, self.book.wallet_of(vault, symbol)])[0]
            for vault in vaults
        )
        return held + sum(int(credit) for credit in credits_)

    def supply(self, symbol: str) -> int:
        minter = raw(self.book.minter(symbol))
        return int(self._desk.chain.get(minter, "get_jetton_data", [])[0])

    def settle(self, intent: Intent, *, by: Any = None) -> str | None:
        if intent.kind is not IntentKind.QUOTE:
            call = call_of(intent, self.book)
            content = self._from_wallet(by or self.actors.operator, call.to, call.body)
            return self._done(content, intent)
        content = relay_of(intent, self.book)[1]
        try:
            return self._done(content, intent)
        except Refused as refusal:
            if SPENT_BEFORE in str(refusal):
                # The wallet is in the way of the second try: the taker's next order is the same
                # acceptance under another query id.
                return self._done(relay_of(self._signed_again(intent), self.book)[1], intent)
            return "WrongSignature"

    def _signed_again(self, intent: Intent) -> Intent:
        quote = FirmQuote.from_json(intent.inputs["quote"])  # type: ignore[arg-type]
        told: Any = intent.inputs["acceptance"]
        old = Signed.parse(bytes.fromhex(str(intent.inputs["taker_signature"])[2:]))
        acceptance = Acceptance(
            quote_id=quote.quote_id, amount=told["amount"], recipient=told["recipient"]
        )
        signature = ton_sign.sign_acceptance(
            acceptance,
            quote,
            key=self.actors.taker(quote.taker),
            book=self.book,
            maker_signature=old.maker_signature,
            query_id=self._query_id(),
        )
        inputs: dict[str, Any] = {"taker_signature": "0x" + signature.hex()}
        return replace(intent, inputs=intent.inputs | inputs)

    def _from_wallet(self, key: Any, to: int, body: Cell) -> bytes:
        _, content = key.send_on(
            outgoing(to=to, nanoton=NANOTON, body=body),
            query_id=self._query_id(),
            created_at_s=START_S,
        )
        return bytes(content)

    def _done(self, content: bytes, intent: Intent) -> str | None:
        """Send, let every message arrive, and return the first refusal of a contract of ours."""
        first = self._desk.chain.send(content)
        txs = [first, *self._desk.chain.settle()]
        codes = [tx.exit_code for tx in txs if tx.exit_code and tx.exit_code > ERROR_BASE]
        codes += [code for tx in txs for sent in tx.out if (code := _told(sent)) is not None]
        if not codes:
            return None
        name = NAMES[codes[0] - ERROR_BASE]
        if name == "WrongSignature" and self._is_of_a_stranger(intent):
            # The vault has one key: a quote of any other is a signature that does not fit.
            return "SignerNotAllowed"
        return name

    def _is_of_a_stranger(self, intent: Intent) -> bool:
        quote: Any = intent.inputs.get("quote")
        return quote["signer"] != self.actors.quote_signer.address

    def is_paid(self, intent: Intent) -> bool:
        getter = key_getter(intent, self.book)
        stack = self._desk.chain.get(getter.to, getter.method, [getter.argument])
        return key_state(intent, stack) is Answer.FOUND

    def cancel(self, nonce: int) -> None:
        body = op(OP_CANCEL_NONCE, write=lambda b: b.store_uint(nonce, 32))
        to = self.book.account("settlement")
        self._desk.chain.send(self._from_wallet(self.actors.desk, to, body))
        assert all(tx.is_success for tx in self._desk.chain.settle())

    def buyback_maker(self) -> str:
        return self.book.address(MARKET_MAKER)

    def buyback(self, *, bought_asset: str = "DCT", **inputs: Any) -> Intent:
        """Return the purchase; on TON a quote's contract is its maker's own vault."""
        intent = super().buyback(bought_asset=bought_asset, **inputs)
        told: Any = intent.inputs["quote"]
        quote = replace(FirmQuote.from_json(told), contract=self.buyback_maker())
        signature = ton_sign.sign_quote(quote, key=self.actors.market_maker, book=self.book)
        signed: dict[str, Any] = {
            "quote": quote.to_json(),
            "maker_signature": "0x" + signature.hex(),
        }
        return replace(intent, inputs=intent.inputs | signed)

    def open_account(self, holder: str, symbol: str) -> None:
        del holder, symbol

    def ready_nonce(self, nonce: int) -> None:
        del nonce


def _told(sent: Message) -> int | None:
    """Return the reason that goes back with refused jettons."""
    message = MessageAny.deserialize(Cell.one_from_boc(sent.boc).begin_parse())
    body = Body.of(message.body)
    if message.info.bounced or body.op != OP_INTERNAL_TRANSFER:
        return None
    came = internal_transfer(body.rest)
    if came.payload is None or came.payload_op() != OP_REFUSED:
        return None
    came.payload.load_uint(32 + 64)
    return int(came.payload.load_uint(16))
