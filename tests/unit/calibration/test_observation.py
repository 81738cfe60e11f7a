from __future__ import annotations

import numpy as np
import pytest
from observed import INVERSE, LINEAR, observed

from dmm.calibration.observation import (
    RAW_READING,
    SAMPLE_NS,
    hour_reading,
    observe_tape,
    volume_base,
)
from dmm.market.tape import BestQuote, DepthUpdate, FeedEvent, TradePrint
from dmm.units.amount import Lots, Ticks
from dmm.units.errors import TapeFault
from dmm.units.time import NS_PER_MS, NS_PER_S, Nanos


def depth(
    at_ms: int, bid: int, ask: int, *, snapshot: bool = False, late_ms: int = 7
) -> DepthUpdate:
    """The whole book: one bid, one ask."""
    return DepthUpdate(
        exchange_at_ns=Nanos(at_ms * NS_PER_MS),
        received_at_ns=Nanos((at_ms + late_ms) * NS_PER_MS),
        first_id=1,
        last_id=2,
        is_snapshot=snapshot,
        bids=((Ticks(bid), Lots(3)),) if bid else (),
        asks=((Ticks(ask), Lots(5)),) if ask else (),
    )


def trade(at_ms: int, price: int, size: int, *, buy: bool = True) -> TradePrint:
    return TradePrint(
        exchange_at_ns=Nanos(at_ms * NS_PER_MS),
        received_at_ns=Nanos((at_ms + 7) * NS_PER_MS),
        price=Ticks(price),
        size=Lots(size),
        buyer_is_aggressor=buy,
        trade_id=at_ms,
    )


def test_a_tape_without_states_and_trades_is_refused() -> None:
    with pytest.raises(TapeFault, match="nothing to measure"):
        observe_tape([], reading=RAW_READING)


@pytest.mark.parametrize(
    ("update", "words"),
    [(depth(20, 105, 0), "crossed: bid 105, ask 103"), (depth(10, 0, 103), "empty: bid")],
)
def test_a_crossed_or_one_sided_book_is_refused_with_its_values(
    update: DepthUpdate, words: str
) -> None:
    before = [] if "empty" in words else [depth(10, 101, 103)]
    with pytest.raises(TapeFault, match=words):
        observe_tape([*before, update, depth(30, 102, 103)], reading=RAW_READING)


def test_allowed_flaws_are_left_out_and_counted() -> None:
    events = [depth(10, 101, 103), depth(20, 105, 0), trade(25, 103, 2)]
    seen = observe_tape(events, reading=RAW_READING, allow_flaws=True)
    assert (seen.at_ns.size, seen.unusable) == (1, 1)


def test_a_snapshot_is_a_state_of_a_raw_recording_only() -> None:
    events = [depth(10, 101, 103, snapshot=True), depth(20, 102, 0), depth(30, 0, 104)]
    raw = observe_tape(events, reading=RAW_READING)
    hour = observe_tape(events, reading=hour_reading(1))
    assert raw.bid.tolist() == [101, 102, 102]
    assert hour.bid.tolist() == [102, 102]
    assert raw.at_ns.tolist() == [at * NS_PER_MS for at in (17, 27, 37)]
    assert hour.at_ns.tolist() == [at * NS_PER_MS for at in (20, 30)]


def test_best_quotes_are_the_states_only_where_no_depth_was_recorded() -> None:
    quote = BestQuote(
        exchange_at_ns=Nanos(5 * NS_PER_MS),
        received_at_ns=Nanos(6 * NS_PER_MS),
        bid=Ticks(90),
        bid_size=Lots(2),
        ask=Ticks(95),
        ask_size=Lots(4),
    )
    alone = observe_tape([quote, quote], reading=RAW_READING)
    assert (alone.bid.tolist(), alone.from_quotes) == ([90, 90], True)
    both = observe_tape([quote, depth(10, 101, 103), depth(20, 102, 0)], reading=RAW_READING)
    assert (both.bid.tolist(), both.from_quotes) == ([101, 102], False)


def test_times_never_fall_even_where_a_clock_ran_back() -> None:
    seen = observe_tape([depth(30, 101, 103), depth(20, 102, 0)], reading=RAW_READING)
    assert seen.at_ns.tolist() == [37 * NS_PER_MS] * 2


def test_the_book_is_looked_at_each_ten_seconds_as_it_stood_before_the_message() -> None:
    events: list[FeedEvent] = [depth(0, 101, 103)]
    events += [depth(2_500 * at, 101 + at % 2, 0) for at in range(1, 20)]
    seen = observe_tape(events, reading=RAW_READING)
    # The message at 10 s finds the book of 7.5 s, that at 20 s the one of 17.5 s…
    assert len(seen.books) == 47_500 * NS_PER_MS // SAMPLE_NS
    assert seen.books[0] == (((102, 3), (101, 3)), ((103, 5),))


def test_volume_is_base_for_linear_and_coins_for_inverse_contracts() -> None:
    trades = [(10, 600_000, 40, True), (20, 480_000, 24, False)]
    seen = observed([(5, 5, 1, 6, 1), (30, 5, 1, 6, 1)], trades)
    assert volume_base(seen, LINEAR) == pytest.approx(0.064, rel=1e-15)
    assert volume_base(seen, INVERSE) == pytest.approx(4_000 / 60_000 + 2_400 / 48_000, rel=1e-14)


def test_an_hour_is_read_as_long_as_it_is_called() -> None:
    assert hour_reading(2).nominal_ns == 7_200 * NS_PER_S
    assert RAW_READING.nominal_ns == 0
    assert np.array_equal(observed([(1, 5, 1, 8, 1)]).mid_half_ticks, [13])
