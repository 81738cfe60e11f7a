"""One settlement as exact bytes, and the runtime settles those very bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from dmm.adapters.solana import terms as signing
from dmm.adapters.solana.abi import program_abi
from dmm.adapters.solana.terms import Terms

VECTOR = json.loads(
    (Path(__file__).resolve().parents[3] / "contracts" / "vectors" / "solana.json").read_text(
        encoding="utf-8"
    )
)
KEYS = ("program", "maker", "signer", "taker", "maker_mint", "taker_mint", "fee_account")
HASHES = ("network", "quote_id")


def terms() -> Terms:
    """Return the vector's quote."""
    fields: dict[str, Any] = dict(VECTOR["quote"])
    for name in KEYS:
        fields[name] = Pubkey.from_string(fields[name])
    for name in HASHES:
        fields[name] = bytes.fromhex(fields[name])
    return Terms(**fields)


def accepted() -> tuple[int, Pubkey]:
    taken = VECTOR["acceptance"]
    return taken["amount"], Pubkey.from_string(taken["recipient_account"])


def test_both_digests_are_the_vector_s() -> None:
    quote = terms()
    amount, recipient = accepted()
    assert quote.digest().hex() == VECTOR["quote_digest"]
    digest = signing.acceptance_digest(quote, amount=amount, recipient=recipient)
    assert digest.hex() == VECTOR["acceptance_digest"]


def test_the_instructions_are_the_vector_s(world: Any) -> None:
    built = instructions(world)
    assert [bytes(call.data).hex() for call in built] == VECTOR["instruction_data"]
    assert [str(meta.pubkey) for meta in built[-1].accounts] == VECTOR["accounts"]


def test_the_runtime_settles_the_vector_s_own_bytes(world: Any) -> None:
    quote = terms()
    mover, _ = signing.mover_address(quote.program)
    world.hold(quote.taker, quote.taker_mint, 10**15, delegate=mover)
    first, second, last = (bytes.fromhex(text) for text in VECTOR["instruction_data"])
    names = program_abi().account_names("settle_accepted")
    writable = dict(zip(names, instructions(world)[-1].accounts, strict=True))
    metas = [
        AccountMeta(Pubkey.from_string(text), is_signer=False, is_writable=meta.is_writable)
        for text, meta in zip(VECTOR["accounts"], writable.values(), strict=True)
    ]
    calls = [
        Instruction(signing.ED25519, first, []),
        Instruction(signing.ED25519, second, []),
        Instruction(quote.program, last, metas),
    ]
    outcome = world.done(calls, world.stranger)
    assert outcome.event.fields == {
        "quote_id": quote.quote_id,
        "maker": quote.maker,
        "nonce": quote.nonce,
        "amount": quote.taker_amount,
        "output": VECTOR["output"],
        "fee": VECTOR["fee"],
    }


def instructions(world: Any) -> list[Instruction]:
    """Build the vector's instructions: acceptance, quote, settlement."""
    quote, (amount, recipient) = terms(), accepted()
    mover, bump = signing.mover_address(quote.program)
    accounts = world.exchange_accounts(quote) | {"mover": mover, "recipient": recipient}
    call = world.call(
        "settle_accepted", accounts, terms=quote.numbers(), amount=amount, mover_bump=bump
    )
    signatures = [bytes.fromhex(VECTOR[name]) for name in ("taker_signature", "maker_signature")]
    digests = [bytes.fromhex(VECTOR[name]) for name in ("acceptance_digest", "quote_digest")]
    keys = (quote.taker, quote.signer)
    checks = [
        signing.check_of(bytes(key), signature, digest)
        for key, signature, digest in zip(keys, signatures, digests, strict=True)
    ]
    return [*checks, call]
