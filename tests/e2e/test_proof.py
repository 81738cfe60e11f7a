"""A finished run is proven by somebody else's code: audit, export, verifier."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from dmm.sandbox.evm.install import ensure_npm, node_program
from dmm.sandbox.evm.node import EvmNode
from dmm.units.errors import ServiceFault
from tests.e2e.conftest import Session
from tests.e2e.desk import ROOT, run_dmm

VERIFIER = ROOT / "contracts" / "verify" / "verify.mjs"


def test_every_intent_of_a_run_is_proven_from_its_export(
    simulated: Session, tmp_path: Path
) -> None:
    try:
        ensure_npm(ROOT, cache_dir=ROOT / ".dmm" / "npm-cache", project="contracts/verify")
    except ServiceFault as fault:
        pytest.skip(f"ethers cannot be had: {fault}")
    export = tmp_path / "export.jsonl"
    done = run_dmm(
        "audit", "--json", "--state", str(simulated.state), "--export", str(export), cwd=tmp_path
    )
    assert done.code == 0, done.err
    assert (done.result["clean"], done.result["difference"]) == (True, 0)
    chains: dict[str, Any] = done.result["chains"]  # type: ignore[assignment]
    for audited in chains.values():
        assert (audited["clean"], audited["difference"], audited["unlike_events"]) == (True, 0, 0)
        assert audited["intents"] == audited["paid"] != 0
        assert all(item["tx_id"] for item in audited["evidence"])
    found = chains["evm"]
    with EvmNode(root=ROOT, folder=simulated.state / "run" / "evm", tick_ms=0) as node:
        proof = subprocess.run(
            [str(node_program()), str(VERIFIER), str(export), node.url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert proof.returncode == 0, proof.stdout + proof.stderr
    every = found["intents"] + found["carriers"]
    assert found["carriers"] > 0
    assert f"PROVEN: {every} of {every} intents paid" in proof.stdout
