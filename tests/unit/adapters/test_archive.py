"""Archived partitions: whole or not there, and provable with the tools of any machine."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import journal_samples as make
import pytest
from journal_memory import MemoryJournal

from dmm.adapters import archive as archive_module
from dmm.adapters.archive import FolderArchive
from dmm.ledger.anchor import JournalTable, Partition, Row
from dmm.units.errors import InvariantBroken, Permanent, ServiceFault, UsageFault


@pytest.fixture
def journal() -> MemoryJournal:
    store = MemoryJournal()
    store.open_run(make.run())
    store.append_decisions(make.decisions(7))
    store.append_fills([make.fill(3), make.fill(2)], [])
    store.close_slice(make.summary())
    return store


@pytest.fixture
def archive(tmp_path: Path) -> FolderArchive:
    return FolderArchive(tmp_path)


def part(journal: MemoryJournal, table: JournalTable = JournalTable.DECISION) -> Partition:
    (found,) = [one for one in journal.partitions(make.RUN) if one.table is table]
    return found


def kept(journal: MemoryJournal, archive: FolderArchive) -> Path:
    one = part(journal)
    return Path(archive.keep(one, journal.partition_rows(one)).name)


def rewrite(path: Path, text: bytes) -> None:
    with gzip.open(path, "wb") as file:
        file.write(text)


def test_a_missing_file_is_a_usage_fault_by_name(archive: FolderArchive) -> None:
    with pytest.raises(UsageFault, match="no-such"):
        archive.read("no-such.jsonl.gz")


def damaged(path: Path) -> Iterator[tuple[str, bytes]]:
    whole, text = path.read_bytes(), gzip.decompress(path.read_bytes())
    lines = text.splitlines(keepends=True)
    yield "cut off", whole[: len(whole) // 2]
    yield "no gzip", b"decision_run-7_0\n"
    yield "empty", b""
    yield "a flipped byte", whole[:60] + bytes([whole[60] ^ 1]) + whole[61:]
    for name, content in {
        "no header": b"".join(lines[1:]),
        "header only": lines[0],
        "no json": lines[0] + b"{\n",
        "other spelling": lines[0] + lines[1].replace(b",", b", "),
        "ends inside a line": text[:-1],
        "not a row": lines[0] + b"[]\n",
        "a row without its columns": lines[0] + b'{"run_id":"run-7","seq":0}\n',
        "a deep line": lines[0] + b"[" * 100_000 + b"\n",
        "another format": lines[0].replace(b"/v1", b"/v9") + lines[1],
        "a line left out": b"".join(lines[:3] + lines[4:]),
        "lines exchanged": b"".join([lines[0], lines[2], lines[1]]),
        "a row of another run": lines[0] + lines[1].replace(b'"run-7"', b'"run-8"'),
    }.items():
        yield name, gzip.compress(content)


def test_a_damaged_file_is_refused_in_one_line(
    journal: MemoryJournal, archive: FolderArchive
) -> None:
    path = kept(journal, archive)
    for name, content in damaged(path):
        path.write_bytes(content)
        with pytest.raises((Permanent, InvariantBroken)) as fault:
            archive.read(path.name)
        assert not isinstance(fault.value, UsageFault), name
        assert "\n" not in str(fault.value), name


def test_a_write_that_fails_leaves_nothing_behind(
    journal: MemoryJournal, archive: FolderArchive, tmp_path: Path
) -> None:
    def rows() -> Iterator[Row]:
        yield from list(journal.partition_rows(part(journal)))[:3]
        raise OSError(28, "No space left on device")

    with pytest.raises(ServiceFault, match="No space left"):
        archive.keep(part(journal), rows())
    assert list(tmp_path.iterdir()) == []


def test_what_is_read_back_otherwise_than_written_is_not_kept(
    journal: MemoryJournal,
    archive: FolderArchive,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = archive_module._read

    def lying(path: Path) -> object:
        back = read(path)
        return replace(back, extent=replace(back.extent, rows=6))

    monkeypatch.setattr(archive_module, "_read", lying)
    with pytest.raises(InvariantBroken):
        kept(journal, archive)
    assert list(tmp_path.iterdir()) == []


def test_rows_kept_again_are_a_no_op_and_other_rows_are_refused(
    journal: MemoryJournal, archive: FolderArchive, tmp_path: Path
) -> None:
    path = kept(journal, archive)
    before = path.stat().st_ino
    assert kept(journal, archive).stat().st_ino == before
    one = part(journal)
    fewer = list(journal.partition_rows(one))[:3]
    with pytest.raises(InvariantBroken, match="move the file away"):
        archive.keep(one, fewer)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_file_says_what_it_holds_and_hashes_to_its_digest(
    journal: MemoryJournal, archive: FolderArchive
) -> None:
    one = part(journal)
    held = archive.keep(one, journal.partition_rows(one))
    header, rows = gzip.decompress(Path(held.name).read_bytes()).split(b"\n", 1)
    assert json.loads(header)["partition"] == one.name
    assert hashlib.sha256(rows).digest() == held.extent.digest
    assert [json.loads(row)["seq"] for row in rows.splitlines()] == list(range(7))


@pytest.mark.parametrize("table", JournalTable)
def test_every_table_is_read_back_as_it_was_kept(
    journal: MemoryJournal, archive: FolderArchive, table: JournalTable
) -> None:
    one = part(journal, table)
    held = archive.keep(one, journal.partition_rows(one))
    assert archive.read(Path(held.name).name) == held
    assert held.partition == one


def test_the_same_rows_give_the_same_file(journal: MemoryJournal, tmp_path: Path) -> None:
    first = kept(journal, FolderArchive(tmp_path / "a")).read_bytes()
    assert kept(journal, FolderArchive(tmp_path / "b")).read_bytes() == first
