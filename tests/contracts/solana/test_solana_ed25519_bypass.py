"""The published ways around a signature check: offsets, indexes, positions, look-alikes."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from dmm.adapters.solana import terms as signing

HERE = 0xFFFF


def check_bytes(
    signer: Keypair,
    message: bytes,
    *,
    count: int = 1,
    padding: int = 0,
    signature_at: int = 48,
    signature_in: int = HERE,
    key_at: int = 16,
    key_in: int = HERE,
    message_at: int = 112,
    length: int = 32,
    message_in: int = HERE,
    tail: bytes = b"",
) -> bytes:
    header = struct.pack(
        "<BBHHHHHHH",
        count,
        padding,
        signature_at,
        signature_in,
        key_at,
        key_in,
        message_at,
        length,
        message_in,
    )
    signature = bytes(signer.sign_message(message))
    return header + bytes(signer.pubkey()) + signature + message + tail


def refusal(world: Any, data: bytes) -> str:
    check = Instruction(signing.ED25519, data, [])
    name: str = world.refusal([check, world.settle_call(world.terms())], world.taker)
    return name


def test_the_plain_form_passes(world: Any) -> None:
    data = check_bytes(world.signer, world.terms().digest())
    check = Instruction(signing.ED25519, data, [])
    world.done([check, world.settle_call(world.terms())], world.taker)


@pytest.mark.parametrize("field", ["signature_in", "key_in", "message_in"])
def test_parts_in_a_named_instruction_are_refused(world: Any, field: str) -> None:
    """Index 0 is this very instruction: the runtime is content, and a careless reader would be."""
    data = check_bytes(world.signer, world.terms().digest(), **{field: 0})
    assert refusal(world, data) == "NoSignatureInstruction"


def test_a_check_of_the_attacker_s_own_message_beside_the_quote_is_refused(world: Any) -> None:
    """The signed bytes lie behind; the quote lies where a careless reader looks."""
    attacker = Keypair.from_seed(b"\x07" * 32)
    own = b"\x11" * 32
    header = struct.pack("<BBHHHHHHH", 1, 0, 176, HERE, 144, HERE, 240, 32, HERE)
    shown = bytes(world.signer.pubkey()) + bytes(64) + world.terms().digest()
    real = bytes(attacker.pubkey()) + bytes(attacker.sign_message(own)) + own
    assert refusal(world, header + shown + real) == "NoSignatureInstruction"


def test_two_signatures_in_one_instruction_are_refused(world: Any) -> None:
    digest = world.terms().digest()
    entry = struct.pack("<HHHHHHH", 62, HERE, 30, HERE, 126, 32, HERE)
    body = bytes(world.signer.pubkey()) + bytes(world.signer.sign_message(digest)) + digest
    data = struct.pack("<BB", 2, 0) + entry + entry + body
    assert refusal(world, data) == "NoSignatureInstruction"


def test_no_signature_at_all_is_refused(world: Any) -> None:
    assert refusal(world, b"\0\0") == "NoSignatureInstruction"


def test_padding_and_trailing_bytes_are_refused(world: Any) -> None:
    digest = world.terms().digest()
    assert refusal(world, check_bytes(world.signer, digest, padding=1)) == "NoSignatureInstruction"
    assert refusal(world, check_bytes(world.signer, digest, tail=b"\0")) == "NoSignatureInstruction"


def test_a_longer_message_that_begins_with_the_quote_is_refused(world: Any) -> None:
    message = world.terms().digest() + b"\0"
    data = check_bytes(world.signer, message, length=33)
    assert refusal(world, data) == "NoSignatureInstruction"


def test_a_wrong_signature_never_reaches_the_program(world: Any) -> None:
    data = bytearray(check_bytes(world.signer, world.terms().digest()))
    data[60] ^= 1
    outcome = world.send(
        [Instruction(signing.ED25519, bytes(data), []), world.settle_call(world.terms())],
        world.taker,
    )
    assert outcome.refusal is not None
    assert not any(str(world.program) in line for line in outcome.logs)


def test_a_missing_check_is_refused(world: Any) -> None:
    call = world.settle_call(world.terms())
    assert world.refusal([call], world.taker) == "NoSignatureInstruction"


def test_a_check_in_another_place_is_refused(world: Any) -> None:
    check, call = world.settle(world.terms())
    noop = Instruction(
        Pubkey.from_string("ComputeBudget111111111111111111111111111111"),
        b"\x02" + struct.pack("<I", 400_000),
        [],
    )
    assert world.refusal([call, check], world.taker) == "NoSignatureInstruction"
    assert world.refusal([check, noop, call], world.taker) == "NoSignatureInstruction"
    world.done([noop, check, call], world.taker)


def test_one_check_does_not_serve_two_settlements(world: Any) -> None:
    check, call = world.settle(world.terms())
    other = world.settle_call(world.terms(nonce=8))
    assert world.refusal([check, call, other], world.taker) == "NoSignatureInstruction"


def test_a_look_alike_program_with_the_right_bytes_is_refused(world: Any) -> None:
    """Another program, called with exactly the check's bytes, ends well and has checked nothing."""
    check, call = world.settle(world.terms())
    look_alike = Instruction(world.idle, bytes(check.data), [])
    assert world.refusal([look_alike, call], world.taker) == "NoSignatureInstruction"


@pytest.mark.parametrize("spoof", ["clock", "copy"])
def test_another_account_for_the_instructions_is_refused(world: Any, spoof: str) -> None:
    account = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
    if spoof == "copy":
        # The shape of the real one: what stands before says yes.
        body = bytes(signing.check(world.signer, world.terms().digest()).data)
        meta = struct.pack("<H", 0) + bytes(signing.ED25519) + struct.pack("<H", len(body)) + body
        offsets = struct.pack("<HHH", 2, 6, 6 + len(meta))
        account = world.put(
            Pubkey(b"\x42" * 32), offsets + meta + struct.pack("<H", 1), world.multisig
        )
    call = world.settle_call(world.terms(), instructions=account)
    check = signing.check(world.signer, world.terms().digest())
    assert world.refusal([check, call], world.taker) == "WrongAccount"
