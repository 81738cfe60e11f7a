"""JSON as a Solana node shapes it: accounts, token amounts, transactions."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import based58
from solders.account import Account
from solders.message import Message
from solders.pubkey import Pubkey

from dmm.sandbox.solana.bank import Bank, Record
from dmm.sandbox.solana.failure import INVALID_PARAMS, RpcError

TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
PROGRAM_NAMES = {TOKEN: "spl-token", TOKEN_2022: "spl-token-2022"}
TOKEN_ACCOUNT_BYTES = 165
STATES = ("uninitialized", "initialized", "frozen")
Config = Mapping[str, Any]


def base58(data: bytes) -> str:
    """Return bytes in base 58."""
    return str(based58.b58encode(data).decode())


def account_json(account: Account, config: Config, *, decimals: int | None = None) -> Any:
    """Return an account in the encoding that was asked for.

    Parameters
    ----------
    decimals : of the mint, if this is a token account; without it nothing is parsed
    """
    data = bytes(account.data)
    encoding = config.get("encoding", "base64")
    piece = config.get("dataSlice")
    if piece is not None:
        data = data[piece["offset"] : piece["offset"] + piece["length"]]
    shaped: Any = [base64.b64encode(data).decode(), "base64"]
    if encoding == "base58":
        shaped = [base58(data), "base58"]
    elif encoding == "jsonParsed" and decimals is not None:
        shaped = _parsed_token_account(account, decimals)
    return {
        "lamports": account.lamports,
        "owner": str(account.owner),
        "executable": account.executable,
        "rentEpoch": account.rent_epoch,
        "space": len(account.data),
        "data": shaped,
    }


def is_token_account(account: Account | None) -> bool:
    """Tell whether an account holds tokens of either token program."""
    return (
        account is not None
        and account.owner in PROGRAM_NAMES
        and len(account.data) >= TOKEN_ACCOUNT_BYTES
        and (len(account.data) == TOKEN_ACCOUNT_BYTES or bytes(account.data)[165] == 2)
    )


def mint_of(account: Account) -> Pubkey:
    """Return the mint of a token account."""
    return Pubkey(bytes(account.data)[:32])


def amount_of(account: Account) -> int:
    """Return the atoms in a token account."""
    return int.from_bytes(bytes(account.data)[64:72], "little")


def decimals_of(mint: Account | None) -> int:
    """Return a mint's decimals, 0 when it is not there."""
    return bytes(mint.data)[44] if mint is not None and len(mint.data) > 44 else 0


def amount_json(atoms: int, decimals: int) -> dict[str, Any]:
    """Return an amount of tokens with its decimal forms; exact in all but ``uiAmount``."""
    whole, rest = divmod(atoms, 10**decimals)
    text = f"{whole}.{rest:0{decimals}d}".rstrip("0").rstrip(".") if decimals else str(whole)
    return {
        "amount": str(atoms),
        "decimals": decimals,
        "uiAmount": float(text),
        "uiAmountString": text,
    }


def transaction_json(record: Record, config: Config, bank: Bank) -> dict[str, Any]:
    """Return a transaction and what became of it, in the encoding that was asked for."""
    transaction = record.transaction
    if transaction is None:
        raise RpcError(INVALID_PARAMS, "a gift of the faucet has no transaction")
    legacy = isinstance(transaction.message, Message)
    if not legacy and config.get("maxSupportedTransactionVersion") is None:
        raise RpcError(
            -32015,
            "Transaction version (0) is not supported by the requesting client. Please try the "
            "request again with the following configuration parameter: "
            '"maxSupportedTransactionVersion": 0',
        )
    encoding = config.get("encoding", "json")
    if encoding in ("base64", "base58"):
        raw = bytes(transaction)
        text = base64.b64encode(raw).decode() if encoding == "base64" else base58(raw)
        shaped: Any = [text, encoding]
    else:
        shaped = _message_json(record, parsed=encoding == "jsonParsed")
    return {
        "transaction": shaped,
        "meta": _meta_json(record, bank),
        "version": "legacy" if legacy else 0,
    }


def error_status(error: Any) -> dict[str, Any]:
    """Return an error in the old form that stands beside the new one."""
    return {"Ok": None} if error is None else {"Err": error}


def returned_json(found: tuple[str, bytes] | None) -> Any:
    """Return what a program returned."""
    if found is None:
        return None
    program, data = found
    return {"programId": program, "data": [base64.b64encode(data).decode(), "base64"]}


def inner_json(inner: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Return the calls that programs made, by the instruction they were made in."""
    return [
        {
            "index": index,
            "instructions": [
                _instruction_json(call.instruction(), call.stack_height()) for call in calls
            ],
        }
        for index, calls in enumerate(inner)
        if calls
    ]


def _message_json(record: Record, *, parsed: bool) -> dict[str, Any]:
    assert record.transaction is not None  # noqa: S101 - checked by the only caller
    message = record.transaction.message
    header = message.header
    signatures = [str(signature) for signature in record.transaction.signatures]
    body: dict[str, Any] = {"recentBlockhash": str(message.recent_blockhash)}
    if parsed:
        body["accountKeys"] = [
            {
                "pubkey": str(key),
                "signer": message.is_signer(index) if index < len(message.account_keys) else False,
                "writable": _is_writable(record, index),
                "source": "transaction" if index < len(message.account_keys) else "lookupTable",
            }
            for index, key in enumerate(record.keys)
        ]
        body["instructions"] = [
            {
                "programId": str(record.keys[call.program_id_index]),
                "accounts": [str(record.keys[index]) for index in bytes(call.accounts)],
                "data": base58(bytes(call.data)),
                "stackHeight": None,
            }
            for call in message.instructions
        ]
    else:
        body["header"] = {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        }
        body["accountKeys"] = [str(key) for key in message.account_keys]
        body["instructions"] = [_instruction_json(call, None) for call in message.instructions]
    return {"signatures": signatures, "message": body}


def _is_writable(record: Record, index: int) -> bool:
    assert record.transaction is not None  # noqa: S101 - checked by the only caller
    message = record.transaction.message
    static = len(message.account_keys)
    if index >= static:
        return index < static + record.loaded_writable
    header = message.header
    signers = header.num_required_signatures
    if index < signers:
        return bool(index < signers - header.num_readonly_signed_accounts)
    return bool(index < static - header.num_readonly_unsigned_accounts)


def _instruction_json(call: Any, stack_height: int | None) -> dict[str, Any]:
    return {
        "programIdIndex": call.program_id_index,
        "accounts": list(bytes(call.accounts)),
        "data": base58(bytes(call.data)),
        "stackHeight": stack_height,
    }


def _meta_json(record: Record, bank: Bank) -> dict[str, Any]:
    static = len(record.keys) - record.loaded_writable - record.loaded_readonly
    loaded = [str(key) for key in record.keys[static:]]
    before, after = _lamports(record.before), _lamports(record.after)
    return {
        "err": record.error,
        "status": error_status(record.error),
        # What left and arrived nowhere is what the chain burnt.
        "fee": sum(before) - sum(after),
        "preBalances": before,
        "postBalances": after,
        "preTokenBalances": _token_balances(record, record.before, bank),
        "postTokenBalances": _token_balances(record, record.after, bank),
        "innerInstructions": inner_json(record.inner),
        "logMessages": record.logs,
        "computeUnitsConsumed": record.units,
        "returnData": returned_json(record.return_data),
        "rewards": [],
        "loadedAddresses": {
            "writable": loaded[: record.loaded_writable],
            "readonly": loaded[record.loaded_writable :],
        },
    }


def _lamports(accounts: Sequence[Account | None]) -> list[int]:
    return [account.lamports if account is not None else 0 for account in accounts]


def _token_balances(
    record: Record, accounts: Sequence[Account | None], bank: Bank
) -> list[dict[str, Any]]:
    found = []
    for index, account in enumerate(accounts):
        if account is None or not is_token_account(account):
            continue
        mint = mint_of(account)
        decimals = decimals_of(bank.account(mint, slot=record.slot))
        found.append(
            {
                "accountIndex": index,
                "mint": str(mint),
                "owner": str(Pubkey(bytes(account.data)[32:64])),
                "programId": str(account.owner),
                "uiTokenAmount": amount_json(amount_of(account), decimals),
            }
        )
    return found


def _parsed_token_account(account: Account, decimals: int) -> dict[str, Any]:
    data = bytes(account.data)
    info: dict[str, Any] = {
        "mint": str(Pubkey(data[:32])),
        "owner": str(Pubkey(data[32:64])),
        "tokenAmount": amount_json(amount_of(account), decimals),
        "state": STATES[data[108]],
        "isNative": data[109:113] != bytes(4),
    }
    if data[72:76] != bytes(4):
        info["delegate"] = str(Pubkey(data[76:108]))
        delegated = int.from_bytes(data[121:129], "little")
        info["delegatedAmount"] = amount_json(delegated, decimals)
    return {
        "program": PROGRAM_NAMES[account.owner],
        "parsed": {"info": info, "type": "account"},
        "space": len(data),
    }
