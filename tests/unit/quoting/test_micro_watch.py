"""The worker's own micro-price: unmeasured until fitted, then where the book leans."""

from __future__ import annotations

import numpy as np
import pytest
from decision_values import decision_inputs
from trading_values import policy

from dmm.market.fair_value import MICROTICKS_PER_HALF
from dmm.quoting.fair import fair_value
from dmm.quoting.micro_watch import FIT_EVERY, PAUSE_NS_MAX, STATES_MAX, OnlineMicroPrice
from dmm.units.time import NS_PER_S


def leaning(watch: OnlineMicroPrice, states: int, *, step_ns: int = NS_PER_S) -> list[int]:
    """A book whose mid follows the heavier side one second later, a state a step."""
    rng = np.random.default_rng(5)
    bid, found = 1_000, []
    for at in range(states):
        heavy = bool(rng.integers(2))
        sizes = (90, 10) if heavy else (10, 90)
        found.append(
            watch.look(
                (at + 1) * step_ns, bid=bid, bid_size=sizes[0], ask=bid + 1, ask_size=sizes[1]
            )
        )
        bid += (1 if heavy else -1) if rng.integers(4) == 0 else 0
    return found


def adjustment(watch: OnlineMicroPrice, now_ns: int, bid_size: int, ask_size: int) -> int:
    return watch.look(now_ns, bid=1_000, bid_size=bid_size, ask=1_001, ask_size=ask_size)


def test_nothing_is_known_before_the_first_fit() -> None:
    found = leaning(OnlineMicroPrice(), FIT_EVERY)
    assert set(found[:-1]) == {0}
    assert found[-1] != 0


def test_the_table_leans_to_the_heavier_side_and_mirrors() -> None:
    watch = OnlineMicroPrice()
    leaning(watch, 4 * FIT_EVERY)
    now_ns = (4 * FIT_EVERY + 1) * NS_PER_S
    up, down = adjustment(watch, now_ns, 90, 10), adjustment(watch, now_ns, 10, 90)
    assert up == -down > 100_000


def test_a_state_never_seen_is_not_measured() -> None:
    watch = OnlineMicroPrice()
    leaning(watch, FIT_EVERY)
    assert adjustment(watch, (FIT_EVERY + 1) * NS_PER_S, 55, 45) == 0


@pytest.mark.parametrize(
    "book", [(0, 5, 1_001, 5), (1_000, 0, 1_001, 5), (1_001, 5, 1_001, 5), (1_000, 5, 0, 0)]
)
def test_a_book_without_two_uncrossed_sides_is_no_state(book: tuple[int, int, int, int]) -> None:
    watch = OnlineMicroPrice()
    leaning(watch, FIT_EVERY)
    bid, bid_size, ask, ask_size = book
    now_ns = (FIT_EVERY + 1) * NS_PER_S
    assert watch.look(now_ns, bid=bid, bid_size=bid_size, ask=ask, ask_size=ask_size) == 0


def test_states_with_a_pause_between_them_make_no_chain() -> None:
    found = leaning(OnlineMicroPrice(), 3 * FIT_EVERY, step_ns=PAUSE_NS_MAX + 1)
    assert set(found) == {0}


def test_the_states_kept_are_bounded() -> None:
    watch = OnlineMicroPrice()
    leaning(watch, STATES_MAX + FIT_EVERY)
    assert len(watch._states) == STATES_MAX


def test_stoikovs_price_without_a_measurement_is_the_mid_and_nothing_confirms_it() -> None:
    stoikov = policy(fair_value="stoikov")  # type: ignore[arg-type]
    known = decision_inputs(micro_adjust_microticks=170_000)
    mid = known.mid * MICROTICKS_PER_HALF
    assert fair_value(known, stoikov).price_microticks == mid + 170_000
    assert fair_value(known, stoikov).confidence_bps == 10_000
    unknown = fair_value(decision_inputs(micro_adjust_microticks=0), stoikov)
    assert (unknown.price_microticks, unknown.confidence_bps) == (mid, 0)
