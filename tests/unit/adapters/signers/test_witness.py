"""A register never goes back: its epoch is witnessed before a signature leaves."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmm.adapters.signers.register import Entry, Register
from dmm.adapters.signers.witness import RECORD_BYTES, Mark, Witness
from dmm.ports import SignedTx, SignRequest
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent, ServiceFault


def entry(slot: int) -> Entry:
    intent = Intent(
        kind=IntentKind.REWARD,
        chain="evm",
        contract="treasury",
        vault="treasury",
        scope="s",
        epoch=0,
        ordinal=slot,
        asset="DCT",
        recipient="0xb1",
        amount=Atoms(3),
        deadline_s=1_900_000_000,
        inputs={},
    )
    request = SignRequest(
        intent=intent, generation=0, bump=0, slot=slot, unit_fee_max=1, unit_tip=0, gas_max=1
    )
    return Entry(request=request, key="0xk", day_atoms_max=10**6, now_s=9)


class Killed(BaseException):
    """The process dies here."""


class Signer:
    """A register with its witness, killed and started again; `left` is what got out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.left: dict[int, str] = {}
        self.pens = 0
        self.start()

    def start(self) -> None:
        self.witness = Witness(self.folder / "witness")
        self.register = Register(self.folder / "register.sqlite", self.witness)

    def stop(self) -> None:
        self.register.close()
        self.witness.close()

    def sign(self, slot: int, *, dies: str = "") -> None:
        def pen() -> SignedTx:
            self.pens += 1
            if dies == "before the register":
                raise Killed
            return SignedTx(tx_id=f"0x{self.pens}", raw=b"x", signer="0xk", fee_atoms_max=Atoms(1))

        advance = self.witness.advance

        def dying(mark: Mark) -> None:
            if dies == "before the witness":
                raise Killed
            advance(mark)
            if dies == "after the witness":
                raise Killed

        self.witness.advance = dying  # type: ignore[method-assign]
        try:
            signed = self.register.sign_once(entry(slot), pen)
        except Killed:
            self.stop()
            self.start()
            return
        self.witness.advance = advance  # type: ignore[method-assign]
        assert self.left.setdefault(slot, signed.tx_id) == signed.tx_id, "signed twice"


DEATHS = ("", "before the register", "before the witness", "after the witness")


@settings(max_examples=15, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, 4), st.sampled_from(DEATHS)), min_size=1, max_size=12)
)
def test_wherever_it_dies_it_starts_again_and_no_slot_is_signed_twice(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]]
) -> None:
    signer = Signer(tmp_path_factory.mktemp("signer"))
    for slot, dies in steps:
        before = signer.register.epoch
        signer.sign(slot, dies=dies)
        assert signer.register.epoch >= before
        assert signer.witness.mark is not None
        assert len(signer.left) <= signer.witness.mark.epoch <= signer.register.epoch
    signer.stop()


@settings(max_examples=10, deadline=None)
@given(data=st.data(), count=st.integers(1, 6))
def test_any_older_register_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, count: int
) -> None:
    folder = tmp_path_factory.mktemp("signer")
    signer = Signer(folder)
    path = folder / "register.sqlite"
    backups = [path.read_bytes()]
    for slot in range(count):
        signer.sign(slot)
        backups.append(path.read_bytes())
    signer.stop()
    age = data.draw(st.integers(0, count))
    path.write_bytes(backups[age])
    if age == count:
        signer.start()
        signer.stop()
        return
    with pytest.raises(ServiceFault, match=f"saw epoch {count}, the register is at {age}"):
        signer.start()


def test_another_register_in_its_place_is_noticed_however_long(tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    signer.sign(1)
    signer.stop()
    (tmp_path / "register.sqlite").unlink()
    bare = Register(tmp_path / "register.sqlite")
    for slot in range(5):
        bare.sign_once(
            entry(slot),
            lambda: SignedTx(tx_id="0x", raw=b"x", signer="0xk", fee_atoms_max=Atoms(1)),
        )
    bare.close()
    with pytest.raises(ServiceFault, match="comes from a backup"):
        signer.start()


def test_a_lost_witness_is_noticed(tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    signer.sign(1)
    signer.stop()
    (tmp_path / "witness").unlink()
    with pytest.raises(ServiceFault, match="is empty, its register is at epoch 1"):
        signer.start()


def test_a_signature_that_cannot_be_witnessed_does_not_leave(tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    signer.sign(1)
    os.close(signer.witness._file)
    with pytest.raises(ServiceFault, match="cannot be written"):
        signer.sign(2)
    signer.register.close()
    # It is in the register, so it is the same one that leaves once the witness works again.
    signer.start()
    signer.sign(2)
    assert signer.pens == 2
    signer.stop()


@pytest.mark.parametrize("torn", [b"", b"\xff" * 40, b"0 9 0\n"])
def test_a_torn_record_leaves_the_one_before(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "witness"
    witness = Witness(path)
    for epoch in (1, 2, 3):
        witness.advance(Mark(register_id="ab", epoch=epoch))
    witness.close()
    content = bytearray(path.read_bytes())
    content[RECORD_BYTES : RECORD_BYTES + 40] = torn.ljust(40, b"\0")
    path.write_bytes(content)
    assert Witness(path).mark == Mark(register_id="ab", epoch=2)


def test_a_file_that_is_no_witness_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "witness"
    path.write_bytes(b"something else" * 100)
    with pytest.raises(ServiceFault, match="is unreadable"):
        Witness(path)
    with pytest.raises(ServiceFault, match="cannot be used"):
        Witness(tmp_path)


def test_an_earlier_epoch_changes_nothing(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "witness")
    witness.advance(Mark(register_id="ab", epoch=5))
    witness.advance(Mark(register_id="ab", epoch=4))
    witness.close()
    assert Witness(tmp_path / "witness").mark == Mark(register_id="ab", epoch=5)
    assert (tmp_path / "witness").stat().st_mode & 0o777 == 0o600


def test_a_register_of_the_first_form_forgets_nothing(tmp_path: Path) -> None:
    path, of = tmp_path / "register.sqlite", entry(1)
    intent = of.request.intent
    with sqlite3.connect(path) as old:
        old.executescript(
            "CREATE TABLE spent (intent_id BLOB PRIMARY KEY, content BLOB NOT NULL,"
            " asset TEXT NOT NULL, amount TEXT NOT NULL, day INTEGER NOT NULL);"
            "CREATE INDEX spent_day ON spent (asset, day);"
        )
        row: tuple[Any, ...] = (intent.intent_id, intent.content_hash, "DCT", "999999", 0)
        old.execute("INSERT INTO spent VALUES (?, ?, ?, ?, ?)", row)
    old.close()
    signer = Signer(tmp_path)
    signer.sign(1)  # counted before: only its slot is new
    with pytest.raises(Permanent, match="exceed the day's cap: 1 are left"):
        signer.sign(2)
    signer.stop()
