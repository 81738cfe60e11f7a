"""The driver over both wallets, one suite: neither pays twice, loses, or pays anybody itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from journal_memory import MemoryJournal
from journal_samples import RUN
from pytoniq_core import Cell
from pytoniq_core.tlb.transaction import MessageAny

from dmm.adapters.ton.cells import EMPTY
from dmm.adapters.ton.messages import account_of
from dmm.adapters.ton.node import open_nodes
from dmm.adapters.ton.sign import SequencedKey, sign_settlement
from dmm.adapters.ton.slots import VALID_S
from dmm.adapters.ton.wallet import Wallet, outgoing
from dmm.ledger.account import AccountKind
from dmm.ledger.journal import Posting
from dmm.ports import Answer, SignedTx, SignRequest
from dmm.sandbox.ton.node import GLOBAL_ID
from dmm.settlement.batch import account, reserve
from dmm.settlement.epoch import EpochPlan, Job
from dmm.settlement.intent import Intent, IntentKind, IntentState
from dmm.units.amount import Atoms
from dmm.units.errors import OutcomeUnknown, Permanent
from dmm.units.ids import Hash32
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.driver import Driver, Pace, Step
from tests.integration.ton.conftest import TON1, Local, mend

LIFE_S = 3 * VALID_S
ROUNDS_MAX = 60


class Killed(BaseException):
    """Stands for a process that is gone: nothing catches it."""


@dataclass
class Desk:
    """A driver with a journal in memory, on one local chain."""

    local: Local
    now_ns: int = 0
    signed: list[SignRequest] = field(default_factory=list)
    bytes_signed: list[bytes] = field(default_factory=list)
    refused: set[Hash32] = field(default_factory=set)
    journal: Any = None
    epoch: int = 0

    def __post_init__(self) -> None:
        self.journal = MemoryJournal(now_ns=lambda: self.now_ns)
        for asset in ("DCT", "USDT"):
            self.journal.post(
                [
                    Posting(
                        source_id=f"funding:{asset}",
                        debit=account("treasury@ton", asset, AccountKind.OUTSIDE),
                        credit=account("treasury@ton", asset, AccountKind.AVAILABLE),
                        amount=Atoms(10**16),
                        posted_at_ns=Nanos(0),
                    )
                ]
            )

    @property
    def wallet(self) -> Wallet:
        return self.local.actors.wallet

    def address(self, chain: str, lane: str = "") -> str:
        del chain, lane
        return self.local.actors.operator.address

    def sign(self, request: SignRequest) -> SignedTx:
        if request.intent.intent_id in self.refused:
            raise Permanent("the day's cap is spent")
        done = sign_settlement(request, key=self.local.actors.operator, book=self.local.book)
        self.signed.append(request)
        self.bytes_signed.append(done.raw)
        return done

    def plan(self, *intents: Intent) -> None:
        claim = self.journal.open_epoch(
            run_id=RUN,
            job=Job.LIQUIDITY_REWARDS,
            scope="test",
            epoch=self.epoch,
            now_ns=Nanos(0),
            chain_time_s=self.local.now_s(),
        )
        self.epoch += 1
        self.journal.record_epoch(
            claim, EpochPlan(intents=intents, postings=tuple(reserve(i, at_ns=0) for i in intents))
        )

    def step(self, chain: Any = None) -> list[Step]:
        """Look at every open intent once, as a driver that has just started."""
        self.now_ns += 100 * NS_PER_S
        driver = Driver(
            store=self.journal,
            chain=chain or self.local.chain(),
            signer=self,
            pace=Pace(poll_s=1.0),
        )
        claims = self.journal.claim_batch(chain="ton", owner="w", lease_s=5, limit=64)
        return driver.steps(claims)

    def drive(self) -> None:
        """Step until everything has ended; between two looks the chain does all it can."""
        for _ in range(ROUNDS_MAX):
            self.step()
            self.local.idle()
            if not any(state.is_open for _, state in self.journal.intents()):
                return

    def states(self) -> list[IntentState]:
        return [state for _, state in self.journal.intents()]


class Dies:
    """A chain whose desk is killed at its first send, before or after the bytes are out."""

    def __init__(self, chain: Any, *, after: bool) -> None:
        self._chain, self._after = chain, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)

    def send(self, raw: bytes) -> None:
        if self._after:
            self._chain.send(raw)
        raise Killed


@pytest.fixture(params=["shared_local", "shared_v5"], ids=["highload-v3", "v5"])
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    local = request.getfixturevalue(request.param)
    yield Desk(local)
    mend(local)


@pytest.fixture
def v5(shared_v5: Local) -> Iterator[Desk]:
    yield Desk(shared_v5)
    mend(shared_v5)


def reward(desk: Desk, **change: Any) -> Intent:
    return desk.local.reward(**({"deadline_s": desk.local.now_s() + LIFE_S} | change))


def times_paid(desk: Desk, *intents: Intent) -> list[int]:
    """Return how often the treasury says that it paid each intent."""
    events = desk.local.one_server().events(from_height=1, to_height=desk.local.idle())
    paid = Counter(event.text("key") for event in events if event.name in ("Paid", "BoughtBack"))
    return [paid[intent.intent_id.hex()] for intent in intents]


def seqno(desk: Desk) -> int:
    node = open_nodes([desk.local.node.config_path], global_id=GLOBAL_ID)[0]
    return int(node.get(desk.local.actors.operator.address, "seqno", [], node.head())[0])


def test_many_payments_go_out_and_each_is_made_once(desk: Desk) -> None:
    intents = [reward(desk) for _ in range(4)]
    burnt = desk.local.buyback()
    desk.plan(*intents, burnt)
    desk.drive()
    assert set(desk.states()) == {IntentState.FINAL}
    assert times_paid(desk, *intents, burnt) == [1] * 5
    # Nothing was signed twice: no slot was lost to another payment of ours.
    assert len(desk.signed) == 5


@pytest.mark.parametrize("after", [False, True], ids=["before the send", "after the send"])
def test_a_desk_killed_between_signing_and_seeing_sends_the_same_bytes_again(
    desk: Desk, after: bool
) -> None:
    intent = reward(desk)
    desk.plan(intent)
    with pytest.raises(Killed):
        desk.step(Dies(desk.local.chain(), after=after))
    assert desk.states() == [IntentState.IN_FLIGHT]
    desk.drive()
    assert desk.states() == [IntentState.FINAL]
    assert len(desk.signed) == 1
    assert times_paid(desk, intent) == [1]


def test_what_the_network_loses_is_sent_again_until_it_is_taken(desk: Desk) -> None:
    intent = reward(desk)
    desk.plan(intent)
    desk.local.node.set_faults(lost_per_mille=1_000)
    for _ in range(3):
        desk.step()
    assert desk.states() == [IntentState.IN_FLIGHT]
    desk.local.node.set_faults()
    desk.drive()
    assert desk.states() == [IntentState.FINAL]
    assert len(desk.signed) == 1


def test_bytes_that_were_never_sent_are_dead_past_the_deadline_and_stay_so(desk: Desk) -> None:
    intent = reward(desk)
    desk.plan(intent)
    with pytest.raises(Killed):
        desk.step(Dies(desk.local.chain(), after=False))
    (raw,) = desk.bytes_signed
    desk.local.node.advance(LIFE_S + 1)
    desk.drive()
    assert desk.states() == [IntentState.FAILED]
    _hand_in(desk, raw)
    assert desk.local.state(intent) is Answer.ABSENT
    assert times_paid(desk, intent) == [0]


def test_what_the_contract_refuses_holds_up_nobody_else(desk: Desk) -> None:
    refused = reward(desk, asset="USDT", amount=Atoms(1_000_000 * 10**6 + 1))
    paid = [reward(desk) for _ in range(2)]
    desk.plan(refused, *paid)
    for _ in range(10):
        desk.step()
        desk.local.idle()
    assert desk.states() == [IntentState.CONFIRMED, IntentState.FINAL, IntentState.FINAL]
    desk.local.node.advance(LIFE_S + 1)
    desk.drive()
    assert desk.states()[0] is IntentState.FAILED


def test_what_the_signer_refuses_holds_up_nobody_and_is_paid_when_it_no_longer_does(
    desk: Desk,
) -> None:
    late, *others = (reward(desk) for _ in range(4))
    desk.refused = {late.intent_id}
    desk.plan(late, *others)
    for _ in range(10):
        desk.step()
        desk.local.idle()
    assert desk.states() == [IntentState.READY] + [IntentState.FINAL] * 3
    desk.refused.clear()
    desk.drive()
    assert desk.states() == [IntentState.FINAL] * 4
    assert times_paid(desk, late, *others) == [1] * 4
    # Refusals used no slots up, though the number went on three times meanwhile.
    assert max(request.generation for request in desk.signed) <= 1


def test_neither_wallet_ever_pays_a_recipient_directly(desk: Desk) -> None:
    intents = (reward(desk), desk.local.buyback())
    for intent in intents:
        message = _sent_on(desk.local.signed(intent).raw, desk.wallet)
        assert account_of(message.info.dest) == desk.local.book.account("treasury")
        assert message.info.value.grams < TON1


def test_a_signed_message_is_of_one_network_and_one_key(desk: Desk) -> None:
    intent = reward(desk)
    raw = bytearray(desk.local.signed(intent).raw)
    raw[-40] ^= 1
    with pytest.raises((OutcomeUnknown, Permanent)):
        desk.local.chain().send(bytes(raw))
    assert desk.local.state(intent) is Answer.ABSENT


# -- wallet v5 alone -------------------------------------------------------------------------------


def test_numbers_of_a_wallet_v5_are_used_one_after_the_other(v5: Desk) -> None:
    first = seqno(v5)
    v5.plan(*(reward(v5) for _ in range(3)))
    v5.drive()
    assert [int(request.anchor) for request in v5.signed] == [first, first + 1, first + 2]
    assert seqno(v5) == first + 3


def test_bytes_whose_time_is_over_are_replaced_long_before_the_deadline(v5: Desk) -> None:
    intent = reward(v5)
    v5.plan(intent)
    with pytest.raises(Killed):
        v5.step(Dies(v5.local.chain(), after=False))
    (old,) = v5.bytes_signed
    v5.local.node.advance(VALID_S)
    assert v5.step() == [Step.RETIRED]
    v5.drive()
    assert v5.states() == [IntentState.FINAL]
    # The number was never used: the second bytes name it again, with another end.
    assert len({request.anchor for request in v5.signed}) == 1
    assert len({request.expires for request in v5.signed}) == 2
    _hand_in(v5, old)
    assert times_paid(v5, intent) == [1]


def test_a_number_that_somebody_else_used_proves_our_bytes_dead(v5: Desk) -> None:
    intent = reward(v5)
    v5.plan(intent)
    with pytest.raises(Killed):
        v5.step(Dies(v5.local.chain(), after=False))
    key = v5.local.actors.operator
    assert isinstance(key, SequencedKey)
    _, other = key.send_next(
        outgoing(to=key.account, nanoton=1, body=EMPTY, bounce=False),
        seqno=seqno(v5),
        valid_until_s=v5.local.now_s() + 600,
    )
    v5.local.chain().send(other)
    v5.local.idle()
    assert v5.step() == [Step.RETIRED]
    v5.drive()
    first, second = (int(request.anchor) for request in v5.signed)
    assert (v5.states(), second) == ([IntentState.FINAL], first + 1)


def test_a_wallet_v5_that_does_not_exist_yet_is_waited_for(v5: Desk) -> None:
    chain = v5.local.chain()
    stranger = SequencedKey(b"\x77" * 32, global_id=GLOBAL_ID)
    assert chain.slot_offer(stranger.address, at=chain.snapshot()) is None


def test_a_takers_order_is_handed_in_beside_the_wallets_own_messages(v5: Desk) -> None:
    quote = v5.local.quote()
    intent = v5.local.fill(quote)
    paid = reward(v5)
    v5.plan(paid)
    with pytest.raises(Killed):
        v5.step(Dies(v5.local.chain(), after=False))
    # Our number is taken, and the taker's wallet has nothing to do with it.
    before = v5.local.held(quote.taker, "BTC")
    v5.local.pay(intent)
    assert v5.local.held(quote.taker, "BTC") == before + quote.maker_amount
    v5.drive()
    assert v5.states() == [IntentState.FINAL]
    assert intent.kind is IntentKind.QUOTE


def _hand_in(desk: Desk, raw: bytes) -> None:
    """Hand bytes in as anybody who kept them might; the wallet may refuse them."""
    try:
        desk.local.chain().send(raw)
    except OutcomeUnknown:
        return
    desk.local.idle()


def _sent_on(raw: bytes, wallet: Wallet) -> Any:
    body = MessageAny.deserialize(Cell.one_from_boc(raw).begin_parse()).body.begin_parse()
    # Highload signs a cell of its own, whose first reference is the message; v5 a list of actions.
    order = body.load_ref().begin_parse()
    place = 0 if wallet is Wallet.HIGHLOAD_V3 else 1
    for _ in range(place):
        order.load_ref()
    return MessageAny.deserialize(order.load_ref().begin_parse())
