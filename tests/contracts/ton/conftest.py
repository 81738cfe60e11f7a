"""One local TVM with everything deployed; each test starts from the same accounts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey
from pytoniq_core import Address, Cell, begin_cell
from pytoniq_core.tlb.account import ShardAccount, StateInit

from dmm.sandbox.ton import cells
from dmm.sandbox.ton.install import ensure_npm
from dmm.sandbox.ton.machine import Machine, Transaction, account_id
from dmm.sandbox.ton.traffic import Traffic

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "contracts" / "ton" / "build"
START_S = 2_000_000_000
NETWORK = -217
LIFETIME_S = 7_200
TON1 = 10**9
ACCEPTS = cells.EMPTY
"""Code that takes every message and does nothing."""

REFUSES = begin_cell().store_bytes(b"\xf2\x2a").end_cell()
"""Code that throws 42 at every message."""

LEG_TON = 80_000_000


@dataclass(frozen=True)
class Jetton:
    """A jetton: its minter, and the wallet the vault has of it (its asset id there)."""

    minter: int
    asset: int


class TonWorld:
    """Contracts, people and messages; nothing is under way between tests."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.traffic = Traffic(machine)
        self.now_s = START_S
        machine.boot(now_s=START_S, global_id=NETWORK)
        self.authority, self.operator, self.guardian = 0xA1, 0xA2, 0xA3
        self.taker, self.other, self.fee_recipient = 0xB1, 0xB2, 0xB3
        self.router, self.refuser = 0xC1, 0xC2
        self.signer = SigningKey(b"\x01" * 32)
        people = (self.authority, self.operator, self.guardian, self.taker, self.other)
        for person in (*people, self.fee_recipient, self.router):
            machine.found(cells.raw(person), nanoton=0, code=ACCEPTS, data=cells.EMPTY)
        machine.found(cells.raw(self.refuser), nanoton=TON1, code=REFUSES, data=cells.EMPTY)
        data = cells.vault_data(
            signer=bytes(self.signer.verify_key),
            lifetime_s_max=LIFETIME_S,
            authority=self.authority,
            operator=self.operator,
            guardian=self.guardian,
        )
        self.vault = self.deploy("Settlement", data, nanoton=TON1)
        self.jettons = tuple(self._jetton(content) for content in (b"JA", b"JB"))
        self.ja, self.jb = self.jettons
        for jetton in self.jettons:
            self.mint(jetton, self.authority, 10**12)
            self.mint(jetton, self.taker, 10**12)
            self.list_asset(jetton)
            self.deposit(jetton, 10**9)
        self.ok(self.authority, self.vault, 100 * TON1, cells.op(cells.OP_DEPOSIT_TON))
        machine.snapshot("start")

    def reset(self) -> None:
        self.traffic.clear()
        self.machine.restore("start")
        self.now_s = START_S
        self.machine.set_now(START_S)

    # -- messages -----------------------------------------------------------------------------

    def at_s(self, now_s: int) -> None:
        self.now_s = now_s
        self.machine.set_now(now_s)

    def post(
        self, source: int, to: int, nano: int, body: Cell, init: StateInit | None = None
    ) -> None:
        self.traffic.send(
            cells.internal(source=source, destination=to, nanoton=nano, body=body, init=init)
        )

    def send(
        self, source: int, to: int, nano: int, body: Cell, init: StateInit | None = None
    ) -> list[Transaction]:
        """Send a message and let everything that follows happen."""
        self.post(source, to, nano, body, init)
        return self.traffic.settle()

    def ok(
        self, source: int, to: int, nano: int, body: Cell, init: StateInit | None = None
    ) -> list[Transaction]:
        done = self.send(source, to, nano, body, init)
        assert all(tx.is_success for tx in done), [
            (tx.address[-4:], tx.exit_code, tx.action_code) for tx in done
        ]
        return done

    def refusal(self, source: int, to: int, nano: int, body: Cell) -> int:
        """Send a message that must be refused whole: the state stays; return the exit code."""
        before = self.data(to)
        first = self.send(source, to, nano, body)[0]
        assert first.aborted, "the call went through"
        assert self.data(to) == before
        assert first.exit_code is not None
        return first.exit_code

    def deploy(self, contract: str, data: Cell, *, nanoton: int, body: Cell = cells.EMPTY) -> int:
        account, init = cells.state_init(cells.code_of(BUILD, contract), data)
        done = self.send(self.authority, account, nanoton, body, init)
        assert done[0].is_success, (contract, done[0].exit_code)
        return account

    def get(self, contract: int, method: str, *stack: Any) -> tuple[Any, ...]:
        done = self.machine.get(cells.raw(contract), method, stack)
        assert done.exit_code == 0, (method, done.exit_code)
        return done.stack

    # -- accounts -----------------------------------------------------------------------------

    def state(self, account: int) -> ShardAccount:
        boc = self.machine.account(cells.raw(account))
        return ShardAccount.deserialize(Cell.one_from_boc(boc).begin_parse())

    def data(self, account: int) -> bytes | None:
        found = self.state(account).account
        init = found.storage.state.state_init if found else None
        return init.data.hash if init and init.data else None

    def ton(self, account: int) -> int:
        found = self.state(account).account
        return int(found.storage.balance.grams) if found else 0

    # -- jettons ------------------------------------------------------------------------------

    def _jetton(self, content: bytes) -> Jetton:
        data = (
            begin_cell()
            .store_coins(0)
            .store_address(cells.at(self.authority))
            .store_ref(cells.code_of(BUILD, "JettonWallet"))
            .store_ref(cells.snake(content))
            .end_cell()
        )
        minter = self.deploy("JettonMinter", data, nanoton=TON1)
        return Jetton(minter=minter, asset=self.wallet(minter, self.vault))

    def wallet(self, minter: int, owner: int) -> int:
        owner_slice = begin_cell().store_address(cells.at(owner)).end_cell().begin_parse()
        (answer,) = self.get(minter, "get_wallet_address", owner_slice)
        address = answer.load_address()
        assert isinstance(address, Address)
        return account_id(address.to_str(is_user_friendly=False))

    def jettons_of(self, jetton: Jetton, owner: int) -> int:
        wallet = cells.raw(self.wallet(jetton.minter, owner))
        done = self.machine.get(wallet, "get_wallet_data")
        return int(done.stack[0]) if done.exit_code == 0 else 0

    def mint(self, jetton: Jetton, to: int, amount: int) -> None:
        body = cells.op(
            cells.OP_MINT,
            write=lambda b: (
                b.store_address(cells.at(to)).store_coins(amount).store_coins(TON1 // 10)
            ),
        )
        self.ok(self.authority, jetton.minter, TON1, body)

    def brake(self, jetton: Jetton, owner: int, status: int) -> None:
        body = cells.op(
            cells.OP_BRAKE, write=lambda b: b.store_address(cells.at(owner)).store_uint(status, 4)
        )
        self.ok(self.authority, jetton.minter, TON1 // 10, body)

    def list_asset(self, jetton: Jetton) -> None:
        code = cells.code_of(BUILD, "JettonWallet")
        body = cells.op(
            cells.OP_LIST_ASSET,
            write=lambda b: (
                b.store_uint(jetton.asset, 256)
                .store_uint(jetton.minter, 256)
                .store_uint(1, 8)
                .store_coins(LEG_TON)
                .store_ref(code)
            ),
        )
        self.ok(self.authority, self.vault, TON1 // 10, body)

    def jetton_body(
        self,
        amount: int,
        payload: Cell | None,
        *,
        forward: int,
        query_id: int = 0,
        to: int | None = None,
        response: int | None = None,
    ) -> Cell:
        return cells.transfer(
            amount=amount,
            to=self.vault if to is None else to,
            response=self.taker if response is None else response,
            query_id=query_id,
            forward_nanoton=forward,
            payload=payload,
        )

    def deposit(self, jetton: Jetton, amount: int) -> None:
        body = self.jetton_body(
            amount, cells.op(cells.OP_DEPOSIT_JETTON), forward=TON1 // 20, response=self.authority
        )
        wallet = self.wallet(jetton.minter, self.authority)
        self.ok(self.authority, wallet, TON1 // 5, body)

    # -- quotes -------------------------------------------------------------------------------

    def quote(self, **change: Any) -> cells.VaultQuote:
        """Return the vault's quote: 2.5 JA for 3 TON, unless told otherwise."""
        terms: dict[str, Any] = {
            "network": NETWORK,
            "vault": self.vault,
            "taker": self.taker,
            "expiry_s": self.now_s + 60,
            "settle_by_s": self.now_s + 600,
            "nonce": 7,
            "quote_id": 0x1234_5678_9ABC,
            "maker_asset": self.ja.asset,
            "taker_asset": cells.TON,
            "maker_amount": 2_500_003,
            "taker_amount": 3 * TON1,
            "min_fill": 3 * TON1,
        }
        return cells.VaultQuote(**(terms | change))

    def ton_quote(self, **change: Any) -> cells.VaultQuote:
        """Return the reverse: 3 TON for 2.5 JA."""
        terms = {
            "maker_asset": cells.TON,
            "taker_asset": self.ja.asset,
            "maker_amount": 3 * TON1,
            "taker_amount": 2_500_003,
            "min_fill": 2_500_003,
        }
        return self.quote(**(terms | change))

    def sign(self, quote: cells.VaultQuote, key: SigningKey | None = None) -> bytes:
        return (key or self.signer).sign(quote.cell().hash).signature

    def fill(self, quote: cells.VaultQuote, **change: Any) -> Cell:
        """Return a fill of the whole quote to the taker, honest in all that is not given."""
        terms: dict[str, Any] = {
            "amount": quote.taker_amount,
            "recipient": self.taker,
            "query_id": 99,
        }
        signature = change.pop("signature", None) or self.sign(quote, change.pop("key", None))
        return cells.fill(quote.cell(), signature, **(terms | change))

    def take_ton(
        self, quote: cells.VaultQuote, *, beside: int = TON1 // 2, **change: Any
    ) -> list[Transaction]:
        """Take a quote by paying TON."""
        amount = change.get("amount", quote.taker_amount)
        return self.send(self.taker, self.vault, amount + beside, self.fill(quote, **change))

    def take_jettons(
        self,
        quote: cells.VaultQuote,
        jetton: Jetton,
        *,
        forward: int = TON1 // 2,
        query_id: int = 55,
        **change: Any,
    ) -> list[Transaction]:
        """Take a quote by paying jettons; `forward` is what reaches the vault beside them."""
        amount = change.get("amount", quote.taker_amount)
        body = self.jetton_body(
            amount, self.fill(quote, **change), forward=forward, query_id=query_id
        )
        wallet = self.wallet(jetton.minter, self.taker)
        return self.send(self.taker, wallet, forward + TON1 // 5, body)

    # -- what the vault knows -----------------------------------------------------------------

    def nonce_state(self, nonce: int) -> int:
        return int(self.get(self.vault, "nonceState", nonce)[0])

    def credit(self, owner: int, asset: int) -> int:
        return int(self.get(self.vault, "credit", owner, asset)[0])

    def book(self, asset: int) -> tuple[int, int]:
        """Return what is the maker's own and what is owed."""
        if asset == cells.TON:
            view = self.get(self.vault, "vault")
            return int(view[3]), int(view[4])
        return tuple(int(value) for value in self.get(self.vault, "asset", asset)[1:3])  # type: ignore[return-value]

    def books(self) -> dict[int, tuple[int, int]]:
        return {asset: self.book(asset) for asset in (cells.TON, self.ja.asset, self.jb.asset)}

    def require_funded(self) -> None:
        """Everything in the books is there."""
        free, owed = self.book(cells.TON)
        assert self.ton(self.vault) >= free + owed, "TON of the books is not there"
        for jetton in self.jettons:
            free, owed = self.book(jetton.asset)
            assert self.jettons_of(jetton, self.vault) == free + owed, "jettons and books differ"


def exits(done: list[Transaction]) -> list[tuple[str, int | None, int | None]]:
    return [(tx.address[-4:], tx.exit_code, tx.action_code) for tx in done]


@pytest.fixture(scope="session")
def ton_world() -> Iterator[TonWorld]:
    modules = ensure_npm(ROOT, cache_dir=ROOT / ".dmm" / "npm-cache")
    with Machine(modules) as machine:
        yield TonWorld(machine)


@pytest.fixture
def ton(ton_world: TonWorld) -> TonWorld:
    ton_world.reset()
    return ton_world
