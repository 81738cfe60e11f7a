"""The local node: finality on its own tick, and the same chain after every kind of death."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dmm.sandbox.evm.install import anvil_program, ensure_npm
from dmm.sandbox.evm.node import FINALITY_BLOCKS, EvmNode
from dmm.units.errors import ServiceFault, UsageFault

WAIT_S_MAX = 20.0


def wait_for(what: Callable[[], object]) -> None:
    until = time.monotonic() + WAIT_S_MAX
    while not what():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.02)


def transfer(node: EvmNode) -> str:
    (account,) = node.rpc("eth_accounts")
    tx_id: str = node.rpc(
        "eth_sendTransaction", {"from": account, "to": account, "value": "0x5", "data": "0x"}
    )
    return tx_id


def finalized(node: EvmNode) -> int:
    return int(node.rpc("eth_getBlockByNumber", "finalized", False)["number"], 16)


def is_final(node: EvmNode, tx_id: str) -> bool:
    receipt = node.rpc("eth_getTransactionReceipt", tx_id)
    return receipt is not None and int(receipt["blockNumber"], 16) <= finalized(node)


def history(node: EvmNode, tx_id: str) -> dict[str, Any]:
    """Return what must be the same after a restart."""
    (account,) = node.rpc("eth_accounts")
    receipt = node.rpc("eth_getTransactionReceipt", tx_id)
    height = int(receipt["blockNumber"], 16)
    return {
        "receipt": receipt,
        "blocks": [
            node.rpc("eth_getBlockByNumber", hex(at), True)["hash"] for at in range(height + 1)
        ],
        "nonce": node.rpc("eth_getTransactionCount", account, "latest"),
        "transaction": node.rpc("eth_getTransactionByHash", tx_id),
    }


def test_a_transaction_becomes_final_by_the_node_s_own_tick(
    project_root: Path, tmp_path: Path
) -> None:
    with EvmNode(root=project_root, folder=tmp_path, tick_ms=10) as node:
        tx_id = transfer(node)
        wait_for(lambda: is_final(node, tx_id))
        assert node.is_healthy()
    assert not node.is_healthy()


def test_a_chain_at_rest_grows_slowly(project_root: Path, tmp_path: Path) -> None:
    with EvmNode(root=project_root, folder=tmp_path, tick_ms=5, idle_ms=60_000) as node:
        wait_for(lambda: node.mine(0) > FINALITY_BLOCKS)
        height = node.mine(0)
        time.sleep(0.3)
        assert node.mine(0) == height
        tx_id = transfer(node)
        wait_for(lambda: is_final(node, tx_id))


def test_a_pause_stops_blocks_and_a_resume_brings_them_back(
    project_root: Path, tmp_path: Path
) -> None:
    with EvmNode(root=project_root, folder=tmp_path, tick_ms=10) as node:
        node.pause()
        tx_id = transfer(node)
        height = node.mine(0)
        time.sleep(0.2)
        assert node.mine(0) == height
        node.resume()
        wait_for(lambda: is_final(node, tx_id))


def test_a_stopped_node_continues_its_chain(project_root: Path, tmp_path: Path) -> None:
    with EvmNode(root=project_root, folder=tmp_path, tick_ms=0) as node:
        tx_id = transfer(node)
        head = node.mine(FINALITY_BLOCKS + 3)
        before, final = history(node, tx_id), finalized(node)
    with EvmNode(root=project_root, folder=tmp_path, tick_ms=0) as node:
        assert history(node, tx_id) == before
        assert node.mine(0) >= head
        assert finalized(node) >= final
        (account,) = node.rpc("eth_accounts")
        assert int(node.rpc("eth_getTransactionCount", account, "finalized"), 16) == 1


def test_what_was_final_survives_a_killed_node(project_root: Path, tmp_path: Path) -> None:
    node = EvmNode(root=project_root, folder=tmp_path, tick_ms=0)
    node.start()
    try:
        first = transfer(node)
        node.mine(FINALITY_BLOCKS)
        second = transfer(node)
        node.mine(FINALITY_BLOCKS + 1)
        assert is_final(node, second)
        before = [history(node, tx_id) for tx_id in (first, second)]
        os.kill(node.pid, signal.SIGKILL)
        wait_for(lambda: not node.is_healthy())
    finally:
        node.stop()
    with EvmNode(root=project_root, folder=tmp_path, tick_ms=0) as node:
        assert [history(node, tx_id) for tx_id in (first, second)] == before


def test_a_reorged_transaction_does_not_come_back_from_a_checkpoint(
    project_root: Path, tmp_path: Path
) -> None:
    node = EvmNode(root=project_root, folder=tmp_path, tick_ms=0)
    node.start()
    try:
        node.mine(FINALITY_BLOCKS)
        tx_id = transfer(node)
        node.mine(2)
        node.checkpoint()
        node.reorg(5)
        node.mine(FINALITY_BLOCKS + 5)
        assert node.rpc("eth_getTransactionReceipt", tx_id) is None
        os.kill(node.pid, signal.SIGKILL)
        wait_for(lambda: not node.is_healthy())
    finally:
        node.stop()
    with EvmNode(root=project_root, folder=tmp_path, tick_ms=0) as node:
        assert node.rpc("eth_getTransactionReceipt", tx_id) is None


def test_a_state_file_cut_off_while_written_gives_way_to_the_checkpoint(
    project_root: Path, tmp_path: Path
) -> None:
    with EvmNode(root=project_root, folder=tmp_path, tick_ms=0) as node:
        tx_id = transfer(node)
        node.mine(FINALITY_BLOCKS + 1)
        before = history(node, tx_id)
    state = tmp_path / "chain.json"
    state.write_bytes(state.read_bytes()[:1_000])
    with EvmNode(root=project_root, folder=tmp_path, tick_ms=0) as node:
        assert history(node, tx_id) == before


OWNER = """
import sys, time
from pathlib import Path
from dmm.sandbox.evm.node import EvmNode
node = EvmNode(root=Path(sys.argv[1]), folder=Path(sys.argv[2]), tick_ms=0)
node.start()
(account,) = node.rpc("eth_accounts")
tx_id = node.rpc("eth_sendTransaction", {"from": account, "to": account, "value": "0x5"})
node.mine(3)
print(node.pid, node.url, tx_id, flush=True)
time.sleep(600)
"""


def is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def test_the_whole_chain_survives_a_killed_owner_and_no_node_is_left(
    project_root: Path, tmp_path: Path
) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(project_root), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert owner.stdout is not None
    with owner.stdout:
        pid_text, _, tx_id = owner.stdout.readline().split()
    owner.kill()
    owner.wait()
    wait_for(lambda: is_gone(int(pid_text)))
    with EvmNode(root=project_root, folder=tmp_path, tick_ms=0) as node:
        # Not even final yet, and still there: the orphaned node wrote its chain before it ended.
        receipt = node.rpc("eth_getTransactionReceipt", tx_id)
        assert int(receipt["blockNumber"], 16) == 1
        assert is_final(node, tx_id)


def test_a_port_in_use_is_named(project_root: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceFault, match=f"port {port} for the local EVM node is in use"):
            EvmNode(root=project_root, folder=tmp_path, port=port).start()


@pytest.mark.parametrize("depth", [0, FINALITY_BLOCKS])
def test_a_reorg_never_reaches_a_final_block(
    project_root: Path, tmp_path: Path, depth: int
) -> None:
    node = EvmNode(root=project_root, folder=tmp_path)
    with pytest.raises(UsageFault, match="a reorg is 1 to 15 blocks deep"):
        node.reorg(depth)


def test_a_node_that_was_not_started_says_so(project_root: Path, tmp_path: Path) -> None:
    with pytest.raises(ServiceFault, match="is not started"):
        EvmNode(root=project_root, folder=tmp_path).mine()


def test_a_checkout_without_the_lock_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceFault, match=r"package-lock\.json is missing"):
        ensure_npm(tmp_path, cache_dir=tmp_path / "cache")


def test_a_program_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceFault, match="remove contracts/evm/node_modules and run again"):
        anvil_program(tmp_path)
