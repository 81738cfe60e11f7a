"""Send slots over durable nonces: what is offered, what raises a fee, what proves a slot over."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace

import pytest
from solana_desk import SolanaDesk
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from dmm.adapters.solana.client import SolanaChain
from dmm.adapters.solana.sign import TRANSACTION_BYTES_MAX, sign_settlement
from dmm.ports import Answer, SignedTx, SlotState
from dmm.sandbox.solana.chain import Pace
from dmm.settlement.intent import Intent, Slot
from dmm.settlement.lifecycle import BUMP_MAX
from dmm.units.errors import OutcomeUnknown, Permanent, ServiceFault

NONCES = 3
FINALITY = 6


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SolanaDesk]:
    pace = Pace(slot_ms=0, confirmed_slots=1, finalized_slots=FINALITY)
    made = SolanaDesk.on(tmp_path_factory.mktemp("solana-durable"), pace=pace)
    made.use_nonces(NONCES)
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def _rested(desk: SolanaDesk) -> None:
    """Let whatever a test before left become final, and its offers be forgotten."""
    desk.advance(FINALITY + 1)
    desk._chain = None


def open_slot(desk: SolanaDesk) -> Slot:
    chain = desk.chain()
    offer = chain.slot_offer(desk.actors.operator.address, at=chain.snapshot())
    assert offer is not None
    return Slot(
        signer=desk.actors.operator.address,
        slot=offer.floor,
        generation=0,
        expires=offer.expires,
        anchor=offer.anchor,
    )


def sign(desk: SolanaDesk, intent: Intent, slot: Slot, *, bump: int = 0) -> SignedTx:
    request = desk.chain().sign_request(
        intent,
        generation=slot.generation,
        bump=bump,
        slot=slot.slot,
        expires=slot.expires,
        anchor=slot.anchor,
    )
    return sign_settlement(request, key=desk.actors.operator, book=desk.book)


def state(desk: SolanaDesk, slot: Slot, intent: Intent) -> SlotState:
    chain = desk.chain()
    return chain.slot_state(slot, intent, at=chain.snapshot())


def key(desk: SolanaDesk, intent: Intent) -> Answer:
    chain = desk.chain()
    return chain.key_state(intent, at=chain.snapshot())


def test_each_kind_of_payment_fits_and_lands_over_a_nonce(desk: SolanaDesk) -> None:
    assert desk.chain().slot_rules.replaces
    for intent in (desk.reward(), desk.buyback(), desk.accepted()):
        slot = open_slot(desk)
        signed = sign(desk, intent, slot)
        assert len(signed.raw) <= TRANSACTION_BYTES_MAX
        assert VersionedTransaction.from_bytes(signed.raw).uses_durable_nonce()
        desk.advance(400)
        desk.chain().send(signed.raw)
        desk.finalize()
        assert key(desk, intent) is Answer.FOUND


def test_bytes_over_one_value_exclude_each_other_and_bumps_cost_more(desk: SolanaDesk) -> None:
    intent, slot = desk.reward(), open_slot(desk)
    bumps = [sign(desk, intent, slot, bump=bump) for bump in range(BUMP_MAX + 1)]
    fees = [one.fee_atoms_max for one in bumps]
    assert fees == sorted(set(fees))
    assert len({one.tx_id for one in bumps}) == len(bumps)
    desk.advance()
    desk.chain().send(bumps[2].raw)
    desk.advance()
    with pytest.raises(OutcomeUnknown):
        desk.chain().send(bumps[3].raw)


def test_values_that_are_given_out_or_on_their_way_are_not_offered(desk: SolanaDesk) -> None:
    slots = [open_slot(desk) for _ in range(NONCES)]
    assert len({slot.anchor for slot in slots}) == NONCES
    chain, signer = desk.chain(), desk.actors.operator.address
    assert chain.slot_offer(signer, at=chain.snapshot()) is None
    signed = sign(desk, desk.reward(), slots[0])
    desk.advance()
    chain.send(signed.raw)
    desk.advance(2)
    # Another settler knows of no offers: it sees that the first account's value is being used.
    other = SolanaChain(
        rpc_urls=(desk.local.node.url,),
        genesis_hash=desk.local.genesis_hash,
        deployments=desk.by_name,
        unit_fee_max=1_000_000,
        unit_tip=1_000,
        nonce_accounts=desk.nonce_accounts,
    )
    offers = [other.slot_offer(signer, at=other.snapshot()) for _ in range(NONCES)]
    anchors = {offer.anchor for offer in offers if offer is not None}
    assert anchors == {slot.anchor for slot in slots[1:]}
    desk.finalize()
    assert chain.slot_offer(signer, at=chain.snapshot()) is not None


def test_a_value_that_nobody_used_is_offered_again_after_a_while(desk: SolanaDesk) -> None:
    slots = {open_slot(desk).anchor for _ in range(NONCES)}
    desk.advance(160)
    assert open_slot(desk).anchor in slots


def test_a_slot_is_open_until_another_transaction_moved_its_value_finally(
    desk: SolanaDesk,
) -> None:
    mine, other, slot = desk.reward(), desk.reward(), open_slot(desk)
    lost, sibling = sign(desk, mine, slot), sign(desk, other, slot)
    assert state(desk, slot, mine) is SlotState.OPEN
    desk.advance(500)
    assert state(desk, slot, mine) is SlotState.OPEN
    desk.chain().send(sibling.raw)
    desk.advance(FINALITY - 1)
    assert state(desk, slot, mine) is SlotState.OPEN
    desk.advance(2)
    assert state(desk, slot, mine) is SlotState.SPENT
    with pytest.raises(OutcomeUnknown):
        desk.chain().send(lost.raw)
    desk.finalize()
    assert key(desk, mine) is Answer.ABSENT
    assert key(desk, other) is Answer.FOUND


def test_a_payment_that_failed_moves_the_value_and_its_slot_is_over(desk: SolanaDesk) -> None:
    intent, slot = desk.reward(10**18), open_slot(desk)
    signed = sign(desk, intent, slot)
    desk.advance()
    config = {"encoding": "base64", "skipPreflight": True}
    desk.call("sendTransaction", base64.b64encode(signed.raw).decode(), config)
    desk.finalize()
    chain = desk.chain()
    view = chain.transaction(signed.tx_id, at=chain.snapshot())
    assert (view.answer, view.succeeded, view.finalized) == (Answer.FOUND, False, True)
    assert state(desk, slot, intent) is SlotState.SPENT
    assert key(desk, intent) is Answer.ABSENT


def test_a_value_moved_by_the_payment_itself_proves_nothing_against_it(desk: SolanaDesk) -> None:
    """A snapshot taken before the payment was final must not retire the slot that paid."""
    intent, slot = desk.reward(), open_slot(desk)
    signed = sign(desk, intent, slot)
    desk.advance()
    chain = desk.chain()
    before = chain.snapshot()
    assert chain.key_state(intent, at=before) is Answer.ABSENT
    chain.send(signed.raw)
    desk.finalize()
    assert chain.slot_state(slot, intent, at=before) is SlotState.UNKNOWN


def test_past_the_deadline_a_value_that_is_still_there_pays_nothing(desk: SolanaDesk) -> None:
    intent, slot = desk.reward(deadline_s=desk.now_s() + 5), open_slot(desk)
    assert state(desk, slot, intent) is SlotState.OPEN
    desk.call("dmm_setTime", desk.now_s() + 60)
    desk.finalize()
    assert state(desk, slot, intent) is SlotState.SPENT


def test_a_fork_gives_the_value_back_and_the_same_bytes_land_again(desk: SolanaDesk) -> None:
    intent, slot = desk.reward(), open_slot(desk)
    signed = sign(desk, intent, slot)
    desk.advance()
    desk.chain().send(signed.raw)
    desk.advance(1)
    desk.call("dmm_fork", 3)
    assert state(desk, slot, intent) is SlotState.OPEN
    desk.advance()
    desk.chain().send(signed.raw)
    desk.finalize()
    assert key(desk, intent) is Answer.FOUND


def test_slots_of_both_kinds_end_rightly_on_a_desk_that_changed_over(desk: SolanaDesk) -> None:
    plain = SolanaChain(
        rpc_urls=(desk.local.node.url,),
        genesis_hash=desk.local.genesis_hash,
        deployments=desk.by_name,
        unit_fee_max=1_000_000,
        unit_tip=1_000,
    )
    intent, durable = desk.reward(), open_slot(desk)
    assert plain.slot_state(durable, intent, at=plain.snapshot()) is SlotState.OPEN
    offer = plain.slot_offer(desk.actors.operator.address, at=plain.snapshot())
    assert offer is not None
    old = replace(durable, expires=offer.expires, anchor=offer.anchor)
    desk.advance(200)
    assert state(desk, old, intent) is SlotState.SPENT
    # Two transactions over one blockhash could both land, so the second is never made.
    with pytest.raises(Permanent, match="takes one transaction"):
        sign(desk, intent, old, bump=1)
    request = desk.chain().sign_request(
        intent, generation=0, bump=0, slot=1, expires=old.expires, anchor=old.anchor
    )
    with pytest.raises(Permanent, match="takes one transaction"):
        sign_settlement(replace(request, bump=1), key=desk.actors.operator, book=desk.book)


def test_accounts_of_somebody_else_are_refused_by_name(desk: SolanaDesk) -> None:
    stranger = desk.actors.takers[0].address
    with pytest.raises(Permanent, match=f"none of .* is a nonce account of {stranger}"):
        desk.chain().slot_offer(stranger, at=desk.chain().snapshot())


def test_a_node_that_lags_or_lies_about_a_nonce_opens_nothing(desk: SolanaDesk) -> None:
    chain, signer = desk.chain(), desk.actors.operator.address
    at = chain.snapshot()
    desk.call("dmm_inject", {"kind": "lag", "method": "getMultipleAccounts", "slots": 20})
    assert chain.slot_offer(signer, at=at) is None
    intent, slot = desk.reward(), open_slot(desk)
    desk.call("dmm_inject", {"kind": "lag", "method": "getAccountInfo", "slots": 20})
    assert state(desk, slot, intent) is SlotState.UNKNOWN
    desk.call("dmm_clearFaults")


@pytest.mark.parametrize(
    ("accounts", "text"),
    [
        (["11111111111111111111111111111111"], "zero address"),
        (["no-key"], "no Solana address"),
        ([str(Pubkey.new_unique()) for _ in range(65)], "65 nonce accounts are more than 64"),
        ([str(Pubkey.from_bytes(b"\x07" * 32))] * 2, "names an account twice"),
    ],
)
def test_settings_that_name_no_accounts_are_refused(accounts: list[str], text: str) -> None:
    with pytest.raises(ServiceFault, match=text):
        SolanaChain(
            rpc_urls=("http://127.0.0.1:9",),
            genesis_hash="4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY",
            deployments={},
            unit_fee_max=1_000,
            unit_tip=1,
            nonce_accounts=accounts,
        )
