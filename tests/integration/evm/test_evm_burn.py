"""A nonce that nothing was sent for is burnt on a real chain, and the lane behind it goes on."""

from __future__ import annotations

from typing import Any

from dmm.adapters.evm.sign import sign_settlement
from dmm.ports import SlotState
from dmm.settlement.intent import Purpose, Slot
from dmm.settlement.lifecycle import BUMP_MAX


def nonce(local: Any) -> int:
    return int(
        local.node.rpc("eth_getTransactionCount", local.actors.operator.address, "latest"), 16
    )


def burn(local: Any, slot: int, *, bump: int = 0) -> tuple[str, bytes]:
    request = local.chain().sign_request(
        local.reward(), generation=0, bump=bump, slot=slot, purpose=Purpose.BURN
    )
    done = sign_settlement(request, key=local.actors.operator, book=local.book)
    return done.tx_id, done.raw


def test_a_burnt_nonce_lets_the_one_behind_it_land(local: Any) -> None:
    slot = nonce(local)
    behind, raw = local.signed(local.reward(), slot=slot + 1)
    local.chain().send(raw)
    local.node.mine(2)
    assert local.view(behind).height is None
    tx_id, raw = burn(local, slot)
    local.chain().send(raw)
    local.node.mine(2)
    assert (local.view(tx_id).succeeded, local.view(behind).succeeded) == (True, True)


def test_a_burn_outbids_a_payment_at_the_cap_and_moves_no_token(local: Any) -> None:
    intent, slot = local.reward(), nonce(local)
    _, raw = local.signed(intent, slot=slot, bump=BUMP_MAX)
    local.chain().send(raw)
    tx_id, raw = burn(local, slot, bump=BUMP_MAX + 1)
    local.chain().send(raw)
    height = local.node.mine(1)
    assert local.view(tx_id).succeeded
    assert local.log().events(from_height=height, to_height=height) == []


def test_a_slot_is_spent_only_at_a_finalized_block(local: Any) -> None:
    local.finalize()
    slot = Slot(signer=local.actors.operator.address, slot=nonce(local), generation=0)
    intent = local.reward()
    _, raw = burn(local, slot.slot)
    local.chain().send(raw)
    local.node.mine(1)
    chain = local.chain()
    assert chain.slot_state(slot, intent, at=chain.snapshot()) is SlotState.OPEN
    assert chain.slot_state(slot, intent, at=local.finalize()) is SlotState.SPENT
    offer = chain.slot_offer(slot.signer, at=chain.snapshot())
    assert offer is not None
    assert offer.floor == slot.slot + 1
