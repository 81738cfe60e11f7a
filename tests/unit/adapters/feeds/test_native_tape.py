"""The native tape: exactly the source's events, whole or not at all, damage found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from dmm.adapters.feeds import fingerprint, open_tape, read_columns, span
from dmm.adapters.feeds import native as form
from dmm.adapters.feeds import native_write as writing
from dmm.adapters.feeds import parquet as files
from dmm.market.tape import FeedEvent, TapeReport
from dmm.units.errors import TapeFault, UsageFault


@pytest.fixture
def source(write_tape: Any, recorder: Any) -> Path:
    path: Path = write_tape(recorder)
    return path


@pytest.fixture
def native(source: Path, tmp_path: Path) -> Path:
    out = tmp_path / "tape.parquet"
    writing.write_tape(open_tape([source]), out, sources=[source])
    return out


def played(*paths: Path, **options: Any) -> tuple[list[FeedEvent], TapeReport]:
    feed = open_tape(paths, **options)
    return list(feed.events()), feed.report


def table_of(path: Path) -> Any:
    with parquet.ParquetFile(path) as file:
        return file.read().replace_schema_metadata(file.metadata.metadata)


def rewritten(path: Path, **changes: Any) -> None:
    """Write a native tape again with another header."""
    table = table_of(path)
    body = json.loads(table.schema.metadata[form.HEADER_KEY]) | changes
    parquet.write_table(
        table.replace_schema_metadata({form.HEADER_KEY: json.dumps(body).encode()}), path
    )


def test_a_converted_tape_has_the_events_and_the_report_of_its_source(
    source: Path, native: Path
) -> None:
    assert played(native) == played(source)
    assert open_tape([native]).instrument == open_tape([source]).instrument
    assert fingerprint([native]) != fingerprint([source])
    events, _report = played(source)
    assert span([native]) == (events[0].received_at_ns, events[-1].received_at_ns)


def test_its_columns_are_those_of_its_source(source: Path, native: Path) -> None:
    columns = read_columns([native])
    assert list(columns.events()) == list(read_columns([source]).events())
    assert columns.messages == 5


def test_small_row_groups_change_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MESSAGES_MAX", 2)
    monkeypatch.setattr(files, "BATCH_ROWS", 1)
    out = tmp_path / "small.parquet"
    writing.write_tape(open_tape([source]), out, sources=[source])
    assert parquet.ParquetFile(out).num_row_groups == 3
    assert played(out) == played(source)
    assert list(read_columns([out]).events()) == played(source)[0]


def test_the_header_names_source_and_version(source: Path, native: Path) -> None:
    header = form.NativeFeed([native], allow_gaps=False).headers[0]
    assert header.source["files"] == [source.name]
    assert len(str(header.source["sha256"][0])) == 64  # type: ignore[index]
    assert (header.messages, header.rows) == (5, 10)


def test_a_tape_with_flaws_keeps_them(write_tape: Any, recorder: Any, tmp_path: Path) -> None:
    recorder.depth(ids=(130, 131), previous_id=125)
    source, out = write_tape(recorder), tmp_path / "flawed.parquet"
    writing.write_tape(open_tape([source], allow_gaps=True), out, sources=[source])
    with pytest.raises(TapeFault, match=r"flawed\.parquet: its source had 1 gaps"):
        played(out)
    _events, report = played(out, allow_gaps=True)
    assert report.gaps == 1
    assert "line 8" in report.warnings[0]


def test_two_native_tapes_follow_each_other(
    native: Path, make_recorder: Any, write_tape: Any, tmp_path: Path
) -> None:
    later = make_recorder()
    later.received_ns += 10_000_000_000
    later.snapshot(500).depth([("100.2", "0.004")], ids=(499, 511))
    source, out = write_tape(later, name="later.gz"), tmp_path / "later.parquet"
    writing.write_tape(open_tape([source]), out, sources=[source])
    events, report = played(native, out)
    assert len(events) == 7
    assert (report.snapshots, report.messages) == (2, 9)
    with pytest.raises(TapeFault, match="wrong order"):
        open_tape([out, native])


# -- what is refused --------------------------------------------------------------------------


def test_a_file_in_the_way_is_not_replaced_unless_asked(source: Path, native: Path) -> None:
    before = native.read_bytes()
    with pytest.raises(UsageFault, match="--force"):
        writing.write_tape(open_tape([source]), native, sources=[source])
    assert native.read_bytes() == before
    writing.write_tape(open_tape([source]), native, sources=[source], is_replacing=True)
    assert played(native) == played(source)


def test_a_file_that_appears_meanwhile_is_not_replaced(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "race.parquet"

    class Slow:
        instrument = open_tape([source]).instrument
        report = TapeReport()

        def events(self) -> Iterator[FeedEvent]:
            yield from open_tape([source]).events()
            out.write_bytes(b"mine")

    with pytest.raises(UsageFault, match="exists"):
        writing.write_tape(Slow(), out, sources=[source])
    assert out.read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["race.parquet", "tape.gz"]


def test_nothing_is_left_of_a_conversion_that_fails(
    write_tape: Any, recorder: Any, tmp_path: Path
) -> None:
    recorder.depth(ids=(130, 131), previous_id=125)
    source = write_tape(recorder)
    with pytest.raises(TapeFault, match="line 8"):
        writing.write_tape(open_tape([source]), tmp_path / "out.parquet", sources=[source])
    with pytest.raises(UsageFault, match="cannot write"):
        writing.write_tape(open_tape([source]), tmp_path / "no" / "out.parquet", sources=[source])
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_a_feed_without_events_is_not_converted(source: Path, tmp_path: Path) -> None:
    class Silent:
        instrument = open_tape([source]).instrument
        report = TapeReport()

        def events(self) -> Iterator[FeedEvent]:
            return iter(())

    with pytest.raises(TapeFault, match="no events"):
        writing.write_tape(Silent(), tmp_path / "out.parquet", sources=[source])


def test_a_cut_or_altered_file_is_refused_by_name(native: Path) -> None:
    whole = native.read_bytes()
    native.write_bytes(whole[:-30])
    with pytest.raises(TapeFault, match=r"tape\.parquet: cut or damaged parquet"):
        open_tape([native])
    altered = bytearray(whole)
    altered[60] ^= 0xFF
    native.write_bytes(altered)
    with pytest.raises(TapeFault, match=r"tape\.parquet"):
        played(native)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"version": 99}, "version 99, known is 1"),
        ({"messages": 6}, "holds 5 messages with 10 rows, its header says 6"),
        ({"instruments": []}, "no native tape"),
        ({"report": 3}, "no native tape"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(
    native: Path, changes: dict[str, Any], what: str
) -> None:
    rewritten(native, **changes)
    with pytest.raises(TapeFault, match=what):
        played(native)


def test_columns_that_no_feed_left_are_refused(native: Path) -> None:
    table = table_of(native)
    kinds = table.column("kind").to_pylist()
    place = table.schema.get_field_index("kind")
    wrong = [3, *kinds[1:]]
    column = pa.array(wrong, pa.int8())
    altered = table.set_column(place, table.schema.field(place), column)
    parquet.write_table(altered, native)
    with pytest.raises(TapeFault, match=r"unsound columns .*trade without exactly one row"):
        played(native)


def test_another_parquet_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    parquet.write_table(pa.table({"a": [1]}), other)
    with pytest.raises(TapeFault, match=r"other\.parquet: neither books"):
        open_tape([other])


def test_two_instruments_do_not_follow_each_other(native: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    other.write_bytes(native.read_bytes())
    instrument = replace(open_tape([native]).instrument, symbol="ETHUSDT")
    rewritten(other, instruments=[instrument.to_json()])
    with pytest.raises(TapeFault, match=r"mixed instruments: other\.parquet is ETHUSDT"):
        open_tape([native, other])


def test_a_native_tape_and_its_source_do_not_mix(source: Path, native: Path) -> None:
    with pytest.raises(TapeFault, match=r"tape\.gz is binance-raw, tape\.parquet is native"):
        open_tape([source, native])
