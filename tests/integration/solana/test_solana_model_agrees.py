"""The simulator's model of Solana and the local node do the same on the same scripts.

The driver's proofs come from the simulator, so its model must be the chain's: what lands, when
bytes are over, what a fork takes back, and whether a key is used at the finalized block.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from simulation import chain_model
from simulation.chain_model import ChainModel, Tx
from solana_desk import SolanaDesk

from dmm.adapters.solana.slots import BLOCKHASH_BLOCKS
from dmm.ports import Answer, SignedTx, SlotState
from dmm.sandbox.solana.chain import Pace
from dmm.settlement.intent import Intent, Slot
from dmm.units.errors import OutcomeUnknown, Permanent

FINALITY = 4
FAR_S = 10**7


class NoLuck(Random):
    """Everything that is left to chance does not happen, so that both sides have one course."""

    def random(self) -> float:
        return 0.999_999


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SolanaDesk]:
    pace = Pace(slot_ms=0, confirmed_slots=1, finalized_slots=FINALITY)
    made = SolanaDesk.on(tmp_path_factory.mktemp("solana-model"), pace=pace)
    yield made
    made.stop()


@dataclass
class Payment:
    """One intent and every transaction signed for it, on both sides."""

    intent: Intent
    signed: list[tuple[SignedTx, Slot, Tx]] = field(default_factory=list)


class Both:
    """A script's two courses."""

    def __init__(self, desk: SolanaDesk) -> None:
        self.desk = desk
        desk.advance(FINALITY + 2)
        self.base = int(desk.call("getSlot", {"commitment": "processed"}))
        self.model = ChainModel(NoLuck(), kind="solana", guard=True, start_s=desk.now_s())
        self.model.finality = FINALITY
        for _ in range(FINALITY + 2):
            self.model.mine()
        self.base -= self.model.head.height
        self.payments: list[Payment] = []

    def advance(self, slots: int) -> None:
        self.desk.advance(slots)
        for _ in range(slots):
            self.model.mine()

    def sign(self, which: int, *, new: bool, late: bool) -> None:
        """Sign for a payment over the finalized block of the moment.

        A lost fork leaves slots without blocks on the node and other blocks in the model: until
        finality is past them, the two mean different blocks by "finalized".
        """
        for _ in range(2 * FINALITY):
            if (
                self.desk.chain().snapshot().finalized_height
                == self.model.head.final.height + self.base
            ):
                break
            self.advance(1)
        if new or not self.payments:
            deadline_s = self.desk.now_s() + (-1 if late else FAR_S)
            self.payments.append(Payment(self.desk.reward(deadline_s=deadline_s)))
            which = -1
        payment = self.payments[which % len(self.payments)]
        chain = self.desk.chain()
        offer = chain.slot_offer("", at=chain.snapshot())
        assert offer is not None
        signed = self.desk.sign(payment.intent, generation=len(payment.signed))
        final = self.model.head.final
        is_late = payment.intent.deadline_s < self.desk.now_s()
        tx = Tx(
            tx_id=signed.tx_id,
            key=payment.intent.intent_id.hex(),
            signer="operator",
            slot=len(payment.signed),
            deadline_s=0 if is_late else self.model.head.time_s + FAR_S,
            pays=True,
            expires=final.height + BLOCKHASH_BLOCKS,
            anchor=str(final.number),
        )
        assert offer.expires == tx.expires + self.base
        slot = Slot(signer="", slot=0, generation=0, expires=offer.expires, anchor=offer.anchor)
        payment.signed.append((signed, slot, tx))

    def send(self, which: int, attempt: int) -> None:
        """Send bytes into the next block, without a node's try before."""
        if not self.payments:
            return
        signed, _, tx = self._pick(which, attempt)
        self.desk.advance(1)
        with contextlib.suppress(OutcomeUnknown, Permanent):
            self.desk.chain().send(signed.raw)
        # What a node's try refuses never enters a block; the model carries it out to no effect.
        if self._would_pay(tx):
            self.model.accept(tx)
        self.model.mine()

    def _would_pay(self, tx: Tx) -> bool:
        head = self.model.head
        return tx.key not in head.keys and head.time_s <= tx.deadline_s

    def _pick(self, which: int, attempt: int) -> tuple[SignedTx, Slot, Tx]:
        payment = self.payments[which % len(self.payments)]
        return payment.signed[attempt % len(payment.signed)]

    def fork(self, depth: int) -> None:
        """Let blocks lose; nobody sends again what was in them."""
        self.desk.call("dmm_fork", depth)
        self.model.pool.clear()
        self.model.reorg(depth)

    def compare(self) -> None:
        chain, model = self.desk.chain(), self.model
        at, final = chain.snapshot(), model.head.final
        head = int(self.desk.call("getSlot", {"commitment": "processed"}))
        assert head == model.head.height + self.base
        landing = {height + self.base for height, _ in final.receipts.values()}
        for payment in self.payments:
            key = payment.intent.intent_id.hex()
            used = final.keys.get(key) == "paid"
            skew = at.finalized_height != final.height + self.base
            if not skew:
                state = chain.key_state(payment.intent, at=at)
                assert state is (Answer.FOUND if used else Answer.ABSENT)
            for signed, slot, tx in payment.signed:
                landed = model.head.receipts.get(tx.tx_id)
                view = chain.transaction(signed.tx_id, at=at)
                if landed is not None and landed[0] < model.head.height:
                    assert view.answer is Answer.FOUND
                    assert view.height == landed[0] + self.base
                elif landed is None:
                    assert view.answer is Answer.ABSENT
                if chain.slot_state(slot, payment.intent, at=at) is SlotState.SPENT:
                    assert not model.can_land(tx)
        assert all(height <= head for height in landing)
        assert all(count == 1 for count in model.head.paid.values())


steps = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.sampled_from([1, 2, FINALITY, 60, 141, 150, 155])),
        st.tuples(
            st.just("sign"), st.integers(0, 3), st.booleans(), st.sampled_from([False] * 4 + [True])
        ),
        st.tuples(st.just("send"), st.integers(0, 3), st.integers(0, 3)),
        st.tuples(st.just("fork"), st.integers(1, FINALITY - 1)),
    ),
    min_size=4,
    max_size=14,
)


def play(desk: SolanaDesk, script: list[tuple[object, ...]]) -> None:
    both = Both(desk)
    for step in [("sign", 0, True, False), *script]:
        match step:
            case ("advance", int(slots)):
                both.advance(slots)
            case ("sign", int(which), bool(new), bool(late)):
                both.sign(which, new=new, late=late)
            case ("send", int(which), int(attempt)):
                both.send(which, attempt)
            case ("fork", int(depth)):
                both.fork(depth)
        both.compare()
    both.advance(FINALITY + 1)
    both.compare()


@pytest.fixture(autouse=True)
def _same_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the model's blockhashes the reach of the real ones."""
    monkeypatch.setattr(chain_model, "ANCHOR_BLOCKS", BLOCKHASH_BLOCKS)


SCRIPTS = {
    "lands": [("send", 0, 0), ("advance", 1), ("advance", 5)],
    "fork takes it back": [("send", 0, 0), ("advance", 1), ("fork", 3), ("advance", 5)],
    "lands again after a fork": [("send", 0, 0), ("fork", 2), ("send", 0, 0), ("advance", 5)],
    "last block of its reach": [("advance", 145), ("send", 0, 0), ("advance", 5)],
    "one block too late": [("advance", 150), ("send", 0, 0), ("advance", 5)],
    "sent twice": [("send", 0, 0), ("send", 0, 0), ("advance", 5)],
    "two slots, one key": [
        ("advance", 2),
        ("sign", 0, False, False),
        ("send", 0, 0),
        ("send", 0, 1),
        ("advance", 5),
    ],
    "after the deadline": [("sign", 0, True, True), ("send", 1, 0), ("advance", 5)],
}


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_model_and_node_agree_on(name: str, desk: SolanaDesk) -> None:
    play(desk, SCRIPTS[name])


_NO_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)
"""A script takes a second: the one that fails is short enough to read as it is."""

_SAME = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=8, deadline=None, suppress_health_check=_SAME, phases=_NO_SHRINK)
@given(steps)
def test_model_and_node_agree_on_any_script(
    desk: SolanaDesk, script: list[tuple[object, ...]]
) -> None:
    play(desk, script)


@pytest.mark.deep
@settings(max_examples=600, deadline=None, suppress_health_check=_SAME, phases=_NO_SHRINK)
@given(steps)
def test_model_and_node_agree_on_many_scripts(
    desk: SolanaDesk, script: list[tuple[object, ...]]
) -> None:
    play(desk, script)
