"""Keystores of every curve: they give their secret back, to their owner alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dmm.adapters.signers.keystore import Curve, lock, unlock, write_private
from dmm.units.errors import ServiceFault, UsageFault

SECRET = b"\x21" * 31 + b"\x07"
PASSWORD = "correct horse"
WORK = 2
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


def write(
    folder: Path, body: dict[str, Any] | str, *, password: str = PASSWORD
) -> tuple[Path, Path]:
    keystore, secret = folder / "keystore.json", folder / "password"
    keystore.write_text(body if isinstance(body, str) else json.dumps(body), encoding="utf-8")
    secret.write_text(password + "\n", encoding="utf-8")
    for path in (keystore, secret):
        path.chmod(0o600)
    return keystore, secret


def locked(curve: Curve = Curve.SECP256K1) -> dict[str, Any]:
    return lock(SECRET, PASSWORD, curve=curve, work=WORK)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    number=st.integers(1, ORDER - 1),
    password=st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=40),
    curve=st.sampled_from(Curve),
)
def test_a_keystore_gives_its_secret_back(
    tmp_path: Path, number: int, password: str, curve: Curve
) -> None:
    secret = number.to_bytes(32, "big")
    files = write(tmp_path, lock(secret, password, curve=curve, work=WORK), password=password)
    assert unlock(*files, curve=curve) == secret


def test_other_tools_read_ours_and_we_read_theirs(tmp_path: Path) -> None:
    assert bytes(Account.decrypt(locked(), PASSWORD)) == SECRET
    for kdf in ("scrypt", "pbkdf2"):
        theirs = dict(Account.encrypt(SECRET, PASSWORD, kdf=kdf, iterations=4))  # type: ignore[arg-type]
        assert unlock(*write(tmp_path, theirs), curve=Curve.SECP256K1) == SECRET


def test_the_published_vector_of_the_format_opens(tmp_path: Path) -> None:
    # Web3 Secret Storage, "Test Vectors", PBKDF2-SHA-256: password, secret and file as published.
    body = {
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
            "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
            "kdf": "pbkdf2",
            "kdfparams": {
                "c": 262144,
                "dklen": 32,
                "prf": "hmac-sha256",
                "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
            },
            "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
        },
        "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
        "version": 3,
    }
    secret = unlock(*write(tmp_path, body, password="testpassword"), curve=Curve.SECP256K1)
    assert secret.hex() == "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"


def test_a_key_of_another_curve_names_it_and_no_address_of_somebody_else(tmp_path: Path) -> None:
    body = locked(Curve.ED25519)
    assert body["curve"] == "ed25519"
    assert "address" not in body
    with pytest.raises(ServiceFault, match="its curve is not secp256k1"):
        unlock(*write(tmp_path, body), curve=Curve.SECP256K1)
    with pytest.raises(ServiceFault, match="its curve is not ed25519"):
        unlock(*write(tmp_path, locked()), curve=Curve.ED25519)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
@pytest.mark.parametrize("at", [0, 1])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int, at: int) -> None:
    files = write(tmp_path, locked())
    files[at].chmod(mode)
    with pytest.raises(ServiceFault, match="can be read by other accounts: chmod 600"):
        unlock(*files, curve=Curve.SECP256K1)


@pytest.mark.parametrize("at", [0, 1])
def test_a_missing_file_is_named(tmp_path: Path, at: int) -> None:
    files = write(tmp_path, locked())
    files[at].unlink()
    with pytest.raises(ServiceFault, match=f"{files[at].name} is missing"):
        unlock(*files, curve=Curve.SECP256K1)


def test_a_wrong_password_is_refused_and_the_fault_shows_neither(tmp_path: Path) -> None:
    with pytest.raises(ServiceFault, match="cannot be decrypted") as told:
        unlock(*write(tmp_path, locked(), password="12345678"), curve=Curve.SECP256K1)
    for shown in (PASSWORD, "12345678", SECRET.hex()):
        assert shown not in str(told.value)


def spoilt(**change: Any) -> dict[str, Any]:
    body = locked()
    crypto = body["crypto"]
    for name, value in change.items():
        at = crypto if name in crypto else crypto["kdfparams"] if name != "version" else body
        at[name] = value
    return body


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        "x" * 20_000,
        spoilt(version=1),
        spoilt(mac="00" * 32),
        spoilt(ciphertext="00" * 32),
        spoilt(kdf="none"),
        spoilt(n=2**30),
        spoilt(r=2**20),
        spoilt(n="many"),
    ],
    ids=["empty", "list", "object", "long", "version", "mac", "text", "kdf", "n", "r", "words"],
)
def test_a_file_that_is_no_keystore_or_asks_for_too_much_is_refused(
    tmp_path: Path, body: Any
) -> None:
    with pytest.raises(ServiceFault, match="cannot be decrypted"):
        unlock(*write(tmp_path, body), curve=Curve.SECP256K1)


def test_a_secret_that_is_none_is_refused() -> None:
    for secret in (b"", SECRET[:31], SECRET + b"\x01"):
        with pytest.raises(UsageFault, match="32 secret bytes"):
            lock(secret, PASSWORD, curve=Curve.ED25519, work=WORK)
    with pytest.raises(UsageFault, match="draw another"):
        lock(b"\xff" * 32, PASSWORD, curve=Curve.SECP256K1, work=WORK)
    with pytest.raises(UsageFault, match="and a password"):
        lock(SECRET, "", curve=Curve.ED25519, work=WORK)


def test_a_private_file_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "k"
    write_private(path, {"a": 1})
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageFault, match="cannot be written"):
        write_private(path, "other")
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": 1}
