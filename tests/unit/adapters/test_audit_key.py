"""The auditor's key: read from PEM, refused by name, and its signatures are ed25519."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from dmm.adapters.audit_key import load_audit_key
from dmm.units.errors import UsageFault


def write(
    path: Path,
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey,
    encryption: KeySerializationEncryption | None = None,
) -> Path:
    form = (Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    path.write_bytes(key.private_bytes(*form))
    path.chmod(0o600)
    return path


def test_a_key_signs_what_its_public_half_verifies(tmp_path: Path) -> None:
    key = load_audit_key(write(tmp_path / "key.pem", ed25519.Ed25519PrivateKey.generate()))
    public = ed25519.Ed25519PublicKey.from_public_bytes(key.public)
    public.verify(key.sign(b"digest"), b"digest")
    with pytest.raises(InvalidSignature):
        public.verify(key.sign(b"digest"), b"another")
    assert "object" in repr(key)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "key.pem", ed25519.Ed25519PrivateKey.generate())
    path.chmod(0o640)
    with pytest.raises(UsageFault, match="chmod 600"):
        load_audit_key(path)


def test_a_file_that_holds_no_such_key_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="cannot be read"):
        load_audit_key(tmp_path / "none")
    other = write(tmp_path / "other", ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(UsageFault, match="another kind"):
        load_audit_key(other)
    locked = write(
        tmp_path / "locked", ed25519.Ed25519PrivateKey.generate(), BestAvailableEncryption(b"x")
    )
    with pytest.raises(UsageFault, match="without a password"):
        load_audit_key(locked)
    (tmp_path / "text").write_text("no key")
    (tmp_path / "text").chmod(0o600)
    with pytest.raises(UsageFault, match="no key in PEM"):
        load_audit_key(tmp_path / "text")
