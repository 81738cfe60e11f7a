"""What is deployed on the local chain: each contract's code and first data, by its name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytoniq_core import Cell, begin_cell
from pytoniq_core.tlb.account import StateInit

from dmm.sandbox.ton import cells, desk_cells
from dmm.sandbox.ton.actors import MARKET_MAKER, Actors
from dmm.sandbox.ton.demo_cells import multisig_data
from dmm.units.ids import Hash32

LIFETIME_S_MAX = 2 * 86_400
"""Longest time a quote may have to run when it is filled, enforced by the vault."""

CHALLENGE_S = 3_600
"""How long a new root of claims can be vetoed before it pays, seconds."""

HOME_NETWORK = 31_337
HOME_CONTRACT = int.from_bytes(hashlib.sha256(b"dmm/home-chain/evm").digest(), "big")
"""Whose log the governor mirrors: the DEMO's home chain is EVM."""

Founded = tuple[str, int, StateInit]
"""A deployment's name, its account and its first state."""


def contracts(
    *, build_dir: Path, actors: Actors, symbols: Iterable[str], genesis_head: Hash32
) -> Iterator[Founded]:
    """Yield what is deployed, the multisig first: it is everybody's authority."""

    def made(name: str, contract: str, data: Cell) -> Founded:
        account, init = cells.state_init(cells.code_of(build_dir, contract), data)
        return name, account, init

    multisig = made("multisig", "Multisig", multisig_data(actors))
    yield multisig
    authority, guardian = multisig[1], actors.guardian.account
    treasury = desk_cells.treasury_data(
        authority=authority, operator=actors.operator.account, guardian=guardian
    )
    yield made("treasury", "Treasury", treasury)
    log = desk_cells.governor_data(
        authority=authority,
        home_network=HOME_NETWORK,
        home_contract=HOME_CONTRACT,
        sequence=0,
        head=genesis_head,
    )
    yield made("governor", "GovernorLog", log)
    claims = desk_cells.distributor_data(
        authority=authority,
        guardian=guardian,
        challenge_s=CHALLENGE_S,
        claimant_code=cells.code_of(build_dir, "Claimant"),
    )
    yield made("distributor", "Distributor", claims)
    for name, owner, signer in (
        ("settlement", actors.desk, actors.quote_signer),
        (MARKET_MAKER, actors.market_maker, actors.market_maker),
    ):
        vault = cells.vault_data(
            signer=signer.public_key,
            lifetime_s_max=LIFETIME_S_MAX,
            authority=owner.account,
            operator=owner.account,
            guardian=guardian,
        )
        yield made(name, "Settlement", vault)
    for symbol in symbols:
        yield made(f"token:{symbol}", "JettonMinter", _minter(build_dir, actors, symbol))


def _minter(build_dir: Path, actors: Actors, symbol: str) -> Cell:
    return (
        begin_cell()
        .store_coins(0)
        .store_address(cells.at(actors.deployer.account))
        .store_ref(cells.code_of(build_dir, "JettonWallet"))
        .store_ref(cells.snake(symbol.encode()))
        .end_cell()
    )
