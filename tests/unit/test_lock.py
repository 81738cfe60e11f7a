"""The lock and what asks for it: one environment, every version with its hashes, no address."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = ROOT / "pyproject.toml"
LOCK = ROOT / "requirements.lock"

ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>.+?))?$")
HASH = re.compile(r"^--hash=sha256:[0-9a-f]{64}$")


def project() -> dict[str, Any]:
    return tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))


def entries() -> list[tuple[str, list[str]]]:
    """Return every entry's first line with the hashes that follow it."""
    text = LOCK.read_text(encoding="utf-8").replace("\\\n", "\n")
    found: list[tuple[str, list[str]]] = []
    for line in (line.strip() for line in text.splitlines()):
        if not line or line.startswith("#"):
            continue
        if line.startswith("--"):
            found[-1][1].append(line)
        else:
            found.append((line, []))
    return found


def locked() -> dict[str, list[Version]]:
    versions: dict[str, list[Version]] = {}
    for head, _ in entries():
        match = ENTRY.match(head)
        assert match, f"not `name==version [; marker]`: {head}"
        if match["marker"]:
            Marker(match["marker"])
        versions.setdefault(canonicalize_name(match["name"]), []).append(Version(match["version"]))
    return versions


def asked_for() -> list[str]:
    table = project()
    return [
        *table["project"]["dependencies"],
        *table["dependency-groups"]["dev"],
        *table["project"]["optional-dependencies"]["scale"],
    ]


@pytest.mark.parametrize("text", asked_for())
def test_what_the_project_asks_for_is_locked_at_a_version_it_allows(text: str) -> None:
    wanted = Requirement(text)
    versions = locked().get(canonicalize_name(wanted.name), [])
    assert versions, f"{wanted.name} is not in requirements.lock: make the lock again"
    for version in versions:
        assert wanted.specifier.contains(version, prereleases=True), f"{wanted} against {version}"


@pytest.mark.parametrize("text", project()["tool"]["uv"]["override-dependencies"])
def test_an_override_holds_in_the_lock(text: str) -> None:
    wanted = Requirement(text)
    versions = locked()[canonicalize_name(wanted.name)]
    assert all(wanted.specifier.contains(version) for version in versions)


def test_every_locked_version_has_hashes() -> None:
    without = [head for head, hashes in entries() if not hashes]
    assert not without
    wrong = [line for _, hashes in entries() for line in hashes if not HASH.match(line)]
    assert not wrong


def test_the_lock_names_no_address() -> None:
    text = LOCK.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--index|--extra-index|--find-links|-f)\b", text, re.MULTILINE)


def test_two_versions_of_one_package_never_meet_on_one_python() -> None:
    markers: dict[str, list[str]] = {}
    for head, _ in entries():
        match = ENTRY.match(head)
        assert match
        markers.setdefault(canonicalize_name(match["name"]), []).append(match["marker"] or "")
    for minor in (11, 12, 13):
        place = {"python_version": f"3.{minor}", "python_full_version": f"3.{minor}.4"}
        for name, conditions in markers.items():
            met = [text for text in conditions if not text or Marker(text).evaluate(place)]
            assert len(met) <= 1, f"{name} is locked {len(met)} times on Python 3.{minor}"


def test_the_lock_says_how_it_is_made_again() -> None:
    head = LOCK.read_text(encoding="utf-8")[:400]
    assert (
        "uv pip compile --universal --generate-hashes --group dev --extra scale pyproject.toml "
        "-o requirements.lock"
    ) in head


def test_python_is_3_11_to_3_13() -> None:
    assert project()["project"]["requires-python"] == ">=3.11,<3.14"


REQUIREMENT = re.compile(r'"[A-Za-z0-9._-]+(?:\[[a-z,]+\])?\s*[<>=!~]=?[^"]*"')


def test_every_pin_has_its_reason() -> None:
    """A dependency of the product says why; an exact version or a cap says so anywhere."""
    product = set(project()["project"]["dependencies"])
    lines = [line.strip() for line in PYPROJECT.read_text(encoding="utf-8").splitlines()]
    bare = []
    for above, line in zip(["", *lines], lines, strict=False):
        code, _, reason = line.partition("#")
        for text in (found.strip('"') for found in REQUIREMENT.findall(code)):
            is_pin = text in product or "==" in text or "<" in text
            if is_pin and not reason.strip() and not above.startswith("#"):
                bare.append(text)
    assert not bare, f"say why in a comment on the line: {bare}"


def test_the_wheel_holds_the_three_packages() -> None:
    wheel = project()["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["src/dmm", "src/dynamic", "flows"]
