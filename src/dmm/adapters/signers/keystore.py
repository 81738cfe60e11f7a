"""Secrets at rest: 32 bytes in an encrypted file, for every curve the desk signs with.

The envelope is version 3 of Ethereum's keystore (scrypt, AES-128-CTR, a Keccak check), which other
tools read and write. A file of another curve carries a field ``curve`` and no address; without the
field the curve is secp256k1, as everywhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from eth_keyfile.keyfile import create_keyfile_json, decode_keyfile_json

from dmm.units.errors import ServiceFault, UsageFault

SECRET_BYTES = 32

CEREMONY_WORK = 2**18
"""scrypt's N for a password that a person may have chosen; takes 256 MiB and about a second."""

DEMO_WORK = 2**12
"""scrypt's N where the password is 32 random bytes: nothing is gained by more."""

WORK_MAX = 2**20
BLOCK_MAX = 16
"""Bounds of scrypt's N and r in a file that is read: 2 GiB, past which it was not ours."""

ITERATIONS_MAX = 10**7
FILE_BYTES_MAX = 16_384


class Curve(StrEnum):
    """What a secret is a secret of."""

    SECP256K1 = "secp256k1"
    ED25519 = "ed25519"


def lock(
    secret: bytes, password: str, *, curve: Curve, work: int = CEREMONY_WORK
) -> dict[str, object]:
    """Return a secret as the body of a keystore file.

    Parameters
    ----------
    secret : 32 bytes: a scalar of secp256k1, or the seed of an ed25519 key
    password : at least one character
    work : scrypt's N, a power of two

    Raises
    ------
    UsageFault
        If the secret has another length or is no scalar, or the password is empty.
    """
    if len(secret) != SECRET_BYTES or not password:
        raise UsageFault(f"a keystore takes {SECRET_BYTES} secret bytes and a password")
    try:
        body = dict(create_keyfile_json(secret, password.encode(), kdf="scrypt", iterations=work))
    except ValueError as error:
        raise UsageFault("the secret is outside the curve's range: draw another") from error
    if curve is not Curve.SECP256K1:
        # The library derives an address of secp256k1; for another curve it would be nobody's.
        del body["address"]
        body["curve"] = curve.value
    return body


def unlock(keystore: Path, password_file: Path, *, curve: Curve) -> bytes:
    """Return the secret of a keystore.

    Raises
    ------
    ServiceFault
        If a file is missing or open to other accounts, the password does not fit, or the file is
        of another curve or asks for more work than its bounds.
    """
    for path in (keystore, password_file):
        require_private(path)
    try:
        body = json.loads(_read(keystore))
        _check(body, curve)
        secret = bytes(decode_keyfile_json(body, _read(password_file).strip().encode()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ServiceFault(f"{keystore} cannot be decrypted: {error}") from error
    if len(secret) != SECRET_BYTES:
        raise ServiceFault(f"{keystore} holds {len(secret)} bytes, not {SECRET_BYTES}")
    return secret


def require_private(path: Path) -> None:
    """Refuse a file that is missing or that other accounts may touch; `ServiceFault`."""
    if not path.is_file():
        raise ServiceFault(f"{path} is missing: the signer cannot start without it")
    if path.stat().st_mode & 0o077:
        raise ServiceFault(f"{path} can be read by other accounts: chmod 600 it")


def write_private(path: Path, content: Mapping[str, object] | str) -> None:
    """Write a new file of mode 0600; an existing one is never overwritten.

    Raises
    ------
    UsageFault
        If the file exists or its folder cannot be written.
    """
    text = content if isinstance(content, str) else json.dumps(dict(content), indent=2) + "\n"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageFault(f"{path} cannot be written: {error.strerror}") from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        text = file.read(FILE_BYTES_MAX + 1)
    if len(text) > FILE_BYTES_MAX:
        raise ValueError(f"longer than {FILE_BYTES_MAX} characters")
    return text


def _check(body: dict[str, Any], curve: Curve) -> None:
    if body["version"] != 3:
        raise ValueError(f"version {body['version']!r} is not 3")
    if body.get("curve", Curve.SECP256K1.value) != curve.value:
        raise ValueError(f"its curve is not {curve.value}")
    crypto = body.get("crypto") or body["Crypto"]
    work = crypto["kdfparams"]
    if crypto["kdf"] == "scrypt":
        allowed = 1 < work["n"] <= WORK_MAX and 0 < work["r"] <= BLOCK_MAX and 0 < work["p"] <= 16
    else:
        allowed = 0 < work["c"] <= ITERATIONS_MAX
    if not allowed:
        raise ValueError(f"its key derivation is out of bounds: {crypto['kdf']}")
