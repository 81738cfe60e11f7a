"""What every store of deployments and firm quotes promises."""

from __future__ import annotations

from dataclasses import replace

import journal_samples as make
import pytest

from dmm.ports import Deployment, Store
from dmm.units.errors import InvariantBroken

TREASURY = Deployment(chain="evm", name="treasury", address="0xaa", height=4)
TOKEN = Deployment(chain="evm", name="token:DCT", address="0xbb", height=5, decimals=18)


@pytest.fixture
def quotes(any_store: Store) -> Store:
    any_store.open_run(make.run())
    return any_store


def test_another_address_for_a_known_name_is_refused(any_store: Store) -> None:
    any_store.record_deployments([TREASURY])
    with pytest.raises(InvariantBroken):
        any_store.record_deployments([replace(TREASURY, address="0xcc")])
    assert any_store.deployments("evm") == {"treasury": TREASURY}


def test_deployments_are_by_chain_and_name(any_store: Store) -> None:
    any_store.record_deployments([TREASURY, TOKEN])
    any_store.record_deployments([TOKEN])
    assert any_store.deployments("evm") == {"treasury": TREASURY, "token:DCT": TOKEN}
    assert any_store.deployments("ton") == {}


def test_nonces_of_a_maker_are_dense_and_never_repeat(any_store: Store) -> None:
    assert [any_store.next_quote_nonce("0xa") for _ in range(4)] == [0, 1, 2, 3]
    assert any_store.next_quote_nonce("0xb") == 0


def test_a_look_at_the_next_nonce_allots_nothing(any_store: Store) -> None:
    assert any_store.peek_quote_nonce("0xa") == 0
    assert any_store.next_quote_nonce("0xa") == 0
    assert [any_store.peek_quote_nonce("0xa") for _ in range(2)] == [1, 1]
    assert any_store.peek_quote_nonce("0xb") == 0


def test_a_nonce_skips_what_the_journal_forgot_and_never_goes_back(any_store: Store) -> None:
    assert any_store.next_quote_nonce("0xa", at_least=0) == 0
    assert any_store.next_quote_nonce("0xa", at_least=512) == 512
    assert any_store.next_quote_nonce("0xa", at_least=3) == 513
    assert any_store.next_quote_nonce("0xb", at_least=9) == 9
    assert any_store.next_quote_nonce("0xb") == 10


def test_an_acceptance_with_other_content_is_refused(quotes: Store) -> None:
    quotes.record_quote(make.trade(5))
    quotes.accept_quote(make.accepted(make.trade(5)))
    with pytest.raises(InvariantBroken):
        quotes.accept_quote(make.accepted(make.trade(5), recipient="0xthief"))
    assert quotes.rfq_trades(make.RUN, 2) == [make.accepted(make.trade(5))]


def test_a_quote_recorded_with_other_content_is_refused(quotes: Store) -> None:
    quotes.record_quote(make.trade(5))
    with pytest.raises(InvariantBroken):
        quotes.record_quote(replace(make.trade(5), maker_signature=b"other"))


def test_quotes_come_back_by_nonce_as_they_were_issued(quotes: Store) -> None:
    for nonce in (12, 3):
        quotes.record_quote(make.trade(nonce))
        quotes.record_quote(make.trade(nonce))
    quotes.record_quote(make.trade(7, epoch=9))
    assert quotes.rfq_trades(make.RUN, 2) == [make.trade(3), make.trade(12)]


def test_accepting_again_is_a_no_op(quotes: Store) -> None:
    quotes.record_quote(make.trade(5))
    for _ in range(2):
        quotes.accept_quote(make.accepted(make.trade(5)))
    assert quotes.rfq_trades(make.RUN, 2) == [make.accepted(make.trade(5))]


def test_makers_whose_addresses_differ_in_case_alone_are_two(quotes: Store) -> None:
    for maker in ("9xQe", "9xqE"):
        quotes.record_quote(make.trade(5, maker=maker))
    found = quotes.rfq_issued(quote_ids=[], nonces=[("9xqE", 5)])
    assert found == [make.trade(5, maker="9xqE")]


def test_an_evm_makers_quote_is_found_in_any_spelling(quotes: Store) -> None:
    issued = make.trade(5, maker="0xAbCd")
    quotes.record_quote(issued)
    for spelling in ("0xabcd", "0xABCD"):
        assert quotes.rfq_issued(quote_ids=[], nonces=[(spelling, 5)]) == [issued]
