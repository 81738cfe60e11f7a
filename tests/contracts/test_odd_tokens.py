"""Tokens that do what tokens should not: the contracts stay whole, only who chose them loses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from dmm.adapters.evm.batches import net_calldata, statement_of
from dmm.adapters.evm.calls import BUYBACK
from dmm.adapters.evm.codec import Book, calldata, quote_values
from dmm.adapters.evm.sign import sign_quote
from dmm.ports import Deployment
from dmm.units.amount import Atoms

GIVEN, TAKEN = 1_000_000, 601_000_007
HELD = 10**12


@dataclass
class Odd:
    """A token under the symbol ODD, held and approved by desk and taker."""

    world: Any
    token: str

    def balance(self, holder: str) -> int:
        held: int = self.world.read(self.token, "balanceOf(address)", holder)
        return held

    def tune(self, signature: str, *values: object) -> None:
        self.world.call(self.world.actors.deployer, self.token, signature, *values)

    def settlements(self, *, nonce: int) -> list[bytes]:
        """Return the four ways to settle a quote that gives ODD for USDT."""
        trade = self.world.trade(
            nonce=nonce, maker_asset="ODD", maker_amount=Atoms(GIVEN), taker_amount=Atoms(TAKEN)
        )
        statement = statement_of([trade], self.world.book)
        return [
            self.world.fill_data(trade.quote, maker_key=self.world.actors.quote_signer),
            net_calldata([trade], self.world.book),
            self.world.statement_data(statement),
        ]

    def sends(self, data: bytes) -> None:
        receipt = self.world.send(self.world.actors.deployer, self.world.at("settlement"), data)
        assert int(receipt["status"], 16) == 1

    def refused(self, data: bytes) -> Any:
        return self.world.refusal(self.world.actors.deployer, self.world.at("settlement"), data)


def odd(world: Any, contract: str) -> Odd:
    token = world.create(contract, [], [])
    found = Odd(world, token)
    deployments = {
        name: Deployment(chain="evm", name=name, address=address, height=1)
        for name, address in (world.book._addresses | {"token:ODD": token}).items()
    }
    world.book = Book(chain_id=31_337, deployments=deployments)
    for holder in (world.actors.desk, world.actors.takers[0]):
        found.tune("mint(address,uint256)", holder.address, HELD)
        world.call(holder, token, "approve(address,uint256)", world.at("settlement"), 2**256 - 1)
    return found


@pytest.fixture(autouse=True)
def restored_book(world: Any) -> Any:
    honest = world.book
    yield
    world.book = honest


def test_a_token_that_takes_a_fee_shortens_the_receiver_alone(world: Any) -> None:
    token, desk = odd(world, "FeeToken"), world.actors.desk.address
    taker = world.actors.takers[0].address
    for count, data in enumerate(token.settlements(nonce=1), start=1):
        mark = world.rpc("evm_snapshot")
        cash = world.balance("USDT", desk)
        token.sends(data)
        assert token.balance(desk) == HELD - GIVEN, count
        assert token.balance(taker) == HELD + GIVEN - GIVEN // 100
        assert world.balance("USDT", desk) == cash + TAKEN
        assert token.balance(world.at("settlement")) == 0
        world.rpc("evm_revert", mark)


def test_a_buyback_of_a_token_that_takes_a_fee_is_refused(world: Any) -> None:
    token, maker = odd(world, "FeeToken"), world.actors.market_maker
    token.tune("mint(address,uint256)", maker.address, HELD)
    world.call(maker, token.token, "approve(address,uint256)", world.at("settlement"), HELD)
    world.govern(world.at("treasury"), "setBuyable(address,bool)", token.token, True)
    quote = world.buyback_quote(maker_asset="ODD", maker_amount=Atoms(GIVEN))
    data = calldata(
        BUYBACK,
        b"\x2a" * 32,
        quote_values(quote, world.book),
        sign_quote(quote, key=maker, book=world.book),
        world.now_s() + 20,
        GIVEN,
        False,
    )
    refusal = world.refusal(world.actors.operator, world.at("treasury"), data)
    assert (refusal.name, refusal.values) == ("OutputTooLow", (GIVEN - GIVEN // 100,))


@pytest.mark.parametrize("scale_bps", [9_000, 11_000])
def test_a_rebase_between_quote_and_settlement_moves_the_quoted_amount(
    world: Any, scale_bps: int
) -> None:
    token, taker = odd(world, "RebasingToken"), world.actors.takers[0].address
    for data in token.settlements(nonce=2):
        mark = world.rpc("evm_snapshot")
        token.tune("rebase(uint256)", scale_bps)
        before = token.balance(taker)
        token.sends(data)
        # Shares round: an atom may stay behind or come on top.
        assert abs(token.balance(taker) - before - GIVEN) <= 1
        assert token.balance(world.at("settlement")) == 0
        world.rpc("evm_revert", mark)


def test_a_rebase_below_the_quoted_amount_refuses_and_burns_no_nonce(world: Any) -> None:
    token = odd(world, "RebasingToken")
    for data in token.settlements(nonce=2):
        mark = world.rpc("evm_snapshot")
        token.tune("rebase(uint256)", 10)
        # All but 2,000 of the desk's atoms; unscaled, that is still enough for the quote.
        rest = 10**9 - 2_000
        world.call(world.actors.desk, token.token, "transfer(address,uint256)", token.token, rest)
        assert token.refused(data).name == "NotEnough"
        token.tune("rebase(uint256)", 10_000)
        token.sends(data)
        world.rpc("evm_revert", mark)


def test_a_stopped_token_refuses_until_it_runs_again(world: Any) -> None:
    token = odd(world, "GuardedToken")
    for data in token.settlements(nonce=3):
        mark = world.rpc("evm_snapshot")
        token.tune("stop(bool)", True)
        assert token.refused(data).name == "Stopped"
        token.tune("stop(bool)", False)
        token.sends(data)
        world.rpc("evm_revert", mark)


def test_a_barred_party_refuses_its_own_quotes_and_no_others(world: Any) -> None:
    token, other = odd(world, "GuardedToken"), world.actors.takers[1]
    token.tune("setBlocked(address,bool)", world.actors.takers[0].address, True)
    for data in token.settlements(nonce=4):
        refusal = token.refused(data)
        assert (refusal.name, refusal.values) == (
            "Blocked",
            (world.actors.takers[0].address.lower(),),
        )
    quote = world.quote(taker=other.address, maker_asset="ODD", maker_amount=Atoms(GIVEN), nonce=5)
    trade = world.signed(quote)
    token.sends(net_calldata([trade], world.book))


def test_a_taker_that_is_barred_may_name_another_recipient(world: Any) -> None:
    token, elsewhere = odd(world, "GuardedToken"), world.actors.providers[0].address
    token.tune("setBlocked(address,bool)", world.actors.takers[0].address, True)
    quote = world.quote(maker_asset="ODD", maker_amount=Atoms(GIVEN), nonce=6)
    token.sends(net_calldata([world.signed(quote, recipient=elsewhere)], world.book))
    assert token.balance(elsewhere) == GIVEN


def test_a_token_that_returns_nothing_settles_and_one_that_lies_does_not(world: Any) -> None:
    token, taker = odd(world, "SilentToken"), world.actors.takers[0].address
    for data in token.settlements(nonce=7):
        mark = world.rpc("evm_snapshot")
        token.tune("refuse(bool)", True)
        refusal = token.refused(data)
        assert (refusal.name, refusal.values) == ("TransferFailed", (token.token.lower(),))
        token.tune("refuse(bool)", False)
        token.sends(data)
        assert token.balance(taker) == HELD + GIVEN
        world.rpc("evm_revert", mark)


def test_a_token_that_calls_back_cannot_settle_anything_twice(world: Any) -> None:
    token, settlement = odd(world, "HostileToken"), world.at("settlement")
    taker = world.actors.takers[0].address
    ways = token.settlements(nonce=8)
    for data in ways:
        for again in ways:
            mark = world.rpc("evm_snapshot")
            token.tune("arm(address,bytes)", settlement, again)
            token.sends(data)
            assert world.read(token.token, "called()") == 1
            assert world.read(token.token, "succeeded()") == 0
            assert token.balance(taker) == HELD + GIVEN
            world.rpc("evm_revert", mark)


def test_a_token_that_calls_back_may_settle_something_else_whole(world: Any) -> None:
    """Settlement keeps nothing between calls, so a call inside another one is just a call."""
    token, taker = odd(world, "HostileToken"), world.actors.takers[0].address
    other = token.settlements(nonce=9)[0]
    token.tune("arm(address,bytes)", world.at("settlement"), other)
    token.sends(token.settlements(nonce=8)[1])
    assert world.read(token.token, "succeeded()") == 1
    assert token.balance(taker) == HELD + 2 * GIVEN


def test_tokens_sent_to_settlement_by_mistake_change_nothing(world: Any) -> None:
    """Nobody gets them out: settlement has no owner and gives nothing of its own."""
    token, settlement = odd(world, "GuardedToken"), world.at("settlement")
    token.tune("mint(address,uint256)", settlement, 77)
    for data in token.settlements(nonce=10):
        mark = world.rpc("evm_snapshot")
        token.sends(data)
        assert token.balance(settlement) == 77
        world.rpc("evm_revert", mark)
