"""Durable nonces as the cluster keeps them: what LiteSVM leaves out of a transaction with one.

The runtime alone carries out `AdvanceNonceAccount` from the transaction's own words and takes it
back when a later instruction fails. On the cluster the value comes from the chain's newest
blockhash, so that a fork has others, and it moves on also under a transaction that failed: or else
its bytes could land again.
"""

from __future__ import annotations

import hashlib

from solders.account import Account
from solders.hash import Hash
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

SYSTEM = Pubkey.default()
VALUE_AT, VALUE_END = 40, 72
"""Where a nonce account holds its value: behind version, state and authority."""
AUTHORITY_AT = 8
NONCE_BYTES = 80
CURRENT, INITIALIZED = 1, 1
_TAG = b"DURABLE_NONCE"


def value_after(blockhash: Hash) -> bytes:
    """Return the value that nonces advance to in the block on top of a blockhash."""
    return hashlib.sha256(_TAG + bytes(blockhash)).digest()


def named_by(transaction: VersionedTransaction) -> Pubkey | None:
    """Return the nonce account that a transaction advances by its first instruction, if any."""
    if not transaction.uses_durable_nonce():
        return None
    message = transaction.message
    return message.account_keys[bytes(message.instructions[0].accounts)[0]]


def counts(transaction: VersionedTransaction, account: Account | None, *, newest: Hash) -> bool:
    """Tell whether a transaction's durable nonce stands in for a blockhash.

    Parameters
    ----------
    account : the nonce account as it is now
    newest : the blockhash that values advance to now; a value advances once a block
    """
    if account is None or not _is_nonce(account):
        return False
    data, message = bytes(account.data), transaction.message
    value = data[VALUE_AT:VALUE_END]
    signers = message.account_keys[: message.header.num_required_signatures]
    places = bytes(message.instructions[0].accounts)
    ours = [message.account_keys[place] for place in places if place < len(message.account_keys)]
    authority = Pubkey(data[AUTHORITY_AT : AUTHORITY_AT + 32])
    return (
        value == bytes(message.recent_blockhash)
        and value != value_after(newest)
        and authority in ours
        and authority in signers
    )


def move_on(svm: LiteSVM, transaction: VersionedTransaction, *, failed: bool, newest: Hash) -> None:
    """Give the nonce that a landed transaction advances the value it has on the cluster.

    Under a transaction that failed it moves only where its value stood in for a blockhash.
    """
    nonce = named_by(transaction)
    account = None if nonce is None else svm.get_account(nonce)
    if nonce is None or account is None or not _is_nonce(account):
        return
    if failed and not counts(transaction, account, newest=newest):
        return
    data = bytes(account.data)
    moved = data[:VALUE_AT] + value_after(newest) + data[VALUE_END:]
    svm.set_account(
        nonce, Account(account.lamports, moved, account.owner, executable=account.executable)
    )


def _is_nonce(account: Account) -> bool:
    data = bytes(account.data)
    states = [int.from_bytes(data[at : at + 4], "little") for at in (0, 4)]
    is_whole = len(data) == NONCE_BYTES and account.owner == SYSTEM
    return is_whole and states == [CURRENT, INITIALIZED]
