"""The local TON chain as unmodified clients see it, and what it does when things go wrong."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from pytoniq import Contract, LiteBalancer
from pytoniq.liteclient.client import LiteServerError, RunGetMethodError
from pytoniq_core import Address, begin_cell

from dmm.sandbox.ton import cells
from dmm.sandbox.ton.node import TonNode
from dmm.units.errors import ServiceFault, UsageFault
from tests.integration.ton.conftest import ROOT, TON1, client, fresh, run, wallet

BUILD = ROOT / "contracts" / "ton" / "build"
NOBODY = "0:" + "99" * 32
SOMEBODY, FUNDED, WAITING = ("0:" + digits * 32 for digits in ("77", "66", "55"))


async def vault(node: TonNode, made: Any, owner: Any) -> Address:
    """Deploy a settlement vault through a wallet."""
    account = int.from_bytes(owner.address.hash_part, "big")
    data = cells.vault_data(
        signer=bytes(range(32)),
        lifetime_s_max=600,
        authority=account,
        operator=account,
        guardian=account,
    )
    at, init = cells.state_init(cells.code_of(BUILD, "Settlement"), data)
    await owner.transfer(
        destination=cells.at(at),
        amount=10 * TON1,
        body=cells.op(cells.OP_DEPOSIT_TON),
        state_init=init,
    )
    await fresh(node, made)
    return cells.at(at)


def bounceable(address: Address) -> str:
    return str(address.to_str(is_bounceable=True))


def unsigned(owner: Any) -> bytes:
    """Return a message to a wallet that nobody signed."""
    body = begin_cell().store_bytes(b"sign" + bytes(100)).end_cell()
    message = Contract.create_external_msg(dest=owner.address, body=body)
    return bytes(message.serialize().to_boc())


def test_an_unmodified_wallet_lives_on_the_chain(node: TonNode) -> None:
    async def work() -> None:
        async with client(node) as made:
            owner = await wallet(node, made, seed=3)
            assert owner.is_active
            await owner.transfer(destination=SOMEBODY, amount=5 * TON1)
            await fresh(node, made)
            await owner.transfer(destination=bounceable(Address(NOBODY)), amount=5 * TON1)
            await fresh(node, made)
            assert (await made.get_account_state(SOMEBODY)).balance == 5 * TON1
            # A bounceable message to an account without code comes back.
            assert (await made.get_account_state(NOBODY)).balance == 0
            assert (await made.get_account_state(NOBODY)).state.type_ == "uninitialized"
            history = await made.get_transactions(owner.address, 10)
            assert [tx.lt for tx in history] == sorted((tx.lt for tx in history), reverse=True)
            assert history[-1].prev_trans_lt == 0
            older = await made.get_transactions(
                owner.address, 1, history[1].lt, history[1].cell.hash
            )
            assert older[0].lt == history[1].lt

    run(work)


def test_a_getter_answers_as_of_the_block_that_was_asked_for(node: TonNode) -> None:
    async def work() -> None:
        async with client(node) as made:
            owner = await wallet(node, made, seed=4)
            at = await vault(node, made, owner)
            before = made.last_mc_block
            free = (await made.run_get_method(at, "vault", []))[3]
            assert free == 10 * TON1 - 20_000_000
            await owner.transfer(
                destination=at, amount=2 * TON1, body=cells.op(cells.OP_DEPOSIT_TON)
            )
            await fresh(node, made)
            assert (await made.run_get_method(at, "vault", []))[3] == free + 2 * TON1 - 20_000_000
            assert (await made.run_get_method(at, "vault", [], before))[3] == free
            state, _ = await made.raw_get_account_state(at, before)
            assert 10 * TON1 - 20_000_000 < state.storage.balance.grams < 10 * TON1

    run(work)


def test_a_chain_of_messages_takes_a_block_a_hop(node: TonNode) -> None:
    async def work() -> None:
        async with client(node) as made:
            owner = await wallet(node, made, seed=5)
            at = await vault(node, made, owner)
            # An unknown operation bounces: wallet, vault, wallet again.
            await owner.transfer(destination=bounceable(at), amount=TON1, body=cells.op(0x1234))
            await fresh(node, made)
            sent, blocks_sent = await made.raw_get_transactions(owner.address, 3)
            refused, blocks_refused = await made.raw_get_transactions(at, 1)
            assert refused[0].description.compute_ph.exit_code == 0xFFFF
            assert blocks_sent[1].seqno < blocks_refused[0].seqno < blocks_sent[0].seqno
            assert sent[1].lt < refused[0].lt < sent[0].lt
            assert sent[0].in_msg.info.bounced

    run(work)


def test_blocks_are_found_by_number_and_time_and_name_the_one_before(node: TonNode) -> None:
    async def work() -> None:
        async with client(node) as made:
            node.advance(5)
            later = node.advance(4)
            await fresh(node, made)
            named, header = await made.lookup_block(-1, -(2**63), seqno=later["seqno"])
            assert header.info.gen_utime == later["time_s"]
            _, earlier = await made.lookup_block(-1, -(2**63), utime=later["time_s"] - 1)
            assert earlier.info.seqno == later["seqno"] - 1
            previous, _ = await made.lookup_block(-1, -(2**63), seqno=later["seqno"] - 1)
            assert header.info.prev_ref.prev.root_hash == previous.root_hash
            again = await made.raw_get_block_header(named)
            assert again.info.seqno == named.seqno
            with pytest.raises(LiteServerError, match="no such block"):
                await made.lookup_block(-1, -(2**63), seqno=10**6)

    run(work)


def test_an_account_without_code_has_no_getters(node: TonNode) -> None:
    async def work() -> None:
        async with client(node) as made:
            with pytest.raises(RunGetMethodError) as caught:
                await made.run_get_method(NOBODY, "vault", [])
            assert caught.value.exit_code == -256
            node.fund(FUNDED, TON1)
            await fresh(node, made)
            assert (await made.get_account_state(FUNDED)).balance == TON1
            with pytest.raises(RunGetMethodError) as caught:
                await made.run_get_method(FUNDED, "vault", [])
            assert caught.value.exit_code == -256

    run(work)


def test_a_message_that_its_account_refuses_is_refused_at_once(node: TonNode) -> None:
    async def work() -> None:
        async with client(node) as made:
            owner = await wallet(node, made, seed=6)
            seqno = await owner.get_seqno()
            with pytest.raises(LiteServerError, match="cannot apply external message"):
                await made.raw_send_message(unsigned(owner))
            for junk in (b"", b"\x00" * 7, begin_cell().store_uint(1, 8).end_cell().to_boc()):
                with pytest.raises(LiteServerError):
                    await made.raw_send_message(junk)
            assert await owner.get_seqno() == seqno

    run(work)


def test_a_balancer_goes_on_without_a_deaf_server_and_sees_a_stale_one(node: TonNode) -> None:
    async def work() -> None:
        balancer = LiteBalancer.from_config(node.config, trust_level=2, timeout=2)
        await balancer.start_up()
        try:
            assert balancer.alive_peers_num == 3
            node.fund(SOMEBODY, TON1)
            node.set_server(0, is_deaf=True)
            balancer.set_max_retries(3)
            for peer in balancer._peers:
                peer.timeout = 1
            assert (await balancer.get_masterchain_info())["last"]["seqno"] > 0
        finally:
            node.set_server(0)
            await balancer.close_all()
        node.set_server(1, behind=5)
        async with client(node, 1) as stale, client(node, 2) as good:
            assert stale.last_mc_block.seqno <= good.last_mc_block.seqno - 4
            with pytest.raises(LiteServerError, match="is not known here"):
                await stale.raw_get_account_state(SOMEBODY, good.last_mc_block)

    run(work)


def test_a_lost_message_never_arrives_and_the_same_bytes_may_be_sent_again(node: TonNode) -> None:
    async def work() -> None:
        async with client(node) as made:
            owner = await wallet(node, made, seed=8)
            seqno = await owner.get_seqno()
            node.set_faults(lost_per_mille=1_000)
            await owner.transfer(destination=SOMEBODY, amount=TON1)
            await fresh(node, made)
            assert await owner.get_seqno() == seqno
            node.set_faults()
            await owner.transfer(destination=SOMEBODY, amount=TON1)
            await fresh(node, made)
            assert await owner.get_seqno() == seqno + 1

    run(work)


def test_held_back_messages_arrive_later(node: TonNode) -> None:
    async def work() -> None:
        async with client(node) as made:
            node.set_faults(held_per_mille=1_000)
            node.fund(WAITING, TON1)
            first = node.seal()
            assert not node.seal()["is_idle"]
            assert (await made.get_account_state(WAITING)).balance == 0
            node.set_faults()
            await fresh(node, made)
            assert (await made.get_account_state(WAITING)).balance == TON1
            assert made.last_mc_block.seqno > first["seqno"]

    run(work)


def test_a_killed_chain_goes_on_where_it_was(packages: Path, folder: Path) -> None:
    async def before(node: TonNode) -> tuple[Any, int, bytes]:
        async with client(node) as made:
            owner = await wallet(node, made, seed=9)
            at = await vault(node, made, owner)
            with pytest.raises(LiteServerError, match="cannot apply external message"):
                await made.raw_send_message(unsigned(owner))
            await owner.transfer(destination=at, amount=TON1, body=cells.op(cells.OP_DEPOSIT_TON))
            await fresh(node, made)
            return at, made.last_mc_block.seqno, made.last_mc_block.root_hash

    node = TonNode(root=ROOT, folder=folder, tick_ms=40, idle_ms=100_000)
    node.start()
    at, seqno, root_hash = run(lambda: before(node))
    os.kill(node.pid, signal.SIGKILL)
    node.stop()
    journal = folder / "journal.jsonl"
    # The line under way when the process died is cut off.
    journal.write_text(journal.read_text(encoding="utf-8") + '{"kind":"seal","no', encoding="utf-8")
    with TonNode(root=ROOT, folder=folder, tick_ms=40, idle_ms=100_000) as again:

        async def after() -> None:
            async with client(again) as made:
                named, _ = await made.lookup_block(-1, -(2**63), seqno=seqno)
                assert named.root_hash == root_hash
                assert (await made.run_get_method(at, "vault", []))[3] == 11 * TON1 - 40_000_000

        run(after)


def test_noise_on_the_port_disturbs_nobody(node: TonNode) -> None:
    port = node.config["liteservers"][0]["port"]
    for noise in (b"", b"GET / HTTP/1.1\r\n\r\n", os.urandom(256), os.urandom(5_000)):
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(noise)

    async def work() -> None:
        async with client(node) as made:
            assert made.last_mc_block.seqno > 0

    run(work)


def test_what_cannot_be_is_said_in_one_line(packages: Path, folder: Path, node: TonNode) -> None:
    port = node.config["liteservers"][0]["port"]
    with pytest.raises(ServiceFault, match=f"port {port} for the local TON liteserver is in use"):
        TonNode(root=ROOT, folder=folder / "b", ports=(port,)).start()
    with pytest.raises(ServiceFault, match="is missing: install contracts/ton first"):
        TonNode(root=folder, folder=folder / "c").start()
    with pytest.raises(UsageFault, match="at least one port"):
        TonNode(root=ROOT, folder=folder, ports=())
    with pytest.raises(UsageFault, match="too long a path"):
        TonNode(root=ROOT, folder=folder / ("x" * 100))
    for address, words in (
        ("0:12", "no TON address"),
        ("0:" + "zz" * 32, "no TON address"),
        ("-1:" + "11" * 32, "workchain -1"),
        ("EQ", "no TON"),
    ):
        with pytest.raises(UsageFault, match=words):
            node.fund(address, 1)
    with pytest.raises(UsageFault, match=r"nanoton must be in"):
        node.fund(SOMEBODY, 0)
