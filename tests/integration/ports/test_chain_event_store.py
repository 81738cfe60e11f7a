"""What every record of a chain promises."""

from __future__ import annotations

from dataclasses import replace

import journal_samples as make
import pytest

from dmm.ledger.account import AccountKind
from dmm.ports import Store
from dmm.rfq.protocol import RfqTrade
from dmm.settlement.chain_event import BlockRef, ChainEvent
from dmm.units.errors import InvariantBroken

HUGE = 2**256 - 7


def block(
    height: int, *, fork: str = "", parent: str | None = None, chain: str = "evm"
) -> BlockRef:
    return BlockRef(
        chain=chain,
        height=height,
        block_hash=f"0x{height}{fork}",
        parent_hash=f"0x{height - 1}" if parent is None else parent,
        time_s=1_700 + height,
    )


def event(of: BlockRef, log_index: int = 3, amount: int = HUGE) -> ChainEvent:
    return ChainEvent(
        chain=of.chain,
        height=of.height,
        block_hash=of.block_hash,
        tx_id=f"0xt{of.height}",
        log_index=log_index,
        source="token:DCT",
        name="Transfer",
        args={"sender": "0xa", "recipient": "0xb", "amount": amount},
    )


def test_a_record_begins_with_nothing(any_store: Store) -> None:
    assert any_store.final_head("evm") is None
    assert any_store.final_events("evm", from_height=0, to_height=99) == []


def test_final_blocks_hold_their_events_to_the_last_atom(any_store: Store) -> None:
    first, last = block(5), block(9)
    assert any_store.record_final([first, last], [event(first), event(first, 2)], []) == 2
    assert any_store.final_head("evm") == last
    assert any_store.final_events("evm", from_height=5, to_height=9) == [
        event(first, 2),
        event(first),
    ]
    assert any_store.final_events("evm", from_height=6, to_height=9) == []
    assert any_store.final_head("other") is None


def test_the_same_again_is_a_no_op(any_store: Store) -> None:
    one = block(5)
    posting = make.funding(70)
    assert any_store.record_final([one], [event(one)], [posting]) == 1
    assert any_store.record_final([one], [event(one)], [posting]) == 0
    assert any_store.balance(make.AVAILABLE) == 70


def test_events_and_postings_come_together_or_not_at_all(any_store: Store) -> None:
    one = block(5)
    overdraft = make.posting("x", make.AVAILABLE, make.PENDING, 1)
    with pytest.raises(InvariantBroken):
        any_store.record_final(
            [one], [event(one)], [make.funding(70), replace(overdraft, amount=71)]
        )
    assert any_store.final_head("evm") is None
    assert any_store.balance(make.AVAILABLE) == 0


def test_a_height_is_final_with_one_block(any_store: Store) -> None:
    any_store.record_final([block(5)], [], [])
    with pytest.raises(InvariantBroken, match="final as"):
        any_store.record_final([block(5, fork="b")], [], [])


def test_finality_never_goes_back(any_store: Store) -> None:
    any_store.record_final([block(5)], [], [])
    with pytest.raises(InvariantBroken, match="at or below the last final one"):
        any_store.record_final([block(4)], [], [])


def test_a_log_known_with_other_content_is_a_lie(any_store: Store) -> None:
    one = block(5)
    any_store.record_final([one], [event(one)], [])
    with pytest.raises(InvariantBroken, match="known with other content"):
        any_store.record_final([one], [event(one, amount=8)], [])


def test_a_block_known_with_another_parent_is_a_lie(any_store: Store) -> None:
    any_store.record_final([block(5)], [], [])
    with pytest.raises(InvariantBroken, match="known with other content"):
        any_store.record_final([block(5, parent="0xzz")], [], [])


def test_a_block_of_the_tip_stands_on_a_known_one(any_store: Store) -> None:
    any_store.record_final([block(5)], [], [])
    assert any_store.record_tip([block(6), block(7)], [event(block(7))]) == 2
    with pytest.raises(InvariantBroken, match="does not stand on its parent"):
        any_store.record_tip([block(9)], [])
    with pytest.raises(InvariantBroken, match="does not stand on its parent"):
        any_store.record_tip([block(8, parent="0x6")], [])
    assert any_store.blocks_above("evm", 5) == [block(6), block(7)]


def test_events_of_the_tip_count_only_once_their_block_is_final(any_store: Store) -> None:
    any_store.record_final([block(5)], [], [])
    left = block(6, fork="b", parent="0x5")
    any_store.record_tip([block(6)], [event(block(6))])
    any_store.record_tip([left], [event(left, amount=9)])
    assert any_store.final_events("evm", from_height=0, to_height=9) == []
    any_store.record_final([left], [event(left, amount=9)], [])
    assert any_store.final_events("evm", from_height=0, to_height=9) == [event(left, amount=9)]
    assert len(any_store.blocks_above("evm", 5)) == 2


def test_an_event_belongs_to_a_known_block(any_store: Store) -> None:
    with pytest.raises(InvariantBroken):
        any_store.record_final([block(5)], [event(block(6))], [])


def test_quotes_are_found_by_id_and_by_nonce_whatever_the_case(any_store: Store) -> None:
    any_store.open_run(make.run())
    trades: list[RfqTrade] = [make.trade(nonce) for nonce in (3, 4, 7)]
    for trade in trades:
        any_store.record_quote(trade)
    maker = trades[0].quote.maker
    found = any_store.rfq_issued(
        quote_ids=[trades[2].quote.quote_id], nonces=[(maker.upper(), 3), (maker, 99)]
    )
    assert found == [trades[0], trades[2]]
    assert any_store.rfq_issued(quote_ids=[]) == []


def test_books_hold_what_a_chain_and_its_vaults_hold(any_store: Store) -> None:
    make.record(any_store, make.intent(0), make.intent(1))
    any_store.record_final([block(5)], [], [])
    books = any_store.books("evm", ["treasury"])
    assert [view.intent for view in books.intents] == [make.intent(0), make.intent(1)]
    assert {view.state.value for view in books.intents} == {"READY"}
    assert books.followed_height == 5
    total = sum(p.amount for p in books.postings if p.credit.kind is AccountKind.PENDING)
    assert total == any_store.balance(make.PENDING) == 2_000
    assert any_store.books("evm", ["other"]).postings == ()
    assert any_store.books("ton", ["treasury"]).intents == ()
