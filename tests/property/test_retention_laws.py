"""Laws of pruning: however a chain is cut and pruned, what remains proves the same head."""

from __future__ import annotations

import journal_samples as make
import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_memory import MemoryJournal

from dmm.ledger.anchor import JournalTable, Partition, Row, RowDigest, check_stands
from dmm.ports import Pruning
from dmm.units.errors import InvariantBroken
from dmm.units.ids import hash_link
from dmm.units.time import Nanos
from dmm.usecases.retain import verify_chain

PRUNING = Pruning(finished_before_ns=Nanos(9), now_ns=Nanos(11), operator="ann", reason="old")
LINKS = make.decisions(30)


def part(first: int, end: int) -> Partition:
    return Partition(
        name="p", table=JournalTable.DECISION, run_id=make.RUN, first_place=first, end_place=end
    )


def row(seq: int) -> Row:
    link = LINKS[seq]
    return {
        "run_id": link.run_id,
        "seq": seq,
        "epoch": link.epoch,
        "decided_at_ns": link.decided_at_ns,
        "body": link.body.hex(),
        "previous_hash": link.previous_hash.hex(),
        "link_hash": link.link_hash.hex(),
    }


@given(links=st.integers(1, 30), width=st.integers(1, 31), pruned=st.integers(0, 30))
def test_a_pruned_chain_proves_the_head_that_the_whole_one_had(
    links: int, width: int, pruned: int
) -> None:
    store = MemoryJournal()
    store.width = width
    store.open_run(make.run())
    store.append_decisions(LINKS[:links])
    store.finish_run(make.RUN, finished_at_ns=Nanos(5))
    store.open_run(make.run("later", started_at_ns=500))
    for partition in store.partitions(make.RUN)[:pruned]:
        store.prune(partition, PRUNING)
    proof = verify_chain(store=store, run_id=make.RUN)
    assert proof.head == LINKS[links - 1].link_hash
    assert proof.first_seq + proof.links == links
    assert proof.anchors == min(pruned, -(-links // width))


@given(cut=st.integers(1, 29), wrong=st.integers(0, 29))
def test_a_part_stands_on_the_part_before_it_and_on_no_other(cut: int, wrong: int) -> None:
    extents = []
    for first, end in ((0, wrong + 1), (cut, 30)):
        digest = RowDigest(part(first, end))
        for seq in range(first, end):
            digest.add(row(seq))
        extents.append(digest.extent())
    before, after = extents
    if wrong + 1 == cut:
        check_stands(part(cut, 30), after, before)
    else:
        with pytest.raises(InvariantBroken):
            check_stands(part(cut, 30), after, before)
    with pytest.raises(InvariantBroken):
        check_stands(part(cut, 30), after, None)


@given(at=st.integers(0, 9), column=st.sampled_from(sorted(row(0))), data=st.data())
def test_any_change_of_any_column_shows(at: int, column: str, data: st.DataObject) -> None:
    """In the chain where the column is part of it, in the digest where it is not."""
    honest, forged = RowDigest(part(0, 10)), RowDigest(part(0, 10))
    for seq in range(10):
        honest.add(row(seq))
    value = row(at)[column]
    other: object = value
    if isinstance(value, int):
        other = data.draw(st.integers(0, 2**40).filter(lambda n: n != value))
    elif isinstance(value, str):
        other = data.draw(st.binary(min_size=32, max_size=32)).hex()
        if other == value:
            return
    try:
        for seq in range(10):
            forged.add({**row(seq), column: other} if seq == at else row(seq))  # type: ignore[dict-item]
        digest = forged.extent().digest
    except InvariantBroken:
        return
    assert digest != honest.extent().digest


@given(order=st.permutations(range(5)).filter(lambda order: order != sorted(order)))
def test_rows_are_taken_in_order_only(order: list[int]) -> None:
    digest = RowDigest(part(0, 10))

    def add_all() -> None:
        for seq in order:
            digest.add(row(seq))

    with pytest.raises(InvariantBroken):
        add_all()


def test_a_partition_without_rows_is_no_partition() -> None:
    with pytest.raises(InvariantBroken, match="holds no row"):
        RowDigest(part(0, 10)).extent()


@pytest.mark.parametrize("seq", [4, 7])
def test_a_row_beyond_its_partition_is_refused(seq: int) -> None:
    with pytest.raises(InvariantBroken, match="does not belong"):
        RowDigest(part(5, 7)).add(row(seq))


@given(fork=st.integers(1, 9))
def test_links_of_another_chain_are_refused_however_sound_they_are_by_themselves(
    fork: int,
) -> None:
    digest = RowDigest(part(0, 10))
    for seq in range(fork):
        digest.add(row(seq))
    previous = hash_link(LINKS[fork].previous_hash, b"another past")
    body = b"a sound link"
    forged = row(fork) | {
        "body": body.hex(),
        "previous_hash": previous.hex(),
        "link_hash": hash_link(previous, body).hex(),
    }
    with pytest.raises(InvariantBroken, match="breaks the hash chain"):
        digest.add(forged)
