"""The auditor's key: it signs exports, and nothing that moves money.

An ed25519 key in PEM (PKCS 8), as ``openssl genpkey -algorithm ed25519 -out FILE`` makes it. Who
gets an export gets the public key by another way, and gives it to the verifier.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from dmm.units.errors import UsageFault

FILE_BYTES_MAX = 4_096


class AuditKey:
    """A private key in memory; it prints as nothing but its public half."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @property
    def public(self) -> bytes:
        """Return the public key, 32 bytes."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes (RFC 8032)."""
        return self._key.sign(message)


def load_audit_key(path: Path) -> AuditKey:
    """Read the auditor's key.

    Raises
    ------
    UsageFault
        If the file is missing, open to other accounts, or holds no unencrypted ed25519 key.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise UsageFault(f"{path} can be read by other accounts: chmod 600 it")
        with path.open("rb") as file:
            key = load_pem_private_key(file.read(FILE_BYTES_MAX), password=None)
    except OSError as error:
        raise UsageFault(f"{path} cannot be read: {error.strerror}") from error
    except (TypeError, ValueError) as error:
        raise UsageFault(f"{path} holds no key in PEM without a password: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageFault(f"{path} holds a key of another kind: an export is signed with ed25519")
    return AuditKey(key)
