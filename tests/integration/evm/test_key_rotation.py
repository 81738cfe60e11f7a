"""The runbooks of docs/keys.md on the local chain: rotation and revocation of both keys."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dmm.adapters.evm.codec import calldata
from dmm.adapters.evm.sign import Key, sign_quote, sign_settlement
from dmm.adapters.signers.guard import check_quote
from dmm.adapters.signers.keystore import Curve, lock, unlock, write_private
from dmm.entrypoints.signer_chains import signing_chain
from dmm.ports import Answer
from dmm.rfq.protocol import FirmQuote
from dmm.sandbox.demo_keys import THRESHOLD
from dmm.sandbox.evm.actors import accept
from dmm.sandbox.evm.node import CHAIN_ID
from dmm.sandbox.evm.signers import demo_policy
from dmm.sandbox.evm.transact import Sender, sign_call
from dmm.settlement.intent import Intent, IntentKind
from dmm.settlement.lifecycle import Death, judge_death
from dmm.units.errors import Permanent, ServiceFault
from tests.integration.evm.conftest import Local

SET_OPERATOR, SET_SIGNER = "setOperator(address)", "setSigner(address,bool)"


def new_key(folder: Path, name: str) -> Key:
    """Hold the ceremony: a secret drawn, locked away, and read back from its file alone."""
    secret = hashlib.sha256(name.encode()).digest()
    keystore, password = folder / f"{name}.json", folder / f"{name}.password"
    write_private(password, "twenty-four characters ok")
    body = lock(secret, "twenty-four characters ok", curve=Curve.SECP256K1, work=2)
    write_private(keystore, body)
    return Key(unlock(keystore, password, curve=Curve.SECP256K1))


def funded(local: Local, key: Key) -> Key:
    local.node.rpc("anvil_setBalance", key.address, hex(10**18))
    return key


def sent(local: Local, intent: Intent, key: Key) -> str:
    """Sign and send without asking whether it would pass; mine it and return its id."""
    slot = int(local.node.rpc("eth_getTransactionCount", key.address, "pending"), 16)
    request = local.chain().sign_request(intent, generation=0, bump=0, slot=slot)
    done = sign_settlement(request, key=key, book=local.book)
    local.chain().send(done.raw)
    local.node.mine(1)
    return done.tx_id


def filled(local: Local, quote: FirmQuote, key: Key) -> Intent:
    """Return the intent that settles a quote, signed by a key and accepted by its taker."""
    acceptance, taken = accept(quote, actors=local.actors, book=local.book)
    return Intent(
        kind=IntentKind.QUOTE,
        chain="evm",
        contract="settlement",
        vault="desk",
        scope=quote.maker,
        epoch=0,
        ordinal=quote.nonce,
        asset=quote.maker_asset,
        recipient=acceptance.recipient,
        amount=quote.maker_amount,
        deadline_s=quote.settle_by_s,
        inputs={
            "quote": quote.to_json(),
            "maker_signature": "0x" + sign_quote(quote, key=key, book=local.book).hex(),
            "acceptance": {
                "quote_id": acceptance.quote_id.hex(),
                "amount": acceptance.amount,
                "recipient": acceptance.recipient,
            },
            "taker_signature": "0x" + taken.hex(),
        },
    )


def quote_by(local: Local, signer: Key, *, nonce: int) -> FirmQuote:
    body = local.quote(nonce=nonce).to_json() | {"signer": signer.address}
    return FirmQuote.from_json(body)


def state_of(local: Local, intent: Intent) -> Answer:
    return local.chain().key_state(intent, at=local.finalize())


def as_authority(local: Local, name: str, signature: str, *values: object) -> None:
    """Have two of three owners execute a call."""
    multisig = local.book.address("multisig")
    sender = Sender(rpc=local.node.rpc, key=local.actors.deployer, chain_id=CHAIN_ID)
    order = sign_call(
        signature,
        values,
        target=local.book.address(name),
        multisig=multisig,
        chain_id=CHAIN_ID,
        nonce=sender.read(multisig, "nonce()"),
        deadline_s=sender.time_s() + 3_600,
        owners=local.actors.owners[:THRESHOLD],
    )
    sender.submit(multisig, order)
    local.node.mine(1)


def call(local: Local, key: Key, name: str, data: bytes) -> None:
    Sender(rpc=local.node.rpc, key=key, chain_id=CHAIN_ID).submit(local.book.address(name), data)
    local.node.mine(1)


def allow(local: Local, signer: Key, *, allowed: bool) -> None:
    call(local, local.actors.desk, "settlement", calldata(SET_SIGNER, signer.address, allowed))


def rotate(local: Local, old: Key, new: Key) -> None:
    data = calldata("rotateSigner(address,address)", old.address, new.address)
    call(local, local.actors.desk, "settlement", data)


def test_a_rotated_quote_key_s_quotes_are_refused_and_its_successor_s_are_taken(
    local: Local, tmp_path: Path
) -> None:
    old, new = local.actors.quote_signer, new_key(tmp_path, "quote-2")
    in_flight = filled(local, quote_by(local, old, nonce=500), old)
    assert local.view(sent(local, in_flight, local.actors.operator)).succeeded
    late = filled(local, quote_by(local, old, nonce=501), old)
    rotate(local, old, new)

    # What landed before counts; what the old key signed and was not settled is worth nothing now.
    assert state_of(local, in_flight) is Answer.FOUND
    assert not local.view(sent(local, late, local.actors.operator)).succeeded
    assert state_of(local, late) is Answer.ABSENT
    # The successor's quotes settle, also under the nonce that the refused one left unused.
    again = filled(local, quote_by(local, new, nonce=501), new)
    assert local.view(sent(local, again, local.actors.operator)).succeeded
    assert state_of(local, again) is Answer.FOUND
    rotate(local, new, old)


def test_an_unsettled_quote_of_a_revoked_key_ends_at_its_deadline(
    local: Local, tmp_path: Path
) -> None:
    old = local.actors.quote_signer
    late = filled(local, quote_by(local, old, nonce=510), old)
    allow(local, old, allowed=False)
    assert not local.view(sent(local, late, local.actors.operator)).succeeded
    before = local.finalize()
    assert death(late, before.finalized_time_s) is Death.NOT_YET
    local.node.rpc("evm_increaseTime", 700)
    after = local.finalize()
    assert local.chain().key_state(late, at=after) is Answer.ABSENT
    assert death(late, after.finalized_time_s) is Death.PROVEN
    allow(local, old, allowed=True)


def death(intent: Intent, time_s: int) -> Death:
    return judge_death(deadline_s=intent.deadline_s, finalized_time_s=time_s)


def test_a_signer_of_the_new_key_signs_no_quote_that_names_the_old(
    local: Local, tmp_path: Path
) -> None:
    policy = demo_policy(local.deployments)
    new = hashlib.sha256(b"quote-3").digest()
    signing = signing_chain("evm").make_key(new, policy)
    quote = quote_by(local, local.actors.quote_signer, nonce=520)
    with pytest.raises(Permanent, match=r"signer .* is not allowed, only"):
        check_quote(
            quote,
            policy,
            signer=signing.address,
            now_s=quote.expiry_s - 30,
            canonical=signing.canonical,
        )


def test_a_rotated_settlement_key_pays_nothing_and_its_successor_pays_what_is_open(
    local: Local, tmp_path: Path
) -> None:
    old, new = local.actors.operator, funded(local, new_key(tmp_path, "settlement-2"))
    paid, open_one = local.reward(), local.reward()
    assert local.view(sent(local, paid, old)).succeeded
    assert not local.view(sent(local, open_one, new)).succeeded, "not the operator yet"
    as_authority(local, "treasury", SET_OPERATOR, new.address)

    assert not local.view(sent(local, open_one, old)).succeeded
    assert state_of(local, open_one) is Answer.ABSENT
    assert local.view(sent(local, open_one, new)).succeeded
    # The replay key does not know keys: what the old one paid, the new one cannot pay again.
    assert not local.view(sent(local, paid, new)).succeeded
    assert {state_of(local, paid), state_of(local, open_one)} == {Answer.FOUND}
    as_authority(local, "treasury", SET_OPERATOR, old.address)


def test_the_guardian_alone_stops_a_stolen_settlement_key_at_once(local: Local) -> None:
    operator, guardian = local.actors.operator, funded(local, local.actors.guardian)
    call(local, guardian, "treasury", calldata("pause()"))
    stolen = local.reward()
    assert not local.view(sent(local, stolen, operator)).succeeded
    assert state_of(local, stolen) is Answer.ABSENT
    # Only the authority opens it again: the guardian may tighten and nothing else.
    call(local, guardian, "treasury", calldata("unpause()"))
    assert not local.view(sent(local, stolen, operator)).succeeded
    as_authority(local, "treasury", "unpause()")
    assert local.view(sent(local, stolen, operator)).succeeded


def test_neither_key_can_do_what_is_the_other_s_or_the_authority_s(local: Local) -> None:
    operator, hot = local.actors.operator, funded(local, local.actors.quote_signer)
    reward = local.reward()
    assert not local.view(sent(local, reward, hot)).succeeded, "the quote key pays nothing"
    book = local.book
    for key in (operator, hot):
        for name, data in (
            ("treasury", calldata(SET_OPERATOR, key.address)),
            ("treasury", calldata("setCap(address,uint256)", book.token("DCT"), 2**200)),
            ("treasury", calldata("unpause()")),
            ("settlement", calldata("rotateSigner(address,address)", hot.address, key.address)),
        ):
            with pytest.raises(ServiceFault, match="revert"):
                forced(local, key, name, data)


def forced(local: Local, key: Key, name: str, data: bytes) -> None:
    call_ = {"from": key.address, "to": local.book.address(name), "data": "0x" + data.hex()}
    local.node.rpc("eth_call", call_, "latest")
