"""The same suite for the contracts of each chain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from solana_desk import SolanaDesk

from tests.contracts.conformance.on_evm import OnEvm
from tests.contracts.conformance.on_solana import OnSolana
from tests.contracts.conformance.on_ton import OnTon, TonDesk
from tests.contracts.conformance.under_test import ContractUnderTest


@pytest.fixture(scope="session")
def solana_for_conformance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SolanaDesk]:
    made = SolanaDesk.on(tmp_path_factory.mktemp("solana-conformance"))
    yield made
    made.stop()


@pytest.fixture(scope="session")
def ton_for_conformance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TonDesk]:
    yield from TonDesk.running(tmp_path_factory.mktemp("ton-conformance"))


@pytest.fixture(params=["evm", "solana", "ton"])
def contract(request: pytest.FixtureRequest) -> Iterator[ContractUnderTest]:
    """Return the contracts of one chain, deployed and funded."""
    if request.param == "evm":
        yield OnEvm(request.getfixturevalue("world"))
        return
    if request.param == "ton":
        yield OnTon(request.getfixturevalue("ton_for_conformance"))
        return
    made = OnSolana(request.getfixturevalue("solana_for_conformance"))
    yield made
    made.keep_counts()
