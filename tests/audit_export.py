"""Audit exports as a forger would change them, and the independent verifier as a process."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from dmm.sandbox.evm.install import ensure_npm, node_program
from dmm.units.errors import ServiceFault
from dmm.units.ids import Json, canonical_json, content_id

ROOT = Path(__file__).resolve().parents[1]
VERIFIER = ROOT / "contracts" / "verify" / "verify.mjs"
Line = dict[str, Any]
Change = Callable[[list[Line]], object]
Verified = tuple[int, set[str], str]
"""The exit code, the names of the faults, and all that was said."""


def require_ethers() -> None:
    """Install what the verifier needs, or skip the test."""
    try:
        ensure_npm(ROOT, cache_dir=ROOT / ".dmm" / "npm-cache", project="contracts/verify")
    except ServiceFault as fault:
        pytest.skip(f"ethers cannot be had: {fault}")


def write(path: Path, lines: list[Line]) -> Path:
    """Write lines as an export whose end line is right: tampering has to be found elsewhere."""
    body = [canonical_json(line) + b"\n" for line in lines if line["type"] != "end"]
    digest = hashlib.sha256(b"".join(body)).hexdigest()
    end: dict[str, Json] = {"type": "end", "lines": len(body), "sha256": digest}
    path.write_bytes(b"".join([*body, canonical_json(end) + b"\n"]))
    return path


def verify(path: Path, url: str, auditor: str = "") -> Verified:
    """Run the verifier over an export."""
    done = subprocess.run(
        [str(node_program()), str(VERIFIER), str(path), url, *([auditor] if auditor else [])],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"NODE_COMPILE_CACHE": str(ROOT / ".dmm" / "node-cache")},
    )
    named = {
        line.split()[1].rstrip(":") for line in done.stdout.splitlines() if line.startswith("FAULT")
    }
    return done.returncode, named, done.stdout + done.stderr


def verify_all(
    folder: Path, lines: list[Line], changes: dict[str, Change], url: str
) -> dict[str, Verified]:
    """Verify every tampered export, several at once: starting the verifier takes the time."""
    paths = []
    for number, change in enumerate(changes.values()):
        changed = deepcopy(lines)
        change(changed)
        paths.append(write(folder / f"{number}.jsonl", changed))
    with ThreadPoolExecutor(max_workers=4) as threads:
        return dict(zip(changes, threads.map(lambda path: verify(path, url), paths), strict=True))


def first(lines: list[Line], **wanted: Any) -> Line:
    """Return the first line with these values."""
    return next(line for line in lines if all(line.get(k) == v for k, v in wanted.items()))


def intent(lines: list[Line], kind: str = "reward", state: str = "FINAL") -> Line:
    """Return the first intent of a kind in a state."""
    return first(lines, type="intent", kind=kind, state=state)


def posting(lines: list[Line], event: str) -> Line:
    """Return the first posting whose source ends so."""
    return next(
        line for line in lines if line["type"] == "posting" and line["source"].endswith(event)
    )


def drop(lines: list[Line], line: Line) -> None:
    """Leave a line out."""
    lines.remove(line)


def drop_whole(lines: list[Line], line: Line) -> None:
    """Leave an intent out together with its postings."""
    gone = [x for x in lines if str(x.get("source", "")).startswith(line["intent_id"])]
    for each in (line, *gone):
        lines.remove(each)


def rehash(line: Line) -> None:
    """Make an intent's content hash fit its content, as a forger who knows the form would."""
    inputs, supersedes = canonical_json(line["inputs"]), line["supersedes"]
    line["content_hash"] = content_id(
        "dmm/content/v1",
        *(line[name] for name in ("asset", "recipient", "amount", "deadline_s")),
        inputs,
        b"" if supersedes is None else bytes.fromhex(supersedes),
    ).hex()


def say_unpaid(lines: list[Line]) -> None:
    """Deny that the first reward was paid."""
    line = intent(lines)
    line["paid"], line["state"] = None, "READY"


def say_paid(lines: list[Line]) -> None:
    """Say of an open reward that another's transaction paid it."""
    line = intent(lines, state="READY")
    line["state"], line["paid"] = "FINAL", intent(lines)["paid"]


def swap_payments(lines: list[Line]) -> None:
    """Let two rewards name each other's transaction."""
    one, two = [x for x in lines if x.get("kind") == "reward" and x["state"] == "FINAL"][:2]
    one["paid"], two["paid"] = two["paid"], one["paid"]
