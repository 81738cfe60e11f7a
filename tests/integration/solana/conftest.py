"""One local Solana node for a test file, in its own process; slots pass only when asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from solders.keypair import Keypair

from dmm.sandbox.solana.chain import Pace
from dmm.sandbox.solana.node import SolanaNode, local_programs

ROOT = Path(__file__).resolve().parents[3]


def key(name: str) -> Keypair:
    return Keypair.from_seed(hashlib.sha256(b"dmm/node-test/" + name.encode()).digest())


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SolanaNode]:
    folder = tmp_path_factory.mktemp("solana")
    with SolanaNode(folder=folder, programs=local_programs(ROOT), pace=Pace(slot_ms=0)) as started:
        started.call("dmm_advance", 1_000)
        yield started
