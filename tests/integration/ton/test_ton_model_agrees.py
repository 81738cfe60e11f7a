"""The simulator's model of TON and the local chain do the same on the same scripts.

The driver's proofs come from the simulator, so its model must be the chain's: what a wallet takes,
what becomes of a payment whose message was taken, and when bytes are over. How many blocks a
message takes differs; both sides are compared when nothing is under way, and on the way there no
answer of the chain may contradict where the model ends.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from simulation.chain_model import BLOCK_S, LEG_BLOCKS_MAX, REFUND_BLOCKS, ChainModel, Tx
from simulation.nodes import KEYS

from dmm.adapters.ton.cells import op
from dmm.adapters.ton.wallet import outgoing, query_id_of
from dmm.ports import Answer, SignedTx, SlotState
from dmm.sandbox.ton.cells import OP_BRAKE, at
from dmm.settlement.intent import Intent, Slot
from dmm.units.errors import OutcomeUnknown
from tests.integration.ton.conftest import TON1, Local

LIFE_S = 50_000
QUIET_BLOCKS = 4 * (LEG_BLOCKS_MAX + REFUND_BLOCKS)
LOCKED_OUT, FREE = 1, 0
WAY = {
    Answer.FOUND: [Answer.ABSENT, Answer.PENDING, Answer.FOUND],
    Answer.REFUNDED: [Answer.ABSENT, Answer.PENDING, Answer.REFUNDED],
    Answer.ABSENT: [Answer.ABSENT],
}
"""What a key may say on its way to each end."""


class NoLuck(Random):
    """Everything that is left to chance does not happen, so that both sides have one course."""

    def random(self) -> float:
        return 0.999_999


@pytest.fixture
def bouncing(local: Local) -> Iterator[Local]:
    """Lock the treasury's wallet of BTC: its payments bounce at the first hop."""
    brake(local, LOCKED_OUT)
    yield local
    brake(local, FREE)


def brake(local: Local, status: int) -> None:
    treasury = local.book.account("treasury")
    body = op(OP_BRAKE, write=lambda b: b.store_address(at(treasury)).store_uint(status, 4))
    local.ordinal += 1
    _, content = local.actors.deployer.send_on(
        outgoing(to=local.book.minter("BTC"), nanoton=TON1 // 10, body=body),
        query_id=query_id_of(6_000_000 + local.ordinal),
        created_at_s=local.now_s(),
    )
    local.chain().send(content)
    local.idle()


@dataclass
class Payment:
    """One intent and every message signed for it, on both sides."""

    intent: Intent
    signed: list[tuple[SignedTx, Tx]] = field(default_factory=list)

    @property
    def key(self) -> str:
        return self.intent.intent_id.hex()


class Both:
    """A script's two courses."""

    def __init__(self, local: Local) -> None:
        self.local = local
        self.first = local.idle()
        self.model = ChainModel(
            NoLuck(5), kind="ton", guard=True, start_s=local.now_s(), finality=0
        )
        self.model.finality = self.model.head.finality = 0
        self.payments: list[Payment] = []
        self.seen: dict[str, list[Answer]] = {}

    def sign(self, which: int, *, new: bool, bad: bool, late: bool) -> None:
        if new or not self.payments:
            ahead_s = -1 if late else LIFE_S
            intent = self.local.reward(
                asset="BTC" if bad else "DCT", deadline_s=self.local.now_s() + ahead_s
            )
            self.payments.append(Payment(intent))
            if bad:
                self.model.bad.add(intent.intent_id.hex())
            which = -1
        payment = self.payments[which % len(self.payments)]
        signed = self.local.signed(payment.intent)
        left_s = payment.intent.deadline_s - self.local.now_s()
        tx = Tx(
            tx_id=signed.tx_id,
            key=payment.key,
            signer=signed.signer,
            slot=self.local.ordinal,
            deadline_s=self.model.head.time_s + left_s,
            pays=True,
            expires=self.model.head.time_s + 10**7,
        )
        payment.signed.append((signed, tx))

    def send(self, which: int, attempt: int) -> None:
        if not self.payments:
            return
        payment = self.payments[which % len(self.payments)]
        signed, tx = payment.signed[attempt % len(payment.signed)]
        with contextlib.suppress(OutcomeUnknown):
            self.local.chain().send(signed.raw)
        if self.model._fits(tx, self.model.head):
            self.model.accept(tx)
            self.model.mine()
        self._look()

    def settle(self) -> None:
        """Let everything under way arrive."""
        self.local.idle()
        self._skip(QUIET_BLOCKS)

    def expire(self) -> None:
        """Let every deadline pass with nothing under way."""
        self.settle()
        self.local.node.advance(LIFE_S + 1)
        self.model.head.time_s += LIFE_S + 1
        self._skip(1)

    def _skip(self, blocks: int) -> None:
        """Make blocks of the model that take no time: it is the chain's that counts."""
        for _ in range(blocks):
            self.model.mine()
            self.model.head.time_s -= BLOCK_S

    def _look(self) -> None:
        chain = self.local.chain()
        snapshot = chain.snapshot()
        for payment in self.payments:
            said = chain.key_state(payment.intent, at=snapshot)
            self.seen.setdefault(payment.key, []).append(said)

    def compare(self) -> None:
        self._look()
        chain, model = self.local.chain(), self.model
        snapshot, head = chain.snapshot(), self.model.head
        for payment in self.payments:
            wanted = KEYS.get(head.keys.get(payment.key, ""), Answer.ABSENT)
            assert chain.key_state(payment.intent, at=snapshot) is wanted
            seen = [WAY[wanted].index(answer) for answer in self.seen[payment.key]]
            assert seen == sorted(seen)
            for signed, tx in payment.signed:
                landed = chain.transaction(signed.tx_id, at=snapshot).answer is Answer.FOUND
                assert landed == (tx.tx_id in head.receipts)
                slot = Slot(signer=signed.signer, slot=tx.slot, generation=0)
                if chain.slot_state(slot, payment.intent, at=snapshot) is SlotState.SPENT:
                    assert not model.can_land(tx)
                else:
                    assert landed or model.can_land(tx)
        events = self.local.log().events(
            from_height=self.first + 1, to_height=snapshot.finalized_height
        )
        paid = Counter(event.text("key") for event in events if event.name == "Paid")
        assert dict(paid) == head.paid
        assert set(paid.values()) <= {1}


def play(local: Local, script: list[tuple[object, ...]]) -> None:
    both = Both(local)
    for step in script:
        match step:
            case ("sign", int(which), bool(new), bool(bad), bool(late)):
                both.sign(which, new=new, bad=bad, late=late)
            case ("send", int(which), int(attempt)):
                both.send(which, attempt)
            case ("settle",):
                both.settle()
                both.compare()
            case ("expire",):
                both.expire()
                both.compare()
    both.settle()
    both.compare()
    both.expire()
    both.compare()


GOOD = ("sign", 0, True, False, False)
AGAIN = ("sign", 0, False, False, False)
SCRIPTS = {
    "pays": [GOOD, ("send", 0, 0), ("settle",)],
    "sent twice": [GOOD, ("send", 0, 0), ("send", 0, 0), ("settle",), ("send", 0, 0)],
    "two slots, one key": [GOOD, AGAIN, ("send", 0, 0), ("send", 0, 1), ("settle",)],
    "bounces": [("sign", 0, True, True, False), ("send", 0, 0), ("settle",)],
    "bounces and is tried again": [
        ("sign", 0, True, True, False),
        AGAIN,
        ("send", 0, 0),
        ("settle",),
        ("send", 0, 1),
    ],
    "after the deadline": [("sign", 0, True, False, True), ("send", 0, 0), ("settle",)],
    "signed and not sent": [GOOD, AGAIN, ("settle",)],
    "down past the deadline": [GOOD, ("expire",), ("send", 0, 0), ("settle",)],
    "paid, then down past the deadline": [GOOD, ("send", 0, 0), ("expire",), ("send", 0, 0)],
}


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_model_and_chain_agree_on(name: str, bouncing: Local) -> None:
    play(bouncing, SCRIPTS[name])  # type: ignore[arg-type]


rarely = st.sampled_from([False, False, False, True])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("sign"), st.integers(0, 3), st.booleans(), rarely, rarely),
        st.tuples(st.just("send"), st.integers(0, 3), st.integers(0, 3)),
        st.tuples(st.just("settle")),
        st.tuples(st.just("expire")),
    ),
    min_size=4,
    max_size=12,
)
_NO_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)
"""A script takes seconds: the one that fails is short enough to read as it is."""

_SAME = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=4, deadline=None, suppress_health_check=_SAME, phases=_NO_SHRINK)
@given(steps)
def test_model_and_chain_agree_on_any_script(
    bouncing: Local, script: list[tuple[object, ...]]
) -> None:
    play(bouncing, script)


@pytest.mark.deep
@pytest.mark.timeout(7_200)
@settings(max_examples=300, deadline=None, suppress_health_check=_SAME, phases=_NO_SHRINK)
@given(steps)
def test_model_and_chain_agree_on_many_scripts(
    bouncing: Local, script: list[tuple[object, ...]]
) -> None:
    play(bouncing, script)
