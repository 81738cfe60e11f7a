"""What is committed is what the sources say, and the codec speaks what the contracts understand."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from dmm.adapters.evm import batches, calls, codec
from dmm.adapters.evm.artefacts import load, signature_of
from dmm.adapters.evm.logs import TRANSFER_TOPIC
from dmm.governance.policy import POLICY_BYTES_MAX
from dmm.sandbox.evm.install import ensure_npm, node_program
from dmm.settlement.lifecycle import RETENTION_S

ROOT = Path(__file__).resolve().parents[2]
EVM = ROOT / "contracts" / "evm"
BUILD = EVM / "build"
INTERFACE = tomllib.loads((ROOT / "contracts" / "interface.toml").read_text(encoding="utf-8"))
CONTRACTS = {
    "settlement": "Settlement",
    "treasury": "Treasury",
    "distributor": "Distributor",
    "governor": "GovernorLog",
}


def source_hash() -> str:
    files = [
        *(path for folder in ("src", "testing") for path in (EVM / folder).rglob("*.sol")),
        EVM / "compile.cjs",
        EVM / "package-lock.json",
    ]
    names = sorted(path.relative_to(EVM).as_posix() for path in files)
    lines = [f"{hashlib.sha256((EVM / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.mark.parametrize("path", sorted(BUILD.glob("*.json")), ids=lambda path: path.stem)
def test_an_artefact_names_the_sources_it_was_made_from(path: Path) -> None:
    artefact = json.loads(path.read_text(encoding="utf-8"))
    assert artefact["contract"] == path.stem
    assert artefact["source_sha256"] == source_hash(), "run contracts/evm/compile.cjs"


def test_every_contract_has_an_artefact() -> None:
    sources = [*(EVM / "src").glob("*.sol"), *(EVM / "testing").glob("*.sol")]
    assert {path.stem for path in sources} == {path.stem for path in BUILD.glob("*.json")}


def test_the_sources_compile_to_the_committed_bytes() -> None:
    ensure_npm(ROOT, cache_dir=ROOT / ".dmm" / "npm-cache")
    done = subprocess.run(
        [str(node_program()), str(EVM / "compile.cjs"), "--check"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("component", sorted(CONTRACTS))
def test_the_abi_has_the_operations_of_the_interface(component: str) -> None:
    abi = load(BUILD, CONTRACTS[component]).abi
    writing = {
        entry["name"]: [item["name"].rstrip("_") for item in entry["inputs"]]
        for entry in abi
        if entry["type"] == "function" and entry["stateMutability"] == "nonpayable"
    }
    assert writing == INTERFACE["operations"][component]


def test_no_contract_takes_the_chain_s_own_coin() -> None:
    for contract in CONTRACTS.values():
        for entry in load(BUILD, contract).abi:
            assert entry.get("stateMutability") != "payable"
            assert entry["type"] not in ("receive", "fallback")


def test_the_abis_have_the_errors_of_the_interface_and_no_others() -> None:
    found = {
        entry["name"]
        for contract in CONTRACTS.values()
        for entry in load(BUILD, contract).abi
        if entry["type"] == "error"
    }
    assert found == set(INTERFACE["errors"]) | set(INTERFACE["errors_inherited"])
    numbers = [*INTERFACE["errors"].values(), *INTERFACE["errors_inherited"].values()]
    assert len(numbers) == len(set(numbers))


def test_the_abis_have_the_events_of_the_interface() -> None:
    found = {
        entry["name"]: [item["name"] for item in entry["inputs"]]
        for contract in CONTRACTS.values()
        for entry in load(BUILD, contract).abi
        if entry["type"] == "event"
    }
    for name, fields in INTERFACE["events"].items():
        assert found[name] == fields


def test_the_codec_s_signed_fields_are_those_of_the_interface() -> None:
    assert list(codec.QUOTE_MEMBERS) == INTERFACE["signed"]["quote"]
    assert list(codec.ACCEPTANCE_MEMBERS) == INTERFACE["signed"]["acceptance"]
    assert list(batches.STATEMENT_MEMBERS) == INTERFACE["signed"]["statement"]
    assert list(batches.LEG_MEMBERS) == INTERFACE["signed"]["leg"]
    assert list(batches.WORD_MEMBERS) == INTERFACE["signed"]["nonce_word"]
    assert len(batches.CLAIM_LEAF) == len(INTERFACE["signed"]["claim"])


def test_the_codec_s_signatures_are_those_of_the_abi() -> None:
    known = {
        signature_of(entry)
        for contract in (*CONTRACTS.values(), "TestToken")
        for entry in load(BUILD, contract).abi
        if entry["type"] == "function"
    }
    for signature in (
        calls.PAY,
        calls.BUYBACK,
        calls.FILL,
        calls.SETTLED,
        calls.USED_NONCES,
        calls.CANCELLED_NONCES,
        codec.BALANCE_OF,
        codec.SEQUENCE,
        codec.BLOCK_OF,
        batches.NET,
        batches.SETTLE_STATEMENT,
        batches.CLAIM,
    ):
        assert signature in known
    assert load(BUILD, "TestToken").event("Transfer")[0] == TRANSFER_TOPIC


def test_the_desk_and_the_interface_share_their_limits() -> None:
    assert INTERFACE["limits"]["retention_s"] == RETENTION_S
    assert INTERFACE["limits"]["order_body_bytes_max"] == POLICY_BYTES_MAX
    assert INTERFACE["limits"]["net_quotes_max"] == batches.QUOTES_MAX
    assert INTERFACE["limits"]["statement_legs_max"] == batches.LEGS_MAX
    assert INTERFACE["limits"]["statement_words_max"] == batches.WORDS_MAX


def test_every_test_that_the_audit_notes_name_exists() -> None:
    """A name that ends in … stands for all tests that begin so."""
    notes = (ROOT / "contracts" / "AUDIT.md").read_text(encoding="utf-8")
    written = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")
    )
    named = re.findall(r"`(test_[a-z0-9_]+)(…?)`", notes)
    assert len(named) > 40
    for name, rest in named:
        assert f"def {name}{'' if rest else '('}" in written, name
