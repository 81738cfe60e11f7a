"""One in-process Solana runtime per test, with our program, actors, mints and money."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from solders.account import Account
from solders.clock import Clock
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.sysvar import INSTRUCTIONS
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

from dmm.adapters.solana import terms as signing
from dmm.adapters.solana.abi import Abi, Event
from dmm.adapters.solana.terms import Terms

ROOT = Path(__file__).resolve().parents[3]
SOLANA = ROOT / "contracts" / "solana"
START_S = 2_000_000_000
SYSTEM = Pubkey.default()
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
ATA = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
COMPUTE_BUDGET = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
NETWORK = hashlib.sha256(b"a local cluster").digest()
LIFETIME_S_MAX = 7_200
HELD = 10**15


def key(name: str) -> Keypair:
    """Return a fixed key: compute units depend on addresses."""
    return Keypair.from_seed(hashlib.sha256(b"dmm/test/" + name.encode()).digest())


def token_account_bytes(
    mint: Pubkey, owner: Pubkey, amount: int, *, state: int = 1, delegate: Pubkey | None = None
) -> bytes:
    """Return an SPL Token account's 165 bytes."""
    option = struct.pack("<I", delegate is not None) + bytes(delegate or SYSTEM)
    delegated = amount if delegate else 0
    tail = option + bytes([state]) + bytes(12) + struct.pack("<Q", delegated) + bytes(36)
    return bytes(mint) + bytes(owner) + struct.pack("<Q", amount) + tail


def mint_bytes(authority: Pubkey, decimals: int, supply: int = HELD * 8) -> bytes:
    """Return an SPL Token mint's 82 bytes."""
    return (
        struct.pack("<I", 1)
        + bytes(authority)
        + struct.pack("<QBB", supply, decimals, 1)
        + bytes(36)
    )


@dataclass(frozen=True)
class Outcome:
    """What became of one transaction. `refusal` is our error's name, or the runtime's words."""

    refusal: str | None
    logs: list[str]
    units: int
    events: list[Event]

    @property
    def event(self) -> Event:
        assert len(self.events) == 1, self.events
        return self.events[0]


class World:
    """The runtime, who is on it, and their calls."""

    def __init__(self) -> None:
        self.svm = LiteSVM()
        self.abi = Abi.load(SOLANA / "idl.json")
        self.program = key("program").pubkey()
        self.multisig = key("multisig").pubkey()
        self.idle = key("idle").pubkey()
        programs = {"dmm": self.program, "multisig": self.multisig, "idle": self.idle}
        for name, address in programs.items():
            self.svm.add_program_from_file(address, str(SOLANA / "build" / f"{name}.so"))
        self.set_time(START_S)
        self.payer = self.funded("payer")
        self.authority = self.funded("authority")
        self.guardian = self.funded("guardian")
        self.signer = key("signer")
        self.taker = self.funded("taker")
        self.stranger = self.funded("stranger")
        self.operator = self.funded("operator")
        self.base = self.mint("base", 8)
        self.cash = self.mint("cash", 6)
        self.maker = signing.maker_address(self.program, self.authority.pubkey())
        for owner in (self.taker.pubkey(), self.maker):
            for mint in (self.base, self.cash):
                self.hold(owner, mint, HELD)
        for mint in (self.base, self.cash):
            self.hold(key("fees").pubkey(), mint, 0)

    # -- people, time, money

    def funded(self, name: str) -> Keypair:
        made = key(name)
        self.svm.airdrop(made.pubkey(), 10**12)
        return made

    def set_time(self, time_s: int) -> None:
        self.svm.set_clock(Clock(1_000, 0, 0, 0, time_s))

    def put(self, address: Pubkey, data: bytes, owner: Pubkey) -> Pubkey:
        """Write an account as it is, whoever may own it."""
        lamports = max(10**9, self.svm.minimum_balance_for_rent_exemption(len(data)))
        self.svm.set_account(address, Account(lamports, data, owner))
        return address

    def mint(self, name: str, decimals: int, program: Pubkey = TOKEN, tail: bytes = b"") -> Pubkey:
        data = mint_bytes(key("mint authority").pubkey(), decimals) + tail
        return self.put(key(f"mint {name}").pubkey(), data, program)

    def vault(self, owner: Pubkey, mint: Pubkey, program: Pubkey = TOKEN) -> Pubkey:
        return Pubkey.find_program_address([bytes(owner), bytes(program), bytes(mint)], ATA)[0]

    def hold(
        self, owner: Pubkey, mint: Pubkey, amount: int, program: Pubkey = TOKEN, **change: Any
    ) -> Pubkey:
        data = token_account_bytes(mint, owner, amount, **change)
        return self.put(self.vault(owner, mint, program), data, program)

    def balance(self, account: Pubkey) -> int:
        found = self.svm.get_account(account)
        assert found is not None
        return int.from_bytes(bytes(found.data)[64:72], "little")

    def state(self, kind: str, address: Pubkey) -> dict[str, Any]:
        found = self.svm.get_account(address)
        assert found is not None, f"no {kind} at {address}"
        return self.abi.account(kind, bytes(found.data))

    # -- transactions

    def transaction(
        self, instructions: Sequence[Instruction], *signers: Keypair
    ) -> VersionedTransaction:
        payer = signers[0] if signers else self.payer
        message = MessageV0.try_compile(
            payer.pubkey(), list(instructions), [], self.svm.latest_blockhash()
        )
        return VersionedTransaction(message, list(signers) or [self.payer])

    def send(self, instructions: Sequence[Instruction], *signers: Keypair) -> Outcome:
        """Run one transaction; the first signer pays. A refused one must leave no trace."""
        transaction = self.transaction(instructions, *signers)
        touched = list(transaction.message.account_keys)
        before = [self.content(address) for address in touched]
        result = self.svm.send_transaction(transaction)
        # The runtime remembers failed transactions too: the same one shall be possible again.
        self.svm.expire_blockhash()
        failed = isinstance(result, FailedTransactionMetadata)
        meta = result.meta() if failed else result
        if failed:
            assert [self.content(address) for address in touched] == before
        refusal = self.name_of(json.loads(result.to_json())["err"]) if failed else None
        logs = meta.logs()
        events = [] if failed else self.abi.events(logs)
        return Outcome(refusal, logs, meta.compute_units_consumed(), events)

    def content(self, address: Pubkey) -> tuple[bytes, Pubkey] | None:
        found = self.svm.get_account(address)
        return (bytes(found.data), found.owner) if found else None

    def name_of(self, error: Any) -> str:
        if isinstance(error, dict) and "InstructionError" in error:
            inner = error["InstructionError"][1]
            if isinstance(inner, dict) and "Custom" in inner:
                return self.abi.errors.get(inner["Custom"], f"Custom {inner['Custom']}")
            return str(inner)
        return str(error)

    def done(self, instructions: Sequence[Instruction], *signers: Keypair) -> Outcome:
        outcome = self.send(instructions, *signers)
        assert outcome.refusal is None, (outcome.refusal, outcome.logs)
        return outcome

    def refusal(self, instructions: Sequence[Instruction], *signers: Keypair) -> str:
        outcome = self.send(instructions, *signers)
        assert outcome.refusal is not None, "the transaction went through"
        return outcome.refusal

    def call(
        self,
        name: str,
        accounts: dict[str, Pubkey],
        rest: Sequence[AccountMeta] = (),
        **arguments: Any,
    ) -> Instruction:
        known = {"system_program": SYSTEM, "token_program": TOKEN, "instructions": INSTRUCTIONS}
        return self.abi.instruction(self.program, name, known | accounts, rest, **arguments)

    # -- the maker and its quotes

    def init_maker(self, **change: Any) -> Instruction:
        arguments: dict[str, Any] = {
            "network": NETWORK,
            "guardian": self.guardian.pubkey(),
            "lifetime_s_max": LIFETIME_S_MAX,
        }
        accounts = {
            "payer": self.payer.pubkey(),
            "authority": self.authority.pubkey(),
            "maker": self.maker,
        }
        return self.call("init_maker", accounts, **(arguments | change))

    def set_signer(
        self, signer: Pubkey, *, allowed: bool, by: Keypair | None = None
    ) -> Instruction:
        who = (by or self.authority).pubkey()
        accounts = {"authority": who, "maker": self.maker}
        return self.call("set_signer", accounts, signer=signer, allowed=allowed)

    def page(self, nonce: int = 0) -> Pubkey:
        return signing.page_address(self.program, self.maker, nonce >> 8)

    def init_page(self, word: int, **change: Pubkey) -> Instruction:
        accounts = {
            "payer": self.payer.pubkey(),
            "maker": self.maker,
            "page": signing.page_address(self.program, self.maker, word),
        }
        return self.call("init_page", accounts | change, word=word)

    def with_maker(self) -> World:
        self.done([self.init_maker()], self.payer, self.authority)
        self.done([self.set_signer(self.signer.pubkey(), allowed=True)], self.authority)
        self.done([self.init_page(0)], self.payer)
        return self

    def terms(self, **change: Any) -> Terms:
        """Return a quote: the maker gives 0.3 of base for 19,500 of cash, 5 bps of fee."""
        quote = Terms(
            program=self.program,
            network=NETWORK,
            maker=self.maker,
            signer=self.signer.pubkey(),
            taker=self.taker.pubkey(),
            maker_mint=self.base,
            taker_mint=self.cash,
            maker_amount=30_000_007,
            taker_amount=19_500_000_003,
            min_fill=19_500_000_003,
            fee_bps=5,
            fee_account=self.vault(key("fees").pubkey(), self.base),
            expiry=START_S + 60,
            settle_by=START_S + 3_600,
            nonce=7,
            quote_id=hashlib.sha256(b"a quote").digest(),
        )
        return replace(quote, **change)

    def exchange_accounts(self, terms: Terms, **change: Pubkey) -> dict[str, Pubkey]:
        return {
            "taker": terms.taker,
            "maker": self.maker,
            "page": self.page(terms.nonce),
            "taker_source": self.vault(terms.taker, terms.taker_mint),
            "maker_destination": self.vault(self.maker, terms.taker_mint),
            "maker_source": self.vault(self.maker, terms.maker_mint),
            "recipient": self.vault(terms.taker, terms.maker_mint),
            "fee_account": terms.fee_account,
            "taker_mint": terms.taker_mint,
            "maker_mint": terms.maker_mint,
            "taker_token_program": TOKEN,
            "maker_token_program": TOKEN,
        } | change

    def settle_call(
        self, terms: Terms, *, amount: int | None = None, output_min: int = 0, **change: Pubkey
    ) -> Instruction:
        return self.call(
            "settle_quote",
            self.exchange_accounts(terms, **change),
            terms=terms.numbers(),
            amount=terms.taker_amount if amount is None else amount,
            output_min=output_min,
        )

    def settle(self, terms: Terms, **change: Any) -> list[Instruction]:
        """Return the two instructions that settle a quote: the check, then the call."""
        return [signing.check(self.signer, terms.digest()), self.settle_call(terms, **change)]

    # -- the treasury

    @property
    def treasury(self) -> Pubkey:
        return signing.treasury_address(self.program, self.authority.pubkey())

    def cap(self, mint: Pubkey) -> Pubkey:
        return signing.cap_address(self.program, self.treasury, mint)

    def init_treasury(self) -> Instruction:
        accounts = {
            "payer": self.payer.pubkey(),
            "authority": self.authority.pubkey(),
            "treasury": self.treasury,
        }
        operator, guardian = self.operator.pubkey(), self.guardian.pubkey()
        return self.call("init_treasury", accounts, operator=operator, guardian=guardian)

    def set_cap(
        self,
        mint: Pubkey,
        amount_per_day: int,
        *,
        buyable: bool = False,
        by: Keypair | None = None,
        **change: Pubkey,
    ) -> Instruction:
        accounts = {
            "payer": self.payer.pubkey(),
            "authority": (by or self.authority).pubkey(),
            "treasury": self.treasury,
            "cap": self.cap(mint),
            "mint": mint,
        }
        return self.call(
            "set_cap", accounts | change, amount_per_day=amount_per_day, buyable=buyable
        )

    def pay_call(
        self, payment_key: bytes = b"\x01" * 32, amount: int = 1_000, **change: Any
    ) -> Instruction:
        deadline = change.pop("deadline", START_S + 60)
        to = self.stranger.pubkey()
        accounts = {
            "operator": self.operator.pubkey(),
            "treasury": self.treasury,
            "cap": self.cap(self.cash),
            "used_key": signing.key_address(self.program, self.treasury, payment_key),
            "vault": self.vault(self.treasury, self.cash),
            "recipient": to,
            "destination": self.vault(to, self.cash),
            "mint": self.cash,
        }
        return self.call(
            "pay", accounts | change, key=payment_key, amount=amount, deadline=deadline
        )

    def with_treasury(self) -> World:
        self.done([self.init_treasury()], self.payer, self.authority)
        caps = [self.set_cap(self.cash, 10**11), self.set_cap(self.base, 0, buyable=True)]
        self.done(caps, self.payer, self.authority)
        for mint in (self.base, self.cash):
            self.hold(self.treasury, mint, HELD)
            self.hold(self.stranger.pubkey(), mint, 0)
        return self


@pytest.fixture
def bare() -> World:
    """Return a runtime on which nothing of ours exists but the program and money."""
    return World()


@pytest.fixture
def world(bare: World) -> World:
    """Return a runtime with a maker, a delegated key and a page of nonces."""
    return bare.with_maker()


@pytest.fixture
def funded(world: World) -> World:
    """Return a runtime with a maker and a treasury that may pay cash and buy base."""
    return world.with_treasury()
