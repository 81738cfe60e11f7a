"""Wire, policy, guard and register of the signers, without a process or a socket."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.adapters.signers.guard import CLOCK_SLACK_S, check_quote, check_settlement
from dmm.adapters.signers.latch import Latches
from dmm.adapters.signers.policy import Cap, SignerPolicy, format_policy, read_policy
from dmm.adapters.signers.register import Entry, Register
from dmm.adapters.signers.spending import DAY_S
from dmm.adapters.signers.wire import (
    LINE_BYTES_MAX,
    pack,
    request_from_json,
    request_to_json,
    signed_from_json,
    signed_to_json,
    unpack,
)
from dmm.ports import Controls, HaltLatch, Latch, SignedTx, SignRequest
from dmm.rfq.protocol import FirmQuote
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent, Retryable, ServiceFault
from dmm.units.ids import Hash32
from dmm.units.time import NS_PER_MS, NS_PER_S, Nanos

MAKER, HOT, SETTLEMENT, TAKER = (f"0x{index:040x}" for index in (0xA1, 0xA2, 0xA3, 0xA4))
NOW_S = 1_900_000_000
POLICY = SignerPolicy(
    chain="evm",
    chain_id=31_337,
    maker=MAKER,
    contracts={"settlement": SETTLEMENT, "treasury": TAKER, "token:DCT": HOT},
    caps={
        "DCT": Cap(each_atoms=700, day_atoms=1_500),
        "BTC": Cap(each_atoms=2**70, day_atoms=2**80),
        "USDT": Cap(each_atoms=900, day_atoms=9_000),
    },
    unit_fee_max=200,
    gas_max=400_000,
    ttl_s_max=60,
    settle_s_max=600,
)


def intent(**change: Any) -> Intent:
    terms: dict[str, Any] = {
        "kind": IntentKind.REWARD,
        "chain": "evm",
        "contract": "treasury",
        "vault": "treasury",
        "scope": "run/liquidity",
        "epoch": 3,
        "ordinal": 2,
        "asset": "DCT",
        "recipient": TAKER,
        "amount": Atoms(600),
        "deadline_s": NOW_S + 500,
        "inputs": {"nested": [1, {"a": "b"}, None, True]},
        "supersedes": Hash32(b"\x04" * 32),
    }
    return Intent(**(terms | change))


def request(of: Intent | None = None, **change: Any) -> SignRequest:
    terms: dict[str, Any] = {
        "intent": of or intent(),
        "generation": 1,
        "bump": 2,
        "slot": 33,
        "unit_fee_max": 150,
        "unit_tip": 3,
        "gas_max": 200_000,
    }
    return SignRequest(**(terms | change))


def quote(**change: Any) -> FirmQuote:
    terms: dict[str, Any] = {
        "chain": "evm",
        "contract": SETTLEMENT,
        "maker": MAKER,
        "signer": HOT,
        "taker": TAKER,
        "maker_asset": "BTC",
        "taker_asset": "USDT",
        "maker_amount": Atoms(250),
        "taker_amount": Atoms(800),
        "fee_bps": 0,
        "fee_recipient": MAKER,
        "expiry_s": NOW_S + 30,
        "settle_by_s": NOW_S + 300,
        "nonce": 7,
    }
    return FirmQuote(**(terms | change))


# -- wire ------------------------------------------------------------------------------------------


@given(amount=st.integers(1, 2**256 - 1), slot=st.integers(0, 2**60))
def test_a_request_survives_the_wire_whatever_its_size(amount: int, slot: int) -> None:
    sent = request(intent(amount=Atoms(amount)), slot=slot)
    line = pack({"op": "sign", "request": request_to_json(sent)})
    got = request_from_json(unpack(line)["request"])
    assert got == sent
    assert got.intent.intent_id == sent.intent.intent_id
    assert got.intent.content_hash == sent.intent.content_hash


def test_a_signed_transaction_survives_the_wire() -> None:
    signed = SignedTx(tx_id="0xab", raw=b"\x02\xff", signer=HOT, fee_atoms_max=Atoms(2**90 + 1))
    assert signed_from_json(unpack(pack({"ok": signed_to_json(signed)}))["ok"]) == signed


@pytest.mark.parametrize(
    "line",
    [b"", b"[]\n", b"nonsense\n", b'{"a":1.5}\n', b'{"a":NaN}\n', b"\xff\n", b"[" * 60_000 + b"\n"],
)
def test_a_line_that_is_no_object_without_fractions_is_refused(line: bytes) -> None:
    with pytest.raises(Permanent):
        unpack(line)


def test_brackets_cannot_end_the_process_even_where_the_recursion_limit_was_lifted() -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    try:
        with pytest.raises(Permanent, match="nested deeper than 16"):
            unpack(b'{"a":' * 12_000 + b"1" + b"}" * 12_000 + b"\n")
    finally:
        sys.setrecursionlimit(before)


def test_a_line_longer_than_the_other_side_reads_is_refused() -> None:
    with pytest.raises(Permanent, match="a signer's line holds"):
        pack({"text": "x" * LINE_BYTES_MAX})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slot", "33"),
        ("slot", True),
        ("slot", None),
        ("gas_max", 2.5),
        ("intent", None),
        ("intent", {}),
    ],
)
def test_a_request_of_another_shape_is_refused(field: str, value: object) -> None:
    body: dict[str, Any] = request_to_json(request())
    with pytest.raises(Permanent):
        request_from_json(body | {field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "theft"),
        ("amount", "600"),
        ("asset", 5),
        ("inputs", []),
        ("supersedes", "xyz"),
        ("supersedes", 5),
    ],
)
def test_an_intent_of_another_shape_is_refused(field: str, value: object) -> None:
    body: dict[str, Any] = request_to_json(request())
    body["intent"] = body["intent"] | {field: value}
    with pytest.raises(Permanent):
        request_from_json(body)


def test_unknown_fields_are_refused() -> None:
    body: dict[str, Any] = request_to_json(request())
    with pytest.raises(Permanent, match="request fields differ"):
        request_from_json(body | {"raw": "0x00"})


# -- policy ----------------------------------------------------------------------------------------


def test_a_policy_reads_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(format_policy(POLICY), encoding="utf-8")
    assert read_policy(path) == POLICY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("gas_max = 400000", "gas_max = -1"),
        ("gas_max = 400000", "gas_max = 1.5"),
        ("gas_max = 400000", ""),
        ("chain_id = 31337", "chain_id = true"),
        ('each_atoms = "700"', 'each_atoms = "many"'),
        ('chain = "evm"', 'chain = "evm"\nallow_everything = true'),
        ('chain = "evm"', "chain = "),
    ],
)
def test_a_policy_with_anything_wrong_in_it_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "policy.toml"
    text = format_policy(POLICY)
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ServiceFault, match="signer policy"):
        read_policy(path)


# -- guard -----------------------------------------------------------------------------------------


def test_what_is_within_the_policy_passes() -> None:
    check_settlement(request(intent(amount=Atoms(700)), gas_max=400_000), POLICY)
    check_quote(quote(), POLICY, signer=HOT, now_s=NOW_S, canonical=str.lower)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"chain": "mainnet"}, "chain 'mainnet' is not allowed"),
        ({"contract": "settlement"}, "contract 'settlement' is not allowed for a reward"),
        ({"kind": IntentKind.QUOTE}, "contract 'treasury' is not allowed for a quote"),
        ({"asset": "WETH"}, "asset 'WETH' has no cap"),
        ({"amount": Atoms(701)}, r"701 atoms of DCT are outside \[1, 700\]"),
        ({"amount": Atoms(0)}, "0 atoms of DCT are outside"),
        ({"amount": Atoms(-5)}, "-5 atoms of DCT are outside"),
    ],
)
def test_an_intent_outside_the_policy_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Permanent, match=words):
        check_settlement(request(intent(**change)), POLICY)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gas_max": 400_001}, "gas 400001 exceeds 400000"),
        ({"unit_fee_max": 201}, "fee 201 a unit exceeds 200"),
        ({"slot": -1}, "must be >= 0"),
    ],
)
def test_a_transaction_outside_the_policy_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Permanent, match=words):
        check_settlement(request(**change), POLICY)


def test_a_contract_the_policy_does_not_name_is_refused() -> None:
    bare = replace(POLICY, contracts={"settlement": SETTLEMENT})
    with pytest.raises(Permanent, match="contract 'treasury' is not allowed"):
        check_settlement(request(), bare)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"chain": "solana"}, "chain 'solana' is not allowed"),
        ({"contract": TAKER}, "contract .* is not allowed"),
        ({"maker": TAKER}, "maker .* is not allowed"),
        ({"signer": MAKER}, "signer .* is not allowed"),
        (
            {"expiry_s": NOW_S + 61 + CLOCK_SLACK_S},
            "the quote lives until .* 60 s are allowed",
        ),
        (
            {"settle_by_s": NOW_S + 601 + CLOCK_SLACK_S},
            "the quote settles until .* 600 s are allowed",
        ),
        ({"maker_amount": Atoms(2**70 + 1)}, "atoms of BTC are outside"),
        ({"taker_amount": Atoms(901)}, "atoms of USDT are outside"),
        ({"taker_asset": "WETH"}, "asset 'WETH' has no cap"),
    ],
)
def test_a_quote_outside_the_policy_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Permanent, match=words):
        check_quote(quote(**change), POLICY, signer=HOT, now_s=NOW_S, canonical=str.lower)


# -- register --------------------------------------------------------------------------------------


def entry(of: SignRequest, *, now_s: int = NOW_S, key: str = HOT) -> Entry:
    return Entry(request=of, key=key, day_atoms_max=1_500, now_s=now_s)


class Pen:
    """Signs with a new number every time, so that a second signature shows."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> SignedTx:
        self.count += 1
        return SignedTx(
            tx_id=f"0x{self.count:02x}",
            raw=bytes([self.count]),
            signer=HOT,
            fee_atoms_max=Atoms(2**70 + self.count),
        )


@pytest.fixture
def register(tmp_path: Path) -> Register:
    return Register(tmp_path / "register.sqlite")


def test_the_same_request_gets_the_same_signature_also_after_a_restart(
    register: Register, tmp_path: Path
) -> None:
    pen = Pen()
    first = register.sign_once(entry(request()), pen)
    assert register.sign_once(entry(request()), pen) == first
    register.close()
    assert Register(tmp_path / "register.sqlite").sign_once(entry(request()), pen) == first
    assert pen.count == 1


def test_a_slot_is_signed_once(register: Register) -> None:
    pen = Pen()
    register.sign_once(entry(request()), pen)
    for other in (request(gas_max=1), request(unit_tip=4), request(unit_fee_max=9)):
        with pytest.raises(Permanent, match="slot 33 bump 2 was signed with another payload"):
            register.sign_once(entry(other), pen)
    another = request(intent(ordinal=9), bump=3)
    with pytest.raises(Permanent, match="slot 33 was signed for another intent"):
        register.sign_once(entry(another), pen)
    assert pen.count == 1


def test_a_bump_of_the_same_intent_is_signed_and_counted_once(register: Register) -> None:
    pen = Pen()
    for bump in range(4):
        register.sign_once(entry(request(bump=bump, unit_fee_max=100 + bump)), pen)
    assert pen.count == 4
    register.sign_once(entry(request(intent(ordinal=9), slot=34)), pen)
    with pytest.raises(Permanent, match="300 are left"):
        register.sign_once(entry(request(intent(ordinal=10), slot=35)), pen)


def test_two_keys_have_slots_of_their_own(register: Register) -> None:
    pen = Pen()
    register.sign_once(entry(request()), pen)
    register.sign_once(entry(request(), key=MAKER), pen)
    assert pen.count == 2


def test_an_intent_that_comes_back_with_other_content_is_refused(register: Register) -> None:
    pen = Pen()
    register.sign_once(entry(request()), pen)
    with pytest.raises(Permanent, match="was signed with other content"):
        register.sign_once(entry(request(intent(amount=Atoms(1)), slot=34)), pen)


def test_the_day_s_cap_renews_with_the_day_and_not_with_a_clock_set_back(
    register: Register,
) -> None:
    pen = Pen()
    register.sign_once(entry(request(intent(ordinal=1), slot=1)), pen)
    register.sign_once(entry(request(intent(ordinal=2), slot=2)), pen)
    later = NOW_S + DAY_S
    register.sign_once(entry(request(intent(ordinal=3), slot=3), now_s=later), pen)
    register.sign_once(entry(request(intent(ordinal=4), slot=4), now_s=later), pen)
    for now_s in (later, NOW_S, NOW_S - 5 * DAY_S):
        with pytest.raises(Permanent, match="exceed the day's cap"):
            register.sign_once(entry(request(intent(ordinal=5), slot=5), now_s=now_s), pen)


def test_a_signature_that_fails_leaves_nothing_behind(register: Register) -> None:
    def broken() -> SignedTx:
        raise Permanent("no such token")

    with pytest.raises(Permanent, match="no such token"):
        register.sign_once(entry(request(intent(amount=Atoms(5)))), broken)
    register.sign_once(entry(request()), Pen())


def test_a_register_that_cannot_be_written_signs_nothing(register: Register) -> None:
    pen = Pen()
    register.close()
    with pytest.raises(ServiceFault, match="register cannot be written"):
        register.sign_once(entry(request()), pen)
    assert pen.count == 0


def test_a_register_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "register.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(ServiceFault, match="signer register"):
        Register(path)


# -- latch -----------------------------------------------------------------------------------------


class Journal:
    """The part of the journal a latch reads; its clock runs `ahead_ms` of the host's."""

    def __init__(
        self, answer: Latch | HaltLatch | Exception | None, ahead_ms: int = 0, late_ms: int = 0
    ) -> None:
        self.answer = answer
        self.ahead_ns = ahead_ms * NS_PER_MS
        self.late_ns = late_ms * NS_PER_MS
        self.now = NOW_NS

    def now_ns(self) -> Nanos:
        return Nanos(self.now)

    def sleep_s(self, seconds: float) -> None:
        raise AssertionError(f"a signer does not wait, not {seconds} s")

    def controls(self) -> Controls:
        if isinstance(self.answer, Exception):
            raise self.answer
        at_ns = Nanos(self.now + self.late_ns // 2 + self.ahead_ns)
        self.now += self.late_ns
        return Controls(
            kill=self.answer if isinstance(self.answer, Latch) else None,
            halt=self.answer if isinstance(self.answer, HaltLatch) else None,
            database_at_ns=at_ns,
        )


NOW_NS = 1_700_000_000 * NS_PER_S


def held(*, killed: bool) -> Latch:
    return Latch(kill_id=4, killed=killed, reason="drill", operator="me", at_ns=Nanos(5))


def halt(*, halted: bool) -> HaltLatch:
    return HaltLatch(
        halt_id=2, halted=halted, run_id="r", reason="drawdown of 7", operator="", at_ns=Nanos(5)
    )


def latches(answer: Any, file: Path | None = None, **of_the_clock: int) -> Latches:
    journal = Journal(answer, **of_the_clock)
    return Latches(file=file, store=journal, clock=journal)  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [None, held(killed=False), halt(halted=False)])
def test_nothing_holds_when_nothing_was_latched_or_all_is_released(
    answer: Any, tmp_path: Path
) -> None:
    found = latches(answer, tmp_path / "latch")
    found.require_not_killed()
    found.require_not_halted()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (held(killed=True), r"the kill switch holds \(drill\)"),
        (Retryable("database gone"), "cannot be read .*database gone"),
        (ServiceFault("disk full"), "cannot be read .*disk full"),
    ],
)
def test_a_kill_or_doubt_about_it_stops_signing_for_now(answer: Any, words: str) -> None:
    with pytest.raises(Retryable, match=words):
        latches(answer).require_not_killed()
    with pytest.raises(Retryable, match=words):
        latches(answer).require_not_halted()


def test_a_halt_stops_new_quotes_and_lets_settlements_go_on() -> None:
    latches(halt(halted=True)).require_not_killed()
    with pytest.raises(Retryable, match=r"halted \(drawdown of 7\).*`dmm reset`"):
        latches(halt(halted=True)).require_not_halted()


def test_the_latch_file_stops_signing_while_it_exists(tmp_path: Path) -> None:
    file = tmp_path / "latch"
    file.touch()
    for require in (latches(None, file).require_not_killed, latches(None, file).require_not_halted):
        with pytest.raises(Retryable, match="latch exists"):
            require()
    file.unlink()
    latches(None, file).require_not_halted()


def test_a_clock_a_quarter_of_a_second_off_signs_nothing() -> None:
    latches(None, ahead_ms=250).require_not_killed()
    for ahead_ms, words in ((251, "-251 ms ahead"), (-251, "251 ms ahead")):
        with pytest.raises(Retryable, match=words):
            latches(None, ahead_ms=ahead_ms).require_not_killed()


def test_a_slow_first_answer_is_asked_again_before_the_clock_is_judged() -> None:
    found = latches(None)
    journal = found.store
    assert isinstance(journal, Journal)
    slow = iter([900])
    answered = journal.controls

    def controls() -> Controls:
        # As when a connection is made first: the answer's time is that of its end.
        journal.now += next(slow, 0) * NS_PER_MS
        return answered()

    journal.controls = controls  # type: ignore[method-assign]
    found.require_not_killed()


def test_a_database_too_slow_to_tell_the_time_signs_nothing() -> None:
    with pytest.raises(Retryable, match="could not be compared"):
        latches(None, late_ms=1_001).require_not_killed()


def test_the_protocol_is_plain_json_lines() -> None:
    line = pack({"op": "address", "chain": "evm"})
    assert line.endswith(b"\n")
    assert json.loads(line) == {"op": "address", "chain": "evm"}
