"""What is committed is what the sources say, on every Node at hand."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pytoniq_core import Cell

from dmm.adapters.ton import calls, codec
from dmm.sandbox.evm.install import node_program
from dmm.sandbox.ton import cells, desk_cells
from dmm.sandbox.ton.install import ensure_npm
from dmm.units.errors import ServiceFault
from tests.contracts.ton.conftest import ROOT

TON = ROOT / "contracts" / "ton"
BUILD = TON / "build"
ARTEFACTS = sorted(BUILD.glob("*.json"))
INTERFACE = tomllib.loads((ROOT / "contracts" / "interface.toml").read_text(encoding="utf-8"))
ERROR_BASE = 1_000
FIRST_OF_TON = 1_100


def sources() -> list[Path]:
    return sorted([*(TON / "src").rglob("*.tolk"), *(TON / "testing").rglob("*.tolk")])


@pytest.mark.parametrize("path", ARTEFACTS, ids=lambda path: path.stem)
def test_an_artefact_names_its_sources_and_its_code(path: Path) -> None:
    artefact = json.loads(path.read_text(encoding="utf-8"))
    assert artefact["contract"] == path.stem
    assert artefact["compiler"] == "tolk 1.3.0"
    code = Cell.one_from_boc(base64.b64decode(artefact["code"]))
    assert code.hash.hex() == artefact["code_hash"]
    for name, digest in artefact["sources"].items():
        found = hashlib.sha256((TON / name).read_bytes()).hexdigest()
        assert found == digest, f"{name} changed: run contracts/ton/compile.cjs"


def test_every_source_is_in_an_artefact() -> None:
    named = {name for path in ARTEFACTS for name in json.loads(path.read_text())["sources"]}
    assert named == {path.relative_to(TON).as_posix() for path in sources()}


def nodes() -> list[Any]:
    """The wheel's Node, and the machine's own where it has one: of another version, as a rule."""
    own = shutil.which("node")
    wheel = pytest.param(str(node_program()), id="wheel")
    return [wheel, *([pytest.param(own, id="machine", marks=pytest.mark.deep)] if own else [])]


@pytest.mark.parametrize("node", nodes())
def test_the_sources_compile_to_the_committed_bytes(node: str) -> None:
    ensure_npm(ROOT, cache_dir=ROOT / ".dmm" / "npm-cache")
    done = subprocess.run(
        [node, str(TON / "compile.cjs"), "--check"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_code_that_is_not_what_its_artefact_names_is_refused(tmp_path: Path) -> None:
    artefact = json.loads((BUILD / "Pool.json").read_text(encoding="utf-8"))
    (tmp_path / "Pool.json").write_text(json.dumps(artefact | {"code_hash": "00" * 32}))
    with pytest.raises(ServiceFault, match=r"not the one it names; run contracts/ton/compile.cjs"):
        cells.code_of(tmp_path, "Pool")
    with pytest.raises(ServiceFault, match="cannot be read"):
        cells.code_of(tmp_path, "Settlement")


def test_the_lock_names_no_host_and_every_pin_is_exact() -> None:
    lock = (TON / "package-lock.json").read_text(encoding="utf-8")
    assert "resolved" not in lock
    wanted = json.loads((TON / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    packages = json.loads(lock)["packages"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all("integrity" in entry for name, entry in packages.items() if name)


def declared_errors() -> dict[str, int]:
    text = (TON / "src" / "common" / "errors.tolk").read_text(encoding="utf-8")
    return {name: int(code, 0) for name, code in re.findall(r"const ERR_(\w+) = (\w+)", text)}


def camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def test_errors_shared_with_other_chains_are_the_interface_s_numbers_plus_a_base() -> None:
    shared = {n: c for n, c in declared_errors().items() if ERROR_BASE < c < FIRST_OF_TON}
    assert len(shared) > 30
    for name, code in shared.items():
        assert INTERFACE["errors"][camel(name)] + ERROR_BASE == code, name
    codes = list(declared_errors().values())
    assert len(codes) == len(set(codes))


def test_limits_shared_with_other_chains_are_the_interface_s() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources())
    limits = INTERFACE["limits"]
    assert f"const FEE_BPS_MAX = {limits['fee_bps_max']}" in text
    assert f"const RETENTION_S = {limits['retention_s']}" in text
    assert f"const BODY_BYTES_MAX = {limits['order_body_bytes_max']}" in text


def test_op_codes_are_those_of_the_sources_and_of_the_schema() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources())
    declared = {int(code, 16) for code in re.findall(r"struct \((0x[0-9a-f]{8})\)", text)}
    named = vars(cells) | vars(desk_cells)
    ours = {value for name, value in named.items() if name.startswith("OP_")}
    assert ours <= declared
    schema = (TON / "schema.tlb").read_text(encoding="utf-8")
    in_schema = {int(code, 16) for code in re.findall(r"#([0-9a-f]{8})\b", schema)}
    product = "\n".join(path.read_text(encoding="utf-8") for path in (TON / "src").rglob("*.tolk"))
    wanted = {int(code, 16) for code in re.findall(r"struct \((0x[0-9a-f]{8})\)", product)}
    assert in_schema == wanted


# -- interface.toml about TON ----------------------------------------------------------------------

OURS = INTERFACE["ton"]


def sent_to_contracts() -> set[str]:
    """Return the constructors of the messages that schema.tlb says our contracts take."""
    text = (TON / "schema.tlb").read_text(encoding="utf-8")
    kinds = "VaultMsg|TreasuryMsg|DistributorMsg|ClaimantMsg|GovernorMsg|ForwardPayload"
    found = re.findall(rf"^(\w+)#[0-9a-f]{{8}}(?:[^;]*)= (?:{kinds});", text, re.MULTILINE)
    return set(found)


def test_every_error_of_ton_s_own_is_in_the_interface() -> None:
    own = {n: c for n, c in declared_errors().items() if c >= FIRST_OF_TON and n != "UNKNOWN_OP"}
    assert {camel(name): code for name, code in own.items()} == OURS["errors"]
    assert OURS["error_base"] == ERROR_BASE


def test_every_operation_of_the_interface_is_a_message_or_said_to_be_absent() -> None:
    wanted = {
        f"{contract}.{name}"
        for contract, names in INTERFACE["operations"].items()
        for name in names
    }
    told = set(OURS["operations"]) | set(OURS["own"]["absent"])
    assert wanted == told
    assert not set(OURS["operations"]) & set(OURS["own"]["absent"])


def test_every_message_of_the_schema_is_in_the_interface() -> None:
    told = set(OURS["operations"].values()) | set(OURS["own"]["messages"])
    # What a contract tells another in a payload is no operation anybody may ask for.
    between = {"refused", "bought"}
    assert sent_to_contracts() - between == told


def test_what_the_adapter_knows_is_what_the_interface_says() -> None:
    assert OURS["limits"]["nonce_end"] == codec.NONCE_END
    assert 2 ** OURS["limits"]["amount_bits"] == codec.COINS_END
    assert OURS["quote_tag"] == cells.QUOTE_TAG
    sizes = [int(re.sub(r"\D", "", name)) for name in OURS["acceptance"]]
    assert sum(sizes) == codec.ACCEPTANCE_BYTES
    nonce, payment = OURS["states"]["nonce"], OURS["states"]["payment"]
    assert {name: calls.NONCE_STATES[number].value for name, number in nonce.items()} == {
        "unused": "absent",
        "pending": "pending",
        "settled": "found",
        "refund_due": "refunded",
        "cancelled": "absent",
    }
    assert [payment[name] for name in ("bought", "burning", "burnt")] == [
        calls.BOUGHT,
        calls.BURNING,
        calls.BURNT,
    ]
    assert {n: calls.PAYMENT_STATES[payment[n]].value for n in ("paid", "returned")} == {
        "paid": "found",
        "returned": "refunded",
    }
