"""What every store of decisions, fills and slices promises."""

from __future__ import annotations

from dataclasses import replace

import journal_samples as make
import numpy as np
import pytest

from dmm.ports import Store
from dmm.units.amount import Atoms
from dmm.units.errors import InvariantBroken
from dmm.units.ids import ZERO_HASH, hash_link


@pytest.fixture
def quotes(any_store: Store) -> Store:
    any_store.open_run(make.run())
    return any_store


def test_a_link_that_skips_a_number_is_refused(quotes: Store) -> None:
    first, _, third = make.decisions(3)
    quotes.append_decisions([first])
    with pytest.raises(InvariantBroken):
        quotes.append_decisions([third])
    assert quotes.decisions(make.RUN) == [first]


def test_a_link_on_another_previous_hash_is_refused(quotes: Store) -> None:
    first, second = make.decisions(2)
    quotes.append_decisions([first])
    with pytest.raises(InvariantBroken):
        quotes.append_decisions(
            [replace(second, previous_hash=ZERO_HASH, link_hash=hash_link(ZERO_HASH, second.body))]
        )
    assert quotes.decisions(make.RUN) == [first]


def test_a_link_hash_that_is_not_its_bodys_is_refused(quotes: Store) -> None:
    (first,) = make.decisions(1)
    with pytest.raises(InvariantBroken):
        quotes.append_decisions([replace(first, body=b"something else")])


def test_another_link_at_a_known_number_is_refused(quotes: Store) -> None:
    first, second = make.decisions(2)
    quotes.append_decisions([first, second])
    other = b"a different decision"
    with pytest.raises(InvariantBroken):
        quotes.append_decisions(
            [replace(second, body=other, link_hash=hash_link(first.link_hash, other))]
        )


def test_decisions_come_back_in_order_and_byte_for_byte(quotes: Store) -> None:
    records = make.decisions(50)
    quotes.append_decisions(records[:20])
    quotes.append_decisions(records[20:])
    assert quotes.decisions(make.RUN) == records


def test_appending_the_same_links_again_is_a_no_op(quotes: Store) -> None:
    records = make.decisions(5)
    quotes.append_decisions(records[:3])
    quotes.append_decisions(records)
    quotes.append_decisions(records[2:])
    assert quotes.decisions(make.RUN) == records


def test_decisions_of_one_epoch_are_only_those(quotes: Store) -> None:
    early = make.decisions(2, epoch=4)
    late = make.decisions(2, first=2, previous=early[-1].link_hash, epoch=5)
    quotes.append_decisions([*early, *late])
    assert quotes.decisions(make.RUN, 5) == late


def test_runs_have_chains_of_their_own(quotes: Store) -> None:
    quotes.open_run(make.run("other"))
    quotes.append_decisions(make.decisions(2))
    quotes.append_decisions(make.decisions(3, run_id="other"))
    assert len(quotes.decisions(make.RUN)) == 2
    assert len(quotes.decisions("other")) == 3


def test_a_fill_known_with_other_content_is_refused_and_books_nothing(quotes: Store) -> None:
    quotes.append_fills([make.fill(1)], [])
    with pytest.raises(InvariantBroken):
        quotes.append_fills([make.fill(2), make.fill(1, price=4_322)], [make.funding()])
    assert quotes.fills(make.RUN) == [make.fill(1)]
    assert quotes.balances() == {}


def test_fills_and_postings_are_booked_together(quotes: Store) -> None:
    assert quotes.append_fills([make.fill(3), make.fill(2)], [make.funding()]) == 2
    assert quotes.fills(make.RUN) == [make.fill(2), make.fill(3)]
    assert quotes.balance(make.AVAILABLE) == make.HUGE


def test_booking_a_fill_again_is_a_no_op_with_its_postings(quotes: Store) -> None:
    quotes.append_fills([make.fill(2)], [make.funding()])
    assert quotes.append_fills([make.fill(2)], [make.funding()]) == 0
    assert quotes.balance(make.AVAILABLE) == make.HUGE


def test_an_overdraft_takes_its_fills_back(quotes: Store) -> None:
    with pytest.raises(InvariantBroken):
        quotes.append_fills([make.fill(2)], [make.posting("x", make.AVAILABLE, make.PENDING, 5)])
    assert quotes.fills(make.RUN) == []


def test_fills_of_one_epoch_are_only_those(quotes: Store) -> None:
    quotes.append_fills([make.fill(2), make.fill(3, epoch=9)], [])
    assert quotes.fills(make.RUN, 9) == [make.fill(3, epoch=9)]


def test_an_epochs_inputs_are_those_recorded_first(quotes: Store) -> None:
    first = quotes.fix_epoch_inputs(make.RUN, 2, {"sigma": 2**80, "from": ["a"]})
    again = quotes.fix_epoch_inputs(make.RUN, 2, {"sigma": 3})
    assert first == again == {"sigma": 2**80, "from": ["a"]}
    assert quotes.epoch_inputs(make.RUN, 2) == first
    assert quotes.epoch_inputs(make.RUN, 3) is None
    assert quotes.fix_epoch_inputs(make.RUN, 3, {"sigma": 3}) == {"sigma": 3}


def test_a_slice_closed_with_other_content_is_refused(quotes: Store) -> None:
    quotes.close_slice(make.summary())
    with pytest.raises(InvariantBroken):
        quotes.close_slice(make.summary(position=5))
    other = make.summary()
    other.market.trade_size_lots[0] += 1
    with pytest.raises(InvariantBroken):
        quotes.close_slice(other)


def test_a_slice_comes_back_as_it_was_closed(quotes: Store) -> None:
    quotes.close_slice(make.summary())
    quotes.close_slice(make.summary())
    stored, wanted = quotes.slice(make.RUN, 2), make.summary()
    assert stored is not None
    assert (stored.bids, stored.asks, stored.position) == (wanted.bids, wanted.asks, -31)
    assert stored.spread_captured_atoms == Atoms(-(2**80))
    for name in type(wanted.market).__dataclass_fields__:
        ours, theirs = getattr(stored.market, name), getattr(wanted.market, name)
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs)


def test_an_open_epoch_has_no_slice(quotes: Store) -> None:
    assert quotes.slice(make.RUN, 2) is None
    assert quotes.last_slice(make.RUN) is None


def test_the_last_slice_is_that_of_the_highest_epoch(quotes: Store) -> None:
    for epoch in (12, 3):
        quotes.close_slice(make.summary(epoch))
    last = quotes.last_slice(make.RUN)
    assert last is not None
    assert last.epoch == 12
