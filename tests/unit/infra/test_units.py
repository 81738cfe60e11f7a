"""The units, the image and the compose file run what exists, with settings that exist, safely."""

from __future__ import annotations

import importlib.util
import itertools
import re
import shlex
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import yaml

from dmm.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
INFRA = ROOT / "infra"
UNITS = sorted((INFRA / "systemd").glob("*.service"))
COMPOSE = INFRA / "compose" / "compose.yaml"
DOCKERFILE = INFRA / "docker" / "Dockerfile"

PROCESSES = {
    "dmm.entrypoints.worker",
    "dmm.entrypoints.settler",
    "dmm.entrypoints.signer",
    "flows.serve",
}
"""What runs all the time; Prefect's server runs by its own command."""

HARDENING = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "ProtectControlGroups": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6",
    "LockPersonality": "yes",
    "SystemCallArchitectures": "native",
    "LimitCORE": "0",
    "UMask": "0077",
}


def read_unit(path: Path) -> dict[str, dict[str, list[str]]]:
    """Return sections of a unit, each key with all its values."""
    sections: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in (line.strip() for line in text.splitlines()):
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
            continue
        key, equals, value = line.partition("=")
        assert equals, f"{path.name}: {line}"
        section.setdefault(key, []).append(value)
    return sections


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text(encoding="utf-8")))


def services() -> dict[str, dict[str, Any]]:
    return dict(compose()["services"])


def command_lines() -> Iterator[tuple[str, list[str]]]:
    for path in UNITS:
        for line in read_unit(path)["Service"]["ExecStart"]:
            yield path.name, shlex.split(line)
    for name, service in services().items():
        if "command" in service:
            yield name, list(service["command"])


def modules_of(words: list[str]) -> list[str]:
    return [after for word, after in itertools.pairwise(words) if word == "-m"]


def infra_files() -> list[Path]:
    """Return what is committed: an operator's own files may lie beside it."""
    own = {".env", "keys"}
    return [path for path in INFRA.rglob("*") if path.is_file() and not own & set(path.parts)]


def test_there_is_a_unit_for_each_process_and_no_other() -> None:
    assert [path.name for path in UNITS] == [
        "dmm-flows.service",
        "dmm-prefect.service",
        "dmm-settler.service",
        "dmm-signer@.service",
        "dmm-worker.service",
    ]
    named = {m for path, words in command_lines() if "." in path for m in modules_of(words)}
    assert named == PROCESSES


def test_the_containers_are_the_same_processes() -> None:
    named = {m for name in services() for m in modules_of(services()[name].get("command", []))}
    assert named == PROCESSES | {"dmm.entrypoints.migrate"}


def test_every_module_that_is_started_exists() -> None:
    for origin, words in command_lines():
        for module in modules_of(words):
            assert importlib.util.find_spec(module), f"{origin} starts {module}"
            source = Path(str(importlib.util.find_spec(module).origin)).read_text(encoding="utf-8")
            assert '__name__ == "__main__"' in source, f"{module} does nothing when run"


def test_every_program_that_is_started_exists() -> None:
    scripts = {script.name for script in entry_points(group="console_scripts")}
    for origin, words in command_lines():
        program = Path(words[0]).name
        assert program == "python" or program in scripts, f"{origin} starts {program}"


def test_every_signer_option_exists() -> None:
    source = (ROOT / "src/dmm/entrypoints/signer.py").read_text(encoding="utf-8")
    known = set(re.findall(r"^    (\w+): Annotated", source, re.MULTILINE))
    required = {"socket", "keystore", "password_file", "policy", "folder", "witness"}
    lines = [words for _, words in command_lines() if "dmm.entrypoints.signer" in words]
    assert len(lines) == 3
    for words in lines:
        options = {
            word.removeprefix("--").partition("=")[0].replace("-", "_")
            for word in words
            if word.startswith("--")
        }
        assert required < options <= known
        assert options & {"latch", "database_url_file"}, "a signer obeys a kill switch"


@pytest.mark.parametrize("path", infra_files(), ids=lambda path: path.name)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    known = {f"DMM_{name.upper()}" for name in Settings.model_fields} | {"DMM_CONFIG"}
    named = set(re.findall(r"\bDMM_[A-Z_]+[A-Z]\b", text))
    assert named <= known


def test_the_file_of_settings_is_named_by_a_variable_that_is_read() -> None:
    assert '"DMM_CONFIG"' in (ROOT / "src/dmm/settings.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_is_hardened(path: Path) -> None:
    service = read_unit(path)["Service"]
    for key, wanted in HARDENING.items():
        assert service.get(key) == [wanted], key
    assert service["SystemCallFilter"][0] == "@system-service"
    assert "process_vm_readv" in service["SystemCallFilter"][1]
    assert service["User"][0] not in ("root", "0")
    assert service["Restart"][0] in ("always", "on-failure")
    assert int(service["TimeoutStopSec"][0]) > 0


def test_no_process_but_its_signer_sees_a_key() -> None:
    for path in UNITS:
        service = read_unit(path)["Service"]
        hidden = " ".join(service.get("InaccessiblePaths", []))
        if path.name == "dmm-signer@.service":
            assert not hidden
            assert "/etc/dmm/signers/%i/" in service["ExecStart"][0]
            continue
        folders = hidden.split()
        assert "-/etc/dmm/signers" in folders or "-/etc/dmm" in folders, path.name
        assert {"-/var/lib/dmm-signers", "-/var/lib/dmm-witness"} <= set(folders), path.name
    for name, service in services().items():
        mounts = [str(volume) for volume in service.get("volumes", [])]
        keys = [mount for mount in mounts if "keys/" in mount]
        role = name.removeprefix("signer-")
        assert keys == ([f"./keys/{role}:/etc/dmm:ro"] if name.startswith("signer-") else [])


ROLE_OF = {"worker": "worker", "settler": "settler", "flows": "flows", "audit": "auditor"}


def test_each_container_has_the_login_of_its_role_and_no_other() -> None:
    for name, service in services().items():
        environment = service.get("environment", {})
        found = {
            variable: str(value).removeprefix("postgresql://").partition(":")[0]
            for variable, value in environment.items()
            if variable.endswith("DATABASE_URL") and variable.startswith("DMM_")
        }
        wanted = {"DMM_DATABASE_URL": f"desk_{ROLE_OF.get(name)}"} if name in ROLE_OF else {}
        if name == "flows":
            wanted["DMM_DRIVER_DATABASE_URL"] = "desk_settler"
        if name == "migrate":
            wanted = {"DMM_DATABASE_URL": "dmm"}
        assert found == wanted, name
        password = "DESK_DATABASE_PASSWORD"
        assert (password in str(service)) == (name in ("postgres", "migrate")), name


def test_every_role_has_a_login_and_the_roles_are_made_first() -> None:
    script = (COMPOSE.parent / "logins.sh").read_text(encoding="utf-8")
    made = set(re.findall(r"^login (\w+) ", script, re.MULTILINE))
    roles = set(re.findall(r"'dmm_(\w+)'", (INFRA / "postgres/roles.sql").read_text()))
    # A person at a terminal has a login by hand.
    assert made == roles - {"operator"} == {*ROLE_OF.values(), "signer"}
    scripts = [
        str(volume).split(":")[1].rpartition("/")[2]
        for volume in services()["postgres"]["volumes"]
        if "initdb.d" in str(volume)
    ]
    assert scripts == sorted(scripts)
    assert scripts[0] == "10-roles.sql"


def test_each_unit_has_an_environment_of_its_own() -> None:
    files = {path.name: read_unit(path)["Service"].get("EnvironmentFile", []) for path in UNITS}
    assert files == {
        "dmm-flows.service": ["/etc/dmm/flows.env"],
        "dmm-prefect.service": ["/etc/dmm/prefect.env"],
        "dmm-settler.service": ["/etc/dmm/settler.env"],
        "dmm-signer@.service": [],
        "dmm-worker.service": ["/etc/dmm/worker.env"],
    }


def test_the_witness_of_a_register_lies_apart_from_it() -> None:
    unit = read_unit(INFRA / "systemd" / "dmm-signer@.service")["Service"]
    assert unit["StateDirectory"] == ["dmm-signers/%i dmm-witness/%i"]
    assert "--witness /var/lib/dmm-witness/%i/epoch" in unit["ExecStart"][0]
    for role in ("settlement", "quote"):
        mounts = services()[f"signer-{role}"]["volumes"]
        assert {f"signer-{role}:/var/lib/signer", f"witness-{role}:/var/lib/witness"} <= set(mounts)


@pytest.mark.parametrize("name", services())
def test_a_container_is_unprivileged_and_tells_its_health(name: str) -> None:
    service = services()[name]
    assert service["user"] not in ("root", "0", "0:0")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    health = service["healthcheck"]
    if name in ("migrate", "audit"):
        assert health == {"disable": True}
        assert service["restart"] == "no"
    else:
        assert health["test"][0] == "CMD"
        assert health["retries"] > 0
    if name != "postgres":
        assert service["read_only"] is True
    for port in service.get("ports", []):
        assert str(port).startswith("127.0.0.1:")


def test_a_container_waits_only_for_what_is_there() -> None:
    known = services()
    for name, service in known.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in known, f"{name} waits for {other}"
            done = "service_completed_successfully"
            assert how["condition"] == (done if other == "migrate" else "service_healthy")


def test_every_volume_is_declared_and_every_mounted_file_exists() -> None:
    declared = set(compose()["volumes"])
    used = set()
    for service in services().values():
        for volume in service.get("volumes", []):
            source = str(volume).split(":")[0]
            if source.startswith("./keys/"):
                continue
            if source.startswith("."):
                assert (COMPOSE.parent / source).exists()
            else:
                used.add(source)
    assert used == declared


def test_every_variable_of_the_compose_file_is_in_the_sample_and_empty_there() -> None:
    named = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE.read_text(encoding="utf-8")))
    sample = (COMPOSE.parent / "sample.env").read_text(encoding="utf-8")
    lines = [line for line in sample.splitlines() if line and not line.startswith("#")]
    assert {line.partition("=")[0] for line in lines} == named
    assert all(line.endswith("=") for line in lines), "a sample holds no value"


@pytest.mark.parametrize("path", infra_files(), ids=lambda path: path.name)
def test_infra_holds_no_secret(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\b(0x)?[0-9a-fA-F]{64}\b", text), "something like a key"
    for user, password in re.findall(r"://([\w$]+):([^@\s]+)@", text):
        assert password.startswith("${"), f"a password of {user} is written out"
    assert not re.search(r"BEGIN [A-Z ]*PRIVATE KEY", text)


def test_the_image_runs_as_an_ordinary_user_and_installs_the_lock() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    words = [line.split(maxsplit=1) for line in lines]
    users = [rest for name, rest in words if name == "USER"]
    assert users == ["10001:10001"]
    assert any(name == "HEALTHCHECK" for name, _ in words)
    assert any(name == "RUN" and "./dmm --setup" in rest for name, rest in words)
    copied = [rest.split()[:-1] for name, rest in words if name == "COPY"]
    ignored = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text(encoding="utf-8")
    for source in (source for sources in copied for source in sources):
        assert (ROOT / source).exists(), f"COPY {source}"
        assert f"!{source}" in ignored.splitlines(), f"{source} is kept out by the ignore file"
    assert {"requirements.lock", "pyproject.toml"} <= {s for sources in copied for s in sources}


def test_container_and_image_agree_on_the_account() -> None:
    assert {service["user"] for service in services().values()} == {"postgres", "10001:10001"}
