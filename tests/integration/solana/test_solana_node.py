"""The local node's own promises: commitments, expiry, forks, faults, restarts, notifications."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import signal
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from solana.exceptions import SolanaRpcException
from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.core import RPCException, TransactionExpiredBlockheightExceededError
from solana.rpc.types import TxOpts
from solana.rpc.websocket_api import connect
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import (
    AdvanceNonceAccountParams,
    TransferParams,
    advance_nonce_account,
    create_nonce_account,
    transfer,
)
from solders.transaction import VersionedTransaction

from dmm.sandbox.process import free_port
from dmm.sandbox.solana.chain import JOURNAL_FILE, Pace
from dmm.sandbox.solana.node import MULTISIG, PROGRAM, SolanaNode, local_programs
from dmm.units.errors import ServiceFault
from tests.integration.solana.conftest import ROOT, key

MANUAL = Pace(slot_ms=0)
SYSTEM = Pubkey.default()


class Bench:
    """A chain and, in each test, other people on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.open()
        self.node.call("dmm_advance", 100)
        self.meet("nobody yet")

    def open(self) -> None:
        self.node = SolanaNode(folder=self.folder, programs=local_programs(ROOT), pace=MANUAL)
        self.node.start()
        self.client = Client(self.node.url, Processed)

    def meet(self, test: str) -> None:
        """Let a new, rich payer and a new receiver come; no fault waits, a new slot begins."""
        self.payer, self.other = key(f"payer {test}"), key(f"other {test}").pubkey()
        self.node.call("dmm_clearFaults")
        self.advance(1)
        self.client.request_airdrop(self.payer.pubkey(), 10**12)

    def payment(
        self, lamports: int, blockhash: Hash | None = None, *, payer: Keypair | None = None
    ) -> VersionedTransaction:
        who = payer or self.payer
        pay = TransferParams(from_pubkey=who.pubkey(), to_pubkey=self.other, lamports=lamports)
        found = blockhash or self.client.get_latest_blockhash(Processed).value.blockhash
        message = MessageV0.try_compile(who.pubkey(), [transfer(pay)], [], found)
        return VersionedTransaction(message, [who])

    def send(self, transaction: VersionedTransaction, *, preflight: bool = False) -> Signature:
        options = TxOpts(skip_preflight=not preflight, preflight_commitment=Processed)
        return self.client.send_transaction(transaction, options).value

    def received(self, commitment: Any = Processed) -> int:
        return self.client.get_balance(self.other, commitment).value

    def status(self, wanted: Signature) -> Any:
        return self.client.get_signature_statuses([wanted]).value[0]

    def advance(self, slots: int) -> None:
        self.node.call("dmm_advance", slots)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("shared"))
    try:
        yield made
    finally:
        made.node.stop()


@pytest.fixture
def bench(shared: Bench, request: pytest.FixtureRequest) -> Bench:
    """Return the node that most tests share."""
    shared.meet(request.node.name)
    return shared


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Bench]:
    """Return a node of the test's own, which it may end."""
    made = Bench(tmp_path)
    try:
        yield made
    finally:
        made.node.stop()


def test_a_commitment_is_as_old_as_it_says(bench: Bench) -> None:
    sent = bench.send(bench.payment(5))
    levels = (Processed, Confirmed, Finalized)
    assert [bench.received(level) for level in levels] == [5, 0, 0]
    assert "Processed" in str(bench.status(sent).confirmation_status)
    bench.advance(1)
    assert [bench.received(level) for level in levels] == [5, 5, 0]
    bench.advance(30)
    assert bench.received(Finalized) == 0
    bench.advance(1)
    assert [bench.received(level) for level in levels] == [5, 5, 5]
    assert "Finalized" in str(bench.status(sent).confirmation_status)


def test_a_blockhash_lives_150_slots_and_no_longer(bench: Bench) -> None:
    found = bench.client.get_latest_blockhash(Processed).value.blockhash
    bench.advance(150)
    bench.send(bench.payment(1, found), preflight=True)
    bench.advance(1)
    with pytest.raises(RPCException, match="BlockhashNotFound"):
        bench.send(bench.payment(2, found), preflight=True)
    # Without a preflight the node says nothing and the transaction never lands.
    lost = bench.send(bench.payment(2, found))
    assert bench.status(lost) is None
    assert bench.received() == 1


def test_the_client_sees_a_transaction_expire(bench: Bench) -> None:
    latest = bench.client.get_latest_blockhash(Processed).value
    bench.node.call("dmm_inject", {"kind": "drop", "method": "sendTransaction"})
    lost = bench.send(bench.payment(5, latest.blockhash))
    later = threading.Timer(0.1, bench.advance, [200])
    later.start()
    with pytest.raises(TransactionExpiredBlockheightExceededError):
        bench.client.confirm_transaction(lost, Processed, 0.01, latest.last_valid_block_height)
    later.join()


def test_the_same_bytes_run_once(bench: Bench) -> None:
    transaction = bench.payment(5)
    first, second = bench.send(transaction), bench.send(transaction)
    assert first == second
    with pytest.raises(RPCException, match="AlreadyProcessed"):
        bench.send(transaction, preflight=True)
    assert bench.received() == 5


def test_unsigned_oversized_and_broken_transactions_are_refused(bench: Bench) -> None:
    good = bench.payment(5)
    forged = VersionedTransaction.populate(good.message, [Signature(b"\1" * 64)])
    with pytest.raises(RPCException, match="TransactionSignatureVerificationFailure"):
        bench.send(forged)
    wide = Instruction(PROGRAM, bytes(1_200), [AccountMeta(bench.other, False, True)])
    blockhash = bench.client.get_latest_blockhash(Processed).value.blockhash
    message = MessageV0.try_compile(bench.payer.pubkey(), [wide], [], blockhash)
    with pytest.raises(RPCException, match="too large: 1405 bytes"):
        bench.send(VersionedTransaction(message, [bench.payer]))
    with pytest.raises(ServiceFault, match="deserialize"):
        bench.node.call("sendTransaction", "AAAA", {"encoding": "base64"})
    with pytest.raises(ServiceFault, match="Invalid param"):
        bench.node.call("getBalance", "no key")
    with pytest.raises(ServiceFault, match="faucet"):
        bench.node.call("requestAirdrop", str(bench.other), 0)


def test_our_program_s_refusal_comes_with_its_number(bench: Bench) -> None:
    blockhash = bench.client.get_latest_blockhash(Processed).value.blockhash
    call = Instruction(PROGRAM, b"\0" * 8, [])
    message = MessageV0.try_compile(bench.payer.pubkey(), [call], [], blockhash)
    transaction = VersionedTransaction(message, [bench.payer])
    with pytest.raises(RPCException, match="custom program error: 0x17d4"):
        bench.send(transaction, preflight=True)
    landed = bench.send(transaction)
    assert "6100" in str(bench.status(landed).err)


def test_a_transaction_s_record_holds_calls_tokens_and_fee(bench: Bench) -> None:
    bench.advance(1)
    mint, owner = key("mint").pubkey(), bench.payer.pubkey()
    token = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")

    def put(address: Pubkey, data: bytes) -> None:
        account = {
            "lamports": 10**9,
            "owner": str(token),
            "data": base64.b64encode(data).decode(),
        }
        bench.node.call("dmm_setAccount", str(address), account)

    put(mint, struct.pack("<I", 0) + bytes(32) + struct.pack("<QBB", 100, 2, 1) + bytes(36))
    one, two = key("one").pubkey(), key("two").pubkey()
    for address, amount in ((one, 100), (two, 0)):
        body = bytes(mint) + bytes(owner) + struct.pack("<Q", amount) + bytes(36)
        put(address, body + b"\1" + bytes(56))
    move = Instruction(
        token,
        b"\3" + struct.pack("<Q", 30),
        [
            AccountMeta(one, False, True),
            AccountMeta(two, False, True),
            AccountMeta(owner, True, False),
        ],
    )
    # Through the multisig program the transfer is an inner call.
    digest = hashlib.sha256(bytes(owner)).digest()
    vault, bump = Pubkey.find_program_address([b"vault", b"\1", digest], MULTISIG)
    outer = Instruction(
        MULTISIG,
        bytes([bump, 1, 1]) + bytes(move.data),
        [
            AccountMeta(owner, True, False),
            AccountMeta(vault, False, False),
            AccountMeta(token, False, False),
            *move.accounts,
        ],
    )
    blockhash = bench.client.get_latest_blockhash(Processed).value.blockhash
    message = MessageV0.try_compile(owner, [move, outer], [], blockhash)
    sent = bench.send(VersionedTransaction(message, [bench.payer]))
    found = bench.node.call(
        "getTransaction",
        str(sent),
        {"encoding": "json", "commitment": "processed", "maxSupportedTransactionVersion": 0},
    )
    meta = found["meta"]
    assert meta["fee"] == 5_000
    assert meta["err"] is None
    for name, expected in (("preTokenBalances", [0, 100]), ("postTokenBalances", [40, 60])):
        assert sorted(int(one["uiTokenAmount"]["amount"]) for one in meta[name]) == expected
        assert {one["owner"] for one in meta[name]} == {str(owner)}
    (inner,) = meta["innerInstructions"]
    assert inner["index"] == 1
    assert inner["instructions"][0]["stackHeight"] == 2


def test_a_fork_takes_back_what_was_not_final(bench: Bench) -> None:
    bench.send(bench.payment(5))
    bench.advance(3)
    payment = bench.payment(7)
    lost = bench.send(payment)
    bench.advance(2)
    blockhash = bench.client.get_latest_blockhash(Processed).value.blockhash
    slot = bench.client.get_slot(Processed).value
    assert bench.node.call("dmm_fork", 3) == [str(lost)]
    assert bench.received() == 5
    assert bench.status(lost) is None
    # What stood on the lost fork is no ground for a new transaction; older ground is.
    with pytest.raises(RPCException, match="BlockhashNotFound"):
        bench.send(bench.payment(1, blockhash), preflight=True)
    with pytest.raises(ServiceFault, match="skipped"):
        bench.node.call("getBlock", slot, {"commitment": "processed"})
    bench.advance(1)
    bench.send(bench.payment(7), preflight=True)
    assert bench.received() == 12


def test_a_transaction_older_than_the_fork_can_land_again(bench: Bench) -> None:
    ground = bench.client.get_latest_blockhash(Processed).value.blockhash
    bench.advance(5)
    transaction = bench.payment(7, ground)
    sent = bench.send(transaction)
    bench.advance(1)
    bench.node.call("dmm_fork", 2)
    assert bench.received() == 0
    assert bench.send(transaction, preflight=True) == sent
    assert bench.received() == 7


@pytest.mark.parametrize("depth", [0, 32, 1_000])
def test_no_fork_reaches_what_is_final(bench: Bench, depth: int) -> None:
    with pytest.raises(ServiceFault, match="1 to 31 slots deep"):
        bench.node.call("dmm_fork", depth)


def inject(bench: Bench, kind: str, method: str = "sendTransaction", **more: int) -> None:
    bench.node.call("dmm_inject", {"kind": kind, "method": method, **more})


def test_a_lost_reply_is_a_transaction_that_landed(bench: Bench) -> None:
    inject(bench, "lose_reply")
    transaction = bench.payment(5)
    with pytest.raises(SolanaRpcException):
        bench.send(transaction)
    assert bench.received() == 5
    assert bench.send(transaction) == transaction.signatures[0]
    assert bench.received() == 5


def test_a_delayed_transaction_lands_later_and_an_expired_one_never(bench: Bench) -> None:
    inject(bench, "delay", slots=4)
    late = bench.send(bench.payment(5))
    bench.advance(3)
    assert bench.status(late) is None
    bench.advance(1)
    assert bench.received() == 5
    inject(bench, "expire")
    with pytest.raises(RPCException, match="BlockhashNotFound"):
        bench.send(bench.payment(6), preflight=True)
    inject(bench, "duplicate")
    bench.send(bench.payment(7))
    assert bench.received() == 12


def test_a_delayed_transaction_that_was_sent_again_runs_once(bench: Bench) -> None:
    inject(bench, "delay", slots=4)
    transaction = bench.payment(5)
    bench.send(transaction)
    bench.send(transaction)
    assert bench.received() == 5
    bench.advance(10)
    assert bench.received() == 5


def test_a_delayed_transaction_whose_blockhash_is_over_never_lands(bench: Bench) -> None:
    inject(bench, "delay", slots=151)
    lost = bench.send(bench.payment(5))
    bench.advance(160)
    assert bench.status(lost) is None
    assert bench.received() == 0


class Nonce:
    """A nonce account, and payments that name its value of the moment."""

    def __init__(self, own: Bench) -> None:
        self.own, self.key, who = own, key("nonce"), own.payer.pubkey()
        blockhash = own.client.get_latest_blockhash(Processed).value.blockhash
        rent = own.client.get_minimum_balance_for_rent_exemption(80).value
        made = create_nonce_account(who, self.key.pubkey(), who, rent)
        message = MessageV0.try_compile(who, list(made), [], blockhash)
        own.send(VersionedTransaction(message, [own.payer, self.key]), preflight=True)
        own.advance(1)

    def value(self) -> Hash:
        found = self.own.client.get_account_info(self.key.pubkey(), Processed).value
        return Hash(bytes(found.data)[40:72])

    def payment(self, lamports: int, *, first: bool = True) -> VersionedTransaction:
        who = self.own.payer.pubkey()
        params = AdvanceNonceAccountParams(nonce_pubkey=self.key.pubkey(), authorized_pubkey=who)
        pay = TransferParams(from_pubkey=who, to_pubkey=self.own.other, lamports=lamports)
        calls = [advance_nonce_account(params), transfer(pay)]
        found = MessageV0.try_compile(who, calls if first else calls[::-1], [], self.value())
        return VersionedTransaction(found, [self.own.payer])


def test_a_durable_nonce_outlives_blockhashes_and_counts_once(own: Bench) -> None:
    nonce = Nonce(own)
    first, sibling = nonce.payment(5), nonce.payment(7)
    own.advance(400)
    own.send(first, preflight=True)
    with pytest.raises(RPCException, match="BlockhashNotFound"):
        own.send(sibling, preflight=True)
    own.node.stop()
    own.open()
    own.advance(1)
    own.send(nonce.payment(6), preflight=True)
    assert own.received() == 11


def test_a_durable_nonce_moves_on_under_a_transaction_that_failed(own: Bench) -> None:
    nonce = Nonce(own)
    before, too_much = nonce.value(), nonce.payment(10**17)
    failed = own.send(too_much)
    assert own.status(failed).err is not None
    assert nonce.value() != before
    own.advance(1)
    assert own.send(too_much) == failed
    with pytest.raises(RPCException, match="AlreadyProcessed"):
        own.send(too_much, preflight=True)


def test_a_durable_nonce_counts_in_the_first_instruction_and_once_a_block(own: Bench) -> None:
    nonce = Nonce(own)
    with pytest.raises(RPCException, match="BlockhashNotFound"):
        own.send(nonce.payment(5, first=False), preflight=True)
    own.send(nonce.payment(5), preflight=True)
    with pytest.raises(RPCException, match="BlockhashNotFound"):
        own.send(nonce.payment(6), preflight=True)
    own.advance(1)
    own.send(nonce.payment(6), preflight=True)
    assert own.received() == 11


def test_a_fork_gives_a_durable_nonce_other_values(own: Bench) -> None:
    nonce = Nonce(own)
    own.send(nonce.payment(5), preflight=True)
    own.advance(1)
    lost = nonce.payment(6)
    own.node.call("dmm_fork", 2)
    own.send(nonce.payment(7), preflight=True)
    own.advance(1)
    with pytest.raises(RPCException, match="BlockhashNotFound"):
        own.send(lost, preflight=True)
    assert own.received() == 7


def test_nodes_that_lag_forget_lie_or_refuse(bench: Bench) -> None:
    bench.send(bench.payment(5))
    bench.advance(10)
    inject(bench, "lag", "getBalance", slots=20)
    assert [bench.received(), bench.received()] == [0, 5]
    inject(bench, "lie", "getBalance")
    assert bench.received() == 5 + 10**9
    truth = bench.client.get_genesis_hash().value
    inject(bench, "lie", "getGenesisHash")
    assert bench.client.get_genesis_hash().value != truth
    inject(bench, "forget", "getAccountInfo")
    assert bench.client.get_account_info(bench.other, Processed).value is None
    slot = bench.client.get_slot(Processed).value
    inject(bench, "refuse", "getSlot", slots=42, times=2)
    for _ in range(2):
        with pytest.raises(RPCException, match="behind by 42 slots"):
            bench.client.get_slot()
    assert bench.client.get_slot(Processed).value == slot
    inject(bench, "drop", times=10)
    bench.node.call("dmm_clearFaults")
    bench.send(bench.payment(6))
    assert bench.received() == 11


def test_senseless_faults_are_refused(bench: Bench) -> None:
    for fault in ({"kind": "vanish", "method": "getSlot"}, {"kind": "drop"}, {}):
        with pytest.raises(ServiceFault, match="no fault"):
            bench.node.call("dmm_inject", fault)
    with pytest.raises(ServiceFault, match="1 to 10000 calls"):
        inject(bench, "drop", times=0)


def test_the_clock_is_what_it_is_set_to(bench: Bench) -> None:
    bench.node.call("dmm_setTime", 2_000_000_000)
    slot = bench.client.get_slot(Processed).value
    assert bench.client.get_block_time(slot).value == 2_000_000_000
    bench.advance(10)
    # Ten slots of 400 ms.
    assert bench.client.get_block_time(slot + 10).value == 2_000_000_004


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_chain_survives_the_end_of_its_node(own: Bench, how: signal.Signals) -> None:
    kept = own.send(own.payment(5))
    own.advance(3)
    own.send(own.payment(6))
    own.node.call("dmm_fork", 2)
    own.node.call("dmm_setTime", 2_000_000_000)
    own.send(own.payment(7))
    genesis, slot = own.client.get_genesis_hash(), own.client.get_slot(Processed)
    if how is signal.SIGKILL:
        os.kill(own.node.pid, how)
    own.node.stop()
    # A kill may cut the last line off.
    with (own.folder / JOURNAL_FILE).open("ab") as journal:
        journal.write(b'{"op":"give","slot":')
    own.open()
    assert own.client.get_genesis_hash() == genesis
    assert own.client.get_slot(Processed) == slot
    assert own.received() == 12
    assert own.status(kept).err is None
    own.send(own.payment(8), preflight=True)
    own.node.stop()
    own.open()
    assert own.received() == 20


def test_a_folder_of_another_chain_is_refused(own: Bench) -> None:
    own.node.stop()
    other = SolanaNode(folder=own.folder, programs={}, pace=MANUAL)
    with pytest.raises(ServiceFault, match="other programs or another pace"):
        other.start()
    (own.folder / JOURNAL_FILE).write_bytes(b"{}\nnonsense\n{}\n")
    with pytest.raises(ServiceFault, match=r"other programs|unreadable"):
        own.open()


def test_a_missing_program_and_a_port_in_use_are_named(tmp_path: Path, bench: Bench) -> None:
    lost = SolanaNode(folder=tmp_path / "b", programs={PROGRAM: tmp_path / "none.so"})
    with pytest.raises(ServiceFault, match=r"none\.so"):
        lost.start()
    port = int(bench.node.url.rsplit(":", 1)[1])
    taken = SolanaNode(folder=tmp_path / "c", programs={}, port=port)
    with pytest.raises(ServiceFault, match=f"port {port}"):
        taken.start()


def test_slots_pass_by_themselves(tmp_path: Path) -> None:
    pace = Pace(slot_ms=10, finalized_slots=8)
    with SolanaNode(folder=tmp_path, programs={}, pace=pace, port=free_port()) as node:
        client, who = Client(node.url), key("who").pubkey()
        given = client.request_airdrop(who, 9).value
        client.confirm_transaction(given, Finalized, 0.02)
        assert client.get_balance(who, Finalized).value == 9


def test_subscribers_hear_when_their_commitment_is_reached(bench: Bench) -> None:
    async def listen() -> None:
        async with connect(bench.node.websocket_url) as socket:
            await socket.account_subscribe(bench.other, Confirmed, "base64")
            await socket.recv()
            payment = bench.payment(5)
            await socket.signature_subscribe(payment.signatures[0], Finalized)
            await socket.recv()
            await socket.logs_subscribe(commitment=Processed)
            await socket.recv()
            bench.send(payment)
            log = await asyncio.wait_for(socket.recv(), 5)
            assert log[0].result.value.signature == payment.signatures[0]
            bench.advance(1)
            account = await asyncio.wait_for(socket.recv(), 5)
            assert account[0].result.value.lamports == 5
            bench.advance(40)
            done = await asyncio.wait_for(socket.recv(), 5)
            assert done[0].result.value.err is None

    asyncio.run(listen())


def test_nobody_hears_of_what_a_fork_took_back(bench: Bench) -> None:
    async def listen() -> None:
        async with connect(bench.node.websocket_url) as socket:
            await socket.program_subscribe(SYSTEM, Finalized, "base64")
            await socket.recv()
            bench.advance(1)
            bench.send(bench.payment(5))
            bench.advance(1)
            bench.node.call("dmm_fork", 2)
            bench.advance(40)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(socket.recv(), 0.5)

    asyncio.run(listen())


def test_bad_requests_are_answered_and_the_node_goes_on(bench: Bench) -> None:
    url = bench.node.url
    assert httpx.post(url, content=b"{").json()["error"]["code"] == -32700
    assert httpx.post(url, json=[]).json()["error"]["code"] == -32600
    assert httpx.post(url, json=3).json()["error"]["code"] == -32600
    call = {"jsonrpc": "2.0", "id": 4, "method": "getSlot"}
    assert [one["id"] for one in httpx.post(url, json=[call, call]).json()] == [4, 4]
    named = httpx.post(url, json={**call, "params": {"a": 1}}).json()
    assert named["error"]["code"] == -32602
    assert httpx.post(url, json={**call, "method": "_call"}).json()["error"]["code"] == -32601
    assert httpx.post(url, content=b" " * 1_100_000).status_code == 413
    assert bench.node.is_healthy()
