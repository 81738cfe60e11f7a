"""Signatures under one write: each is refused for itself, and none leaves before the write."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dmm.adapters.signers.register import Entry, Register
from dmm.adapters.signers.server import SignerServer
from dmm.adapters.signers.witness import Witness
from dmm.ports import SignedTx, SignRequest
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.errors import Fault, Permanent, ServiceFault


def entry(slot: int, *, amount: int = 3) -> Entry:
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
        amount=Atoms(amount),
        deadline_s=1_900_000_000,
        inputs={},
    )
    request = SignRequest(
        intent=intent, generation=0, bump=0, slot=slot, unit_fee_max=1, unit_tip=0, gas_max=1
    )
    return Entry(request=request, key="0xk", day_atoms_max=10, now_s=9)


class Pen:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> SignedTx:
        self.count += 1
        return SignedTx(tx_id=f"0x{self.count}", raw=b"x", signer="0xk", fee_atoms_max=Atoms(1))


@pytest.fixture
def register(tmp_path: Path) -> Register:
    return Register(tmp_path / "register.sqlite", Witness(tmp_path / "witness"))


def test_what_is_refused_undoes_only_itself(register: Register) -> None:
    pen = Pen()
    with register.together():
        register.sign_once(entry(1), pen)
        with pytest.raises(Permanent, match="exceed the day's cap: 7 are left"):
            register.sign_once(entry(2, amount=8), pen)
        register.sign_once(entry(3, amount=7), pen)
    assert (register.epoch, pen.count) == (2, 2)
    with pytest.raises(Permanent, match="0 are left"):
        register.sign_once(entry(4, amount=1), pen)


def test_the_witness_is_told_once_and_of_the_last(register: Register) -> None:
    witness: Any = register._file._witness
    told: list[int] = []
    advance = witness.advance
    witness.advance = lambda mark: (told.append(mark.epoch), advance(mark))
    with register.together():
        for slot in range(3):
            register.sign_once(entry(slot), Pen())
        assert told == []
    assert told == [3]


def test_a_death_before_the_write_leaves_nothing_behind(register: Register, tmp_path: Path) -> None:
    def dies() -> None:
        with register.together():
            register.sign_once(entry(1), Pen())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dies()
    assert register.epoch == 0
    pen = Pen()
    register.sign_once(entry(1), pen)
    assert pen.count == 1


def test_when_the_witness_cannot_be_written_all_are_refused(register: Register) -> None:
    witness: Any = register._file._witness
    witness.close()
    with pytest.raises(ServiceFault, match="cannot be written"), register.together():
        register.sign_once(entry(1), Pen())


# -- the server -----------------------------------------------------------------------------------

HELD_S_MAX = 10.0


class Answers:
    """Holds the first request until others wait, and notes who was answered with whom."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.groups: list[list[Any]] = []

    def one(self, body: dict[str, Any]) -> Any:
        self.groups.append([body["n"]])
        assert self.gate.wait(HELD_S_MAX)
        return body["n"]

    def many(self, bodies: Sequence[dict[str, Any]]) -> list[Any]:
        self.groups.append(sorted(body["n"] for body in bodies))
        return [Permanent("odd") if body["n"] % 2 else body["n"] for body in bodies]


class Unbound(SignerServer):
    """A server that listens to nobody: its line of requests is what is tested."""

    def __init__(self, answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("socketserver.ThreadingUnixStreamServer.__init__", lambda *_: None)
        super().__init__(Path("/nowhere"), answers.one, answers.many)


def test_what_waits_is_answered_together_and_each_gets_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = Answers()
    server = Unbound(answers, monkeypatch)
    got: dict[int, Any] = {}

    def ask(number: int) -> None:
        try:
            got[number] = server.ask({"n": number})
        except Fault as fault:
            got[number] = str(fault)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    threads[0].start()
    _until(lambda: bool(answers.groups))
    for thread in threads[1:]:
        thread.start()
    _until(lambda: len(server._waiting) == 5)
    answers.gate.set()
    for thread in threads:
        thread.join(HELD_S_MAX)
    assert answers.groups == [[0], [1, 2, 3, 4, 5]]
    assert got == {0: 0, 1: "odd", 2: 2, 3: "odd", 4: 4, 5: "odd"}


def _until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + HELD_S_MAX
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.001)
