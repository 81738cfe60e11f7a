"""What is committed is what the sources say, and all who speak of the interface say the same."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from anchorpy import EventParser, Idl
from anchorpy.coder.accounts import AccountsCoder
from anchorpy.coder.coder import Coder
from anchorpy.error import ProgramError

from dmm.adapters.solana.abi import discriminator

ROOT = Path(__file__).resolve().parents[3]
SOLANA = ROOT / "contracts" / "solana"
IDL = json.loads((SOLANA / "idl.json").read_text(encoding="utf-8"))
INTERFACE = tomllib.loads((ROOT / "contracts" / "interface.toml").read_text(encoding="utf-8"))
NOTES = INTERFACE["solana"]
REFUSALS = {
    name: int(number)
    for name, number in re.findall(
        r"^    (\w+) = (\d+),$", (SOLANA / "src/error.rs").read_text(encoding="utf-8"), re.MULTILINE
    )
}
NAMED = re.findall(
    r'^    \w+ = b"(\w+):(\w+)",$',
    (SOLANA / "src/abi.rs").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def named(kind: str) -> set[str]:
    return {name for found, name in NAMED if found == kind}


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def sums() -> dict[str, str]:
    lines = (SOLANA / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def test_the_artefacts_name_the_sources_they_were_made_from() -> None:
    for name, digest in sums().items():
        found = hashlib.sha256((SOLANA / name).read_bytes()).hexdigest()
        assert found == digest, f"{name} has changed: run contracts/solana/build.sh"


def test_every_source_is_among_the_sums() -> None:
    # What .gitignore names in this folder is no source.
    skipped = ("target", "tools", "Cargo.lock")
    sources = {
        path.relative_to(SOLANA).as_posix()
        for path in SOLANA.rglob("*")
        if path.is_file()
        and path.suffix in (".rs", ".toml", ".sh", ".lock", ".so")
        and path.relative_to(SOLANA).parts[0] not in skipped
    }
    assert sources <= set(sums())


def test_no_binary_names_a_machine_or_a_registry() -> None:
    for path in (SOLANA / "build").glob("*.so"):
        content = path.read_bytes()
        for trace in (b"/root", b"/home", b"/tmp", b"/usr", b"cargo", b"registry", b".rs"):
            assert trace not in content, f"{path.name} holds {trace!r}"


@pytest.mark.deep
def test_the_sources_build_to_the_committed_bytes() -> None:
    """Takes about a minute with Debian's compiler and the linker in place."""
    done = subprocess.run(
        [str(SOLANA / "build.sh"), "--check"],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_idl_has_the_program_s_names_and_no_others() -> None:
    assert {snake(item["name"]) for item in IDL["instructions"]} == named("global")
    assert {item["name"] for item in IDL["accounts"]} == named("account")
    assert {item["name"] for item in IDL["events"]} == named("event")


def test_each_instruction_has_its_own_file() -> None:
    files = {path.stem for path in (SOLANA / "src/processor").glob("*.rs")} - {"mod"}
    assert files == named("global")


def test_the_idl_s_errors_are_the_program_s() -> None:
    codes = {item["name"]: item["code"] - NOTES["error_base"] for item in IDL["errors"]}
    assert codes == REFUSALS
    assert len(set(codes.values())) == len(codes)
    assert all(item["msg"] for item in IDL["errors"])


def test_error_numbers_are_those_of_every_chain_or_solana_s_own() -> None:
    shared = INTERFACE["errors"]
    for name, number in REFUSALS.items():
        if number < 100:
            assert shared[name] == number, name
        else:
            assert NOTES["errors"][name] == number, name
    assert set(NOTES["errors"]) <= set(REFUSALS)
    assert not set(NOTES["errors"]) & set(shared)


def test_every_operation_of_the_interface_is_an_instruction_or_a_stated_gap() -> None:
    absent = set(NOTES["own"]["absent"])
    wanted = {
        f"{component}.{name}"
        for component, operations in INTERFACE["operations"].items()
        for name in operations
    }
    assert wanted - absent == set(NOTES["operations"])
    assert absent <= wanted
    assert set(NOTES["operations"].values()) | set(NOTES["own"]["instructions"]) == named("global")


def test_the_signed_fields_are_those_of_the_interface() -> None:
    terms = next(item for item in IDL["types"] if item["name"] == "QuoteTerms")
    numbers = [field["name"] for field in terms["type"]["fields"]]
    assert numbers == [name for name in INTERFACE["signed"]["quote"] if name in numbers]
    beside = set(INTERFACE["signed"]["quote"]) - set(numbers)
    assert beside == {"maker", "signer", "taker", "makerToken", "takerToken", "feeRecipient"}


def test_anchor_s_client_reads_accounts_events_and_errors(world: Any) -> None:
    idl = Idl.from_json((SOLANA / "idl.json").read_text(encoding="utf-8"))
    maker = AccountsCoder(idl).decode(bytes(world.svm.get_account(world.maker).data))
    assert maker.authority == world.authority.pubkey()
    assert maker.signers[0] == world.signer.pubkey()
    outcome = world.done(world.settle(world.terms()), world.taker)
    events: list[Any] = []
    EventParser(world.program, Coder(idl)).parse_logs(outcome.logs, events.append)
    assert [event.name for event in events] == ["Filled"]
    assert events[0].data.amount == 19_500_000_003
    codes = {item.code: item.msg for item in idl.errors}
    found = ProgramError(6_012, codes[6_012])
    assert found.msg == "the nonce was used or cancelled"


def test_anchor_s_client_builds_the_bytes_we_build(world: Any) -> None:
    idl = Idl.from_json((SOLANA / "idl.json").read_text(encoding="utf-8"))
    call = world.set_signer(world.taker.pubkey(), allowed=True)
    coder = Coder(idl).instruction
    data = coder.encode("set_signer", {"signer": world.taker.pubkey(), "allowed": True})
    assert data == bytes(call.data)


def test_discriminators_are_anchor_s() -> None:
    # anchor-lang's own published example.
    assert discriminator("global", "initialize").hex() == "afaf6d1f0d989bed"


def test_events_are_logged_as_anchor_logs_them(world: Any) -> None:
    outcome = world.done(world.settle(world.terms()), world.taker)
    lines = [line for line in outcome.logs if line.startswith("Program data: ")]
    data = base64.b64decode(lines[0].removeprefix("Program data: "))
    assert data[:8] == discriminator("event", "Filled")
