"""Programs under the upgradeable loader: what is deployed, and what deploys it.

A program's bytes are written to a buffer in pieces, each of which may be written again, and go
live from there in one transaction. Layouts (Solana core documentation, loader v3): program u32 2,
address of its data; data u32 3, slot u64, optional authority, bytes at 45; buffer u32 1, optional
authority, bytes at 37.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import (
    CreateAccountParams,
    CreateAccountWithSeedParams,
    create_account,
    create_account_with_seed,
)
from solders.sysvar import CLOCK, RENT

SYSTEM = Pubkey.default()
LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
FIXED_LOADER = Pubkey.from_string("BPFLoader2111111111111111111111111111111111")
"""The loader of programs that nobody can change; their account holds the bytes."""

PROGRAM_BYTES, DATA_HEAD_BYTES, BUFFER_HEAD_BYTES = 36, 45, 37
PIECE_BYTES = 960
"""Bytes of a program in one transaction; with its keys and one signature it has 1,232 at most."""

_BUFFER, _PROGRAM, _DATA = 1, 2, 3
_INIT_BUFFER, _WRITE, _DEPLOY, _UPGRADE, _SET_AUTHORITY, _EXTEND = 0, 1, 2, 3, 4, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A deployed program; `authority` is who may change it, None: nobody can any more."""

    slot: int
    authority: str | None
    code: bytes
    """As long as its account has room: behind a shorter program stand zeros."""

    def holds(self, code: bytes) -> bool:
        """Tell whether it is that program, byte for byte."""
        return self.code[: len(code)] == code and not any(self.code[len(code) :])


def program_of(
    address: Pubkey, *, owner: Pubkey | None, data: bytes, code_owner: Pubkey | None, code: bytes
) -> Program | None:
    """Read a program; None where there is none that can be carried out.

    Parameters
    ----------
    owner, data : of the account at the address
    code_owner, code : of the account at `data_of` the address
    """
    if owner == FIXED_LOADER:
        return Program(slot=0, authority=None, code=data)
    if owner != LOADER or data != struct.pack("<I", _PROGRAM) + bytes(data_of(address)):
        return None
    if code_owner != LOADER or len(code) < DATA_HEAD_BYTES:
        return None
    kind, slot = struct.unpack_from("<IQ", code)
    if kind != _DATA:
        return None
    return Program(slot=slot, authority=_option(code[12:45]), code=code[DATA_HEAD_BYTES:])


def buffer_code(owner: Pubkey | None, data: bytes, *, authority: Pubkey) -> bytes | None:
    """Return what a buffer holds that an authority may write; None when it is none of those."""
    head = struct.pack("<I", _BUFFER) + b"\x01" + bytes(authority)
    return data[BUFFER_HEAD_BYTES:] if owner == LOADER and data.startswith(head) else None


def data_of(program: Pubkey) -> Pubkey:
    """Return where a program's bytes lie."""
    return Pubkey.find_program_address([bytes(program)], LOADER)[0]


def buffer_address(payer: Pubkey, seed: str) -> Pubkey:
    """Return where a payer's buffer of a name lies: no key of its own is made."""
    return Pubkey.create_with_seed(payer, seed, LOADER)


def make_buffer(payer: Pubkey, seed: str, *, lamports: int, size: int) -> list[Instruction]:
    """Return what makes an empty buffer for `size` bytes that the payer may write."""
    buffer = buffer_address(payer, seed)
    made = CreateAccountWithSeedParams(
        from_pubkey=payer,
        to_pubkey=buffer,
        base=payer,
        seed=seed,
        lamports=lamports,
        space=BUFFER_HEAD_BYTES + size,
        owner=LOADER,
    )
    metas = [_writable(buffer), _readonly(payer)]
    return [create_account_with_seed(made), _call(_INIT_BUFFER, b"", metas)]


def write_piece(buffer: Pubkey, *, authority: Pubkey, offset: int, piece: bytes) -> Instruction:
    """Return what writes bytes into a buffer at an offset; again it writes the same."""
    metas = [_writable(buffer), _signer(authority)]
    return _call(_WRITE, struct.pack("<IQ", offset, len(piece)) + piece, metas)


def deploy(
    payer: Pubkey, program: Pubkey, buffer: Pubkey, *, lamports: int, size_max: int
) -> list[Instruction]:
    """Return what makes a program of a buffer; payer, who stays its authority, and program sign.

    Parameters
    ----------
    lamports : what the program's own account must hold
    size_max : the most bytes that it will ever have without being extended
    """
    made = CreateAccountParams(
        from_pubkey=payer,
        to_pubkey=program,
        lamports=lamports,
        space=PROGRAM_BYTES,
        owner=LOADER,
    )
    metas = [
        AccountMeta(payer, is_signer=True, is_writable=True),
        *(_writable(key) for key in (data_of(program), program, buffer)),
        *(_readonly(key) for key in (RENT, CLOCK, SYSTEM)),
        _signer(payer),
    ]
    return [create_account(made), _call(_DEPLOY, struct.pack("<Q", size_max), metas)]


def upgrade(payer: Pubkey, program: Pubkey, buffer: Pubkey) -> Instruction:
    """Return what puts a buffer's bytes in a program's place; its lamports go to the payer."""
    metas = [
        *(_writable(key) for key in (data_of(program), program, buffer, payer)),
        *(_readonly(key) for key in (RENT, CLOCK)),
        _signer(payer),
    ]
    return _call(_UPGRADE, b"", metas)


def extend(payer: Pubkey, program: Pubkey, *, size: int) -> Instruction:
    """Return what gives a program room for `size` more bytes."""
    metas = [
        *(_writable(key) for key in (data_of(program), program)),
        _readonly(SYSTEM),
        AccountMeta(payer, is_signer=True, is_writable=True),
    ]
    return _call(_EXTEND, struct.pack("<I", size), metas)


def set_authority(program: Pubkey, *, present: Pubkey, new: Pubkey | None) -> Instruction:
    """Return what hands a program over; with nobody as the new authority it is fixed for good."""
    metas = [_writable(data_of(program)), _signer(present)]
    return _call(_SET_AUTHORITY, b"", metas + ([] if new is None else [_readonly(new)]))


def _option(data: bytes) -> str | None:
    return str(Pubkey(data[1:33])) if data[0] else None


def _call(number: int, body: bytes, metas: list[AccountMeta]) -> Instruction:
    return Instruction(LOADER, struct.pack("<I", number) + body, metas)


def _writable(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=True)


def _readonly(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=False)


def _signer(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=True, is_writable=False)
