"""The seam of local chains: what can run, what is left out, and how settings reach children."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dmm.ports import Deployment
from dmm.sandbox import chains
from dmm.sandbox.chains import LOCAL_CHAINS, left_out_text, missing, open_chain, runnable
from dmm.sandbox.demo_maker import demo_answer
from dmm.sandbox.demo_program import lp_shares
from dmm.sandbox.wiring import Wiring
from dmm.settings import PROJECT_ROOT, Settings
from dmm.units.amount import Atoms
from dmm.units.errors import ServiceFault, UsageFault

LOCAL: dict[str, str] = {
    "database_url": "postgresql://localhost/x",
    "prefect_api_url": "http://127.0.0.1:1/api",
    "prefect_api_auth": "u:p",
    "signer_socket": "/run/x/settlement.sock",
    "quote_signer_socket": "/run/x/quote.sock",
    "kill_socket": "/run/x/kill.sock",
    "buyback_maker_url": "http://127.0.0.1:2",
    "state_dir": "/tmp/x",  # noqa: S108
}


def test_every_local_chain_opens_under_its_name_without_starting_anything(tmp_path: Path) -> None:
    for name in LOCAL_CHAINS:
        if missing(name, PROJECT_ROOT):
            continue
        made = open_chain(
            name, root=PROJECT_ROOT, folder=tmp_path / name, cache_dir=tmp_path / "cache"
        )
        assert (made.name, made.pid) == (name, 0)
        made.stop()
    assert list(tmp_path.iterdir()) == []


def test_a_chain_whose_wheel_is_missing_is_left_out_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def without_solders(name: str) -> Any:
        if name.endswith("solana.local"):
            raise ImportError("no module", name="solders")
        return SimpleNamespace(missing=lambda _root: "no node here" if "ton" in name else "")

    monkeypatch.setattr(chains.importlib, "import_module", without_solders)
    able, left_out = runnable(("evm", "solana", "ton"), PROJECT_ROOT)
    assert able == ("evm",)
    assert left_out == {
        "solana": "solders is not installed for this platform",
        "ton": "no node here",
    }
    assert left_out_text(left_out).startswith("chain solana is left out: solders is not installed")


@pytest.mark.parametrize("names", [(), ("solana",), ("evm", "evm"), ("evm", "moon")])
def test_the_home_chain_and_no_unknown_one_must_be_among_the_chains(names: tuple[str, ...]) -> None:
    with pytest.raises(UsageFault):
        runnable(names, PROJECT_ROOT)


# -- wiring ----------------------------------------------------------------------------------------


def wiring() -> Wiring:
    return Wiring(
        **LOCAL,  # type: ignore[arg-type]
        chains={
            "evm": {"evm_rpc_urls": ["http://127.0.0.1:3"], "evm_chain_id": 31_337},
            "ton": {"ton_configs": ["/x/global.config.json"], "ton_global_id": -217},
        },
    )


def test_a_child_reads_from_its_environment_what_its_parent_was_wired_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wired = wiring()
    for name, value in wired.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == wired.settings()
    assert wired.settings().chains == ("evm", "ton")
    assert wired.settings().ton_configs == (Path("/x/global.config.json"),)
    assert wired.settings().ton_global_id == -217


def test_the_wiring_comes_back_from_its_file_and_nobody_else_reads_it(tmp_path: Path) -> None:
    wiring().save(tmp_path)
    assert Wiring.load(tmp_path) == wiring()
    assert (tmp_path / "desk.json").stat().st_mode & 0o077 == 0
    (tmp_path / "desk.json").write_text(json.dumps({"evm_rpc_url": "of an earlier form"}))
    with pytest.raises(ServiceFault, match="no desk runs"):
        Wiring.load(tmp_path)


def test_each_chain_has_signers_of_its_own() -> None:
    config = wiring().settings()
    assert config.settlement_socket("evm") == Path("/run/x/settlement.sock")
    assert config.settlement_socket("ton") == Path("/run/x/settlement-ton.sock")
    assert config.quote_socket("ton") == Path("/run/x/quote-ton.sock")


@pytest.mark.parametrize("chains", [[], ["solana"], ["evm", "evm"]])
def test_settings_without_the_home_chain_or_with_one_twice_are_refused(chains: list[str]) -> None:
    with pytest.raises(ValueError, match="must hold 'evm'"):
        Settings(chains=tuple(chains))


# -- the DEMO's programs ---------------------------------------------------------------------------


def providers(chain: str, count: int = 3) -> dict[str, Deployment]:
    return {
        f"actor:lp-{i}": Deployment(
            chain=chain, name=f"actor:lp-{i}", address=f"{chain}{i}", height=1
        )
        for i in range(count)
    }


@pytest.mark.parametrize(
    ("names", "shares"),
    [
        (["evm"], {"evm": {"evm0": 50, "evm1": 30, "evm2": 20}}),
        (["evm", "ton"], {"evm": {"evm0": 50, "evm2": 20}, "ton": {"ton1": 30}}),
        (
            ["evm", "solana", "ton"],
            {"evm": {"evm0": 50}, "solana": {"solana1": 30}, "ton": {"ton2": 20}},
        ),
    ],
)
def test_providers_go_round_the_chains(names: list[str], shares: dict[str, dict[str, int]]) -> None:
    assert lp_shares({name: providers(name) for name in names}) == shares


def test_a_chain_without_known_providers_pays_none() -> None:
    assert lp_shares({"evm": {}, "ton": providers("ton")}) == {"evm": {}, "ton": {"ton1": 30}}


class MakerChain:
    """A local chain that shows what its market maker was asked."""

    def sign_buyback_quote(self, **asked: Any) -> Any:
        return asked, b"sig"


def test_the_maker_quotes_on_the_chain_that_asks_in_its_decimals() -> None:
    answer = demo_answer(
        {"ton": MakerChain()},  # type: ignore[dict-item]
        {"ton": {"DCT": 9, "USDT": 6}},
    )
    request: dict[str, object] = {
        "chain": "ton",
        "taker": "0:7",
        "cash_asset": "USDT",
        "bought_asset": "DCT",
        "deadline_s": 9,
        "nonce": 4,
    }
    found = answer(request, Atoms(2_100_000))
    assert found is not None
    asked: Any = found[0]
    assert (asked["cash_amount"], asked["bought_amount"]) == (2_100_000, 2_000_000_000)
    assert answer(request | {"chain": "evm"}, Atoms(2_100_000)) is None
    assert answer(request | {"cash_asset": "EUR"}, Atoms(2_100_000)) is None
    assert answer(request, Atoms(0)) is None
