"""What `dmm doctor` says of Solana, on a running chain: nodes, program, pages, nonce accounts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from solana_desk import SolanaDesk

from dmm import settings as settings_module
from dmm.adapters.postgres.store import PostgresStore
from dmm.entrypoints.doctor import solana as doctor
from dmm.entrypoints.doctor.check import Check
from dmm.sandbox.process import free_port
from dmm.sandbox.solana.node import PROGRAM
from dmm.settings import Settings

SECRET = "S3CRETK3Y"
PAGE = 256


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SolanaDesk]:
    made = SolanaDesk.on(tmp_path_factory.mktemp("solana-doctor"))
    yield made
    made.stop()


@pytest.fixture
def store(desk: SolanaDesk, database_url: str) -> Iterator[PostgresStore]:
    with PostgresStore(database_url) as made:
        made.record_deployments(desk.deployments)
        yield made
    settings_module.settings.cache_clear()


def examine(
    desk: SolanaDesk, url: str, monkeypatch: pytest.MonkeyPatch, **change: object
) -> dict[str, Check]:
    fields = {
        "database_url": url,
        "chains": ["evm", "solana"],
        "solana_rpc_urls": [desk.local.node.url],
        "solana_genesis_hash": desk.local.genesis_hash,
    }
    for name, value in (fields | change).items():
        text = value if isinstance(value, str) else json.dumps(value)
        monkeypatch.setenv(f"DMM_{name.upper()}", text)
    return {check.name: check for check in doctor.check_solana(Settings())}


def test_a_desk_on_solana_that_is_well_names_node_program_and_pages(
    desk: SolanaDesk,
    store: PostgresStore,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checks = examine(desk, database_url, monkeypatch)
    assert all(check.ok for check in checks.values()), checks
    node = checks["solana node 0 (127.0.0.1)"].detail
    assert f"port {desk.local.node.url.rpartition(':')[2]}, " in node
    assert f"genesis hash {desk.local.genesis_hash}" in node
    assert checks["solana program"].detail == (
        f"{PROGRAM} is the committed program, changed by nobody any more"
    )
    left = checks["solana nonce pages"].detail
    assert left == f"next nonce 0, pages for {4 * PAGE} more quotes"


def test_pages_that_come_to_their_end_are_told_before_they_have(
    desk: SolanaDesk,
    store: PostgresStore,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store.next_quote_nonce(desk.maker, at_least=3 * PAGE - 1)
    assert examine(desk, database_url, monkeypatch)["solana nonce pages"].ok
    store.next_quote_nonce(desk.maker)
    short = examine(desk, database_url, monkeypatch)["solana nonce pages"]
    assert not short.ok
    assert "pages for 255 more quotes: at least 256 should be there" in short.detail
    assert "dmm settle pages" in short.cure
    store.next_quote_nonce(desk.maker, at_least=4 * PAGE)
    gone = examine(desk, database_url, monkeypatch)["solana nonce pages"]
    assert "pages for 0 more quotes" in gone.detail


def test_another_program_than_the_committed_one_is_named(
    desk: SolanaDesk,
    store: PostgresStore,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = tmp_path / "dmm.so"
    other.write_bytes(doctor.CODE.read_bytes()[:-1] + b"\x01")
    monkeypatch.setattr(doctor, "CODE", other)
    found = examine(desk, database_url, monkeypatch)["solana program"]
    assert not found.ok
    assert "is not the committed program" in found.detail
    monkeypatch.setattr(doctor, "CODE", tmp_path / "none.so")
    absent = examine(desk, database_url, monkeypatch)["solana program"]
    assert absent.ok
    assert "not compared" in absent.detail


def test_a_node_of_another_cluster_and_a_silent_one_are_told_without_their_keys(
    desk: SolanaDesk,
    store: PostgresStore,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = f"http://user:{SECRET}@127.0.0.1:{free_port()}/{SECRET}?api-key={SECRET}"
    checks = examine(desk, database_url, monkeypatch, solana_rpc_urls=[desk.local.node.url, silent])
    assert checks["solana node 0 (127.0.0.1)"].ok
    assert not checks["solana node 1 (127.0.0.1)"].ok
    assert SECRET not in str(checks)
    other = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
    foreign = examine(desk, database_url, monkeypatch, solana_genesis_hash=other)
    assert f"is on the cluster with genesis hash {desk.local.genesis_hash}" in (
        foreign["solana node 0 (127.0.0.1)"].detail
    )
    assert not foreign["solana program"].ok


def test_nonce_accounts_that_are_none_are_named(
    desk: SolanaDesk,
    store: PostgresStore,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "solana nonce accounts" not in examine(desk, database_url, monkeypatch)
    desk.use_nonces(2)
    good = list(desk.nonce_accounts)
    well = examine(desk, database_url, monkeypatch, solana_nonce_accounts=good)
    assert well["solana nonce accounts"].detail == "2 are set up"
    stranger = desk.actors.takers[0].address
    wrong = examine(desk, database_url, monkeypatch, solana_nonce_accounts=[*good, stranger])
    assert not wrong["solana nonce accounts"].ok
    assert f"{stranger} is no nonce account" in wrong["solana nonce accounts"].detail


def test_a_desk_without_deployments_is_told_so(
    desk: SolanaDesk, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = examine(desk, database_url, monkeypatch)
    assert "no settlement is recorded on Solana" in checks["solana program"].detail
    assert not checks["solana nonce pages"].ok
