"""The chain port over a local node: what is paid, what can still land, what nobody can know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from solana_desk import FINALITY, SolanaDesk

from dmm.adapters.solana.abi import program_abi
from dmm.adapters.solana.calls import key_account
from dmm.adapters.solana.codec import account
from dmm.adapters.solana.node import NoAnswer, Node
from dmm.adapters.solana.refusals import ProgramRefused
from dmm.adapters.solana.sign import Key
from dmm.adapters.solana.slots import BLOCKHASH_BLOCKS, ROOM_BLOCKS
from dmm.ports import Answer, SlotState, Snapshot
from dmm.sandbox.solana.transact import Sender
from dmm.settlement.intent import Intent, Slot
from dmm.units.errors import OutcomeUnknown, Permanent, Retryable, ServiceFault


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SolanaDesk]:
    made = SolanaDesk.on(tmp_path_factory.mktemp("solana-chain"))
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def _no_faults(desk: SolanaDesk) -> Iterator[None]:
    yield
    desk.call("dmm_clearFaults")


def inject(desk: SolanaDesk, kind: str, method: str, *, times: int = 1, slots: int = 0) -> None:
    desk.call("dmm_inject", {"kind": kind, "method": method, "times": times, "slots": slots})


def twice(desk: SolanaDesk) -> tuple[str, str]:
    """Return two addresses of the one node: a fault that hits one call hits one of them."""
    url = desk.local.node.url
    return url, url.replace("127.0.0.1", "localhost")


def test_a_payment_is_found_at_the_finalized_slot_and_not_before(desk: SolanaDesk) -> None:
    intent, chain = desk.reward(), desk.chain()
    signed = desk.send(intent)
    desk.advance(2)
    at = chain.snapshot()
    view = chain.transaction(signed.tx_id, at=at)
    assert (view.answer, view.succeeded, view.finalized) == (Answer.FOUND, True, False)
    assert chain.key_state(intent, at=at) is Answer.ABSENT
    desk.finalize()
    at = chain.snapshot()
    view = chain.transaction(signed.tx_id, at=at)
    assert (view.answer, view.succeeded, view.finalized) == (Answer.FOUND, True, True)
    assert chain.key_state(intent, at=at) is Answer.FOUND


def test_every_kind_of_intent_is_paid_and_its_key_used(desk: SolanaDesk) -> None:
    intents = [desk.reward(), desk.accepted(), desk.buyback()]
    for intent in intents:
        desk.send(intent)
    desk.finalize()
    chain = desk.chain()
    at = chain.snapshot()
    assert [chain.key_state(intent, at=at) for intent in intents] == [Answer.FOUND] * 3


def test_the_program_refuses_a_used_key_by_number_and_text(desk: SolanaDesk) -> None:
    intent = desk.reward()
    desk.send(intent)
    desk.advance(2)
    with pytest.raises(ProgramRefused, match="6024 KeyUsed, the payment's key was used") as used:
        desk.send(intent)
    assert (used.value.code, used.value.name) == (6_024, "KeyUsed")
    assert isinstance(used.value, Permanent)


def test_the_program_refuses_a_payment_after_its_deadline(desk: SolanaDesk) -> None:
    with pytest.raises(ProgramRefused, match="6025 DeadlinePassed"):
        desk.send(desk.reward(deadline_s=desk.now_s() - 1))


def test_a_cancelled_nonce_was_never_paid(desk: SolanaDesk) -> None:
    intent = desk.accepted()
    cancel(desk, intent)
    desk.finalize()
    chain = desk.chain()
    assert chain.key_state(intent, at=chain.snapshot()) is Answer.ABSENT
    with pytest.raises(ProgramRefused, match="6012 NonceUsed"):
        desk.send(intent)


def cancel(desk: SolanaDesk, intent: Intent) -> None:
    mask = bytearray(32)
    mask[intent.ordinal % 256 // 8] |= 1 << intent.ordinal % 8
    accounts = {
        "authority": desk.actors.desk.public,
        "maker": account(desk.maker, what="maker"),
        "page": key_account(intent, desk.book),
    }
    call = program_abi().instruction(desk.book.program, "cancel_nonces", accounts, mask=bytes(mask))
    Sender(desk.call, desk.actors.deployer).run([call], desk.actors.desk)


def test_a_payment_that_a_fork_took_back_is_absent_and_lands_again_with_the_same_bytes(
    desk: SolanaDesk,
) -> None:
    intent, chain = desk.reward(), desk.chain()
    signed = desk.send(intent)
    desk.advance(3)
    assert chain.transaction(signed.tx_id, at=chain.snapshot()).answer is Answer.FOUND
    desk.call("dmm_fork", 5)
    desk.advance(2)
    assert chain.transaction(signed.tx_id, at=chain.snapshot()).answer is Answer.ABSENT
    chain.send(signed.raw)
    desk.finalize()
    assert chain.key_state(intent, at=chain.snapshot()) is Answer.FOUND


def test_a_slot_is_open_until_the_finalized_height_passes_its_reach(desk: SolanaDesk) -> None:
    intent, chain = desk.reward(), desk.chain()
    offer = chain.slot_offer("", at=chain.snapshot())
    assert offer is not None
    assert offer.expires == chain.snapshot().finalized_height + BLOCKHASH_BLOCKS
    assert offer.floor == chain.snapshot().finalized_time_s  # past what a lost journal gave out
    slot = Slot(signer="", slot=0, generation=0, expires=offer.expires, anchor=offer.anchor)
    signed = desk.sign(intent)
    desk.advance(BLOCKHASH_BLOCKS)
    at = chain.snapshot()
    assert at.finalized_height == offer.expires
    assert chain.slot_state(slot, intent, at=at) is SlotState.OPEN
    desk.advance(1)
    at = chain.snapshot()
    assert chain.slot_state(slot, intent, at=at) is SlotState.SPENT
    with pytest.raises(OutcomeUnknown, match="Blockhash"):
        chain.send(signed.raw)
    desk.finalize()
    at = chain.snapshot()
    assert chain.transaction(signed.tx_id, at=at).answer is Answer.ABSENT
    assert chain.key_state(intent, at=at) is Answer.ABSENT


def test_a_lost_answer_leaves_the_outcome_open_though_the_payment_landed(desk: SolanaDesk) -> None:
    intent = desk.reward()
    inject(desk, "lose_reply", "sendTransaction")
    with pytest.raises(OutcomeUnknown):
        desk.send(intent)
    desk.finalize()
    chain = desk.chain()
    assert chain.key_state(intent, at=chain.snapshot()) is Answer.FOUND


def test_bytes_the_node_knows_are_sent(desk: SolanaDesk) -> None:
    signed = desk.send(desk.reward())
    desk.advance(2)
    desk.chain().send(signed.raw)


def test_a_dropped_payment_is_absent_and_its_slot_open(desk: SolanaDesk) -> None:
    intent, chain = desk.reward(), desk.chain()
    inject(desk, "drop", "sendTransaction")
    signed = desk.send(intent)
    desk.advance(2)
    at = chain.snapshot()
    assert chain.transaction(signed.tx_id, at=at).answer is Answer.ABSENT
    chain.send(signed.raw)
    desk.finalize()
    assert chain.key_state(intent, at=chain.snapshot()) is Answer.FOUND


@pytest.mark.parametrize("kind", ["forget", "lie"])
def test_nodes_that_contradict_one_another_about_a_transaction_make_it_unknown(
    desk: SolanaDesk, kind: str
) -> None:
    signed = desk.send(desk.reward())
    desk.finalize()
    chain = desk.chain(*twice(desk))
    at = chain.snapshot()
    assert at.witnesses == 2
    assert chain.transaction(signed.tx_id, at=at).answer is Answer.FOUND
    inject(desk, kind, "getSignatureStatuses")
    assert chain.transaction(signed.tx_id, at=at).answer is Answer.UNKNOWN


def test_one_node_of_two_alone_knows_nothing_about_a_key(desk: SolanaDesk) -> None:
    intent = desk.reward()
    desk.send(intent)
    desk.finalize()
    chain = desk.chain(*twice(desk))
    at = chain.snapshot()
    inject(desk, "refuse", "getAccountInfo", slots=9)
    assert chain.key_state(intent, at=at) is Answer.UNKNOWN
    inject(desk, "forget", "getAccountInfo")
    assert chain.key_state(intent, at=at) is Answer.UNKNOWN
    assert chain.key_state(intent, at=at) is Answer.FOUND


def test_a_node_that_answers_from_before_the_snapshot_does_not_count(desk: SolanaDesk) -> None:
    intent, chain = desk.reward(), desk.chain()
    at = chain.snapshot()
    inject(desk, "lag", "getAccountInfo", slots=3)
    assert chain.key_state(intent, at=at) is Answer.UNKNOWN


def test_a_snapshot_that_no_node_has_answers_nothing(desk: SolanaDesk) -> None:
    intent, chain = desk.reward(), desk.chain()
    at: Snapshot = replace(chain.snapshot(), finalized_hash="1" * 32)
    slot = Slot(signer="", slot=0, generation=0, expires=0, anchor="")
    assert chain.key_state(intent, at=at) is Answer.UNKNOWN
    assert chain.slot_state(slot, intent, at=at) is SlotState.UNKNOWN
    assert chain.slot_offer("", at=at) is None
    assert chain.transaction("1" * 64, at=at).answer is Answer.UNKNOWN


def test_a_node_of_another_cluster_is_refused_by_its_genesis_hash(desk: SolanaDesk) -> None:
    with pytest.raises(ServiceFault, match="is on the cluster with genesis hash"):
        desk.chain(genesis="4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY").snapshot()
    with pytest.raises(ServiceFault, match="DMM_SOLANA_GENESIS_HASH"):
        desk.chain(genesis="mainnet")


def test_a_node_that_is_away_is_worth_asking_again(desk: SolanaDesk) -> None:
    with pytest.raises(Retryable, match="too few Solana nodes"):
        desk.chain("http://127.0.0.1:9").snapshot()
    alone = desk.chain(desk.local.node.url, "http://127.0.0.1:9")
    at = alone.snapshot()
    assert at.witnesses == 1
    assert alone.key_state(desk.reward(), at=at) is Answer.UNKNOWN


def test_the_head_lies_above_the_finalized_slot_by_the_lag(desk: SolanaDesk) -> None:
    desk.finalize()
    at = desk.chain().snapshot()
    assert at.head_height - at.finalized_height == FINALITY - 1
    assert at.head_time_s >= at.finalized_time_s


def test_a_provider_without_a_token_account_is_paid_all_the_same(desk: SolanaDesk) -> None:
    stranger = Key(b"\x07" * 32)
    desk.send(desk.reward(4_321, recipient=stranger.address))
    desk.finalize()
    height = desk.chain().snapshot().finalized_height
    assert desk.log().balance(holder=stranger.address, asset="DCT", height=height) == 4_321


def test_a_final_block_is_asked_for_once_and_again_after_the_node_was_away(
    desk: SolanaDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node(desk.local.node.url, genesis_hash=desk.local.genesis_hash)
    asked: list[str] = []
    ask = node._ask

    def counted(method: str, *params: object) -> Any:
        asked.append(method)
        return ask(method, *params)

    monkeypatch.setattr(node, "_ask", counted)
    final = node.slot("finalized")
    assert node.block(final) == node.block(final)
    assert asked.count("getBlock") == 1
    node.block(final + 5)
    node.block(final + 5)
    assert asked.count("getBlock") == 3
    inject(desk, "lose_reply", "getSlot")
    with pytest.raises(NoAnswer):
        node.slot("finalized")
    node.block(final)
    assert asked.count("getBlock") == 4
    assert asked.count("getGenesisHash") == 2


def test_over_a_snapshot_that_has_grown_old_no_slot_is_opened(desk: SolanaDesk) -> None:
    """A pass over many intents outlives its snapshot: its last ones wait for the next one."""
    desk.finalize()
    chain = desk.chain()
    at = chain.snapshot()
    room = BLOCKHASH_BLOCKS - desk.finality - ROOM_BLOCKS
    desk.advance(room)
    assert chain.slot_offer("", at=at) is not None
    desk.advance(2)
    assert chain.slot_offer("", at=at) is None
    assert chain.slot_offer("", at=chain.snapshot()) is not None
