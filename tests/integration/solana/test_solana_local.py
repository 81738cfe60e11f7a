"""The local Solana chain behind the seam of all local chains, at the pace the demo runs it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dmm.adapters.signers.policy import format_policy, read_policy
from dmm.adapters.solana.client import SolanaChain
from dmm.adapters.solana.codec import chain_id_of
from dmm.adapters.solana.events import SolanaLog
from dmm.adapters.solana.sign import Key
from dmm.adapters.solana.verify import acceptance_is_signed, quote_is_signed
from dmm.market.instrument import Asset
from dmm.ports import Deployment
from dmm.rfq.protocol import FirmQuote
from dmm.sandbox.chains import LocalChain, missing, open_chain
from dmm.sandbox.solana.local import SolanaLocalChain
from dmm.units.amount import Atoms
from dmm.units.errors import ServiceFault, UsageFault
from dmm.units.ids import ZERO_HASH

ROOT = Path(__file__).resolve().parents[3]
BTC, USDT = Asset(symbol="BTC", decimals=8), Asset(symbol="USDT", decimals=6)
NAMES = {
    *("settlement", "treasury", "governor", "distributor"),
    *(f"token:{symbol}" for symbol in ("DCT", "BTC", "USDT")),
    *("vault:treasury", "vault:desk", "signer:settlement", "signer:quote"),
    *(f"actor:{role}" for role in ("taker-0", "taker-1", "lp-0", "lp-1", "lp-2", "market-maker")),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("solana-local")


@pytest.fixture(scope="module")
def local(folder: Path) -> Iterator[SolanaLocalChain]:
    made = open_chain("solana", root=ROOT, folder=folder, cache_dir=folder)
    assert isinstance(made, SolanaLocalChain)
    made.start()
    made.deploy(position=BTC, cash=USDT, genesis_head=ZERO_HASH)
    yield made
    made.stop()
    made.stop()


def deployed(local: LocalChain) -> dict[str, Deployment]:
    found = local.deploy(position=BTC, cash=USDT, genesis_head=ZERO_HASH)
    return {one.name: one for one in found}


def log_of(local: SolanaLocalChain) -> SolanaLog:
    return SolanaLog(
        rpc_urls=(local.node.url,),
        genesis_hash=local.genesis_hash,
        deployments=deployed(local),
    )


def test_a_machine_with_the_committed_program_can_run_it(tmp_path: Path) -> None:
    assert missing("solana", ROOT) == ""
    assert "dmm.so" in missing("solana", tmp_path)


def test_everything_is_deployed_under_every_chain_s_names_and_final(
    local: SolanaLocalChain,
) -> None:
    found = deployed(local)
    assert set(found) == NAMES
    assert found["token:BTC"].decimals == 8
    final, _ = log_of(local).tips()
    assert final.height >= max(one.height for one in found.values())
    lowest = min(one.height for name, one in found.items() if name.startswith("vault:"))
    assert lowest >= max(one.height for name, one in found.items() if name.startswith("token:"))


def test_vaults_hold_what_they_were_funded_with_at_their_height(local: SolanaLocalChain) -> None:
    found = deployed(local)
    log = log_of(local)
    for vault in ("vault:treasury", "vault:desk"):
        for token in ("BTC", "USDT", "DCT"):
            held = log.balance(holder=found[vault].address, asset=token, height=found[vault].height)
            assert held == 1_000_000 * 10 ** found[f"token:{token}"].decimals


def test_finality_moves_by_itself(local: SolanaLocalChain) -> None:
    log = log_of(local)
    first = log.tips()[0].height
    until = time.monotonic() + 20
    while log.tips()[0].height < first + 3:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_desk_reaches_the_chain_by_its_settings(local: SolanaLocalChain) -> None:
    config = local.settings()
    urls, genesis = config["solana_rpc_urls"], config["solana_genesis_hash"]
    assert isinstance(urls, list)
    chain = SolanaChain(
        rpc_urls=[str(url) for url in urls],
        genesis_hash=str(genesis),
        deployments=deployed(local),
        unit_fee_max=10,
        unit_tip=1,
    )
    assert chain.snapshot().chain == local.name == "solana"
    assert local.is_healthy()
    assert local.pid > 0


def test_the_signers_policy_names_the_cluster_and_survives_its_file(
    local: SolanaLocalChain, tmp_path: Path
) -> None:
    found = deployed(local)
    policy = local.signer_policy(found)
    assert policy.chain_id == chain_id_of(local.genesis_hash)
    assert policy.maker == found["vault:desk"].address
    path = tmp_path / "policy.toml"
    path.write_text(format_policy(policy), encoding="utf-8")
    path.chmod(0o600)
    assert read_policy(path) == policy
    for role, name in (("settlement", "signer:settlement"), ("quote", "signer:quote")):
        assert Key(local.signer_secret(role)).address == found[name].address


def firm_quote(local: SolanaLocalChain, **change: object) -> FirmQuote:
    found = deployed(local)
    fields: dict[str, object] = {
        "chain": "solana",
        "contract": found["settlement"].address,
        "maker": found["vault:desk"].address,
        "signer": found["signer:quote"].address,
        "taker": found["actor:taker-1"].address,
        "maker_asset": "BTC",
        "taker_asset": "USDT",
        "maker_amount": Atoms(31),
        "taker_amount": Atoms(77),
        "fee_bps": 0,
        "fee_recipient": found["vault:desk"].address,
        "expiry_s": 2_000_000_000,
        "settle_by_s": 2_000_000_000,
        "nonce": 5,
    }
    return FirmQuote(**(fields | change))  # type: ignore[arg-type]


def test_a_taker_accepts_what_is_bound_to_it_and_nothing_else(local: SolanaLocalChain) -> None:
    quote = firm_quote(local)
    acceptance, signature = local.accept(quote)
    assert acceptance_is_signed(quote, acceptance, signature, book=local.book)
    with pytest.raises(UsageFault, match="no DEMO taker"):
        local.accept(firm_quote(local, taker=deployed(local)["actor:lp-0"].address))


def test_the_outside_maker_sells_under_any_nonce(local: SolanaLocalChain) -> None:
    for nonce in (3, 2**47 + 11):
        quote, signature = local.sign_buyback_quote(
            taker=deployed(local)["treasury"].address,
            cash_asset="USDT",
            cash_amount=Atoms(9),
            bought_asset="DCT",
            bought_amount=Atoms(1_009),
            deadline_s=2_000_000_000,
            nonce=nonce,
        )
        assert quote_is_signed(quote, signature, book=local.book)
        assert quote.nonce == nonce


def test_a_stopped_chain_goes_on_with_the_same_deployments_and_actors(tmp_path: Path) -> None:
    first = SolanaLocalChain(root=ROOT, folder=tmp_path)
    first.start()
    before = deployed(first)
    head = log_of(first).tips()[1].height
    first.stop()
    again = SolanaLocalChain(root=ROOT, folder=tmp_path)
    again.start()
    try:
        assert deployed(again) == before
        assert log_of(again).tips()[1].height >= head
        assert again.signer_secret("quote") == first.signer_secret("quote")
        with pytest.raises(ServiceFault, match="no token ETH"):
            again.deploy(
                position=Asset(symbol="ETH", decimals=8), cash=USDT, genesis_head=ZERO_HASH
            )
    finally:
        again.stop()


@pytest.mark.parametrize("transactions", [1, 4, 9, 17])
def test_a_deployment_that_was_cut_off_goes_on_and_funds_nobody_twice(
    tmp_path: Path, transactions: int
) -> None:
    chain = SolanaLocalChain(root=ROOT, folder=tmp_path)
    chain.start()
    try:
        call, left = chain.node.call, transactions

        def cut(method: str, *params: object) -> Any:
            nonlocal left
            left -= method == "sendTransaction"
            if left < 0:
                raise ServiceFault("cut off")
            return call(method, *params)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(chain.node, "call", cut)
            with pytest.raises(ServiceFault, match="cut off"):
                deployed(chain)
        found = deployed(chain)
        assert set(found) == NAMES
        log, height = log_of(chain), found["vault:desk"].height
        for vault in ("vault:treasury", "vault:desk"):
            held = log.balance(holder=found[vault].address, asset="DCT", height=height)
            assert held == 1_000_000 * 10**9
    finally:
        chain.stop()


def test_before_it_is_deployed_a_chain_has_no_book(tmp_path: Path) -> None:
    with pytest.raises(ServiceFault, match="nothing is deployed"):
        _ = SolanaLocalChain(root=ROOT, folder=tmp_path).book
