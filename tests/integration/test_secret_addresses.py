"""A node's address often holds an access key: no fault may repeat it."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable
from pathlib import Path

import based58
import pytest

from dmm.adapters.clock import SystemClock
from dmm.adapters.evm.client import EvmChain
from dmm.adapters.evm.events import EvmLog
from dmm.adapters.evm.gas import EvmGas
from dmm.adapters.makers.http import HttpMaker
from dmm.adapters.peg import TickerPeg
from dmm.adapters.solana.client import SolanaChain
from dmm.adapters.solana.events import SolanaLog
from dmm.adapters.ton.node import open_nodes
from dmm.sandbox.process import free_port
from dmm.units.amount import Atoms
from dmm.units.errors import Fault

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "contracts" / "evm" / "build"
SECRET = "S3CRETK3Y"
GENESIS = based58.b58encode(hashlib.sha256(b"genesis").digest()).decode()
FORMS = (
    "http://127.0.0.1:{port}/?api-key=" + SECRET,
    "http://127.0.0.1:{port}/v2/" + SECRET,
    "http://user:" + SECRET + "@127.0.0.1:{port}",
)


def evm(url: str) -> EvmChain:
    return EvmChain(
        rpc_urls=(url,),
        chain_id=31337,
        deployments={},
        artefact_dir=BUILD,
        fee_gwei_max=1,
        tip_gwei=1,
    )


def solana(url: str) -> SolanaChain:
    return SolanaChain(
        rpc_urls=(url,), genesis_hash=GENESIS, deployments={}, unit_fee_max=1_000, unit_tip=1
    )


def ask_maker(url: str) -> None:
    HttpMaker(url).quote(
        chain="evm",
        taker="0x1",
        cash_asset="USDT",
        cash_amount=Atoms(7),
        bought_asset="DCT",
        deadline_s=9,
        nonce=3,
    )


ASKED: dict[str, Callable[[str], object]] = {
    "evm snapshot": lambda url: evm(url).snapshot(),
    "evm send": lambda url: evm(url).send(b"\x02"),
    "evm log": lambda url: EvmLog(
        rpc_urls=(url,), chain_id=31337, deployments={}, artefact_dir=BUILD
    ).tips(),
    "solana snapshot": lambda url: solana(url).snapshot(),
    "solana send": lambda url: solana(url).send(b"\x01"),
    "solana log": lambda url: SolanaLog(
        rpc_urls=(url,), genesis_hash=GENESIS, deployments={}
    ).tips(),
    "market maker": ask_maker,
    "peg ticker": lambda url: TickerPeg(url, clock=SystemClock()).price_ppm(),
    "gas price": lambda url: EvmGas(rpc_urls=(url,), chain_id=31337).gas_price(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", sorted(ASKED))
def test_a_silent_node_is_named_without_its_key(name: str, form: str) -> None:
    port = free_port()
    with pytest.raises(Fault) as found:
        ASKED[name](form.format(port=port))
    assert f"http://127.0.0.1:{port}" in str(found.value)
    assert SECRET not in str(found.value)


def test_a_url_where_a_file_of_ton_belongs_is_named_without_its_key() -> None:
    path = Path(f"https://ton.example.net/{SECRET}/global.config.json?key={SECRET}")
    with pytest.raises(Fault, match=r"https://ton\.example\.net is no configuration") as found:
        open_nodes((path,), global_id=-239)
    assert SECRET not in str(found.value)


def test_a_fault_told_with_its_causes_still_keeps_the_key_of_a_chains_node() -> None:
    url = FORMS[1].format(port=free_port())
    with pytest.raises(Fault) as found:
        solana(url).snapshot()
    assert SECRET not in "".join(traceback.format_exception(found.value))
