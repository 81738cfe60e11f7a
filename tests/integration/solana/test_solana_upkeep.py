"""Pages of nonces and nonce accounts, made ahead by an operator's own key, on a running chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from solana_desk import SolanaDesk
from solders.pubkey import Pubkey

from dmm import settings as settings_module
from dmm.adapters.clock import SystemClock
from dmm.adapters.postgres.store import PostgresStore
from dmm.adapters.solana.hand import Hand
from dmm.adapters.solana.key_file import load_key, load_or_make_key
from dmm.adapters.solana.node import Node
from dmm.adapters.solana.sign import Key
from dmm.adapters.solana.terms import page_address
from dmm.entrypoints.solana import run_nonces, run_pages
from dmm.ports import Answer
from dmm.sandbox.solana.chain import Pace
from dmm.sandbox.solana.node import PROGRAM
from dmm.sandbox.solana.transact import give
from dmm.units.errors import Retryable, ServiceFault, UsageFault

PAGE = 256


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SolanaDesk]:
    made = SolanaDesk.on(tmp_path_factory.mktemp("solana-upkeep"), pace=Pace(slot_ms=50))
    yield made
    made.stop()


@pytest.fixture
def store(
    desk: SolanaDesk, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PostgresStore]:
    """Open the journal of a desk that the environment describes."""
    variables = {
        "DATABASE_URL": database_url,
        "CHAINS": '["evm", "solana"]',
        "SOLANA_RPC_URLS": json.dumps([desk.local.node.url]),
        "SOLANA_GENESIS_HASH": desk.local.genesis_hash,
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"DMM_{name}", value)
    settings_module.settings.cache_clear()
    with PostgresStore(database_url) as made:
        made.record_deployments(desk.deployments)
        yield made
    settings_module.settings.cache_clear()


@pytest.fixture
def key_file(desk: SolanaDesk, tmp_path: Path) -> Path:
    """Make a key that holds lamports and is nobody on the desk."""
    path = tmp_path / "payer.json"
    desk.call("requestAirdrop", load_or_make_key(path).address, 10**10)
    return path


def pages(capsys: pytest.CaptureFixture[str], count: int, key: Path | None = None) -> Any:
    capsys.readouterr()
    run_pages(pages=count, key=key, state=None, as_json=True)
    return json.loads(capsys.readouterr().out)


def balance(desk: SolanaDesk, key_file: Path) -> int:
    address, config = load_key(key_file).address, {"commitment": "processed"}
    return int(desk.call("getBalance", address, config)["value"])


def test_pages_ahead_are_made_once_and_by_anybody(
    desk: SolanaDesk, store: PostgresStore, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.next_quote_nonce(desk.maker, at_least=3 * PAGE + 200)
    seen = pages(capsys, 3)
    assert seen == {
        "next_nonce": 3 * PAGE + 201,
        "nonces_left": PAGE - 201,
        "missing": [4, 5],
        "made": [],
    }
    done = pages(capsys, 3, key_file)
    assert (done["made"], done["missing"]) == ([4, 5], [])
    assert done["nonces_left"] == 3 * PAGE - 201
    before = balance(desk, key_file)
    again = pages(capsys, 3, key_file)
    assert (again["made"], again["missing"]) == ([], [])
    assert 0 < balance(desk, key_file) == before < 10**10


def test_a_quote_settles_on_a_page_made_by_the_command(
    desk: SolanaDesk, store: PostgresStore, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nonce = store.next_quote_nonce(desk.maker, at_least=40 * PAGE)
    assert pages(capsys, 1)["missing"] == [40]
    pages(capsys, 1, key_file)
    intent = desk.accepted(desk.quote(nonce=nonce))
    desk.send(intent)
    desk.finalize()
    assert desk.chain().key_state(intent, at=desk.chain().snapshot()) is Answer.FOUND


def test_lamports_sent_ahead_are_no_page_and_stop_none(
    desk: SolanaDesk, store: PostgresStore, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.next_quote_nonce(desk.maker, at_least=50 * PAGE)
    page = page_address(PROGRAM, Pubkey.from_string(desk.maker), 50)
    desk.call("requestAirdrop", str(page), 10**6)
    assert pages(capsys, 1)["missing"] == [50]
    assert pages(capsys, 1, key_file)["missing"] == []


def test_nonce_accounts_are_made_for_the_signer_and_carry_payments(
    desk: SolanaDesk, store: PostgresStore, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_nonces(count=2, key=key_file, payer="", state=None, as_json=False)
    line = capsys.readouterr().out.splitlines()[0]
    name, _, value = line.partition(" = ")
    accounts = json.loads(value)
    assert (name, len(accounts)) == ("solana_nonce_accounts", 2)
    run_nonces(count=3, key=None, payer=load_key(key_file).address, state=None, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"accounts": accounts, "missing": 1}
    desk.nonce_accounts, desk._chain = tuple(accounts), None
    desk.finalize()
    intent = desk.reward()
    signed = desk.send(intent)
    desk.finalize()
    assert desk.chain().key_state(intent, at=desk.chain().snapshot()) is Answer.FOUND
    assert signed.signer == desk.actors.operator.address
    desk.nonce_accounts, desk._chain = (), None


def test_what_cannot_be_is_refused_by_name(
    desk: SolanaDesk,
    store: PostgresStore,
    key_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UsageFault, match=r"--pages must be in \[1, 64\], got 65"):
        run_pages(pages=65, key=None, state=None, as_json=False)
    with pytest.raises(UsageFault, match=r"--count must be in \[1, 64\], got 0"):
        run_nonces(count=0, key=key_file, payer="", state=None, as_json=False)
    with pytest.raises(UsageFault, match="give --key"):
        run_nonces(count=1, key=None, payer="", state=None, as_json=False)
    key_file.chmod(0o644)
    with pytest.raises(UsageFault, match="may be read by others"):
        run_pages(pages=1, key=key_file, state=None, as_json=False)
    monkeypatch.setenv("DMM_CHAINS", '["evm"]')
    settings_module.settings.cache_clear()
    with pytest.raises(UsageFault, match="does not settle on Solana"):
        run_pages(pages=1, key=None, state=None, as_json=False)


@pytest.mark.parametrize("content", ["", "[]", "[1, 2]", json.dumps([7] * 64), '"x"', "[300]"])
def test_a_file_without_a_key_is_refused_and_not_repeated(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(UsageFault, match=r"holds no key of 64 numbers$"):
        load_key(path)


def test_a_made_key_is_its_owners_alone_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    made = load_or_make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_make_key(path).address == load_key(path).address == made.address


def test_a_refusal_and_a_silence_are_told_apart(desk: SolanaDesk) -> None:
    poor = Hand(
        Node(desk.local.node.url, genesis_hash=desk.local.genesis_hash),
        Key(b"\x51" * 32),
        clock=SystemClock(),
    )
    mint = desk.book.token("DCT")
    with pytest.raises(ServiceFault, match="the cluster refuses it"):
        poor.run(give(poor.key, poor.key.public, mint, 0))
    nobody = Hand(
        Node("http://127.0.0.1:9", genesis_hash=desk.local.genesis_hash),
        poor.key,
        clock=SystemClock(),
    )
    with pytest.raises(Retryable, match="run it again"):
        nobody.run(give(poor.key, poor.key.public, mint, 0))


def test_what_was_lost_on_the_way_is_signed_anew(desk: SolanaDesk, key_file: Path) -> None:
    class Hasty(SystemClock):
        """A clock on which a blockhash is soon over."""

        def sleep_s(self, seconds: float) -> None:
            del seconds
            desk.advance(200)

    hand = Hand(
        Node(desk.local.node.url, genesis_hash=desk.local.genesis_hash),
        load_key(key_file),
        clock=Hasty(),
    )
    desk.call("dmm_inject", {"kind": "drop", "method": "sendTransaction", "times": 1})
    mint = desk.book.token("DCT")
    owners = [Key(bytes([number]) * 32).public for number in (71, 72, 73)]
    names = hand.run_all([give(hand.key, owner, mint, 0) for owner in owners])
    assert len(set(names)) == 3


def test_a_blockhash_that_ends_before_the_send_is_no_refusal(
    desk: SolanaDesk, key_file: Path
) -> None:
    hand = Hand(
        Node(desk.local.node.url, genesis_hash=desk.local.genesis_hash),
        load_key(key_file),
        clock=SystemClock(),
    )
    desk.call("dmm_inject", {"kind": "expire", "method": "sendTransaction", "times": 2})
    mint = desk.book.token("DCT")
    owners = [Key(bytes([number]) * 32).public for number in (81, 82)]
    assert len(hand.run_all([give(hand.key, owner, mint, 0) for owner in owners])) == 2
