from __future__ import annotations

import gzip
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dmm.adapters.feeds import binance_head, fingerprint, open_tape, sequence, span
from dmm.market.book import Book
from dmm.market.instrument import ContractKind
from dmm.market.tape import WARNINGS_MAX, BestQuote, DepthUpdate, FeedEvent, TradePrint
from dmm.units.errors import TapeFault, UsageFault


def play(
    *paths: Path, allow_gaps: bool = False, tick_size: Decimal | None = None
) -> list[FeedEvent]:
    return list(open_tape(paths, allow_gaps=allow_gaps, tick_size=tick_size).events())


def refusal(*paths: Path, **options: Any) -> str:
    with pytest.raises(TapeFault) as caught:
        play(*paths, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


# -- files that cannot be read ----------------------------------------------------------------


@pytest.mark.parametrize("ask", [open_tape, span, fingerprint])
def test_a_missing_file_a_directory_and_nothing_at_all_are_refused(
    ask: Any, tmp_path: Path, write_tape: Any, recorder: Any
) -> None:
    with pytest.raises(UsageFault, match="no tape given"):
        ask([])
    with pytest.raises(UsageFault, match=r"no file .*nowhere\.gz"):
        ask([tmp_path / "nowhere.gz"])
    with pytest.raises(UsageFault, match="is a directory"):
        ask([tmp_path])
    tape = write_tape(recorder)
    with pytest.raises(UsageFault, match="named twice"):
        ask([tape, tape])


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission_is_refused(write_tape: Any, recorder: Any) -> None:
    tape = write_tape(recorder)
    tape.chmod(0)
    with pytest.raises(UsageFault, match="cannot read"):
        open_tape([tape])


def test_a_file_that_is_no_gzip_is_refused_by_name(tmp_path: Path) -> None:
    plain = tmp_path / "plain.gz"
    plain.write_text("1723161255030314667 {}\n", encoding="utf-8")
    assert "plain.gz: not a gzip file" in refusal(plain)
    plain.write_bytes(b"")
    assert "plain.gz: the file is empty" in refusal(plain)


def test_a_damaged_gzip_is_refused_even_where_gaps_are_allowed(
    write_tape: Any, recorder: Any
) -> None:
    tape = write_tape(recorder)
    packed = bytearray(tape.read_bytes())
    packed[-6] ^= 0xFF  # the checksum
    tape.write_bytes(packed)
    assert "tape.gz" in refusal(tape, allow_gaps=True)
    assert "damaged gzip" in refusal(tape, allow_gaps=True)


@pytest.mark.parametrize(
    "text", [b"hello world\n", b"123 {}\n", b"17231612550303146xx {}\n", b"\n"]
)
def test_another_format_is_refused_with_what_was_expected(write_tape: Any, text: bytes) -> None:
    assert "expected lines of `<time> <json>`" in refusal(write_tape(text))


def test_a_line_without_end_is_refused(write_tape: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dmm.adapters.feeds.files.LINE_BYTES_MAX", 1_000)
    assert "longer than 1000 bytes" in refusal(write_tape(b"1" * 5_000))


# -- snapshots and sequence -------------------------------------------------------------------


def test_a_recording_without_a_snapshot_is_refused(write_tape: Any, make_recorder: Any) -> None:
    tape = write_tape(make_recorder().depth([("99.9", "0.001")], ids=(90, 95)))
    text = refusal(tape)
    assert "tape.gz: no snapshot" in text
    assert "day before" in text
    assert "no snapshot" in refusal(tape, allow_gaps=True)


def test_a_snapshot_that_comes_too_late_is_no_snapshot(
    write_tape: Any, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binance_head, "HEAD_LINES_MAX", 2)
    assert "no snapshot" in refusal(write_tape(recorder))


def test_more_updates_than_the_buffer_holds_before_the_snapshot_are_refused(
    write_tape: Any, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequence, "BUFFERED_UPDATES_MAX", 1)
    assert "line 2: no snapshot among the first 1 updates" in refusal(write_tape(recorder))


def test_updates_before_the_snapshot_are_folded_into_it_or_skipped(
    write_tape: Any, recorder: Any
) -> None:
    feed = open_tape([write_tape(recorder)])
    events = list(feed.events())
    snapshot = events[0]
    assert isinstance(snapshot, DepthUpdate)
    assert snapshot.is_snapshot
    assert sorted(snapshot.bids, reverse=True) == [(1001, 3), (1000, 5)]
    assert (snapshot.first_id, snapshot.last_id) == (100, 103)
    report = feed.report
    assert (report.snapshots, report.folded_into_snapshot, report.skipped_before_snapshot) == (
        1,
        1,
        1,
    )
    assert (report.depth_updates, report.trades, report.best_quotes) == (3, 1, 1)
    assert report.messages == 7


def test_a_gap_names_its_line_and_the_cure(write_tape: Any, recorder: Any) -> None:
    recorder.depth(ids=(130, 131), previous_id=125)
    text = refusal(write_tape(recorder))
    assert "tape.gz, line 8: a depth update follows id 125 but the one before ended at 120" in text
    assert "--allow-gaps" in text


def test_a_snapshot_that_the_updates_do_not_reach_is_a_gap(
    write_tape: Any, make_recorder: Any
) -> None:
    late = make_recorder().snapshot(100).depth(ids=(140, 150), previous_id=139)
    assert "follows id 139 but the one before ended at 100" in refusal(write_tape(late))


def test_an_update_that_follows_the_snapshot_exactly_is_no_gap(
    write_tape: Any, make_recorder: Any
) -> None:
    exact = make_recorder().snapshot(100).depth(ids=(140, 150), previous_id=100)
    assert len(play(write_tape(exact))) == 2


def test_a_gap_that_is_allowed_is_counted_and_told(write_tape: Any, recorder: Any) -> None:
    recorder.depth(ids=(130, 131), previous_id=125).depth(ids=(132, 133))
    feed = open_tape([write_tape(recorder)], allow_gaps=True)
    assert len(list(feed.events())) == 7
    assert feed.report.gaps == 1
    assert any("line 8" in warning for warning in feed.report.warnings)


def test_a_snapshot_after_an_allowed_gap_repairs_the_book(write_tape: Any, recorder: Any) -> None:
    recorder.depth(ids=(130, 131), previous_id=125)
    recorder.snapshot(131, bids=[("90.0", "0.002")], asks=[("90.5", "0.003")])
    recorder.depth([("90.1", "0.005")], ids=(132, 133), previous_id=131)
    feed = open_tape([write_tape(recorder)], allow_gaps=True)
    book = Book()
    for event in feed.events():
        if isinstance(event, DepthUpdate):
            book.apply(event)
    assert book.top(5) == (((901, 5), (900, 2)), ((905, 3),))
    assert (feed.report.gaps, feed.report.snapshots) == (1, 2)


def test_a_snapshot_while_the_book_is_in_sequence_is_left_out(
    write_tape: Any, recorder: Any
) -> None:
    recorder.snapshot(50, bids=[("1.0", "0.002")], asks=[("2.0", "0.003")])
    feed = open_tape([write_tape(recorder)])
    assert len(list(feed.events())) == 5
    assert feed.report.snapshots_skipped == 1


def test_a_spot_chain_needs_each_id_to_follow_the_last(write_tape: Any, make_recorder: Any) -> None:
    def spot() -> Any:
        return (
            make_recorder(kind="spot")
            .depth(ids=(95, 100))
            .snapshot(100)
            .depth([("100.2", "0.002")], ids=(99, 102))
            .best("100.2", "100.3")
        )

    feed = open_tape([write_tape(spot().depth(ids=(103, 104)))])
    events = list(feed.events())
    assert feed.instrument.kind is ContractKind.SPOT
    assert feed.report.skipped_before_snapshot == 1
    assert [type(event) for event in events] == [DepthUpdate, DepthUpdate, BestQuote, DepthUpdate]
    # A spot quote carries no venue time: the latest one seen stands in.
    assert events[2].exchange_at_ns == events[1].exchange_at_ns
    assert "follows id 104 but the one before ended at 102" in refusal(
        write_tape(spot().depth(ids=(105, 106)))
    )


def test_a_crossed_book_is_refused_or_counted(write_tape: Any, recorder: Any) -> None:
    recorder.depth([("100.5", "0.001")], ids=(121, 122))
    tape = write_tape(recorder)
    assert "line 8: crossed book: bid 1005, ask 1004 ticks" in refusal(tape)
    feed = open_tape([tape], allow_gaps=True)
    assert len(list(feed.events())) == 6
    assert feed.report.crossed_books == 1


# -- damaged content --------------------------------------------------------------------------


def test_a_cut_line_is_refused_or_counted(write_tape: Any, recorder: Any) -> None:
    recorder.lines.insert(5, recorder.lines[5][:60])
    tape = write_tape(recorder)
    assert "tape.gz, line 6: the line is cut or damaged" in refusal(tape)
    feed = open_tape([tape], allow_gaps=True)
    assert len(list(feed.events())) == 5
    assert feed.report.truncated_lines == 1


def test_a_gzip_cut_short_is_refused_or_played_to_its_last_whole_line(
    write_tape: Any, make_recorder: Any
) -> None:
    long = make_recorder().snapshot(100).depth(ids=(99, 101))
    for at in range(300):
        long.trade(f"{100 + at % 7}.3", f"0.{at + 1:03d}")
    tape = write_tape(long, cut=900)
    assert "ends too early" in refusal(tape)
    feed = open_tape([tape], allow_gaps=True)
    events = list(feed.events())
    assert 2 < len(events) < 302
    assert feed.report.truncated_lines == 1
    with pytest.raises(TapeFault, match="ends too early"):
        span([tape])
    first_ns, last_ns = span([tape], allow_gaps=True)
    assert (first_ns, last_ns) == (events[0].received_at_ns, events[-1].received_at_ns)


def test_a_file_without_a_last_newline_is_whole(write_tape: Any, recorder: Any) -> None:
    assert len(play(write_tape(recorder.text[:-1]))) == len(play(write_tape(recorder)))


def test_a_gzip_of_several_members_is_read_to_its_end(tmp_path: Path, recorder: Any) -> None:
    text = recorder.text
    tape = tmp_path / "members.gz"
    tape.write_bytes(gzip.compress(text[:333]) + gzip.compress(text[333:]))
    assert len(play(tape)) == 5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("u", "111"),
        ("E", 1.5),
        ("E", None),
        ("b", [["100.2"]]),
        ("b", 7),
        ("b", [[100.2, "0.001"]]),
        ("b", [["100.2", "-0.001"]]),
    ],
)
def test_a_message_of_the_wrong_shape_is_refused_with_its_line(
    write_tape: Any, recorder: Any, field: str, value: object
) -> None:
    data: dict[str, Any] = {"E": recorder.exchange_ms, "s": "BTCUSDT", "U": 121, "u": 122}
    data |= {"pu": 120, "b": [], "a": [], field: value}
    recorder.stream("depth@0ms", data)
    assert "tape.gz, line 8" in refusal(write_tape(recorder))
    assert "tape.gz, line 8" in refusal(write_tape(recorder), allow_gaps=True)


def test_a_message_without_a_field_names_it(write_tape: Any, recorder: Any) -> None:
    recorder.stream("trade", {"p": "100.3", "q": "0.001", "T": recorder.exchange_ms, "t": 5})
    assert "'m'" in refusal(write_tape(recorder))


def test_a_price_off_the_tick_names_line_value_and_step(write_tape: Any, recorder: Any) -> None:
    recorder.trade("100.35", "0.001")
    text = refusal(write_tape(recorder))
    assert "tape.gz, line 8: price 100.35 is no multiple of 0.1" in text
    assert "--tick-size" in text


def test_a_size_off_the_lot_names_line_value_and_step(write_tape: Any, recorder: Any) -> None:
    recorder.trade("100.3", "0.0015")
    assert "line 8: size 0.0015 is no multiple of 0.001" in refusal(write_tape(recorder))


def test_a_tick_size_given_by_the_caller_is_used_or_refused(write_tape: Any, recorder: Any) -> None:
    tape = write_tape(recorder)
    events = play(tape, tick_size=Decimal("0.05"))
    assert isinstance(events[2], TradePrint)
    assert events[2].price == 2006
    assert "is no multiple of 0.7" in refusal(tape, tick_size=Decimal("0.7"))
    for nonsense in ("0", "-1", "NaN"):
        with pytest.raises(UsageFault, match="tick size must be a positive number"):
            open_tape([tape], tick_size=Decimal(nonsense))


def test_trades_of_the_liquidation_fund_are_no_aggression(write_tape: Any, recorder: Any) -> None:
    recorder.trade("100.3", "0.001", X="INSURANCE_FUND").trade("100.3", "0.001", X="MARKET")
    feed = open_tape([write_tape(recorder)])
    list(feed.events())
    assert (feed.report.trades, feed.report.other_messages) == (2, 1)


def test_streams_without_use_are_counted_and_passed_over(write_tape: Any, recorder: Any) -> None:
    recorder.stream("markPrice@1s", {"e": "markPriceUpdate", "p": "100.2"})
    feed = open_tape([write_tape(recorder)])
    assert len(list(feed.events())) == 5
    assert feed.report.other_messages == 1


# -- clocks -----------------------------------------------------------------------------------


def test_a_clock_running_back_is_refused_or_counted(write_tape: Any, recorder: Any) -> None:
    recorder.received_ns -= 2_000_000_000
    recorder.trade("100.3", "0.001")
    tape = write_tape(recorder)
    assert "line 8: the recorder's clock ran back by" in refusal(tape)
    feed = open_tape([tape], allow_gaps=True)
    times_ns = [event.received_at_ns for event in feed.events()]
    assert times_ns == sorted(times_ns)
    # The recorder's jump is one flaw, the venue's stamp made from it another.
    assert feed.report.clock_regressions == 2


def test_the_venues_clock_running_back_within_a_stream_is_refused(
    write_tape: Any, recorder: Any
) -> None:
    recorder.trade("100.3", "0.001", T=recorder.exchange_ms - 5_000)
    assert "line 8: the venue's clock ran back by" in refusal(write_tape(recorder))


def test_a_hair_of_disorder_is_no_flaw_and_times_still_leave_in_order(
    write_tape: Any, recorder: Any
) -> None:
    recorder.received_ns -= 13_000_000  # the next line is 10 ms on: 3 ms back
    recorder.trade("100.3", "0.001")
    times_ns = [event.received_at_ns for event in play(write_tape(recorder))]
    assert times_ns == sorted(times_ns)


def test_the_recorders_offset_is_measured(write_tape: Any, recorder: Any) -> None:
    feed = open_tape([write_tape(recorder)])
    assert feed.report.clock_offset_ms == 0
    list(feed.events())
    assert feed.report.clock_offset_ms == -1_270


def test_microsecond_recordings_are_read_in_nanoseconds(write_tape: Any, recorder: Any) -> None:
    recorder.lines = [line[:16] + line[19:] for line in recorder.lines]
    tape = write_tape(recorder)
    assert play(tape)[0].received_at_ns % 1_000 == 0
    assert span([tape])[0] == 1_723_161_600_010_000_000


# -- several files ----------------------------------------------------------------------------


def test_a_second_file_continues_the_first_by_its_ids(
    write_tape: Any, recorder: Any, make_recorder: Any
) -> None:
    later = make_recorder()
    later.received_ns, later.last_id = recorder.received_ns, recorder.last_id
    later.trades = recorder.trades
    later.depth([("100.1", "0")], ids=(125, 130)).trade("100.4", "0.002", seller=True)
    first, second = write_tape(recorder), write_tape(later, name="second.gz")
    feed = open_tape([first, second])
    events = list(feed.events())
    assert len(events) == 7
    assert feed.report.gaps == 0
    assert span([first, second]) == (1_723_161_600_010_000_000, events[-1].received_at_ns)
    assert "second.gz" in refusal(second)
    wrong_order = refusal(second, first)
    assert "wrong order: tape.gz begins before second.gz" in wrong_order
    assert fingerprint([first, second]) != fingerprint([second, first])


def test_a_gap_between_two_files_names_the_second(
    write_tape: Any, recorder: Any, make_recorder: Any
) -> None:
    later = make_recorder()
    later.received_ns = recorder.received_ns
    later.depth(ids=(500, 510), previous_id=499)
    text = refusal(write_tape(recorder), write_tape(later, name="second.gz"))
    assert "second.gz, line 1: a depth update follows id 499" in text


def test_files_of_two_instruments_are_refused(
    write_tape: Any, recorder: Any, make_recorder: Any
) -> None:
    other = make_recorder(symbol="ETHUSDT")
    other.received_ns = recorder.received_ns
    other.depth(ids=(125, 130))
    text = refusal(write_tape(recorder), write_tape(other, name="other.gz"))
    assert "mixed instruments: tape.gz is BTCUSDT" in text
    assert "other.gz is ETHUSDT" in text


def test_a_stream_of_another_instrument_inside_a_file_is_refused(
    write_tape: Any, recorder: Any
) -> None:
    recorder.symbol = "ETHUSDT"
    recorder.trade("100.3", "0.001")
    assert "line 8: mixed instruments: ETHUSDT in a tape of BTCUSDT" in refusal(
        write_tape(recorder)
    )


# -- what a good tape gives -------------------------------------------------------------------


def test_events_carry_both_clocks_and_integers(write_tape: Any, recorder: Any) -> None:
    trade = play(write_tape(recorder))[2]
    assert trade == TradePrint(
        exchange_at_ns=trade.exchange_at_ns,
        received_at_ns=trade.received_at_ns,
        price=1003,  # type: ignore[arg-type]
        size=2,  # type: ignore[arg-type]
        buyer_is_aggressor=True,
        trade_id=1,
    )
    assert trade.exchange_at_ns - trade.received_at_ns == 1_267_000_000


def test_reading_twice_gives_the_same_events_and_a_fresh_report(
    write_tape: Any, recorder: Any
) -> None:
    feed = open_tape([write_tape(recorder)])
    assert list(feed.events()) == list(feed.events())
    assert feed.report.messages == 7


def test_coin_margined_contracts_are_inverse(write_tape: Any, make_recorder: Any) -> None:
    for symbol, contract in (("BTCUSD_PERP", 100), ("ETHUSD_PERP", 10)):
        tape = write_tape(
            make_recorder(symbol=symbol, kind="coinm")
            .snapshot(100, bids=[("100.1", "3")], asks=[("100.4", "35")])
            .depth(ids=(99, 101))
        )
        instrument = open_tape([tape]).instrument
        assert instrument.kind is ContractKind.INVERSE
        assert instrument.venue == "binance-coinm"
        assert instrument.contract_size == contract
        assert instrument.lot_size == 1
        assert (instrument.cash.symbol, instrument.position.symbol) == (symbol[:3], "USD")


def test_an_unknown_symbol_gets_its_steps_from_the_snapshot(
    write_tape: Any, make_recorder: Any
) -> None:
    tape = write_tape(
        make_recorder(symbol="ABCUSDT", kind="spot")
        .snapshot(100, bids=[("1.25", "40")], asks=[("1.50", "7.30")])
        .depth(ids=(101, 101))
    )
    instrument = open_tape([tape]).instrument
    assert (instrument.tick_size, instrument.lot_size) == (Decimal("0.25"), Decimal("0.1"))
    assert (instrument.position.symbol, instrument.cash.symbol) == ("ABC", "USDT")


def test_an_unknown_quote_asset_is_refused(write_tape: Any, make_recorder: Any) -> None:
    tape = write_tape(make_recorder(symbol="BTCXYZ").snapshot(100).depth(ids=(99, 101)))
    assert "symbol 'BTCXYZ' ends in no quote asset" in refusal(tape)


@pytest.mark.parametrize(
    ("bids", "asks"), [([], []), ([("100.1", "0")], []), ([("x", "1")], []), ("no", "book")]
)
def test_a_snapshot_that_is_no_book_is_refused(
    write_tape: Any, make_recorder: Any, bids: Any, asks: Any
) -> None:
    tape = write_tape(make_recorder().snapshot(100, bids, asks).depth(ids=(99, 101)))
    assert "tape.gz" in refusal(tape)


def test_the_fingerprint_is_of_content_not_of_names(write_tape: Any, recorder: Any) -> None:
    tape = write_tape(recorder)
    before = fingerprint([tape])
    assert before == fingerprint([write_tape(recorder, name="renamed.gz")])
    recorder.trade("100.3", "0.001")
    assert before != fingerprint([write_tape(recorder)])
    assert len(before) == 32


def test_a_tape_full_of_flaws_keeps_only_the_first_in_words(write_tape: Any, recorder: Any) -> None:
    for at in range(3 * WARNINGS_MAX):
        recorder.depth(ids=(900 + 10 * at, 901 + 10 * at), previous_id=899 + 10 * at)
    feed = open_tape([write_tape(recorder)], allow_gaps=True)
    list(feed.events())
    assert feed.report.gaps == 3 * WARNINGS_MAX
    assert len(feed.report.warnings) == WARNINGS_MAX


# -- whatever the bytes -----------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), allow_gaps=st.booleans())
def test_damage_anywhere_is_a_fault_of_the_tape_or_plays_on_in_integers(
    write_tape: Any,
    recorder: Any,
    data: st.DataObject,
    allow_gaps: bool,
) -> None:
    text = bytearray(recorder.text)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at] = data.draw(st.sampled_from(b'0123456789.,:"{}[]-eE \nxbu\x00\xff'))
    try:
        feed = open_tape([write_tape(bytes(text))], allow_gaps=allow_gaps)
        events = list(feed.events())
    except TapeFault:
        return
    assert feed.report.messages >= len(events)
    for event in events:
        assert type(event.received_at_ns) is int
        assert type(event.exchange_at_ns) is int
