"""A chain that is played again from its journal is the same chain, hash for hash."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dmm.sandbox.ton.chain import Faults, LocalChain
from dmm.sandbox.ton.machine import Machine
from dmm.units.errors import InvariantBroken, UsageFault

START_S = 2_000_000_000
ACCOUNTS = tuple(f"0:{n:064x}" for n in (0x11, 0x12, 1 << 255, (1 << 255) + 1, 0xF << 250))


@pytest.fixture(scope="module")
def machine(packages: Path) -> Iterator[Machine]:
    with Machine(packages) as made:
        yield made


def chain(machine: Machine, folder: Path, *, seed: int = 7, global_id: int = -217) -> LocalChain:
    made = LocalChain(machine, folder=folder, global_id=global_id, seed=seed)
    made.open(now_s=START_S)
    return made


def lived(machine: Machine, folder: Path) -> LocalChain:
    made = chain(machine, folder)
    for n, account in enumerate(ACCOUNTS):
        made.fund(account, 10**9 + n)
        made.set_faults(Faults(held_per_mille=300))
        made.seal(now_s=START_S + n)
    made.set_faults(Faults())
    while not made.is_idle():
        made.seal(now_s=START_S + 100)
    return made


def test_a_chain_played_again_has_the_same_blocks(machine: Machine, tmp_path: Path) -> None:
    made = lived(machine, tmp_path)
    made.close()
    again = chain(machine, tmp_path)
    assert [block.shard for block in again.blocks] == [block.shard for block in made.blocks]
    assert again.head.accounts is not None
    assert again.head.accounts.nanoton == sum(10**9 + n for n in range(len(ACCOUNTS)))
    again.seal(now_s=START_S + 200)
    again.close()
    assert len(chain(machine, tmp_path).blocks) == len(made.blocks) + 1


def test_a_line_that_was_cut_off_is_left_out(machine: Machine, tmp_path: Path) -> None:
    made = lived(machine, tmp_path)
    made.close()
    path = tmp_path / "journal.jsonl"
    path.write_text(path.read_text(encoding="utf-8") + '{"kind":"seal","now":20', encoding="utf-8")
    again = chain(machine, tmp_path)
    assert again.head.shard == made.head.shard


def test_a_journal_of_another_chain_is_refused(machine: Machine, tmp_path: Path) -> None:
    lived(machine, tmp_path).close()
    with pytest.raises(InvariantBroken, match=r"of the journal is another one now: remove"):
        chain(machine, tmp_path, global_id=-218)
    path = tmp_path / "journal.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    lines[-1] = json.dumps(json.loads(lines[-1]) | {"root": "00" * 32}) + "\n"
    path.write_text("".join(lines), encoding="utf-8")
    with pytest.raises(
        InvariantBroken, match=rf"block {len(lines) - 13} |block \d+ of the journal"
    ):
        chain(machine, tmp_path)


def test_time_never_runs_backwards(machine: Machine, tmp_path: Path) -> None:
    made = chain(machine, tmp_path)
    assert made.seal(now_s=START_S + 50).time_s == START_S + 50
    assert made.seal(now_s=START_S + 10).time_s == START_S + 50
    made.close()


def test_balances_are_those_of_the_block_that_is_asked_for(
    machine: Machine, tmp_path: Path
) -> None:
    made = lived(machine, tmp_path)
    found = [made.account_at(account) is not None for account in ACCOUNTS]
    assert all(found)
    assert made.account_at(ACCOUNTS[0], 1) is None
    assert made.block_at(START_S - 1) is None
    early = made.block_at(START_S)
    assert early is not None
    assert early.time_s == START_S
    made.close()


@pytest.mark.parametrize("boc", [b"", b"\x00" * 40, b"\xb5\xee\x9c\x72" + bytes(20)])
def test_bytes_that_are_no_message_are_refused(
    machine: Machine, tmp_path: Path, boc: bytes
) -> None:
    made = chain(machine, tmp_path)
    with pytest.raises(UsageFault, match="are no message"):
        made.submit(boc, now_s=START_S)
    made.close()
