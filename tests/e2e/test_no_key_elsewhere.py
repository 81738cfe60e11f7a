"""No key but in its signer: the memory and environment of every other process of a running desk."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from process_memory import descendants, found_in

from dmm.adapters.signers.keystore import unlock
from dmm.sandbox.signers import curve_of
from dmm.sandbox.wiring import Wiring
from tests.e2e.desk import ROOT, command
from tests.e2e.test_up import DECISIONS, UP_S_MAX, wait_for_more

SIGNER = "dmm.entrypoints.signer"
WATCHED = ("dmm.entrypoints.worker", "dmm.entrypoints.settler", "flows.serve", "prefect.server")
"""Processes that must be among those looked at: worker, settler, flows, and what serves pages."""

CHAIN = "evm"


def keys_of(state: Path) -> dict[str, bytes]:
    """Return the secret of each signer, out of its keystore."""
    found = {}
    for folder in sorted((state / "run" / "signers").glob("*/")):
        files = folder / "keystore.json", folder / "password"
        found[folder.name] = unlock(*files, curve=curve_of(CHAIN))
    return found


def ask_the_signers(state: Path) -> None:
    """Have both signers answer, so that whoever might hold a key by then does."""
    settings = Wiring.load(state / "run").settings()
    from dmm.adapters.signers.socket import SocketQuoteSigner, SocketSigner  # noqa: PLC0415

    SocketSigner(settings.signer_socket).address(CHAIN)
    SocketQuoteSigner(settings.quote_signer_socket).signer(CHAIN)


@pytest.mark.timeout(400)
def test_a_key_is_in_the_memory_of_its_own_signer_and_of_no_process_that_asks_it(
    state: Path,
) -> None:
    desk = subprocess.Popen(
        command(["up", "--prefect-port", "0", "--state", str(state)]),
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"DMM_CHAINS": f'["{CHAIN}"]'},
    )
    try:
        assert desk.stderr is not None
        said = []
        for line in desk.stderr:
            said.append(line)
            if "the desk is up" in line:
                break
        assert desk.poll() is None, "".join(said)
        assert wait_for_more(state, DECISIONS, 0) > 0
        ask_the_signers(state)
        keys = keys_of(state)
        assert set(keys) == {"settlement", "quote"}
        # The desk's own process is left out: it made the DEMO keys, of every actor on the chain.
        lines = descendants(desk.pid)
        held = look(lines, keys)
    finally:
        desk.send_signal(signal.SIGINT)
        desk.communicate(timeout=UP_S_MAX)
    for name in WATCHED:
        assert any(name in line for line in held), f"{name} was not looked at: {sorted(held)}"
    for line, found in held.items():
        if SIGNER not in line:
            assert found == set(), line
    # The control: the same search finds each key where it is, and each signer has its own alone.
    for role, other in (("settlement", "quote"), ("quote", "settlement")):
        own = [found for line, found in held.items() if f"{SIGNER} {role}" in line]
        assert len(own) == 1
        assert f"{role}:raw" in own[0]
        assert not [name for name in own[0] if name.startswith(other)]


def look(lines: dict[int, str], keys: dict[str, bytes]) -> dict[str, set[str]]:
    """Return what each of our processes holds, by command line."""
    held: dict[str, set[str]] = {}
    for pid, line in lines.items():
        # Postgres and the chain's node are programs of others that were never told a key.
        if not Path(line.partition(" ")[0]).name.startswith("python"):
            continue
        try:
            held.setdefault(line, set()).update(found_in(pid, keys))
        except PermissionError:
            pytest.skip(f"tracing is forbidden here: the memory of {line[:60]!r} cannot be read")
        except FileNotFoundError:
            continue  # it ended meanwhile
    return held
