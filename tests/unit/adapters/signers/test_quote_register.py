"""The quote signer's register: a nonce for one quote, a quote in one statement, through crashes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmm.adapters.signers import nonces as nonces_module
from dmm.adapters.signers.nonces import BLOCK
from dmm.adapters.signers.outflow import Outflow
from dmm.adapters.signers.quote_register import QuoteRegister
from dmm.adapters.signers.spending import Spend
from dmm.adapters.signers.witness import Witness
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent, ServiceFault
from dmm.units.ids import Hash32, content_id

MAKER = "0xmaker"


@dataclass
class Signer:
    """A register whose process can be killed; it signs with a new number every time."""

    folder: Path
    count: int = 0
    register: QuoteRegister = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.register = QuoteRegister(self.folder / "r.sqlite", Witness(self.folder / "witness"))

    def kill(self) -> None:
        self.register.close()
        self.start()

    def pen(self) -> bytes:
        self.count += 1
        return bytes([self.count % 256])

    def quote(self, nonce: int, terms: str = "terms", maker: str = MAKER) -> bytes:
        quote_id = content_id("test", maker, nonce, terms)
        return self.register.sign_quote_once(
            maker=maker, nonce=nonce, quote_id=quote_id, sign=self.pen
        )


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path)


# -- nonces ----------------------------------------------------------------------------------------


def test_a_nonce_is_signed_for_one_quote(signer: Signer) -> None:
    signer.quote(5)
    signer.quote(5)
    with pytest.raises(Permanent, match=r"nonce 5 of maker 0xmaker is spent.*the next is 6"):
        signer.quote(5, "others")
    assert signer.register.next_nonce(MAKER) == 6
    signer.quote(4)
    assert signer.register.next_nonce(MAKER) == 6


def test_makers_have_nonces_of_their_own(signer: Signer) -> None:
    signer.quote(5)
    signer.quote(5, "others", maker="0xother")
    assert signer.register.next_nonce("0xnobody") == 0


def test_after_a_kill_the_next_nonce_lies_above_all_that_were_signed(signer: Signer) -> None:
    for nonce in (0, BLOCK, 3 * BLOCK - 1, 3 * BLOCK + 17):
        signer.quote(nonce)
        signer.kill()
        after = signer.register.next_nonce(MAKER)
        assert nonce < after <= nonce + BLOCK
        with pytest.raises(Permanent, match=f"the next is {after}"):
            signer.quote(nonce, "others")


def test_a_block_of_quotes_costs_one_write(signer: Signer) -> None:
    for nonce in range(BLOCK):
        signer.quote(nonce)
    assert signer.register.epoch == 1
    signer.quote(BLOCK)
    assert signer.register.epoch == 2


def test_what_is_no_longer_remembered_is_spent(
    signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nonces_module, "KNOWN_MAX", 3)
    for nonce in range(5):
        signer.quote(nonce)
    signer.quote(2)
    for nonce in (0, 1):
        with pytest.raises(Permanent, match="is spent"):
            signer.quote(nonce)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.integers(0, 3 * BLOCK), st.sampled_from("ab")),
            st.just("kill"),
            st.just("restore the journal"),
            st.just("ask"),
        ),
        max_size=40,
    )
)
def test_no_order_of_kills_and_restores_signs_two_quotes_under_one_nonce(
    steps: list[object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    signer = Signer(tmp_path_factory.mktemp("r"))
    signed: dict[int, str] = {}
    journal = 0
    for step in steps:
        match step:
            case "kill":
                signer.kill()
            case "restore the journal":
                journal = 0
            case "ask":
                # What the desk does for each quote: the larger of the journal's and the signer's.
                journal = max(journal, signer.register.next_nonce(MAKER))
                signer.quote(journal, "desk")
                assert signed.setdefault(journal, "desk") == "desk"
                journal += 1
            case (int(nonce), str(terms)):
                try:
                    signer.quote(nonce, terms)
                except Permanent:
                    continue
                assert signed.setdefault(nonce, terms) == terms
    assert signer.register.next_nonce(MAKER) > max(signed, default=-1)


# -- statements ------------------------------------------------------------------------------------


def statement(ordinal: int = 3, *, deadline_s: int = 1_900_000_900) -> Intent:
    return Intent(
        kind=IntentKind.STATEMENT,
        chain="evm",
        contract="settlement",
        vault="desk",
        scope="0xmaker>0xtaker",
        epoch=2,
        ordinal=ordinal,
        asset="BTC",
        recipient="0xtaker",
        amount=Atoms(700),
        deadline_s=deadline_s,
        inputs={"trades": [{"quote": {}}]},
    )


def spend(*nonces: int, amount: int = 300, day: int = 20_000) -> Spend:
    return Spend(
        flows=tuple(
            Outflow(source=f"quote:0xmaker:{n}", asset="BTC", amount=amount, recipient="0xtaker")
            for n in nonces
        ),
        day=day,
        day_atoms_max={"BTC": 1_000},
    )


def state(signer: Signer, of: Intent, what: Spend) -> bytes:
    return signer.register.sign_statement_once(of, spend=what, sign=signer.pen)


def test_the_same_statement_gets_the_same_signature_also_after_a_kill(signer: Signer) -> None:
    first = state(signer, statement(), spend(3, 4))
    assert state(signer, statement(), spend(3, 4)) == first
    signer.kill()
    assert state(signer, statement(), spend(3, 4)) == first
    assert signer.count == 1


def test_a_statement_with_other_content_is_refused(signer: Signer) -> None:
    state(signer, statement(), spend(3, 4))
    with pytest.raises(Permanent, match="was signed with other content"):
        state(signer, statement(deadline_s=1_900_000_901), spend(3, 4))


def test_a_quote_is_in_one_statement(signer: Signer) -> None:
    first = statement()
    state(signer, first, spend(3, 4))
    with pytest.raises(
        Permanent, match=f"quote:0xmaker:4 is in statement {first.intent_id.hex()} already"
    ):
        state(signer, statement(4), spend(4, 5))
    state(signer, statement(5), spend(5))


def test_a_statement_over_the_day_s_cap_is_refused_and_leaves_nothing_behind(
    signer: Signer,
) -> None:
    state(signer, statement(), spend(3, 4))
    epoch = signer.register.epoch
    with pytest.raises(Permanent, match="600 atoms of BTC exceed the day's cap: 400 are left"):
        state(signer, statement(5), spend(5, 6))
    assert signer.register.epoch == epoch
    # Smaller, it passes: neither its id nor its quotes were kept.
    state(signer, statement(5), spend(5, 6, amount=200))
    with pytest.raises(Permanent, match="0 are left"):
        state(signer, statement(7), spend(7, amount=1))
    state(signer, statement(7), spend(7, day=20_001))


def test_no_signature_leaves_when_the_register_cannot_be_written(
    signer: Signer, tmp_path: Path
) -> None:
    signer.quote(1)
    backup = tmp_path / "backup"
    shutil.copy(tmp_path / "r.sqlite", backup)
    signer.register._file.db.execute("PRAGMA query_only = ON")
    with pytest.raises(ServiceFault, match="cannot be written"):
        state(signer, statement(), spend(3))
    with pytest.raises(ServiceFault, match="cannot be written"):
        signer.quote(BLOCK)
    signer.register._file.db.execute("PRAGMA query_only = OFF")
    # What was refused for that reason was not signed: another quote may have the nonce.
    signer.quote(BLOCK, "others")
    signer.register.close()
    shutil.copy(backup, tmp_path / "r.sqlite")
    with pytest.raises(ServiceFault, match="comes from a backup"):
        signer.start()


def test_a_fault_of_the_key_leaves_the_nonce_free(signer: Signer) -> None:
    def broken() -> bytes:
        raise Permanent("the key is away")

    with pytest.raises(Permanent, match="the key is away"):
        signer.register.sign_quote_once(
            maker=MAKER, nonce=9, quote_id=Hash32(bytes(32)), sign=broken
        )
    signer.quote(9)
    with pytest.raises(Permanent, match="the key is away"):
        signer.register.sign_statement_once(statement(), spend=spend(3), sign=broken)
    state(signer, replace(statement(), deadline_s=1), spend(3))
