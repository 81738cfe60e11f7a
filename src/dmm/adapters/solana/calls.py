"""Pure translation of intents into instructions, and of program state into "was it paid"."""

from __future__ import annotations

import struct
from typing import assert_never

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.sysvar import INSTRUCTIONS

from dmm.adapters.solana import terms as signed
from dmm.adapters.solana.abi import program_abi
from dmm.adapters.solana.codec import (
    AMOUNT_MAX,
    ATA,
    COMPUTE_BUDGET,
    NONCE_MAX,
    SIGNATURE_BYTES,
    SYSTEM,
    TOKEN,
    Book,
    accepted_digest,
    account,
    recipient_account,
    terms_of,
    token_account,
)
from dmm.adapters.solana.terms import Terms
from dmm.rfq.carried import (
    accepted_quote,
    purchase_of,
    require_no_inputs,
    require_same,
    signature_in,
)
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.errors import Permanent, UsageFault

CONTRACT_OF = {
    IntentKind.REWARD: "treasury",
    IntentKind.BUYBACK: "treasury",
    IntentKind.QUOTE: "settlement",
    IntentKind.NET: "settlement",
    IntentKind.STATEMENT: "settlement",
}
"""The deployment each kind of intent calls."""

NONCES_PER_PAGE = 256


def instructions_of(intent: Intent, book: Book, *, payer: Pubkey) -> list[Instruction]:
    """Return the instructions that pay an intent; the same intent always gives the same bytes.

    Parameters
    ----------
    payer : who signs and pays the fee: the treasury's operator, a quote's relayer

    Raises
    ------
    Permanent
        If the intent names another contract, or its inputs are not what its kind needs.
    """
    if intent.contract != CONTRACT_OF[intent.kind]:
        raise Permanent(f"a {intent.kind} intent calls no contract {intent.contract!r}")
    if not 0 <= intent.deadline_s <= AMOUNT_MAX:
        raise Permanent(f"deadline {intent.deadline_s} does not fit 64 bits")
    try:
        match intent.kind:
            case IntentKind.REWARD:
                return _pay(intent, book, payer)
            case IntentKind.BUYBACK:
                return _buyback(intent, book, payer)
            case IntentKind.QUOTE:
                return _settle(intent, book)
            case IntentKind.NET | IntentKind.STATEMENT:
                # The slot rules offer no nets: three signed quotes fill a transaction here.
                raise Permanent(f"a {intent.kind} intent is not settled on Solana: one by one only")
            case never:
                assert_never(never)
    except UsageFault as fault:
        raise Permanent(f"a {intent.kind} intent cannot be encoded: {fault}") from fault


def budget(*, units_max: int, unit_price: int) -> list[Instruction]:
    """Return the instructions that bound a transaction's work and price it.

    Parameters
    ----------
    units_max : compute units
    unit_price : millionths of a lamport per unit
    """
    return [
        Instruction(COMPUTE_BUDGET, struct.pack("<BI", 2, units_max), []),
        Instruction(COMPUTE_BUDGET, struct.pack("<BQ", 3, unit_price), []),
    ]


def open_account(payer: Pubkey, owner: Pubkey, mint: Pubkey) -> Instruction:
    """Return the instruction that makes an owner's token account where there is none yet."""
    metas = [
        AccountMeta(payer, is_signer=True, is_writable=True),
        AccountMeta(token_account(owner, mint), is_signer=False, is_writable=True),
        *(AccountMeta(key, is_signer=False, is_writable=False) for key in (owner, mint)),
        *(AccountMeta(key, is_signer=False, is_writable=False) for key in (SYSTEM, TOKEN)),
    ]
    return Instruction(ATA, b"\x01", metas)


def key_account(intent: Intent, book: Book) -> Pubkey:
    """Return the account that tells whether an intent's replay key is used; see `key_is_used`."""
    if intent.kind in (IntentKind.REWARD, IntentKind.BUYBACK):
        return signed.key_address(book.program, book.key("treasury"), bytes(intent.intent_id))
    if not 0 <= intent.ordinal <= NONCE_MAX:
        raise Permanent(f"nonce {intent.ordinal} does not fit 64 bits")
    maker = account(intent.scope, what="the quote intent's scope")
    return signed.page_address(book.program, maker, intent.ordinal // NONCES_PER_PAGE)


def key_is_used(intent: Intent, owner: Pubkey | None, data: bytes, book: Book) -> bool:
    """Tell from that account whether the intent was paid; a cancelled nonce never was.

    Parameters
    ----------
    owner : the program that owns the account, None when it does not exist. Lamports that anybody
        may send ahead make an account that is not the program's, and no key used

    Raises
    ------
    UsageFault
        If the program's account is of another kind.
    """
    if owner != book.program:
        return False
    if intent.kind in (IntentKind.REWARD, IntentKind.BUYBACK):
        return bool(program_abi().account("UsedKey", data)["key"] == bytes(intent.intent_id))
    page = program_abi().account("NoncePage", data)
    byte, bit = divmod(intent.ordinal % NONCES_PER_PAGE, 8)
    return bool((page["used"][byte] & ~page["cancelled"][byte]) >> bit & 1)


def _pay(intent: Intent, book: Book, payer: Pubkey) -> list[Instruction]:
    require_no_inputs(intent)
    mint, treasury = book.token(intent.asset), book.key("treasury")
    to = account(intent.recipient, what="the reward's recipient")
    accounts = {
        "operator": payer,
        "treasury": treasury,
        "cap": signed.cap_address(book.program, treasury, mint),
        "used_key": key_account(intent, book),
        "vault": token_account(treasury, mint),
        "recipient": to,
        "destination": token_account(to, mint),
        "mint": mint,
        "token_program": TOKEN,
        "system_program": SYSTEM,
    }
    call = program_abi().instruction(
        book.program,
        "pay",
        accounts,
        key=bytes(intent.intent_id),
        amount=intent.amount,
        deadline=intent.deadline_s,
    )
    # A provider that never held the token, or closed its account, is paid all the same.
    return [open_account(payer, to, mint), call]


def _buyback(intent: Intent, book: Book, payer: Pubkey) -> list[Instruction]:
    purchase, treasury = purchase_of(intent), book.key("treasury")
    require_same("taker", purchase.quote.taker, str(treasury))
    terms = terms_of(purchase.quote, book)
    accounts = _exchange(terms, recipient=token_account(treasury, terms.maker_mint)) | {
        "operator": payer,
        "treasury": treasury,
        "paid_cap": signed.cap_address(book.program, treasury, terms.taker_mint),
        "bought_cap": signed.cap_address(book.program, treasury, terms.maker_mint),
        "used_key": key_account(intent, book),
        "system_program": SYSTEM,
    }
    call = program_abi().instruction(
        book.program,
        "buyback",
        accounts,
        key=bytes(intent.intent_id),
        terms=terms.numbers(),
        deadline=intent.deadline_s,
        output_min=purchase.min_out,
        burn=purchase.burn,
    )
    signature = signature_in(intent.inputs, "maker_signature", length=SIGNATURE_BYTES)
    return [signed.check_of(bytes(terms.signer), signature, terms.digest()), call]


def _settle(intent: Intent, book: Book) -> list[Instruction]:
    quote, acceptance = accepted_quote(intent)
    terms, accepted = terms_of(quote, book), accepted_digest(acceptance, quote, book)
    mover, bump = signed.mover_address(book.program)
    accounts = _exchange(terms, recipient=recipient_account(acceptance, terms)) | {
        "taker": terms.taker,
        "mover": mover,
    }
    call = program_abi().instruction(
        book.program,
        "settle_accepted",
        accounts,
        terms=terms.numbers(),
        amount=acceptance.amount,
        mover_bump=bump,
    )
    by_taker = signature_in(intent.inputs, "taker_signature", length=SIGNATURE_BYTES)
    by_maker = signature_in(intent.inputs, "maker_signature", length=SIGNATURE_BYTES)
    return [
        signed.check_of(bytes(terms.taker), by_taker, accepted),
        signed.check_of(bytes(terms.signer), by_maker, terms.digest()),
        call,
    ]


def _exchange(terms: Terms, *, recipient: Pubkey) -> dict[str, Pubkey]:
    """Return the accounts that every way of settling a quote names alike."""
    return {
        "maker": terms.maker,
        "page": signed.page_address(terms.program, terms.maker, terms.nonce // NONCES_PER_PAGE),
        "taker_source": token_account(terms.taker, terms.taker_mint),
        "maker_destination": token_account(terms.maker, terms.taker_mint),
        "maker_source": token_account(terms.maker, terms.maker_mint),
        "recipient": recipient,
        "fee_account": terms.fee_account,
        "taker_mint": terms.taker_mint,
        "maker_mint": terms.maker_mint,
        "taker_token_program": TOKEN,
        "maker_token_program": TOKEN,
        "instructions": INSTRUCTIONS,
    }
