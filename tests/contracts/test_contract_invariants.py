"""Whatever actors do, in any order: sums hold, nonces and keys count once, nothing sticks or locks.

The real contracts run on the real VM. Beside the desk and its takers acts an adversary: it replays
what it saw, tampers with it, relays for others, sends stray tokens, cancels its own nonces, and
calls every function of every contract that it has no right to.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import decode
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from dmm.adapters.evm.batches import SignedTrade, net_calldata, statement_of
from dmm.adapters.evm.calls import PAY
from dmm.adapters.evm.codec import calldata
from dmm.adapters.evm.sign import Key, sign_quote
from dmm.units.amount import Atoms

ADVERSARY = Key(b"\x66" * 32)
FILLED = "0x" + keccak(text="Filled(bytes32,address,uint256,uint256)").hex()
SYMBOLS = ("BTC", "USDT", "DCT")
UNLIMITED = 2**256 - 1

MEDDLING = [
    "cancel(uint256,uint256)",
    "setSigner(address,bool)",
]
FORBIDDEN: list[tuple[str, str, list[Any]]] = [
    ("treasury", PAY, [b"\x01" * 32, "token", "me", 1, UNLIMITED]),
    ("treasury", "setOperator(address)", ["me"]),
    ("treasury", "setGuardian(address)", ["me"]),
    ("treasury", "setCap(address,uint256)", ["token", UNLIMITED]),
    ("treasury", "lowerCap(address,uint256)", ["token", 0]),
    ("treasury", "setBuyable(address,bool)", ["token", True]),
    ("treasury", "pause()", []),
    ("treasury", "unpause()", []),
    ("distributor", "propose(uint256,bytes32,uint256,uint64)", [1, b"\x01" * 32, 1, 2**40]),
    ("distributor", "clawback(address,uint256)", ["me", 1]),
    ("distributor", "setBudget(uint256)", [UNLIMITED]),
    ("distributor", "veto(uint256)", [0]),
    ("distributor", "pause()", []),
    ("distributor", "claim(uint256,address,uint256,bytes32[])", [0, "me", 1, []]),
    (
        "governor",
        "execute(bytes32,uint256,bytes32,bytes,uint64)",
        [bytes(32), 1, bytes(32), b"x", 2**40],
    ),
    ("settlement", "rotateSigner(address,address)", ["desk", "me"]),
]


def is_fill(log: dict[str, Any]) -> bool:
    return bool(log["topics"][0] == FILLED)


class Desk(RuleBasedStateMachine):
    """Model: balances by holder, nonces filled or burnt, keys paid."""

    world: Any

    def __init__(self) -> None:
        super().__init__()
        world, actors = type(self).world, type(self).world.actors
        self.mark = world.rpc("evm_snapshot")
        world.rpc("anvil_setBalance", ADVERSARY.address, hex(10**20))
        self.people = [actors.desk, *actors.takers, ADVERSARY]
        self.places = [world.at("treasury"), world.at("settlement"), world.at("distributor")]
        for symbol in SYMBOLS:
            token = world.book.token(symbol)
            world.call(actors.deployer, token, "mint(address,uint256)", ADVERSARY.address, 10**12)
            world.call(
                ADVERSARY, token, "approve(address,uint256)", world.at("settlement"), UNLIMITED
            )
        self.model = self.balances()
        self.supply = {symbol: world.supply(symbol) for symbol in SYMBOLS}
        self.filled: set[int] = set()
        self.burnt: set[int] = set()
        self.paid: set[bytes] = set()
        self.seen: list[bytes] = []
        self.signed: dict[str, SignedTrade] = {}

    def teardown(self) -> None:
        type(self).world.rpc("evm_revert", self.mark)

    # -- honest actors ---------------------------------------------------------------------------

    @rule(
        nonces=st.lists(st.integers(0, 300), min_size=1, max_size=4, unique=True),
        sells=st.booleans(),
        way=st.sampled_from(["fill", "net", "statement"]),
        fee_bps=st.sampled_from([0, 7]),
        relay=st.booleans(),
    )
    def settle(self, nonces: list[int], sells: bool, way: str, fee_bps: int, relay: bool) -> None:
        world = type(self).world
        trades = [world.trade(nonce=nonce, sells=sells, fee_bps=fee_bps) for nonce in nonces]
        if way == "fill":
            trades = trades[:1]
            key = world.actors.quote_signer
            data = world.fill_data(trades[0].quote, maker_key=key)
        elif way == "net":
            data = net_calldata(trades, world.book)
        else:
            data = world.statement_data(statement_of(trades, world.book))
        fresh = all(trade.quote.nonce not in self.filled | self.burnt for trade in trades)
        sender = ADVERSARY if relay else world.actors.operator
        receipt = world.send(sender, world.at("settlement"), data)
        assert (int(receipt["status"], 16) == 1) == fresh
        self.seen.append(data)
        self.signed |= {"0x" + trade.quote.quote_id.hex(): trade for trade in trades}
        if fresh:
            self.book(trades)

    def book(self, trades: list[SignedTrade]) -> None:
        for trade in trades:
            quote = trade.quote
            fee = -(-quote.maker_amount * quote.fee_bps // 10_000)
            self.move(quote.taker_asset, quote.taker, quote.maker, quote.taker_amount)
            self.move(quote.maker_asset, quote.maker, quote.taker, quote.maker_amount - fee)
            self.move(quote.maker_asset, quote.maker, quote.fee_recipient, fee)
            self.filled.add(quote.nonce)

    @rule(word=st.integers(0, 1), mask=st.integers(0, 2**256 - 1))
    def cancel(self, word: int, mask: int) -> None:
        world = type(self).world
        world.call(world.actors.desk, world.at("settlement"), "cancel(uint256,uint256)", word, mask)
        bits = {256 * word + bit for bit in range(256) if mask >> bit & 1}
        self.burnt |= bits - self.filled

    @rule(key=st.sampled_from([b"\x01" * 32, b"\x02" * 32]), amount=st.integers(1, 10**9))
    def pay(self, key: bytes, amount: int) -> None:
        world = type(self).world
        to, token = world.actors.takers[1].address, world.book.token("DCT")
        data = calldata(PAY, key, token, to, amount, world.now_s() + 60)
        receipt = world.send(world.actors.operator, world.at("treasury"), data)
        assert (int(receipt["status"], 16) == 1) == (key not in self.paid)
        if key not in self.paid:
            self.paid.add(key)
            self.move("DCT", world.at("treasury"), to, amount)

    # -- the adversary -------------------------------------------------------------------------

    @rule(data=st.data())
    def replay_or_tamper(self, data: st.DataObject) -> None:
        if not self.seen:
            return
        world = type(self).world
        call = bytearray(data.draw(st.sampled_from(self.seen)))
        if data.draw(st.booleans()):
            # Signatures fill their padding with zeros that nobody signed; bytes that say something
            # are what is flipped.
            places = [i for i, byte in enumerate(call[4:], start=4) if byte]
            call[data.draw(st.sampled_from(places))] ^= data.draw(st.integers(1, 255))
        receipt = world.send(ADVERSARY, world.at("settlement"), bytes(call))
        if int(receipt["status"], 16) == 1:
            self.book([self.signed_trade_of(log) for log in receipt["logs"] if is_fill(log)])

    def signed_trade_of(self, log: dict[str, Any]) -> SignedTrade:
        """Return the trade an event tells of: all the adversary can do is settle what both signed.

        It may take quotes out of a batch that was refused for another one's nonce.
        """
        trade = self.signed[log["topics"][1]]
        nonce, amount = decode(["uint256", "uint256"], bytes.fromhex(log["data"][2:]))
        assert (nonce, amount) == (trade.quote.nonce, trade.quote.taker_amount)
        assert nonce not in self.filled | self.burnt
        return trade

    @rule(index=st.integers(0, len(FORBIDDEN) - 1))
    def overreach(self, index: int) -> None:
        world = type(self).world
        contract, signature, values = FORBIDDEN[index]
        known = {
            "me": ADVERSARY.address,
            "token": world.book.token("DCT"),
            "desk": world.actors.desk.address,
        }
        filled = [known.get(value, value) if isinstance(value, str) else value for value in values]
        receipt = world.send(ADVERSARY, world.at(contract), calldata(signature, *filled))
        assert int(receipt["status"], 16) == 0

    @rule(nonce=st.integers(0, 300), victim=st.booleans())
    def forge(self, nonce: int, victim: bool) -> None:
        """The adversary signs quotes on the desk's inventory, under its own name and the desk's."""
        world = type(self).world
        trade = world.trade(nonce=nonce, taker_amount=Atoms(1))
        signer = trade.quote.signer if victim else ADVERSARY.address
        quote = replace(trade.quote, signer=signer)
        makers = sign_quote(quote, key=ADVERSARY, book=world.book)
        data = world.fill_data(quote, makers=makers)
        receipt = world.send(ADVERSARY, world.at("settlement"), data)
        assert int(receipt["status"], 16) == 0

    @rule(symbol=st.sampled_from(SYMBOLS), place=st.integers(0, 2), amount=st.integers(1, 10**6))
    def donate(self, symbol: str, place: int, amount: int) -> None:
        world, to = type(self).world, self.places[place]
        token = world.book.token(symbol)
        world.call(ADVERSARY, token, "transfer(address,uint256)", to, amount)
        self.move(symbol, ADVERSARY.address, to, amount)

    @rule(word=st.integers(0, 1), allowed=st.booleans())
    def meddle(self, word: int, allowed: bool) -> None:
        """What the adversary does to its own nonces and keys is its own affair."""
        world, at = type(self).world, type(self).world.at("settlement")
        world.call(ADVERSARY, at, MEDDLING[0], word, UNLIMITED)
        world.call(ADVERSARY, at, MEDDLING[1], ADVERSARY.address, allowed)

    # -- what always holds ---------------------------------------------------------------------

    @invariant()
    def balances_are_what_was_signed_for(self) -> None:
        assert self.balances() == self.model

    @invariant()
    def nothing_appears_and_nothing_is_lost(self) -> None:
        world = type(self).world
        assert {symbol: world.supply(symbol) for symbol in SYMBOLS} == self.supply

    @invariant()
    def nonces_are_used_once_and_say_why(self) -> None:
        world, desk = type(self).world, type(self).world.actors.desk.address
        for word in (0, 1):
            used, cancelled = (
                world.read(world.at("settlement"), f"{view}(address,uint256)", desk, word)
                for view in ("usedNonces", "cancelledNonces")
            )
            assert cancelled & ~used == 0
            assert self.bits(used & ~cancelled, word) == {
                nonce for nonce in self.filled if nonce >> 8 == word
            }
            assert self.bits(cancelled, word) == {
                nonce for nonce in self.burnt if nonce >> 8 == word
            }

    @invariant()
    def nobody_can_lock_the_desk_out(self) -> None:
        """The treasury is neither paused nor capped down, and the desk's key still signs."""
        world = type(self).world
        assert world.read(world.at("treasury"), "paused()") == 0
        assert world.read(world.at("distributor"), "paused()") == 0
        actors = world.actors
        assert world.read(
            world.at("settlement"),
            "isSigner(address,address)",
            actors.desk.address,
            actors.quote_signer.address,
        )

    def bits(self, mask: int, word: int) -> set[int]:
        return {256 * word + bit for bit in range(256) if mask >> bit & 1}

    def move(self, symbol: str, payer: str, payee: str, amount: int) -> None:
        self.model[symbol, payer] -= amount
        self.model[symbol, payee] += amount

    def balances(self) -> dict[tuple[str, str], int]:
        world = type(self).world
        holders = [*self.places, *(person.address for person in self.people)]
        holders += [provider.address for provider in world.actors.providers]
        return {
            (symbol, holder): world.balance(symbol, holder)
            for symbol in SYMBOLS
            for holder in holders
        }


def campaign(world: Any, *, runs: int, steps: int) -> None:
    bound = type("BoundDesk", (Desk,), {"world": world})
    run_state_machine_as_test(
        bound,
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_no_sequence_of_actors_breaks_the_contracts(world: Any) -> None:
    campaign(world, runs=3, steps=12)


@pytest.mark.deep
@pytest.mark.timeout(3_600)
def test_no_long_sequence_of_actors_breaks_the_contracts(world: Any) -> None:
    campaign(world, runs=150, steps=50)
