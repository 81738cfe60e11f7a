"""EIP-712 "Ether Mail", as published with the standard: hashes, digest and signature."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from dmm.adapters.evm.eip712 import Struct, digest, domain_separator, struct_of, type_hash
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


# -- 0x v4 RfqOrder: somebody else's order, signed and hashed as its authors published ------------

OX = TRUTH.with_name("ox_rfq_order.json")


@pytest.fixture(scope="module")
def rfq() -> dict[str, Any]:
    if not OX.is_file() and not os.environ.get("CI"):
        pytest.skip(f"{OX} is missing")
    data: dict[str, Any] = json.loads(OX.read_text(encoding="utf-8"))["data"]
    return data


def rfq_struct(rfq: dict[str, Any]) -> Struct:
    inside = rfq["type"].partition("(")[2].removesuffix(")")
    members = dict(reversed(field.split(" ")) for field in inside.split(","))
    struct = struct_of("RfqOrder", members)
    assert struct.type_string == rfq["type"]
    return struct


def rfq_values(rfq: dict[str, Any], **change: str) -> list[object]:
    kinds = rfq_struct(rfq).members
    values = [change.get(name, value) for name, value in rfq["order"].items()]
    return [
        int(value)
        if kind.startswith("uint")
        else bytes.fromhex(value[2:])
        if kind == "bytes32"
        else value
        for kind, value in zip(kinds, values, strict=True)
    ]


def rfq_domain(rfq: dict[str, Any], vector: dict[str, Any]) -> bytes:
    return domain_separator(
        name=rfq["domain"]["name"],
        version=rfq["domain"]["version"],
        chain_id=vector["chainId"],
        contract=vector["verifyingContract"],
    )


def test_an_order_of_0x_hashes_as_published(rfq: dict[str, Any]) -> None:
    struct = rfq_struct(rfq)
    assert "0x" + type_hash(struct.type_string).hex() == rfq["typehash"]
    struct_hash = struct.hash(rfq_values(rfq))
    assert "0x" + struct_hash.hex() == rfq["struct_hash"]
    signed = digest(domain=rfq_domain(rfq, rfq["domain"]), struct_hash=struct_hash)
    assert "0x" + signed.hex() == rfq["digest"]


def test_domains_and_digests_of_0x_are_as_published(rfq: dict[str, Any]) -> None:
    for vector in rfq["domain_vectors"]:
        assert "0x" + rfq_domain(rfq, vector).hex() == vector["separator"]
    for vector in rfq["digest_from_struct_hash"]:
        struct_hash = bytes.fromhex(vector["struct_hash"][2:])
        signed = digest(domain=rfq_domain(rfq, vector), struct_hash=struct_hash)
        assert "0x" + signed.hex() == vector["digest"]


def test_an_order_of_0x_is_signed_as_published(rfq: dict[str, Any]) -> None:
    key = Key(bytes.fromhex(rfq["test_private_key"][2:]))
    struct_hash = rfq_struct(rfq).hash(rfq_values(rfq, maker=key.address))
    signed = digest(domain=rfq_domain(rfq, rfq["domain"]), struct_hash=struct_hash)
    wanted = rfq["eip712_signature"]
    signature = key.sign_digest(signed)
    assert "0x" + signature[:32].hex() == wanted["r"]
    assert "0x" + signature[32:64].hex() == wanted["s"]
    assert signature[64] == wanted["v"]
