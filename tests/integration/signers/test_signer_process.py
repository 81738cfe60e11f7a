"""The signers as processes: what they sign, what they refuse, and what they never forget.

The settlement signer has its key in a keystore or with a remote signer; the suite is the same.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from web3signer_fake import Web3SignerFake, serving

from dmm.adapters.clock import SystemClock
from dmm.adapters.evm.calls import call_of
from dmm.adapters.evm.codec import Book
from dmm.adapters.evm.sign import sign_statement
from dmm.adapters.evm.verify import quote_is_signed, statement_is_signed
from dmm.adapters.signers.remote import RemoteMethod
from dmm.adapters.signers.socket import SocketQuoteSigner, SocketSigner
from dmm.adapters.signers.wire import LINE_BYTES_MAX
from dmm.ports import Deployment, SignRequest
from dmm.rfq.netting import carrier_intent
from dmm.rfq.protocol import FirmQuote, RfqTrade
from dmm.sandbox.evm.actors import Actors, accept
from dmm.sandbox.evm.node import CHAIN_ID
from dmm.sandbox.evm.signers import signer_command
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent, Retryable
from dmm.units.time import NS_PER_S

ACTORS = Actors(bytes(range(32)))
NAMES = ("settlement", "treasury", "token:DCT", "token:TON")
DEPLOYMENTS = [
    *(
        Deployment(chain="evm", name=name, address=f"0x{index + 1:040x}", height=1, decimals=9)
        for index, name in enumerate(NAMES)
    ),
    Deployment(chain="evm", name="vault:desk", address=ACTORS.desk.address, height=1),
]
BOOK = Book(chain_id=CHAIN_ID, deployments={item.name: item for item in DEPLOYMENTS})
START_S_MAX = 30.0
NONCES = itertools.count(7)
SYSTEM_PYTHON = Path("/usr/bin/python3")


class Process:
    """One signer, started and stopped as often as a test wants."""

    def __init__(self, role: str, folder: Path, remote: tuple[str, ...] = ()) -> None:
        self.role, self.folder, self.remote = role, folder, remote
        self.socket, self.latch = folder / "s", folder / "latch"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def command(self) -> list[str]:
        words = signer_command(
            self.role,
            folder=self.folder / "own",
            socket=self.socket,
            actors=ACTORS,
            deployments=DEPLOYMENTS,
            latch=self.latch,
        )
        if not self.remote:
            return words
        for option in ("--keystore", "--password-file"):
            at = words.index(option)
            del words[at : at + 2]
        for name in ("keystore.json", "password"):
            (self.folder / "own" / name).unlink(missing_ok=True)
        return [*words, *self.remote]

    def start(self) -> None:
        self._child = subprocess.Popen(self.command(), stderr=subprocess.DEVNULL)
        until = time.monotonic() + START_S_MAX
        while not self._answers():
            assert time.monotonic() < until, "the signer did not start"
            time.sleep(0.02)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def end(self, number: signal.Signals) -> int:
        assert self._child is not None
        self._child.send_signal(number)
        return self._child.wait(10)


def running(role: str, folder: Path, remote: tuple[str, ...] = ()) -> Iterator[Process]:
    process = Process(role, folder, remote)
    process.start()
    try:
        yield process
    finally:
        process.end(signal.SIGKILL)


@pytest.fixture(scope="module", params=["keystore", *RemoteMethod])
def settlement(request: pytest.FixtureRequest) -> Iterator[Process]:
    # Not below pytest's own folder: other accounts must be able to reach the socket, to be refused.
    folder = Path(tempfile.mkdtemp(prefix="dmm-signer-"))
    folder.chmod(0o755)
    fake = Web3SignerFake(secret=ACTORS.secret("operator"), chain_id=CHAIN_ID)
    try:
        if request.param == "keystore":
            yield from running("settlement", folder)
            return
        with serving(fake) as url:
            remote = ("--remote-url", url, "--remote-address", fake.address)
            yield from running(
                "settlement", folder, (*remote, "--remote-method", str(request.param))
            )
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def quoting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    yield from running("quote", tmp_path_factory.mktemp("q"))


def request(slot: int, *, bump: int = 0, **change: Any) -> SignRequest:
    terms: dict[str, Any] = {
        "kind": IntentKind.REWARD,
        "chain": "evm",
        "contract": "treasury",
        "vault": "treasury",
        "scope": "run/liquidity",
        "epoch": 0,
        "ordinal": slot,
        "asset": "DCT",
        "recipient": ACTORS.providers[1].address,
        "amount": Atoms(1_000_003),
        "deadline_s": 1_900_000_000,
        "inputs": {},
    }
    return SignRequest(
        intent=Intent(**(terms | change)),
        generation=0,
        bump=bump,
        slot=slot,
        unit_fee_max=10**10 + bump,
        unit_tip=10**9,
        gas_max=150_000,
    )


def quote(**change: Any) -> FirmQuote:
    now_s = SystemClock().now_ns() // NS_PER_S
    terms: dict[str, Any] = {
        "chain": "evm",
        "contract": BOOK.address("settlement"),
        "maker": ACTORS.desk.address,
        "signer": ACTORS.quote_signer.address,
        "taker": ACTORS.takers[0].address,
        "maker_asset": "DCT",
        "taker_asset": "TON",
        "maker_amount": Atoms(250_000_000),
        "taker_amount": Atoms(700_000_000),
        "fee_bps": 0,
        "fee_recipient": ACTORS.desk.address,
        "expiry_s": now_s + 30,
        "settle_by_s": now_s + 300,
        # Each quote has its own: a nonce is signed for one quote only.
        "nonce": next(NONCES),
    }
    return FirmQuote(**(terms | change))


def skip_to(nonce: int) -> None:
    """Let later quotes begin at a nonce."""
    while next(NONCES) < nonce - 1:
        pass


def taken(of: FirmQuote, makers: bytes) -> RfqTrade:
    """Return a quote with both signatures."""
    acceptance, takers = accept(of, actors=ACTORS, book=BOOK)
    return RfqTrade(
        run_id="r",
        epoch=0,
        quote=of,
        maker_signature=makers,
        fair_half_ticks=1,
        issued_at_ns=1,
        acceptance=acceptance,
        taker_signature=takers,
        accepted_at_ns=2,
    )


def test_it_rebuilds_the_transaction_and_signs_it_with_its_own_key(settlement: Process) -> None:
    signer = SocketSigner(settlement.socket)
    assert signer.address("evm") == ACTORS.operator.address
    asked = request(5)
    signed = signer.sign(asked)
    assert Account.recover_transaction(signed.raw) == ACTORS.operator.address
    assert call_of(asked.intent, BOOK).data in signed.raw
    assert signed.fee_atoms_max == 150_000 * 10**10


def test_it_signs_once_per_slot_and_remembers_it_through_a_kill(settlement: Process) -> None:
    signer = SocketSigner(settlement.socket)
    first = signer.sign(request(6))
    assert signer.sign(request(6)) == first
    settlement.end(signal.SIGKILL)
    settlement.start()
    assert signer.sign(request(6)) == first
    with pytest.raises(Permanent, match="slot 6 bump 0 was signed with another payload"):
        signer.sign(request(6, recipient=ACTORS.providers[2].address))
    with pytest.raises(Permanent, match="slot 6 was signed for another intent"):
        signer.sign(replace(request(60), slot=6, bump=1))
    assert signer.sign(request(6, bump=1)).tx_id != first.tx_id


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"chain": "mainnet"}, "chain 'mainnet' is not allowed"),
        ({"contract": "governor"}, "contract 'governor' is not allowed"),
        ({"asset": "WETH"}, "asset 'WETH' has no cap"),
        ({"amount": Atoms(10**24)}, "atoms of DCT are outside"),
        ({"recipient": "0x" + "00" * 20}, "is no EVM address"),
        ({"inputs": {"burn": True}}, "carries no inputs"),
    ],
)
def test_it_refuses_what_its_policy_does_not_allow(
    settlement: Process, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(Permanent, match=words):
        SocketSigner(settlement.socket).sign(request(700, **change))


def test_neither_role_answers_for_the_other(settlement: Process, quoting: Process) -> None:
    with pytest.raises(Permanent, match="settlement signer knows no such request: 'sign_quote'"):
        SocketQuoteSigner(settlement.socket).sign_quote(quote())
    with pytest.raises(Permanent, match="settlement signer knows no such request: 'sign_state"):
        SocketQuoteSigner(settlement.socket).sign_statement(request(8).intent)
    with pytest.raises(Permanent, match="quote signer knows no such request: 'sign'"):
        SocketSigner(quoting.socket).sign(request(8))


def test_it_signs_quotes_with_the_hot_key_for_the_maker(quoting: Process) -> None:
    signer = SocketQuoteSigner(quoting.socket)
    assert signer.maker("evm") == ACTORS.desk.address
    assert signer.signer("evm") == ACTORS.quote_signer.address
    asked = quote()
    assert quote_is_signed(asked, signer.sign_quote(asked), book=BOOK)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"expiry_s": 4_000_000_000, "settle_by_s": 4_000_000_001}, "the quote lives until"),
        ({"settle_by_s": 4_000_000_001}, "the quote settles until"),
        ({"maker_amount": Atoms(10**24)}, "atoms of DCT are outside"),
        ({"maker": ACTORS.deployer.address}, "maker .* is not allowed"),
        ({"contract": "0x" + "77" * 20}, "contract .* is not allowed"),
    ],
)
def test_it_refuses_quotes_outside_its_caps(
    quoting: Process, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(Permanent, match=words):
        SocketQuoteSigner(quoting.socket).sign_quote(quote(**change))


def test_the_two_parties_of_a_batch_make_a_statement_of_it(quoting: Process) -> None:
    signer = SocketQuoteSigner(quoting.socket)
    asked = [quote(), quote()]
    trades = [taken(one, signer.sign_quote(one)) for one in asked]
    deadline_s = asked[0].settle_by_s - 100
    bare = carrier_intent(IntentKind.STATEMENT, trades, deadline_s=deadline_s, inputs={})
    makers = signer.sign_statement(bare)
    takers = sign_statement(bare, key=ACTORS.takers[0], book=BOOK)
    texts = {"maker_signature": "0x" + makers.hex(), "taker_signature": "0x" + takers.hex()}
    assert statement_is_signed(replace(bare, inputs=bare.inputs | texts), book=BOOK)
    quoting.end(signal.SIGKILL)
    quoting.start()
    assert signer.sign_statement(bare) == makers
    with pytest.raises(Permanent, match="was signed with other content"):
        signer.sign_statement(replace(bare, deadline_s=deadline_s - 1))
    skip_to(signer.next_nonce("evm"))


def test_a_nonce_that_may_have_been_signed_before_a_kill_is_never_signed_again(
    quoting: Process,
) -> None:
    signer = SocketQuoteSigner(quoting.socket)
    first = quote()
    signature = signer.sign_quote(first)
    assert signer.sign_quote(first) == signature
    assert signer.next_nonce("evm") == first.nonce + 1
    with pytest.raises(Permanent, match=f"nonce {first.nonce} .* the next is {first.nonce + 1}"):
        signer.sign_quote(replace(first, maker_amount=Atoms(first.maker_amount - 1)))
    quoting.end(signal.SIGKILL)
    quoting.start()
    after = signer.next_nonce("evm")
    assert after > first.nonce
    for nonce in (first.nonce, after - 1):
        with pytest.raises(Permanent, match="is spent"):
            signer.sign_quote(quote(nonce=nonce))
    skip_to(after)
    signer.sign_quote(quote())
    assert signer.next_nonce("evm") == after + 1


def test_a_latch_stops_both_and_its_removal_lets_them_go_on(
    settlement: Process, quoting: Process
) -> None:
    for process in (settlement, quoting):
        process.latch.touch()
    try:
        with pytest.raises(Retryable, match="the kill switch holds"):
            SocketSigner(settlement.socket).sign(request(9))
        with pytest.raises(Retryable, match="the kill switch holds"):
            SocketQuoteSigner(quoting.socket).sign_quote(quote())
        assert SocketSigner(settlement.socket).address("evm") == ACTORS.operator.address
    finally:
        for process in (settlement, quoting):
            process.latch.unlink()
    SocketSigner(settlement.socket).sign(request(9))
    SocketQuoteSigner(quoting.socket).sign_quote(quote())


def test_only_its_own_account_may_open_the_socket(settlement: Process) -> None:
    assert stat.S_IMODE(settlement.socket.stat().st_mode) == 0o600
    own = settlement.folder / "own"
    kept = {"policy.toml", "register.sqlite", "witness"}
    secret = set() if settlement.remote else {"keystore.json", "password"}
    assert {path.name for path in own.iterdir()} == kept | secret
    assert {stat.S_IMODE(path.stat().st_mode) for path in own.iterdir()} == {0o600}


@pytest.mark.skipif(
    os.getuid() != 0 or not SYSTEM_PYTHON.exists(),
    reason="only root can speak as another account, through a Python that account can run",
)
def test_another_account_is_turned_away_even_through_an_open_socket(settlement: Process) -> None:
    speak = (
        "import socket, sys\n"
        "link = socket.socket(socket.AF_UNIX)\n"
        "link.connect(sys.argv[1])\n"
        'link.sendall(b\'{"op":"address","chain":"evm"}\\n\')\n'
        "print(link.recv(100))\n"
    )
    settlement.socket.chmod(0o666)
    answers = []
    try:
        for user in (0, 65_534):
            done = subprocess.run(
                [str(SYSTEM_PYTHON), "-c", speak, str(settlement.socket)],
                user=user,
                capture_output=True,
                text=True,
                check=False,
            )
            answers.append(ACTORS.operator.address in done.stdout)
    finally:
        settlement.socket.chmod(0o600)
    assert answers == [True, False]


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b"[]\n", b'{"op":"sign"}\n', b'{"op":"export_key"}\n', b"{}\n"]
)
def test_nonsense_is_refused_and_the_signer_goes_on(settlement: Process, line: bytes) -> None:
    assert b'"refused"' in talk(settlement, line)
    assert SocketSigner(settlement.socket).address("evm")


def test_a_line_without_an_end_is_cut_off(settlement: Process) -> None:
    assert b'"refused"' in talk(settlement, b"x" * (LINE_BYTES_MAX + 1))
    assert SocketSigner(settlement.socket).address("evm")


def talk(process: Process, line: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect(str(process.socket))
        link.sendall(line)
        return link.recv(LINE_BYTES_MAX)


def test_a_signer_that_is_not_there_may_be_asked_later(tmp_path: Path) -> None:
    with pytest.raises(Retryable, match="does not answer"):
        SocketSigner(tmp_path / "none").sign(request(1))


def test_a_signer_that_hangs_up_may_be_asked_later(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as rude:
        rude.bind(str(tmp_path / "s"))
        rude.listen()
        rude.settimeout(5)
        client = SocketSigner(tmp_path / "s")

        def hang_up() -> None:
            link, _ = rude.accept()
            link.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(Retryable, match="does not answer"):
            client.address("evm")
        thread.join()


@pytest.mark.parametrize("settlement", ["keystore"], indirect=True)
def test_a_second_signer_on_the_same_socket_is_refused(settlement: Process) -> None:
    done = subprocess.run(
        settlement.command(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "another signer listens" in done.stderr


def test_a_clock_of_the_chain_may_not_open_tomorrow_s_caps(settlement: Process) -> None:
    # What leaves today fills the cap; a request that claims another day gets no more of it.
    signer = SocketSigner(settlement.socket)
    each, day_s = 10**6 * 10**9, 86_400
    now_s = SystemClock().now_ns() // NS_PER_S
    left = [request(800 + i, asset="TON", amount=Atoms(each)) for i in range(10)]
    for one in left:
        signer.sign(one)
    for ahead_days in (-1, 0, 1, 400):
        claim = replace(
            request(820, asset="TON", amount=Atoms(1)), chain_time_s=now_s + ahead_days * day_s
        )
        with pytest.raises(Permanent, match="exceed the day's cap: 0 are left"):
            signer.sign(claim)


def test_it_stops_when_asked_and_removes_its_socket(tmp_path: Path) -> None:
    process = Process("quote", tmp_path)
    process.start()
    assert process.end(signal.SIGTERM) == 0
    assert not process.socket.exists()
