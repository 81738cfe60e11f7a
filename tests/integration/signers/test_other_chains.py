"""The same signer process on chains whose keys are of another curve."""

from __future__ import annotations

import importlib.util
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from dmm.adapters.signers.socket import SocketQuoteSigner, SocketSigner
from dmm.entrypoints.signer_chains import address_of_secret
from dmm.ports import Deployment
from dmm.sandbox.signers import demo_policy, signer_command
from dmm.units.errors import Permanent

SECRET = bytes(range(11, 43))
START_S_MAX = 60.0
# A contract's address in each chain's form, of 32 bytes that are no key of ours.
PLACES = {
    "solana": (2**250 + 7, "4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi"),
    "ton": (-217, "0:" + "5a" * 32),
}


def deployments_of(chain: str) -> dict[str, Deployment]:
    names = ("settlement", "treasury", "token:DCT", "vault:desk")
    address = PLACES[chain][1]
    return {
        name: Deployment(chain=chain, name=name, address=address, height=1, decimals=9)
        for name in names
    }


@pytest.mark.parametrize("chain", PLACES)
def test_a_signer_serves_the_chain_its_policy_names_and_no_other(
    chain: str, tmp_path: Path
) -> None:
    if importlib.util.find_spec(f"dmm.adapters.{chain}.sign") is None:
        pytest.skip(f"the adapter of {chain} is not installed here")
    path = tmp_path / "s"
    command = signer_command(
        "settlement",
        folder=tmp_path / "own",
        socket=path,
        secret=SECRET,
        policy=demo_policy(
            deployments_of(chain),
            chain=chain,
            chain_id=PLACES[chain][0],
            unit_fee_max=1_000,
            gas_max=400_000,
        ),
        latch=tmp_path / "latch",
    )
    command[command.index("settlement")] = f"settlement-{chain}"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            until = time.monotonic() + START_S_MAX
            while not answers(path):
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < until, "the signer did not start"
                time.sleep(0.05)
            assert SocketSigner(path).address(chain) == address_of_secret(chain, SECRET)
            with pytest.raises(Permanent, match=f"chain 'evm' is not allowed, only '{chain}'"):
                SocketSigner(path).address("evm")
            with pytest.raises(Permanent, match="settlement signer knows no such request"):
                SocketQuoteSigner(path).maker(chain)
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
