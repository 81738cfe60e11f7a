"""The Solana program behind the conformance suite."""

from __future__ import annotations

from typing import Any

from solana_desk import SolanaDesk

from dmm.adapters.solana import sign
from dmm.adapters.solana.abi import program_abi
from dmm.adapters.solana.calls import open_account
from dmm.adapters.solana.codec import account, token_account
from dmm.adapters.solana.refusals import ProgramRefused
from dmm.adapters.solana.terms import page_address
from dmm.ports import Answer
from dmm.sandbox.solana.deploy import require_page
from dmm.sandbox.solana.transact import Sender
from dmm.settlement.intent import Intent
from dmm.units.errors import Permanent
from tests.contracts.conformance.under_test import ContractUnderTest


class OnSolana(ContractUnderTest):
    """The local node with our program on it."""

    chain = "solana"
    sign = sign

    def __init__(self, desk: SolanaDesk) -> None:
        super().__init__()
        self._desk = desk
        self.actors, self.book = desk.actors, desk.book
        self._nonces = desk.nonces
        self._ordinals = desk.ordinals

    def keep_counts(self) -> None:
        """The chain goes on for the next test, so its nonces and ordinals do."""
        self._desk.nonces, self._desk.ordinals = self._nonces, self._ordinals

    def now_s(self) -> int:
        return self._desk.now_s()

    def holders(self) -> dict[str, str]:
        return {
            "treasury": self._desk.treasury,
            "desk": self._desk.maker,
            "taker-0": self.actors.takers[0].address,
            "lp-0": self.actors.providers[0].address,
            "market-maker": self.buyback_maker(),
        }

    def balance(self, symbol: str, holder: str) -> int:
        owner = account(holder, what="holder")
        address = str(token_account(owner, self.book.token(symbol)))
        commitment = {"commitment": "processed"}
        config = {"encoding": "base64", **commitment}
        if self._desk.call("getAccountInfo", address, config)["value"] is None:
            return 0
        found = self._desk.call("getTokenAccountBalance", address, commitment)
        return int(found["value"]["amount"])

    def supply(self, symbol: str) -> int:
        mint, commitment = str(self.book.token(symbol)), {"commitment": "processed"}
        return int(self._desk.call("getTokenSupply", mint, commitment)["value"]["amount"])

    def settle(self, intent: Intent, *, by: Any = None) -> str | None:
        desk = self._desk
        desk.advance(2)
        chain = desk.chain()
        offer = chain.slot_offer("", at=chain.snapshot())
        assert offer is not None
        request = chain.sign_request(
            intent, generation=0, bump=0, slot=0, expires=offer.expires, anchor=offer.anchor
        )
        signed = sign.sign_settlement(request, key=by or self.actors.operator, book=self.book)
        try:
            chain.send(signed.raw)
        except ProgramRefused as refused:
            return refused.name
        except Permanent as refused:
            return str(refused)
        desk.advance(1)
        return None

    def is_paid(self, intent: Intent) -> bool:
        self._desk.finalize()
        chain = self._desk.chain()
        return chain.key_state(intent, at=chain.snapshot()) is Answer.FOUND

    def cancel(self, nonce: int) -> None:
        mask = bytearray(32)
        mask[nonce % 256 // 8] |= 1 << nonce % 8
        maker = account(self._desk.maker, what="maker")
        accounts = {
            "authority": self.actors.desk.public,
            "maker": maker,
            "page": page_address(self.book.program, maker, nonce // 256),
        }
        call = program_abi().instruction(
            self.book.program, "cancel_nonces", accounts, mask=bytes(mask)
        )
        Sender(self._desk.call, self.actors.deployer).run([call], self.actors.desk)

    def buyback_maker(self) -> str:
        return str(self.actors.market_makers_maker(self.book.program))

    def open_account(self, holder: str, symbol: str) -> None:
        deployer = self.actors.deployer
        owner = account(holder, what="holder")
        call = open_account(deployer.public, owner, self.book.token(symbol))
        self._desk.advance(1)
        Sender(self._desk.call, deployer).run([call])

    def ready_nonce(self, nonce: int) -> None:
        maker = self.actors.market_makers_maker(self.book.program)
        require_page(self._desk.call, payer=self.actors.deployer, maker=maker, nonce=nonce)
