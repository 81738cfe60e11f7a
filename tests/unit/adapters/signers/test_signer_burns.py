"""A burn uses a slot up and nothing else: its own rule, its own place in the register."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from dmm.adapters.evm.codec import Book
from dmm.adapters.evm.sign import Key, sign_settlement
from dmm.adapters.signers.answers import SettlementSigner
from dmm.adapters.signers.chain_signing import ChainSigning
from dmm.adapters.signers.guard import check_burn, check_settlement
from dmm.adapters.signers.policy import Cap, SignerPolicy
from dmm.adapters.signers.register import Entry, Register, payload_of
from dmm.adapters.signers.wire import request_from_json, request_to_json
from dmm.entrypoints.signer_chains import signing_chain
from dmm.ports import Deployment, SignedTx, SignRequest
from dmm.settlement.intent import Intent, IntentKind, Purpose
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent, Retryable
from dmm.units.time import Nanos

SECRET = b"\x21" * 32
KEY = Key(SECRET)
POLICY = SignerPolicy(
    chain="evm",
    chain_id=31_337,
    maker="0x" + "a1" * 20,
    contracts={"treasury": "0x" + "a4" * 20, "token:DCT": "0x" + "d0" * 20},
    caps={"DCT": Cap(each_atoms=40, day_atoms=40)},
    unit_fee_max=200,
    gas_max=400_000,
    ttl_s_max=60,
    settle_s_max=600,
)
CHAIN: ChainSigning = signing_chain("evm").make_key(SECRET, POLICY)
BOOK = Book(
    chain_id=31_337,
    deployments={
        name: Deployment(chain="evm", name=name, address=address, height=0)
        for name, address in POLICY.contracts.items()
    },
)


def request(ordinal: int = 0, **change: Any) -> SignRequest:
    intent = Intent(
        kind=IntentKind.REWARD,
        chain="evm",
        contract="treasury",
        vault="treasury",
        scope="r1:x",
        epoch=1,
        ordinal=ordinal,
        asset="DCT",
        recipient="0x" + "b1" * 20,
        amount=Atoms(30),
        deadline_s=1_900_000_000,
        inputs={},
    )
    terms: dict[str, Any] = {
        "intent": intent,
        "generation": 0,
        "bump": 0,
        "slot": 7,
        "unit_fee_max": 150,
        "unit_tip": 3,
        "gas_max": 21_000,
    }
    return SignRequest(**(terms | change))


def burn(ordinal: int = 0, **change: Any) -> SignRequest:
    return request(ordinal, purpose=Purpose.BURN, **change)


class Latched:
    """A kill switch that holds."""

    def require_not_killed(self) -> None:
        raise Retryable("the kill switch holds")


class Clock:
    def now_ns(self) -> Nanos:
        return Nanos(1_900_000_000 * 10**9)

    def sleep_s(self, seconds: float) -> None:
        raise AssertionError(seconds)


def signer(folder: Path, latches: Any) -> SettlementSigner:
    return SettlementSigner(
        chain=CHAIN,
        policy=POLICY,
        register=Register(folder / "register.sqlite"),
        latches=latches,
        clock=Clock(),
    )


def ask(at: SettlementSigner, wanted: SignRequest) -> Any:
    return at.answer({"op": "sign", "request": request_to_json(wanted)})


def test_while_killed_a_burn_is_signed_and_a_payment_is_not(tmp_path: Path) -> None:
    latched = signer(tmp_path, Latched())
    with pytest.raises(Retryable, match="the kill switch holds"):
        ask(latched, request())
    assert ask(latched, burn())["signer"] == KEY.address


def test_a_burn_sends_nothing_to_its_own_sender() -> None:
    done = sign_settlement(burn(), key=KEY, book=BOOK)
    fields = TypedTransaction.from_bytes(HexBytes(done.raw)).as_dict()
    assert (fields["value"], fields["data"], fields["nonce"]) == (0, b"", 7)
    assert "0x" + bytes(fields["to"]).hex() == KEY.address.lower()
    assert done.fee_atoms_max == 21_000 * 150


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"unit_fee_max": 401}, "exceeds 400"),
        ({"gas_max": 21_001}, "exceeds 21000"),
        ({"slot": -1}, "must be >= 0"),
        ({"bump": -1}, "must be >= 0"),
        ({"intent": replace(request().intent, chain="ton")}, "chain 'ton' is not allowed"),
        ({"purpose": Purpose.PAY}, "is no burn"),
    ],
)
def test_a_burn_that_could_do_more_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(Permanent, match=why):
        check_burn(replace(burn(), **change), POLICY, gas_max=21_000)


def test_a_chain_whose_slots_end_by_themselves_has_no_burns() -> None:
    with pytest.raises(Permanent, match="chain 'evm' has no burns"):
        check_burn(burn(), POLICY, gas_max=None)


def test_a_burn_may_outbid_what_a_payment_may_not() -> None:
    check_burn(burn(unit_fee_max=400), POLICY, gas_max=21_000)
    with pytest.raises(Permanent, match="exceeds 200"):
        check_settlement(request(unit_fee_max=201), POLICY)


def entry(of: SignRequest) -> Entry:
    return Entry(request=of, key="0xk", day_atoms_max=40, now_s=1_000)


def signing(text: str) -> Any:
    return lambda: SignedTx(tx_id=text, raw=text.encode(), signer="0xk", fee_atoms_max=Atoms(1))


def test_a_burn_takes_a_slot_signed_for_another_intent_and_spends_no_cap(tmp_path: Path) -> None:
    register = Register(tmp_path / "register.sqlite")
    register.sign_once(entry(request(0)), signing("pay"))
    with pytest.raises(Permanent, match="signed for another intent"):
        register.sign_once(entry(request(1, bump=1)), signing("other"))
    done = register.sign_once(entry(burn(1)), signing("burn"))
    assert (done.tx_id, done.signer) == ("burn", "0xk")
    assert register.sign_once(entry(burn(1)), signing("twice")).tx_id == "burn"
    assert register.sign_once(entry(request(0)), signing("twice")).tx_id == "pay"
    register.close()


def test_a_request_travels_whole() -> None:
    whole = burn(expires=99, anchor="0xblock")
    assert request_from_json(request_to_json(whole)) == whole
    for field, value in (("purpose", "STEAL"), ("anchor", 5), ("expires", "x")):
        with pytest.raises((Permanent, ValueError)):
            request_from_json(request_to_json(whole) | {field: value})


def test_what_decides_the_bytes_decides_the_payload() -> None:
    payloads = {
        payload_of(one)
        for one in (request(), burn(), request(expires=9), request(anchor="0xb"), request(bump=1))
    }
    assert len(payloads) == 5
