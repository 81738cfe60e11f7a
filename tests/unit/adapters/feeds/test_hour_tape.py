from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dmm.adapters.feeds import fingerprint, open_tape, span
from dmm.market.instrument import ContractKind
from dmm.market.tape import DepthUpdate, TradePrint
from dmm.units.errors import TapeFault, UsageFault

HOUR_NS = 1_604_221_200_000_000_000


def refusal(*paths: Path, allow_gaps: bool = False) -> str:
    with pytest.raises(TapeFault) as caught:
        list(open_tape(paths, allow_gaps=allow_gaps).events())
    return str(caught.value)


@pytest.mark.parametrize("part", ["snapshot", "trades", "update"])
def test_an_hour_with_a_file_missing_is_refused(hour: Any, tmp_path: Path, part: str) -> None:
    update = hour.write(tmp_path)
    (tmp_path / f"ETHBTC_09_{part}.json").unlink()
    with pytest.raises(UsageFault, match=f"no file .*_{part}.json"):
        list(open_tape([update]).events())


def test_an_hour_must_be_named_by_its_updates(hour: Any, tmp_path: Path) -> None:
    hour.write(tmp_path)
    update, snapshot, trades = (
        tmp_path / f"ETHBTC_09_{part}.json" for part in ("update", "snapshot", "trades")
    )
    with pytest.raises(UsageFault, match=r"name its …_update\.json"):
        open_tape([snapshot])
    with pytest.raises(UsageFault, match=r"trades\.json is a part of an hour"):
        open_tape([update, trades])


def test_hours_and_raw_recordings_do_not_mix(hour: Any, tmp_path: Path) -> None:
    (tmp_path / "tape.gz").write_bytes(b"")
    assert "mixed formats" in refusal(hour.write(tmp_path), tmp_path / "tape.gz")


@pytest.mark.parametrize("text", ["", "{}", "[]", "hello", '[{"e": 1}]'])
def test_a_file_that_is_no_list_of_updates_is_refused(hour: Any, tmp_path: Path, text: str) -> None:
    update = hour.write(tmp_path)
    update.write_text(text, encoding="utf-8")
    assert "ETHBTC_09_update.json" in refusal(update)


def test_an_array_cut_short_is_refused_or_counted(hour: Any, tmp_path: Path) -> None:
    update = hour.write(tmp_path)
    text = update.read_text(encoding="utf-8")
    update.write_text(text[:-20], encoding="utf-8")
    assert "the array ends too early" in refusal(update)
    feed = open_tape([update], allow_gaps=True)
    assert len(list(feed.events())) == 4
    assert feed.report.truncated_lines == 1
    with pytest.raises(TapeFault, match="ends too early"):
        span([update])


@pytest.mark.parametrize("snapshot", [[], {"bids": []}, {"lastUpdateId": "x"}, None])
def test_a_snapshot_of_another_shape_is_refused(
    hour: Any, tmp_path: Path, snapshot: object
) -> None:
    hour.snapshot = snapshot
    assert "ETHBTC_09_snapshot.json" in refusal(hour.write(tmp_path))


def test_a_missing_update_is_a_gap_named_by_its_element(hour: Any, tmp_path: Path) -> None:
    del hour.updates[1]
    text = refusal(hour.write(tmp_path))
    assert "ETHBTC_09_update.json, element 2: a depth update follows id 105" in text
    feed = open_tape([tmp_path / "ETHBTC_09_update.json"], allow_gaps=True)
    list(feed.events())
    assert feed.report.gaps == 1


def test_a_snapshot_newer_than_every_update_leaves_no_book(hour: Any, tmp_path: Path) -> None:
    hour.snapshot["lastUpdateId"] = 10_000
    assert "no snapshot" in refusal(hour.write(tmp_path))


def test_a_size_off_the_lot_names_its_element(hour: Any, tmp_path: Path) -> None:
    hour.trades[1]["q"] = "0.25900001"
    text = refusal(hour.write(tmp_path))
    assert "ETHBTC_09_trades.json, element 2: size 0.25900001 is no multiple of 0.001" in text


@pytest.mark.parametrize("field", ["E", "U", "u", "b"])
def test_an_update_without_a_field_is_refused(hour: Any, tmp_path: Path, field: str) -> None:
    del hour.updates[2][field]
    assert "update.json, element 3: no depth update" in refusal(hour.write(tmp_path))


def test_a_trade_without_a_field_is_refused(hour: Any, tmp_path: Path) -> None:
    del hour.trades[1]["m"]
    assert "trades.json, element 2: no trade" in refusal(hour.write(tmp_path))


def test_another_symbol_anywhere_is_refused(hour: Any, tmp_path: Path) -> None:
    hour.trades[0]["s"] = "BTCUSDT"
    assert "mixed instruments" in refusal(hour.write(tmp_path))
    hour.trades[0]["s"] = "ETHBTC"
    hour.updates[2]["s"] = "BTCUSDT"
    assert "update.json, element 3: mixed instruments" in refusal(hour.write(tmp_path))


def test_trades_running_back_in_time_are_refused(hour: Any, tmp_path: Path) -> None:
    hour.trades.reverse()
    assert "trades.json, element 2: the venue's clock ran back" in refusal(hour.write(tmp_path))


def test_an_hour_merges_by_the_venues_time_with_trades_first(hour: Any, tmp_path: Path) -> None:
    feed = open_tape([hour.write(tmp_path)])
    events = list(feed.events())
    assert [(type(event), event.exchange_at_ns - HOUR_NS) for event in events] == [
        (DepthUpdate, 1_000_000_000),
        (TradePrint, 1_527_000_000),
        (TradePrint, 2_000_000_000),
        (DepthUpdate, 2_000_000_000),
        (DepthUpdate, 3_000_000_000),
    ]
    assert all(event.received_at_ns == event.exchange_at_ns for event in events)
    # The snapshot is as old as the update that it already held, and does not apply it again.
    assert isinstance(events[0], DepthUpdate)
    assert events[0].is_snapshot
    assert events[0].bids[0] == (28_181, 7_666)
    report = feed.report
    assert (report.snapshots, report.skipped_before_snapshot, report.depth_updates) == (1, 1, 3)
    assert report.clock_offset_ms == 0


def test_the_instrument_of_an_hour_books_cash_without_a_rest(hour: Any, tmp_path: Path) -> None:
    instrument = open_tape([hour.write(tmp_path)]).instrument
    assert (instrument.symbol, instrument.venue) == ("ETHBTC", "binance-spot")
    assert instrument.kind is ContractKind.SPOT
    assert (str(instrument.tick_size), str(instrument.lot_size)) == ("0.000001", "0.001")
    assert (instrument.cash.decimals, instrument.position.decimals) == (9, 8)


def test_hours_join_by_their_ids_and_only_in_order(hour: Any, tmp_path: Path) -> None:
    first = hour.write(tmp_path)
    hour.snapshot["lastUpdateId"] = 106
    hour.updates = [hour.update(3_601_000, (107, 109))]
    hour.trades = [hour.trade(3_602_000, "0.02818200", "2.02000000")]
    second = hour.write(tmp_path, hour="ETHBTC_10")
    feed = open_tape([first, second])
    assert len(list(feed.events())) == 7
    assert (feed.report.snapshots, feed.report.snapshots_skipped) == (1, 1)
    assert span([first, second]) == (HOUR_NS + 1_000_000_000, HOUR_NS + 3_602_000_000_000)
    assert "wrong order" in refusal(second, first)


def test_the_fingerprint_covers_all_three_files(hour: Any, tmp_path: Path) -> None:
    update = hour.write(tmp_path)
    seen = {fingerprint([update])}
    for part in ("snapshot", "trades", "update"):
        file = tmp_path / f"ETHBTC_09_{part}.json"
        file.write_text(file.read_text(encoding="utf-8") + " ", encoding="utf-8")
        seen.add(fingerprint([update]))
    assert len(seen) == 4


def test_elements_split_across_reads_come_out_whole(
    hour: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = hour.write(tmp_path)
    whole = list(open_tape([update]).events())
    for size in (1, 7, 64):
        monkeypatch.setattr("dmm.adapters.feeds.files.READ_BYTES", size)
        assert list(open_tape([update]).events()) == whole
