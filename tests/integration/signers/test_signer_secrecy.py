"""A signer's memory is its own: who may read it, and that the search for a key does find one."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from process_memory import base58, found_in, spellings

SECRET, OTHER = (hashlib.sha256(name).digest() for name in (b"secret", b"other"))
WAYS = {
    "raw": "kept = bytes.fromhex(given)",
    "hex": "kept = given",
    "HEX": "kept = given.upper()",
    "base64": "import base64; kept = base64.b64encode(bytes.fromhex(given)).decode()",
    "base64url": "import base64; kept = base64.urlsafe_b64encode(bytes.fromhex(given)).decode()",
    "base58": "import based58; kept = based58.b58encode(bytes.fromhex(given))",
}


@contextmanager
def child(code: str, given: str, env: dict[str, str] | None = None) -> Iterator[int]:
    """Run code that got its secret over a pipe, until the context ends."""
    lines = (
        "import sys; given = sys.stdin.readline().strip()",
        code,
        "print('ready', flush=True); sys.stdin.read()",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(given + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def searched(pid: int) -> set[str]:
    try:
        return found_in(pid, {"secret": SECRET, "other": OTHER})
    except PermissionError:
        pytest.skip("tracing is forbidden here: no process may read another's memory")


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_found_in_every_spelling(way: str) -> None:
    with child(WAYS[way], SECRET.hex()) as pid:
        found = searched(pid)
    assert f"secret:{way}" in found
    assert not [name for name in found if name.startswith("other")]


def test_a_secret_in_the_environment_is_found() -> None:
    with child("given = None", "", env={"LEAK": "x" + base64.b64encode(SECRET).decode()}) as pid:
        assert "secret:base64" in searched(pid)


def test_a_process_without_the_secret_is_clean() -> None:
    with child("import json, hashlib, decimal", "nothing") as pid:
        assert searched(pid) == set()


def test_the_spellings_are_those_of_the_libraries() -> None:
    import based58  # noqa: PLC0415 - only to compare with

    assert spellings(SECRET)["base58"] == bytes(based58.b58encode(SECRET))
    assert base58(b"\0\0\x07") == "118"


SECLUDE = "from dmm.adapters.signers.seclusion import seclude; seclude()"


def test_a_secluded_process_shows_itself_to_tracers_of_the_system_alone() -> None:
    capabilities = next(
        int(line.split()[1], 16)
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("CapEff")
    )
    may_trace_all = bool(capabilities >> 19 & 1)
    with child(f"{SECLUDE}\nkept = bytes.fromhex(given)", SECRET.hex()) as pid:
        try:
            found = found_in(pid, {"secret": SECRET})
        except PermissionError:
            assert not may_trace_all
            return
    assert may_trace_all, "an account without CAP_SYS_PTRACE read a signer's memory"
    assert "secret:raw" in found


def test_a_secluded_process_is_not_dumpable_and_leaves_no_core_file() -> None:
    code = (
        f"{SECLUDE}\n"
        "import ctypes, resource\n"
        "assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0\n"
        "assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
