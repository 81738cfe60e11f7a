"""Whose turn a buyback is: by the epoch's number, passed on without cash, kept while down."""

from __future__ import annotations

from collections import Counter

import pytest
from desk_memory import RUN, Desk, a_slice
from hypothesis import given
from hypothesis import strategies as st
from maker_memory import Maker

from dmm.settlement.epoch import JobOutcome, JobStatus
from dmm.settlement.intent import Intent
from dmm.units.errors import Retryable
from dmm.usecases.buyback import settle_buyback
from dmm.usecases.buyback_turns import can_buy, settle_in_turn, turns

CHAINS = ("evm", "solana", "ton")


class World:
    """A desk on three chains, each with cash and a maker; chains may be silent."""

    def __init__(self, *, cash: dict[str, int], epochs: int = 6) -> None:
        self.desk = Desk()
        for name in CHAINS[1:]:
            self.desk.add_chain(name)
        for vault, amount in cash.items():
            self.desk.fund(vault, "USDT", amount)
        for epoch in range(epochs):
            self.desk.close_slice(a_slice(epoch=epoch, captured=1_000))
        self.silent: set[str] = set()

    def buy(self, chain: str, epoch: int) -> JobOutcome:
        if chain in self.silent:
            raise Retryable(f"{chain} is silent")
        return settle_buyback(
            store=self.desk.store,
            chain=self.desk.on(chain),
            clock=self.desk.clock,
            quoter=Maker(),
            run_id=RUN,
            epoch=epoch,
            cash_asset="USDT",
            intent_deadline_s=600,
        )

    def settle(self, epoch: int, able: tuple[str, ...] = CHAINS) -> JobOutcome:
        return settle_in_turn(
            self.buy,
            store=self.desk.store,
            run_id=RUN,
            epoch=epoch,
            able=able,
            cash_asset="USDT",
        )

    @property
    def bought(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for intent, _ in self.desk.store.intents():
            found.setdefault(intent.epoch, []).append(intent.chain)
        return found


ALL_FUNDED = {"treasury": 9_000, "treasury@solana": 9_000, "treasury@ton": 9_000}


@given(
    able=st.lists(st.sampled_from("abcdefg"), unique=True, max_size=7),
    epoch=st.integers(min_value=0, max_value=10_000),
)
def test_every_chain_is_offered_once_and_every_n_epochs_first(able: list[str], epoch: int) -> None:
    order = turns(able, epoch)
    assert Counter(order) == Counter(able)
    first = {turns(able, epoch + step)[0] for step in range(len(able))}
    assert first == set(able)


def test_three_epochs_buy_once_on_each_of_three_chains() -> None:
    world = World(cash=ALL_FUNDED)
    for epoch in range(3):
        assert world.settle(epoch).rows == {"buyback": 1}
    assert world.bought == {0: ["evm"], 1: ["solana"], 2: ["ton"]}


def test_a_repeat_buys_nothing_more() -> None:
    world = World(cash=ALL_FUNDED)
    world.settle(1)
    again = world.settle(1)
    assert again.status is JobStatus.ALREADY
    # Epoch 0 was missed before epoch 1 was asked for.
    assert world.bought == {0: ["evm"], 1: ["solana"]}


def test_a_chain_without_cash_passes_its_turn_on_and_takes_none_back() -> None:
    world = World(cash={"treasury": 9_000, "treasury@ton": 9_000})
    outcome = world.settle(1)
    assert world.bought[1] == ["ton"]
    assert "solana: no buyback: treasury@solana has no USDT available" in outcome.note
    world.desk.fund("treasury@solana", "USDT", 9_000)
    assert world.settle(1).status is JobStatus.ALREADY
    assert world.bought[1] == ["ton"]


def test_a_chain_that_is_down_keeps_its_turn_until_it_is_back() -> None:
    world = World(cash=ALL_FUNDED)
    world.silent.add("solana")
    world.settle(0)
    with pytest.raises(Retryable, match="solana is silent"):
        world.settle(1)
    outcome = world.settle(2)
    assert world.bought == {0: ["evm"], 2: ["ton"]}
    assert outcome.rows == {"buyback": 1}
    world.silent.clear()
    assert world.settle(3).rows == {"buyback": 2}
    assert world.bought == {0: ["evm"], 1: ["solana"], 2: ["ton"], 3: ["evm"]}


def test_an_epoch_that_was_bought_for_is_not_bought_for_again_by_other_turns() -> None:
    world = World(cash=ALL_FUNDED)
    world.settle(1, able=("evm", "ton"))
    assert world.bought[1] == ["ton"]
    world.settle(1, able=CHAINS)
    assert world.bought[1] == ["ton"]


def test_the_quote_names_the_treasury_and_the_time_of_its_chain() -> None:
    world = World(cash=ALL_FUNDED)
    world.desk.on("solana").time_s += 99
    world.settle(1)
    (intent,) = [i for i, _ in world.desk.store.intents() if i.chain == "solana"]
    _assert_of_solana(intent, deadline_s=world.desk.on("solana").time_s + 600)


def _assert_of_solana(intent: Intent, *, deadline_s: int) -> None:
    quote = intent.inputs["quote"]
    assert isinstance(quote, dict)
    assert (intent.vault, intent.deadline_s) == ("treasury@solana", deadline_s)
    assert (quote["chain"], quote["taker"]) == ("solana", "treasury-on-solana")


def test_without_a_chain_that_can_buy_the_job_waits_and_says_so() -> None:
    outcome = World(cash={}).settle(0, able=())
    assert outcome.status is JobStatus.WAITING
    assert "no chain has a treasury with USDT and DCT" in outcome.note


@pytest.mark.parametrize("missing", ["treasury", "vault:treasury", "token:USDT", "token:DCT"])
def test_a_chain_can_buy_when_treasury_cash_and_token_are_there(missing: str) -> None:
    deployed = Desk().store.deployments("evm")
    assert can_buy(deployed, "USDT")
    del deployed[missing]
    assert not can_buy(deployed, "USDT")
