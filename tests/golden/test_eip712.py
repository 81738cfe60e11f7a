"""EIP-712 "Ether Mail", as published with the standard: hashes, digest and signature."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from dmm.adapters.evm.eip712 import Struct, digest, domain_separator
from dmm.adapters.evm.sign import Key
from dmm.adapters.evm.verify import recover

TRUTH = Path(__file__).resolve().parents[2].parent / "shared" / "truth" / "eip712_mail.json"


@pytest.fixture(scope="module")
def mail() -> dict[str, Any]:
    if not TRUTH.is_file() and not os.environ.get("CI"):
        pytest.skip(f"{TRUTH} is missing")
    data: dict[str, Any] = json.loads(TRUTH.read_text(encoding="utf-8"))["data"]
    return data


def person(mail: dict[str, Any], who: str) -> bytes:
    value = mail["message"][who]
    struct = Struct(mail["types"]["Person"], ("bytes32", "address"))
    return struct.hash((keccak(text=value["name"]), value["wallet"]))


def mail_values(mail: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
    return person(mail, "from"), person(mail, "to"), keccak(text=mail["message"]["contents"])


def mail_struct(mail: dict[str, Any]) -> Struct:
    return Struct(mail["types"]["Mail"], ("bytes32", "bytes32", "bytes32"))


def test_the_struct_hashes_as_published(mail: dict[str, Any]) -> None:
    struct, values = mail_struct(mail), mail_values(mail)
    assert "0x" + struct.encode(values).hex() == mail["encoded_data"]
    assert "0x" + struct.hash(values).hex() == mail["struct_hash"]


def test_the_domain_and_digest_are_as_published(mail: dict[str, Any]) -> None:
    plain = mail["plain"]
    given = plain["domain"]
    domain = domain_separator(
        name=given["name"],
        version=given["version"],
        chain_id=given["chainId"],
        contract=given["verifyingContract"],
    )
    assert "0x" + domain.hex() == plain["domain_separator"]
    signed = digest(domain=domain, struct_hash=mail_struct(mail).hash(mail_values(mail)))
    assert "0x" + signed.hex() == plain["digest"]


@pytest.mark.parametrize("variant", ["plain", "http_origin"])
def test_the_signature_is_as_published(mail: dict[str, Any], variant: str) -> None:
    vector = mail[variant]
    key, signed = Key(keccak(text="cow")), bytes.fromhex(vector["digest"][2:])
    signature = key.sign_digest(signed)
    assert key.address.lower() == mail["address"]
    assert "0x" + signature[:32].hex() == vector["r"]
    assert "0x" + signature[32:64].hex() == vector["s"]
    assert signature[64] == vector["v"]
    assert recover(signed, signature) == key.address
